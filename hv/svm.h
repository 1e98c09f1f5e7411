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
	bool held;                      /* [v] entered in an interrupt shadow, at held_rip */
	unsigned held_tries;            /* [v] entries that did not get past held_rip */
	uint64_t held_rip;              /* [v] */
};

struct svm_cpu {
	uint64_t hsave;                 /* physical: where VMRUN keeps the host */
	uint64_t host;                  /* physical: FS, GS, TR, ... of the host, for VMSAVE and VMLOAD */
};

extern struct svm_cpu svm_cpus[LZR_CPU_MAX];
extern bool svm_repeats_irqs;           /* the emulator's fault, svm_inject_irq */
extern const struct cpu_backend svm_backend;
extern const struct cpu_backend_boot svm_backend_boot;

void svm_enter(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host);

#endif
