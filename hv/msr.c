/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RDMSR and WRMSR: the manifest's rules, and the closed lists of what PASS and EMULATED may name.  What has no rule
 * gives #GP(0), told to the audit log once per instance.
 */
#include "vcpu.h"

enum {
	M_TSC = 0x10, M_APIC_BASE = 0x1b, M_SYSENTER_FIRST = 0x174, M_SYSENTER_LAST = 0x176, M_PAT = 0x277,
	M_TSC_DEADLINE = 0x6e0, M_X2APIC_FIRST = 0x800, M_X2APIC_LAST = 0x83f,
};
#define M_KVM_WALL_CLOCK 0x4b564d00u
#define M_KVM_SYSTEM_TIME 0x4b564d01u
#define M_EFER 0xc0000080u
#define M_SYSCALL_FIRST 0xc0000081u
#define M_SYSCALL_LAST 0xc0000084u
#define M_FS_BASE 0xc0000100u
#define M_KERNEL_GS_BASE 0xc0000102u
#define M_TSC_AUX 0xc0000103u

/* Those that the guest really touches without an exit: the backend switches them with the vCPU. */
static bool is_switched(uint32_t msr, bool write)
{
	return (msr == M_TSC && !write) || (msr >= M_SYSENTER_FIRST && msr <= M_SYSENTER_LAST) ||
	       (msr >= M_SYSCALL_FIRST && msr <= M_SYSCALL_LAST) || (msr >= M_FS_BASE && msr <= M_KERNEL_GS_BASE);
}

static bool is_emulated(uint32_t msr)
{
	return msr == M_APIC_BASE || msr == M_TSC_DEADLINE || (msr >= M_X2APIC_FIRST && msr <= M_X2APIC_LAST) ||
	       msr == M_KVM_WALL_CLOCK || msr == M_KVM_SYSTEM_TIME || msr == M_EFER;
}

static const struct lzr_manifest_msr *find(const struct image_config *image, uint32_t msr)
{
	uint32_t low = 0, high = image->msr_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (image->msr[middle].msr < msr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < image->msr_count && image->msr[low].msr == msr ? &image->msr[low] : NULL;
}

HV_BOOT bool msr_passes(const struct image_config *image, uint32_t msr, bool write)
{
	const struct lzr_manifest_msr *rule = find(image, msr);

	return rule && rule->rule == LZR_MSR_PASS && is_switched(msr, write);
}

HV_BOOT enum hv_err msr_check(const struct image_config *image)
{
	unsigned shadows = 0;

	for (uint32_t i = 0; i < image->msr_count; i++) {
		uint32_t msr = image->msr[i].msr, rule = image->msr[i].rule;
		bool passes = is_switched(msr, false) || msr == M_PAT || msr == M_TSC_AUX;

		shadows += rule == LZR_MSR_SHADOW;
		if ((rule == LZR_MSR_PASS && !passes) || (rule == LZR_MSR_EMULATED && !is_emulated(msr)) ||
		    shadows > MSR_SHADOW_MAX) {
			say("%s: msr %x, rule %u: not one that this hypervisor knows", image->name, msr, rule);
			return HV_UNSUPPORTED;
		}
	}
	return HV_OK;
}

/* Where a SHADOW row's value lives: its number among the SHADOW rows. */
static uint64_t *shadow_of(struct vcpu *vcpu, const struct lzr_manifest_msr *rule)
{
	unsigned index = 0;

	for (const struct lzr_manifest_msr *row = vcpu->vm->image->msr; row < rule; row++)
		index += row->rule == LZR_MSR_SHADOW;
	return &vcpu->shadow_msr[index];
}

static uint64_t join(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

void msr_reset(struct vcpu *vcpu)
{
	const struct image_config *image = vcpu->vm->image;
	unsigned index = 0;

	for (uint32_t i = 0; i < image->msr_count; i++)
		if (image->msr[i].rule == LZR_MSR_SHADOW)
			vcpu->shadow_msr[index++] = join(image->msr[i].value_hi, image->msr[i].value_lo);
}

/* PASS registers that exit all the same: their place in the hardware is shared with the host. */
static bool pass_read(const struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case M_PAT: *value = cpu_backend->get_pat(vcpu); return true;
	case M_TSC_AUX: *value = vcpu->xstate.tsc_aux; return true;
	}
	return false;
}

/* "Page Attribute Table": each byte is a memory type, 0, 1, 4, 5, 6 or 7. */
static bool is_pat(uint64_t value)
{
	for (unsigned i = 0; i < 64; i += 8) {
		uint8_t type = value >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool pass_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case M_PAT:
		if (!is_pat(value))
			return false;
		cpu_backend->set_pat(vcpu, value);
		return true;
	case M_TSC_AUX:
		if (value > UINT32_MAX)
			return false;
		xstate_set_tsc_aux(vcpu, (uint32_t)value);
		return true;
	}
	return false;
}

static bool emulated_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	if (msr == M_EFER) {
		*value = cpu_backend->get_efer(vcpu);
		return true;
	}
	if (msr == M_KVM_WALL_CLOCK || msr == M_KVM_SYSTEM_TIME)
		return kvmclock_read(vcpu, msr, value);
	return vlapic_msr_read(vcpu, msr, value);
}

static bool emulated_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (msr == M_EFER)
		return cpu_backend->set_efer(vcpu, value);
	if (msr == M_KVM_WALL_CLOCK || msr == M_KVM_SYSTEM_TIME)
		return kvmclock_write(vcpu, msr, value);
	return vlapic_msr_write(vcpu, msr, value);
}

static bool deny(struct vcpu *vcpu, uint32_t msr, bool write)
{
	if (once_first(&vm_private(vcpu->vm)->msrs, msr))
		audit(vcpu->vm->number, LZR_AUDIT_MSR_DENIED, msr, write);
	return false;
}

bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const struct lzr_manifest_msr *rule = find(vcpu->vm->image, msr);
	bool done = false;

	switch (rule ? rule->rule : 0) {
	case LZR_MSR_EMULATED:
		done = emulated_read(vcpu, msr, value);
		break;
	case LZR_MSR_FIXED:
		*value = join(rule->value_hi, rule->value_lo);
		done = true;
		break;
	case LZR_MSR_SHADOW:
		*value = *shadow_of(vcpu, rule);
		done = true;
		break;
	case LZR_MSR_PASS:
		done = pass_read(vcpu, msr, value);
		break;
	}
	return done || deny(vcpu, msr, false);
}

static bool shadow_write(struct vcpu *vcpu, const struct lzr_manifest_msr *rule, uint64_t value)
{
	uint64_t *shadow = shadow_of(vcpu, rule);

	if ((value ^ *shadow) & ~join(rule->mask_hi, rule->mask_lo))
		return false;
	*shadow = value;
	return true;
}

bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct lzr_manifest_msr *rule = find(vcpu->vm->image, msr);
	bool done = false;

	switch (rule ? rule->rule : 0) {
	case LZR_MSR_EMULATED:
		done = emulated_write(vcpu, msr, value);
		break;
	case LZR_MSR_FIXED:
		done = true;
		break;
	case LZR_MSR_SHADOW:
		done = shadow_write(vcpu, rule, value);
		break;
	case LZR_MSR_PASS:
		done = pass_write(vcpu, msr, value);
		break;
	}
	return done || deny(vcpu, msr, true);
}
