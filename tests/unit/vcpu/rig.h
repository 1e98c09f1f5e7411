/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU half of the hypervisor over a faked backend and platform: VMs whose exits a test scripts. */
#ifndef TESTS_VCPU_RIG_H
#define TESTS_VCPU_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vcpu.h"

#define RIG_MEMORY (4ull << 20)
#define RIG_LEFT_BEHIND 0xa5

extern uint64_t rig_now;                        /* what time_ns() says */
extern unsigned rig_kicks[LZR_CPU_MAX], rig_audits[32], rig_says, rig_idles, rig_cpu, rig_windows, rig_flushes;
extern unsigned rig_abouts[LZR_VM_MAX];
extern uint64_t rig_audit_arg0, rig_readable;
extern char rig_console[256];
extern uint64_t rig_cr4, rig_efer;
extern uint8_t rig_tpr;
extern bool rig_event;                          /* an event waits for the next entry */
extern int rig_injected_irq, rig_injected_exception;    /* last one, -1: none */
extern uint8_t rig_window;
extern bool rig_seed_left, rig_feeding;
extern struct vcpu_exit rig_access;             /* what the backend's register_access says */

/* What the backend's run() does; NULL: nothing but EXIT_INTERRUPT. */
extern void (*rig_run)(struct vcpu *vcpu, struct vcpu_exit *exit);
extern void (*rig_idle)(uint64_t deadline);
/* Leaves rig_schedule(). */
void rig_leave(void) __attribute__((noreturn));
void rig_schedule(void);
/* What the scheduler does about VMs that stop or start, without running any. */
void rig_settle(void);

/* One image for all; change it before rig_create. */
extern struct image_config rig_image;
/* A machine of `count` VMs, vCPU i of each on CPU placed[i] (NULL: all on CPU 0), budget 5 of 20 ms; started. */
void rig_create(unsigned count, unsigned vcpus, const uint8_t *placed);
int rig_setup(void **state);
int rig_teardown(void **state);

#endif
