/* SPDX-License-Identifier: MIT */
/*
 * Switch configuration: what lzr-policy compiles for the switch VM from the policy's networks, firewall, quarantine and
 * infrastructure parts.  It is a segment of the switch's manifest, so the switch's measurement covers it.
 * One block: header, then the arrays in this order, nothing after them.  Little-endian.
 *
 * Ranges ("first", "count") tile the array that they point into: in the order of their owners, without gaps.
 */
#ifndef LAZARET_SWITCH_H
#define LAZARET_SWITCH_H

#include <lazaret/boot.h>
#include <lazaret/label.h>

#define LZR_SWITCH_MAGIC "LZRSWC1"
#define LZR_SWITCH_VERSION 3u
#define LZR_SWITCH_CONFIG_GPA 0x1000000ull      /* 16 MiB: where the segment lies in the switch VM */
#define LZR_SWITCH_PORT_MAX 64u
#define LZR_SWITCH_NETWORK_MAX 32u
#define LZR_SWITCH_UPLINK_MAX 4u
#define LZR_SWITCH_ENDPOINT_MAX 32u
#define LZR_SWITCH_RULE_MAX 1024u
#define LZR_SWITCH_SET_MAX 2048u
#define LZR_SWITCH_MEMBER_MAX 4096u
#define LZR_SWITCH_SERVICE_MAX 1024u
#define LZR_SWITCH_MATCH_MAX 2048u
#define LZR_SWITCH_VERIFIER_MAX 4u
#define LZR_SWITCH_NONE 0xffffffffu

struct lzr_switch_key {                 /* a verifier's key: P-384 public point, big-endian */
	uint8_t x[48];
	uint8_t y[48];
};
_Static_assert(sizeof(struct lzr_switch_key) == 96, "switch key layout");

struct lzr_switch_header {
	char magic[8];
	uint32_t version;
	uint32_t size;                  /* of the whole block */
	uint32_t network_count;
	uint32_t uplink_count;
	uint32_t port_count;
	uint32_t endpoint_count;
	uint32_t rule_count;
	uint32_t set_count;
	uint32_t member_count;
	uint32_t service_count;
	uint32_t match_count;
	uint32_t verifier_count;        /* 1 to LZR_SWITCH_VERIFIER_MAX */
	uint32_t control_pair;          /* queue pair of the switch's service device that is the control channel */
	uint32_t reserved;
	uint64_t nonce_interval_ns;     /* least time between two nonces of a port on request */
	struct lzr_switch_key verifiers[LZR_SWITCH_VERIFIER_MAX];       /* pinned; zero beyond the count */
};
_Static_assert(sizeof(struct lzr_switch_header) == 456, "switch header layout");

#define LZR_NETWORK_ALLOW_ALL 1u        /* all between equal labels, and no rules; without it, what a rule allows */

struct lzr_switch_network {
	struct lzr_label label;
	uint32_t uplink;                /* index, or LZR_SWITCH_NONE */
	uint32_t flags;                 /* LZR_NETWORK_* */
	uint32_t rule_first;            /* its rules, in order: the first that fits decides, none: denied */
	uint32_t rule_count;
	uint32_t frame_rate;            /* frames a second that all its ports exchange; 0: no limit */
	uint32_t reserved;
	uint64_t bandwidth;             /* bits a second that all its ports exchange; 0: no limit */
	char name[LZR_NAME_MAX];
};
_Static_assert(sizeof(struct lzr_switch_network) == 96, "switch network layout");

struct lzr_switch_uplink {
	uint32_t slot;                  /* PCI 00:slot.0 in the switch VM */
	uint32_t network;
	char name[LZR_NAME_MAX];
};
_Static_assert(sizeof(struct lzr_switch_uplink) == 56, "switch uplink layout");

enum lzr_switch_port_kind { LZR_PORT_GUEST = 1, LZR_PORT_ATTESTOR = 2 /* infrastructure */ };
enum lzr_lease_end {
	LZR_LEASE_END_QUARANTINE = 1,
	LZR_LEASE_END_BLOCK = 2,        /* until the VM starts anew */
};

struct lzr_switch_port {
	uint32_t kind;                  /* enum lzr_switch_port_kind */
	uint32_t pair;                  /* queue pair of the switch's service device */
	uint32_t vm;                    /* VM number that must be at the other end */
	uint32_t network;
	uint8_t mac[6];
	uint8_t lease_end;              /* enum lzr_lease_end; infrastructure: 0 */
	uint8_t verifiers;              /* bit n: header's key n may sign its results; infrastructure: 0 */
	uint8_t ipv4[4];                /* the port's own address, network byte order */
	uint8_t gateway[4];             /* the network's gateway; zero: none */
	uint32_t inspection;            /* port that it may exchange frames with in quarantine, or LZR_SWITCH_NONE */
	uint32_t inspection_rate;       /* frames a second then, each way */
	uint32_t frame_rate;            /* frames a second that the VM may send; 0: no limit */
	uint32_t reserved;
	uint64_t bandwidth;             /* bits a second that the VM may send; 0: no limit */
	uint64_t lease_max_ns;          /* infrastructure: 0 */
};
_Static_assert(sizeof(struct lzr_switch_port) == 64, "switch port layout");
_Static_assert(offsetof(struct lzr_switch_port, bandwidth) == 48, "switch port layout");

struct lzr_switch_endpoint {            /* the only places an infrastructure port may exchange frames with */
	uint32_t port;                  /* index of the infrastructure port */
	uint32_t uplink;
	uint8_t ipv4[4];
	uint8_t protocol;               /* 6 TCP, 17 UDP */
	uint8_t reserved;
	uint16_t l4port;                /* destination port */
};
_Static_assert(sizeof(struct lzr_switch_endpoint) == 16, "switch endpoint layout");

enum lzr_rule_action { LZR_RULE_ALLOW = 1, LZR_RULE_DENY = 2 };
#define LZR_RULE_STATELESS 1u           /* allows this direction alone and remembers nothing */

struct lzr_switch_rule {
	uint32_t from;                  /* set of source addresses, or LZR_SWITCH_NONE: any */
	uint32_t to;                    /* set of destination addresses, or LZR_SWITCH_NONE: any */
	uint32_t service;               /* or LZR_SWITCH_NONE: any */
	uint8_t action;                 /* enum lzr_rule_action */
	uint8_t flags;                  /* LZR_RULE_* */
	uint8_t reserved[2];
};
_Static_assert(sizeof(struct lzr_switch_rule) == 16, "switch rule layout");

struct lzr_switch_set {
	uint32_t first;                 /* members */
	uint32_t count;
};
_Static_assert(sizeof(struct lzr_switch_set) == 8, "switch set layout");

/* Outside: every address that is no port's, so what is behind the network's uplink. */
enum lzr_switch_member_kind { LZR_MEMBER_PREFIX = 1, LZR_MEMBER_PORT = 2, LZR_MEMBER_OUTSIDE = 3 };

struct lzr_switch_member {
	uint8_t kind;                   /* enum lzr_switch_member_kind */
	uint8_t bits;                   /* prefix: its length, 0 to 32; bits behind it are zero */
	uint8_t reserved[2];
	union {
		uint8_t ipv4[4];        /* prefix */
		uint32_t port;          /* port; outside: 0 */
	};
};
_Static_assert(sizeof(struct lzr_switch_member) == 8, "switch member layout");

struct lzr_switch_service {
	uint32_t first;                 /* matches */
	uint32_t count;
};
_Static_assert(sizeof(struct lzr_switch_service) == 8, "switch service layout");

struct lzr_switch_match {               /* destination ports of TCP or UDP, types of ICMP: low to high */
	uint8_t protocol;               /* 1 ICMP, 6 TCP, 17 UDP */
	uint8_t reserved;
	uint16_t low;
	uint16_t high;
	uint16_t reserved2;
};
_Static_assert(sizeof(struct lzr_switch_match) == 8, "switch match layout");

#endif
