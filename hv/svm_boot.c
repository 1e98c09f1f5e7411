/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVM backend, the half that is gone after the seal: what the machine must offer, control blocks and permission maps.
 * AMD64 Architecture Programmer's Manual, volume 2, "Secure Virtual Machine".
 */
#include <arch_x86.h>

#include "npt.h"
#include "svm.h"

#define IOPM_LENGTH (3 * PAGE_SIZE)
#define MSRPM_LENGTH (2 * PAGE_SIZE)

static uint64_t iopm;                   /* physical, shared: every port exits */
static uint32_t asid_count;
static uint32_t asid_next[LZR_CPU_MAX];

static enum hv_err reserve_cpus(void)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		void *hsave = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
		void *host = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);

		if (!hsave || !host)
			return HV_NO_MEMORY;
		svm_cpus[cpu].hsave = ptr_hpa(hsave).a;
		svm_cpus[cpu].host = ptr_hpa(host).a;
		asid_next[cpu] = 1;
	}
	return HV_OK;
}

/* "TCGTCGTCGTCG", where hypervisors and emulators say who they are. */
static bool is_emulator(void)
{
	struct cpuid_regs leaf;

	if (!(arch_cpuid(1, 0).ecx & 1u << 31))
		return false;
	leaf = arch_cpuid(0x40000000, 0);
	return leaf.ebx == 0x54474354 && leaf.ecx == 0x43544743 && leaf.edx == 0x47435447;
}

static enum hv_err svm_probe(void)
{
	uint8_t *map;

	svm_on_emulator = is_emulator();
	if (arch_cpuid(0x80000000, 0).eax < CPUID_SVM || !(arch_cpuid(0x80000001, 0).ecx & (1u << 2)))
		return HV_UNSUPPORTED;
	if (arch_rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
		say("cpu: SVM is switched off in the firmware: switch it on there");
		return HV_UNSUPPORTED;
	}
	if (!(arch_cpuid(CPUID_SVM, 0).edx & SVM_EDX_NPT)) {
		say("cpu: SVM without nested paging: this machine cannot run VMs");
		return HV_UNSUPPORTED;
	}
	asid_count = arch_cpuid(CPUID_SVM, 0).ebx;
	if (asid_count < 2) {
		say("cpu: SVM with %u address space identifiers: expected two at least", asid_count);
		return HV_UNSUPPORTED;
	}
	map = mem_alloc_hv(IOPM_LENGTH, PAGE_SIZE);
	if (!map)
		return HV_NO_MEMORY;
	for (size_t i = 0; i < IOPM_LENGTH; i++)
		map[i] = 0xff;
	iopm = ptr_hpa(map).a;
	return reserve_cpus();
}

static enum hv_err svm_vm_create(struct vm *vm)
{
	vm->nested = npt_create();
	return vm->nested ? HV_OK : HV_NO_MEMORY;
}

static enum hv_err svm_map(struct vm *vm, gpa_t at, hpa_t from, uint64_t length, unsigned flags)
{
	return npt_map(vm->nested, at, from, length, flags);
}

/* "MSR Intercepts": two bits an MSR, read and write, in three ranges of 8 Ki MSRs. */
static void msr_allow(uint8_t *map, uint32_t msr, bool write)
{
	static const uint32_t first[] = { 0x00000000, 0xc0000000, 0xc0010000 };

	for (unsigned i = 0; i < ARRAY_LENGTH(first); i++) {
		uint32_t offset = msr - first[i];

		if (offset < 0x2000)
			map[i * 0x800 + offset / 4] &= (uint8_t)~(1u << (offset % 4 * 2 + write));
	}
}

/* One permission map for all vCPUs of a VM. */
static uint64_t msrpm_create(const struct image_config *image)
{
	uint8_t *map = mem_alloc_hv(MSRPM_LENGTH, PAGE_SIZE);

	if (!map)
		return 0;
	for (size_t i = 0; i < MSRPM_LENGTH; i++)
		map[i] = 0xff;
	for (uint32_t i = 0; i < image->msr_count; i++) {
		if (msr_passes(image, image->msr[i].msr, false))
			msr_allow(map, image->msr[i].msr, false);
		if (msr_passes(image, image->msr[i].msr, true))
			msr_allow(map, image->msr[i].msr, true);
	}
	return ptr_hpa(map).a;
}

/*
 * CR0, CR3 and most exceptions are the guest's own affair under nested paging.  #DB and #AC are intercepted
 * and reflected because a guest can make their delivery recurse for ever inside one instruction.  What exits of CR4 and
 * CR8 changes while the guest runs (svm_set_cr4, svm_request_window).
 */
static void set_intercepts(struct vmcb *vmcb)
{
	vmcb->intercept.dr = INTERCEPT_DR_WRITES;
	vmcb->intercept.exceptions = 1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_MC;
	vmcb->intercept_1 = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_VINTR | INTERCEPT_RDPMC |
			    INTERCEPT_CPUID | INTERCEPT_RSM | INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA |
			    INTERCEPT_IO | INTERCEPT_MSR | INTERCEPT_FERR | INTERCEPT_SHUTDOWN;
	vmcb->intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE |
			    INTERCEPT_STGI | INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_WBINVD | INTERCEPT_MONITOR |
			    INTERCEPT_MWAIT | INTERCEPT_MWAIT_ARMED | INTERCEPT_XSETBV | INTERCEPT_RDPRU;
	vmcb->intercept_3 = INTERCEPT_INVLPGB | INTERCEPT_INVLPGB_ILLEGAL | INTERCEPT_MCOMMIT | INTERCEPT_TLBSYNC;
}

static enum hv_err svm_vcpu_create(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = mem_alloc_hv(sizeof(*svm), PAGE_SIZE);
	struct vmcb *vmcb = mem_alloc_hv(sizeof(*vmcb), PAGE_SIZE);

	if (!svm || !vmcb)
		return HV_NO_MEMORY;
	set_intercepts(vmcb);
	vmcb->iopm_base = iopm;
	vmcb->msrpm_base = vcpu->number ? ((struct svm_vcpu *)vcpu->vm->vcpus[0]->arch)->vmcb->msrpm_base
					: msrpm_create(vcpu->vm->image);
	if (!vmcb->msrpm_base)
		return HV_NO_MEMORY;
	vmcb->nested_control = NESTED_PAGING;
	vmcb->nested_cr3 = ptr_hpa(vcpu->vm->nested).a;
	if (asid_next[vcpu->cpu] + 1 < asid_count) {
		vmcb->asid = asid_next[vcpu->cpu]++;
	} else {
		vmcb->asid = asid_count - 1;
		svm->shares_asid = true;
	}
	svm->vmcb = vmcb;
	svm->vmcb_address = ptr_hpa(vmcb).a;
	vcpu->arch = svm;
	return HV_OK;
}

const struct cpu_backend_boot svm_backend_boot = {
	.run_time = &svm_backend,
	.probe = svm_probe,
	.vm_create = svm_vm_create,
	.map = svm_map,
	.vcpu_create = svm_vcpu_create,
};
