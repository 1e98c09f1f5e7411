/* SPDX-License-Identifier: Apache-2.0 */
/* Never gives its CPU away. */
#include "guest.h"

void guest_main(void)
{
	put("spinning\n");
	for (;;)
		__asm__ volatile("" : : : "memory");
}
