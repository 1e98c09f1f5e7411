/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the checks share. */
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

#endif
