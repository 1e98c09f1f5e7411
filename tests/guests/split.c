/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locked additions across a cache line's end, for ever.  The emulator stops all its CPUs for each of them, and so pulls
 * the other CPU out of whatever it is doing.
 */
#include "guest.h"

static uint8_t line[128] __attribute__((aligned(128)));

void guest_main(void)
{
	uint32_t *across = (uint32_t *)(void *)(line + 62);

	put("splitting\n");
	for (;;)
		__asm__ volatile("lock incl %0" : "+m"(*across));
}
