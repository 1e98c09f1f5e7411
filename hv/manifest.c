/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a manifest (include/lazaret/manifest.h) into a struct image_config.  The bytes are the hypervisor's own and
 * their digest is what the policy says; what is checked here is what root mode relies on: sizes, ranges, overlaps,
 * order.
 */
#include <string.h>

#include "images.h"
#include "virtio.h"

#define IO_BAR_FIRST 0x1000u
#define MEMORY_MAX ((uint64_t)LZR_WINDOW32_BASE)

static bool read_cpuid(const struct dt *dt, struct image_config *image, const struct dt_blob *blob)
{
	struct lzr_manifest_cpuid *rows = (struct lzr_manifest_cpuid *)blob->data;
	uint32_t *cells = (uint32_t *)blob->data;

	if (blob->length % sizeof(*rows))
		return dt_refuse(dt, 0, "cpuid", "expected rows of %u bytes, found %u", (unsigned)sizeof(*rows),
				 blob->length);
	for (uint32_t i = 0; i < blob->length / 4; i++)
		cells[i] = dt_cell(blob->data + 4 * i);
	image->cpuid = rows;
	image->cpuid_count = blob->length / sizeof(*rows);
	for (uint32_t i = 0; i < image->cpuid_count; i++) {
		if (i && (rows[i].leaf < rows[i - 1].leaf ||
			(rows[i].leaf == rows[i - 1].leaf && rows[i].subleaf <= rows[i - 1].subleaf)))
			return dt_refuse(dt, 0, "cpuid", "row %u (leaf 0x%x) is not in order", i, rows[i].leaf);
		if (rows[i].computed > LZR_CPUID_TSC)
			return dt_refuse(dt, 0, "cpuid", "row %u has unknown rule %u", i, rows[i].computed);
	}
	return true;
}

static bool read_msr(const struct dt *dt, struct image_config *image, const struct dt_blob *blob)
{
	struct lzr_manifest_msr *rows = (struct lzr_manifest_msr *)blob->data;
	uint32_t *cells = (uint32_t *)blob->data;

	if (blob->length % sizeof(*rows))
		return dt_refuse(dt, 0, "msr", "expected rows of %u bytes, found %u", (unsigned)sizeof(*rows),
				 blob->length);
	for (uint32_t i = 0; i < blob->length / 4; i++)
		cells[i] = dt_cell(blob->data + 4 * i);
	image->msr = rows;
	image->msr_count = blob->length / sizeof(*rows);
	for (uint32_t i = 0; i < image->msr_count; i++) {
		if (i && rows[i].msr <= rows[i - 1].msr)
			return dt_refuse(dt, 0, "msr", "row %u (0x%x) is not in order", i, rows[i].msr);
		if (rows[i].rule < LZR_MSR_FIXED || rows[i].rule > LZR_MSR_EMULATED)
			return dt_refuse(dt, 0, "msr", "row %u has unknown rule %u", i, rows[i].rule);
	}
	return true;
}

static bool read_segment(const struct dt *dt, int node, struct image_config *image)
{
	static const struct dt_field fields[] = {
		DT_FIELD("file", DT_NAME, struct segment_config, file),
		DT_FIELD("gpa", DT_U64, struct segment_config, gpa),
		DT_FIELD("length", DT_U64, struct segment_config, length),
		DT_SIZED("sha384", DT_BYTES, struct segment_config, sha384, LZR_DIGEST_SIZE),
	};

	if (!dt_node_is(dt, node, "segment"))
		return dt_refuse(dt, node, NULL, "unknown node");
	if (image->segment_count == LZR_SEGMENT_MAX)
		return dt_refuse(dt, node, NULL, "more than %u segments", LZR_SEGMENT_MAX);
	struct segment_config *s = &image->segments[image->segment_count];

	if (!dt_read(dt, node, fields, ARRAY_LENGTH(fields), s, NULL) || !dt_is_leaf(dt, node))
		return false;
	if (!s->length || s->gpa >= image->memory || s->length > image->memory - s->gpa)
		return dt_refuse(dt, node, "length", "expected within RAM of 0x%lx bytes, found [0x%lx, +0x%lx)",
			image->memory, s->gpa, s->length);
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct segment_config *other = &image->segments[i];

		if (s->gpa < other->gpa + other->length && other->gpa < s->gpa + s->length)
			return dt_refuse(dt, node, "gpa", "found [0x%lx, +0x%lx), overlaps segment %s: expected "
					 "nothing of [0x%lx, +0x%lx)", s->gpa, s->length, other->file, other->gpa,
					 other->length);
	}
	image->segment_count++;
	return true;
}

static bool read_segments(const struct dt *dt, int node, struct image_config *image)
{
	if (!dt_read(dt, node, NULL, 0, NULL, NULL))
		return false;
	for (int child = dt_child(dt, node); child >= 0; child = dt_next(dt, child))
		if (!read_segment(dt, child, image))
			return false;
	return true;
}

static bool read_state(const struct dt *dt, int node, struct image_config *image)
{
	struct { struct dt_blob mode; uint64_t rip, rsp, rsi, rbx, cr3; } state = { 0 };
	static const struct dt_field fields[] = {
		DT_FIELD("mode", DT_TEXT, __typeof__(state), mode), DT_FIELD("rip", DT_U64, __typeof__(state), rip),
		DT_FIELD("rsp", DT_U64, __typeof__(state), rsp), DT_FIELD("rsi", DT_U64, __typeof__(state), rsi),
		DT_FIELD("rbx", DT_U64, __typeof__(state), rbx), DT_OPTION("cr3", DT_U64, __typeof__(state), cr3),
	};
	uint32_t present;

	if (!dt_read(dt, node, fields, ARRAY_LENGTH(fields), &state, &present) || !dt_is_leaf(dt, node))
		return false;
	image->long64 = !strcmp((const char *)state.mode.data, "long64");
	if (!image->long64 && strcmp((const char *)state.mode.data, "protected32"))
		return dt_refuse(dt, node, "mode", "expected long64 or protected32, found %s",
				 (const char *)state.mode.data);
	if (image->long64 != !!(present & 1u << 5))
		return dt_refuse(dt, node, "cr3", "expected in mode long64 and only there");
	if (!image->long64 && (state.rip | state.rsp | state.rsi | state.rbx) >> 32)
		return dt_refuse(dt, node, "rip", "expected 32-bit registers in mode protected32");
	if (state.cr3 % PAGE_SIZE || (image->long64 && state.cr3 >= image->memory))
		return dt_refuse(dt, node, "cr3", "0x%lx is not a page in RAM", state.cr3);
	image->rip = state.rip;
	image->rsp = state.rsp;
	image->rsi = state.rsi;
	image->rbx = state.rbx;
	image->cr3 = state.cr3;
	return true;
}

static bool read_host_bridge(const struct dt *dt, int node, struct image_config *image)
{
	static const struct dt_field fields[] = { DT_SIZED("config", DT_BYTES, struct image_config, host_bridge, 256) };

	return dt_read(dt, node, fields, ARRAY_LENGTH(fields), image, NULL) && dt_is_leaf(dt, node);
}

static bool read_ports(const struct dt *dt, int node, struct image_config *image)
{
	struct { uint32_t uart, power, debug; } ports = { 0 };
	static const struct dt_field fields[] = {
		DT_OPTION(LZR_PORT_UART, DT_U32, __typeof__(ports), uart),
		DT_OPTION(LZR_PORT_POWER, DT_U32, __typeof__(ports), power),
		DT_OPTION(LZR_PORT_DEBUG, DT_U32, __typeof__(ports), debug),
	};

	if (!dt_read(dt, node, fields, ARRAY_LENGTH(fields), &ports, NULL) || !dt_is_leaf(dt, node))
		return false;
	if (ports.uart > 0xfff8 || ports.power > 0xfffd || ports.debug > 0xffff)
		return dt_refuse(dt, node, NULL, "a port above ffff");
	image->uart = (uint16_t)ports.uart;
	image->power = (uint16_t)ports.power;
	image->debug = (uint16_t)ports.debug;
	return true;
}

/* A PCI slot and a name are used once in an image. */
static bool place_is_new(const struct dt *dt, int node, const struct image_config *image, const char *name,
			 uint32_t slot)
{
	for (uint32_t i = 0; i < image->vdev_count; i++)
		if (!strcmp(image->vdevs[i].name, name) || image->vdevs[i].slot == slot)
			return dt_refuse(dt, node, NULL, "name or slot is taken by %s", image->vdevs[i].name);
	for (uint32_t i = 0; i < image->assign_count; i++) {
		const struct assign_config *a = &image->assigns[i];

		if (!strcmp(a->name, name) || (!a->mmio && slot && a->slot == slot))
			return dt_refuse(dt, node, NULL, "name or slot is taken by %s", a->name);
	}
	if (image->vdev_count + image->assign_count == LZR_VDEV_MAX)
		return dt_refuse(dt, node, NULL, "more than %u devices", LZR_VDEV_MAX);
	return true;
}

struct vdev_cells {
	struct dt_blob device_config, prefix;
	uint32_t slot, io_base, msix[4], queues, queue_size;
};

static bool check_vdev(const struct dt *dt, int node, const struct image_config *image, const struct vdev_cells *c,
		       uint64_t features)
{
	uint64_t msix_gpa = (uint64_t)c->msix[2] << 32 | c->msix[3];

	if (c->slot < 1 || c->slot > 31)
		return dt_refuse(dt, node, "slot", "expected 1..31, found %u", c->slot);
	if (c->io_base % LZR_VIRTIO_BAR_SIZE || c->io_base < IO_BAR_FIRST || c->io_base > 0x10000 - LZR_VIRTIO_BAR_SIZE)
		return dt_refuse(dt, node, "io-base", "expected a multiple of %u from 0x%x, found 0x%x",
				 LZR_VIRTIO_BAR_SIZE, IO_BAR_FIRST, c->io_base);
	for (uint32_t i = 0; i < image->vdev_count; i++)
		if (image->vdevs[i].io_base == c->io_base || image->vdevs[i].msix_gpa == msix_gpa)
			return dt_refuse(dt, node, "io-base", "ports or msix page are those of %s",
					 image->vdevs[i].name);
	if (c->msix[0] < 0x40 || c->msix[0] > 256 - 12 || c->msix[0] % 4 || !c->msix[1] ||
	    c->msix[1] > MSIX_VECTOR_MAX)
		return dt_refuse(dt, node, "msix", "capability at 0x%x with %u vectors", c->msix[0], c->msix[1]);
	if (msix_gpa % PAGE_SIZE || msix_gpa < image->memory || msix_gpa >= 1ull << 32)
		return dt_refuse(dt, node, "msix", "0x%lx is not a page outside RAM below 4 GiB", msix_gpa);
	if (!c->queues || c->queues % 2 || c->queues > UINT8_MAX)
		return dt_refuse(dt, node, "queues", "expected an even number, found %u", c->queues);
	if (!c->queue_size || c->queue_size & (c->queue_size - 1) || c->queue_size > LZR_VIRTIO_QUEUE_MAX)
		return dt_refuse(dt, node, "queue-size", "expected a power of two up to %u, found %u",
				 LZR_VIRTIO_QUEUE_MAX, c->queue_size);
	if (!(features & VIRTIO_F_VERSION_1) || features & ~VIRTIO_FEATURES_ALLOWED)
		return dt_refuse(dt, node, "features", "expected VERSION_1 and no other transport feature, found 0x%lx",
				 features);
	return true;
}

static bool read_vdev(const struct dt *dt, int node, struct image_config *image)
{
	struct vdev_config vdev = { 0 };
	struct vdev_cells c = { 0 };
	struct { struct vdev_config v; struct vdev_cells c; } all = { 0 };
	static const struct dt_field fields[] = {
		DT_FIELD("name", DT_NAME, __typeof__(all), v.name),
		DT_SIZED("config", DT_BYTES, __typeof__(all), v.config, 256),
		DT_SIZED("writable", DT_BYTES, __typeof__(all), v.writable, 256),
		DT_FIELD("features", DT_U64, __typeof__(all), v.features),
		DT_FIELD("service", DT_FLAG, __typeof__(all), v.service),
		DT_FIELD("slot", DT_U32, __typeof__(all), c.slot),
		DT_FIELD("io-base", DT_U32, __typeof__(all), c.io_base),
		DT_SIZED("msix", DT_CELLS, __typeof__(all), c.msix, 4),
		DT_FIELD("queues", DT_U32, __typeof__(all), c.queues),
		DT_FIELD("queue-size", DT_U32, __typeof__(all), c.queue_size),
		DT_SIZED_OPTION("device-config", DT_BLOB, __typeof__(all), c.device_config, LZR_VIRTIO_DEVICE_MAX),
		DT_SIZED_OPTION("prefix", DT_BLOB, __typeof__(all), c.prefix, sizeof(vdev.prefix)),
	};

	if (!dt_read(dt, node, fields, ARRAY_LENGTH(fields), &all, NULL) || !dt_is_leaf(dt, node))
		return false;
	vdev = all.v;
	c = all.c;
	if (!check_vdev(dt, node, image, &c, vdev.features) || !place_is_new(dt, node, image, vdev.name, c.slot))
		return false;
	vdev.slot = (uint8_t)c.slot;
	vdev.io_base = (uint16_t)c.io_base;
	vdev.msix_cap = (uint16_t)c.msix[0];
	vdev.msix_vectors = (uint16_t)c.msix[1];
	vdev.msix_gpa = (uint64_t)c.msix[2] << 32 | c.msix[3];
	vdev.queues = (uint16_t)c.queues;
	vdev.queue_size = (uint16_t)c.queue_size;
	vdev.device_config_length = (uint8_t)c.device_config.length;
	if (c.device_config.length)
		memcpy(vdev.device_config, c.device_config.data, c.device_config.length);
	vdev.prefix_length = (uint8_t)c.prefix.length;
	if (c.prefix.length)
		memcpy(vdev.prefix, c.prefix.data, c.prefix.length);
	image->vdevs[image->vdev_count++] = vdev;
	return true;
}

static bool read_assign(const struct dt *dt, int node, struct image_config *image)
{
	struct { char name[LZR_NAME_MAX]; uint32_t slot, class_code; } a = { 0 };
	static const struct dt_field fields[] = {
		DT_FIELD("name", DT_NAME, __typeof__(a), name), DT_FIELD("slot", DT_U32, __typeof__(a), slot),
		DT_FIELD("class", DT_U32, __typeof__(a), class_code),
	};

	if (!dt_read(dt, node, fields, ARRAY_LENGTH(fields), &a, NULL) || !dt_is_leaf(dt, node))
		return false;
	if (a.slot < 1 || a.slot > 31 || a.class_code >> 24)
		return dt_refuse(dt, node, "slot", "slot %u or class 0x%x is out of range", a.slot, a.class_code);
	if (!place_is_new(dt, node, image, a.name, a.slot))
		return false;
	struct assign_config *out = &image->assigns[image->assign_count++];

	memcpy(out->name, a.name, LZR_NAME_MAX);
	out->slot = (uint8_t)a.slot;
	out->class_code = a.class_code;
	return true;
}

static bool read_mmio(const struct dt *dt, int node, struct image_config *image)
{
	struct assign_config a = { .mmio = true };
	static const struct dt_field fields[] = {
		DT_FIELD("name", DT_NAME, struct assign_config, name),
		DT_FIELD("gpa", DT_U64, struct assign_config, gpa),
		DT_FIELD("length", DT_U64, struct assign_config, length),
	};

	if (!dt_read(dt, node, fields, ARRAY_LENGTH(fields), &a, NULL) || !dt_is_leaf(dt, node))
		return false;
	if (a.gpa % PAGE_SIZE || a.length % PAGE_SIZE || !a.length || a.gpa < image->memory || a.gpa >> 32 ||
	    a.length > (1ull << 32) - a.gpa)
		return dt_refuse(dt, node, "gpa", "[0x%lx, +0x%lx) is not pages outside RAM below 4 GiB", a.gpa,
				 a.length);
	if (!place_is_new(dt, node, image, a.name, 0))
		return false;
	image->assigns[image->assign_count++] = a;
	return true;
}

static bool read_nodes(const struct dt *dt, struct image_config *image)
{
	static const struct {
		const char *name;
		bool (*read)(const struct dt *dt, int node, struct image_config *image);
		bool once;
	} kinds[] = {
		{ "segments", read_segments, true },
		{ "state", read_state, true },
		{ "host-bridge", read_host_bridge, true },
		{ "ports", read_ports, true },
		{ "vdev", read_vdev, false },
		{ "assign", read_assign, false },
		{ "mmio", read_mmio, false },
	};
	uint32_t seen = 0;

	for (int node = dt_child(dt, 0); node >= 0; node = dt_next(dt, node)) {
		unsigned i = 0;

		while (i < ARRAY_LENGTH(kinds) && !dt_node_is(dt, node, kinds[i].name))
			i++;
		if (i == ARRAY_LENGTH(kinds))
			return dt_refuse(dt, node, NULL, "unknown node");
		if (kinds[i].once && seen & 1u << i)
			return dt_refuse(dt, node, NULL, "given twice");
		seen |= 1u << i;
		if (!kinds[i].read(dt, node, image))
			return false;
	}
	for (unsigned i = 0; i < 3; i++)
		if (!(seen & 1u << i))
			return dt_refuse(dt, 0, kinds[i].name, "missing");
	return true;
}

bool manifest_read(struct image_config *image, const char *name, void *fdt, uint64_t length)
{
	struct {
		struct dt_blob compatible, cpuid, msr;
		char image[LZR_NAME_MAX];
		uint64_t memory;
		uint32_t vcpus;
	} root = { 0 };
	static const struct dt_field fields[] = {
		DT_FIELD("compatible", DT_TEXT, __typeof__(root), compatible),
		DT_FIELD("image", DT_NAME, __typeof__(root), image),
		DT_FIELD("memory", DT_U64, __typeof__(root), memory),
		DT_FIELD("vcpus", DT_U32, __typeof__(root), vcpus),
		DT_SIZED("cpuid", DT_BLOB, __typeof__(root), cpuid, LZR_MANIFEST_MAX),
		DT_SIZED("msr", DT_BLOB, __typeof__(root), msr, LZR_MANIFEST_MAX),
	};
	struct dt dt;

	memset(image, 0, sizeof(*image));
	if (!dt_open(&dt, "manifest", name, fdt, length) ||
	    !dt_read(&dt, 0, fields, ARRAY_LENGTH(fields), &root, NULL) ||
	    !dt_compatible(&dt, &root.compatible, LZR_MANIFEST_COMPATIBLE))
		return false;
	if (strcmp(root.image, name))
		return dt_refuse(&dt, 0, "image", "expected %s, found %s", name, root.image);
	if (!root.memory || root.memory % LZR_MEMORY_GRANULE || root.memory > MEMORY_MAX)
		return dt_refuse(&dt, 0, "memory", "expected a multiple of 2 MiB up to 0x%lx, found 0x%lx", MEMORY_MAX,
			root.memory);
	if (!root.vcpus || root.vcpus > LZR_VCPU_MAX)
		return dt_refuse(&dt, 0, "vcpus", "expected 1..%u, found %u", LZR_VCPU_MAX, root.vcpus);
	memcpy(image->name, root.image, LZR_NAME_MAX);
	image->memory = root.memory;
	image->vcpus = root.vcpus;
	return read_cpuid(&dt, image, &root.cpuid) && read_msr(&dt, image, &root.msr) && read_nodes(&dt, image);
}
