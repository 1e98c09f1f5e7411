/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle and wake, 10,000 times: arms the timer a little ahead, then the one-shot pattern sti; hlt.  If an interrupt were
 * taken between the two, the halt would never end, and neither would this program.
 */
#include "guest.h"

#define ROUNDS 10000u

void guest_main(void)
{
	wrmsr(MSR_SVR, 0x1ff);
	wrmsr(MSR_LVT_TIMER, LVT_DEADLINE | TG_VECTOR);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		/* From "already over" to 100 us ahead, so that the interrupt meets every instruction of the pattern. */
		wrmsr(MSR_DEADLINE, rdtsc() + round % 100 * 2000);
		__asm__ volatile("sti; hlt; cli" : : : "memory");
		if (irq_count != round + 1) {
			tell("round without interrupt", round);
			return;
		}
		if (round % 1000 == 999)
			tell("idle rounds", round + 1);
	}
	put("idle done\n");
}
