/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler needs to know of a manifest (bindings in lazaret/manifest.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "fdt_whole.h"
#include "policy.h"

static bool get_name(const void *fdt, int node, const char *property, char out[LZR_NAME_MAX])
{
	int length;
	const char *text = fdt_getprop(fdt, node, property, &length);

	if (!text || length < 2 || length > LZR_NAME_MAX || text[length - 1] || !lzr_name_text_is_valid(text))
		return false;
	memset(out, 0, LZR_NAME_MAX);
	memcpy(out, text, (size_t)length);
	return true;
}

bool manifest_number(const void *fdt, int node, const char *property, int size, uint64_t *out)
{
	int length;
	const void *value = fdt_getprop(fdt, node, property, &length);

	if (!value || length != size)
		return false;
	*out = size == 8 ? fdt64_ld(value) : fdt32_ld(value);
	return true;
}

static bool parse_vdev(const void *fdt, int node, struct fact_device *device)
{
	uint64_t slot, queues, size;
	int length;
	const uint8_t *config = fdt_getprop(fdt, node, "config", &length);

	if (!config || length != 256 || !manifest_number(fdt, node, "slot", 4, &slot) ||
	    !manifest_number(fdt, node, "queues", 4, &queues))
		return false;
	device->kind = FACT_VDEV;
	device->slot = (unsigned)slot;
	device->pairs = (unsigned)queues / 2;
	device->queue_size = manifest_number(fdt, node, "queue-size", 4, &size) ? (unsigned)size : 0;
	device->virtio_id = config[2] | (unsigned)config[3] << 8;
	device->service = fdt_getprop(fdt, node, "service", NULL) != NULL;
	const uint8_t *mac = fdt_getprop(fdt, node, "device-config", &length);
	device->has_mac = mac && length >= 6;
	if (device->has_mac)
		memcpy(device->mac, mac, 6);
	return true;
}

static bool parse_device(const void *fdt, int node, const char *name, struct fact_device *device)
{
	uint64_t slot, class_code;

	*device = (struct fact_device){ 0 };
	if (!get_name(fdt, node, "name", device->name))
		return false;
	if (!strncmp(name, "vdev@", 5))
		return parse_vdev(fdt, node, device);
	if (!strncmp(name, "mmio@", 5)) {
		device->kind = FACT_MMIO;
		return manifest_number(fdt, node, "gpa", 8, &device->gpa) &&
		       manifest_number(fdt, node, "length", 8, &device->length);
	}
	device->kind = FACT_ASSIGN;
	if (!manifest_number(fdt, node, "slot", 4, &slot) || !manifest_number(fdt, node, "class", 4, &class_code))
		return false;
	device->slot = (unsigned)slot;
	device->class_code = (unsigned)class_code;
	return true;
}

static bool read_segments(const void *fdt, struct facts *out)
{
	int segments = fdt_subnode_offset(fdt, 0, "segments"), node, length;

	if (segments < 0)
		return true;
	fdt_for_each_subnode(node, fdt, segments) {
		const void *sha = fdt_getprop(fdt, node, "sha384", &length);
		uint64_t gpa;
		if (out->file_count == LZR_SEGMENT_MAX || !get_name(fdt, node, "file", out->files[out->file_count++]))
			return false;
		if (sha && length == LZR_DIGEST_SIZE && manifest_number(fdt, node, "gpa", 8, &gpa) &&
		    gpa == LZR_SWITCH_CONFIG_GPA) {
			out->has_switch_config = true;
			memcpy(out->switch_config, sha, LZR_DIGEST_SIZE);
		}
	}
	return true;
}

bool facts_parse(const void *fdt, size_t size, struct facts *out, char *why, size_t why_size)
{
	uint64_t vcpus;
	int node;

	*out = (struct facts){ 0 };
	if (fdt_whole(fdt, size) != 0 || fdt_node_check_compatible(fdt, 0, LZR_MANIFEST_COMPATIBLE) != 0) {
		snprintf(why, why_size, "expected a manifest (compatible \"%s\")", LZR_MANIFEST_COMPATIBLE);
		return false;
	}
	if (!get_name(fdt, 0, "image", out->image) || !manifest_number(fdt, 0, "memory", 8, &out->memory) ||
	    !manifest_number(fdt, 0, "vcpus", 4, &vcpus) || !digest(fdt, size, out->measurement)) {
		snprintf(why, why_size, "expected image, memory and vcpus in the manifest");
		return false;
	}
	out->vcpus = (unsigned)vcpus;
	fdt_for_each_subnode(node, fdt, 0) {
		const char *name = fdt_get_name(fdt, node, NULL);
		if (strncmp(name, "vdev@", 5) && strncmp(name, "assign@", 7) && strncmp(name, "mmio@", 5))
			continue;
		if (out->device_count == LZR_VDEV_MAX ||
		    !parse_device(fdt, node, name, &out->devices[out->device_count])) {
			snprintf(why, why_size, "node %s of the manifest is not understood", name);
			return false;
		}
		out->device_count++;
	}
	if (read_segments(fdt, out))
		return facts_can_start(fdt, out->memory, why, why_size);
	snprintf(why, why_size, "node segments of the manifest is not understood");
	return false;
}

bool facts_read(const char *image, const char *const *dirs, unsigned dir_count, struct facts *out, char *why,
		size_t size)
{
	char path[4096];
	struct stat status;
	unsigned i = 0;
	size_t length;

	for (; i < dir_count; i++) {
		snprintf(path, sizeof(path), "%s/%s.manifest", dirs[i], image);
		if (stat(path, &status) == 0)
			break;
	}
	if (i == dir_count) {
		snprintf(why, size, "%s.manifest is in none of the %u folder(s) given with --manifest-dir", image,
			 dir_count);
		return false;
	}
	void *bytes = file_load(path, LZR_MANIFEST_MAX, &length, why, size);
	bool good = bytes && facts_parse(bytes, length, out, why, size);
	free(bytes);
	return good;
}

const struct fact_device *facts_device(const struct facts *facts, const char *name)
{
	for (unsigned i = 0; i < facts->device_count; i++)
		if (!strcmp(facts->devices[i].name, name))
			return &facts->devices[i];
	return NULL;
}

void facts_read_all(struct policy *policy, const char *const *dirs, unsigned dir_count, struct report *report)
{
	char why[5000];

	for (unsigned i = 0; dir_count && i < policy->vm_count; i++) {
		struct policy_vm *vm = &policy->vms[i];
		unsigned known = table_add_text(&policy->images_by_name, vm->image, policy->facts_count);
		if (known == NONE) {
			struct facts *facts = memory_get(sizeof(*facts));
			known = policy->facts_count;
			if (!facts_read(vm->image, dirs, dir_count, facts, why, sizeof(why))) {
				complain(report, where_of(vm->node, "image"), "VM \"%s\": %s", vm->name, why);
				free(facts);
				facts = NULL;
			}
			*ARRAY_ADD(policy->facts, policy->facts_count, policy->facts_room) = facts;
		}
		vm->facts = policy->facts[known];
	}
}
