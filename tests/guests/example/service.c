/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the services of the server example: asks for its gateway's address and pings it, from its first moment on, and
 * says when the first answer came.  Its own address is 10.0.3.N, N being the last byte of its MAC address.
 */
#include <string.h>

#include <lazaret/link.h>

#include "pipe.h"
#include "rt.h"

#define PAUSE_NS 1000000000ul
#define NET_HEADER 12u                  /* virtio-net's, all zero */
#define ARP_LENGTH 42u
#define PING_LENGTH 60u
#define GATEWAY 2u                      /* 10.0.3.2 */

static uint8_t mac[6], gateway_mac[6];
static bool knows_gateway;
static uint8_t frame[PIPE_MAX];

static uint8_t *start_frame(const uint8_t to[6], uint16_t type)
{
	memset(frame, 0, NET_HEADER + PING_LENGTH);
	memcpy(frame + NET_HEADER, to, 6);
	memcpy(frame + NET_HEADER + 6, mac, 6);
	frame[NET_HEADER + 12] = (uint8_t)(type >> 8);
	frame[NET_HEADER + 13] = (uint8_t)type;
	return frame + NET_HEADER + 14;
}

static void put_address(uint8_t *at, uint8_t last)
{
	const uint8_t address[4] = { 10, 0, 3, last };

	memcpy(at, address, sizeof(address));
}

/* RFC 826: a question to everybody (operation 1) or an answer to the gateway (2). */
static void send_arp(const uint8_t to[6], uint8_t operation)
{
	static const uint8_t head[7] = { 0, 1, 8, 0, 6, 4, 0 };
	uint8_t *arp = start_frame(to, 0x0806);

	memcpy(arp, head, sizeof(head));
	arp[7] = operation;
	memcpy(arp + 8, mac, 6);
	put_address(arp + 14, mac[5]);
	if (operation == 2)
		memcpy(arp + 18, to, 6);
	put_address(arp + 24, GATEWAY);
	pipe_send(frame, NET_HEADER + ARP_LENGTH);
}

/* RFC 1071. */
static void put_checksum(uint8_t *at, const uint8_t *bytes, unsigned length)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

/* An echo request (RFC 792) of 46 bytes of IPv4. */
static void ping_gateway(void)
{
	uint8_t *ip = start_frame(gateway_mac, 0x0800), *icmp = ip + 20;

	ip[0] = 0x45;
	ip[3] = PING_LENGTH - 14;
	ip[8] = 64;
	ip[9] = 1;
	put_address(ip + 12, mac[5]);
	put_address(ip + 16, GATEWAY);
	put_checksum(ip + 10, ip, 20);
	icmp[0] = 8;
	icmp[5] = mac[5];
	put_checksum(icmp + 2, icmp, PING_LENGTH - 34);
	pipe_send(frame, NET_HEADER + PING_LENGTH);
}

static void take_arp(const uint8_t *arp)
{
	if (arp[17] != GATEWAY)
		return;
	memcpy(gateway_mac, arp + 8, 6);
	knows_gateway = true;
	if (arp[7] == 1 && arp[27] == mac[5])
		send_arp(gateway_mac, 2);
}

/* True at an answer to a ping. */
static bool listen(void)
{
	static uint8_t heard[PIPE_MAX];
	const uint8_t *type = heard + NET_HEADER + 12, *body = type + 2;
	uint32_t length;
	bool answered = false;

	while ((length = pipe_receive(heard)) != 0) {
		if (length < NET_HEADER + ARP_LENGTH || type[0] != 8)
			continue;
		if (type[1] == 6)
			take_arp(body);
		answered |= type[1] == 0 && body[9] == 1 && body[15] == GATEWAY && body[20] == 0;
	}
	return answered;
}

void rt_main(void)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	unsigned asked = 0, answered = 0;

	trap_init();
	pipe_open(LZR_VIRTIO_PCI_NET);
	pipe_mac(mac);
	rt_printf("SERVICE 10.0.3.%u ready\n", mac[5]);
	for (;;) {
		const uint64_t end = rt_clock() + PAUSE_NS;

		if (!knows_gateway && ++asked != 0)
			send_arp(everybody, 1);
		else
			ping_gateway();
		while (rt_clock() < end) {
			if (listen() && answered++ == 0)
				rt_printf("SERVICE 10.0.3.%u reached its gateway, asked %u times\n", mac[5], asked);
			rt_sleep(PAUSE_NS / 4);
		}
	}
}
