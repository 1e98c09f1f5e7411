/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps 32 bytes at a place that eye.c knows: changes them after a while, and once more before it ends. */
#include "guest.h"
#include "secret.h"

static void keep(uint64_t what, unsigned seconds)
{
	uint64_t start = call(LZR_CALL_CLOCK, 0, 0).rbx;

	for (unsigned i = 0; i < 4; i++)
		((volatile uint64_t *)SECRET_AT)[i] = what + i;
	while (call(LZR_CALL_CLOCK, 0, 0).rbx - start < seconds * 1000000000ull)
		;
}

void guest_main(void)
{
	keep(SECRET_FIRST, 2);
	keep(SECRET_CHANGED, 2);
	keep(SECRET_LAST, 0);
}
