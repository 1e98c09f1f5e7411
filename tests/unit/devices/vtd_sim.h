/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated VT-d unit: registers that answer commands, a queue that is carried out, fault records. */
#ifndef TEST_VTD_SIM_H
#define TEST_VTD_SIM_H

#include "sim.h"
#include "vtd.h"

struct vtd_sim {
	uint8_t registers[4096];
	bool ignores_commands;
	bool ignores_queue;
	bool queue_error;
	unsigned invalidations;         /* descriptors but waits */
};

#define VTD_SIM_MAX 2
extern struct vtd_sim vtd_sim[VTD_SIM_MAX];     /* by the unit's number */

#define VTD_SIM_BASE(n) (0xfed90000ull + (n) * 0x1000ull)

/* Registers as QEMU's unit shows them (39 bits, 3 levels, 2 MiB pages, queue, interrupt remapping). */
void vtd_sim_clear(void);
uint32_t vtd_sim_get32(unsigned unit, unsigned offset);
uint64_t vtd_sim_get64(unsigned unit, unsigned offset);
void vtd_sim_put32(unsigned unit, unsigned offset, uint32_t value);
void vtd_sim_put64(unsigned unit, unsigned offset, uint64_t value);
void vtd_sim_fault(unsigned unit, uint16_t source, uint8_t reason, bool read, uint64_t info);
/* A DMAR table with `units` units, all sources in the last one. */
void vtd_sim_dmar(unsigned units, uint8_t flags);
/* Probes and blocks; the test's starting point. */
void vtd_sim_start(unsigned units);

/* What apic_is_x2apic() says. */
extern bool vtd_sim_x2apic;

#endif
