/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 791 (IPv4), RFC 826 (ARP), RFC 792 (ICMP), RFC 9293 (TCP): the few fields that tests need. */
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FRAME_MAX 2048u
#define ETHERNET 14u
#define IPV4 20u
#define TCP 20u
#define TAKE_MS 2000

static int wire = -1;
static uint8_t own_mac[6];
static unsigned echo_requests, echo_replies;

void wire_use(int fd, const uint8_t mac[6])
{
	wire = fd;
	memcpy(own_mac, mac, 6);
	echo_requests = echo_replies = 0;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static uint32_t add_up(uint32_t sum, const uint8_t *at, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum += (uint32_t)at[i] << (i & 1 ? 0 : 8);
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static bool send_frame(const uint8_t *frame, size_t length)
{
	struct pollfd p = { .fd = wire, .events = POLLOUT };

	while (send(wire, frame, length, 0) < 0)
		if ((errno != EAGAIN && errno != ENOBUFS && errno != EINTR) || poll(&p, 1, TAKE_MS) < 1)
			return false;
	return true;
}

bool wire_send(const struct wire_tcp *s)
{
	uint8_t frame[FRAME_MAX] = { 0 }, *ip = frame + ETHERNET, *tcp = ip + IPV4;
	uint32_t sum;

	memcpy(frame, s->to.mac, 6);
	memcpy(frame + 6, s->from.mac, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, IPV4 + TCP + s->length);
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, s->from.ip, 4);
	memcpy(ip + 16, s->to.ip, 4);
	put16(ip + 10, fold(add_up(0, ip, IPV4)));
	put16(tcp, s->from.port);
	put16(tcp + 2, s->to.port);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = TCP / 4 << 4;
	tcp[13] = s->flags;
	put16(tcp + 14, 0xffff);
	if (s->length)
		memcpy(tcp + TCP, s->data, s->length);
	sum = add_up(6 + TCP + s->length, ip + 12, 8);
	put16(tcp + 16, fold(add_up(sum, tcp, TCP + s->length)));
	return send_frame(frame, ETHERNET + IPV4 + TCP + s->length);
}

/* Who has 10.0.3.64 to 10.0.3.95?  We do. */
static void take_arp(const uint8_t *frame, size_t length)
{
	static const uint8_t ours[4] = { 10, 0, 3, 64 };
	uint8_t answer[ETHERNET + 28];

	if (length < sizeof(answer) || get16(frame + 20) != 1 || memcmp(frame + 38, ours, 3) != 0 ||
	    (frame[41] & 0xe0) != ours[3])
		return;
	memcpy(answer, frame, sizeof(answer));
	memcpy(answer, frame + 6, 6);
	memcpy(answer + 6, own_mac, 6);
	put16(answer + 20, 2);
	memcpy(answer + 22, own_mac, 6);
	memcpy(answer + 28, frame + 38, 4);
	memcpy(answer + 32, frame + 22, 10);
	send_frame(answer, sizeof(answer));
}

static bool take_tcp(const uint8_t *frame, size_t length, struct wire_tcp *s)
{
	const uint8_t *ip = frame + ETHERNET, *tcp = ip + IPV4;

	if (length < ETHERNET + IPV4 + TCP || ip[0] != 0x45 || ip[9] != 6)
		return false;
	*s = (struct wire_tcp){ .from.port = (uint16_t)get16(tcp), .to.port = (uint16_t)get16(tcp + 2),
				.seq = get32(tcp + 4), .ack = get32(tcp + 8), .flags = tcp[13] };
	memcpy(s->from.mac, frame + 6, 6);
	memcpy(s->to.mac, frame, 6);
	memcpy(s->from.ip, ip + 12, 4);
	memcpy(s->to.ip, ip + 16, 4);
	s->length = (uint16_t)(get16(ip + 2) - IPV4 - (tcp[12] >> 4) * 4u);
	return true;
}

/* Whether it was a TCP segment. */
static bool take(struct wire_tcp *segment)
{
	uint8_t frame[FRAME_MAX];
	const ssize_t n = recv(wire, frame, sizeof(frame), 0);
	const size_t length = n < 0 ? 0 : (size_t)n;

	if (length < ETHERNET + IPV4 + 8)
		return false;
	if (get16(frame + 12) == 0x0806)
		take_arp(frame, length);
	if (get16(frame + 12) != 0x0800)
		return false;
	if (frame[ETHERNET + 9] == 1) {
		echo_requests += frame[ETHERNET + IPV4] == 8;
		echo_replies += frame[ETHERNET + IPV4] == 0;
	}
	return take_tcp(frame, length, segment);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool wire_wait(bool (*wanted)(const struct wire_tcp *segment, const void *context), const void *context, unsigned ms,
	       struct wire_tcp *segment)
{
	const int64_t end = now_ms() + ms;

	for (int64_t left = ms; left > 0; left = end - now_ms()) {
		struct pollfd p = { .fd = wire, .events = POLLIN };

		if (poll(&p, 1, (int)left) == 1 && take(segment) && wanted(segment, context))
			return true;
	}
	return false;
}

void wire_echoes(unsigned *requests, unsigned *replies)
{
	*requests = echo_requests;
	*replies = echo_replies;
}
