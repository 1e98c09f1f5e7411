/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVM backend: accesses to CR4, CR8 and the debug registers.  CR4 exits because machine checks stay on whatever the
 * guest writes, and because it must not switch on what its CPUID does not show; debug registers because breakpoints of
 * a guest must be armed in that guest only.
 *
 * Not every CPU says which general register such an instruction names, and the hypervisor does not read a guest's code.
 * So the instruction runs once, alone, with a mark in each general register: the mark that arrives tells which it was.
 * Marks switch no breakpoint on and no machine check off.
 * AMD64 Architecture Programmer's Manual, volume 2, "Debug Registers", "CR4 Register", "VMRUN Instruction".
 */
#include <arch_x86.h>

#include "layout.h"
#include "svm.h"

/* Four bits in two pairs that lie six apart: in CR4 TSD, DE, PCE and OSFXSR, in DR7 two of the types and lengths. */
#define MARK_CR4 2u
#define MARK_DR 16u
#define MARK(number, at) (((number) & 3ull) << (at) | ((number) >> 2 & 3ull) << ((at) + 6))
#define MARKED(value, at) (((value) >> (at) & 3) | ((value) >> ((at) + 6) & 3) << 2)

/*
 * Runs the guest's next instruction as it stands, or (`at` not 0) with `base` and marks in the general registers, which
 * are the guest's again afterwards.  False if something else came first: then it did not run, and goes in again.  No
 * exception reaches the guest from here, so a shutdown can only be a machine check's.
 */
static bool step(struct vcpu *vcpu, struct vcpu_exit *exit, uint64_t base, unsigned at)
{
	struct svm_vcpu *svm = vcpu->arch;
	struct vmcb *vmcb = svm->vmcb;
	const struct vmcb_intercepts intercept = vmcb->intercept;
	const uint64_t rflags = vmcb->rflags, dr6 = vmcb->dr6, rsp = vmcb->rsp;
	const struct vcpu_regs regs = vcpu->regs;
	uint32_t code;

	for (unsigned i = 0; at && i < ARRAY_LENGTH(regs.gpr); i++)
		vcpu->regs.gpr[i] = base | MARK(i, at);
	vmcb->rsp = at ? base | MARK(RSP, at) : rsp;
	vmcb->rax = vcpu->regs.gpr[RAX];
	vmcb->rflags = rflags | RFLAGS_TF;
	vmcb->intercept = (struct vmcb_intercepts){ .exceptions = UINT32_MAX };
	svm_enter(&vcpu->regs, svm->vmcb_address, svm->host);
	vcpu->regs.gpr[RAX] = vmcb->rax;
	if (at) {
		vcpu->regs = regs;
		vmcb->rsp = rsp;
	}
	vmcb->rflags = rflags;
	vmcb->dr6 = dr6;
	vmcb->intercept = intercept;
	code = (uint32_t)vmcb->exit_code;
	exit->length = (uint8_t)(vmcb->rip - regs.rip);
	exit->kind = code == SVM_EXIT_EXCEPTION + VECTOR_DB ? EXIT_IGNORE :
		     code == SVM_EXIT_EXCEPTION + VECTOR_UD ? EXIT_UNDEFINED :
		     code == SVM_EXIT_EXCEPTION + VECTOR_MC || code == SVM_EXIT_SHUTDOWN ? EXIT_MACHINE_CHECK :
		     EXIT_INTERRUPT;
	return exit->kind == EXIT_IGNORE;
}

/* What the guest's instruction moves, once it is known which register it names. */
static uint64_t operand(const struct vcpu *vcpu, const struct vmcb *vmcb, uint64_t number)
{
	uint64_t value = number == RSP ? vmcb->rsp : vcpu->regs.gpr[number];

	return vmcb->efer & EFER_LMA && vmcb->cs.attributes & SEGMENT_LONG ? value : (uint32_t)value;
}

void svm_set_cr4(struct svm_vcpu *svm, uint64_t value)
{
	svm->cr4_hidden = CR4_MCE & ~value;
	svm->vmcb->cr4 = value | CR4_MCE;
	svm->vmcb->intercept.cr = (svm->vmcb->intercept.cr & INTERCEPT_CR8_WRITE) | INTERCEPT_CR4_WRITE |
				  (svm->cr4_hidden ? INTERCEPT_CR4_READ : 0);
}

static void access_cr4(struct vcpu *vcpu, struct svm_vcpu *svm, struct vcpu_exit *exit)
{
	struct vmcb *vmcb = svm->vmcb;
	uint64_t old = vmcb->cr4, value;

	if (exit->detail == SVM_EXIT_READ_CR4) {
		vmcb->cr4 = old & ~svm->cr4_hidden;     /* for the one instruction that reads it */
		(void)step(vcpu, exit, 0, 0);
		vmcb->cr4 = old;
		return;
	}
	if (!step(vcpu, exit, old & ~MARK(15u, MARK_CR4), MARK_CR4))
		return;
	value = operand(vcpu, vmcb, MARKED(vmcb->cr4, MARK_CR4));
	vmcb->cr4 = old;
	if (value & ~vcpu->private->cr4_bits || (vmcb->efer & EFER_LMA && !(value & CR4_PAE))) {
		exit->kind = EXIT_PROTECTION;
		return;
	}
	svm_set_cr4(svm, value);
	svm->flush = svm->prepare = true;       /* as the CPU does when paging changes */
}

/* Without the window that was wanted; whether there still is one to want is looked at anew. */
static void write_cr8(struct vcpu *vcpu, struct svm_vcpu *svm, struct vcpu_exit *exit)
{
	svm->vmcb->vintr &= ~VINTR_IRQ;
	(void)step(vcpu, exit, 0, 0);
	vcpu_attention(vcpu, ATTENTION_IRQ);
}

/*
 * The emulator keeps a list of breakpoints that MOV to DR7 makes and that fires whatever DR7 holds since: VMRUN and
 * #VMEXIT leave it as it is.  So DR7 is moved right before VMRUN and right behind the exit, and no breakpoint gets into
 * the list that lies where root mode's own code and stacks are.  A CPU needs none of this.
 */
static void arm(struct vcpu *vcpu, struct svm_vcpu *svm)
{
	uint64_t dr7 = svm->vmcb->dr7 & ~DR7_GD;

	for (unsigned i = 0; i < ARRAY_LENGTH(vcpu->xstate.dr); i++)
		if (vcpu->xstate.dr[i] - HOST_FIRST < HOST_LENGTH)
			dr7 &= ~(3ull << 2 * i);
	svm->armed = svm_on_emulator && dr7 & DR7_ENABLED ? (uint32_t)dr7 : 0;
	svm->prepare = true;
}

static void write_dr(struct vcpu *vcpu, struct svm_vcpu *svm, struct vcpu_exit *exit, unsigned number)
{
	struct vmcb *vmcb = svm->vmcb;
	uint64_t dr7 = vmcb->dr7, value, *dr = vcpu->xstate.dr;

	if (dr7 & DR7_GD) {
		vmcb->dr6 |= DR6_BD;
		*exit = (struct vcpu_exit){ .kind = EXIT_REFLECT, .detail = VECTOR_DB };
		return;
	}
	vmcb->dr7 = DR7_OFF;
	if (step(vcpu, exit, DR7_OFF, MARK_DR)) {
		arch_read_debug(dr);
		value = operand(vcpu, vmcb, MARKED(number < 4 ? dr[number] : vmcb->dr7, MARK_DR));
		if (number < 4)
			dr[number] = value;
		else if (value >> 32)
			exit->kind = EXIT_PROTECTION;
		else
			dr7 = (value & ~DR7_ZERO) | DR7_OFF;
		arch_write_debug(dr);
	}
	vmcb->dr7 = dr7;
	arm(vcpu, svm);
}

void svm_register_access(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	struct svm_vcpu *svm = vcpu->arch;

	if (exit->detail >= SVM_EXIT_WRITE_DR0)
		write_dr(vcpu, svm, exit, exit->detail & 7);
	else if (exit->detail == SVM_EXIT_WRITE_CR8)
		write_cr8(vcpu, svm, exit);
	else
		access_cr4(vcpu, svm, exit);
}
