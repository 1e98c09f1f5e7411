/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over VMs and devices.  Those over networks, channels and the switch are in links.c. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "edges.h"

static void check_against_facts(const struct policy_vm *vm, struct report *report)
{
	const struct facts *facts = vm->facts;

	if (strcmp(facts->image, vm->image))
		complain(report, where_of(vm->node, "image"),
			 "VM \"%s\": expected a manifest of image \"%s\", found \"%s\"", vm->name, vm->image,
			 facts->image);
	if (facts->memory != vm->memory)
		complain(report, where_of(vm->node, "memory"),
			 "VM \"%s\": memory: expected its manifest's %llu bytes, found %llu", vm->name,
			 (unsigned long long)facts->memory, (unsigned long long)vm->memory);
	if (facts->vcpus != vm->vcpus)
		complain(report, where_of(vm->node, "vcpus"), "VM \"%s\": vcpus: expected its manifest's %u, found %u",
			 vm->name, facts->vcpus, vm->vcpus);
	if (vm->pinned && memcmp(vm->measurement, facts->measurement, LZR_DIGEST_SIZE))
		complain(report, where_of(vm->node, "measurement"),
			 "VM \"%s\": measurement: expected its manifest's %02x%02x%02x%02x.., found %02x%02x%02x%02x..",
			 vm->name, facts->measurement[0], facts->measurement[1], facts->measurement[2],
			 facts->measurement[3], vm->measurement[0], vm->measurement[1], vm->measurement[2],
			 vm->measurement[3]);
}

static void check_trusted(const struct policy_vm *vm, struct report *report)
{
	if (vm->trusted && vm->measure_only)
		complain(report, where_of(vm->node, "measure-only"),
			 "VM \"%s\" is %s: expected its measurement pinned, found measure-only", vm->name,
			 vm->guard ? "a guard" : "trusted over several labels");
}

static void check_vm(struct policy *policy, struct policy_vm *vm, struct report *report)
{
	for (unsigned i = 0; i < vm->cpu_count; i++)
		if (vm->cpus[i] >= policy->machine_cpus)
			complain(report, value_place(take(vm->node, "cpus"), i),
				 "VM \"%s\": cpus: expected CPUs below %u, found %u", vm->name, policy->machine_cpus,
				 vm->cpus[i]);
	if (vm->memory % LZR_MEMORY_GRANULE)
		complain(report, where_of(vm->node, "memory"),
			 "VM \"%s\": memory: expected a multiple of 2 MiB, found %llu bytes", vm->name,
			 (unsigned long long)vm->memory);
	if (vm->budget_us > vm->period_us)
		complain(report, where_of(vm->node, "budget-us"),
			 "VM \"%s\": budget-us: expected at most period-us, %u, found %u", vm->name, vm->period_us,
			 vm->budget_us);
	check_trusted(vm, report);
	if (vm->facts)
		check_against_facts(vm, report);
}

static void check_memory(struct policy *policy, struct report *report)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < policy->vm_count; i++) {
		struct policy_vm *vm = &policy->vms[i];
		sum += vm->memory;
		if (sum <= policy->machine_memory)
			continue;
		complain(report, where_of(vm->node, "memory"),
			 "VM \"%s\": memory does not fit: expected at most %llu MiB for all VMs (machine memory), "
			 "found %llu MiB with this one",
			 vm->name, (unsigned long long)(policy->machine_memory >> 20), (unsigned long long)(sum >> 20));
		return;
	}
}

/* Budgets that the source leaves out become equal shares of what the CPU has left. */
void cpu_load(const struct policy *policy, struct cpu_load *loads)
{
	for (unsigned i = 0; i < policy->vm_count; i++) {
		const struct policy_vm *vm = &policy->vms[i];
		for (unsigned v = 0; v < vm->cpu_count; v++) {
			if (vm->cpus[v] >= policy->machine_cpus)
				continue;
			struct cpu_load *load = &loads[vm->cpus[v]];
			load->used += (uint64_t)vm->budget_us * 1000000 / vm->period_us;
			load->open += vm->budget_us == 0;
			load->last = vm->budget_us ? vm : load->last;
		}
	}
}

static void check_cpu_time(struct policy *policy, struct report *report)
{
	struct cpu_load *loads = memory_get(policy->machine_cpus * sizeof(*loads));

	cpu_load(policy, loads);
	for (unsigned cpu = 0; cpu < policy->machine_cpus; cpu++) {
		const struct cpu_load *load = &loads[cpu];
		if (load->last && (load->used > 1000000 || (load->open && load->used >= 1000000)))
			complain(report, where_of(load->last->node, "budget-us"),
				 "VM \"%s\": CPU %u: expected budgets of at most 100%% in all, found %llu%%%s",
				 load->last->name, cpu, (unsigned long long)(load->used / 10000),
				 load->open ? " and VMs without a budget" : "");
	}
	free(loads);
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

static void check_place(const struct policy *policy, const struct policy_device *device, struct report *report)
{
	const struct policy_vm *vm = &policy->vms[device->vm];

	if (!vm->facts)
		return;
	const struct fact_device *place = facts_device(vm->facts, device->place);
	if (!place || place->kind != (device->mmio ? FACT_MMIO : FACT_ASSIGN))
		complain(report, where_of(device->node, "place"),
			 "device \"%s\": expected a place \"%s\" for a %s in the manifest of VM \"%s\", found %s",
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

static void check_device_guard(const struct policy *policy, const struct policy_device *device,
			       struct report *report)
{
	const struct policy_vm *vm = &policy->vms[device->vm];

	if (vm->guard)
		complain(report, where_of(device->node, "vm"),
			 "device \"%s\": expected a VM that is no guard, found \"%s\": a guard has its two ends only",
			 device->name, vm->name);
}

/* "Assigned twice" by what it is: PCI address or location. */
static void check_twice(const struct policy *policy, struct table *seen, const void *key, size_t size,
			const char *property, unsigned index, struct report *report)
{
	const struct policy_device *device = &policy->devices[index];
	unsigned other = table_add(seen, key, size, index);
	char place[PLACE_TEXT];

	if (other != NONE)
		complain(report, where_of(device->node, property),
			 "device \"%s\" is assigned twice: it is also device \"%s\" (%s)", device->name,
			 policy->devices[other].name, place_text(policy->devices[other].node->where, place));
}

struct place_key {
	unsigned vm;
	char place[LZR_NAME_MAX];
};

static void check_places_once(const struct policy *policy, struct report *report)
{
	struct place_key *keys = memory_get(policy->device_count * sizeof(*keys));
	struct table seen = { 0 };
	char place[PLACE_TEXT];

	for (unsigned i = 0; i < policy->device_count; i++) {
		const struct policy_device *device = &policy->devices[i];
		keys[i].vm = device->vm;
		memcpy(keys[i].place, device->place, LZR_NAME_MAX);
		unsigned other = device->vm == NONE ? NONE : table_add(&seen, &keys[i], sizeof(keys[i]), i);
		if (other != NONE)
			complain(report, where_of(device->node, "place"),
				 "device \"%s\": place \"%s\" is taken by device \"%s\" (%s)", device->name,
				 device->place, policy->devices[other].name,
				 place_text(policy->devices[other].node->where, place));
	}
	table_free(&seen);
	free(keys);
}

static int by_base(const void *left, const void *right)
{
	const struct policy_device *a = *(const struct policy_device *const *)left;
	const struct policy_device *b = *(const struct policy_device *const *)right;

	return a->base != b->base ? (a->base < b->base ? -1 : 1) : a < b ? -1 : a > b;
}

/* A VM's slots: an uplink is known to the switch by its slot alone. */
static void check_slots_once(const struct policy *policy, struct report *report)
{
	struct slot_key { unsigned vm, slot; } *keys = memory_get(policy->device_count * sizeof(*keys));
	struct table seen = { 0 };
	char place[PLACE_TEXT];

	for (unsigned i = 0; i < policy->device_count; i++) {
		const struct policy_device *device = &policy->devices[i];
		keys[i] = (struct slot_key){ device->vm, device->slot };
		bool known = device->vm != NONE && device->slot;
		unsigned other = known ? table_add(&seen, &keys[i], sizeof(keys[i]), i) : NONE;
		if (other != NONE)
			complain(report, where_of(device->node, "slot"),
				 "device \"%s\": slot %u of VM \"%s\" is taken by device \"%s\" (%s)", device->name,
				 device->slot, policy->vms[device->vm].name, policy->devices[other].name,
				 place_text(policy->devices[other].node->where, place));
	}
	table_free(&seen);
	free(keys);
}

/* Platform devices' pages, sorted: only neighbours can overlap. */
static void check_pages(const struct policy *policy, struct report *report)
{
	const struct policy_device **sorted = memory_get(policy->device_count * sizeof(*sorted));
	char place[PLACE_TEXT];
	unsigned count = 0;

	for (unsigned i = 0; i < policy->device_count; i++)
		if (policy->devices[i].mmio)
			sorted[count++] = &policy->devices[i];
	qsort(sorted, count, sizeof(*sorted), by_base);
	for (unsigned i = 1; i < count; i++) {
		const struct policy_device *a = sorted[i - 1], *b = sorted[i];
		if (b->base - a->base < a->length)
			complain(report, where_of(b->node, "mmio"),
				 "device \"%s\" is assigned twice: its pages are also those of device \"%s\" (%s)",
				 b->name, a->name, place_text(a->node->where, place));
	}
	free(sorted);
}

static void check_devices(struct policy *policy, struct report *report)
{
	struct table pci = { 0 }, locations = { 0 };

	for (unsigned i = 0; i < policy->device_count; i++) {
		const struct policy_device *device = &policy->devices[i];
		if (device->has_pci)
			check_twice(policy, &pci, device->pci, sizeof(device->pci), "pci", i, report);
		if (device->hop_count)
			check_twice(policy, &locations, device->hops, 2 * device->hop_count, "location", i, report);
		if (device->vm == NONE)
			continue;
		check_device_guard(policy, device, report);
		check_place(policy, device, report);
	}
	table_free(&pci);
	table_free(&locations);
	check_places_once(policy, report);
	check_slots_once(policy, report);
	check_pages(policy, report);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void check_images(struct policy *policy, struct report *report)
{
	struct table seen = { 0 };
	char place[PLACE_TEXT];

	for (unsigned i = 0; i < policy->vm_count; i++) {
		const struct policy_vm *vm = &policy->vms[i];
		unsigned other = table_add_text(&seen, vm->image, i);
		if (other != NONE && policy->vms[other].measure_only != vm->measure_only)
			complain(report, vm->node->where,
				 "VM \"%s\": expected measure-only as in VM \"%s\" (%s), which runs the same image "
				 "\"%s\"",
				 vm->name, policy->vms[other].name,
				 place_text(policy->vms[other].node->where, place), vm->image);
	}
	table_free(&seen);
}

/* What is defined and never used is a mistake: its author meant it to do something. */
static void check_unused(const struct policy *policy, struct report *report)
{
	struct property *levels = take(policy->root, "levels"), *categories = take(policy->root, "categories");

	for (unsigned i = 0; i < policy->level_count; i++)
		if (!(policy->levels_used & 1ull << i))
			complain(report, value_place(levels, i), "level \"%s\" is never used", policy->levels[i]);
	for (unsigned i = 0; i < policy->category_count; i++)
		if (!(policy->categories_used & 1ull << i))
			complain(report, value_place(categories, i), "category \"%s\" is never used",
				 policy->categories[i]);
	for (unsigned i = 0; i < policy->label_count; i++)
		if (!policy->labels[i].used)
			complain(report, policy->labels[i].property->where, "label \"%s\" is never used",
				 policy->labels[i].name);
	for (unsigned i = 0; i < policy->service_count; i++)
		if (!policy->services[i].used)
			complain(report, policy->services[i].node->where, "service \"%s\" is never used",
				 policy->services[i].name);
	for (unsigned i = 0; i < policy->set_count; i++)
		if (!policy->sets[i].used)
			complain(report, policy->sets[i].property->where, "set \"%s\" is never used",
				 policy->sets[i].name);
}

void check_policy(struct policy *policy, struct report *report)
{
	if (policy->vm_count == 0)
		complain(report, policy->root->where, "expected at least one VM, found none");
	for (unsigned i = 0; i < policy->vm_count; i++)
		check_vm(policy, &policy->vms[i], report);
	check_images(policy, report);
	check_memory(policy, report);
	check_cpu_time(policy, report);
	check_devices(policy, report);
	check_links(policy, report);
	check_flows(policy, report);
	check_unused(policy, report);
}
