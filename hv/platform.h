/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine offers to the rest of the hypervisor: memory and its owners, CPUs, time, interrupts, console, audit.
 * Host tests link fakes of these.
 */
#ifndef HV_PLATFORM_H
#define HV_PLATFORM_H

#include <lazaret/hypercall.h>

#include "types.h"

/* --- memory (mem.c) ----------------------------------------------------------------------------------------------- */

/* Who a host page belongs to.  VM n is OWNER_VM0 + n. */
enum { OWNER_NONE = 0, OWNER_FREE = 1, OWNER_HV = 2, OWNER_FIRMWARE = 3, OWNER_MMIO = 4, OWNER_VM0 = 16 };

/* Direct map of all RAM (and of what mmio_map mapped); valid in root mode only. */
void *hpa_ptr(hpa_t address);
hpa_t ptr_hpa(const void *pointer);

/*
 * Zeroed, contiguous, aligned to `align` (power of two >= 4096), owned by `owner`.  Only before the seal; panics after.
 */
HV_MUST_CHECK enum hv_err mem_alloc(uint64_t length, uint64_t align, unsigned owner, hpa_t *out);
/* The same, but what was there before still is: for a VM's RAM, which each start clears before anything runs. */
HV_MUST_CHECK enum hv_err mem_reserve(uint64_t length, uint64_t align, unsigned owner, hpa_t *out);
/* mem_alloc for the hypervisor's own use, as a pointer; NULL when there is none. */
void *mem_alloc_hv(uint64_t length, uint64_t align);
/*
 * Gives registers that the firmware's tables describe to `owner`; HV_CONFLICT if they belong to anyone else or are RAM.
 * What the memory map reserves may be registers (APIC, IOMMU): those are for the hypervisor, never for a VM.
 */
HV_MUST_CHECK enum hv_err mem_claim_mmio(hpa_t base, uint64_t length, unsigned owner);
/* The same, where only a device's own register says so: nothing that the firmware's memory map names may be there. */
HV_MUST_CHECK enum hv_err mem_claim_bar(hpa_t base, uint64_t length, unsigned owner);
/* HV_OK if every page of [base, base + length) belongs to `owner`; the one check before any NPT, EPT or IOMMU map. */
HV_MUST_CHECK enum hv_err mem_check_owner(hpa_t base, uint64_t length, unsigned owner);
/* Uncached mapping of device registers for root mode; before the seal only; NULL when there is no room. */
volatile void *mmio_map(hpa_t base, uint64_t length);

/* --- CPUs, time, interrupts (smp.c, apic.c, timer.c) -------------------------------------------------------------- */

unsigned cpu_count(void);                       /* one more than the highest number */
bool cpu_is_used(unsigned cpu);                 /* false: not there, or left out at boot */
unsigned cpu_current(void);                     /* 0 is the boot CPU */
uint32_t cpu_apic_id(unsigned cpu);
uint64_t time_ns(void);                         /* since hypervisor start, monotonic, same on all CPUs */
uint64_t time_to_tsc(uint64_t ns);              /* the TSC value that time_ns() reports as ns */
uint32_t time_tsc_khz(void);
void time_arm(uint64_t deadline_ns);            /* this CPU's one-shot timer; a past deadline fires at once */

#define HOST_VECTOR_DEVICE_FIRST 0x40           /* 0x40..0xdf: assigned devices' interrupts */
#define HOST_VECTOR_DEVICE_LAST 0xdf
#define HOST_VECTOR_IOMMU 0xf0
#define HOST_VECTOR_KICK 0xf1
#define HOST_VECTOR_TIMER 0xf2
#define HOST_VECTOR_SPURIOUS 0xff
void cpu_kick(unsigned cpu);                    /* makes that CPU leave its guest or its halt; safe on oneself */

struct spinlock { volatile uint32_t next, owner; };
void spin_lock(struct spinlock *lock);          /* ticket lock; interrupts are off in root mode anyway */
void spin_unlock(struct spinlock *lock);

/* Port and PCI configuration access (arch_x86.h wraps the instructions; faked on the host). */
uint32_t pci_read(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size);
void pci_write(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value);

/* ACPI (acpi.c): a table by its signature, checksum verified, in the hypervisor's own copy; NULL when absent. */
const void *acpi_table(const char signature[4], uint32_t *length);

/* --- telling (console.c, audit.c) --------------------------------------------------------------------------------- */

/* One line for COM1, prefixed "hv: ".  %s %u %x %lu %lx %c only. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, of what that VM brings about as often as it likes: out of its share of the console. */
void say_about(unsigned vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A character of a VM's console: line-buffered, control characters stripped, prefixed with the VM's name. */
void say_vm(unsigned vm, char c);
/* Gives the port what it takes at once; false when no line waits any more. */
bool console_feed(void);
void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Our own invariants only, never input. */
#define CHECK(x) do { if (!(x)) panic("%s:%u: %s", __FILE__, (unsigned)__LINE__, #x); } while (0)

#define AUDIT_HV 0xffffffffu
/* Adds a record to the ring of `vm`, if there is room; raises nothing, never blocks. */
void audit(uint32_t vm, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1);

/* --- records (records.c) ------------------------------------------------------------------------------------------ */

/*
 * The 32 bytes of a stream at `offset` (a multiple of 32), zero past its end and where they are about a VM whose bit in
 * `readable` is not set; false: no such stream.
 */
bool records_read(enum lzr_stream stream, uint64_t readable, uint64_t offset, uint64_t out[4]);
/* 32 fresh secret bytes, never given out before; runs after the seal.  False when there is no entropy. */
bool records_seed(uint64_t out[4]);
/* Seconds since 1970 when the hypervisor's clock was 0; 0: unknown. */
uint64_t records_wall_clock(void);

#endif
