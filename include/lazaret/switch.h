/* SPDX-License-Identifier: MIT */
/*
 * Switch configuration: what lzr-policy compiles for the switch VM from the policy's networks, quarantine and
 * infrastructure parts.  It is a segment of the switch's manifest, so the switch's measurement covers it.
 * One block: header, then the arrays in this order, nothing after them.  Little-endian.
 */
#ifndef LAZARET_SWITCH_H
#define LAZARET_SWITCH_H

#include <lazaret/boot.h>
#include <lazaret/label.h>

#define LZR_SWITCH_MAGIC "LZRSWC1"
#define LZR_SWITCH_VERSION 1u
#define LZR_SWITCH_CONFIG_GPA 0x1000000ull      /* 16 MiB: where the segment lies in the switch VM */
#define LZR_SWITCH_PORT_MAX 64u
#define LZR_SWITCH_NETWORK_MAX 32u
#define LZR_SWITCH_UPLINK_MAX 4u
#define LZR_SWITCH_ENDPOINT_MAX 32u
#define LZR_SWITCH_NONE 0xffffffffu

struct lzr_switch_header {
	char magic[8];
	uint32_t version;
	uint32_t size;                  /* of the whole block */
	uint32_t network_count;
	uint32_t uplink_count;
	uint32_t port_count;
	uint32_t endpoint_count;
	uint32_t control_pair;          /* queue pair of the switch's service device that is the control channel */
	uint32_t reserved;
	uint64_t lease_max_ns;
	uint64_t nonce_interval_ns;     /* least time between two nonces of a port on request */
	uint8_t verifier_x[48];         /* pinned verifier key, P-384 public point, big-endian */
	uint8_t verifier_y[48];
};
_Static_assert(sizeof(struct lzr_switch_header) == 152, "switch header layout");

struct lzr_switch_network {
	struct lzr_label label;
	uint32_t uplink;                /* index, or LZR_SWITCH_NONE */
	uint32_t reserved;
	char name[LZR_NAME_MAX];
};
_Static_assert(sizeof(struct lzr_switch_network) == 72, "switch network layout");

struct lzr_switch_uplink {
	uint32_t slot;                  /* PCI 00:slot.0 in the switch VM */
	uint32_t network;
	char name[LZR_NAME_MAX];
};
_Static_assert(sizeof(struct lzr_switch_uplink) == 56, "switch uplink layout");

enum lzr_switch_port_kind { LZR_PORT_GUEST = 1, LZR_PORT_ATTESTOR = 2 /* infrastructure */ };

struct lzr_switch_port {
	uint32_t kind;                  /* enum lzr_switch_port_kind */
	uint32_t pair;                  /* queue pair of the switch's service device */
	uint32_t vm;                    /* VM number that must be at the other end */
	uint32_t network;
	uint8_t mac[6];
	uint8_t reserved[2];
	uint8_t ipv4[4];                /* the port's own address, network byte order */
	uint8_t gateway[4];             /* the network's gateway; zero: none */
};
_Static_assert(sizeof(struct lzr_switch_port) == 32, "switch port layout");

struct lzr_switch_endpoint {            /* the only places an infrastructure port may exchange frames with */
	uint32_t port;                  /* index of the infrastructure port */
	uint32_t uplink;
	uint8_t ipv4[4];
	uint8_t protocol;               /* 6 TCP, 17 UDP */
	uint8_t reserved;
	uint16_t l4port;                /* destination port */
};
_Static_assert(sizeof(struct lzr_switch_endpoint) == 16, "switch endpoint layout");

#endif
