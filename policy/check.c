/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over VMs and devices.  Those over networks, channels and the switch are in links.c. */
#include <stdio.h>
#include <string.h>

#include "policy.h"

#define LABEL_TEXT 256

/* A VM may hold what is labelled `label` if it has that label, or is trusted multi-level over it. */
static bool may_hold(const struct policy_vm *vm, const struct lzr_label *label)
{
	if (!vm->trusted)
		return lzr_label_equal(&vm->label, label);
	return lzr_label_dominates(&vm->high, label) && lzr_label_dominates(label, &vm->low);
}

static void check_vm(struct policy *policy, struct policy_vm *vm, struct report *report)
{
	for (unsigned i = 0; i < vm->cpu_count; i++)
		if (vm->cpus[i] >= policy->machine_cpus)
			complain(report, where_of(vm->node, "cpus"), "VM \"%s\": expected CPUs below %u, found %u",
				 vm->name, policy->machine_cpus, vm->cpus[i]);
	if (vm->vcpus < 1)
		complain(report, where_of(vm->node, "vcpus"), "VM \"%s\": expected at least one vCPU", vm->name);
	if (vm->memory == 0 || vm->memory % LZR_MEMORY_GRANULE)
		complain(report, where_of(vm->node, "memory"),
			 "VM \"%s\": expected a multiple of 2 MiB, found %llu bytes", vm->name,
			 (unsigned long long)vm->memory);
	if (vm->period_us < 1000 || vm->budget_us > vm->period_us)
		complain(report, where_of(vm->node, "budget-us"),
			 "VM \"%s\": expected period-us of 1000 or more and budget-us of at most that, found %u of %u",
			 vm->name, vm->budget_us, vm->period_us);
	if (!vm->has_facts)
		return;
	if (strcmp(vm->facts.image, vm->image))
		complain(report, where_of(vm->node, "image"),
			 "VM \"%s\": expected a manifest of image \"%s\", found \"%s\"", vm->name, vm->image,
			 vm->facts.image);
	if (vm->facts.memory != vm->memory)
		complain(report, where_of(vm->node, "memory"),
			 "VM \"%s\": memory: its manifest has %llu bytes, found %llu here", vm->name,
			 (unsigned long long)vm->facts.memory, (unsigned long long)vm->memory);
	if (vm->facts.vcpus != vm->vcpus)
		complain(report, where_of(vm->node, "vcpus"), "VM \"%s\": vcpus: its manifest has %u, found %u here",
			 vm->name, vm->facts.vcpus, vm->vcpus);
}

static void check_memory(struct policy *policy, struct report *report)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < policy->vm_count; i++) {
		struct policy_vm *vm = &policy->vms[i];
		sum += vm->memory;
		if (sum <= policy->machine_memory || !vm->memory)
			continue;
		complain(report, where_of(vm->node, "memory"),
			 "VM \"%s\": memory does not fit: expected at most %llu MiB for all VMs (machine memory), "
			 "found %llu MiB "
			 "with this one",
			 vm->name, (unsigned long long)(policy->machine_memory >> 20), (unsigned long long)(sum >> 20));
		return;
	}
}

/* Budgets that the source leaves out become equal shares of what the CPU has left. */
static void check_cpu_time(struct policy *policy, struct report *report)
{
	for (unsigned cpu = 0; cpu < policy->machine_cpus; cpu++) {
		uint64_t used = 0;      /* in millionths of the CPU */
		unsigned open = 0;
		const struct policy_vm *last = NULL;
		for (unsigned i = 0; i < policy->vm_count; i++)
			for (unsigned v = 0; v < policy->vms[i].cpu_count; v++) {
				const struct policy_vm *vm = &policy->vms[i];
				if (vm->cpus[v] != cpu || vm->period_us == 0)
					continue;
				used += (uint64_t)vm->budget_us * 1000000 / vm->period_us;
				open += vm->budget_us == 0;
				last = vm->budget_us ? vm : last;
			}
		if (last && (used > 1000000 || (open && used >= 1000000)))
			complain(report, where_of(last->node, "budget-us"),
				 "VM \"%s\": CPU %u: expected budgets of at most 100%% in all, found %llu%%%s",
				 last->name, cpu, (unsigned long long)(used / 10000),
				 open ? " and VMs without a budget" : "");
	}
}

static void check_device_pair(const struct policy_device *a, const struct policy_device *b, struct report *report)
{
	bool same = a->mmio && b->mmio ? a->base < b->base + b->length && b->base < a->base + a->length
				       : !a->mmio && !b->mmio && !memcmp(a->pci, b->pci, sizeof(a->pci));

	if (same)
		complain(report, where_of(b->node, b->mmio ? "mmio" : "pci"),
			 "device \"%s\" is assigned twice: it is also device \"%s\" (%s)", b->name, a->name,
			 a->node->where);
	if (a->vm == b->vm && a->vm != NONE && !strcmp(a->place, b->place))
		complain(report, where_of(b->node, "place"),
			 "device \"%s\": place \"%s\" is taken by device \"%s\" (%s)", b->name, b->place, a->name,
			 a->node->where);
}

static void check_place(const struct policy *policy, const struct policy_device *device, struct report *report)
{
	const struct policy_vm *vm = &policy->vms[device->vm];

	if (!vm->has_facts)
		return;
	const struct fact_device *place = facts_device(&vm->facts, device->place);
	if (!place || place->kind != (device->mmio ? FACT_MMIO : FACT_ASSIGN))
		complain(report, device->node->where,
			 "device \"%s\": expected a place \"%s\" for a %s in the manifest of VM "
			 "\"%s\", found %s",
			 device->name, device->place, device->mmio ? "platform device" : "PCI function", vm->name,
			 place ? "a device of another kind" : "none");
	else if (device->slot && device->slot != place->slot)
		complain(report, where_of(device->node, "slot"),
			 "device \"%s\": expected slot %u as in the manifest of VM \"%s\", found %u", device->name,
			 place->slot, vm->name, device->slot);
	else if (device->mmio && (place->gpa != device->base || place->length != device->length))
		complain(report, where_of(device->node, "mmio"),
			 "device \"%s\": expected the place's 0x%llx, %llu bytes, found 0x%llx, %llu bytes",
			 device->name, (unsigned long long)place->gpa, (unsigned long long)place->length,
			 (unsigned long long)device->base, (unsigned long long)device->length);
}

static void check_device(struct policy *policy, unsigned index, struct report *report)
{
	struct policy_device *device = &policy->devices[index];
	char want[LABEL_TEXT], have[LABEL_TEXT];

	for (unsigned i = 0; i < index; i++)
		check_device_pair(&policy->devices[i], device, report);
	if (device->vm == NONE)
		return;
	const struct policy_vm *vm = &policy->vms[device->vm];
	if (!may_hold(vm, &device->label)) {
		label_text(policy, &device->label, want, sizeof(want));
		label_text(policy, &vm->label, have, sizeof(have));
		complain(report, where_of(device->node, "label"),
			 "device \"%s\" has label %s: expected a VM of that label or trusted over it, found \"%s\" "
			 "with %s",
			 device->name, want, vm->name, have);
	}
	check_place(policy, device, report);
}

static void check_names(struct policy *policy, struct report *report)
{
	for (unsigned i = 0; i < policy->vm_count; i++)
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(policy->vms[i].image, policy->vms[j].image) &&
			    policy->vms[i].measure_only != policy->vms[j].measure_only)
				complain(report, policy->vms[i].node->where,
					 "VM \"%s\": measure-only differs from VM \"%s\", which runs the same image",
					 policy->vms[i].name, policy->vms[j].name);
}

void check_policy(struct policy *policy, struct report *report)
{
	if (policy->vm_count == 0)
		complain(report, policy->root->where, "expected at least one VM");
	for (unsigned i = 0; i < policy->vm_count; i++)
		check_vm(policy, &policy->vms[i], report);
	check_names(policy, report);
	check_memory(policy, report);
	check_cpu_time(policy, report);
	for (unsigned i = 0; i < policy->device_count; i++)
		check_device(policy, i, report);
	check_links(policy, report);
}
