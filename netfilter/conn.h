/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that rules have let in, or that an infrastructure port has opened: TCP, UDP and ICMP echo, so that their
 * answers pass.
 *
 * Each port has its own share of the table: what one VM opens takes no room from another, and none can learn from a
 * full table what others do.  A connection between two ports belongs to the one that opened it, one with the outside to
 * the port.  It ends by RST, some time after both FIN, by silence, and at once when the lease or the instance of either
 * port does (struct port's epoch).
 *
 * A connection is *proven* when its opener has shown that it hears the answers: by the acknowledgement of the other's
 * SYN, or by going on after an answer.  One packet, and who cannot receive, buys half a minute.  Every entry stands in
 * one of its share's lists, the one silent for longest first; a full share takes the place of the unproven and of what
 * is about to end, oldest first, and of the proven only after long silence.  All steps are O(1) but for a chain's
 * length: all shares have their entries in the same chains, and nobody outside can choose which (siphash.h).
 *
 * A timer is wound again at most once in CONN_SLACK_NS, so it may run out that much early.
 */
#ifndef NETFILTER_CONN_H
#define NETFILTER_CONN_H

#include "frame.h"
#include "port.h"
#include "siphash.h"

#define CONN_MAX 16384u                         /* all shares together; a share is CONN_MAX / ports */
#define CONN_SLACK_NS 1000000000ull
#define CONN_OPENING_NS 30000000000ull          /* without an answer; TCP: without the opener's acknowledgement */
#define CONN_TCP_NS 7441000000000ull            /* idle; RFC 5382, "Idle Connection Timeout", and the slack */
#define CONN_TCP_CLOSING_NS 241000000000ull     /* idle after one FIN; RFC 5382, "transitory" */
#define CONN_TCP_CLOSED_NS 10000000000ull       /* after both FIN; not wound again */
#define CONN_UDP_NS 121000000000ull             /* idle; RFC 4787, section 4.3, and the slack */
#define CONN_ICMP_NS 61000000000ull             /* idle; RFC 5508, section 3.2, and the slack */
#define CONN_TCP_SPARE_NS 300000000000ull       /* a full share takes a proven one's place after that much silence */
#define CONN_OTHER_SPARE_NS 30000000000ull

enum conn_list_name {
	CONN_FREE,
	CONN_OUT,                               /* unproven, opened by the owner */
	CONN_IN,                                /* unproven, opened by another; half of the share at most */
	CONN_CLOSING,                           /* TCP after a FIN or a RST that may not count */
	CONN_OTHERS,                            /* proven, UDP and ICMP */
	CONN_STREAMS,                           /* proven, TCP */
	CONN_LISTS
};

/* Of each pair, [0] is the opener's, [1] the other's. */
struct conn {
	uint64_t expires;
	uint64_t low, high;     /* its two ends and what it is (conn.c) */
	uint32_t epochs;        /* the sum of its ports': each only grows */
	/* TCP (conntcp.c) */
	uint32_t next[2];       /* sequence number behind all it has sent */
	uint32_t acked[2];      /* the other's that it expects, by its last acknowledgement */
	uint32_t edge[2];       /* end of the window that it has offered the other */
	uint8_t seen[2];        /* enum conn_seen */
	uint8_t scales;         /* four bits each, [0] the low ones; CONN_NO_SCALE */
	uint8_t list : 3;       /* enum conn_list_name */
	uint8_t by_low : 1;     /* the lesser end opened it */
	uint8_t replied : 1;    /* the other has sent something; not TCP */
	uint8_t owner;          /* port whose share it is in */
	uint8_t peer;           /* port, or CONN_OUTSIDE */
	/* Links: index + 1, 0 ends it */
	uint16_t link;          /* next in its chain */
	uint16_t older, newer;  /* in its list */
};
_Static_assert(sizeof(struct conn) == 64, "an entry is a line of the cache");

#define CONN_NO_SCALE 15u

struct conn_list {
	uint16_t oldest, newest;
	uint16_t count;
};

struct conn_table {
	struct siphash_key key;
	uint32_t share;
	uint16_t chains[CONN_MAX];
	struct conn_list lists[LZR_SWITCH_PORT_MAX][CONN_LISTS];
	uint16_t hand[LZR_SWITCH_PORT_MAX];     /* where a full share goes on looking for dead ones */
	_Alignas(64) struct conn entries[CONN_MAX];
};

#define CONN_OUTSIDE 0xffu

struct conn_way {               /* who sends a frame to whom; one of them at least is a port */
	uint8_t source;         /* port, or CONN_OUTSIDE */
	uint8_t target;
};

/* Empties the table for `port_count` ports; a secret `key` keeps the order of chains from those outside. */
void conn_init(struct conn_table *table, uint32_t port_count, const struct siphash_key *key);
/*
 * Does the frame belong to a connection?  NF_PASS: yes; its state follows, and it may live longer.  NF_STATE: no.
 * NF_WINDOW: it names a connection and is not of it.  An ICMP error belongs to the connection that it tells of, and
 * changes nothing.
 */
enum nf_reason conn_pass(struct conn_table *table, const struct port *ports, const struct conn_way *way,
			 const struct frame *f, uint64_t now);
/*
 * Remembers what a rule has allowed and conn_pass does not know: NF_PASS; NF_STATE when TCP does not open a connection,
 * NF_TABLE when the share is in use.  ICMP other than an echo passes and leaves nothing behind.
 */
enum nf_reason conn_open(struct conn_table *table, const struct port *ports, const struct conn_way *way,
			 const struct frame *f, uint64_t now);

/* --- what TCP does to an entry (conntcp.c); for conn.c ------------------------------------------------------------ */

enum conn_seen {
	CONN_KNOWN = 1,         /* its SYN: next is right */
	CONN_HEARD = 2,         /* an acknowledgement: acked and edge are right */
	CONN_FIN = 4,           /* its FIN, which next is behind */
	CONN_FIN_DONE = 8,      /* and the other's acknowledgement of it */
	CONN_RESET = 16,        /* a RST of it in the window, which may count */
};

enum conn_event {
	CONN_REFUSED,           /* not of this connection */
	CONN_NOTHING,           /* passes */
	CONN_ALIVE,             /* passes, and it lives longer: in whatever list it is */
	CONN_PROVEN,            /* its opener hears: it belongs to CONN_STREAMS */
	CONN_ENDING,            /* it belongs to CONN_CLOSING */
	CONN_CLOSED,            /* as well; both FIN were acknowledged */
	CONN_ENDED,             /* passes, and was the last of it */
	CONN_AGAIN,             /* the entry's connection is over; this may be another one's SYN */
};

/* SYN and nothing that contradicts it. */
bool conn_tcp_opens(const struct frame *f);
/* The opener's SYN into a new entry. */
void conn_tcp_open(struct conn *c, const struct frame *f);
/* A segment of an entry's connection. */
enum conn_event conn_tcp_follow(struct conn *c, const struct frame *f, bool by_opener);
/* Can a segment with this sequence number be on its way now, from the opener or from the other? */
bool conn_tcp_is_sent(const struct conn *c, uint32_t sequence, bool by_opener);

#endif
