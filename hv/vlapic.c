/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual local APIC: x2APIC mode from reset, reached by MSRs only, edge-triggered interrupts only.
 *
 * Any CPU may set IRR bits; all else is touched by the CPU that the vCPU is placed on.
 * Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, "Advanced Programmable Interrupt Controller".
 */
#include "vcpu.h"

#define MSR_APIC_BASE_VALUE 0xfee00c00ull       /* x2APIC on */
#define   APIC_BASE_BSP 0x100ull

enum {
	X2_ID = 0x802, X2_VERSION = 0x803, X2_TPR = 0x808, X2_PPR = 0x80a, X2_EOI = 0x80b, X2_LDR = 0x80d,
	X2_SVR = 0x80f, X2_ISR = 0x810, X2_TMR = 0x818, X2_IRR = 0x820, X2_ESR = 0x828, X2_ICR = 0x830,
	X2_LVT = 0x832, X2_INITIAL = 0x838, X2_CURRENT = 0x839, X2_DIVIDE = 0x83e, X2_SELF = 0x83f,
};
#define MSR_APIC_BASE 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u

#define VERSION_VALUE (0x14u | (APIC_LVTS - 1) << 16)

#define SVR_ENABLE 0x100u
#define SVR_BITS 0x1ffu

#define LVT_TIMER 0u
#define LVT_MASKED 0x10000u
#define LVT_MODE 0x60000u
#define   LVT_PERIODIC 0x20000u
#define   LVT_DEADLINE 0x40000u

#define ESR_SEND_VECTOR 0x20u

#define ICR_MODE 0x700u
#define   ICR_FIXED 0x000u
#define   ICR_LOWEST 0x100u
#define   ICR_INIT 0x500u
#define   ICR_SIPI 0x600u
#define ICR_LOGICAL 0x800u
#define ICR_ASSERT 0x4000u
#define ICR_SHORTHAND 0xc0000u
#define   ICR_TO_SELF 0x40000u
#define   ICR_TO_OTHERS 0xc0000u
#define ICR_BITS 0xffffffff000ccfffull
#define BROADCAST 0xffffffffu

#define MSI_BASE 0xfee00000ull
#define MSI_LOGICAL 0x4u

#define VECTOR_FIRST 16u
/*
 * A periodic timer is no faster than this, or a guest would spend all its time in entries and exits and none in itself.
 * KVM's limit (min_timer_period_us) is the same.
 */
#define PERIOD_MIN_NS 200000u

static HV_SEALED uint64_t tsc_to_ns_scale;      /* 32.32 fixed point */

HV_BOOT void vlapic_boot(void)
{
	CHECK(time_tsc_khz());
	tsc_to_ns_scale = (1000000ull << 32) / time_tsc_khz();
}

/* The hypervisor's time at which the TSC has reached `tsc`; never 0, which means no timer. */
static uint64_t tsc_to_ns(uint64_t tsc)
{
	uint64_t base = time_to_tsc(0);
	unsigned __int128 ns;

	if (tsc <= base)
		return 1;
	ns = ((unsigned __int128)(tsc - base) * tsc_to_ns_scale >> 32) + 1;
	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

/* --- IRR and ISR -------------------------------------------------------------------------------------------------- */

static int highest(const uint64_t *bits)
{
	for (int i = 3; i >= 0; i--) {
		uint64_t word = __atomic_load_n(&bits[i], __ATOMIC_ACQUIRE);

		if (word)
			return i * 64 + 63 - __builtin_clzll(word);
	}
	return -1;
}

static uint8_t task_priority(const struct vcpu *vcpu)
{
	int service = highest(vcpu->apic.isr);
	uint8_t tpr = cpu_backend->get_tpr(vcpu), in_service = service < 0 ? 0 : (uint8_t)service & 0xf0;

	return tpr > in_service ? tpr : in_service;
}

int vlapic_waiting(const struct vcpu *vcpu)
{
	int vector = vcpu->apic.svr & SVR_ENABLE ? highest(vcpu->apic.irr) : -1, service;

	if (vector < 0)
		return -1;
	service = highest(vcpu->apic.isr);
	return service < 0 || (vector & 0xf0) > (service & 0xf0) ? vector : -1;
}

int vlapic_deliverable(const struct vcpu *vcpu)
{
	int vector = vlapic_waiting(vcpu);

	return vector >= 0 && (vector & 0xf0) > cpu_backend->get_tpr(vcpu) ? vector : -1;
}

void vlapic_accept(struct vcpu *vcpu, uint8_t vector)
{
	__atomic_fetch_and(&vcpu->apic.irr[vector / 64], ~(1ull << vector % 64), __ATOMIC_ACQ_REL);
	vcpu->apic.isr[vector / 64] |= 1ull << vector % 64;
}

void vcpu_post_irq(struct vcpu *vcpu, uint8_t vector)
{
	if (vector < VECTOR_FIRST)
		return;
	__atomic_fetch_or(&vcpu->apic.irr[vector / 64], 1ull << vector % 64, __ATOMIC_ACQ_REL);
	vcpu_attention(vcpu, ATTENTION_IRQ);
}

static void end_of_interrupt(struct vcpu *vcpu)
{
	int vector = highest(vcpu->apic.isr);

	if (vector >= 0)
		vcpu->apic.isr[vector / 64] &= ~(1ull << vector % 64);
	vcpu_attention(vcpu, ATTENTION_IRQ);
}

/* --- destinations ------------------------------------------------------------------------------------------------- */

static uint32_t logical_id(uint32_t id)
{
	return id >> 4 << 16 | 1u << (id & 15);
}

static bool is_destination(const struct vcpu *vcpu, bool logical, uint32_t destination)
{
	uint32_t own = logical_id(vcpu->apic.id);

	if (destination == BROADCAST)
		return true;
	if (!logical)
		return destination == vcpu->apic.id;
	return destination >> 16 == own >> 16 && (destination & own & 0xffff);
}

void vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	uint32_t destination = address >> 12 & 0xff, mode = data & ICR_MODE;

	if ((address & ~0xfffffull) != MSI_BASE || (mode != ICR_FIXED && mode != ICR_LOWEST))
		return;
	if (destination == 0xff)
		destination = BROADCAST;
	for (unsigned i = 0; i < vm->image->vcpus; i++) {
		if (!is_destination(vm->vcpus[i], address & MSI_LOGICAL, destination))
			continue;
		vcpu_post_irq(vm->vcpus[i], (uint8_t)data);
		if (mode == ICR_LOWEST)
			return;
	}
}

/* NMI and SMI reach nobody: a guest's vCPUs have neither, and a guest that waits for one waits in vain. */
static void send_to(struct vcpu *target, uint32_t command)
{
	switch (command & ICR_MODE) {
	case ICR_FIXED:
	case ICR_LOWEST:
		vcpu_post_irq(target, (uint8_t)command);
		break;
	case ICR_INIT:
		if (command & ICR_ASSERT)
			vcpu_attention(target, ATTENTION_INIT);
		break;
	case ICR_SIPI:
		__atomic_store_n(&target->sipi_vector, command & 0xff, __ATOMIC_RELEASE);
		vcpu_attention(target, ATTENTION_SIPI);
		break;
	}
}

static bool icr_write(struct vcpu *vcpu, uint64_t value)
{
	uint32_t command = (uint32_t)value, mode = command & ICR_MODE, shorthand = command & ICR_SHORTHAND;
	struct vm *vm = vcpu->vm;

	if (value & ~ICR_BITS)
		return false;
	vcpu->apic.icr = value;
	if ((mode == ICR_FIXED || mode == ICR_LOWEST) && (command & 0xff) < VECTOR_FIRST) {
		vcpu->apic.esr_pending |= ESR_SEND_VECTOR;
		return true;
	}
	for (unsigned i = 0; i < vm->image->vcpus; i++) {
		struct vcpu *target = vm->vcpus[i];
		bool self = target == vcpu, chosen;

		if (shorthand)
			chosen = self ? shorthand != ICR_TO_OTHERS : shorthand != ICR_TO_SELF;
		else
			chosen = is_destination(target, command & ICR_LOGICAL, (uint32_t)(value >> 32));
		if (!chosen)
			continue;
		send_to(target, command);
		if (mode == ICR_LOWEST)
			break;
	}
	return true;
}

/* --- timer -------------------------------------------------------------------------------------------------------- */

/* Nanoseconds of a count: the timer's clock is 1 GHz before the divider. */
static uint64_t count_ns(const struct vlapic *apic)
{
	unsigned code = (apic->divide & 3) | (apic->divide >> 1 & 4);

	return (uint64_t)apic->initial_count << ((code + 1) & 7);
}

static void timer_start(struct vcpu *vcpu)
{
	struct vlapic *apic = &vcpu->apic;

	apic->timer_start_ns = time_ns();
	apic->timer_ns = apic->initial_count ? apic->timer_start_ns + count_ns(apic) : 0;
	vcpu_attention(vcpu, ATTENTION_TIMER);
}

static uint32_t timer_count(const struct vlapic *apic)
{
	uint64_t now = time_ns(), period = count_ns(apic);

	if (!apic->timer_ns || (apic->lvt[LVT_TIMER] & LVT_MODE) == LVT_DEADLINE || now >= apic->timer_ns)
		return 0;
	return (uint32_t)((apic->timer_ns - now) / (period / apic->initial_count));
}

static void deadline_write(struct vcpu *vcpu, uint64_t value)
{
	struct vlapic *apic = &vcpu->apic;

	if ((apic->lvt[LVT_TIMER] & LVT_MODE) != LVT_DEADLINE)
		return;
	apic->tsc_deadline = value;
	apic->timer_ns = value ? tsc_to_ns(value) : 0;
	vcpu_attention(vcpu, ATTENTION_TIMER);
	vlapic_tick(vcpu, time_ns());   /* it may be over already */
}

void vlapic_tick(struct vcpu *vcpu, uint64_t now_ns)
{
	struct vlapic *apic = &vcpu->apic;
	uint64_t period;

	if (!apic->timer_ns || now_ns < apic->timer_ns)
		return;
	apic->tsc_deadline = 0;
	if ((apic->lvt[LVT_TIMER] & LVT_MODE) == LVT_PERIODIC) {
		period = count_ns(apic) > PERIOD_MIN_NS ? count_ns(apic) : PERIOD_MIN_NS;
		apic->timer_ns += period;
		if (apic->timer_ns <= now_ns)
			apic->timer_ns = now_ns + period;
	} else {
		apic->timer_ns = 0;
	}
	if (!(apic->lvt[LVT_TIMER] & LVT_MASKED))
		vcpu_post_irq(vcpu, (uint8_t)apic->lvt[LVT_TIMER]);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

/* Which entry a register is: a guest chose it. */
static uint64_t lvt_index(uint32_t msr)
{
	return guest_index(guest_number(msr - X2_LVT), APIC_LVTS);
}

static bool lvt_write(struct vlapic *apic, uint64_t index, uint64_t value)
{
	static const uint32_t writable[APIC_LVTS] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };

	if (value & ~(uint64_t)writable[index])
		return false;
	if (index == LVT_TIMER && (value & LVT_MODE) == LVT_MODE)
		return false;
	if (index == LVT_TIMER && (value ^ apic->lvt[index]) & LVT_DEADLINE) {
		apic->timer_ns = apic->tsc_deadline = 0;
		apic->initial_count = 0;
	}
	apic->lvt[index] = (uint32_t)value | (apic->svr & SVR_ENABLE ? 0 : LVT_MASKED);
	return true;
}

static void svr_write(struct vcpu *vcpu, uint32_t value)
{
	struct vlapic *apic = &vcpu->apic;

	apic->svr = value;
	if (!(value & SVR_ENABLE))
		for (unsigned i = 0; i < APIC_LVTS; i++)
			apic->lvt[i] |= LVT_MASKED;
	vcpu_attention(vcpu, ATTENTION_IRQ);
}

static bool is_lvt(uint32_t msr)
{
	return msr >= X2_LVT && msr < X2_LVT + APIC_LVTS;
}

bool vlapic_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct vlapic *apic = &vcpu->apic;

	switch (msr) {
	case X2_EOI:
		if (value)
			return false;
		end_of_interrupt(vcpu);
		return true;
	case MSR_TSC_DEADLINE:
		deadline_write(vcpu, value);
		return true;
	case X2_ICR:
		return icr_write(vcpu, value);
	case X2_SELF:
		if (value > 0xff)
			return false;
		vcpu_post_irq(vcpu, (uint8_t)value);
		return true;
	case MSR_APIC_BASE:
		return value == apic->base;
	case X2_TPR:
		if (value > 0xff)
			return false;
		cpu_backend->set_tpr(vcpu, (uint8_t)value);
		vcpu_attention(vcpu, ATTENTION_IRQ);
		return true;
	case X2_SVR:
		if (value & ~(uint64_t)SVR_BITS)
			return false;
		svr_write(vcpu, (uint32_t)value);
		return true;
	case X2_ESR:
		if (value)
			return false;
		apic->esr = apic->esr_pending;
		apic->esr_pending = 0;
		return true;
	case X2_INITIAL:
		if (value > UINT32_MAX)
			return false;
		if ((apic->lvt[LVT_TIMER] & LVT_MODE) == LVT_DEADLINE)
			return true;
		apic->initial_count = (uint32_t)value;
		timer_start(vcpu);
		return true;
	case X2_DIVIDE:
		if (value & ~0xbull)
			return false;
		apic->divide = (uint32_t)value;
		return true;
	}
	return is_lvt(msr) && lvt_write(apic, lvt_index(msr), value);
}

/* One of the eight that a guest chose. */
static uint32_t word_of(const uint64_t *bits, uint32_t msr)
{
	unsigned index = msr & 7;

	return (uint32_t)(__atomic_load_n(&bits[index / 2], __ATOMIC_ACQUIRE) >> index % 2 * 32);
}

bool vlapic_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const struct vlapic *apic = &vcpu->apic;

	if (msr >= X2_ISR && msr < X2_ESR) {
		*value = msr < X2_TMR ? word_of(apic->isr, msr) :
			 msr < X2_IRR ? 0 : word_of(apic->irr, msr);
		return true;
	}
	if (is_lvt(msr)) {
		*value = apic->lvt[lvt_index(msr)];
		return true;
	}
	switch (msr) {
	case MSR_APIC_BASE: *value = apic->base; return true;
	case MSR_TSC_DEADLINE: *value = apic->tsc_deadline; return true;
	case X2_ID: *value = apic->id; return true;
	case X2_VERSION: *value = VERSION_VALUE; return true;
	case X2_TPR: *value = cpu_backend->get_tpr(vcpu); return true;
	case X2_PPR: *value = task_priority(vcpu); return true;
	case X2_LDR: *value = logical_id(apic->id); return true;
	case X2_SVR: *value = apic->svr; return true;
	case X2_ESR: *value = apic->esr; return true;
	case X2_ICR: *value = apic->icr; return true;
	case X2_INITIAL: *value = apic->initial_count; return true;
	case X2_CURRENT: *value = timer_count(apic); return true;
	case X2_DIVIDE: *value = apic->divide; return true;
	}
	return false;
}

void vlapic_init(struct vcpu *vcpu)
{
	uint64_t base = vcpu->apic.base;
	uint32_t id = vcpu->apic.id;

	for (unsigned i = 0; i < ARRAY_LENGTH(vcpu->apic.irr); i++)
		__atomic_store_n(&vcpu->apic.irr[i], 0, __ATOMIC_RELEASE);
	__builtin_memset((char *)&vcpu->apic + offsetof(struct vlapic, isr), 0,
			 sizeof(vcpu->apic) - offsetof(struct vlapic, isr));
	vcpu->apic.id = id;
	vcpu->apic.base = base;
	vcpu->apic.svr = 0xff;
	for (unsigned i = 0; i < APIC_LVTS; i++)
		vcpu->apic.lvt[i] = LVT_MASKED;
}

void vlapic_reset(struct vcpu *vcpu)
{
	vlapic_init(vcpu);
	vcpu->apic.id = vcpu->number;
	vcpu->apic.base = MSR_APIC_BASE_VALUE | (vcpu->number ? 0 : APIC_BASE_BSP);
}
