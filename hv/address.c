/* SPDX-License-Identifier: Apache-2.0 */
/* Physical and virtual addresses of root mode.  Apart from mem.c, so that a host test can have memory of its own. */
#include "handoff.h"
#include "plat.h"

extern char image_start[], image_end[];

static HV_SEALED uint64_t cr3;
static HV_SEALED uint64_t image_base;

void *hpa_ptr(hpa_t address)
{
	return (void *)(address.a + DIRECT_BASE);
}

hpa_t ptr_hpa(const void *pointer)
{
	uint64_t at = (uint64_t)pointer;

	if (at >= LZR_HV_BASE)
		return hpa(at - LZR_HV_BASE + image_base);
	return hpa(at - DIRECT_BASE);
}

uint64_t host_cr3(void)
{
	return cr3;
}

HV_BOOT void host_cr3_set(uint64_t value)
{
	cr3 = value;
}

HV_BOOT void image_base_set(uint64_t base)
{
	image_base = base;
}
