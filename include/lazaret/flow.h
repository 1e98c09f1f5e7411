/* SPDX-License-Identifier: MIT */
/*
 * What the flow digest in the platform record is made of.  The hypervisor computes it from what it enforces; a verifier
 * computes it again from the measured policy.
 *
 * SHA-384 over these, without anything between or around them: a struct lzr_flow_vm per VM, then a struct lzr_flow_link
 * per link, each in the policy's order, little-endian.
 */
#ifndef LAZARET_FLOW_H
#define LAZARET_FLOW_H

#include <lazaret/boot.h>
#include <lazaret/label.h>

#define LZR_FLOW_SERVICE 1u
#define LZR_FLOW_MEASURE_ONLY 2u
#define LZR_FLOW_BYPASS 8u              /* has a device that bypasses-firewall */

enum lzr_flow_right {
	LZR_FLOW_INTROSPECTS,
	LZR_FLOW_CONTROLS,
	LZR_FLOW_READS_AUDIT,
	LZR_FLOW_ATTESTS,
	LZR_FLOW_RIGHTS,
};

struct lzr_flow_vm {
	char name[LZR_NAME_MAX];
	struct lzr_label label, low, high;      /* low and high: the trusted range, or the label */
	uint32_t flags;                         /* LZR_FLOW_* */
	uint32_t reserved;
	uint64_t rights[LZR_FLOW_RIGHTS];       /* bit n: over VM n */
};
_Static_assert(sizeof(struct lzr_flow_vm) == 136, "flow record layout");

#define LZR_FLOW_CHANNEL 0xffffffffu
struct lzr_flow_link {
	uint32_t network;                       /* its number, or LZR_FLOW_CHANNEL */
	struct {
		uint32_t vm, pair;
		char device[LZR_NAME_MAX];      /* the virtual device in that VM's manifest */
	} end[2];
	uint32_t reserved;
	struct lzr_label label;
};
_Static_assert(sizeof(struct lzr_flow_link) == 136, "flow record layout");

#endif
