/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime of a bare-metal VM.  One CPU, no preemption: interrupts are off except inside cpu_idle, where they only end
 * the wait.  rt_main is the program.
 */
#ifndef RT_RT_H
#define RT_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lazaret/hypercall.h>

#define RT_VECTOR 0x40                  /* every device's interrupt */
#define RT_DEBUG_PORT 0xe9

void rt_main(void);

/* A line or part of one on the debug console: %s %c %u %x %lu %lx %%, with %0Nx for N digits. */
void rt_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says why and stops the VM. */
void rt_panic(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Halts with interrupts off, which ends the VM. */
void rt_stop(void) __attribute__((noreturn));

struct rt_result {
	uint64_t status;                /* enum lzr_status */
	uint64_t value[4];              /* RBX, RCX, RDX, RSI */
};
/* A hypercall (lazaret/hypercall.h). */
struct rt_result rt_call(enum lzr_call number, uint64_t argument0, uint64_t argument1);
/* The hypervisor's clock. */
uint64_t rt_clock(void);

/* Loads the interrupt table and switches the local APIC (x2APIC) on. */
void trap_init(void);
/* Address and data of a message-signalled interrupt to this CPU. */
uint64_t trap_msi_address(void);
uint32_t trap_msi_data(void);
/* Waits for an interrupt.  Look for work, with interrupts asked for, immediately before. */
void cpu_idle(void);
/* Waits for `ns` nanoseconds, or until an interrupt. */
void rt_sleep(uint64_t ns);

#endif
