/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall's decision: which rule of a network is the first that fits a packet.
 *
 * The rules of the configuration are compiled once.  Their sets cut the IPv4 addresses into intervals, their services
 * cut the protocols' ports; each interval knows the rules that fit it, one bit a rule.  A decision is three searches
 * and the lowest bit that the three answers have in common, so its cost hardly grows with the number of rules
 * (Lakshman and Stiliadis, "High-speed policy-based packet forwarding using efficient multi-dimensional range
 * matching", 1998).  The dataplane and lzr-policy's explain call the same function.
 */
#ifndef NETFILTER_RULES_H
#define NETFILTER_RULES_H

#include <stdbool.h>

#include "frame.h"
#include "swconf.h"

#define NF_RULE_WORDS (LZR_SWITCH_RULE_MAX / 64)
#define NF_ADDRESS_CUTS (2 * (LZR_SWITCH_MEMBER_MAX + LZR_SWITCH_PORT_MAX) + 1)
#define NF_SERVICE_CUTS (2 * LZR_SWITCH_MATCH_MAX + 1)

struct nf_bits {
	uint64_t word[NF_RULE_WORDS];   /* bit n: rule n of the configuration fits */
};

struct nf_rules {
	uint32_t address_cuts, service_cuts;
	uint32_t address[NF_ADDRESS_CUTS];      /* where each interval begins, ascending; the first is 0 */
	uint32_t service[NF_SERVICE_CUTS];
	bool is_port[NF_ADDRESS_CUTS];          /* the interval is one port's address */
	struct nf_bits from[NF_ADDRESS_CUTS];
	struct nf_bits to[NF_ADDRESS_CUTS];
	struct nf_bits what[NF_SERVICE_CUTS];
	uint8_t action[LZR_SWITCH_RULE_MAX];
	uint8_t flags[LZR_SWITCH_RULE_MAX];
	uint16_t first[LZR_SWITCH_NETWORK_MAX]; /* rules of each network */
	uint16_t count[LZR_SWITCH_NETWORK_MAX];
	bool all[LZR_SWITCH_NETWORK_MAX];       /* the network allows all; else what its rules allow, be they none */
	bool nothing[LZR_SWITCH_NETWORK_MAX];   /* no rule of the network allows anything */
};

struct nf_tuple {
	uint32_t from, to;              /* addresses as numbers: 10.0.0.1 is 0x0a000001 */
	uint8_t protocol;               /* 1 ICMP, 6 TCP, 17 UDP */
	uint16_t target;                /* destination port; ICMP: type */
};

struct nf_decision {
	bool allow;
	bool stateless;                 /* allowed this way only */
	uint32_t rule;                  /* of the configuration; LZR_SWITCH_NONE: none fits */
};

/* Compiles the rules of a configuration that swconf_load has checked. */
void nf_rules_build(struct nf_rules *rules, const struct swconf *config);
/* The decision on a packet inside `network`, by its rules; not for one that allows all (rules->all). */
struct nf_decision nf_rules_decide(const struct nf_rules *rules, uint32_t network, const struct nf_tuple *tuple);
/* An IPv4 packet that is not a fragment, as the rules see it. */
struct nf_tuple nf_tuple_of(const struct frame *f);

#endif
