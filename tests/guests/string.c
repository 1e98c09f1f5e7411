/* SPDX-License-Identifier: Apache-2.0 */
/* String output to a port. */
#include "guest.h"

void guest_main(void)
{
	const char *from = "text";
	uint64_t count = 4;

	put("rep outsb\n");
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0xe9) : "memory");
	put("WENT THROUGH\n");
}
