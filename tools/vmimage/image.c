/* SPDX-License-Identifier: Apache-2.0 */
/* The image as a whole: segments, its checks, and the manifest's bytes (bindings in lazaret/manifest.h). */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libfdt.h>

#include "vmimage.h"

bool image_add_segment(struct image *image, const char *stem, uint64_t gpa, const void *data, size_t size)
{
	if (image->segment_count == LZR_SEGMENT_MAX)
		return refuse("%s: expected at most %u segments", image->name, LZR_SEGMENT_MAX);
	if (size == 0)
		return refuse("%s: segment %s is empty", image->name, stem);
	struct segment *segment = &image->segments[image->segment_count];
	char digest[2 * 8 + 1];

	*segment = (struct segment){ .gpa = gpa };
	if (!sha384(data, size, segment->sha384))
		return false;
	hex(segment->sha384, 8, digest);
	if ((size_t)snprintf(segment->file, LZR_NAME_MAX, "%s-%s.seg", stem, digest) >= LZR_NAME_MAX ||
	    !lzr_name_text_is_valid(segment->file))
		return refuse("%s: segment name %s: expected letters, digits, - _ . , neither dash nor dot first, "
			      "and at most %d characters", image->name, stem, LZR_NAME_MAX - 1 - 21);
	if (!blob_alloc(&segment->blob, size))
		return false;
	memcpy(segment->blob.data, data, size);
	image->segment_count++;
	return true;
}

static bool check_segments(const struct image *image)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct segment *a = &image->segments[i];
		if (a->gpa >= image->memory || a->blob.size > image->memory - a->gpa)
			return refuse("%s: segment %s at 0x%" PRIx64 " with %zu bytes is not inside RAM of %" PRIu64
				    " bytes; give more --memory",
				    image->name, a->file, a->gpa, a->blob.size, image->memory);
		for (unsigned j = 0; j < i; j++) {
			const struct segment *b = &image->segments[j];
			if (a->gpa < b->gpa + b->blob.size && b->gpa < a->gpa + a->blob.size)
				return refuse("%s: segment %s at 0x%" PRIx64 " overlaps segment %s at 0x%" PRIx64,
					    image->name, a->file, a->gpa, b->file, b->gpa);
		}
	}
	return true;
}

static bool claim_slot(const struct image *image, uint32_t *used, const char *name, unsigned slot)
{
	if (slot < 1 || slot > 31)
		return refuse("%s: device %s: expected a slot from 1 to 31, found %u", image->name, name, slot);
	if (*used & 1u << slot)
		return refuse("%s: device %s: slot %u is used twice", image->name, name, slot);
	*used |= 1u << slot;
	return true;
}

static bool check_vdev(const struct image *image, const struct vdev *v)
{
	if (v->queues < 2 || v->queues % 2 || v->queues > 256)
		return refuse("%s: device %s: expected an even number of queues from 2 to 256, found %u", image->name,
			    v->name, v->queues);
	if (v->queue_size < 2 || v->queue_size > LZR_VIRTIO_QUEUE_MAX || (v->queue_size & (v->queue_size - 1)))
		return refuse("%s: device %s: expected a queue size that is a power of two up to %u, found %u",
			      image->name, v->name, LZR_VIRTIO_QUEUE_MAX, v->queue_size);
	if (v->type != VDEV_LINK && v->queues != 2)
		return refuse("%s: device %s: a net or console device has 2 queues, found %u", image->name, v->name,
			    v->queues);
	if (v->type == VDEV_NET && !v->service && !v->has_mac)
		return refuse("%s: device %s: a net device needs mac=", image->name, v->name);
	if (v->has_mac && (v->mac[0] & 1))
		return refuse("%s: device %s: the MAC address is a group address", image->name, v->name);
	return true;
}

static bool check_devices(const struct image *image)
{
	const char *names[2 * LZR_VDEV_MAX];
	unsigned count = 0;
	uint32_t used = 0;

	if (image->vdev_count + image->assign_count > LZR_VDEV_MAX)
		return refuse("%s: expected at most %u devices, found %u", image->name, LZR_VDEV_MAX,
			    image->vdev_count + image->assign_count);
	for (unsigned i = 0; i < image->vdev_count; i++) {
		const struct vdev *v = &image->vdevs[i];
		if (!claim_slot(image, &used, v->name, v->slot) || !check_vdev(image, v))
			return false;
		names[count++] = v->name;
	}
	for (unsigned i = 0; i < image->assign_count; i++) {
		const struct assign *a = &image->assigns[i];
		if (!a->mmio && !claim_slot(image, &used, a->name, a->slot))
			return false;
		if (a->mmio && (a->gpa % PAGE || a->length % PAGE || a->length == 0 || a->gpa < image->memory))
			return refuse("%s: device %s: expected whole pages outside RAM", image->name, a->name);
		names[count++] = a->name;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!lzr_name_text_is_valid(names[i]))
			return refuse("%s: device name \"%s\": expected " LZR_NAME_RULE, image->name, names[i]);
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(names[i], names[j]))
				return refuse("%s: two devices are named %s", image->name, names[i]);
	}
	return true;
}

bool image_check(const struct image *image)
{
	if (!lzr_name_text_is_valid(image->name))
		return refuse("--name: expected " LZR_NAME_RULE ", found \"%s\"", image->name);
	if (image->memory == 0 || image->memory % LZR_MEMORY_GRANULE || image->memory > LZR_WINDOW32_BASE)
		return refuse("%s: --memory: expected a multiple of 2 MiB up to 2 GiB, found %" PRIu64 " bytes",
			      image->name, image->memory);
	if (image->vcpus < 1 || image->vcpus > LZR_VCPU_MAX)
		return refuse("%s: --vcpus: expected 1 to %u, found %u", image->name, LZR_VCPU_MAX, image->vcpus);
	return check_segments(image) && check_devices(image);
}

/* Each put_* adds to `error`, so that one check at the end is enough. */
static void put_u32(void *fdt, const char *name, uint32_t value, int *error)
{
	*error |= fdt_property_u32(fdt, name, value);
}

static void put_u64(void *fdt, const char *name, uint64_t value, int *error)
{
	*error |= fdt_property_u64(fdt, name, value);
}

static void put_bytes(void *fdt, const char *name, const void *data, unsigned size, int *error)
{
	*error |= fdt_property(fdt, name, data, (int)size);
}

static void put_string(void *fdt, const char *name, const char *value, int *error)
{
	*error |= fdt_property_string(fdt, name, value);
}

static void put_cells(void *fdt, const char *name, const void *structures, size_t size, int *error)
{
	uint32_t cells[CPUID_ROWS_MAX * 11 > MSR_ROWS_MAX * 6 ? CPUID_ROWS_MAX * 11 : MSR_ROWS_MAX * 6];

	memcpy(cells, structures, size);
	for (size_t i = 0; i < size / 4; i++)
		cells[i] = htonl(cells[i]);
	put_bytes(fdt, name, cells, (unsigned)size, error);
}

static void put_rules(void *fdt, const struct image *image, int *error)
{
	struct lzr_manifest_cpuid cpuid[CPUID_ROWS_MAX];
	struct lzr_manifest_msr msr[MSR_ROWS_MAX];
	unsigned count = cpu_cpuid_rows(image, cpuid);

	put_cells(fdt, "cpuid", cpuid, count * sizeof(cpuid[0]), error);
	count = cpu_msr_rows(msr);
	put_cells(fdt, "msr", msr, count * sizeof(msr[0]), error);
}

static void put_segments(void *fdt, const struct image *image, int *error)
{
	char node[64];

	*error |= fdt_begin_node(fdt, "segments");
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct segment *segment = &image->segments[i];
		snprintf(node, sizeof(node), "segment@%" PRIx64, segment->gpa);
		*error |= fdt_begin_node(fdt, node);
		put_string(fdt, "file", segment->file, error);
		put_u64(fdt, "gpa", segment->gpa, error);
		put_u64(fdt, "length", segment->blob.size, error);
		put_bytes(fdt, "sha384", segment->sha384, LZR_DIGEST_SIZE, error);
		*error |= fdt_end_node(fdt);
	}
	*error |= fdt_end_node(fdt);
}

static void put_state(void *fdt, const struct image *image, int *error)
{
	*error |= fdt_begin_node(fdt, "state");
	put_string(fdt, "mode", image->long64 ? "long64" : "protected32", error);
	put_u64(fdt, "rip", image->rip, error);
	put_u64(fdt, "rsp", image->rsp, error);
	put_u64(fdt, "rsi", image->rsi, error);
	put_u64(fdt, "rbx", image->rbx, error);
	if (image->long64)
		put_u64(fdt, "cr3", image->cr3, error);
	*error |= fdt_end_node(fdt);
}

static void put_platform(void *fdt, const struct image *image, int *error)
{
	uint8_t config[256];

	*error |= fdt_begin_node(fdt, "host-bridge");
	pci_host_bridge(config);
	put_bytes(fdt, "config", config, sizeof(config), error);
	*error |= fdt_end_node(fdt);
	*error |= fdt_begin_node(fdt, "ports");
	if (image->uart)
		put_u32(fdt, LZR_PORT_UART, image->uart, error);
	if (image->power)
		put_u32(fdt, LZR_PORT_POWER, image->power, error);
	if (image->debug)
		put_u32(fdt, LZR_PORT_DEBUG, image->debug, error);
	*error |= fdt_end_node(fdt);
}

static void put_vdev(void *fdt, const struct vdev *vdev, int *error)
{
	uint8_t config[256], writable[256], device[LZR_VIRTIO_DEVICE_MAX], prefix[32];
	uint64_t msix_gpa = LZR_VDEV_MSIX_BASE + vdev->slot * PAGE;
	uint32_t msix[4] = { htonl(PCI_MSIX_CAP), htonl(pci_msix_vectors(vdev)), htonl((uint32_t)(msix_gpa >> 32)),
			     htonl((uint32_t)msix_gpa) };
	char node[32];

	snprintf(node, sizeof(node), "vdev@%x", vdev->slot);
	*error |= fdt_begin_node(fdt, node);
	put_string(fdt, "name", vdev->name, error);
	put_u32(fdt, "slot", vdev->slot, error);
	pci_virtio(vdev, config, writable);
	put_bytes(fdt, "config", config, sizeof(config), error);
	put_bytes(fdt, "writable", writable, sizeof(writable), error);
	put_u32(fdt, "io-base", LZR_VDEV_IO_BASE + vdev->slot * LZR_VIRTIO_BAR_SIZE, error);
	put_bytes(fdt, "msix", msix, sizeof(msix), error);
	put_u64(fdt, "features", virtio_features(vdev), error);
	put_u32(fdt, "queues", vdev->queues, error);
	put_u32(fdt, "queue-size", vdev->queue_size, error);
	put_bytes(fdt, "device-config", device, virtio_device_config(vdev, device), error);
	if (vdev->service) {
		put_bytes(fdt, "service", "", 0, error);
		put_bytes(fdt, "prefix", prefix, virtio_prefix(vdev, prefix), error);
	}
	*error |= fdt_end_node(fdt);
}

static void put_assign(void *fdt, const struct assign *assign, int *error)
{
	char node[48];

	if (assign->mmio)
		snprintf(node, sizeof(node), "mmio@%" PRIx64, assign->gpa);
	else
		snprintf(node, sizeof(node), "assign@%x", assign->slot);
	*error |= fdt_begin_node(fdt, node);
	put_string(fdt, "name", assign->name, error);
	if (assign->mmio) {
		put_u64(fdt, "gpa", assign->gpa, error);
		put_u64(fdt, "length", assign->length, error);
	} else {
		put_u32(fdt, "slot", assign->slot, error);
		put_u32(fdt, "class", assign->class_code, error);
	}
	*error |= fdt_end_node(fdt);
}

bool image_manifest(const struct image *image, struct blob *out)
{
	int error = 0;

	if (!blob_alloc(out, LZR_MANIFEST_MAX))
		return false;
	void *fdt = out->data;
	error |= fdt_create(fdt, LZR_MANIFEST_MAX);
	error |= fdt_finish_reservemap(fdt);
	error |= fdt_begin_node(fdt, "");
	put_string(fdt, "compatible", LZR_MANIFEST_COMPATIBLE, &error);
	put_string(fdt, "image", image->name, &error);
	put_u64(fdt, "memory", image->memory, &error);
	put_u32(fdt, "vcpus", image->vcpus, &error);
	put_rules(fdt, image, &error);
	put_segments(fdt, image, &error);
	put_state(fdt, image, &error);
	put_platform(fdt, image, &error);
	for (unsigned i = 0; i < image->vdev_count; i++)
		put_vdev(fdt, &image->vdevs[i], &error);
	for (unsigned i = 0; i < image->assign_count; i++)
		put_assign(fdt, &image->assigns[i], &error);
	error |= fdt_end_node(fdt);
	error |= fdt_finish(fdt);
	if (error) {
		blob_free(out);
		return refuse("%s: the manifest does not fit in %u bytes", image->name, LZR_MANIFEST_MAX);
	}
	out->size = fdt_totalsize(fdt);
	return true;
}

bool image_write(const struct image *image, const char *dir)
{
	char name[LZR_NAME_MAX + 16];
	struct blob manifest;

	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		return refuse("%s: cannot create: %s", dir, strerror(errno));
	if (!image_manifest(image, &manifest))
		return false;
	for (unsigned i = 0; i < image->segment_count; i++)
		if (!file_write(dir, image->segments[i].file, &image->segments[i].blob)) {
			blob_free(&manifest);
			return false;
		}
	snprintf(name, sizeof(name), "%s.manifest", image->name);
	bool good = file_write(dir, name, &manifest);
	blob_free(&manifest);
	return good;
}

void image_free(struct image *image)
{
	for (unsigned i = 0; i < image->segment_count; i++)
		blob_free(&image->segments[i].blob);
	*image = (struct image){ 0 };
}
