/* SPDX-License-Identifier: Apache-2.0 */
#include "hypercall.h"

#include <cpuid.h>
#include <stdbool.h>

/* VMMCALL is AMD's, VMCALL Intel's; each faults on the other's CPU.  CPUID is an exit of its own: it is asked once. */
static bool cpu_is_intel(void)
{
	static bool asked, intel;
	unsigned int eax, ebx, ecx, edx;

	if (!asked)
		intel = __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx;
	asked = true;
	return intel;
}

struct hypercall_result hypercall(enum lzr_call call, uint64_t first, uint64_t second)
{
	struct hypercall_result r;
	uint64_t rdi = first, rsi = second;

	if (cpu_is_intel())
		__asm__ volatile("vmcall"
				 : "=a"(r.status), "=b"(r.value[0]), "=c"(r.value[1]), "=d"(r.value[2]), "+S"(rsi),
				   "+D"(rdi)
				 : "0"((uint64_t)call)
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "=a"(r.status), "=b"(r.value[0]), "=c"(r.value[1]), "=d"(r.value[2]), "+S"(rsi),
				   "+D"(rdi)
				 : "0"((uint64_t)call)
				 : "memory");
	r.value[3] = rsi;
	return r;
}
