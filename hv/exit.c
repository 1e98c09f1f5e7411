/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exit means, for every vendor.  A handler says whether the vCPU may be entered again at once; one that stopped
 * the VM or put the vCPU to sleep says no, and the scheduler goes on.
 */
#include "vcpu.h"

bool once_first(struct once *once, uint32_t key)
{
	uint32_t count = __atomic_load_n(&once->count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count && i < ONCE_MAX; i++)
		if (__atomic_load_n(&once->keys[i], __ATOMIC_RELAXED) == key)
			return false;
	if (count >= ONCE_MAX)
		return false;
	/* Two vCPUs may tell of the same key twice; that does no harm. */
	count = __atomic_fetch_add(&once->count, 1, __ATOMIC_ACQ_REL);
	if (count >= ONCE_MAX) {
		__atomic_store_n(&once->count, ONCE_MAX, __ATOMIC_RELEASE);
		return false;
	}
	__atomic_store_n(&once->keys[count], key, __ATOMIC_RELAXED);
	return true;
}

void vcpu_inject_gp(struct vcpu *vcpu)
{
	cpu_backend->inject_exception(vcpu, VECTOR_GP, true, 0);
}

/* The instruction is done: its interrupt shadow, too. */
void vcpu_advance(struct vcpu *vcpu, unsigned length)
{
	vcpu->regs.rip += length;
	vcpu->shadow = false;
	if (vcpu->regs.rflags & (RFLAGS_TF | RFLAGS_RF))
		cpu_backend->stepped(vcpu);
}

static bool stop(struct vcpu *vcpu, enum lzr_stop_reason reason, uint64_t detail)
{
	vm_stop(vcpu->vm, reason, detail);
	return false;
}

static bool handle_unknown(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	return stop(vcpu, LZR_STOP_UNKNOWN_EXIT, exit->detail);
}

static bool handle_window(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	cpu_backend->request_window(vcpu, 0);
	vcpu_attention(vcpu, ATTENTION_IRQ);
	return true;
}

static bool handle_cpuid(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	cpuid_answer(vcpu);
	vcpu_advance(vcpu, exit->length);
	return true;
}

static bool handle_msr(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	uint64_t *gpr = vcpu->regs.gpr, value;
	uint32_t msr = (uint32_t)gpr[RCX];

	if (exit->write) {
		if (!msr_write(vcpu, msr, gpr[RDX] << 32 | (uint32_t)gpr[RAX])) {
			vcpu_inject_gp(vcpu);
			return true;
		}
	} else {
		if (!msr_read(vcpu, msr, &value)) {
			vcpu_inject_gp(vcpu);
			return true;
		}
		gpr[RAX] = (uint32_t)value;
		gpr[RDX] = value >> 32;
	}
	vcpu_advance(vcpu, exit->length);
	return true;
}

static bool handle_halt(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	vcpu_advance(vcpu, exit->length);
	links_poll(vcpu->vm);
	devices_poll(vcpu->vm);
	if (vcpu->regs.rflags & RFLAGS_TF)
		return true;            /* the #DB behind it wakes it at once */
	if (vcpu->regs.rflags & RFLAGS_IF && vlapic_deliverable(vcpu) >= 0) {
		vcpu_attention(vcpu, ATTENTION_IRQ);
		return true;
	}
	vcpu->state = VCPU_HALTED;
	if (!(vcpu->regs.rflags & RFLAGS_IF))
		vm_sleepers_add(vcpu->vm, 1);
	return false;
}

static bool handle_io(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	if (exit->string)
		return stop(vcpu, LZR_STOP_STRING_IO, exit->port);
	ioport_access(vcpu, exit);
	vcpu_advance(vcpu, exit->length);
	return true;
}

static bool handle_hypercall(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	vcpu_advance(vcpu, exit->length);
	hypercall(vcpu);
	return true;
}

static bool handle_undefined(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	cpu_backend->inject_exception(vcpu, VECTOR_UD, false, 0);
	return true;
}

static bool handle_protection(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	vcpu_inject_gp(vcpu);
	return true;
}

static bool handle_ignore(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	vcpu_advance(vcpu, exit->length);
	return true;
}

static bool handle_xsetbv(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	const uint64_t *gpr = vcpu->regs.gpr;
	uint64_t value = gpr[RDX] << 32 | (uint32_t)gpr[RAX];

	if (cpu_backend->get_cpl(vcpu) || (uint32_t)gpr[RCX] || value & ~vcpu->private->xcr0_bits ||
	    !xstate_set_xcr0(value))
		vcpu_inject_gp(vcpu);
	else
		vcpu_advance(vcpu, exit->length);
	return true;
}

static bool handle_reflect(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	uint8_t vector = (uint8_t)exit->detail;

	cpu_backend->inject_exception(vcpu, vector, vector == VECTOR_AC, 0);
	return true;
}

static bool handle_register(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	struct vcpu_exit end = *exit;

	cpu_backend->register_access(vcpu, &end);
	return end.kind == EXIT_INTERRUPT || exit_handle(vcpu, &end);
}

static bool handle_memory(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	return stop(vcpu, LZR_STOP_BAD_ACCESS, exit->detail);
}

static bool handle_shutdown(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	return stop(vcpu, LZR_STOP_TRIPLE_FAULT, vcpu->regs.rip);
}

static bool handle_machine_check(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	panic("machine check while VM %s ran", vcpu->vm->config->name);
}

static bool handle_bad_state(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	return stop(vcpu, LZR_STOP_BAD_STATE, vcpu->regs.rip);
}

/* For each kind one, and a kind is the backend's, not the guest's.  EXIT_INTERRUPT is the scheduler's. */
static bool (*const handlers[EXIT_KINDS])(struct vcpu *, const struct vcpu_exit *) = {
	[EXIT_UNKNOWN] = handle_unknown,
	[EXIT_INTERRUPT] = handle_unknown,
	[EXIT_WINDOW] = handle_window,
	[EXIT_CPUID] = handle_cpuid,
	[EXIT_MSR] = handle_msr,
	[EXIT_HLT] = handle_halt,
	[EXIT_IO] = handle_io,
	[EXIT_HYPERCALL] = handle_hypercall,
	[EXIT_UNDEFINED] = handle_undefined,
	[EXIT_PROTECTION] = handle_protection,
	[EXIT_IGNORE] = handle_ignore,
	[EXIT_XSETBV] = handle_xsetbv,
	[EXIT_REGISTER] = handle_register,
	[EXIT_REFLECT] = handle_reflect,
	[EXIT_MEMORY] = handle_memory,
	[EXIT_SHUTDOWN] = handle_shutdown,
	[EXIT_MACHINE_CHECK] = handle_machine_check,
	[EXIT_BAD_STATE] = handle_bad_state,
};

bool exit_handle(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	return handlers[exit->kind](vcpu, exit);
}
