/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executed instructions per exit, where the TSC counts instructions (-icount shift=0,sleep=off, one CPU): best and mean
 * of 128 batches of 256 exits, after 4 batches of warming up.
 */
#include "guest.h"

#define WARM 4u
#define BATCHES 128u
#define EXITS 256u

#define BENCH(name, code) do { \
	uint64_t best = UINT64_MAX, sum = 0; \
	for (unsigned batch = 0; batch < WARM + BATCHES; batch++) { \
		uint64_t start = rdtsc(), took; \
		for (unsigned i = 0; i < EXITS; i++) \
			__asm__ volatile(code : : : "rax", "rbx", "rcx", "rdx", "memory"); \
		took = rdtsc() - start; \
		if (batch < WARM) \
			continue; \
		sum += took; \
		if (took < best) \
			best = took; \
	} \
	put("bench " name " best "); \
	put_number(best / EXITS); \
	tell(" mean", sum / EXITS / BATCHES); \
} while (0)

void guest_main(void)
{
	BENCH("empty-loop", "");
	BENCH("cpuid", "xor %%eax, %%eax; cpuid");
	BENCH("hypercall", "xor %%eax, %%eax; vmmcall");
	BENCH("port-read", "mov $0xe9, %%edx; inb %%dx, %%al");
	BENCH("port-unclaimed", "mov $0x21, %%edx; inb %%dx, %%al");
	BENCH("msr-read", "mov $0x1b, %%ecx; rdmsr");
	BENCH("msr-eoi", "mov $0x80b, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx; wrmsr");
	BENCH("rdtsc", "rdtsc");
	BENCH("dr-write", "mov $0x1000, %%eax; mov %%rax, %%db0");
	BENCH("dr7-write", "mov $0x400, %%eax; mov %%rax, %%db7");
	BENCH("cr4-write", "mov $0x620, %%eax; mov %%rax, %%cr4");
	BENCH("cr4-read", "mov %%cr4, %%rax");
	__asm__ volatile("mov %0, %%db7" : : "r"(0x402ull));
	BENCH("cpuid-with-breakpoint", "xor %%eax, %%eax; cpuid");
	put("bench done\n");
}
