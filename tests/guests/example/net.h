/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of a network as the tiny guests of the examples need: hosts 10.0.3.N of one network, by their N, which is
 * also the last byte of a guest's own MAC address.
 */
#ifndef EXAMPLE_NET_H
#define EXAMPLE_NET_H

#include <stdbool.h>
#include <stdint.h>

#define NET_GATEWAY 2u
#define NET_NOBODY 0u

enum net_kind { NET_NOTHING, NET_OTHER, NET_PING, NET_PONG, NET_OPEN };

struct net_heard {
	enum net_kind kind;
	uint8_t from;
	uint16_t number;                /* of a ping or pong */
	uint16_t port;                  /* NET_OPEN: which of its TCP ports was found open */
};

/* Opens the network device; returns the own N. */
uint8_t net_open(void);
/* Asks everybody who has 10.0.3.N (RFC 826). */
void net_ask(uint8_t host);
/* The address of a host's card is known: it was heard, or told with net_tell. */
bool net_knows(uint8_t host);
void net_tell(uint8_t host, const uint8_t mac[6]);
/* An echo request (RFC 792) to a host whose card is known. */
void net_ping(uint8_t host);
/* One with a number, which the answer has too. */
void net_ping_numbered(uint8_t host, uint16_t number);
/* The first segment of a TCP connection (RFC 793) to such a host; `number` makes the own port. */
void net_knock(uint8_t host, uint16_t port, unsigned number);
/* Takes the next frame that has come; answers questions for the own address and pings by itself. */
struct net_heard net_listen(void);

#endif
