/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of a test guest: 64-bit mode on boot_pml4, a one-to-one map of the first 4 GiB, interrupts off.  Vectors 0-31
 * go to guest_trap(), TG_VECTOR only counts and ends the interrupt.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	mov	$stack_top, %rsp
	lgdt	gdt_pointer
	lidt	idt_pointer
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	push	$0x08
	push	$reload
	lretq
reload:
	mov	%cr0, %rax
	and	$~0xc, %rax
	or	$2, %rax
	mov	%rax, %cr0
	mov	%cr4, %rax
	or	$0x600, %rax			/* SSE */
	mov	%rax, %cr4
	call	guest_setup
	call	guest_main
	cli
1:	hlt
	jmp	1b

	.globl irq_entry
irq_entry:
	incl	irq_count
	push	%rax
	push	%rcx
	push	%rdx
	mov	$0x80b, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

/* 16 bytes each; those that push no error code push a zero. */
	.balign	16
	.globl trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	32
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr
	.balign	16
trap_common:
	push	%rax
	mov	8(%rsp), %rax
	mov	%eax, fault_vector
	mov	fault_recover, %rax
	test	%rax, %rax
	jz	1f
	mov	%rax, 24(%rsp)
	pop	%rax
	add	$16, %rsp
	iretq
1:	mov	8(%rsp), %rdi
	mov	24(%rsp), %rsi
	call	guest_trap
	cli
	hlt

	.section .data, "aw"
	.balign	4096
	.globl boot_pml4
boot_pml4:
	.quad	pdpt + 3
	.fill	511, 8, 0
pdpt:
	.quad	directory + 3, directory + 4096 + 3, directory + 8192 + 3, directory + 12288 + 3
	.fill	508, 8, 0
directory:
	.set	page, 0
	.rept	2048
	.quad	page + 0x83
	.set	page, page + 0x200000
	.endr
	.balign	8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	23
	.quad	gdt
	.balign	8
idt_pointer:
	.word	4095
	.quad	idt

	.section .bss, "aw", @nobits
	.balign	4096
	.globl idt
idt:	.skip	4096
	.skip	8192
stack_top:
	.globl fault_recover, fault_vector, irq_count
fault_recover:
	.skip	8
fault_vector:
	.skip	4
irq_count:
	.skip	4
	.section .note.GNU-stack, "", @progbits
