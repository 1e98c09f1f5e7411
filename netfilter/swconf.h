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
};

#define SWCONF_SIZE_MAX sizeof(struct swconf)
#define SWCONF_PAIR_MAX 128u    /* queue pairs of the service device */

/*
 * Copies the block of at most `capacity` bytes at `block` into `out` and checks every field and every reference.
 * Returns NULL when all is well, else what is wrong, in words; `*where` is then the index of the entry at fault.
 */
const char *swconf_load(struct swconf *out, const void *block, uint64_t capacity, uint32_t *where);

#endif
