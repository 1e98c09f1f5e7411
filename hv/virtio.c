/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"
#include "virtio.h"

/* Virtual I/O Device Version 1.2, "Common configuration structure layout". */
#define COMMON_DEVICE_FEATURE_SELECT 0x00u
#define COMMON_DEVICE_FEATURE 0x04u
#define COMMON_DRIVER_FEATURE_SELECT 0x08u
#define COMMON_DRIVER_FEATURE 0x0cu
#define COMMON_CONFIG_VECTOR 0x10u
#define COMMON_NUM_QUEUES 0x12u
#define COMMON_STATUS 0x14u
#define COMMON_CONFIG_GENERATION 0x15u
#define COMMON_QUEUE_SELECT 0x16u
#define COMMON_QUEUE_SIZE 0x18u
#define COMMON_QUEUE_VECTOR 0x1au
#define COMMON_QUEUE_ENABLE 0x1cu
#define COMMON_QUEUE_NOTIFY_OFF 0x1eu
#define COMMON_QUEUE_DESCRIPTORS 0x20u
#define COMMON_QUEUE_AVAILABLE 0x28u
#define COMMON_QUEUE_USED 0x30u

#define ISR_QUEUE 1u
#define ISR_CONFIG 2u

/* What is left to do for an access once the device lock is released. */
enum after { AFTER_NOTHING, AFTER_CHANGED, AFTER_NOTIFY };

/* Size of the register at an offset in the common structure; 0: there is none. */
static unsigned common_size(unsigned offset)
{
	if (offset < COMMON_CONFIG_VECTOR || (offset >= COMMON_QUEUE_DESCRIPTORS && offset < LZR_VIRTIO_ISR))
		return offset % 4 == 0 ? 4 : 0;
	if (offset == COMMON_STATUS || offset == COMMON_CONFIG_GENERATION)
		return 1;
	return offset < COMMON_QUEUE_DESCRIPTORS && offset % 2 == 0 ? 2 : 0;
}

static struct virtqueue *selected_queue(struct vdev *vdev)
{
	guest_number_t number = guest_number(vdev->queue_select);
	struct virtqueue *queue = &vdev->queues[guest_index(number, vdev->config->queues)];

	return guest_below(number, vdev->config->queues) ? queue : NULL;
}

static uint32_t queue_word(const struct virtqueue *queue, unsigned offset)
{
	uint64_t address = offset < COMMON_QUEUE_AVAILABLE ? queue->descriptors_gpa :
		offset < COMMON_QUEUE_USED ? queue->available_gpa : queue->used_gpa;

	return (uint32_t)(offset % 8 ? address >> 32 : address);
}

static uint32_t queue_register_read(struct vdev *vdev, unsigned offset)
{
	const struct virtqueue *queue = selected_queue(vdev);

	if (!queue)
		return 0;       /* size 0: the queue does not exist */
	switch (offset) {
	case COMMON_QUEUE_SIZE: return queue->size;
	case COMMON_QUEUE_VECTOR: return queue->vector;
	case COMMON_QUEUE_ENABLE: return queue->enabled;
	case COMMON_QUEUE_NOTIFY_OFF: return 0;
	default: return queue_word(queue, offset);
	}
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(features >> (32 * select));
}

static uint32_t common_read(struct vdev *vdev, unsigned offset)
{
	switch (offset) {
	case COMMON_DEVICE_FEATURE_SELECT: return vdev->device_select;
	case COMMON_DEVICE_FEATURE: return feature_word(vdev->config->features, vdev->device_select);
	case COMMON_DRIVER_FEATURE_SELECT: return vdev->driver_select;
	case COMMON_DRIVER_FEATURE: return feature_word(vdev->driver_features, vdev->driver_select);
	case COMMON_CONFIG_VECTOR: return vdev->config_vector;
	case COMMON_NUM_QUEUES: return vdev->config->queues;
	case COMMON_STATUS: return vdev->status;
	case COMMON_CONFIG_GENERATION: return 0;
	case COMMON_QUEUE_SELECT: return vdev->queue_select;
	default: return queue_register_read(vdev, offset);
	}
}

/* A vector that does not exist reads back as "none": so the driver sees that it failed. */
static uint16_t vector_checked(const struct vdev *vdev, uint32_t value)
{
	return value < vdev->msix.vectors ? (uint16_t)value : MSIX_NONE;
}

static void address_write(uint64_t *address, unsigned offset, uint32_t value)
{
	unsigned shift = offset % 8 ? 32 : 0;

	*address = (*address & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

static void queue_register_write(struct vdev *vdev, unsigned offset, uint32_t value)
{
	struct virtqueue *queue = selected_queue(vdev);
	enum lzr_ring_fault fault;

	if (!queue)
		return;
	if (offset == COMMON_QUEUE_VECTOR) {
		queue->vector = vector_checked(vdev, value);
		return;
	}
	/* A queue's size and place are set between FEATURES_OK and the moment it is enabled. */
	if (queue->enabled || !(vdev->status & VIRTIO_FEATURES_OK) || (vdev->status & VIRTIO_NEEDS_RESET))
		return;
	if (offset == COMMON_QUEUE_SIZE) {
		queue->size = (uint16_t)value;
	} else if (offset == COMMON_QUEUE_ENABLE) {
		if (value != 1)
			return;
		fault = virtqueue_enable(queue);
		if (fault != LZR_RING_GOOD)
			vdev_break(vdev, queue, fault);
	} else if (offset >= COMMON_QUEUE_USED) {
		address_write(&queue->used_gpa, offset, value);
	} else if (offset >= COMMON_QUEUE_AVAILABLE) {
		address_write(&queue->available_gpa, offset, value);
	} else if (offset >= COMMON_QUEUE_DESCRIPTORS) {
		address_write(&queue->descriptors_gpa, offset, value);
	}
}

void vdev_reset(struct vdev *vdev)
{
	vdev->driver_features = 0;
	vdev->device_select = vdev->driver_select = 0;
	vdev->queue_select = 0;
	vdev->config_vector = MSIX_NONE;
	vdev->status = 0;
	vdev->isr = 0;
	vmsix_clear(&vdev->msix);
	for (unsigned i = 0; i < vdev->config->queues; i++)
		virtqueue_reset(&vdev->queues[i]);
	for (unsigned i = 0; i < vdev->config->queues / 2; i++) {
		if (vdev->ends[i])
			link_end_reset(vdev->ends[i]);
	}
}

void vdev_power_on(struct vdev *vdev)
{
	vdev_reset(vdev);
	__builtin_memcpy(vdev->space, vdev->config->config, sizeof(vdev->space));
	vmsix_power_on(&vdev->msix);
}

void vdev_break(struct vdev *vdev, const struct virtqueue *queue, enum lzr_ring_fault fault)
{
	if (vdev->status & VIRTIO_NEEDS_RESET)
		return;
	vdev->status |= VIRTIO_NEEDS_RESET;
	vdev->isr |= ISR_CONFIG;
	vmsix_raise(&vdev->msix, vdev->config_vector);
	audit(vdev->vm->number, LZR_AUDIT_RING_FAULT,
		(uint64_t)vdev->config->slot << 16 | (uint64_t)(queue - vdev->queues), fault);
	link_vdev_changed(vdev);
}

void vdev_raise_queue(struct vdev *vdev, struct virtqueue *queue)
{
	if (!virtqueue_interrupt_due(queue))
		return;
	vdev->isr |= ISR_QUEUE;
	vmsix_raise(&vdev->msix, queue->vector);
}

/* The status machine: only a reset clears bits, and a step counts only when the one before it was taken. */
static enum after status_write(struct vdev *vdev, uint8_t value)
{
	uint8_t added = value & (uint8_t)~vdev->status;

	if (value == 0) {
		vdev_reset(vdev);
		link_vdev_changed(vdev);
		return AFTER_CHANGED;
	}
	if (added & VIRTIO_FEATURES_OK) {
		uint64_t accepted = vdev->driver_features;

		if (!(accepted & ~vdev->config->features) && (accepted & VIRTIO_F_VERSION_1))
			vdev->status |= VIRTIO_FEATURES_OK;
	}
	vdev->status |= added & (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FAILED);
	if ((added & VIRTIO_DRIVER_OK) && (vdev->status & VIRTIO_FEATURES_OK)) {
		vdev->status |= VIRTIO_DRIVER_OK;
		if (++vdev->generation == 0)
			vdev->generation = 1;
	}
	if (!(added & (VIRTIO_DRIVER_OK | VIRTIO_FAILED)))
		return AFTER_NOTHING;
	link_vdev_changed(vdev);
	return AFTER_CHANGED;
}

static enum after common_write(struct vdev *vdev, unsigned offset, uint32_t value)
{
	switch (offset) {
	case COMMON_DEVICE_FEATURE_SELECT:
		vdev->device_select = value;
		break;
	case COMMON_DRIVER_FEATURE_SELECT:
		vdev->driver_select = value;
		break;
	case COMMON_DRIVER_FEATURE:
		if (vdev->driver_select <= 1 && !(vdev->status & VIRTIO_FEATURES_OK))
			address_write(&vdev->driver_features, vdev->driver_select * 4, value);
		break;
	case COMMON_CONFIG_VECTOR:
		vdev->config_vector = vector_checked(vdev, value);
		break;
	case COMMON_STATUS:
		return status_write(vdev, (uint8_t)value);
	case COMMON_QUEUE_SELECT:
		vdev->queue_select = (uint16_t)value;
		break;
	default:
		queue_register_write(vdev, offset, value);
	}
	return vdev->status & VIRTIO_NEEDS_RESET ? AFTER_CHANGED : AFTER_NOTHING;
}

static uint32_t all_ones(unsigned size)
{
	return size >= 4 ? 0xffffffffu : (1u << (8 * size)) - 1;
}

static uint32_t register_read(struct vdev *vdev, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	if (offset < LZR_VIRTIO_ISR)
		return common_size(offset) == size ? common_read(vdev, offset) : all_ones(size);
	if (offset == LZR_VIRTIO_ISR && size == 1) {
		value = vdev->isr;
		vdev->isr = 0;
		return value;
	}
	if (offset < LZR_VIRTIO_DEVICE || offset >= LZR_VIRTIO_NOTIFY)
		return all_ones(size);
	for (unsigned i = 0; i < size; i++) {
		guest_number_t at = guest_number(offset - LZR_VIRTIO_DEVICE + i);
		uint32_t length = vdev->config->device_config_length;

		if (guest_below(at, length))
			value |= (uint32_t)vdev->config->device_config[guest_index(at, length)] << (8 * i);
	}
	return value;
}

static enum after register_write(struct vdev *vdev, unsigned offset, unsigned size, uint32_t value)
{
	if (offset == LZR_VIRTIO_NOTIFY && size >= 2)
		return AFTER_NOTIFY;
	if (offset < LZR_VIRTIO_ISR && common_size(offset) == size)
		return common_write(vdev, offset, value);
	return AFTER_NOTHING;   /* the device's own configuration is read-only */
}

void vdev_io(struct vdev *vdev, unsigned offset, unsigned size, bool write, uint32_t *value)
{
	enum after after = AFTER_NOTHING;

	if (offset >= LZR_VIRTIO_BAR_SIZE || (size != 1 && size != 2 && size != 4)) {
		*value = write ? *value : 0xffffffffu;
		return;
	}
	spin_lock(&vdev->vm->lock);
	if (write)
		after = register_write(vdev, offset, size, *value & all_ones(size));
	else
		*value = register_read(vdev, offset, size);
	spin_unlock(&vdev->vm->lock);
	if (after == AFTER_NOTIFY)
		link_notify(vdev, guest_number(*value & 0xffff));
	else if (after == AFTER_CHANGED)
		links_poll(vdev->vm);
}

uint32_t vdev_config_read(struct vdev *vdev, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	if (offset >= sizeof(vdev->space) || size > 4 || size > sizeof(vdev->space) - offset)
		return 0xffffffffu;
	spin_lock(&vdev->vm->lock);
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)vdev->space[offset + i] << (8 * i);
	spin_unlock(&vdev->vm->lock);
	return value;
}

void vdev_config_write(struct vdev *vdev, unsigned offset, unsigned size, uint32_t value)
{
	unsigned control = vdev->config->msix_cap + MSIX_CONTROL;

	if (offset >= sizeof(vdev->space) || size > 4 || size > sizeof(vdev->space) - offset)
		return;
	spin_lock(&vdev->vm->lock);
	for (unsigned i = 0; i < size; i++) {
		uint8_t writable = vdev->config->writable[offset + i];
		uint8_t *byte = &vdev->space[offset + i];

		*byte = (uint8_t)((*byte & ~writable) | ((value >> (8 * i)) & writable));
	}
	vmsix_set_control(&vdev->msix, (uint16_t)(vdev->space[control] | vdev->space[control + 1] << 8));
	spin_unlock(&vdev->vm->lock);
	link_deliver(vdev);
}
