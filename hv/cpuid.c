/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID: the manifest's rows, resolved once against the physical CPU; only what depends on the vCPU is computed at the
 * exit. A leaf that has no row reads zero.
 */
#include <arch_x86.h>

#include "vcpu.h"

#define LEAF_ADDRESS 0x80000008u
#define NESTED_WIDTH 48u
#define NO_LEAF 0xc0000000u             /* no group has it: it reads zero, as whatever ends up in its row */

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

/* Which slot of the index a leaf has: three groups of leaves are used at all. */
static uint32_t slot_of(uint32_t leaf)
{
	uint32_t group = leaf >> 30, offset = leaf & 0x3fffffff;

	if (group >= CPUID_GROUPS || offset >= CPUID_GROUP)
		return CPUID_SLOTS - 1;
	return (uint32_t)guest_index(guest_number(group * CPUID_GROUP + (offset & (CPUID_GROUP - 1))), CPUID_SLOTS);
}

/* The index: first row of each leaf; a leaf without rows gets the one behind the last, which is nobody's. */
static HV_BOOT enum hv_err make_index(struct vm *vm, uint32_t count)
{
	struct vm_private *private = vm_private(vm);
	struct cpuid_row *rows = private->cpuid;

	for (uint32_t i = 0; i < CPUID_SLOTS; i++)
		private->cpuid_first[i] = (uint8_t)count;
	rows[count].leaf = NO_LEAF;
	rows[count].subleaf = LZR_CPUID_ANY_SUBLEAF;    /* a guest may ask for it: find() stops here whatever ECX is */
	for (uint32_t i = count; i-- > 0;) {
		if (slot_of(rows[i].leaf) == CPUID_SLOTS - 1) {
			say("%s: CPUID leaf %x is outside the groups that this hypervisor knows", vm->image->name,
			    rows[i].leaf);
			return HV_UNSUPPORTED;
		}
		private->cpuid_first[slot_of(rows[i].leaf)] = (uint8_t)i;
	}
	return HV_OK;
}

HV_BOOT enum hv_err cpuid_create(struct vm *vm)
{
	const struct image_config *image = vm->image;
	struct vm_private *private = vm_private(vm);
	uint64_t length = (image->cpuid_count + 1) * sizeof(*private->cpuid);

	if (image->cpuid_count > CPUID_MAX) {
		say("%s: %u CPUID rows, at most %u", image->name, image->cpuid_count, CPUID_MAX);
		return HV_UNSUPPORTED;
	}
	private->cpuid = mem_alloc_hv((length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), PAGE_SIZE);
	if (!private->cpuid)
		return HV_NO_MEMORY;
	for (uint32_t i = 0; i < image->cpuid_count; i++) {
		const struct lzr_manifest_cpuid *rule = &image->cpuid[i];
		bool any = rule->subleaf == LZR_CPUID_ANY_SUBLEAF;
		struct cpuid_regs host = arch_cpuid(rule->leaf, any ? 0 : rule->subleaf);
		struct cpuid_row *row = &private->cpuid[i];

		row->leaf = rule->leaf;
		row->subleaf = rule->subleaf;
		row->value[0] = rule->fixed[0] | (host.eax & rule->mask[0]);
		row->value[1] = rule->fixed[1] | (host.ebx & rule->mask[1]);
		row->value[2] = rule->fixed[2] | (host.ecx & rule->mask[2]);
		row->value[3] = rule->fixed[3] | (host.edx & rule->mask[3]);
		resolve_computed(row, rule);
	}
	return make_index(vm, image->cpuid_count);
}

/* The leaf's row for the subleaf, else its row for any subleaf, which is its last. */
static const struct cpuid_row *find(const struct vm_private *private, uint32_t leaf, uint32_t subleaf)
{
	const struct cpuid_row *row = private->cpuid + private->cpuid_first[slot_of(leaf)];

	for (; row->leaf == leaf; row++)
		if (row->subleaf == subleaf || row->subleaf == LZR_CPUID_ANY_SUBLEAF)
			return row;
	return NULL;
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

void cpuid_answer(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->regs.gpr;
	const struct cpuid_row *row = find(vcpu->private, (uint32_t)gpr[RAX], (uint32_t)gpr[RCX]);
	uint32_t out[4];

	if (!row) {
		gpr[RAX] = gpr[RBX] = gpr[RCX] = gpr[RDX] = 0;
		return;
	}
	if (row->computed) {
		__builtin_memcpy(out, row->value, sizeof(out));
		compute(vcpu, row->computed, (uint32_t)gpr[RCX], out);
		gpr[RAX] = out[0];
		gpr[RBX] = out[1];
		gpr[RCX] = out[2];
		gpr[RDX] = out[3];
		return;
	}
	gpr[RAX] = row->value[0];
	gpr[RBX] = row->value[1];
	gpr[RCX] = row->value[2];
	gpr[RDX] = row->value[3];
}
