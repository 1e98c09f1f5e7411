/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU of the SVM backend with the entry itself faked. */
#ifndef SVM_RIG_H
#define SVM_RIG_H

#include "cpu_fake.h"
#include "svm.h"

#define HOST_AT(cpu) (0x100000u + (cpu) * 0x1000u)

extern struct vmcb vmcb, seen;          /* as the CPU has it; as it was at the last entry */
extern struct vcpu_regs seen_regs;
extern struct svm_vcpu svm;
extern struct vcpu vcpu;                /* on CPU 2 */
extern struct vcpu_exit out;            /* of the last run */
extern unsigned entries, kicks, current;
extern uint32_t attention;
extern uint64_t armed;                  /* DR7 around the last entry with breakpoints */
extern void (*guest)(void);             /* what the guest does until its exit */

/* A cmocka setup function: reset, in long mode at 16 MiB, loaded. */
int svm_rig_reset(void **state);
void run(void);

#define TEST(name) cmocka_unit_test_setup(name, svm_rig_reset)

#endif
