/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State that neither the VM entry nor the VM exit switches: x87 and SIMD registers with XCR0, DR0-DR3, TSC_AUX, branch
 * predictors.  Root mode uses none of it (-mgeneral-regs-only), so it is switched when a CPU goes from one vCPU to
 * another, always all of it.  XCR0 is read back from the CPU because an emulator lets XSETBV through without an exit.
 * AMD64 Architecture Programmer's Manual, volume 2, "XSAVE/XRSTOR Instructions", volume 3, "CPUID Fn0000_000D".
 */
#include <arch_x86.h>

#include "vcpu.h"

#define LEAF_XSAVE 0xdu
#define MSR_TSC_AUX 0xc0000103u
#define MSR_PRED_CMD 0x49u
#define   PRED_CMD_IBPB 1u
#define XSAVE_MXCSR 24u                 /* offset in the image's legacy part */
#define MXCSR_RESET 0x1f80u

#define XCR0_X87 1ull
#define XCR0_SSE 2ull
#define XCR0_AVX 4ull
#define XCR0_AVX512 0xe0ull
#define XCR0_PKRU 0x200ull
/* What a guest may enable.  The others come in sets of their own, and half of a set makes XSETBV fault. */
#define XCR0_GUEST (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

static HV_SEALED uint64_t host_xcr0;    /* every component that the CPU has */
static HV_SEALED uint32_t area_length;
static HV_SEALED bool has_ibpb, has_rdtscp, restores_pointers;

HV_BOOT enum hv_err xstate_probe(void)
{
	struct cpuid_regs leaf;

	if (!(arch_cpuid(1, 0).ecx & 1u << 26)) {
		say("cpu: no XSAVE: this machine cannot run VMs");
		return HV_UNSUPPORTED;
	}
	leaf = arch_cpuid(LEAF_XSAVE, 0);
	host_xcr0 = (uint64_t)leaf.edx << 32 | leaf.eax;
	area_length = leaf.ecx;
	has_rdtscp = arch_cpuid(0x80000001, 0).edx & 1u << 27;
	if (arch_cpuid(0x80000000, 0).eax >= 0x80000008) {
		has_ibpb = arch_cpuid(0x80000008, 0).ebx & 1u << 12;
		restores_pointers = arch_cpuid(0x80000008, 0).ebx & 1u << 2;
	}
	return HV_OK;
}

void xstate_cpu_init(void)
{
	arch_write_cr4(arch_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE);
	arch_write_cr0(arch_read_cr0() & ~(CR0_TS | CR0_EM));
	arch_xsetbv(host_xcr0);
}

HV_BOOT enum hv_err xstate_create(struct vcpu *vcpu)
{
	vcpu->xstate.area = mem_alloc_hv((area_length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), PAGE_SIZE);
	return vcpu->xstate.area ? HV_OK : HV_NO_MEMORY;
}

void xstate_reset(struct vcpu *vcpu)
{
	struct xstate *x = &vcpu->xstate;

	__builtin_memset(x->area, 0, area_length);
	*(uint32_t *)((char *)x->area + XSAVE_MXCSR) = MXCSR_RESET;
	x->xcr0 = XCR0_X87;
	x->dr[0] = x->dr[1] = x->dr[2] = x->dr[3] = 0;
	x->tsc_aux = 0;
}

void xstate_save(struct vcpu *vcpu)
{
	struct xstate *x = &vcpu->xstate;

	x->xcr0 = arch_xgetbv();
	arch_xsetbv(host_xcr0);
	arch_xsave(x->area);
	arch_read_debug(x->dr);
}

/* XCR0 holds every component when this is called: from xstate_cpu_init or xstate_save. */
void xstate_load(const struct vcpu *vcpu)
{
	const struct xstate *x = &vcpu->xstate;

	/* Some CPUs leave the last x87 instruction's addresses in place unless an exception is pending. */
	if (!restores_pointers)
		arch_x87_forget();
	arch_xrstor(x->area);
	arch_write_debug(x->dr);
	if (has_rdtscp)
		arch_wrmsr(MSR_TSC_AUX, x->tsc_aux);
	arch_xsetbv(x->xcr0);
}

/* Whether XSETBV takes the value without a fault (AMD64 Architecture Programmer's Manual, volume 4, "XSETBV"). */
static bool is_xcr0(uint64_t value)
{
	if (!(value & XCR0_X87) || value & ~(host_xcr0 & XCR0_GUEST) || (value & XCR0_AVX && !(value & XCR0_SSE)))
		return false;
	return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && value & XCR0_AVX);
}

bool xstate_set_xcr0(uint64_t value)
{
	if (!is_xcr0(value))
		return false;
	arch_xsetbv(value);
	return true;
}

void xstate_set_tsc_aux(struct vcpu *vcpu, uint32_t value)
{
	vcpu->xstate.tsc_aux = value;
	if (has_rdtscp)
		arch_wrmsr(MSR_TSC_AUX, value);
}

void xstate_flush_predictors(void)
{
	if (has_ibpb)
		arch_wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
}
