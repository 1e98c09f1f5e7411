/* SPDX-License-Identifier: Apache-2.0 */
/* The privileged instructions that cpuid.c uses, faked: every leaf answers with what vcpu_rig.c says. */
#ifndef HV_ARCH_X86_H
#define HV_ARCH_X86_H

#include <stdint.h>

struct cpuid_regs { uint32_t eax, ebx, ecx, edx; };
struct cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf);
#define CR4_OSXSAVE (1ull << 18)

#endif
