/* SPDX-License-Identifier: Apache-2.0 */
/* Touches memory that it does not have. */
#include "guest.h"

void guest_main(void)
{
	put("reaching out\n");
	*(volatile uint32_t *)0x40000000 = 1;
	put("REACHED\n");
}
