/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERNET_HEADER 14u
#define FRAME_MAX (ETHERNET_HEADER + sizeof(struct lzr_msg) + LZR_MSG_PAYLOAD_MAX)

static bool bring_up(struct link *l)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", l->interface);
	if (ioctl(l->fd, SIOCGIFFLAGS, &request) != 0)
		return false;
	request.ifr_flags |= IFF_UP | IFF_NOARP;
	return ioctl(l->fd, SIOCSIFFLAGS, &request) == 0;
}

/* Messages that came before the socket listened are lost: asks who is there. */
static bool hello(const struct link *l)
{
	uint8_t frame[ETHERNET_HEADER + sizeof(struct lzr_msg)] = {
		[6] = 0x02, 0x4c, 0x5a, [12] = LZR_LINK_ETHERTYPE >> 8, LZR_LINK_ETHERTYPE & 0xff,
	};
	const struct lzr_msg m = { .magic = LZR_MSG_MAGIC, .type = LZR_MSG_HELLO };

	memcpy(frame + ETHERNET_HEADER, &m, sizeof(m));
	return send(l->fd, frame, sizeof(frame), 0) == (ssize_t)sizeof(frame);
}

/* The kernel would answer on a link as on any network; there is none. */
static void silence(const char *interface)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", interface);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		perror(path);
	close(fd);
}

bool link_open(struct link *l, const char *interface, struct fault *f)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(LZR_LINK_ETHERTYPE) };

	memset(l, 0, sizeof(*l));
	snprintf(l->interface, sizeof(l->interface), "%s", interface);
	/* Protocol 0: nothing is received before bind() names the interface, so no message of another link. */
	l->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address.sll_ifindex = (int)if_nametoindex(interface);
	silence(interface);
	/* Up first: a socket bound to an interface that is down starts with an error and hears too late. */
	if (l->fd >= 0 && address.sll_ifindex > 0 && bring_up(l) &&
	    bind(l->fd, (struct sockaddr *)&address, sizeof(address)) == 0 && hello(l))
		return true;
	fault_set(f, FAULT_INPUT, interface, "an interface with a packet socket", strerror(errno));
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	return false;
}

static enum link_event take_up(struct link *l, const struct lzr_msg *m, struct bytes payload)
{
	if (payload.length != sizeof(l->peer))
		return LINK_NOTHING;
	memcpy(&l->peer, payload.data, sizeof(l->peer));
	if (l->peer.vm != m->peer || l->peer.instance != m->instance ||
	    strnlen(l->peer.name, sizeof(l->peer.name)) == sizeof(l->peer.name))
		return LINK_NOTHING;
	l->address = *m;
	l->up = true;
	return LINK_UP;
}

enum link_event link_parse(struct link *l, struct bytes frame, struct bytes *payload)
{
	struct lzr_msg m;

	if (frame.length < ETHERNET_HEADER + sizeof(m))
		return LINK_NOTHING;
	memcpy(&m, frame.data + ETHERNET_HEADER, sizeof(m));
	*payload = (struct bytes){ frame.data + ETHERNET_HEADER + sizeof(m), m.length };
	if (m.magic != LZR_MSG_MAGIC || m.length > frame.length - ETHERNET_HEADER - sizeof(m))
		return LINK_NOTHING;
	if (m.type == LZR_MSG_UP)
		return take_up(l, &m, *payload);
	if (!l->up || m.instance != l->address.instance || m.generation != l->address.generation)
		return LINK_NOTHING;
	if (m.type == LZR_MSG_DOWN) {
		l->up = false;
		return LINK_DOWN;
	}
	return m.type == LZR_MSG_DATA ? LINK_DATA : LINK_NOTHING;
}

enum link_event link_receive(struct link *l, uint8_t buffer[LZR_MSG_PAYLOAD_MAX], struct bytes *payload)
{
	uint8_t frame[FRAME_MAX];
	ssize_t n = recv(l->fd, frame, sizeof(frame), 0);
	enum link_event event = n > 0 ? link_parse(l, (struct bytes){ frame, (size_t)n }, payload) : LINK_NOTHING;

	if (event == LINK_DATA) {
		memcpy(buffer, payload->data, payload->length);
		payload->data = buffer;
	}
	return event;
}

size_t link_frame(const struct link *l, struct bytes payload, uint8_t *out, size_t size)
{
	static const uint8_t ethernet[ETHERNET_HEADER] = {
		0, 0, 0, 0, 0, 0, 0x02, 0x4c, 0x5a, 0, 0, 0, LZR_LINK_ETHERTYPE >> 8, LZR_LINK_ETHERTYPE & 0xff,
	};
	struct lzr_msg m = {
		.magic = LZR_MSG_MAGIC,
		.type = LZR_MSG_DATA,
		.link = l->address.link,
		.peer = l->address.peer,
		.instance = l->address.instance,
		.generation = l->address.generation,
		.length = (uint32_t)payload.length,
	};

	if (payload.length > LINK_PAYLOAD_MAX || size < sizeof(ethernet) + sizeof(m) + payload.length)
		return 0;
	memcpy(out, ethernet, sizeof(ethernet));
	memcpy(out + sizeof(ethernet), &m, sizeof(m));
	memcpy(out + sizeof(ethernet) + sizeof(m), payload.data, payload.length);
	return sizeof(ethernet) + sizeof(m) + payload.length;
}

bool link_send(struct link *l, struct bytes payload)
{
	uint8_t frame[FRAME_MAX];
	size_t n = l->up ? link_frame(l, payload, frame, sizeof(frame)) : 0;

	if (n == 0) {
		errno = ENOTCONN;
		return false;
	}
	return send(l->fd, frame, n, 0) == (ssize_t)n;
}
