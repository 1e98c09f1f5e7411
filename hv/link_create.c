/* SPDX-License-Identifier: Apache-2.0 */
/* Creation of virtual devices and links as policy.c and manifest.c have checked them; boot only. */
#include "link.h"

#define ALIGN_UP(n) (((n) + 15) & ~15ull)

static enum hv_err vdev_msix_create(struct vdev *vdev)
{
	void *page;
	enum hv_err err = vm_map_registers(vdev->vm, gpa(vdev->config->msix_gpa), PAGE_SIZE, &page);

	if (err == HV_OK)
		vdev->msix = (struct vmsix){
			.vm = vdev->vm, .page = page, .vectors = vdev->config->msix_vectors,
		};
	return err;
}

/* The device with its queues and ends in one piece of memory. */
static enum hv_err vdev_create(struct vm *vm, unsigned index)
{
	const struct vdev_config *config = &vm->image->vdevs[index];
	uint64_t queues_at = ALIGN_UP(sizeof(struct vdev));
	uint64_t ends_at = queues_at + ALIGN_UP(config->queues * sizeof(struct virtqueue));
	struct vdev *vdev;
	uint8_t *memory;
	enum hv_err err;

	memory = mem_alloc_hv(ends_at + config->queues / 2 * sizeof(struct link_end *), PAGE_SIZE);
	if (!memory)
		return HV_NO_MEMORY;
	vdev = (struct vdev *)memory;
	vdev->vm = vm;
	vdev->config = config;
	vdev->index = index;
	vdev->queues = (struct virtqueue *)(memory + queues_at);
	vdev->ends = (struct link_end **)(memory + ends_at);
	for (unsigned i = 0; i < config->queues; i++) {
		vdev->queues[i].vm = vm;
		vdev->queues[i].size_max = config->queue_size;
	}
	err = vdev_msix_create(vdev);
	if (err == HV_OK)
		vm->vdevs[index] = vdev;
	return err;
}

static enum hv_err end_create(struct link *link, unsigned side, const struct link_end_config *config)
{
	struct link_end *end = &link->end[side];
	struct vm *vm = &vms[config->vm];
	struct vdev *vdev;

	if (!vm->vdevs[config->vdev]) {
		enum hv_err err = vdev_create(vm, config->vdev);

		if (err != HV_OK)
			return err;
	}
	vdev = vm->vdevs[config->vdev];
	CHECK(config->pair < vdev->config->queues / 2 && !vdev->ends[config->pair]);
	vdev->ends[config->pair] = end;
	*end = (struct link_end){ .link = link, .peer = &link->end[side ^ 1], .vdev = vdev, .pair = config->pair };
	return HV_OK;
}

/* A raw end that faces a service keeps book of its unanswered chains. */
static enum hv_err slots_create(struct link_end *end, struct link_slot **pool, unsigned *left)
{
	const uint64_t size = LZR_VIRTIO_QUEUE_MAX * sizeof(struct link_slot);

	if (link_end_is_service(end) || !link_end_is_service(end->peer))
		return HV_OK;
	if (*left == 0) {
		*pool = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
		if (!*pool)
			return HV_NO_MEMORY;
		*left = (unsigned)(PAGE_SIZE / size);
	}
	end->slots = *pool;
	*pool += LZR_VIRTIO_QUEUE_MAX;
	(*left)--;
	return HV_OK;
}

static void devices_power_on(void)
{
	for (unsigned v = 0; v < machine.vm_count; v++) {
		for (unsigned i = 0; i < LZR_VDEV_MAX; i++) {
			if (vms[v].vdevs[i])
				vdev_power_on(vms[v].vdevs[i]);
		}
	}
}

enum hv_err links_create(void)
{
	struct link_slot *pool = NULL;
	unsigned left = 0;

	for (unsigned i = 0; i < machine.link_count; i++) {
		const struct link_config *config = &machine.links[i];

		links[i].number = i;
		for (unsigned side = 0; side < 2; side++) {
			enum hv_err err = end_create(&links[i], side, &config->end[side]);

			if (err != HV_OK)
				return err;
		}
		for (unsigned side = 0; side < 2; side++) {
			enum hv_err err = slots_create(&links[i].end[side], &pool, &left);

			if (err != HV_OK)
				return err;
		}
	}
	devices_power_on();
	return HV_OK;
}
