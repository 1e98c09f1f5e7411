/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void svm_enter(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host)
 * void svm_enter_armed(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host, uint64_t dr7)
 *
 * Enters the guest of `vmcb` (physical) and comes back at its exit.  `host` is the physical address of the block that
 * holds this CPU's own FS, GS, TR, LDTR, STAR and SYSENTER state.  The global interrupt flag is clear from before the
 * guest's state is loaded until the host's is back, so neither NMI nor #MC is taken with a guest's TR or GS.
 * Interrupts are enabled only so that VMRUN takes "interrupts may end the guest" from it; STI does not come right
 * before VMRUN, because the emulator would carry its shadow into the guest.  No register holds a guest's value when the
 * compiler's code goes on.
 *
 * The second one has `dr7` in DR7 around VMRUN (svm_access.c says why).  Between the two moves it touches nothing but
 * its own code and this stack, where no breakpoint is left in it.
 */
#include "layout.h"

	.section .text, "ax", @progbits

	.macro	enter name armed
	.globl	\name
	.balign 64
\name:
	.irp	r, rbp, rbx, r12, r13, r14, r15, rdi, rdx
	push	%\r
	.endr
	mov	%rsi, %rax
	clgi
	sti
	vmload	%rax
	.if	\armed
	push	%rax
	mov	%rcx, %rax
	.endif
	mov	0x08(%rdi), %rcx
	mov	0x10(%rdi), %rdx
	mov	0x18(%rdi), %rbx
	mov	0x28(%rdi), %rbp
	mov	0x30(%rdi), %rsi
	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	8 * \n(%rdi), %r\n
	.endr
	mov	0x38(%rdi), %rdi
	.if	\armed
	mov	%rax, %dr7
	mov	(%rsp), %rax
	.endif
	vmrun	%rax
	.if	\armed
	mov	$DR7_OFF, %eax
	mov	%rax, %dr7
	pop	%rax
	.endif
	vmsave	%rax
	pop	%rax
	vmload	%rax
	pop	%rax
	mov	%rcx, 0x08(%rax)
	mov	%rdx, 0x10(%rax)
	mov	%rbx, 0x18(%rax)
	mov	%rbp, 0x28(%rax)
	mov	%rsi, 0x30(%rax)
	mov	%rdi, 0x38(%rax)
	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	%r\n, 8 * \n(%rax)
	.endr
	.irp	r, ecx, edx, esi, edi, r8d, r9d, r10d, r11d
	xor	%\r, %\r
	.endr
	cli
	stgi
	.irp	r, r15, r14, r13, r12, rbx, rbp
	pop	%\r
	.endr
	ret
	.endm

	enter	svm_enter 0
	enter	svm_enter_armed 1

	.section .note.GNU-stack, "", @progbits
