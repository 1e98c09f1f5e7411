/* SPDX-License-Identifier: Apache-2.0 */
/* Why a frame was not forwarded.  Every frame the switch takes ends in exactly one of these, and each is counted. */
#ifndef NETFILTER_REASON_H
#define NETFILTER_REASON_H

enum nf_reason {
	NF_PASS = 0,
	/* The frame itself (frame.c) */
	NF_SHORT,               /* shorter than its headers */
	NF_LONG,                /* longer than FRAME_MAX, or ARP with more behind the packet than padding */
	NF_SOURCE_MAC,          /* source is a group address or zero */
	NF_VLAN,                /* tagged */
	NF_IPV6,
	NF_ETHERTYPE,           /* neither ARP nor IPv4 */
	NF_ARP,                 /* not Ethernet/IPv4, unknown operation, inner and outer addresses contradict */
	NF_IPV4,                /* version, length, checksum, TTL, reserved bit or an address that cannot be there */
	NF_DHCP,                /* asks for an address; the policy gives them */
	NF_OPTIONS,             /* IPv4 options */
	NF_PROTOCOL,            /* neither ICMP, UDP nor TCP */
	NF_ICMP,
	NF_UDP,
	NF_TCP,
	/* Who sent it */
	NF_CLOSED,              /* source port is down, quarantined or blocked */
	NF_SPOOF_MAC,
	NF_SPOOF_IPV4,
	NF_SPOOF_ARP,
	/* Where it wants to go */
	NF_GROUP,               /* broadcast or multicast other than an ARP request */
	NF_NO_DESTINATION,      /* nobody there, and no uplink */
	NF_MISMATCH,            /* destination MAC and IPv4 belong to different ends, or to the sender */
	NF_NETWORK,             /* destination is on another network */
	NF_LABEL,               /* labels differ */
	NF_PEER_CLOSED,         /* destination port is down, quarantined or blocked */
	NF_ENDPOINT,            /* infrastructure port, and this endpoint is not on its list */
	NF_INSPECTION,          /* to or from a port in quarantine, and the other end is not its inspection port */
	/* What the network's rules say (rules.c, conn.c) */
	NF_FRAGMENT,            /* a piece of a packet: no rule can be looked up for it */
	NF_RULE,                /* the first rule that fits denies it */
	NF_NO_RULE,             /* no rule fits */
	NF_STATE,               /* TCP that neither belongs to a connection nor opens one */
	NF_WINDOW,              /* TCP of a connection: a RST outside the window, a SYN of who did not open it */
	NF_TABLE,               /* a new connection, and the port's share of the table is in use */
	/* How much of it */
	NF_RATE,                /* more than the port may send, its network carry, or its inspection pass */
	/* The driver's own (guests/switch) */
	NF_OFFLOAD,             /* virtio-net header asks for what was not offered */
	NF_STALE,               /* message of an instance or generation that is gone */
	NF_FULL,                /* destination's queue is full */
	NF_REASON_COUNT
};

#endif
