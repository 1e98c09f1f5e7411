/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual I/O Device Version 1.1, "Virtio Over PCI Bus" and "Device Initialization". */
#include "vdev.h"

#include <lazaret/link.h>

#include "io.h"
#include "pci.h"
#include "rt.h"

enum {  /* common configuration */
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	MSIX_CONFIG = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_MSIX_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
};
#define NO_VECTOR 0xffffu
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u
#define FEATURE_VERSION_1_HIGH 1u       /* bit 32 */

static uint16_t common(const struct vdev *dev, unsigned offset)
{
	return (uint16_t)(dev->io + LZR_VIRTIO_COMMON + offset);
}

static void write_address(const struct vdev *dev, unsigned offset, const volatile void *pointer)
{
	uint64_t address = io_address((const void *)pointer);

	io_out32(common(dev, offset), (uint32_t)address);
	io_out32(common(dev, offset + 4), (uint32_t)(address >> 32));
}

static const char *agree_on_features(const struct vdev *dev)
{
	io_out32(common(dev, DEVICE_FEATURE_SELECT), 1);
	if ((io_in32(common(dev, DEVICE_FEATURE)) & FEATURE_VERSION_1_HIGH) == 0)
		return "device does not offer VIRTIO_F_VERSION_1";
	io_out32(common(dev, DRIVER_FEATURE_SELECT), 0);
	io_out32(common(dev, DRIVER_FEATURE), 0);
	io_out32(common(dev, DRIVER_FEATURE_SELECT), 1);
	io_out32(common(dev, DRIVER_FEATURE), FEATURE_VERSION_1_HIGH);
	io_out8(common(dev, DEVICE_STATUS), STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	if ((io_in8(common(dev, DEVICE_STATUS)) & STATUS_FEATURES_OK) == 0)
		return "device refuses the features";
	return NULL;
}

const char *vdev_open(struct vdev *dev, uint16_t pci_device)
{
	return vdev_open_at(dev, pci_device, pci_find(LZR_VIRTIO_PCI_VENDOR, pci_device));
}

const char *vdev_open_at(struct vdev *dev, uint16_t pci_device, unsigned slot)
{
	uint64_t bar;
	bool is_io, msix;

	dev->slot = slot;
	if (slot == 0 || pci_read32(slot, PCI_ID) != ((uint32_t)pci_device << 16 | LZR_VIRTIO_PCI_VENDOR))
		return "no such device on the bus";
	bar = pci_bar(dev->slot, 0, &is_io);
	if (!is_io || bar == 0 || bar > 0xffff - LZR_VIRTIO_BAR_SIZE)
		return "BAR 0 is not an I/O BAR";
	dev->io = (uint16_t)bar;
	pci_write16(dev->slot, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	io_out8(common(dev, DEVICE_STATUS), 0);
	if (io_in8(common(dev, DEVICE_STATUS)) != 0)
		return "device does not reset";
	io_out8(common(dev, DEVICE_STATUS), STATUS_ACKNOWLEDGE);
	io_out8(common(dev, DEVICE_STATUS), STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	if (!pci_enable_message(dev->slot, trap_msi_address(), trap_msi_data(), &msix) || !msix)
		return "no MSI-X";
	io_out16(common(dev, MSIX_CONFIG), NO_VECTOR);
	dev->queue_count = io_in16(common(dev, NUM_QUEUES));
	return agree_on_features(dev);
}

const char *vdev_queue(struct vdev *dev, uint16_t number, struct virtq *q)
{
	uint16_t size;

	if (number >= dev->queue_count)
		return "device has no such queue";
	io_out16(common(dev, QUEUE_SELECT), number);
	size = io_in16(common(dev, QUEUE_SIZE));
	if (size == 0 || (size & (size - 1)) != 0)
		return "queue size is not a power of two";
	if (size > VIRTQ_MAX)
		size = VIRTQ_MAX;
	virtq_init(q, size);
	io_out16(common(dev, QUEUE_SIZE), size);
	io_out16(common(dev, QUEUE_MSIX_VECTOR), 0);
	if (io_in16(common(dev, QUEUE_MSIX_VECTOR)) != 0)
		return "device refuses the interrupt vector";
	write_address(dev, QUEUE_DESC, q->descriptors);
	write_address(dev, QUEUE_DRIVER, &q->available);
	write_address(dev, QUEUE_DEVICE, &q->used);
	io_out16(common(dev, QUEUE_ENABLE), 1);
	return NULL;
}

const char *vdev_start(struct vdev *dev)
{
	uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;

	io_out8(common(dev, DEVICE_STATUS), status);
	return io_in8(common(dev, DEVICE_STATUS)) == status ? NULL : "device does not start";
}

void vdev_kick(struct vdev *dev, uint16_t number, struct virtq *q)
{
	if (virtq_publish(q))
		io_out16((uint16_t)(dev->io + LZR_VIRTIO_NOTIFY), number);
}
