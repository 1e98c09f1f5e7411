/* SPDX-License-Identifier: Apache-2.0 */
/* The CPUs' own structures, ticket locks, the machine's description. */
#include <arch_x86.h>

#include "config.h"
#include "plat.h"

HV_SEALED struct machine_config machine;
struct cpu cpus[LZR_CPU_MAX];

void spin_lock(struct spinlock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		arch_pause();
}

void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}

static HV_SEALED unsigned count;

unsigned cpu_count(void)
{
	return count;
}

HV_BOOT void cpu_count_set(unsigned value)
{
	count = value;
}

HV_BOOT bool cpu_is_used(unsigned cpu)
{
	return cpu < count && cpus[cpu].online;
}

unsigned cpu_current(void)
{
	return this_cpu()->number;
}

uint32_t cpu_apic_id(unsigned cpu)
{
	return cpus[cpu].apic_id;
}

