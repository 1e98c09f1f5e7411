/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void svm_enter(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host)
 *
 * Enters the guest of `vmcb` (physical) and comes back at its exit.  `host` is the physical address of the block that
 * holds this CPU's own FS, GS, TR, LDTR, STAR and SYSENTER state.  The global interrupt flag is clear from before the
 * guest's state is loaded until the host's is back, so neither NMI nor #MC is taken with a guest's TR or GS.
 * Interrupts are enabled only so that VMRUN takes "interrupts may end the guest" from it; STI does not come right
 * before VMRUN, because the emulator would carry its shadow into the guest.  No register holds a guest's value when the
 * compiler's code goes on.
 */
	.section .text, "ax", @progbits
	.globl svm_enter
	.balign 64
svm_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	push	%rdx
	mov	%rsi, %rax
	clgi
	sti
	vmload	%rax
	mov	0x08(%rdi), %rcx
	mov	0x10(%rdi), %rdx
	mov	0x18(%rdi), %rbx
	mov	0x28(%rdi), %rbp
	mov	0x30(%rdi), %rsi
	mov	0x40(%rdi), %r8
	mov	0x48(%rdi), %r9
	mov	0x50(%rdi), %r10
	mov	0x58(%rdi), %r11
	mov	0x60(%rdi), %r12
	mov	0x68(%rdi), %r13
	mov	0x70(%rdi), %r14
	mov	0x78(%rdi), %r15
	mov	0x38(%rdi), %rdi
	vmrun	%rax
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
	mov	%r8, 0x40(%rax)
	mov	%r9, 0x48(%rax)
	mov	%r10, 0x50(%rax)
	mov	%r11, 0x58(%rax)
	mov	%r12, 0x60(%rax)
	mov	%r13, 0x68(%rax)
	mov	%r14, 0x70(%rax)
	mov	%r15, 0x78(%rax)
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	cli
	stgi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

	.section .note.GNU-stack, "", @progbits
