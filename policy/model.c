/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as a policy: labels, VMs, devices.  Networks, channels and the switch are in model_net.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define SOURCE_COMPATIBLE "lazaret,policy-source-1"

static unsigned take_names(struct node *root, const char *name, bool required, unsigned max, const char **out,
			   struct report *report)
{
	struct property *p = take(root, name);

	if (!p || p->kind != KIND_STRINGS || p->count > max) {
		if (p || required)
			complain(report, where_of(root, name), "%s: expected 1 to %u names", name, max);
		return 0;
	}
	for (unsigned i = 0; i < p->count; i++) {
		out[i] = p->strings[i];
		if (!name_valid(out[i]))
			complain(report, p->where, "%s: \"%s\" is not a name", name, out[i]);
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(out[i], out[j]))
				complain(report, p->where, "%s: \"%s\" is listed twice", name, out[i]);
	}
	return p->count;
}

static unsigned find_name(const char *const *names, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return i;
	return NONE;
}

/* label = "LEVEL", "CATEGORY"...; */
bool take_label(struct policy *policy, struct node *node, const char *name, bool required, struct lzr_label *out,
		struct report *report)
{
	struct property *p = take(node, name);

	*out = (struct lzr_label){ 0 };
	if (!p) {
		if (required)
			complain(report, node->where, "node \"%s\": expected property \"%s\", found none", node->name,
				 name);
		return false;
	}
	if (p->kind != KIND_STRINGS) {
		complain(report, p->where, "%s: expected a level and categories by name", name);
		return false;
	}
	unsigned level = find_name(policy->levels, policy->level_count, p->strings[0]);
	if (level == NONE) {
		complain(report, p->where, "%s: expected one of the levels of this policy, found \"%s\"", name,
			 p->strings[0]);
		return false;
	}
	out->level = (uint8_t)level;
	for (unsigned i = 1; i < p->count; i++) {
		unsigned category = find_name(policy->categories, policy->category_count, p->strings[i]);
		if (category == NONE) {
			complain(report, p->where, "%s: expected one of the categories of this policy, found \"%s\"",
				 name, p->strings[i]);
			return false;
		}
		out->categories |= 1ull << category;
	}
	return true;
}

void label_text(const struct policy *policy, const struct lzr_label *label, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "%s",
				     label->level < policy->level_count ? policy->levels[label->level] : "?");

	for (unsigned i = 0; i < policy->category_count && at < size; i++)
		if (label->categories & 1ull << i)
			at += (size_t)snprintf(out + at, size - at, " %s", policy->categories[i]);
}

unsigned take_vm(struct policy *policy, struct node *node, const char *name, bool required, struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return NONE;
	for (unsigned i = 0; i < policy->vm_count; i++)
		if (!strcmp(policy->vms[i].name, text))
			return i;
	complain(report, where_of(node, name), "%s: expected a VM of this policy, found \"%s\"", name, text);
	return NONE;
}

bool take_node_name(struct node *node, char out[LZR_NAME_MAX], struct report *report)
{
	memset(out, 0, LZR_NAME_MAX);
	if (!name_valid(node->name)) {
		complain(report, node->where, "node name \"%s\": expected 1 to %d letters, digits, - _ .", node->name,
			 LZR_NAME_MAX - 1);
		return false;
	}
	memcpy(out, node->name, strlen(node->name));
	return true;
}

static void read_cpus(struct policy_vm *vm, struct report *report)
{
	struct property *p = take(vm->node, "cpus");

	if (!p || p->kind != KIND_CELLS || p->count > LZR_VCPU_MAX) {
		complain(report, where_of(vm->node, "cpus"),
			 "cpus: expected the physical CPU of each vCPU, as numbers in <>");
		return;
	}
	vm->cpu_count = p->count;
	memcpy(vm->cpus, p->cells, p->count * sizeof(uint32_t));
	if (vm->cpu_count != vm->vcpus)
		complain(report, p->where, "cpus: expected one CPU for each of %u vCPU(s), found %u", vm->vcpus,
			 p->count);
}

static void read_trusted(struct policy *policy, struct policy_vm *vm, struct report *report)
{
	bool low = take_label(policy, vm->node, "trusted-low", false, &vm->low, report);
	bool high = take_label(policy, vm->node, "trusted-high", false, &vm->high, report);

	vm->trusted = low && high;
	if (low != high)
		complain(report, vm->node->where, "VM \"%s\": expected both trusted-low and trusted-high, or neither",
			 vm->name);
	else if (low && (!lzr_label_dominates(&vm->high, &vm->label) || !lzr_label_dominates(&vm->label, &vm->low)))
		complain(report, where_of(vm->node, "trusted-low"),
			 "VM \"%s\": expected its label between trusted-low and trusted-high", vm->name);
}

static void read_vm(struct policy *policy, struct node *node, struct report *report)
{
	struct policy_vm *vm = &policy->vms[policy->vm_count];
	uint64_t value;

	node->used = true;
	if (policy->vm_count == LZR_VM_MAX) {
		complain(report, node->where, "expected at most %u VMs", LZR_VM_MAX);
		return;
	}
	*vm = (struct policy_vm){ .node = node, .vcpus = 1, .period_us = 20000 };
	if (!take_node_name(node, vm->name, report))
		return;
	policy->vm_count++;
	if (!take_name(node, "image", false, vm->image, report))
		memcpy(vm->image, vm->name, LZR_NAME_MAX);
	take_label(policy, node, "label", true, &vm->label, report);
	read_trusted(policy, vm, report);
	take_number(node, "memory", true, 1ull << 40, &vm->memory, report);
	if (take_number(node, "vcpus", false, LZR_VCPU_MAX, &value, report))
		vm->vcpus = (unsigned)value;
	read_cpus(vm, report);
	if (take_number(node, "period-us", false, 1000000, &value, report))
		vm->period_us = (uint32_t)value;
	if (take_number(node, "budget-us", false, 1000000, &value, report))
		vm->budget_us = (uint32_t)value;
	if (take_number(node, "max-restarts", false, 1000000, &value, report))
		vm->max_restarts = (uint32_t)value;
	vm->measure_only = take_flag(node, "measure-only", report);
	vm->rights |= take_flag(node, "service", report) ? RIGHT_SERVICE : 0;
	vm->rights |= take_flag(node, "attests", report) ? RIGHT_ATTESTS : 0;
	vm->rights |= take_flag(node, "reads-audit", report) ? RIGHT_READS_AUDIT : 0;
}

/* In a second pass, when all names are known. */
static void read_controls(struct policy *policy, struct policy_vm *vm, struct report *report)
{
	struct property *p = take(vm->node, "controls");

	if (p && p->kind != KIND_STRINGS) {
		complain(report, p->where, "controls: expected names of VMs");
		return;
	}
	for (unsigned i = 0; p && i < p->count; i++) {
		unsigned target = 0;
		while (target < policy->vm_count && strcmp(policy->vms[target].name, p->strings[i]))
			target++;
		if (target == policy->vm_count)
			complain(report, p->where, "controls: expected a VM of this policy, found \"%s\"",
				 p->strings[i]);
		else
			vm->controls |= 1u << target;
	}
}

/* pci = "BB:DD.F" */
static bool take_pci(struct node *node, uint32_t out[3], struct report *report)
{
	const char *text;
	unsigned b, d, f;
	char end;

	if (!take_string(node, "pci", true, &text, report))
		return false;
	if (strlen(text) != 7 || sscanf(text, "%2x:%2x.%1x%c", &b, &d, &f, &end) != 3 || d > 31 || f > 7) {
		complain(report, where_of(node, "pci"),
			 "pci: expected bus:device.function such as \"01:00.0\", found \"%s\"", text);
		return false;
	}
	out[0] = b;
	out[1] = d;
	out[2] = f;
	return true;
}

static void read_pci(struct policy_device *device, struct report *report)
{
	const char *reset = "";
	uint64_t slot;

	take_pci(device->node, device->pci, report);
	if (take_cells(device->node, "id", true, 2, device->id, report) &&
	    (device->id[0] > 0xffff || device->id[1] > 0xffff))
		complain(report, where_of(device->node, "id"), "id: expected <vendor device>, 16 bits each");
	if (take_string(device->node, "reset", true, &reset, report) && strcmp(reset, "flr") && strcmp(reset, "bus"))
		complain(report, where_of(device->node, "reset"), "reset: expected \"flr\" or \"bus\", found \"%s\"",
			 reset);
	device->flr = !strcmp(reset, "flr");
	if (take_number(device->node, "slot", false, 31, &slot, report))
		device->slot = (unsigned)slot;
	device->bypasses_firewall = take_flag(device->node, "bypasses-firewall", report);
}

static void read_device(struct policy *policy, struct node *node, struct report *report)
{
	struct policy_device *device = &policy->devices[policy->device_count];
	uint32_t mmio[4];

	node->used = true;
	if (policy->device_count == LZR_DEVICE_MAX) {
		complain(report, node->where, "expected at most %u devices", LZR_DEVICE_MAX);
		return;
	}
	*device = (struct policy_device){ .node = node };
	if (!take_node_name(node, device->name, report))
		return;
	policy->device_count++;
	device->vm = take_vm(policy, node, "vm", true, report);
	if (!take_name(node, "place", false, device->place, report))
		memcpy(device->place, device->name, LZR_NAME_MAX);
	take_label(policy, node, "label", true, &device->label, report);
	if (take_cells(node, "mmio", false, 4, mmio, report)) {
		device->mmio = true;
		device->base = (uint64_t)mmio[0] << 32 | mmio[1];
		device->length = (uint64_t)mmio[2] << 32 | mmio[3];
		if (device->base % 4096 || device->length % 4096 || !device->length)
			complain(report, where_of(node, "mmio"), "mmio: expected whole 4 KiB pages");
	} else {
		read_pci(device, report);
	}
}

static void read_machine(struct policy *policy, struct report *report)
{
	struct node *machine = node_child(policy->root, "machine");
	uint64_t value;

	if (!machine) {
		complain(report, policy->root->where, "expected node \"machine\" with memory and cpus");
		return;
	}
	take_number(machine, "memory", true, 1ull << 46, &policy->machine_memory, report);
	if (take_number(machine, "cpus", true, LZR_CPU_MAX, &value, report))
		policy->machine_cpus = (unsigned)value;
	policy->allow_without_iommu = take_flag(machine, "allow-without-iommu", report);
}

static void read_root(struct policy *policy, struct report *report)
{
	struct node *root = policy->root;
	const char *compatible = "";
	uint32_t cells[2];

	if (take_string(root, "compatible", true, &compatible, report) && strcmp(compatible, SOURCE_COMPATIBLE))
		complain(report, where_of(root, "compatible"), "compatible: expected \"%s\", found \"%s\"",
			 SOURCE_COMPATIBLE, compatible);
	struct property *version = take(root, "version");
	if (version && version->kind == KIND_CELLS && version->count == 1)
		policy->version = version->cells[0];
	else if (take_cells(root, "version", true, 2, cells, report))
		policy->version = (uint64_t)cells[0] << 32 | cells[1];
	policy->level_count = take_names(root, "levels", true, LEVEL_MAX, policy->levels, report);
	policy->category_count = take_names(root, "categories", false, CATEGORY_MAX, policy->categories, report);
}

void model_read(struct policy *policy, struct node *root, const char *keys_dir, struct report *report)
{
	*policy = (struct policy){ .root = root };
	root->used = true;
	read_root(policy, report);
	read_machine(policy, report);
	struct node *vms = node_child(root, "vms"), *devices = node_child(root, "devices");
	if (!vms)
		complain(report, root->where, "expected node \"vms\"");
	for (unsigned i = 0; vms && i < vms->child_count; i++)
		read_vm(policy, vms->children[i], report);
	for (unsigned i = 0; i < policy->vm_count; i++)
		read_controls(policy, &policy->vms[i], report);
	for (unsigned i = 0; devices && i < devices->child_count; i++)
		read_device(policy, devices->children[i], report);
	model_read_networks(policy, report);
	model_read_switch(policy, keys_dir, report);
	model_read_channels(policy, report);
	source_unused(root, report);
}
