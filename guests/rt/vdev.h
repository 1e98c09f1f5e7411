/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device behind the fixed I/O BAR of lazaret/link.h: bring-up and notification. */
#ifndef RT_VDEV_H
#define RT_VDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "virtq.h"

struct vdev {
	unsigned slot;
	uint16_t io;            /* base of BAR 0 */
	uint16_t queue_count;
};

/*
 * Finds the device of this PCI device id, resets it and agrees on VIRTIO_F_VERSION_1 and nothing else.  NULL when it is
 * there and willing; else what is wrong.
 */
const char *vdev_open(struct vdev *dev, uint16_t pci_device);
/* The same for the device in this slot, where a VM has several of a kind. */
const char *vdev_open_at(struct vdev *dev, uint16_t pci_device, unsigned slot);
/* Readies queue `number` on `q` (sized to what the device allows) with interrupts by MSI-X vector 0. */
const char *vdev_queue(struct vdev *dev, uint16_t number, struct virtq *q);
/* DRIVER_OK: the device may use its queues from here on. */
const char *vdev_start(struct vdev *dev);
/* Publishes what was added to queue `number` and tells the device when it wants to be told. */
void vdev_kick(struct vdev *dev, uint16_t number, struct virtq *q);

#endif
