/* SPDX-License-Identifier: Apache-2.0 */
/* A hand on the wire (rig_peer): makes frames of IPv4 and TCP, answers ARP, looks for frames that come. */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_FIN = 1, WIRE_SYN = 2, WIRE_RST = 4, WIRE_PSH = 8, WIRE_ACK = 16 };

struct wire_end {
	uint8_t mac[6];
	uint8_t ip[4];
	uint16_t port;
};

struct wire_tcp {               /* one segment */
	struct wire_end from, to;
	uint32_t seq, ack;
	uint8_t flags;                  /* WIRE_* */
	uint16_t length;                /* of the data */
	const char *data;               /* when sent; may be NULL if there is none */
};

/* The socket; addresses 10.0.3.64 to 10.0.3.95 are answered for, with `mac`. */
void wire_use(int fd, const uint8_t mac[6]);
/* Sends it; waits a while when the other side is busy.  False: not taken. */
bool wire_send(const struct wire_tcp *segment);
/*
 * Takes frames, answering ARP, until a TCP segment that `wanted` wants came, or `ms` are over by the clock of the test.
 * `segment` gets it.
 */
bool wire_wait(bool (*wanted)(const struct wire_tcp *segment, const void *context), const void *context, unsigned ms,
	       struct wire_tcp *segment);
/* Echo requests and echo replies that were seen so far, of any address. */
void wire_echoes(unsigned *requests, unsigned *replies);

#endif
