/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID: the manifest's rows, resolved once against the physical CPU; only what depends on the vCPU is computed at the exit.
 * A leaf that has no row reads zero.
 */
#include <arch_x86.h>

#include "vcpu.h"

#define KEY(leaf, subleaf) ((uint64_t)(leaf) << 32 | (subleaf))
#define LEAF_ADDRESS 0x80000008u
#define NESTED_WIDTH 48u

#define FEATURES_OSXSAVE (1u << 27)
#define TOPOLOGY_SMT 0x100u
#define TOPOLOGY_CORE 0x200u

/* What does not change while the VM exists is computed here. */
static HV_BOOT void resolve_computed(struct cpuid_row *row, const struct lzr_manifest_cpuid *rule)
{
	uint32_t width;

	switch (rule->computed) {
	case LZR_CPUID_ADDRESS:
		width = arch_cpuid(LEAF_ADDRESS, 0).eax & 0xff;
		row->value[0] = (row->value[0] & ~0xffu) | (width < NESTED_WIDTH ? width : NESTED_WIDTH);
		break;
	case LZR_CPUID_TSC:
		row->value[0] = time_tsc_khz();
		break;
	default:
		row->computed = rule->computed;
	}
}

HV_BOOT enum hv_err cpuid_create(struct vm *vm)
{
	const struct image_config *image = vm->image;
	struct vm_private *private = vm_private(vm);

	if (!image->cpuid_count)
		return HV_OK;
	private->cpuid = mem_alloc_hv(image->cpuid_count * sizeof(*private->cpuid), PAGE_SIZE);
	if (!private->cpuid)
		return HV_NO_MEMORY;
	private->cpuid_count = image->cpuid_count;
	for (uint32_t i = 0; i < image->cpuid_count; i++) {
		const struct lzr_manifest_cpuid *rule = &image->cpuid[i];
		bool any = rule->subleaf == LZR_CPUID_ANY_SUBLEAF;
		struct cpuid_regs host = arch_cpuid(rule->leaf, any ? 0 : rule->subleaf);
		struct cpuid_row *row = &private->cpuid[i];

		row->key = KEY(rule->leaf, rule->subleaf);
		row->value[0] = rule->fixed[0] | (host.eax & rule->mask[0]);
		row->value[1] = rule->fixed[1] | (host.ebx & rule->mask[1]);
		row->value[2] = rule->fixed[2] | (host.ecx & rule->mask[2]);
		row->value[3] = rule->fixed[3] | (host.edx & rule->mask[3]);
		resolve_computed(row, rule);
	}
	return HV_OK;
}

/* The first row whose key is not below `key`; rows are sorted, "any subleaf" sorts last within its leaf. */
static const struct cpuid_row *find(const struct vm_private *private, uint32_t leaf, uint32_t subleaf)
{
	const struct cpuid_row *rows = private->cpuid;
	uint32_t low = 0, high = private->cpuid_count;
	uint64_t key = KEY(leaf, subleaf);

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (rows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < private->cpuid_count && rows[low].key == key)
		return &rows[low];
	/* The next row of the leaf may be another subleaf; "any", if there is one, is the leaf's last. */
	while (low < private->cpuid_count && rows[low].key < KEY(leaf, LZR_CPUID_ANY_SUBLEAF))
		low++;
	return low < private->cpuid_count && rows[low].key == KEY(leaf, LZR_CPUID_ANY_SUBLEAF) ? &rows[low] : NULL;
}

/* "CPUID - Extended Topology Enumeration": threads of a core, then cores. */
static void topology(const struct vcpu *vcpu, uint32_t subleaf, uint32_t out[4])
{
	uint32_t count = vcpu->vm->image->vcpus, shift = count > 1 ? 32 - (uint32_t)__builtin_clz(count - 1) : 0;

	out[0] = out[1] = 0;
	out[2] = subleaf & 0xff;
	if (subleaf == 0) {
		out[1] = 1;
		out[2] |= TOPOLOGY_SMT;
	} else if (subleaf == 1) {
		out[0] = shift;
		out[1] = count;
		out[2] |= TOPOLOGY_CORE;
	}
	out[3] = vcpu->number;
}

static void compute(const struct vcpu *vcpu, uint32_t computed, uint32_t subleaf, uint32_t out[4])
{
	switch (computed) {
	case LZR_CPUID_FEATURES:
		out[1] = (out[1] & 0xffff) | vcpu->vm->image->vcpus << 16 | vcpu->number << 24;
		out[2] &= ~FEATURES_OSXSAVE;
		if (cpu_backend->get_cr4(vcpu) & CR4_OSXSAVE)
			out[2] |= FEATURES_OSXSAVE;
		break;
	case LZR_CPUID_TOPOLOGY:
		topology(vcpu, subleaf, out);
		break;
	case LZR_CPUID_XSAVE:
		/* The guest's XCR0 is in force, so the CPU's own answer is the guest's. */
		if (subleaf == 0)
			out[1] = arch_cpuid(0xd, 0).ebx;
		break;
	}
}

void cpuid_answer(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	const struct cpuid_row *row = find(vm_private(vcpu->vm), leaf, subleaf);

	if (!row) {
		out[0] = out[1] = out[2] = out[3] = 0;
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		out[i] = row->value[i];
	if (row->computed)
		compute(vcpu, row->computed, subleaf, out);
}
