/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step of the seal, in code that stays: the boot part of the image disappears, the tables become read-only,
 * and every CPU goes on to its scheduler.
 */
#include <arch_x86.h>

#include "paging.h"
#include "plat.h"
#include "records.h"
#include "vm.h"

static volatile uint32_t sealed;

/* An application processor is ready; nothing it has seen of the address space may survive the seal. */
void cpu_wait_for_seal(struct cpu *cpu)
{
	cpu->online = 1;
	while (!__atomic_load_n(&sealed, __ATOMIC_ACQUIRE))
		arch_pause();
	arch_write_cr3(host_cr3());
	sched_run();
}

void seal_finish(void *context)
{
	struct seal_plan plan = *(const struct seal_plan *)context;     /* it lies in what disappears */

	for (uint64_t i = 0; i < plan.boot_count; i++)
		plan.boot_entries[i] = 0;
	*plan.pool_entry &= ~PTE_WRITE;
	arch_write_cr3(host_cr3());
	records_sealed(time_ns());
	audit(AUDIT_HV, LZR_AUDIT_SEALED, 0, 0);
	say("sealed at %lu ms", time_ns() / 1000000);
	for (unsigned i = 0; i < machine.vm_count; i++)
		if (vm_start(&vms[i]) != HV_OK)
			say("%s: not started", machine.vms[i].name);
	console_fed = true;
	__atomic_store_n(&sealed, 1, __ATOMIC_RELEASE);
	sched_run();
}
