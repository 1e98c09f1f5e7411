/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD's virtual machine control block and MSRs.
 * AMD64 Architecture Programmer's Manual, volume 2, "VMCB Layout", "SVM Intercept Exit Codes", "SVM Related MSRs".
 */
#ifndef HV_SVM_REGS_H
#define HV_SVM_REGS_H

#include <stddef.h>
#include <stdint.h>

#define MSR_VM_CR 0xc0010114u
#define   VM_CR_SVMDIS (1u << 4)
#define MSR_VM_HSAVE_PA 0xc0010117u

#define CPUID_SVM 0x8000000au
#define   SVM_EDX_NPT (1u << 0)

struct vmcb_segment {
	uint16_t selector;
	uint16_t attributes;            /* descriptor bits 55:52 and 47:40 */
	uint32_t limit;
	uint64_t base;
};

#define SEGMENT_CODE16 0x09bu
#define SEGMENT_CODE32 0xc9bu
#define SEGMENT_CODE64 0xa9bu
#define SEGMENT_DATA16 0x093u
#define SEGMENT_DATA32 0xc93u
#define SEGMENT_LONG 0x200u             /* of a code segment */
#define SEGMENT_LDT 0x082u
#define SEGMENT_TSS 0x08bu

struct vmcb {
	struct vmcb_intercepts { uint32_t cr, dr, exceptions; } intercept;
	uint32_t intercept_1;
	uint32_t intercept_2;
	uint32_t intercept_3;
	uint8_t reserved0[0x28];
	uint64_t iopm_base;
	uint64_t msrpm_base;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint64_t vintr;
	uint64_t interrupt_shadow;
	uint64_t exit_code;
	uint64_t exit_info_1;
	uint64_t exit_info_2;
	uint64_t exit_int_info;
	uint64_t nested_control;
	uint8_t reserved1[0x10];
	uint64_t event_inject;
	uint64_t nested_cr3;
	uint64_t lbr_control;
	uint64_t clean;
	uint64_t next_rip;
	uint8_t reserved2[0x330];

	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved3[0x2b];
	uint8_t cpl;
	uint8_t reserved4[4];
	uint64_t efer;
	uint8_t reserved5[0x70];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved6[0x58];
	uint64_t rsp;
	uint8_t reserved7[0x18];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved8[0x20];
	uint64_t pat;
	uint64_t debug_control;
	uint8_t reserved9[0x988];
};
_Static_assert(sizeof(struct vmcb_segment) == 16, "VMCB segment");
_Static_assert(sizeof(struct vmcb) == 4096, "VMCB");
_Static_assert(offsetof(struct vmcb, iopm_base) == 0x40, "VMCB control area");
_Static_assert(offsetof(struct vmcb, asid) == 0x58, "VMCB control area");
_Static_assert(offsetof(struct vmcb, vintr) == 0x60, "VMCB control area");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "VMCB control area");
_Static_assert(offsetof(struct vmcb, nested_control) == 0x90, "VMCB control area");
_Static_assert(offsetof(struct vmcb, event_inject) == 0xa8, "VMCB control area");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "VMCB control area");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, cpl) == 0x400 + 0xcb, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, efer) == 0x400 + 0xd0, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, cr4) == 0x400 + 0x148, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, rip) == 0x400 + 0x178, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, rsp) == 0x400 + 0x1d8, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, rax) == 0x400 + 0x1f8, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, cr2) == 0x400 + 0x240, "VMCB state save area");
_Static_assert(offsetof(struct vmcb, pat) == 0x400 + 0x268, "VMCB state save area");

/* intercept.cr, intercept.dr: reads below, writes above; DR5 is another name of DR7. */
#define INTERCEPT_CR4_READ (1u << 4)
#define INTERCEPT_CR4_WRITE (1u << 20)
#define INTERCEPT_CR8_WRITE (1u << 24)
#define INTERCEPT_DR_WRITES 0x00af0000u
/* intercept_1 */
#define INTERCEPT_INTR (1u << 0)
#define INTERCEPT_NMI (1u << 1)
#define INTERCEPT_INIT (1u << 3)
#define INTERCEPT_VINTR (1u << 4)
#define INTERCEPT_RDPMC (1u << 15)
#define INTERCEPT_CPUID (1u << 18)
#define INTERCEPT_RSM (1u << 19)
#define INTERCEPT_INVD (1u << 22)
#define INTERCEPT_HLT (1u << 24)
#define INTERCEPT_INVLPGA (1u << 26)
#define INTERCEPT_IO (1u << 27)
#define INTERCEPT_MSR (1u << 28)
#define INTERCEPT_FERR (1u << 30)
#define INTERCEPT_SHUTDOWN (1u << 31)
/* intercept_2 */
#define INTERCEPT_VMRUN (1u << 0)
#define INTERCEPT_VMMCALL (1u << 1)
#define INTERCEPT_VMLOAD (1u << 2)
#define INTERCEPT_VMSAVE (1u << 3)
#define INTERCEPT_STGI (1u << 4)
#define INTERCEPT_CLGI (1u << 5)
#define INTERCEPT_SKINIT (1u << 6)
#define INTERCEPT_WBINVD (1u << 9)
#define INTERCEPT_MONITOR (1u << 10)
#define INTERCEPT_MWAIT (1u << 11)
#define INTERCEPT_MWAIT_ARMED (1u << 12)
#define INTERCEPT_XSETBV (1u << 13)
#define INTERCEPT_RDPRU (1u << 14)
/* intercept_3 */
#define INTERCEPT_INVLPGB (1u << 0)
#define INTERCEPT_INVLPGB_ILLEGAL (1u << 1)
#define INTERCEPT_MCOMMIT (1u << 3)
#define INTERCEPT_TLBSYNC (1u << 4)

#define TLB_FLUSH_NONE 0u
#define TLB_FLUSH_ALL 1u

#define VINTR_TPR 0xffull               /* bits 3:0 = TPR 7:4 */
#define VINTR_IRQ (1ull << 8)
#define VINTR_PRIORITY_SHIFT 16
#define VINTR_PRIORITY (0xfull << VINTR_PRIORITY_SHIFT)
#define VINTR_MASKING (1ull << 24)

#define SHADOW_STI 1ull

#define NESTED_PAGING 1ull

#define EVENT_VECTOR 0xffull
#define EVENT_TYPE 0x700ull
#define   EVENT_TYPE_IRQ 0x000ull
#define   EVENT_TYPE_NMI 0x200ull
#define   EVENT_TYPE_EXCEPTION 0x300ull
#define EVENT_HAS_ERROR (1ull << 11)
#define EVENT_VALID (1ull << 31)

enum {
	SVM_EXIT_READ_CR4 = 0x04,
	SVM_EXIT_WRITE_CR4 = 0x14,
	SVM_EXIT_WRITE_CR8 = 0x18,
	SVM_EXIT_WRITE_DR0 = 0x30,      /* + number */
	SVM_EXIT_EXCEPTION = 0x40,      /* + vector */
	SVM_EXIT_INTR = 0x60,
	SVM_EXIT_NMI = 0x61,
	SVM_EXIT_INIT = 0x63,
	SVM_EXIT_VINTR = 0x64,
	SVM_EXIT_RDPMC = 0x6f,
	SVM_EXIT_CPUID = 0x72,
	SVM_EXIT_RSM = 0x73,
	SVM_EXIT_INVD = 0x76,
	SVM_EXIT_HLT = 0x78,
	SVM_EXIT_INVLPGA = 0x7a,
	SVM_EXIT_IOIO = 0x7b,
	SVM_EXIT_MSR = 0x7c,
	SVM_EXIT_SHUTDOWN = 0x7f,
	SVM_EXIT_VMRUN = 0x80,
	SVM_EXIT_VMMCALL = 0x81,
	SVM_EXIT_VMLOAD = 0x82,
	SVM_EXIT_VMSAVE = 0x83,
	SVM_EXIT_STGI = 0x84,
	SVM_EXIT_CLGI = 0x85,
	SVM_EXIT_SKINIT = 0x86,
	SVM_EXIT_WBINVD = 0x89,
	SVM_EXIT_MONITOR = 0x8a,
	SVM_EXIT_MWAIT = 0x8b,
	SVM_EXIT_MWAIT_ARMED = 0x8c,
	SVM_EXIT_XSETBV = 0x8d,
	SVM_EXIT_RDPRU = 0x8e,
	SVM_EXIT_INVLPGB = 0xa0,
	SVM_EXIT_INVLPGB_ILLEGAL = 0xa1,
	SVM_EXIT_MCOMMIT = 0xa3,
	SVM_EXIT_TLBSYNC = 0xa4,
	SVM_EXIT_TABLE = 0xa5,          /* codes below this one are looked up */
	SVM_EXIT_NPF = 0x400,
};
#define SVM_EXIT_INVALID 0xffffffffu    /* low half: the emulator writes 32 bits */

/* Exit information of SVM_EXIT_IOIO, "IOIO Intercept Information". */
#define IOIO_IN (1u << 0)
#define IOIO_STRING (1u << 2)
#define IOIO_REP (1u << 3)
#define IOIO_SIZE_SHIFT 4
#define IOIO_SIZE 7u
#define IOIO_PORT_SHIFT 16

#endif
