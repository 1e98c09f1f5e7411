/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of every vector, 16 bytes each: trap_stubs + 16 * vector.  Root mode runs with interrupts off, so interrupts
 * come only in host_interrupt_window() and cpu_idle(); GS base is the CPU's own whenever one can come.
 */
	.text
	.balign	16
	.globl	trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.set	has_code, (vector == 8) | ((vector >= 10) & (vector <= 14)) | (vector == 17) | (vector == 21)
	.if	has_code | (vector == 29) | (vector == 30)
	push	$vector				/* the CPU pushed an error code */
	.else
	push	$0
	push	$vector
	.endif
	jmp	trap_common
	.set	vector, vector + 1
	.endr

trap_common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$~0xf, %rsp
	call	trap_handle
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

/* void gdt_load(const struct descriptor_pointer *): GDT, segments, task register.  Each CPU once, at boot. */
	.section .boot.text, "ax", @progbits
	.globl	gdt_load
gdt_load:
	lgdt	(%rdi)
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$0x18, %eax
	ltr	%ax
	pop	%rax
	push	$0x08
	push	%rax
	lretq

	.text
/* void stack_switch(uint64_t top, void (*function)(void *), void *argument): does not return. */
	.globl	stack_switch
stack_switch:
	mov	%rdi, %rsp
	mov	%rdx, %rdi
	xor	%ebp, %ebp
	call	*%rsi
	ud2

	.section .note.GNU-stack, "", @progbits
