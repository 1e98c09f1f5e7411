/* SPDX-License-Identifier: Apache-2.0 */
/* VMs before the seal: memory, nested tables, vCPUs.  All of it goes with the boot part. */
#include "paging.h"
#include "svm.h"
#include "vcpu.h"

static const struct cpu_backend_boot *const backends[] = { &svm_backend_boot };
static const struct cpu_backend_boot *backend;

static enum hv_err choose_backend(void)
{
	enum hv_err err;

	for (unsigned i = 0; i < ARRAY_LENGTH(backends); i++) {
		err = backends[i]->probe();
		if (err == HV_UNSUPPORTED)
			continue;
		backend = backends[i];
		cpu_backend = backend->run_time;
		return err;
	}
	say("cpu: no virtualisation that this hypervisor knows");
	return HV_UNSUPPORTED;
}

enum hv_err vm_map(struct vm *vm, gpa_t at, hpa_t from, uint64_t length, unsigned flags)
{
	enum hv_err err = mem_check_owner(from, length, OWNER_VM0 + vm->number);

	return err ? err : backend->map(vm, at, from, length, flags);
}

enum hv_err vm_map_registers(struct vm *vm, gpa_t at, uint64_t length, void **out)
{
	hpa_t ram;
	enum hv_err err = mem_alloc(length, PAGE_SIZE, OWNER_VM0 + vm->number, &ram);

	if (err)
		return err;
	paging_uncache(ram, length);
	*out = hpa_ptr(ram);
	return vm_map(vm, at, ram, length, MAP_READ | MAP_WRITE | MAP_UNCACHED);
}

static enum hv_err create_vcpu(struct vm *vm, struct vcpu *vcpu, unsigned number)
{
	enum hv_err err;

	vcpu->vm = vm;
	vcpu->private = vm_private(vm);
	vcpu->number = number;
	vcpu->cpu = vm->config->cpus[number];
	vcpu->budget_ns = vm->config->budget_us * 1000ull;
	vcpu->period_ns = vm->config->period_us * 1000ull;
	if (!cpu_is_used(vcpu->cpu)) {
		say("%s: vCPU %u is placed on CPU %u, which is not there", vm->config->name, number, vcpu->cpu);
		return HV_BAD_INPUT;
	}
	vm->vcpus[number] = vcpu;
	err = xstate_create(vcpu);
	if (!err)
		err = backend->vcpu_create(vcpu);
	return err ? err : sched_add(vcpu);
}

static enum hv_err create_vcpus(struct vm *vm)
{
	uint64_t length = vm->image->vcpus * sizeof(struct vcpu);
	struct vcpu *vcpus = mem_alloc_hv((length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), PAGE_SIZE);
	enum hv_err err = vcpus ? HV_OK : HV_NO_MEMORY;

	vm_private(vm)->vcpus = vcpus;
	for (unsigned i = 0; !err && i < vm->image->vcpus; i++)
		err = create_vcpu(vm, &vcpus[i], i);
	return err;
}

static enum hv_err create_memory(struct vm *vm)
{
	enum hv_err err = mem_reserve(vm->image->memory, LARGE_PAGE_SIZE, OWNER_VM0 + vm->number, &vm->ram);

	if (err) {
		say("%s: %lu MiB of memory are not free", vm->config->name, vm->image->memory >> 20);
		return err;
	}
	err = backend->vm_create(vm);
	if (err)
		return err;
	return vm_map(vm, gpa(0), vm->ram, vm->image->memory, MAP_READ | MAP_WRITE | MAP_EXECUTE);
}

static enum hv_err create(struct vm *vm, unsigned number)
{
	enum hv_err err;

	vm->config = &machine.vms[number];
	vm->image = vm->config->image;
	vm->number = number;
	err = msr_check(vm->image);
	if (!err)
		err = create_memory(vm);
	if (!err)
		err = cpuid_create(vm);
	if (err)
		return err;
	cpuid_bits_create(vm);
	return create_vcpus(vm);
}

enum hv_err vms_create(void)
{
	enum hv_err err = choose_backend();

	if (!err)
		err = xstate_probe();
	if (err)
		return err;
	vlapic_boot();
	for (unsigned i = 0; !err && i < machine.vm_count; i++)
		err = create(&vms[i], i);
	return err;
}
