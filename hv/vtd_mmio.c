/* SPDX-License-Identifier: Apache-2.0 */
/* A remapping unit's registers.  Their own file, so that a host test can put a simulated unit in its place. */
#include "vtd.h"

uint32_t vtd_read32(const struct vtd_unit *unit, unsigned offset)
{
	return *(volatile uint32_t *)((volatile char *)unit->registers + offset);
}

uint64_t vtd_read64(const struct vtd_unit *unit, unsigned offset)
{
	return *(volatile uint64_t *)((volatile char *)unit->registers + offset);
}

void vtd_write32(struct vtd_unit *unit, unsigned offset, uint32_t value)
{
	*(volatile uint32_t *)((volatile char *)unit->registers + offset) = value;
}

void vtd_write64(struct vtd_unit *unit, unsigned offset, uint64_t value)
{
	*(volatile uint64_t *)((volatile char *)unit->registers + offset) = value;
}
