/* SPDX-License-Identifier: Apache-2.0 */
/* The privileged instructions of the loader, and the jump out of it. */
#include "loader.h"

#define CR4_PGE (1ull << 7)
#define CR4_LA57 (1ull << 12)

uint64_t cpu_rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void cpuid(uint32_t leaf, uint32_t *a, uint32_t *d)
{
	uint32_t b, c = 0;

	*a = leaf;
	__asm__ volatile("cpuid" : "+a"(*a), "=b"(b), "+c"(c), "=d"(*d));
}

bool cpu_has_huge_pages(void)
{
	uint32_t a, d;

	cpuid(0x80000000u, &a, &d);
	if (a < 0x80000001u)
		return false;
	cpuid(0x80000001u, &a, &d);
	return d >> 26 & 1;
}

bool cpu_has_5_level_paging(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	return (cr4 & CR4_LA57) != 0;
}

void jump(uint64_t cr3, uint64_t stack_top, uint64_t info, uint64_t entry)
{
	uint64_t cr4;

	/* Global entries of the firmware's tables must not outlive them. */
	__asm__ volatile("cli; cld; mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 & ~CR4_PGE) : "memory");
	__asm__ volatile("mov %0, %%cr3\n\t"
			 "mov %1, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "jmp *%2"
			 : : "r"(cr3), "r"(stack_top), "r"(entry), "D"(info) : "memory");
	__builtin_unreachable();
}
