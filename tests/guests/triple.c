/* SPDX-License-Identifier: Apache-2.0 */
/* A triple fault: an exception without a descriptor table. */
#include "guest.h"

void guest_main(void)
{
	static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };

	put("falling\n");
	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}
