/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM may switch on in CR4 and XCR0: what its CPUID shows.  Gone after the seal.
 * AMD64 Architecture Programmer's Manual, volume 2, "CR4 Register"; volume 3, "CPUID Feature Flags".
 */
#include "vcpu.h"

enum { EAX, EBX, ECX, EDX };

/* SMXE, VMXE, LA57 and CET are not here: guests have none of them. */
static const struct {
	uint8_t cr4, leaf, reg, bit;
} features[] = {
	{ 0, 1, EDX, 1 }, { 1, 1, EDX, 1 },                     /* VME, PVI */
	{ 2, 1, EDX, 4 },                                       /* TSD */
	{ 3, 1, EDX, 2 },                                       /* DE */
	{ 4, 1, EDX, 3 },                                       /* PSE */
	{ 5, 1, EDX, 6 },                                       /* PAE */
	{ 6, 1, EDX, 7 },                                       /* MCE */
	{ 7, 1, EDX, 13 },                                      /* PGE */
	{ 9, 1, EDX, 24 },                                      /* OSFXSR */
	{ 10, 1, EDX, 25 },                                     /* OSXMMEXCPT */
	{ 11, 7, ECX, 2 },                                      /* UMIP */
	{ 16, 7, EBX, 0 },                                      /* FSGSBASE */
	{ 17, 1, ECX, 17 },                                     /* PCIDE */
	{ 18, 1, ECX, 26 },                                     /* OSXSAVE */
	{ 20, 7, EBX, 7 },                                      /* SMEP */
	{ 21, 7, EBX, 20 },                                     /* SMAP */
	{ 22, 7, ECX, 3 },                                      /* PKE */
};
#define CR4_PCE (1u << 8)               /* no feature flag */

static const uint32_t *leaf_values(const struct vm_private *private, uint32_t count, uint32_t leaf)
{
	static const uint32_t none[4];

	for (uint32_t i = 0; i < count; i++)
		if (private->cpuid[i].leaf == leaf &&
		    (!private->cpuid[i].subleaf || private->cpuid[i].subleaf == LZR_CPUID_ANY_SUBLEAF))
			return private->cpuid[i].value;
	return none;
}

void cpuid_bits_create(struct vm *vm)
{
	struct vm_private *private = vm_private(vm);
	uint32_t count = vm->image->cpuid_count;
	const uint32_t *xsave = leaf_values(private, count, 0xd);

	private->cr4_bits = CR4_PCE;
	for (unsigned i = 0; i < ARRAY_LENGTH(features); i++)
		if (leaf_values(private, count, features[i].leaf)[features[i].reg] >> features[i].bit & 1)
			private->cr4_bits |= 1ull << features[i].cr4;
	private->xcr0_bits = (uint64_t)xsave[EDX] << 32 | xsave[EAX];
}
