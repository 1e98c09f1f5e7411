/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of a bare-metal VM: 64-bit mode, paging on with some identity map of this code, interrupts off, nothing
 * else taken for granted.  Sets up its own tables and calls rt_main.  The map is static and W^X: text, read-only
 * data and data lie in 2 MiB pages of their own (rt.lds); nothing is mapped at 0, nor between the end of RAM and
 * the windows for devices.
 */
#define MSR_EFER 0xc0000080
#define MSR_FS_BASE 0xc0000100
#define EFER_NXE 0x800
#define CR0_MP 0x2
#define CR0_EM_TS 0xc
#define CR0_NE_WP 0x10020
#define CR4_SSE 0x600
#define CR4_PGE 0x80

#define PAGE_TEXT 0xa1			/* present, large, accessed */
#define PAGE_READ 0x80000000000000a1	/* and no-execute */
#define PAGE_DATA 0x80000000000000e3	/* and writable, dirty */
#define PAGE_DEVICE 0x80000000000000fb	/* and uncached */
#define PAGE_TABLE 0x23

	.section .text.start, "ax"
	.code64
	.globl	_start
_start:
	cld
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_NXE, %eax
	wrmsr
	movl	$boot_pml4, %eax
	movq	%rax, %cr3
	movq	%cr0, %rax
	andl	$~CR0_EM_TS, %eax
	orl	$(CR0_MP | CR0_NE_WP), %eax
	movq	%rax, %cr0
	movq	%cr4, %rax
	orl	$(CR4_SSE | CR4_PGE), %eax
	movq	%rax, %cr4
	fninit
	movl	$stack_top, %esp
	lgdt	gdt_pointer
	pushq	$0x08
	pushq	$reload
	lretq
reload:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	lldt	%ax
	/* The stack protector's canary is at FS:0x28. */
	rdtsc
	movl	%eax, fs_area + 0x29
	movl	$MSR_FS_BASE, %ecx
	movl	$fs_area, %eax
	xorl	%edx, %edx
	wrmsr
	xorl	%ebp, %ebp
	call	rt_main
	call	rt_stop

	/*
	 * Interrupts are on only inside cpu_idle, and all they do is end it: who waits looks at the rings afterwards.
	 */
	.globl	trap_interrupt
trap_interrupt:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	movl	$0x80b, %ecx		/* x2APIC end of interrupt */
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	popq	%rdx
	popq	%rcx
	popq	%rax
	.globl	trap_spurious
trap_spurious:
	iretq

	/* Exceptions end the VM: 16 bytes of code each, so that the address follows from the number. */
	.balign	16
	.globl	trap_exceptions
trap_exceptions:
	.set	vector, 0
	.rept	32
	.balign	16
	movl	$vector, %edi
	jmp	exception
	.set	vector, vector + 1
	.endr
exception:
	movq	%rsp, %rsi
	movq	%cr2, %rdx
	andq	$~15, %rsp
	cld
	call	trap_fatal

	/* Interrupts on, halt, interrupts off: STI's shadow covers the HLT, so no wake-up is lost in between. */
	.globl	cpu_idle
cpu_idle:
	sti
	hlt
	cli
	ret

	.section .rodata
	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt

	.section .data.tables, "aw"
	.balign	4096
	.globl	boot_pml4
boot_pml4:
	.quad	pdpt + PAGE_TABLE
	.fill	511, 8, 0
pdpt:
	.quad	pd_ram + PAGE_TABLE
	.quad	0
	.quad	pd_low + PAGE_TABLE
	.quad	pd_high + PAGE_TABLE
	.fill	508, 8, 0
pd_ram:	/* 32 MiB */
	.quad	0
	.quad	0x200000 + PAGE_TEXT
	.quad	0x400000 + PAGE_READ
	.set	address, 0x600000
	.rept	5
	.quad	address + PAGE_DATA
	.set	address, address + 0x200000
	.endr
	.quad	0x1000000 + PAGE_READ	/* configuration */
	.set	address, 0x1200000
	.rept	7
	.quad	address + PAGE_DATA
	.set	address, address + 0x200000
	.endr
	.fill	496, 8, 0
	.set	address, 0x80000000
pd_low:	/* device windows: 2 GiB to 4 GiB */
	.rept	512
	.quad	address + PAGE_DEVICE
	.set	address, address + 0x200000
	.endr
pd_high:
	.rept	512
	.quad	address + PAGE_DEVICE
	.set	address, address + 0x200000
	.endr

	.bss
	.balign	16
fs_area:
	.skip	64
stack:
	.skip	65536
stack_top:
	.section .note.GNU-stack, "", @progbits
