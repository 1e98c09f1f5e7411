/* SPDX-License-Identifier: Apache-2.0 */
/* VMs with their rights and guards, and devices. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

const char *const right_names[RIGHT_COUNT] = {
	[RIGHT_INTROSPECTS] = "introspects",
	[RIGHT_CONTROLS] = "controls",
	[RIGHT_READS_AUDIT] = "reads-audit",
	[RIGHT_ATTESTS] = "attests",
};

struct place right_place(const struct policy_right *right, unsigned index)
{
	return value_place(right->property, right->all ? 0 : index);
}

static void read_cpus(struct policy_vm *vm, struct report *report)
{
	struct property *p = take(vm->node, "cpus");

	if (!p) {
		complain(report, vm->node->where, "node \"%s\": expected property \"cpus\", found none", vm->name);
		return;
	}
	if (p->kind != KIND_CELLS) {
		complain(report, value_place(p, 0),
			 "cpus: expected the physical CPU of each vCPU, as numbers in <>");
		return;
	}
	vm->cpu_count = p->count;
	vm->cpus = memory_get(p->count * sizeof(uint32_t));
	memcpy(vm->cpus, p->cells, p->count * sizeof(uint32_t));
	if (vm->cpu_count != vm->vcpus)
		complain(report, value_place(p, 0), "cpus: expected one CPU for each of %u vCPU(s), found %u",
			 vm->vcpus, p->count);
}

/* Often it is the levels that stand the wrong way round. */
static void not_between(const struct policy *policy, const struct policy_vm *vm, struct report *report)
{
	const struct lzr_label *labels[] = { &vm->label, &vm->low, &vm->high };
	char text[3][LABEL_TEXT];

	for (unsigned i = 0; i < 3; i++)
		label_text(policy, labels[i], text[i], sizeof(text[i]));
	complain(report, where_of(vm->node, "trusted-low"),
		 "VM \"%s\": expected its label between trusted-low and trusted-high, found %s, and %s to %s; levels "
		 "are listed from the lowest to the highest: %s is the lowest",
		 vm->name, text[0], text[1], text[2], policy->levels[0]);
}

static void read_trusted(struct policy *policy, struct policy_vm *vm, struct report *report)
{
	bool low = take_label(policy, vm->node, "trusted-low", false, &vm->low, report);
	bool high = take_label(policy, vm->node, "trusted-high", false, &vm->high, report);

	vm->trusted = low && high;
	if (low != high) {
		complain(report, where_of(vm->node, low ? "trusted-low" : "trusted-high"),
			 "VM \"%s\": expected both trusted-low and trusted-high, or neither", vm->name);
	} else if (low && (!lzr_label_dominates(&vm->high, &vm->label) ||
			   !lzr_label_dominates(&vm->label, &vm->low))) {
		not_between(policy, vm, report);
	}
	if (!vm->trusted)
		vm->low = vm->high = vm->label;
}

/* A guard's label and range come from its two ends, when those are known. */
static void read_guard(struct policy_vm *vm, struct report *report)
{
	static const char *const contradictions[] = { "label", "trusted-low", "trusted-high" };

	for (unsigned i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++)
		if (take(vm->node, contradictions[i]))
			complain(report, where_of(vm->node, contradictions[i]),
				 "%s: expected none, since VM \"%s\" is a guard: its range is that of its two ends",
				 contradictions[i], vm->name);
	vm->trusted = true;
}

static void read_vm_fields(struct policy *policy, struct policy_vm *vm, struct report *report)
{
	struct node *node = vm->node;

	if (!take_name(node, "image", false, vm->image, report))
		memcpy(vm->image, vm->name, LZR_NAME_MAX);
	vm->guard = node_child(node, "guard");
	if (vm->guard) {
		read_guard(vm, report);
	} else {
		take_label(policy, node, "label", true, &vm->label, report);
		read_trusted(policy, vm, report);
	}
	take_number(node, "memory", true, UNIT_BYTES, LZR_MEMORY_GRANULE, 1ull << 40, &vm->memory, report);
	take_u32(node, "vcpus", false, 1, LZR_VCPU_MAX, &vm->vcpus, report);
	read_cpus(vm, report);
	take_u32(node, "period-us", false, 1000, 1000000, &vm->period_us, report);
	take_u32(node, "budget-us", false, 1, 1000000, &vm->budget_us, report);
	take_u32(node, "max-restarts", false, 0, 1000000, &vm->max_restarts, report);
	vm->measure_only = take_flag(node, "measure-only", report);
	vm->pinned = take_digest(node, "measurement", false, vm->measurement, report);
	if (vm->pinned && vm->measure_only)
		complain(report, where_of(node, "measure-only"),
			 "VM \"%s\": expected either measurement or measure-only, found both", vm->name);
	vm->service = take_flag(node, "service", report);
}

static void read_vm(struct policy *policy, struct node *node, struct report *report)
{
	char name[LZR_NAME_MAX];

	node->type = "VM";
	if (!take_node_name(node, name, report))
		return;
	struct policy_vm *vm = ARRAY_ADD(policy->vms, policy->vm_count, policy->vm_room);
	*vm = (struct policy_vm){ .node = node, .vcpus = 1, .period_us = 20000 };
	memcpy(vm->name, name, LZR_NAME_MAX);
	table_add_text(&policy->vms_by_name, node->name, policy->vm_count - 1);
	read_vm_fields(policy, vm, report);
}

/* In a second pass, when all names are known. */
static void read_right(struct policy *policy, struct policy_vm *vm, enum right which, struct report *report)
{
	struct policy_right *right = &vm->rights[which];
	struct property *p = take_strings(vm->node, right_names[which], false, report);

	if (!p)
		return;
	right->property = p;
	right->all = p->count == 1 && !strcmp(p->strings[0], "*");
	right->vms = memory_get((right->all ? policy->vm_count : p->count) * sizeof(*right->vms));
	for (unsigned i = 0; right->all && i < policy->vm_count; i++)
		right->vms[right->count++] = i;
	struct table seen = { 0 };
	for (unsigned i = 0; !right->all && i < p->count; i++) {
		unsigned vm_number = find_vm(policy, p->strings[i]);
		if (vm_number == NONE)
			no_such(p, i, "a VM of this policy, or \"*\" alone for all", &policy->vms_by_name, report);
		else if (table_add_text(&seen, p->strings[i], i) != NONE)
			complain(report, value_place(p, i), "%s: \"%s\" is listed twice", p->name, p->strings[i]);
		/* An unknown name leaves a hole, so that vms[i] stays the one that value i names. */
		right->vms[right->count++] = vm_number;
	}
	table_free(&seen);
}

void model_read_vms(struct policy *policy, struct report *report)
{
	struct node *vms = node_list(policy->root, "vms", report);

	if (!vms) {
		complain(report, policy->root->where, "expected node \"vms\", found none");
		return;
	}
	for (unsigned i = 0; i < vms->child_count; i++)
		read_vm(policy, vms->children[i], report);
	for (unsigned i = 0; i < policy->vm_count; i++)
		for (unsigned right = 0; right < RIGHT_COUNT; right++)
			read_right(policy, &policy->vms[i], right, report);
}

static void read_conduit(const struct policy *policy, struct node *node, const char *name,
			 struct policy_conduit *conduit, struct report *report)
{
	const char *text;

	if (!take_string(node, name, true, &text, report))
		return;
	unsigned network = find_network(policy, text), channel = find_channel(policy, text);
	conduit->where = where_of(node, name);
	if (network != NONE && channel != NONE) {
		complain(report, conduit->where,
			 "%s: expected a name that only one network or channel has, found \"%s\", which both have",
			 name, text);
	} else if (network == NONE && channel == NONE) {
		char hint[NEAREST_TEXT];
		struct nearest nearest;
		nearest_begin(&nearest, text);
		table_nearest(&policy->networks_by_name, &nearest);
		table_nearest(&policy->channels_by_name, &nearest);
		complain(report, conduit->where, "%s: expected a network or channel of this policy, found \"%s\"%s",
			 name, text, nearest_text(&nearest, hint));
	} else {
		conduit->kind = network != NONE ? CONDUIT_NETWORK : CONDUIT_CHANNEL;
		conduit->index = network != NONE ? network : channel;
	}
}

static const struct lzr_label *conduit_label(const struct policy *policy, const struct policy_conduit *conduit)
{
	return conduit->kind == CONDUIT_NETWORK ? &policy->networks[conduit->index].label
						: &policy->channels[conduit->index].label;
}

void model_read_guards(struct policy *policy, struct report *report)
{
	char from[LABEL_TEXT], to[LABEL_TEXT];

	for (unsigned i = 0; i < policy->vm_count; i++) {
		struct policy_vm *vm = &policy->vms[i];
		if (!vm->guard)
			continue;
		read_conduit(policy, vm->guard, "from", &vm->from, report);
		read_conduit(policy, vm->guard, "to", &vm->to, report);
		if (vm->from.kind == CONDUIT_NONE || vm->to.kind == CONDUIT_NONE)
			continue;
		vm->high = vm->label = *conduit_label(policy, &vm->from);
		vm->low = *conduit_label(policy, &vm->to);
		if (report->errors || (lzr_label_dominates(&vm->high, &vm->low) &&
				       !lzr_label_equal(&vm->high, &vm->low)))
			continue;
		label_text(policy, &vm->high, from, sizeof(from));
		label_text(policy, &vm->low, to, sizeof(to));
		complain(report, vm->to.where,
			 "guard \"%s\": expected \"to\" of a label below that of \"from\" (%s), found %s",
			 vm->name, from, to);
	}
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

/* pci = "BB:DD.F" */
static void take_pci(struct policy_device *device, struct report *report)
{
	const char *text;
	unsigned b, d, f;
	char end;

	if (!take_string(device->node, "pci", true, &text, report))
		return;
	if (strlen(text) != 7 || sscanf(text, "%2x:%2x.%1x%c", &b, &d, &f, &end) != 3 || d > 31 || f > 7) {
		complain(report, where_of(device->node, "pci"),
			 "pci: expected bus:device.function such as \"01:00.0\", found \"%s\"", text);
		return;
	}
	device->has_pci = true;
	device->pci[0] = b;
	device->pci[1] = d;
	device->pci[2] = f;
}

/* location = "DD.F/DD.F": root port's place on bus 0, then what is behind it, and so on. */
static void take_location(struct policy_device *device, struct report *report)
{
	const char *text, *at;
	unsigned d, f, room = 0;
	int used;

	if (!take_string(device->node, "location", true, &text, report))
		return;
	for (at = text; sscanf(at, "%2x.%1x%n", &d, &f, &used) == 2 && used == 4 && d <= 31 && f <= 7;) {
		uint8_t *hop = *ARRAY_ADD(device->hops, device->hop_count, room);
		hop[0] = (uint8_t)d;
		hop[1] = (uint8_t)f;
		at += used;
		if (!*at)
			return;
		if (*at++ != '/')
			break;
	}
	complain(report, where_of(device->node, "location"),
		 "location: expected device.function of each step from bus 0 such as \"02.0/00.0\", found \"%s\"",
		 text);
}

static void read_pci(struct policy_device *device, struct report *report)
{
	static const char *const resets[] = { "flr", "bus", NULL };
	struct node *node = device->node;
	unsigned reset = 1;

	if (take(node, "location") && take(node, "pci"))
		complain(report, where_of(node, "location"),
			 "device \"%s\": expected either pci or location, found both", device->name);
	else if (take(node, "location"))
		take_location(device, report);
	else
		take_pci(device, report);
	if (take_cells(node, "id", true, 2, device->id, report) && (device->id[0] > 0xffff || device->id[1] > 0xffff))
		complain(report, where_of(node, "id"),
			 "id: expected <vendor device> of 16 bits each, found <0x%x 0x%x>", device->id[0],
			 device->id[1]);
	take_choice(node, "reset", true, resets, &reset, report);
	device->flr = reset == 0;
	take_u32(node, "slot", false, 1, 31, &device->slot, report);
	device->bypasses_firewall = take_flag(node, "bypasses-firewall", report);
	take_u32(node, "iommu-group", false, 0, 65535, &device->iommu_group, report);
	take_u32(node, "interrupt-line", false, 0, 65535, &device->interrupt_line, report);
}

static void read_device(struct policy *policy, struct node *node, struct report *report)
{
	char name[LZR_NAME_MAX];
	uint32_t mmio[4];

	node->type = "device";
	if (!take_node_name(node, name, report))
		return;
	struct policy_device *device = ARRAY_ADD(policy->devices, policy->device_count, policy->device_room);
	*device = (struct policy_device){ .node = node, .iommu_group = NONE, .interrupt_line = NONE };
	memcpy(device->name, name, LZR_NAME_MAX);
	table_add_text(&policy->devices_by_name, node->name, policy->device_count - 1);
	device->vm = take_vm(policy, node, "vm", true, report);
	if (!take_name(node, "place", false, device->place, report))
		memcpy(device->place, device->name, LZR_NAME_MAX);
	take_label(policy, node, "label", true, &device->label, report);
	device->mmio = take(node, "mmio") != NULL;
	if (!device->mmio) {
		read_pci(device, report);
	} else if (take_cells(node, "mmio", true, 4, mmio, report)) {
		device->base = (uint64_t)mmio[0] << 32 | mmio[1];
		device->length = (uint64_t)mmio[2] << 32 | mmio[3];
		if (device->base % 4096 || device->length % 4096 || !device->length ||
		    device->base + device->length < device->base)
			complain(report, where_of(node, "mmio"),
				 "mmio: expected whole 4 KiB pages, found 0x%llx, %llu bytes",
				 (unsigned long long)device->base, (unsigned long long)device->length);
	}
}

void model_read_devices(struct policy *policy, struct report *report)
{
	struct node *devices = node_list(policy->root, "devices", report);

	for (unsigned i = 0; devices && i < devices->child_count; i++)
		read_device(policy, devices->children[i], report);
}
