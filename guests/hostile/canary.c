/* SPDX-License-Identifier: Apache-2.0 */
/* A bystander: fills half of its memory with a pattern of its own and looks after it for a while. */
#include "guest.h"

#define FIRST ((volatile uint64_t *)0x280000)
#define LAST ((volatile uint64_t *)0x3e0000)
#define CANARY 0xca9a21ca9a21ca9aull

void guest_main(void)
{
	for (volatile uint64_t *p = FIRST; p < LAST; p++)
		*p = CANARY ^ (uint64_t)p;
	put("canary set\n");
	for (unsigned round = 0; round < 20; round++) {
		for (volatile uint64_t *p = FIRST; p < LAST; p++) {
			if (*p != (CANARY ^ (uint64_t)p)) {
				put("canary DEAD\n");
				return;
			}
		}
	}
	put("canary lives\n");
}
