/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls: VMMCALL on AMD, VMCALL on Intel, by the CPU's vendor. */
#include "rt.h"

static bool is_intel(void)
{
	static int known;       /* 0 not asked, 1 AMD, 2 Intel */
	uint32_t a = 0, b, c, d;

	if (known == 0) {
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d) : "2"(0));
		known = b == 0x756e6547u && d == 0x49656e69u && c == 0x6c65746eu ? 2 : 1;
	}
	return known == 2;
}

struct rt_result rt_call(enum lzr_call number, uint64_t argument0, uint64_t argument1)
{
	struct rt_result r = { .status = number, .value = { 0, 0, 0, argument1 } };

	if (is_intel())
		__asm__ volatile("vmcall"
				 : "+a"(r.status), "+b"(r.value[0]), "+c"(r.value[1]), "+d"(r.value[2]),
				   "+S"(r.value[3])
				 : "D"(argument0)
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "+a"(r.status), "+b"(r.value[0]), "+c"(r.value[1]), "+d"(r.value[2]),
				   "+S"(r.value[3])
				 : "D"(argument0)
				 : "memory");
	return r;
}

uint64_t rt_clock(void)
{
	struct rt_result r = rt_call(LZR_CALL_CLOCK, 0, 0);

	if (r.status != LZR_OK)
		rt_panic("no clock: status %lu", r.status);
	return r.value[0];
}
