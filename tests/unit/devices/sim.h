/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated machine for host tests: PCI functions that answer sizing and resets as real ones do, memory, a clock,
 * and a log of what was done in which order.
 */
#ifndef TEST_SIM_H
#define TEST_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pci.h"
#include "vm.h"

struct sim_function {
	bool present;
	struct pci_address at;
	uint8_t config[4096];
	uint8_t writable[256];          /* bits that a write changes */
	uint32_t bar_mask[6];           /* address bits of each BAR register */
	uint32_t rom_mask;              /* address bits of the expansion ROM's register */
	bool resets;                    /* a reset does what it should */
	bool ids_gone;                  /* answers all ones for ever once it was reset */
};

#define SIM_MAX 16
extern struct sim_function sim[SIM_MAX];

/* All functions gone, log empty, clock at zero, memory freed. */
void sim_clear(void);
struct sim_function *sim_add(unsigned bus, unsigned device, unsigned function);
/* An endpoint with ids, class, command writable; a root port with bus numbers and ACS. */
struct sim_function *sim_endpoint(unsigned bus, unsigned device, unsigned function, uint32_t id, uint32_t class_code);
struct sim_function *sim_root_port(unsigned bus, unsigned device, unsigned secondary, unsigned subordinate);
void sim_put(struct sim_function *f, unsigned offset, unsigned size, uint32_t value);
uint32_t sim_get(const struct sim_function *f, unsigned offset, unsigned size);
/* Links a capability at the end of the list. */
void sim_capability(struct sim_function *f, unsigned offset, uint8_t id);
void sim_bar(struct sim_function *f, unsigned index, uint64_t base, uint64_t size, uint32_t flags);

/* The log: words such as "flr", "attach", "master+". */
void sim_log(const char *word);
extern char sim_events[4096];
extern char sim_said[512];              /* the last line of say() */
bool sim_heard(const char *part);       /* any line since sim_clear */

extern uint64_t sim_time;
extern bool sim_memory_out;             /* allocations fail */
extern uint64_t sim_not_owned;          /* mem_check_owner refuses this page, mem_claim_mmio as well */
extern uint64_t sim_firmware;           /* the firmware's memory map names this page: mem_claim_bar refuses it */
void sim_acpi(const char *signature, const void *table, uint32_t length);

struct sim_mapping { uint64_t at, from, length; unsigned vm, flags; };
extern struct sim_mapping sim_mappings[64];
extern unsigned sim_mapping_count;
struct sim_claim { uint64_t base, length; unsigned owner; };
extern struct sim_claim sim_claims[64];
extern unsigned sim_claim_count;
extern struct { uint64_t address; uint32_t data; unsigned count; } sim_msi;
extern struct { uint32_t vm; unsigned count; uint64_t arg0, arg1; } sim_audit;
extern unsigned sim_cpu;
void *sim_mmio(uint64_t base);          /* what mmio_map gave for an address, NULL: not mapped */

#endif
