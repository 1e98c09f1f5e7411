/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start of an application processor: from real mode straight to long mode on the hypervisor's tables.  Copied to the
 * start-up page; smp.c fills in the words at the end.  AMD64 Architecture Programmer's Manual, volume 2, "Long-Mode
 * Initialization and Activation".
 */
	.section .rodata, "a", @progbits
	.globl	ap_start, ap_far, ap_gdt_pointer, ap_cr3, ap_stack, ap_entry, ap_argument, ap_end
	.code16
ap_start:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	ap_gdt_pointer - ap_start
	mov	$0x20, %eax			/* CR4.PAE */
	mov	%eax, %cr4
	mov	ap_cr3 - ap_start, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx		/* EFER: LME, NXE */
	rdmsr
	or	$0x900, %eax
	wrmsr
	mov	$0x80010013, %eax		/* CR0: PG, WP, ET, MP, PE; caches on */
	mov	%eax, %cr0
	ljmpl	*(ap_far - ap_start)
	.code64
ap_long:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	ap_stack(%rip), %rsp
	mov	ap_argument(%rip), %rdi
	xor	%ebp, %ebp
	call	*ap_entry(%rip)
	ud2

	.balign	8
ap_gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
ap_gdt_pointer:
	.word	ap_gdt_pointer - ap_gdt - 1
	.long	ap_gdt - ap_start		/* + page */
ap_far:
	.long	ap_long - ap_start		/* + page */
	.word	0x08
	.balign	8
ap_cr3:
	.quad	0
ap_stack:
	.quad	0
ap_entry:
	.quad	0
ap_argument:
	.quad	0
ap_end:

	.section .note.GNU-stack, "", @progbits
