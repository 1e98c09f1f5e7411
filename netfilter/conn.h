/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that rules have let in: TCP, UDP and ICMP echo, so that their answers pass.
 *
 * Each guest port has its own share of the table: what one VM opens takes no room from another, and none can learn
 * from a full table what others do.  A connection between two ports belongs to the one that opened it, one with the
 * outside to the port.  It ends by RST, some time after both FIN, by silence, and at once when the lease or the
 * instance of either port does (struct port's epoch).  No sequence numbers are looked at.
 */
#ifndef NETFILTER_CONN_H
#define NETFILTER_CONN_H

#include "frame.h"
#include "port.h"

#define CONN_MAX 16384u                         /* all shares together; a share is CONN_MAX / ports */
#define CONN_TCP_OPENING_NS 60000000000ull      /* no answer yet */
#define CONN_TCP_NS 7440000000000ull            /* idle; RFC 5382, "Idle Connection Timeout" */
#define CONN_TCP_CLOSED_NS 10000000000ull       /* after both FIN */
#define CONN_UDP_NS 120000000000ull             /* idle */
#define CONN_ICMP_NS 60000000000ull             /* idle */

struct conn {
	uint64_t expires;
	uint32_t remote_ip;     /* the local address is the owner's */
	uint16_t local;         /* ports; ICMP echo: local has the identifier */
	uint16_t remote;
	uint32_t epoch;         /* the owner's when it was opened, */
	uint32_t peer_epoch;    /* and the peer's */
	uint16_t next;          /* in its chain or the list of free ones: index + 1, 0 ends it */
	uint8_t protocol;       /* enum frame_kind; 0: free */
	uint8_t peer;           /* port, or CONN_OUTSIDE */
	uint8_t flags;
};

struct conn_table {
	uint64_t seed;
	uint32_t share;
	uint16_t chains[CONN_MAX];              /* a share's chains begin where its entries do */
	uint16_t free[LZR_SWITCH_PORT_MAX];
	uint16_t hand[LZR_SWITCH_PORT_MAX];     /* where the search for dead entries goes on */
	struct conn entries[CONN_MAX];
};

#define CONN_OUTSIDE 0xffu

struct conn_way {               /* a frame as one of its two ends has it in its share */
	uint8_t owner;          /* the end's port */
	uint8_t peer;           /* the other end's port, or CONN_OUTSIDE */
	bool outbound;          /* the owner sends it */
};

/* Empties the table for `port_count` ports; `seed` keeps the order of chains from those outside. */
void conn_init(struct conn_table *table, uint32_t port_count, uint64_t seed);
/* Does the frame belong to a connection in the owner's share?  Follows its state and prolongs it. */
bool conn_pass(struct conn_table *table, const struct port *ports, const struct conn_way *way, const struct frame *f,
	       uint64_t now);
/*
 * Remembers what a rule has allowed: NF_PASS; NF_STATE when TCP does not open a connection, NF_TABLE when the owner's
 * share is in use.  ICMP other than an echo passes and leaves nothing behind.
 */
enum nf_reason conn_open(struct conn_table *table, const struct port *ports, const struct conn_way *way,
			 const struct frame *f, uint64_t now);

#endif
