/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First instructions.  In: RDI = physical address of the hand-off, the loader's tables (one-to-one map of the first 512
 * GiB, which is entry 0 of the top level), interrupts off.  Makes the same 512 GiB visible at DIRECT_BASE, so that
 * hpa_ptr() works from the first line of C, and takes a stack of its own.
 */
#include "layout.h"

	.section .text, "ax", @progbits
	.globl _start
_start:
	cli
	cld
	mov	$boot_pml4, %rbx
	mov	%cr3, %rsi
	and	$~0xfff, %rsi
	mov	(%rsi), %rax			/* one-to-one map: also at DIRECT_BASE */
	mov	%rax, (%rbx)
	mov	%rax, (DIRECT_SLOT * 8)(%rbx)
	mov	(511 * 8)(%rsi), %rax		/* the image */
	mov	%rax, (511 * 8)(%rbx)
	sub	$image_start, %rbx
	add	BOOT_IMAGE_BASE(%rdi), %rbx
	mov	%rbx, %cr3
	mov	$boot_stack + BOOT_STACK_SIZE, %rsp
	xor	%ebp, %ebp
	call	hv_main
	ud2

	.section .bss, "aw", @nobits
	.balign	4096
boot_pml4:
	.skip	4096
boot_stack:
	.skip	BOOT_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
