/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <string.h>

#include <lazaret/link.h>

#include "pipe.h"

#define NET_HEADER 12u                  /* virtio-net's, all zero */
#define ARP_LENGTH 42u
#define PING_LENGTH 60u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u
#define ICMP 1u
#define TCP 6u
#define TCP_LENGTH 54u
#define KNOCK_PORT 40000u               /* the own port of the first knock; the next one's is one higher */
#define TCP_SYN 0x02u
#define TCP_SYN_ACK 0x12u
#define ECHO_REPLY 0u
#define ECHO_REQUEST 8u

static uint8_t own_mac[6];
static struct { bool known; uint8_t mac[6]; } hosts[256];
static uint8_t frame[PIPE_MAX], heard[PIPE_MAX];

uint8_t net_open(void)
{
	pipe_open(LZR_VIRTIO_PCI_NET);
	pipe_mac(own_mac);
	return own_mac[5];
}

bool net_knows(uint8_t host)
{
	return hosts[host].known;
}

void net_tell(uint8_t host, const uint8_t mac[6])
{
	hosts[host].known = true;
	memcpy(hosts[host].mac, mac, 6);
}

static uint8_t *start_frame(const uint8_t to[6], uint16_t type)
{
	memset(frame, 0, NET_HEADER + PING_LENGTH);
	memcpy(frame + NET_HEADER, to, 6);
	memcpy(frame + NET_HEADER + 6, own_mac, 6);
	frame[NET_HEADER + 12] = (uint8_t)(type >> 8);
	frame[NET_HEADER + 13] = (uint8_t)type;
	return frame + NET_HEADER + 14;
}

static void put_address(uint8_t *at, uint8_t host)
{
	const uint8_t address[4] = { 10, 0, 3, host };

	memcpy(at, address, sizeof(address));
}

static void put_word(uint8_t *at, uint16_t word)
{
	at[0] = (uint8_t)(word >> 8);
	at[1] = (uint8_t)word;
}

/* RFC 1071, beginning with `sum`. */
static void put_checksum(uint8_t *at, const uint8_t *bytes, unsigned length, uint32_t sum)
{
	for (unsigned i = 0; i < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

static void send_arp(const uint8_t to[6], uint8_t operation, uint8_t host)
{
	static const uint8_t head[7] = { 0, 1, 8, 0, 6, 4, 0 };
	uint8_t *arp = start_frame(to, 0x0806);

	memcpy(arp, head, sizeof(head));
	arp[7] = operation;
	memcpy(arp + 8, own_mac, 6);
	put_address(arp + 14, own_mac[5]);
	if (operation == ARP_REPLY)
		memcpy(arp + 18, to, 6);
	put_address(arp + 24, host);
	pipe_send(frame, NET_HEADER + ARP_LENGTH);
}

void net_ask(uint8_t host)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	send_arp(everybody, ARP_REQUEST, host);
}

/* The start of an IPv4 packet (RFC 791) to a host in `frame`; returns what follows its header. */
static uint8_t *start_ip(uint8_t host, uint8_t protocol, uint8_t length)
{
	uint8_t *ip = start_frame(hosts[host].mac, 0x0800);

	ip[0] = 0x45;
	ip[3] = length;
	ip[8] = 64;
	ip[9] = protocol;
	put_address(ip + 12, own_mac[5]);
	put_address(ip + 16, host);
	put_checksum(ip + 10, ip, 20, 0);
	return ip + 20;
}

static void send_echo(uint8_t host, uint8_t type, uint16_t number)
{
	uint8_t *icmp = start_ip(host, ICMP, PING_LENGTH - 14);

	icmp[0] = type;
	icmp[5] = type == ECHO_REQUEST ? own_mac[5] : host;
	put_word(icmp + 6, number);
	put_checksum(icmp + 2, icmp, PING_LENGTH - 34, 0);
	pipe_send(frame, NET_HEADER + PING_LENGTH);
}

/* The checksum also covers the addresses, which lie before the header, the protocol and the length. */
void net_knock(uint8_t host, uint16_t port, unsigned number)
{
	uint8_t *tcp = start_ip(host, TCP, TCP_LENGTH - 14);

	put_word(tcp, (uint16_t)(KNOCK_PORT + number));
	put_word(tcp + 2, port);
	tcp[12] = 0x50;
	tcp[13] = TCP_SYN;
	tcp[14] = 0x10;
	put_checksum(tcp + 16, tcp - 8, 8 + 20, TCP + 20);
	pipe_send(frame, NET_HEADER + PING_LENGTH);
}

void net_ping(uint8_t host)
{
	net_ping_numbered(host, 0);
}

void net_ping_numbered(uint8_t host, uint16_t number)
{
	send_echo(host, ECHO_REQUEST, number);
}

static struct net_heard take_arp(const uint8_t *arp)
{
	net_tell(arp[17], arp + 8);
	if (arp[7] == ARP_REQUEST && arp[27] == own_mac[5])
		send_arp(arp + 8, ARP_REPLY, arp[17]);
	return (struct net_heard){ .kind = NET_OTHER, .from = arp[17] };
}

static struct net_heard take_ip(const uint8_t *mac, const uint8_t *ip)
{
	struct net_heard what = { .kind = NET_OTHER, .from = ip[15] };

	net_tell(what.from, mac);
	if (ip[19] != own_mac[5])
		return what;
	if (ip[9] == TCP && ip[33] == TCP_SYN_ACK) {
		what.kind = NET_OPEN;
		what.port = (uint16_t)(ip[20] << 8 | ip[21]);
	}
	if (ip[9] != ICMP)
		return what;
	what.number = (uint16_t)(ip[26] << 8 | ip[27]);
	if (ip[20] == ECHO_REQUEST) {
		what.kind = NET_PING;
		send_echo(what.from, ECHO_REPLY, what.number);
	} else if (ip[20] == ECHO_REPLY) {
		what.kind = NET_PONG;
	}
	return what;
}

struct net_heard net_listen(void)
{
	const uint8_t *ethernet = heard + NET_HEADER;
	uint32_t length = pipe_receive(heard);

	if (length == 0)
		return (struct net_heard){ .kind = NET_NOTHING };
	if (length >= NET_HEADER + ARP_LENGTH && ethernet[12] == 8 && ethernet[13] == 6)
		return take_arp(ethernet + 14);
	if (length >= NET_HEADER + ARP_LENGTH && ethernet[12] == 8 && ethernet[13] == 0)
		return take_ip(ethernet + 6, ethernet + 14);
	return (struct net_heard){ .kind = NET_OTHER, .from = NET_NOBODY };
}
