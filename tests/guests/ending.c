/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to end that must take nobody else along: which one is said by the VM's number. */
#include "guest.h"

#define FIRST 3u                        /* VM number of the first way, in tests/policies/vcpu_hostile.dts */

static const uint8_t nothing[10];

static void touch(uint64_t address)
{
	*(volatile uint32_t *)address = 0x6c6f7374;
}

void guest_main(void)
{
	uint64_t number = call(LZR_CALL_VERSION, 0, 0).rcx, count = 1ull << 40, place = 0x300000;

	put("ending\n");
	switch (number - FIRST) {
	case 0: __asm__ volatile("lidt %0; ud2" : : "m"(nothing)); break;
	case 1: touch(0xfee00300); break;       /* the local APIC's page */
	case 2: touch(0xfed40000); break;       /* the TPM */
	case 3: touch(0xfed90018); break;       /* the DMA remapping unit */
	case 4: touch(0x400000); break;         /* right behind RAM */
	case 5: __asm__ volatile("mov %0, %%cr3; nop" : : "r"(0x7ffff000ull) : "memory"); break;
	case 6: __asm__ volatile("rep insl" : "+D"(place), "+c"(count) : "d"(0xcfc) : "memory"); break;
	case 7: __asm__ volatile("outsb" : "+S"(place) : "d"(0x600) : "memory"); break;
	case 8: __asm__ volatile("mov %0, %%rsp; int3" : : "r"(0x50000000ull) : "memory"); break;
	case 9: __asm__ volatile("jmp *%0" : : "r"(0xfffffff0ull)); break;
	case 10: wrmsr(0x830, 0x84500); break;  /* INIT to all, itself too */
	case 11: __asm__ volatile("lgdt %0; mov %1, %%ss; push %%rax" : : "m"(nothing), "r"(0x10)); break;
	case 12: __asm__ volatile("mov %%cr4, %%rax; bts $30, %%rax; mov %%rax, %%cr4" : : : "rax"); break;
	}
	for (volatile unsigned wait = 0; wait < 1000; wait++)
		;
	put("SURVIVED\n");
}
