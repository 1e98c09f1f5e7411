/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled policy (bindings in lazaret/policy.h): the same source and manifests give the same bytes. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "check.h"

#define EMIT_FIRST (256u << 10)
#define EMIT_LAST (1u << 30)

struct writer {
	void *fdt;
	int error;              /* the first one */
};

static void add(struct writer *w, int result)
{
	if (!w->error)
		w->error = result;
}

static void begin(struct writer *w, const char *name)
{
	add(w, fdt_begin_node(w->fdt, name));
}

static void begin_unit(struct writer *w, const char *name, unsigned number)
{
	char text[LZR_NAME_MAX + 16];

	snprintf(text, sizeof(text), "%s@%x", name, number);
	begin(w, text);
}

static void end(struct writer *w)
{
	add(w, fdt_end_node(w->fdt));
}

static void bytes(struct writer *w, const char *name, const void *data, size_t size)
{
	add(w, fdt_property(w->fdt, name, data, (int)size));
}

static void cells(struct writer *w, const char *name, const uint32_t *values, unsigned count)
{
	uint32_t swapped[8];

	for (unsigned i = 0; i < count; i++)
		swapped[i] = htonl(values[i]);
	bytes(w, name, swapped, count * sizeof(uint32_t));
}

static void u32(struct writer *w, const char *name, uint32_t value)
{
	cells(w, name, &value, 1);
}

static void u64(struct writer *w, const char *name, uint64_t value)
{
	uint32_t pair[2] = { (uint32_t)(value >> 32), (uint32_t)value };

	cells(w, name, pair, 2);
}

static void text(struct writer *w, const char *name, const char *value)
{
	bytes(w, name, value, strlen(value) + 1);
}

static void flag(struct writer *w, const char *name, bool set)
{
	if (set)
		bytes(w, name, "", 0);
}

static void label_cells(const struct lzr_label *label, uint32_t out[3])
{
	out[0] = label->level;
	out[1] = (uint32_t)(label->categories >> 32);
	out[2] = (uint32_t)label->categories;
}

static void label(struct writer *w, const char *name, const struct lzr_label *value)
{
	uint32_t three[3];

	label_cells(value, three);
	cells(w, name, three, 3);
}

static void name_list(struct writer *w, const char *name, const char *const *names, unsigned count)
{
	char joined[CATEGORY_MAX * LZR_NAME_MAX];
	size_t at = 0;

	for (unsigned i = 0; i < count; i++) {
		memcpy(joined + at, names[i], strlen(names[i]) + 1);
		at += strlen(names[i]) + 1;
	}
	if (count)
		bytes(w, name, joined, at);
}

/* What the source leaves open: an equal share of the CPU's period among its vCPUs. */
static uint32_t default_budget(const struct cpu_load *loads, const struct policy_vm *vm)
{
	uint64_t used = 0, most = 1;

	for (unsigned v = 0; v < vm->cpu_count; v++) {
		const struct cpu_load *load = &loads[vm->cpus[v]];
		most = load->open > most ? load->open : most;
		used = load->used > used ? load->used : used;
	}
	return (uint32_t)((1000000 - used) * vm->period_us / 1000000 / most);
}

static void numbers(struct writer *w, const char *name, const uint32_t *values, unsigned count)
{
	uint32_t *swapped = memory_get(count * sizeof(*swapped));

	for (unsigned i = 0; i < count; i++)
		swapped[i] = htonl(values[i]);
	bytes(w, name, swapped, count * sizeof(*swapped));
	free(swapped);
}

static void vm_node(struct writer *w, const struct policy *policy, const struct cpu_load *loads,
		    unsigned number)
{
	const struct policy_vm *vm = &policy->vms[number];
	uint32_t range[6];

	begin_unit(w, vm->name, number);
	text(w, "image", vm->image);
	if (vm->measure_only)
		flag(w, "measure-only", true);
	else
		bytes(w, "measurement", vm->pinned ? vm->measurement : vm->facts->measurement, LZR_DIGEST_SIZE);
	label(w, "label", &vm->label);
	if (vm->trusted) {
		label_cells(&vm->low, range);
		label_cells(&vm->high, range + 3);
		cells(w, "trusted-range", range, 6);
	}
	u64(w, "memory", vm->memory);
	u32(w, "vcpus", vm->vcpus);
	numbers(w, "cpus", vm->cpus, vm->cpu_count);
	u32(w, "budget-us", vm->budget_us ? vm->budget_us : default_budget(loads, vm));
	u32(w, "period-us", vm->period_us);
	u32(w, "max-restarts", vm->max_restarts);
	flag(w, "service", vm->service);
	for (unsigned right = 0; right < RIGHT_COUNT; right++)
		if (vm->rights[right].count)
			numbers(w, right_names[right], vm->rights[right].vms, vm->rights[right].count);
	end(w);
}

static void location(struct writer *w, const struct policy_device *device)
{
	uint8_t *steps = memory_get(device->hop_count);

	for (unsigned i = 0; i < device->hop_count; i++)
		steps[i] = (uint8_t)(device->hops[i][0] << 3 | device->hops[i][1]);
	bytes(w, "location", steps, device->hop_count);
	free(steps);
}

static void device_node(struct writer *w, const struct policy_device *device, unsigned number)
{
	begin_unit(w, device->name, number);
	if (device->mmio) {
		uint32_t range[4] = { (uint32_t)(device->base >> 32), (uint32_t)device->base,
				      (uint32_t)(device->length >> 32), (uint32_t)device->length };
		cells(w, "mmio", range, 4);
	} else {
		if (device->has_pci)
			cells(w, "pci", device->pci, 3);
		else
			location(w, device);
		cells(w, "id", device->id, 2);
		text(w, "reset", device->flr ? "flr" : "bus");
		flag(w, "bypasses-firewall", device->bypasses_firewall);
	}
	u32(w, "vm", device->vm);
	text(w, "name", device->place);
	label(w, "label", &device->label);
	end(w);
}

static void link_node(struct writer *w, const struct policy_link *link, unsigned number)
{
	begin_unit(w, "link", number);
	u32(w, "a", link->vm[0]);
	text(w, "a-device", link->device[0]);
	u32(w, "a-pair", link->pair[0]);
	u32(w, "b", link->vm[1]);
	text(w, "b-device", link->device[1]);
	u32(w, "b-pair", link->pair[1]);
	if (link->network != NONE)
		u32(w, "network", link->network);
	label(w, "label", &link->label);
	end(w);
}

static void network_node(struct writer *w, const struct policy_network *network, unsigned number)
{
	begin_unit(w, network->name, number);
	label(w, "label", &network->label);
	if (network->uplink != NONE)
		u32(w, "uplink", network->uplink);
	end(w);
}

static void emit_tree(struct writer *w, const struct policy *policy, const struct cpu_load *loads, size_t room)
{
	add(w, fdt_create(w->fdt, (int)room));
	add(w, fdt_finish_reservemap(w->fdt));
	begin(w, "");
	text(w, "compatible", LZR_POLICY_COMPATIBLE);
	u64(w, "version", policy->version);
	name_list(w, "levels", policy->levels, policy->level_count);
	name_list(w, "categories", policy->categories, policy->category_count);
	flag(w, "allow-without-iommu", policy->allow_without_iommu);
	flag(w, "secure-boot", policy->platform.secure_boot);
	flag(w, "measured-boot", policy->platform.measured_boot);
	if (policy->platform.has_signer)
		bytes(w, "signer", policy->platform.signer_digest, LZR_DIGEST_SIZE);
	if (policy->platform.has_next_signer)
		bytes(w, "next-signer", policy->platform.next_signer_digest, LZR_DIGEST_SIZE);
	begin(w, "vms");
	for (unsigned i = 0; i < policy->vm_count; i++)
		vm_node(w, policy, loads, i);
	end(w);
	begin(w, "devices");
	for (unsigned i = 0; i < policy->device_count; i++)
		device_node(w, &policy->devices[i], i);
	end(w);
	begin(w, "links");
	for (unsigned i = 0; i < policy->link_count; i++)
		link_node(w, &policy->links[i], i);
	end(w);
	begin(w, "networks");
	for (unsigned i = 0; i < policy->network_count; i++)
		network_node(w, &policy->networks[i], i);
	end(w);
	end(w);
	add(w, fdt_finish(w->fdt));
}

void *emit_policy(const struct policy *policy, size_t *size)
{
	struct cpu_load *loads = memory_get(policy->machine_cpus * sizeof(*loads));
	struct writer w = { NULL, -FDT_ERR_NOSPACE };

	cpu_load(policy, loads);
	for (size_t room = EMIT_FIRST; w.error == -FDT_ERR_NOSPACE && room <= EMIT_LAST; room *= 2) {
		free(w.fdt);
		w = (struct writer){ memory_get(room), 0 };
		emit_tree(&w, policy, loads, room);
	}
	free(loads);
	if (w.error) {
		free(w.fdt);
		return NULL;
	}
	*size = fdt_totalsize(w.fdt);
	return w.fdt;
}
