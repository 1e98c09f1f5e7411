/* SPDX-License-Identifier: Apache-2.0 */
/* What the platform files share among themselves and with main.c; everybody else uses platform.h and percpu.h. */
#ifndef HV_PLAT_H
#define HV_PLAT_H

#include <stdarg.h>

#include <lazaret/boot.h>

#include "percpu.h"
#include "platform.h"

/* --- print.c --- */
/* Formats into out (always terminated), returns the length; %s %u %x %lu %lx %c %% only. */
size_t print_format(char *out, size_t capacity, const char *format, va_list args);

/* --- console.c --- */
void console_init(void);
extern bool console_fed;                                /* by the schedulers; before that, say() waits for the port */
/* Before the seal: what the machine or its files lack ends the boot with a line, not as a fault of our own. */
void refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void panic_nmi(void) __attribute__((noreturn));         /* another CPU panics, or the hardware does */
/* panic() in two steps: the first stops the other CPUs and needs no lock from then on, the last writes what waits. */
void panic_begin(void);
void panic_end(void) __attribute__((noreturn));

/* --- address.c --- */
void host_cr3_set(uint64_t value);
void image_base_set(uint64_t base);

/* --- cpustate.c --- */
void cpu_count_set(unsigned count);

/* --- mem.c --- */
struct handoff;
void mem_init(const struct handoff *handoff);
void mem_owner_array(hpa_t *base, uint64_t *length);
uint64_t mem_free_bytes(void);
bool mem_is_ram(uint64_t base, uint64_t length);        /* any page of it; firmware's may be registers */

/* --- trap.c, trap.S --- */
void trap_init(void);
void stack_switch(uint64_t top, void (*function)(void *), void *argument) __attribute__((noreturn));

/* --- apic.c, timer.c --- */
void apic_init(void);
void apic_enable(void);                                 /* on each CPU */
uint32_t apic_id(void);
void apic_eoi(void);
void apic_timer_start(uint32_t count);                  /* one shot, 0: stop */
uint32_t apic_timer_count(void);
void apic_init_startup(uint32_t id, uint64_t page, void (*wait_us)(uint64_t));
void apic_init_stop(uint32_t id);                       /* back to waiting for a start */
bool apic_is_x2apic(void);                              /* before the seal */
void apic_nmi_others(void);
void timer_init(void);
void time_disarm(void);

/* --- smp.c, seal.c --- */
struct seal_plan {
	uint64_t *boot_entries;                         /* of the boot part of the image */
	uint64_t boot_count;
	uint64_t *pool_entry;                           /* maps the tables themselves */
};
void smp_start(uint64_t page);
void cpu_wait_for_seal(struct cpu *cpu) __attribute__((noreturn));
void seal_finish(void *plan);                           /* struct seal_plan *; does not return */

#endif
