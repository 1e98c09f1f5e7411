/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the checks share, and the warnings. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy.h"

struct cpu_load {
	uint64_t used;          /* by given budgets, in millionths */
	unsigned open;          /* vCPUs without a budget */
	const struct policy_vm *last;
};
/* Adds up `machine_cpus` zeroed loads. */
void cpu_load(const struct policy *policy, struct cpu_load *loads);

/* A finding that makes no policy wrong. */
void warn(struct report *report, struct place where, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* warn.c: may that VM tell what runs in this one?  Nobody may of himself, unless the right says so. */
bool policy_attests(const struct policy *policy, unsigned who, unsigned vm);
/* warn.c: what is legal and surely not meant, in a policy without errors. */
void check_warnings(const struct policy *policy, struct report *report);
/* manifest.c: a number of `size` bytes, 4 or 8; false when there is none of that size. */
bool manifest_number(const void *fdt, int node, const char *property, int size, uint64_t *out);
/* manifest_start.c: false, and why, when a manifest that is understood can only stop its VM. */
bool facts_can_start(const void *fdt, uint64_t memory, char *why, size_t size);
/* keys.c: is the public point that of the key file with this digest, be it a development key's or another's? */
bool key_is_signer(const uint8_t x[48], const uint8_t y[48], const uint8_t signer[LZR_DIGEST_SIZE]);

#endif
