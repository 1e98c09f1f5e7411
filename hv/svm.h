/* SPDX-License-Identifier: Apache-2.0 */
/* What the run-time and the boot half of the SVM backend share. */
#ifndef HV_SVM_H
#define HV_SVM_H

#include "svm_regs.h"
#include "vcpu.h"

struct svm_vcpu {
	struct vmcb *vmcb;              /* [I] */
	uint64_t vmcb_address;          /* [I] */
	uint64_t host;                  /* [v] svm_cpus[] of its CPU */
	bool shares_asid;               /* [I] flushed whenever it takes its CPU over from another */
	bool prepare;                   /* [v] the next entry is not a plain one */
	bool flush;                     /* [v] before the next entry */
	uint32_t armed;                 /* [v] DR7 as the emulator's VMRUN needs it; 0: no breakpoint */
	uint64_t cr4_hidden;            /* [v] bits of the CPU's CR4 that the guest does not see */
	bool held;                      /* [v] entered in an interrupt shadow, at held_rip */
	unsigned held_tries;            /* [v] entries that did not get past held_rip */
	uint64_t held_rip;              /* [v] */
};

struct svm_cpu {
	uint64_t hsave;                 /* physical: where VMRUN keeps the host */
	uint64_t host;                  /* physical: FS, GS, TR, ... of the host, for VMSAVE and VMLOAD */
};

extern struct svm_cpu svm_cpus[LZR_CPU_MAX];
extern bool svm_on_emulator;            /* see arm (svm_access.c), svm_inject_irq, svm_request_window */
extern const struct cpu_backend svm_backend;
extern const struct cpu_backend_boot svm_backend_boot;

void svm_enter(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host);
/* The same with breakpoints, on the emulator. */
void svm_enter_armed(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host, uint64_t dr7);

/* svm_access.c */
/* cpu.h: register_access. */
void svm_register_access(struct vcpu *vcpu, struct vcpu_exit *exit);
/* CR4 as the guest sees it. */
void svm_set_cr4(struct svm_vcpu *svm, uint64_t value);

#endif
