/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVM backend, the half that runs: state of a vCPU, entry and exit, what an exit code means.
 * AMD64 Architecture Programmer's Manual, volume 2, "Secure Virtual Machine", and volume 3 for instruction lengths.
 */
#include <arch_x86.h>

#include "layout.h"
#include "svm.h"

HV_SEALED struct svm_cpu svm_cpus[LZR_CPU_MAX];
HV_SEALED bool svm_on_emulator;

#define HELD_TRIES 64u

static struct vmcb *vmcb_of(const struct vcpu *vcpu)
{
	return ((const struct svm_vcpu *)vcpu->arch)->vmcb;
}

static enum hv_err svm_cpu_init(void)
{
	const struct svm_cpu *cpu = &svm_cpus[cpu_current()];

	arch_wrmsr(MSR_EFER, arch_rdmsr(MSR_EFER) | EFER_SVME);
	arch_wrmsr(MSR_VM_HSAVE_PA, cpu->hsave);
	arch_vmsave(cpu->host);
	return HV_OK;
}

static struct vmcb_segment segment(uint16_t selector, uint16_t attributes, uint32_t limit, uint64_t base)
{
	return (struct vmcb_segment){ .selector = selector, .attributes = attributes, .limit = limit, .base = base };
}

static void set_segments(struct vmcb *vmcb, struct vmcb_segment code, struct vmcb_segment data)
{
	vmcb->cs = code;
	vmcb->es = vmcb->ss = vmcb->ds = vmcb->fs = vmcb->gs = data;
	vmcb->gdtr = vmcb->idtr = segment(0, 0, 0xffff, 0);
	vmcb->ldtr = segment(0, SEGMENT_LDT, 0xffff, 0);
	vmcb->tr = segment(0, SEGMENT_TSS, 0xffff, 0);
}

/* Selectors of the flat start states: as the Linux 64-bit boot protocol wants them (__BOOT_CS, __BOOT_DS). */
#define START_CS 0x10
#define START_DS 0x18

static void set_mode(struct vmcb *vmcb, const struct vcpu_start *start)
{
	switch (start->mode) {
	case START_REAL:
		set_segments(vmcb, segment((uint16_t)(start->rip >> 4), SEGMENT_CODE16, 0xffff, start->rip),
			     segment(0, SEGMENT_DATA16, 0xffff, 0));
		vmcb->cr0 = 0x10;
		break;
	case START_PROTECTED32:
		set_segments(vmcb, segment(START_CS, SEGMENT_CODE32, 0xffffffff, 0),
			     segment(START_DS, SEGMENT_DATA32, 0xffffffff, 0));
		vmcb->cr0 = 0x11;
		break;
	case START_LONG64:
		set_segments(vmcb, segment(START_CS, SEGMENT_CODE64, 0xffffffff, 0),
			     segment(START_DS, SEGMENT_DATA32, 0xffffffff, 0));
		vmcb->cr0 = 0x80000011;
		vmcb->cr3 = start->cr3;
		vmcb->cr4 = 0x20;
		vmcb->efer |= EFER_LME | EFER_LMA;
		break;
	}
}

static void svm_vcpu_reset(struct vcpu *vcpu, const struct vcpu_start *start)
{
	struct svm_vcpu *svm = vcpu->arch;
	struct vmcb *vmcb = svm->vmcb;

	__builtin_memset(&vmcb->es, 0, sizeof(*vmcb) - offsetof(struct vmcb, es));
	vmcb->efer = EFER_SVME;
	vmcb->dr6 = DR6_NONE;
	vmcb->dr7 = DR7_OFF;
	vmcb->pat = 0x0007040600070406;
	vmcb->vintr = VINTR_MASKING;
	vmcb->interrupt_shadow = 0;
	vmcb->event_inject = 0;
	vmcb->rflags = 2;
	vmcb->rsp = start->rsp;
	set_mode(vmcb, start);
	vmcb->intercept.cr = 0;
	svm_set_cr4(svm, vmcb->cr4);
	__builtin_memset(&vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs.rip = start->mode == START_REAL ? 0 : start->rip;
	vcpu->regs.rflags = 2;
	vcpu->regs.gpr[RSI] = start->rsi;
	vcpu->regs.gpr[RBX] = start->rbx;
	vcpu->shadow = false;
	svm->armed = 0;
	svm->held = false;
	svm->held_tries = 0;
	svm->flush = svm->prepare = true;
}

static void svm_load(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->arch;

	svm->flush |= svm->shares_asid;
	svm->prepare |= svm->flush;
	svm->host = svm_cpus[vcpu->cpu].host;
}

/*
 * Exit code -> kind, and the length of the instruction where it is stepped over.  There is no next-RIP everywhere, so
 * the unprefixed length counts; a prefixed form harms only the guest that used it.
 */
static const struct exit_row { uint8_t kind, length; } exit_rows[SVM_EXIT_TABLE] = {
	[SVM_EXIT_READ_CR4] = { EXIT_REGISTER, 0 },
	[SVM_EXIT_WRITE_CR4] = { EXIT_REGISTER, 0 },
	[SVM_EXIT_WRITE_CR8] = { EXIT_REGISTER, 0 },
	[SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR0 + 7] = { EXIT_REGISTER, 0 },
	[SVM_EXIT_INTR ... SVM_EXIT_NMI] = { EXIT_INTERRUPT, 0 },
	[SVM_EXIT_VINTR] = { EXIT_WINDOW, 0 },
	[SVM_EXIT_CPUID] = { EXIT_CPUID, 2 },
	[SVM_EXIT_MSR] = { EXIT_MSR, 2 },
	[SVM_EXIT_HLT] = { EXIT_HLT, 1 },
	[SVM_EXIT_IOIO] = { EXIT_IO, 0 },
	[SVM_EXIT_VMMCALL] = { EXIT_HYPERCALL, 3 },
	[SVM_EXIT_XSETBV] = { EXIT_XSETBV, 3 },
	[SVM_EXIT_INVD] = { EXIT_IGNORE, 2 },
	[SVM_EXIT_WBINVD] = { EXIT_IGNORE, 2 },
	[SVM_EXIT_RDPMC] = { EXIT_PROTECTION, 0 },
	[SVM_EXIT_SHUTDOWN] = { EXIT_SHUTDOWN, 0 },
	[SVM_EXIT_RSM] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_INVLPGA] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_VMRUN] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_MONITOR ... SVM_EXIT_MWAIT_ARMED] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_RDPRU] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_INVLPGB ... SVM_EXIT_INVLPGB_ILLEGAL] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_MCOMMIT ... SVM_EXIT_TLBSYNC] = { EXIT_UNDEFINED, 0 },
	[SVM_EXIT_EXCEPTION + VECTOR_DB] = { EXIT_REFLECT, 0 },
	[SVM_EXIT_EXCEPTION + VECTOR_AC] = { EXIT_REFLECT, 0 },
	[SVM_EXIT_EXCEPTION + VECTOR_MC] = { EXIT_MACHINE_CHECK, 0 },
};

static void decode_io(const struct vcpu *vcpu, const struct vmcb *vmcb, struct vcpu_exit *exit)
{
	uint32_t info = (uint32_t)vmcb->exit_info_1;

	exit->port = (uint16_t)(info >> IOIO_PORT_SHIFT);
	exit->size = info >> IOIO_SIZE_SHIFT & IOIO_SIZE;
	exit->write = !(info & IOIO_IN);
	exit->string = info & (IOIO_STRING | IOIO_REP);
	exit->length = (uint8_t)(vmcb->exit_info_2 - vcpu->regs.rip);
}

static void decode(const struct vcpu *vcpu, const struct vmcb *vmcb, struct vcpu_exit *exit)
{
	uint32_t code = (uint32_t)vmcb->exit_code;

	exit->detail = code;
	if (code >= SVM_EXIT_TABLE) {
		exit->kind = code == SVM_EXIT_NPF	? EXIT_MEMORY
			     : code == SVM_EXIT_INVALID ? EXIT_BAD_STATE
							: EXIT_UNKNOWN;
		if (code == SVM_EXIT_NPF)
			exit->detail = vmcb->exit_info_2;
		return;
	}
	exit->kind = exit_rows[code].kind;
	exit->length = exit_rows[code].length;
	if (exit->kind == EXIT_MSR)
		exit->write = vmcb->exit_info_1 & 1;
	else if (exit->kind == EXIT_IO)
		decode_io(vcpu, vmcb, exit);
	else if (exit->kind == EXIT_REFLECT)
		exit->detail = code - SVM_EXIT_EXCEPTION;
}

/* An event whose delivery the exit cut short goes in again; software interrupts are executed again instead. */
static void keep_event(struct vmcb *vmcb)
{
	uint64_t info = vmcb->exit_int_info, type = info & EVENT_TYPE, vector = info & EVENT_VECTOR;

	if (type == EVENT_TYPE_IRQ || type == EVENT_TYPE_NMI ||
	    (type == EVENT_TYPE_EXCEPTION && vector != VECTOR_BP && vector != VECTOR_OF))
		vmcb->event_inject = info;
}

/* The uncommon entry: with a TLB flush, with breakpoints, or while the guest may still be in an interrupt shadow. */
static void enter_prepared(struct vcpu *vcpu, struct svm_vcpu *svm)
{
	struct vmcb *vmcb = svm->vmcb;

	svm->prepare = svm->flush || svm->armed;        /* to take the flush back next time */
	vmcb->tlb_control = svm->flush ? TLB_FLUSH_ALL : TLB_FLUSH_NONE;
	svm->flush = false;
	svm->held = vcpu->shadow;
	svm->held_rip = vcpu->regs.rip;
	vmcb->interrupt_shadow = vcpu->shadow ? SHADOW_STI : 0;
	vcpu->shadow = false;
	if (svm->armed)
		svm_enter_armed(&vcpu->regs, svm->vmcb_address, svm->host, svm->armed);
	else
		svm_enter(&vcpu->regs, svm->vmcb_address, svm->host);
}

/*
 * The emulator's VMRUN does not load the interrupt shadow.  An exit that did not get past the shadowed instruction
 * would lose it, so it is kept until RIP has moved, a bounded number of times.
 */
static void keep_shadow(struct vcpu *vcpu, struct svm_vcpu *svm, const struct vcpu_exit *exit)
{
	bool stuck = exit->kind == EXIT_INTERRUPT && vcpu->regs.rip == svm->held_rip;

	svm->held = false;
	svm->held_tries = stuck ? svm->held_tries + 1 : 0;
	if (stuck && svm->held_tries <= HELD_TRIES) {
		vcpu->shadow = true;
		svm->prepare = true;
	}
}

static void svm_run(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	struct svm_vcpu *svm = vcpu->arch;
	struct vmcb *vmcb = svm->vmcb;

	vmcb->rax = vcpu->regs.gpr[RAX];
	vmcb->rip = vcpu->regs.rip;
	if (svm->prepare)
		enter_prepared(vcpu, svm);
	else
		svm_enter(&vcpu->regs, svm->vmcb_address, svm->host);
	vcpu->regs.gpr[RAX] = vmcb->rax;
	vcpu->regs.rip = vmcb->rip;
	vcpu->regs.rflags = vmcb->rflags;
	vmcb->event_inject = 0;
	if (vmcb->exit_int_info & EVENT_VALID)
		keep_event(vmcb);
	decode(vcpu, vmcb, exit);
	if (svm->held)
		keep_shadow(vcpu, svm, exit);
	if (vmcb->interrupt_shadow & SHADOW_STI)
		vcpu->shadow = svm->prepare = true;
}

/*
 * The emulator's VMRUN delivers the interrupt but does not forget it: when another of its threads calls the CPU out of
 * the guest before the next exit, it delivers it once more, into the interrupt's own handler.  An interrupt of the
 * host's own that waits already ends the guest right behind the delivery, and with that exit it forgets.
 */
static void svm_inject_irq(struct vcpu *vcpu, uint8_t vector)
{
	vmcb_of(vcpu)->event_inject = EVENT_VALID | EVENT_TYPE_IRQ | vector;
	if (svm_on_emulator)
		cpu_kick(cpu_current());
}

static void svm_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
	vmcb_of(vcpu)->event_inject = EVENT_VALID | EVENT_TYPE_EXCEPTION | vector |
				      (has_error ? EVENT_HAS_ERROR | (uint64_t)error << 32 : 0);
	if (vector == VECTOR_DB)
		vmcb_of(vcpu)->dr7 &= ~DR7_GD;        /* as delivery without an exit does */
}

static void svm_stepped(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	vmcb->rflags &= ~RFLAGS_RF;
	if (!(vmcb->rflags & RFLAGS_TF))
		return;
	vmcb->dr6 |= DR6_BS;
	svm_inject_exception(vcpu, VECTOR_DB, false, 0);
}

static bool svm_event_pending(const struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->event_inject & EVENT_VALID;
}

static void svm_request_window(struct vcpu *vcpu, uint8_t priority)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	vmcb->vintr &= ~(VINTR_IRQ | VINTR_PRIORITY);
	vmcb->intercept.cr &= ~INTERCEPT_CR8_WRITE;
	if (!priority)
		return;
	/*
	 * The emulator opens a window whose class only equals the task priority's, again and again, and falls over a
	 * MOV to CR8 that opens one: there, such a move exits while a window is wanted (svm_access.c).
	 */
	if (svm_on_emulator)
		vmcb->intercept.cr |= INTERCEPT_CR8_WRITE;
	if (!svm_on_emulator || priority > (vmcb->vintr & VINTR_TPR))
		vmcb->vintr |= VINTR_IRQ | (uint64_t)(priority & 15) << VINTR_PRIORITY_SHIFT;
}

static uint8_t svm_get_tpr(const struct vcpu *vcpu)
{
	return (uint8_t)((vmcb_of(vcpu)->vintr & 15) << 4);
}

static void svm_set_tpr(struct vcpu *vcpu, uint8_t tpr)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	vmcb->vintr = (vmcb->vintr & ~VINTR_TPR) | tpr >> 4;
}

static uint64_t svm_get_cr4(const struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->cr4 & ~((const struct svm_vcpu *)vcpu->arch)->cr4_hidden;
}

static unsigned svm_get_cpl(const struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->cpl;
}

static uint64_t svm_get_efer(const struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->efer & ~(uint64_t)EFER_SVME;
}

static bool svm_set_efer(struct vcpu *vcpu, uint64_t value)
{
	struct vmcb *vmcb = vmcb_of(vcpu);
	uint64_t allowed = EFER_SCE | EFER_LME | EFER_NXE;

	if (value & ~(allowed | EFER_LMA))
		return false;
	if (vmcb->cr0 >> 31 & 1 && (value ^ vmcb->efer) & EFER_LME)
		return false;
	vmcb->efer = (vmcb->efer & EFER_LMA) | (value & allowed) | EFER_SVME;
	return true;
}

static uint64_t svm_get_pat(const struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->pat;
}

static void svm_set_pat(struct vcpu *vcpu, uint64_t value)
{
	vmcb_of(vcpu)->pat = value;
}

const struct cpu_backend svm_backend = {
	.name = "SVM",
	.cpu_init = svm_cpu_init,
	.vcpu_reset = svm_vcpu_reset,
	.load = svm_load,
	.run = svm_run,
	.inject_irq = svm_inject_irq,
	.inject_exception = svm_inject_exception,
	.event_pending = svm_event_pending,
	.stepped = svm_stepped,
	.register_access = svm_register_access,
	.request_window = svm_request_window,
	.get_tpr = svm_get_tpr,
	.set_tpr = svm_set_tpr,
	.get_cr4 = svm_get_cr4,
	.get_cpl = svm_get_cpl,
	.get_efer = svm_get_efer,
	.set_efer = svm_set_efer,
	.get_pat = svm_get_pat,
	.set_pat = svm_set_pat,
};
