/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual devices: the virtio-pci 1.x modern transport in an I/O BAR (lazaret/link.h) and the function's configuration
 * space from the manifest.  Which device it is, only the guest's driver knows; what its queues carry, nobody here does.
 */
#ifndef HV_VIRTIO_H
#define HV_VIRTIO_H

#include "virtqueue.h"
#include "vmsix.h"

struct link_end;

/* Virtual I/O Device Version 1.2, "Device Status Field" and "Reserved Feature Bits". */
#define VIRTIO_ACKNOWLEDGE 1u
#define VIRTIO_DRIVER 2u
#define VIRTIO_DRIVER_OK 4u
#define VIRTIO_FEATURES_OK 8u
#define VIRTIO_NEEDS_RESET 64u
#define VIRTIO_FAILED 128u
#define VIRTIO_F_VERSION_1 (1ull << 32)
/*
 * What a manifest may offer: a device type's own bits, and of the transport's only VERSION_1: no indirect descriptors,
 * no event indices, no packed rings.
 */
#define VIRTIO_FEATURES_ALLOWED (0x00ffffffull | VIRTIO_F_VERSION_1)

struct vdev {
	struct vm *vm;                          /* [I] */
	const struct vdev_config *config;       /* [I] */
	unsigned index;                         /* [I] in vm->vdevs */
	struct vmsix msix;                      /* [I], its own members atomic */
	struct virtqueue *queues;               /* [I] config->queues of them */
	struct link_end **ends;                 /* [I] one per queue pair, NULL: not linked */
	uint8_t space[256];                     /* [d] configuration space */
	uint64_t driver_features;               /* [d] */
	uint32_t device_select, driver_select;  /* [d] feature words */
	uint16_t queue_select;                  /* [d] */
	uint16_t config_vector;                 /* [d] */
	uint8_t status;                         /* [d] */
	uint8_t isr;                            /* [d] */
	uint32_t generation;                    /* [d] rises at each DRIVER_OK, never falls, 0 only before the first */
};

/* The driver is ready and the device neither broken nor given up. */
static inline bool vdev_is_live(const struct vdev *vdev)
{
	return (vdev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET | VIRTIO_FAILED)) == VIRTIO_DRIVER_OK;
}

/* All of these under the VM's device lock. */
void vdev_reset(struct vdev *vdev);             /* as a write of 0 to the status */
void vdev_power_on(struct vdev *vdev);          /* and configuration space and MSI-X page as at the VM's start */
/* The driver broke the rules: stop using the device until it is reset, tell the driver and the audit log. */
void vdev_break(struct vdev *vdev, const struct virtqueue *queue, enum lzr_ring_fault fault);
/* Marks the interrupts of queues with news; deliver (link.h: link_deliver) after the lock is released. */
void vdev_raise_queue(struct vdev *vdev, struct virtqueue *queue);

#endif
