/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch: which end, if any, a frame goes to.
 *
 * Ends are ports (VMs) and uplinks (network cards).  A frame leaves by one end at most: MAC addresses are a static
 * table, an ARP request goes only to the one port or uplink that its target address belongs to, all other group
 * addresses are dropped, and an unknown unicast goes to the uplink of the sender's network.  One frame goes to several:
 * by the announcement of its gateway's address from a network's uplink all its open ports learn a new MAC address.
 * Nothing passes between networks, between labels, from or to a port that is not admitted, from an uplink to an uplink.
 * On a network IPv4 passes as its rules say, and not at all if it has none, unless it allows all.  A port in quarantine
 * meets its inspection port, if it has one, and nobody else.  An infrastructure port opens connections to its listed
 * endpoints on their uplinks, and what belongs to them comes back; nobody else reaches it.
 * Single-threaded; no allocation; all memory is the caller's.
 */
#ifndef NETFILTER_SWITCH_H
#define NETFILTER_SWITCH_H

#include "conn.h"
#include "frame.h"
#include "port.h"
#include "rules.h"
#include "swconf.h"

enum switch_end_kind {
	SWITCH_PORT = 1,
	SWITCH_UPLINK = 2,
	SWITCH_GATEWAY_OF = 3,  /* only to, not from: all that switch_hears names */
};

struct switch_end {
	uint8_t kind;           /* enum switch_end_kind */
	uint8_t index;          /* SWITCH_GATEWAY_OF: of the network */
};

#define SWITCH_NEWS_RATE 10u    /* announcements of its gateway that a network gets in a second */
#define SWITCH_SLOTS 256u       /* of each hash table: a power of two, at least four times LZR_SWITCH_PORT_MAX */

struct nswitch {
	struct swconf config;
	struct port ports[LZR_SWITCH_PORT_MAX];
	struct port_counters uplinks[LZR_SWITCH_UPLINK_MAX];
	uint8_t by_mac[SWITCH_SLOTS];   /* port + 1, or 0 */
	uint8_t by_ip[SWITCH_SLOTS];
	struct rate frames[LZR_SWITCH_NETWORK_MAX], bytes[LZR_SWITCH_NETWORK_MAX];      /* of each network */
	bool limited[LZR_SWITCH_NETWORK_MAX];
	struct rate news[LZR_SWITCH_NETWORK_MAX];
	struct nf_rules rules;
	struct conn_table connections;
	uint64_t rule_hits[LZR_SWITCH_RULE_MAX];        /* packets that each rule decided on, so no answers */
	uint64_t no_rule_hits[LZR_SWITCH_NETWORK_MAX];  /* packets that no rule of the network fits */
};

/*
 * Builds the tables from sw->config, which swconf_load has filled; every port is down.  False: there is no key for the
 * connections' hash to be had.
 */
bool switch_init(struct nswitch *sw);

/* Does the port get what goes to `to`, an end of kind SWITCH_GATEWAY_OF? */
bool switch_hears(struct nswitch *sw, struct switch_end to, uint32_t port, uint64_t now);

/*
 * Decides on one frame that came from `from` and counts a drop.  NF_PASS: `*to` is where it goes; the caller then calls
 * switch_delivered, or switch_dropped with NF_FULL.
 */
enum nf_reason switch_forward(struct nswitch *sw, struct switch_end from, const uint8_t *bytes, uint32_t length,
			      uint64_t now, struct switch_end *to);

struct switch_verdict {
	enum nf_reason reason;
	struct switch_end to;           /* NF_PASS */
	bool looked_up;                 /* the network's rules were asked, */
	struct nf_decision decision;    /* and this is what they say */
	uint32_t target;                /* port that it was for, or LZR_SWITCH_NONE */
};
/* The same decision on a frame already taken apart, without the limits of rate and without counting at the ends. */
struct switch_verdict switch_decide(struct nswitch *sw, struct switch_end from, const struct frame *f, uint64_t now);

/* Counts a forwarded frame at both ends. */
void switch_delivered(struct nswitch *sw, struct switch_end from, struct switch_end to);
/* Counts a frame that the caller dropped itself. */
void switch_dropped(struct nswitch *sw, struct switch_end from, enum nf_reason reason);
/* Counters of an end; for a caller that shows them. */
const struct port_counters *switch_counters(const struct nswitch *sw, struct switch_end end);

#endif
