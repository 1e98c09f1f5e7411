/* SPDX-License-Identifier: Apache-2.0 */
/* The switch's configuration (lazaret/switch.h), copied out of its block once and checked.  Read-only afterwards. */
#ifndef NETFILTER_SWCONF_H
#define NETFILTER_SWCONF_H

#include <lazaret/switch.h>

struct swconf {
	struct lzr_switch_header header;
	struct lzr_switch_network networks[LZR_SWITCH_NETWORK_MAX];
	struct lzr_switch_uplink uplinks[LZR_SWITCH_UPLINK_MAX];
	struct lzr_switch_port ports[LZR_SWITCH_PORT_MAX];
	struct lzr_switch_endpoint endpoints[LZR_SWITCH_ENDPOINT_MAX];
	struct lzr_switch_rule rules[LZR_SWITCH_RULE_MAX];
	struct lzr_switch_set sets[LZR_SWITCH_SET_MAX];
	struct lzr_switch_member members[LZR_SWITCH_MEMBER_MAX];
	struct lzr_switch_service services[LZR_SWITCH_SERVICE_MAX];
	struct lzr_switch_match matches[LZR_SWITCH_MATCH_MAX];
};

#define SWCONF_SIZE_MAX sizeof(struct swconf)
#define SWCONF_PAIR_MAX 128u    /* queue pairs of the service device */

/*
 * Copies the block of at most `capacity` bytes at `block` into `out` and checks every field and every reference.
 * Returns NULL when all is well, else what is wrong, in words; `*where` is then the index of the entry at fault.
 */
const char *swconf_load(struct swconf *out, const void *block, uint64_t capacity, uint32_t *where);

/* Checks of entry `i` of the firewall's arrays (swrules.c); for swconf_load. */
const char *swconf_check_rule(const struct swconf *c, uint32_t i);
const char *swconf_check_set(const struct swconf *c, uint32_t i);
const char *swconf_check_member(const struct swconf *c, uint32_t i);
const char *swconf_check_service(const struct swconf *c, uint32_t i);
const char *swconf_check_match(const struct swconf *c, uint32_t i);

#endif
