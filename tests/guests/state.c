/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that VM entry does not switch: fills them with something of this VM's own and looks, again and again while
 * other VMs do the same on the same CPU, whether it is still there.
 */
#include "guest.h"

#define ROUNDS 3000u

static bool is_kept(uint64_t mine)
{
	uint64_t xmm, debug, aux;

	__asm__ volatile("movq %%xmm7, %0; mov %%db1, %1" : "=r"(xmm), "=r"(debug));
	aux = rdmsr(0xc0000103);
	return xmm == mine && debug == mine && aux == (uint32_t)mine;
}

void guest_main(void)
{
	struct call_result r = call(LZR_CALL_VERSION, 0, 0);
	uint64_t mine = 0x1111000011110000 + r.rcx, xmm0;

	__asm__ volatile("movq %%xmm7, %0" : "=r"(xmm0));
	put(xmm0 ? "xmm LEAKS at start\n" : "xmm starts as zero\n");
	__asm__ volatile("movq %0, %%xmm7; mov %0, %%db1" : : "r"(mine));
	wrmsr(0xc0000103, (uint32_t)mine);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (volatile uint32_t wait = 0; wait < 20000; wait++)
			;
		if (!is_kept(mine)) {
			tell("state LOST in round", round);
			return;
		}
	}
	put("state kept\n");
}
