/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration-space templates of the virtual PCI functions (Virtual I/O Device Version 1.1, section "Virtio Over PCI
 * Bus"; PCI Local Bus Specification 3.0, "Configuration Space").
 *
 * A BAR's address bits are writable, so that a guest can size it, but the function decodes where the template put it.
 */
#include <string.h>

#include "vmimage.h"

#define VENDOR_ID 0x00
#define DEVICE_ID 0x02
#define COMMAND 0x04
#define   COMMAND_WRITABLE 0x0407       /* I/O, memory, bus master, interrupt disable */
#define STATUS 0x06
#define   STATUS_CAPABILITIES 0x0010
#define REVISION 0x08
#define CLASS 0x09                      /* three bytes */
#define CACHE_LINE 0x0c
#define BAR0 0x10
#define   BAR_IO 1u
#define BAR1 0x14
#define SUBSYSTEM_VENDOR 0x2c
#define SUBSYSTEM_ID 0x2e
#define   SUBSYSTEM_MODERN 0x1100       /* 0x40 or more: not a legacy virtio device */
#define CAPABILITIES 0x34
#define INTERRUPT_LINE 0x3c

#define CAP_VENDOR 0x09
#define CAP_MSIX 0x11
#define CAP_COMMON_AT 0x40
#define CAP_ISR_AT 0x50
#define CAP_DEVICE_AT 0x60
#define CAP_NOTIFY_AT 0x70              /* four bytes longer than the others: the multiplier */
_Static_assert(CAP_NOTIFY_AT + 20 == PCI_MSIX_CAP, "capabilities follow each other");

enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4 };

#define COMMON_LENGTH 0x38u
#define MSIX_TABLE_MAX 128u             /* 16 bytes each, below the pending bits */
#define MSIX_PENDING 0x800u
#define MSIX_BAR 1u
#define MSIX_CONTROL_WRITABLE 0xc000u   /* enable, function mask */

static void config_header(uint8_t *config, uint16_t vendor, uint16_t device, uint32_t class_code)
{
	memset(config, 0, 256);
	put16(config + VENDOR_ID, vendor);
	put16(config + DEVICE_ID, device);
	config[CLASS] = (uint8_t)class_code;
	config[CLASS + 1] = (uint8_t)(class_code >> 8);
	config[CLASS + 2] = (uint8_t)(class_code >> 16);
}

/* Linux looks for a host bridge on bus 0 before it believes in type 1 configuration access. */
void pci_host_bridge(uint8_t config[256])
{
	config_header(config, 0x1b36, 0x0008, 0x060000);
}

static void put_capability(uint8_t *config, unsigned at, unsigned next, unsigned length, unsigned type, uint32_t offset,
			   uint32_t size)
{
	config[at] = CAP_VENDOR;
	config[at + 1] = (uint8_t)next;
	config[at + 2] = (uint8_t)length;
	config[at + 3] = (uint8_t)type;
	config[at + 4] = 0;                     /* BAR 0 */
	put32(config + at + 8, offset);
	put32(config + at + 12, size);
}

unsigned pci_msix_vectors(const struct vdev *vdev)
{
	unsigned vectors = vdev->queues + 1;    /* one per queue and one for configuration changes */

	return vectors < MSIX_TABLE_MAX ? vectors : MSIX_TABLE_MAX;
}

void pci_virtio(const struct vdev *vdev, uint8_t config[256], uint8_t writable[256])
{
	static const struct { uint16_t device; uint32_t class_code; } ids[] = {
		[VDEV_NET] = { LZR_VIRTIO_PCI_NET, 0x020000 },
		[VDEV_CONSOLE] = { LZR_VIRTIO_PCI_CONSOLE, 0x078000 },
		[VDEV_LINK] = { LZR_VIRTIO_PCI_LINK, 0xff0000 },
	};

	config_header(config, LZR_VIRTIO_PCI_VENDOR, ids[vdev->type].device, ids[vdev->type].class_code);
	put16(config + STATUS, STATUS_CAPABILITIES);
	config[REVISION] = 1;
	put32(config + BAR0, (LZR_VDEV_IO_BASE + vdev->slot * LZR_VIRTIO_BAR_SIZE) | BAR_IO);
	put32(config + BAR1, (uint32_t)(LZR_VDEV_MSIX_BASE + vdev->slot * PAGE));
	put16(config + SUBSYSTEM_VENDOR, LZR_VIRTIO_PCI_VENDOR);
	put16(config + SUBSYSTEM_ID, SUBSYSTEM_MODERN);
	config[CAPABILITIES] = CAP_COMMON_AT;
	put_capability(config, CAP_COMMON_AT, CAP_ISR_AT, 16, CFG_COMMON, LZR_VIRTIO_COMMON, COMMON_LENGTH);
	put_capability(config, CAP_ISR_AT, CAP_DEVICE_AT, 16, CFG_ISR, LZR_VIRTIO_ISR, 1);
	put_capability(config, CAP_DEVICE_AT, CAP_NOTIFY_AT, 16, CFG_DEVICE, LZR_VIRTIO_DEVICE, LZR_VIRTIO_DEVICE_MAX);
	put_capability(config, CAP_NOTIFY_AT, PCI_MSIX_CAP, 20, CFG_NOTIFY, LZR_VIRTIO_NOTIFY, 4);
	config[PCI_MSIX_CAP] = CAP_MSIX;
	put16(config + PCI_MSIX_CAP + 2, (uint16_t)(pci_msix_vectors(vdev) - 1));
	put32(config + PCI_MSIX_CAP + 4, 0 | MSIX_BAR);
	put32(config + PCI_MSIX_CAP + 8, MSIX_PENDING | MSIX_BAR);

	memset(writable, 0, 256);
	put16(writable + COMMAND, COMMAND_WRITABLE);
	writable[CACHE_LINE] = 0xff;
	put32(writable + BAR0, ~(LZR_VIRTIO_BAR_SIZE - 1));
	put32(writable + BAR1, ~(uint32_t)(PAGE - 1));
	writable[INTERRUPT_LINE] = 0xff;
	put16(writable + PCI_MSIX_CAP + 2, MSIX_CONTROL_WRITABLE);
}

#define FEATURE_NET_MTU (1ull << 3)
#define FEATURE_NET_MAC (1ull << 5)
#define FEATURE_NET_STATUS (1ull << 16)
#define FEATURE_VERSION_1 (1ull << 32)

uint64_t virtio_features(const struct vdev *vdev)
{
	if (vdev->type != VDEV_NET)
		return FEATURE_VERSION_1;
	return FEATURE_VERSION_1 | FEATURE_NET_MAC | FEATURE_NET_STATUS | (vdev->service ? FEATURE_NET_MTU : 0);
}

/* struct virtio_net_config up to mtu.  A service's MTU makes Linux post buffers that hold the longest message. */
unsigned virtio_device_config(const struct vdev *vdev, uint8_t out[LZR_VIRTIO_DEVICE_MAX])
{
	static const uint8_t service_mac[6] = { 0x02, 0x4c, 0x5a, 0x01, 0x00, 0x00 };

	if (vdev->type != VDEV_NET)
		return 0;
	memset(out, 0, LZR_VIRTIO_DEVICE_MAX);
	memcpy(out, vdev->has_mac ? vdev->mac : service_mac, 6);
	if (!vdev->has_mac)
		out[5] = (uint8_t)vdev->slot;
	put16(out + 6, 1);                      /* link is up */
	put16(out + 8, 1);                      /* one queue pair */
	put16(out + 10, vdev->service ? (uint16_t)(sizeof(struct lzr_msg) + LZR_MSG_PAYLOAD_MAX) : 1500);
	return 12;
}

/* A Linux service speaks through a packet socket: virtio-net header, then an Ethernet header that never changes. */
unsigned virtio_prefix(const struct vdev *vdev, uint8_t out[32])
{
	static const uint8_t ethernet[14] = { 0, 0, 0, 0, 0, 0, 0x02, 0x4c, 0x5a, 0, 0, 0, LZR_LINK_ETHERTYPE >> 8,
					      LZR_LINK_ETHERTYPE & 0xff };

	if (!vdev->service || vdev->type != VDEV_NET)
		return 0;
	memset(out, 0, 32);
	memcpy(out + 12, ethernet, sizeof(ethernet));
	return 12 + sizeof(ethernet);
}
