/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the signed policy (include/lazaret/policy.h) into `machine`.  Its compiler has checked what it means; what is
 * checked here again is what isolation rests on: every number in range, everything named exists once, no place for a
 * device and no queue pair given twice; that no PCI function is, assign.c looks.  What may flow where is flow.c's.
 */
#include <string.h>

#include "images.h"

#define PCI_CLASS_NETWORK 2u

struct label_limits {
	uint32_t levels, categories;
};

static struct label_limits limits;

static uint32_t count_names(const struct dt_blob *list)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < list->length; i++)
		count += !list->data[i];
	return count;
}

static bool check_label(const struct dt *dt, int node, const char *property, const struct lzr_label *label)
{
	if (label->level >= limits.levels)
		return dt_refuse(dt, node, property, "level %u of %u", label->level, limits.levels);
	if (limits.categories < 64 && label->categories >> limits.categories)
		return dt_refuse(dt, node, property, "categories 0x%lx of %u", label->categories, limits.categories);
	return true;
}

static const struct image_config *find_image(const char *name)
{
	for (uint32_t i = 0; i < machine.image_count; i++)
		if (!strcmp(machine.images[i].name, name))
			return &machine.images[i];
	return NULL;
}

struct vm_fields {
	char image[LZR_NAME_MAX];
	uint8_t measurement[LZR_DIGEST_SIZE];
	bool measure_only, service;
	struct lzr_label label;
	uint32_t range[6];
	uint64_t memory;
	uint32_t vcpus, budget_us, period_us, max_restarts;
	struct dt_blob cpus, rights[RIGHT_COUNT];
};

enum { VM_MEASUREMENT = 1, VM_RANGE = 4, VM_RIGHTS = 12 };      /* rows below: bits of what was there */
#define VM_RIGHT(r, n) [VM_RIGHTS + (r)] = \
	DT_SIZED_OPTION(n, DT_BLOB, struct vm_fields, rights[r], sizeof(uint32_t) * LZR_VM_MAX)
static const struct dt_field vm_fields[] = {
	DT_FIELD("image", DT_NAME, struct vm_fields, image),
	[VM_MEASUREMENT] = { .name = "measurement", .type = DT_BYTES, .size = LZR_DIGEST_SIZE, .optional = true,
		.offset = offsetof(struct vm_fields, measurement) },
	DT_FIELD("measure-only", DT_FLAG, struct vm_fields, measure_only),
	DT_FIELD("label", DT_LABEL, struct vm_fields, label),
	[VM_RANGE] = { .name = "trusted-range", .type = DT_CELLS, .size = 6, .optional = true,
		.offset = offsetof(struct vm_fields, range) },
	DT_FIELD("memory", DT_U64, struct vm_fields, memory),
	DT_FIELD("vcpus", DT_U32, struct vm_fields, vcpus),
	DT_SIZED("cpus", DT_BLOB, struct vm_fields, cpus, 4 * LZR_VCPU_MAX),
	DT_FIELD("budget-us", DT_U32, struct vm_fields, budget_us),
	DT_FIELD("period-us", DT_U32, struct vm_fields, period_us),
	DT_FIELD("max-restarts", DT_U32, struct vm_fields, max_restarts),
	DT_FIELD("service", DT_FLAG, struct vm_fields, service),
	VM_RIGHT(RIGHT_INTROSPECTS, "introspects"), VM_RIGHT(RIGHT_CONTROLS, "controls"),
	VM_RIGHT(RIGHT_READS_AUDIT, "reads-audit"), VM_RIGHT(RIGHT_ATTESTS, "attests"),
};

static struct lzr_label label_from(const uint32_t cells[3])
{
	return (struct lzr_label){
		.level = (uint8_t)cells[0], .categories = (uint64_t)cells[1] << 32 | cells[2],
	};
}

static bool check_image(const struct dt *dt, int node, const struct vm_fields *f, uint32_t present,
	const struct image_config *image)
{
	if (!image)
		return dt_refuse(dt, node, "image", "expected manifest %s in the boot list, found none", f->image);
	if (f->measure_only == !!(present & 1u << VM_MEASUREMENT))
		return dt_refuse(dt, node, "measurement", "expected either measurement or measure-only");
	if (!f->measure_only && memcmp(f->measurement, image->measurement, LZR_DIGEST_SIZE)) {
		const uint8_t *e = f->measurement, *m = image->measurement;

		return dt_refuse(dt, node, "measurement", "expected %02x%02x%02x%02x.., manifest %s has "
			"%02x%02x%02x%02x..", e[0], e[1], e[2], e[3], f->image, m[0], m[1], m[2], m[3]);
	}
	if (f->memory != image->memory || f->vcpus != image->vcpus)
		return dt_refuse(dt, node, "memory", "expected 0x%lx bytes and %u vCPUs, manifest %s has 0x%lx and %u",
				 f->memory, f->vcpus, f->image, image->memory, image->vcpus);
	return true;
}

static bool take_labels(const struct dt *dt, int node, const struct vm_fields *f, uint32_t present,
			struct vm_config *vm)
{
	vm->label = vm->range_low = vm->range_high = f->label;
	if (present & 1u << VM_RANGE) {
		if (f->range[0] > UINT8_MAX || f->range[3] > UINT8_MAX)
			return dt_refuse(dt, node, "trusted-range", "level above 255");
		vm->range_low = label_from(f->range);
		vm->range_high = label_from(f->range + 3);
	}
	if (!lzr_label_dominates(&vm->range_high, &vm->label) || !lzr_label_dominates(&vm->label, &vm->range_low))
		return dt_refuse(dt, node, "trusted-range", "does not include the label");
	return check_label(dt, node, "label", &vm->label) && check_label(dt, node, "trusted-range", &vm->range_low) &&
		check_label(dt, node, "trusted-range", &vm->range_high);
}

static bool take_rights(const struct dt *dt, int node, const struct vm_fields *f, struct vm_config *vm)
{
	for (unsigned r = 0; r < RIGHT_COUNT; r++) {
		const struct dt_blob *list = &f->rights[r];
		const char *name = vm_fields[VM_RIGHTS + r].name;

		if (list->length % 4 || (list->data && !list->length))
			return dt_refuse(dt, node, name, "expected numbers of VMs, found %u bytes", list->length);
		for (uint32_t i = 0; i < list->length; i += 4) {
			uint32_t other = dt_cell(list->data + i);

			if (other >= LZR_VM_MAX)
				return dt_refuse(dt, node, name, "VM %u", other);
			vm->rights[r] |= 1ull << other;
		}
	}
	return true;
}

static bool read_vm(const struct dt *dt, int node)
{
	struct vm_fields f = { 0 };
	uint32_t present;

	if (machine.vm_count == LZR_VM_MAX)
		return dt_refuse(dt, node, NULL, "more than %u VMs", LZR_VM_MAX);
	struct vm_config *vm = &machine.vms[machine.vm_count];

	if (!dt_node_name(dt, node, vm->name) || !dt_is_leaf(dt, node) ||
	    !dt_read(dt, node, vm_fields, ARRAY_LENGTH(vm_fields), &f, &present))
		return false;
	for (uint32_t i = 0; i < machine.vm_count; i++)
		if (!strcmp(machine.vms[i].name, vm->name))
			return dt_refuse(dt, node, NULL, "two VMs have this name");
	vm->image = find_image(f.image);
	if (!check_image(dt, node, &f, present, vm->image) || !take_labels(dt, node, &f, present, vm))
		return false;
	if (f.cpus.length != 4 * f.vcpus)
		return dt_refuse(dt, node, "cpus", "expected %u cells, found %u bytes", f.vcpus, f.cpus.length);
	for (uint32_t i = 0; i < f.vcpus; i++) {
		uint32_t cpu = dt_cell(f.cpus.data + 4 * i);

		if (!cpu_is_used(cpu))
			return dt_refuse(dt, node, "cpus", "CPU %u of %u%s", cpu, cpu_count(),
					 cpu < cpu_count() ? ", which is left out" : "");
		vm->cpus[i] = (uint8_t)cpu;
	}
	if (!take_rights(dt, node, &f, vm))
		return false;
	if (!f.budget_us || f.budget_us > f.period_us)
		return dt_refuse(dt, node, "budget-us", "expected 1..%u (period-us), found %u", f.period_us,
				 f.budget_us);
	vm->budget_us = f.budget_us;
	vm->period_us = f.period_us;
	vm->max_restarts = f.max_restarts;
	vm->flags = (f.service ? VM_SERVICE : 0) | (f.measure_only ? VM_MEASURE_ONLY : 0);
	machine.vm_count++;
	return true;
}

static bool read_device(const struct dt *dt, int node)
{
	struct {
		struct device_config d;
		uint32_t pci[3], id[2], mmio[4], vm;
		struct dt_blob reset, location;
	} f = { 0 };
	enum { PCI, ID, MMIO, RESET, LOCATION };
	static const struct dt_field fields[] = {
		[PCI] = { "pci", DT_CELLS, true, offsetof(__typeof__(f), pci), 3 },
		[ID] = { "id", DT_CELLS, true, offsetof(__typeof__(f), id), 2 },
		[MMIO] = { "mmio", DT_CELLS, true, offsetof(__typeof__(f), mmio), 4 },
		[RESET] = { "reset", DT_TEXT, true, offsetof(__typeof__(f), reset), 0 },
		[LOCATION] = { "location", DT_BLOB, true, offsetof(__typeof__(f), location), LZR_LOCATION_MAX },
		DT_FIELD("vm", DT_U32, __typeof__(f), vm), DT_FIELD("name", DT_NAME, __typeof__(f), d.name),
		DT_FIELD("label", DT_LABEL, __typeof__(f), d.label),
		DT_FIELD("bypasses-firewall", DT_FLAG, __typeof__(f), d.bypasses_firewall),
	};
	uint32_t present;

	if (machine.device_count == LZR_DEVICE_MAX)
		return dt_refuse(dt, node, NULL, "more than %u devices", LZR_DEVICE_MAX);
	if (!dt_is_leaf(dt, node) || !dt_read(dt, node, fields, ARRAY_LENGTH(fields), &f, &present))
		return false;
	present &= 1u << PCI | 1u << ID | 1u << MMIO | 1u << RESET | 1u << LOCATION;
	f.d.mmio = present == 1u << MMIO;
	if (!f.d.mmio && present != (1u << PCI | 1u << ID | 1u << RESET) &&
	    present != (1u << LOCATION | 1u << ID | 1u << RESET))
		return dt_refuse(dt, node, NULL, "expected either pci or location, id and reset, or mmio");
	if (present & 1u << LOCATION && !f.location.length)
		return dt_refuse(dt, node, "location", "expected up to %u steps, found none", LZR_LOCATION_MAX);
	if (f.pci[0] > 255 || f.pci[1] > 31 || f.pci[2] > 7 || f.id[0] > 0xffff || f.id[1] > 0xffff)
		return dt_refuse(dt, node, "pci", "bus, device, function or id out of range");
	if (f.vm >= machine.vm_count)
		return dt_refuse(dt, node, "vm", "VM %u of %u", f.vm, machine.vm_count);
	if (!check_label(dt, node, "label", &f.d.label))
		return false;
	f.d.steps = (uint8_t)f.location.length;
	for (unsigned i = 0; i < f.d.steps; i++)
		f.d.location[i] = f.location.data[i];
	f.d.bus = (uint8_t)f.pci[0];
	f.d.device = (uint8_t)f.pci[1];
	f.d.function = (uint8_t)f.pci[2];
	f.d.vendor_id = (uint16_t)f.id[0];
	f.d.device_id = (uint16_t)f.id[1];
	f.d.base = (uint64_t)f.mmio[0] << 32 | f.mmio[1];
	f.d.length = (uint64_t)f.mmio[2] << 32 | f.mmio[3];
	f.d.vm = (uint8_t)f.vm;
	if (f.d.mmio &&
	    (!f.d.length || f.d.base % PAGE_SIZE || f.d.length % PAGE_SIZE || f.d.base + f.d.length < f.d.base))
		return dt_refuse(dt, node, "mmio", "[0x%lx, +0x%lx) is not whole pages", f.d.base, f.d.length);
	if (!f.d.mmio) {
		f.d.flr = !strcmp((const char *)f.reset.data, "flr");
		if (!f.d.flr && strcmp((const char *)f.reset.data, "bus"))
			return dt_refuse(dt, node, "reset", "expected flr or bus, found %s",
					 (const char *)f.reset.data);
	}
	machine.devices[machine.device_count++] = f.d;
	return true;
}

static bool read_network(const struct dt *dt, int node)
{
	static const struct dt_field fields[] = {
		DT_FIELD("label", DT_LABEL, struct network_config, label),
		DT_OPTION("uplink", DT_U32, struct network_config, uplink),
	};
	struct network_config f = { .uplink = NETWORK_ISOLATED };
	uint32_t present;

	if (machine.network_count == LZR_NETWORK_MAX)
		return dt_refuse(dt, node, NULL, "more than %u networks", LZR_NETWORK_MAX);
	if (!dt_node_name(dt, node, f.name) || !dt_is_leaf(dt, node) ||
	    !dt_read(dt, node, fields, ARRAY_LENGTH(fields), &f, &present) || !check_label(dt, node, "label", &f.label))
		return false;
	if (present & 2 && f.uplink >= machine.device_count)
		return dt_refuse(dt, node, "uplink", "device %u of %u", f.uplink, machine.device_count);
	machine.networks[machine.network_count++] = f;
	return true;
}

static bool read_end(const struct dt *dt, int node, struct link_end_config *end, uint32_t vm, const char *vdev,
		     uint32_t pair)
{
	if (vm >= machine.vm_count)
		return dt_refuse(dt, node, "a", "VM %u of %u", vm, machine.vm_count);
	const struct vm_config *config = &machine.vms[vm];
	uint32_t i = 0;

	while (i < config->image->vdev_count && strcmp(config->image->vdevs[i].name, vdev))
		i++;
	if (i == config->image->vdev_count)
		return dt_refuse(dt, node, "a-device", "VM %s has no virtual device %s", config->name, vdev);
	if (pair >= config->image->vdevs[i].queues / 2u)
		return dt_refuse(dt, node, "a-pair", "pair %u of %u of %s %s", pair,
				 config->image->vdevs[i].queues / 2u, config->name, vdev);
	if (config->image->vdevs[i].service && !(config->flags & VM_SERVICE))
		return dt_refuse(dt, node, "a-device", "%s is a service end, VM %s is no service VM", vdev,
				 config->name);
	*end = (struct link_end_config){ (uint8_t)vm, (uint8_t)i, (uint16_t)pair };
	return true;
}

static bool end_is_new(const struct dt *dt, int node, const struct link_end_config *end)
{
	for (uint32_t i = 0; i < machine.link_count; i++)
		for (unsigned side = 0; side < 2; side++) {
			const struct link_end_config *other = &machine.links[i].end[side];

			if (other->vm == end->vm && other->vdev == end->vdev && other->pair == end->pair)
				return dt_refuse(dt, node, NULL, "queue pair is that of link %u", i);
		}
	return true;
}

static bool read_link(const struct dt *dt, int node)
{
	struct {
		uint32_t vm[2], pair[2], network;
		char device[2][LZR_NAME_MAX];
		struct lzr_label label;
	} f = { .network = LINK_CHANNEL };
	static const struct dt_field fields[] = {
		DT_FIELD("a", DT_U32, __typeof__(f), vm[0]), DT_FIELD("b", DT_U32, __typeof__(f), vm[1]),
		DT_FIELD("a-pair", DT_U32, __typeof__(f), pair[0]), DT_FIELD("b-pair", DT_U32, __typeof__(f), pair[1]),
		DT_FIELD("a-device", DT_NAME, __typeof__(f), device[0]),
		DT_FIELD("b-device", DT_NAME, __typeof__(f), device[1]),
		DT_OPTION("network", DT_U32, __typeof__(f), network), DT_FIELD("label", DT_LABEL, __typeof__(f), label),
	};
	struct link_config link = { 0 };
	uint32_t present;

	if (machine.link_count == LZR_LINK_MAX)
		return dt_refuse(dt, node, NULL, "more than %u links", LZR_LINK_MAX);
	if (!dt_is_leaf(dt, node) || !dt_read(dt, node, fields, ARRAY_LENGTH(fields), &f, &present) ||
	    !check_label(dt, node, "label", &f.label))
		return false;
	for (unsigned side = 0; side < 2; side++)
		if (!read_end(dt, node, &link.end[side], f.vm[side], f.device[side], f.pair[side]) ||
		    !end_is_new(dt, node, &link.end[side]))
			return false;
	if (f.vm[0] == f.vm[1])
		return dt_refuse(dt, node, "b", "both ends are VM %u", f.vm[0]);
	if (present & 1u << 6 && f.network >= machine.network_count)
		return dt_refuse(dt, node, "network", "network %u of %u", f.network, machine.network_count);
	link.network = f.network;
	link.label = f.label;
	machine.links[machine.link_count++] = link;
	return true;
}

static bool read_list(const struct dt *dt, int parent, bool (*read)(const struct dt *dt, int node))
{
	if (!dt_read(dt, parent, NULL, 0, NULL, NULL))
		return false;
	for (int node = dt_child(dt, parent); node >= 0; node = dt_next(dt, node))
		if (!read(dt, node))
			return false;
	return true;
}

static bool read_nodes(const struct dt *dt)
{
	static const struct {
		const char *name;
		bool (*read)(const struct dt *dt, int node);
	} lists[] = {   /* each refers only to what was read before it */
		{ "vms", read_vm }, { "devices", read_device }, { "networks", read_network }, { "links", read_link },
	};
	int nodes[ARRAY_LENGTH(lists)];

	for (unsigned i = 0; i < ARRAY_LENGTH(lists); i++)
		nodes[i] = -1;
	for (int node = dt_child(dt, 0); node >= 0; node = dt_next(dt, node)) {
		unsigned i = 0;

		while (i < ARRAY_LENGTH(lists) && !dt_node_is(dt, node, lists[i].name))
			i++;
		if (i == ARRAY_LENGTH(lists))
			return dt_refuse(dt, node, NULL, "unknown node");
		if (nodes[i] >= 0)
			return dt_refuse(dt, node, NULL, "given twice");
		nodes[i] = node;
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(lists); i++)
		if (nodes[i] >= 0 && !read_list(dt, nodes[i], lists[i].read))
			return false;
	return machine.vm_count || dt_refuse(dt, 0, "vms", "no VM");
}

static bool check_device(const struct dt *dt, uint32_t number)
{
	struct device_config *d = &machine.devices[number];
	const struct vm_config *vm = &machine.vms[d->vm];
	uint32_t i = 0;

	while (i < vm->image->assign_count &&
	       (vm->image->assigns[i].mmio != d->mmio || strcmp(vm->image->assigns[i].name, d->name)))
		i++;
	if (i == vm->image->assign_count)
		return dt_refuse(dt, 0, "devices", "%s: image %s has no place for it", d->name, vm->image->name);
	if (d->mmio && d->length != vm->image->assigns[i].length)
		return dt_refuse(dt, 0, "devices", "%s: 0x%lx bytes, the place in image %s has 0x%lx", d->name,
				 d->length, vm->image->name, vm->image->assigns[i].length);
	d->place = (uint8_t)i;
	for (uint32_t j = 0; j < number; j++) {
		const struct device_config *e = &machine.devices[j];

		if (d->mmio && e->mmio && d->base < e->base + e->length && e->base < d->base + d->length)
			return dt_refuse(dt, 0, "devices", "%s and %s are the same device", d->name, e->name);
		if (d->vm == e->vm && !strcmp(d->name, e->name))
			return dt_refuse(dt, 0, "devices", "two devices for place %s of VM %s", d->name, vm->name);
	}
	return true;
}

/* It has the service end of one of the network's ports: that network's switch. */
static bool serves(uint32_t vm, uint32_t network)
{
	for (uint32_t i = 0; i < 2 * machine.link_count; i++) {
		const struct link_end_config *end = &machine.links[i / 2].end[i & 1];

		if (machine.links[i / 2].network == network && end->vm == vm &&
		    machine.vms[vm].image->vdevs[end->vdev].service)
			return true;
	}
	return false;
}

/* A card beside the switch only where the author says so; assign.c sees that its class is true. */
static bool check_bypass(const struct dt *dt, uint32_t number)
{
	const struct device_config *d = &machine.devices[number];
	struct vm_config *vm = &machine.vms[d->vm];

	if (d->bypasses_firewall)
		vm->flags |= VM_FIREWALL_BYPASS;
	if (d->bypasses_firewall || d->mmio || vm->image->assigns[d->place].class_code >> 16 != PCI_CLASS_NETWORK)
		return true;
	for (uint32_t i = 0; i < machine.network_count; i++)
		if (machine.networks[i].uplink == number && serves(d->vm, i))
			return true;
	return dt_refuse(dt, 0, "devices", "%s: a network card that is no network's uplink: expected "
			 "bypasses-firewall, found none", d->name);
}

static bool check_machine(const struct dt *dt)
{
	uint64_t seeds = 0;

	for (uint32_t i = 0; i < machine.vm_count; i++)
		if (machine.vms[i].flags & VM_SERVICE)
			seeds += machine.vms[i].max_restarts + 1ul;
	if (seeds > SEED_MAX)
		return dt_refuse(dt, 0, "vms", "service VMs start up to %lu times together, expected up to %u", seeds,
				 SEED_MAX);
	for (uint32_t i = 0; i < machine.vm_count; i++)
		for (unsigned r = 0; r < RIGHT_COUNT; r++)
			if (machine.vm_count < 64 && machine.vms[i].rights[r] >> machine.vm_count)
				return dt_refuse(dt, 0, "vms", "%s %s a VM that is not there", machine.vms[i].name,
						 vm_fields[VM_RIGHTS + r].name);
	for (uint32_t i = 0; i < machine.device_count; i++)
		if (!check_device(dt, i) || !check_bypass(dt, i))
			return false;
	for (uint32_t i = 0; i < machine.image_count; i++) {
		uint32_t vm = 0;

		while (vm < machine.vm_count && machine.vms[vm].image != &machine.images[i])
			vm++;
		if (vm == machine.vm_count)
			return dt_refuse(dt, 0, "vms", "expected a VM for manifest %s of the boot list, found none",
				machine.images[i].name);
	}
	return true;
}

bool policy_read(const char *name, void *fdt, uint64_t length)
{
	struct {
		struct dt_blob compatible, levels, categories;
		uint64_t version;
		bool without_iommu, secure_boot, measured_boot;
		uint8_t signer[LZR_DIGEST_SIZE];
		uint8_t next_signer[LZR_DIGEST_SIZE];           /* for the next boot: the attestor reads it itself */
	} root = { 0 };
	static const struct dt_field fields[] = {
		DT_FIELD("compatible", DT_TEXT, __typeof__(root), compatible),
		DT_FIELD("version", DT_U64, __typeof__(root), version),
		DT_FIELD("levels", DT_TEXT, __typeof__(root), levels),
		DT_OPTION("categories", DT_TEXT, __typeof__(root), categories),
		DT_FIELD("allow-without-iommu", DT_FLAG, __typeof__(root), without_iommu),
		DT_FIELD("secure-boot", DT_FLAG, __typeof__(root), secure_boot),
		DT_FIELD("measured-boot", DT_FLAG, __typeof__(root), measured_boot),
		DT_SIZED_OPTION("signer", DT_BYTES, __typeof__(root), signer, LZR_DIGEST_SIZE),
		DT_SIZED_OPTION("next-signer", DT_BYTES, __typeof__(root), next_signer, LZR_DIGEST_SIZE),
	};
	struct dt dt;

	if (!dt_open(&dt, "policy", name, fdt, length) ||
	    !dt_read(&dt, 0, fields, ARRAY_LENGTH(fields), &root, NULL) ||
	    !dt_compatible(&dt, &root.compatible, LZR_POLICY_COMPATIBLE))
		return false;
	limits = (struct label_limits){ count_names(&root.levels), count_names(&root.categories) };
	machine.policy_version = root.version;
	machine.allow_without_iommu = root.without_iommu;
	machine.required = (root.secure_boot ? LZR_BOOT_SECURE_BOOT : 0) |
		(root.measured_boot ? LZR_BOOT_MEASURED : 0);
	memcpy(machine.signer, root.signer, LZR_DIGEST_SIZE);
	return read_nodes(&dt) && check_machine(&dt);
}
