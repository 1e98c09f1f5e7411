/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's policy reader and flow check.  The boot list has just the images that the tree asks for, so that
 * what is bent elsewhere is reached.  Nothing is refused in silence, and what is taken keeps what the code behind the
 * reader relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "fdt_whole.h"
#include "plat_fake.h"
#include "policy_rig.h"

#define VMS 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct image_config images[VMS];
static struct image_config *image_of[VMS];      /* of each VM, in the tree's order */
static unsigned vm_count;

static const void *property(const void *fdt, int node, const char *name, int size)
{
	int length;
	const void *value = fdt_getprop(fdt, node, name, &length);

	return value && length >= size ? value : NULL;
}

static uint32_t number(const void *fdt, int node, const char *name)
{
	const fdt32_t *cell = property(fdt, node, name, 4);

	return cell ? fdt32_ld(cell) : 0;
}

/* False when it is none, or none that fits. */
static bool name(const void *fdt, int node, const char *from, char out[LZR_NAME_MAX])
{
	const char *text = property(fdt, node, from, 1);
	size_t length = text ? strnlen(text, LZR_NAME_MAX) : LZR_NAME_MAX;

	if (length == LZR_NAME_MAX)
		return false;
	memcpy(out, text, length + 1);
	return true;
}

static void add_image(const void *fdt, int node)
{
	char wanted[LZR_NAME_MAX];
	uint32_t i = 0;

	if (!name(fdt, node, "image", wanted))
		return;
	while (i < machine.image_count && strcmp(images[i].name, wanted))
		i++;
	image_of[vm_count] = &images[i];
	if (i < machine.image_count)
		return;
	struct image_config *image = &images[machine.image_count++];
	const uint8_t *measurement = property(fdt, node, "measurement", LZR_DIGEST_SIZE);
	const fdt64_t *memory = property(fdt, node, "memory", 8);

	strcpy(image->name, wanted);
	image->memory = memory ? fdt64_ld(memory) : 0;
	image->vcpus = number(fdt, node, "vcpus");
	image->vcpus = image->vcpus < LZR_VCPU_MAX ? image->vcpus : LZR_VCPU_MAX;      /* as manifest.c promises */
	image->vdev_count = image->assign_count = 0;
	memset(image->measurement, 0x11, LZR_DIGEST_SIZE);
	if (measurement)
		memcpy(image->measurement, measurement, LZR_DIGEST_SIZE);
}

static void add_vdev(const void *fdt, int node, const char *vm, const char *device)
{
	uint32_t owner = number(fdt, node, vm);
	struct image_config *image = owner < vm_count ? image_of[owner] : NULL;
	char wanted[LZR_NAME_MAX];

	if (!image || !name(fdt, node, device, wanted))
		return;
	for (uint32_t i = 0; i < image->vdev_count; i++)
		if (!strcmp(image->vdevs[i].name, wanted))
			return;
	if (image->vdev_count == LZR_VDEV_MAX)
		return;
	struct vdev_config *vdev = &image->vdevs[image->vdev_count++];
	strcpy(vdev->name, wanted);
	vdev->queues = 128;
	vdev->service = !strncmp(wanted, "ports", 5);
}

static void add_place(const void *fdt, int node)
{
	uint32_t owner = number(fdt, node, "vm");
	struct image_config *image = owner < vm_count ? image_of[owner] : NULL;
	const fdt64_t *mmio = property(fdt, node, "mmio", 16);

	if (!image || image->assign_count == LZR_VDEV_MAX)
		return;
	struct assign_config *place = &image->assigns[image->assign_count];
	if (!name(fdt, node, "name", place->name))
		return;
	place->mmio = mmio != NULL;
	place->length = mmio ? fdt64_ld(mmio + 1) : 0;
	place->class_code = !strncmp(place->name, "nic", 3) ? 0x020000 : 0x010802;
	image->assign_count++;
}

static void make_boot_list(const void *fdt, size_t size)
{
	int node, list;

	memset(&machine, 0, sizeof(machine));
	memset(image_of, 0, sizeof(image_of));
	machine.images = images;
	vm_count = 0;
	if (fdt_whole(fdt, size) != 0)
		return;
	list = fdt_subnode_offset(fdt, 0, "vms");
	fdt_for_each_subnode(node, fdt, list) {
		if (vm_count == VMS)
			break;
		add_image(fdt, node);
		vm_count++;
	}
	list = fdt_subnode_offset(fdt, 0, "links");
	fdt_for_each_subnode(node, fdt, list) {
		add_vdev(fdt, node, "a", "a-device");
		add_vdev(fdt, node, "b", "b-device");
	}
	list = fdt_subnode_offset(fdt, 0, "devices");
	fdt_for_each_subnode(node, fdt, list)
		add_place(fdt, node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *exact = malloc(size ? size : 1);

	memcpy(exact, data, size);
	fake_cpus = 4;
	fake_said[0] = 0;
	make_boot_list(exact, size);
	if (policy_read("p.dtb", exact, size)) {
		if (!policy_rig_holds())
			abort();
		if (!flow_check() && strncmp(fake_said, "refused: policy", 15))
			abort();
	} else if (strncmp(fake_said, "refused: policy ", 16)) {
		abort();
	}
	free(exact);
	return 0;
}
