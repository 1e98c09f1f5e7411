/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's manifest reader, and what the code behind it relies on. */
#include <stdlib.h>
#include <string.h>

#include "fdt_whole.h"
#include "images.h"
#include "plat_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct machine_config machine;
static struct image_config image;

static bool devices_hold(void)
{
	bool good = image.vdev_count + image.assign_count <= LZR_VDEV_MAX;

	for (uint32_t i = 0; good && i < image.vdev_count; i++) {
		const struct vdev_config *v = &image.vdevs[i];

		good = v->slot && v->slot < 32 && v->queues && v->queues % 2 == 0 && v->queue_size &&
		       v->queue_size <= LZR_VIRTIO_QUEUE_MAX && v->msix_cap + 12 <= 256 && v->msix_vectors &&
		       v->msix_gpa >= image.memory && v->io_base + LZR_VIRTIO_BAR_SIZE <= 0x10000 &&
		       v->device_config_length <= LZR_VIRTIO_DEVICE_MAX && v->prefix_length <= sizeof(v->prefix);
		for (uint32_t j = 0; good && j < i; j++)
			good = v->slot != image.vdevs[j].slot && strcmp(v->name, image.vdevs[j].name) != 0;
	}
	for (uint32_t i = 0; good && i < image.assign_count; i++) {
		const struct assign_config *a = &image.assigns[i];

		good = a->mmio ? a->gpa >= image.memory && a->gpa + a->length <= 1ull << 32 : a->slot && a->slot < 32;
	}
	return good;
}

static bool manifest_holds(const uint8_t *bytes, size_t size)
{
	const uint8_t *cpuid = (const uint8_t *)image.cpuid, *msr = (const uint8_t *)image.msr;
	bool good = image.memory && image.vcpus && image.vcpus <= LZR_VCPU_MAX &&
		    image.segment_count <= LZR_SEGMENT_MAX && devices_hold();

	good = good && (!image.cpuid_count || (cpuid >= bytes &&
					       cpuid + image.cpuid_count * sizeof(*image.cpuid) <= bytes + size));
	good = good && (!image.msr_count || (msr >= bytes &&
					     msr + image.msr_count * sizeof(*image.msr) <= bytes + size));
	for (uint32_t i = 0; good && i < image.segment_count; i++) {
		const struct segment_config *s = &image.segments[i];

		good = s->length && s->gpa < image.memory && s->length <= image.memory - s->gpa;
		for (uint32_t j = 0; good && j < i; j++)
			good = s->gpa >= image.segments[j].gpa + image.segments[j].length ||
			       image.segments[j].gpa >= s->gpa + s->length;
	}
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[LZR_NAME_MAX] = "none";
	void *exact = malloc(size ? size : 1);

	memcpy(exact, data, size);
	fake_said[0] = 0;
	if (fdt_whole(exact, size) == 0) {
		const char *asked = fdt_getprop(exact, 0, "image", NULL);

		strncpy(name, asked ? asked : "none", LZR_NAME_MAX - 1);
	}
	if (manifest_read(&image, name, exact, size) ? !manifest_holds(exact, size)
						     : strncmp(fake_said, "refused: manifest", 17) != 0)
		abort();
	free(exact);
	return 0;
}
