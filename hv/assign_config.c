/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space of an assigned function as its guest sees it: built once from an allow-list, kept in memory.  A
 * guest's access never reaches the real function; what its writes may cause there is assign_apply's short list.
 *
 * Shown: ids, class, revision, subsystem, memory BARs, and the capabilities power management (always D0), MSI, MSI-X
 * and PCI Express (read-only).  BARs read back their place, answer sizing, and do not move.  Everything else reads
 * zero.
 */
#include "assign.h"

#define PM_VERSION 3u
#define PM_NO_SOFT_RESET 8u
#define MSIX_LENGTH 12u
#define EXPRESS_LENGTH_1 0x14u
#define EXPRESS_LENGTH_2 0x3cu
#define EXPRESS_LINK_1 0x0cu            /* link capabilities, control, status */
#define EXPRESS_LINK_2 0x2cu
#define BAR_END (PCI_BAR0 + 4 * PCI_BAR_COUNT)

static void put(uint8_t *space, unsigned offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size && offset + i < 256; i++)
		space[offset + i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get(const uint8_t *space, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)space[offset + i] << 8 * i;
	return value;
}

static HV_BOOT void copy(struct assigned *device, unsigned offset, unsigned length)
{
	for (unsigned i = 0; i < length && offset + i < 256; i++)
		device->initial[offset + i] = (uint8_t)pci_get(device->at, offset + i, 1);
}

static HV_BOOT void build_header(struct assigned *device)
{
	uint8_t *space = device->initial;

	copy(device, PCI_VENDOR, 4);
	copy(device, PCI_REVISION, 4);
	copy(device, PCI_SUBSYSTEM, 4);
	put(space, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	put(device->writable, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
	put(device->writable, PCI_CACHE_LINE, 1, 0xff);
	put(device->writable, PCI_INTERRUPT_LINE, 1, 0xff);
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		const struct assigned_bar *bar = &device->bars[i];

		if (bar->size == 0)
			continue;
		put(space, PCI_BAR0 + 4 * i, 4, (uint32_t)bar->base | bar->flags);
		if (bar->wide)
			put(space, PCI_BAR0 + 4 * i + 4, 4, (uint32_t)(bar->base >> 32));
	}
}

/* Puts a capability at the head of the guest's list. */
static HV_BOOT void link_capability(struct assigned *device, unsigned offset, uint8_t id)
{
	put(device->initial, offset, 1, id);
	put(device->initial, offset + 1, 1, device->initial[PCI_CAPABILITIES]);
	put(device->initial, PCI_CAPABILITIES, 1, offset);
	put(device->initial, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
}

/* The function has no port above it in its VM: it is shown as one that is integrated in the root complex. */
static HV_BOOT void build_express(struct assigned *device)
{
	unsigned at = device->express;
	uint8_t *space = device->initial;
	uint32_t flags;

	copy(device, at, device->express_long ? EXPRESS_LENGTH_2 : EXPRESS_LENGTH_1);
	flags = get(space, at + PCI_EXPRESS_FLAGS, 2);
	put(space, at + PCI_EXPRESS_FLAGS, 2, (flags & 0xfu) | PCI_TYPE_INTEGRATED << 4);
	put(space, at + PCI_EXPRESS_DEVCAP, 4, get(space, at + PCI_EXPRESS_DEVCAP, 4) & ~PCI_EXPRESS_DEVCAP_FLR);
	put(space, at + PCI_EXPRESS_DEVSTA, 2, 0);
	for (unsigned i = 0; i < 8; i += 4) {
		put(space, at + EXPRESS_LINK_1 + i, 4, 0);
		if (device->express_long)
			put(space, at + EXPRESS_LINK_2 + i, 4, 0);
	}
	link_capability(device, at, PCI_CAP_EXPRESS);
}

static HV_BOOT void build_msi(struct assigned *device)
{
	unsigned at = device->msi;
	bool wide = pci_get(device->at, at + PCI_MSI_CONTROL, 2) & PCI_MSI_64;

	put(device->initial, at + PCI_MSI_CONTROL, 2, wide ? PCI_MSI_64 : 0);
	put(device->writable, at + PCI_MSI_CONTROL, 2, PCI_MSI_ENABLE);
	put(device->writable, at + 4, 4, 0xfffffffc);
	if (wide)
		put(device->writable, at + 8, 4, 0xffffffff);
	put(device->writable, at + (wide ? 12 : 8), 2, 0xffff);
	link_capability(device, at, PCI_CAP_MSI);
}

static HV_BOOT void build_msix(struct assigned *device)
{
	unsigned at = device->msix;

	copy(device, at, MSIX_LENGTH);
	put(device->initial, at + PCI_MSIX_CONTROL, 2, device->vectors - 1);
	put(device->writable, at + PCI_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
	link_capability(device, at, PCI_CAP_MSIX);
}

static HV_BOOT void build_pm(struct assigned *device)
{
	put(device->initial, device->pm + 2u, 2, PM_VERSION);
	put(device->initial, device->pm + PCI_PM_CONTROL, 4, PM_NO_SOFT_RESET);
	link_capability(device, device->pm, PCI_CAP_PM);
}

HV_BOOT void assign_config_build(struct assigned *device)
{
	build_header(device);
	if (device->express)
		build_express(device);
	if (device->msix)
		build_msix(device);
	if (device->msi)
		build_msi(device);
	if (device->pm)
		build_pm(device);
	assign_config_reset(device);
}

void assign_config_reset(struct assigned *device)
{
	for (unsigned i = 0; i < 256; i++)
		device->shadow[i] = device->initial[i];
	device->sizing = 0;
}

uint32_t assign_shadow(const struct assigned *device, unsigned offset, unsigned size)
{
	return get(device->shadow, offset, size);
}

/* What BAR register `index` answers while it is being sized. */
static uint32_t size_mask(const struct assigned *device, unsigned index)
{
	const struct assigned_bar *bar = &device->bars[index];

	if (bar->size)
		return (uint32_t)~(bar->size - 1) | bar->flags;
	if (index > 0 && device->bars[index - 1].wide && device->bars[index - 1].size)
		return (uint32_t)(~(device->bars[index - 1].size - 1) >> 32);
	return 0;
}

static bool access_valid(unsigned offset, unsigned size)
{
	return (size == 1 || size == 2 || size == 4) && offset % size == 0 && offset < 256;
}

uint32_t assigned_config_read(struct assigned *device, unsigned offset, unsigned size)
{
	unsigned bar = (offset - PCI_BAR0) / 4;
	uint32_t value;

	if (!device->present || !access_valid(offset, size))
		return 0xffffffff;
	spin_lock(&device->lock);
	if (offset >= PCI_BAR0 && offset < BAR_END && (device->sizing & 1u << bar)) {
		value = size_mask(device, bar) >> 8 * (offset % 4);
		if (size < 4)
			value &= (1u << 8 * size) - 1;
	} else {
		value = get(device->shadow, offset, size);
	}
	spin_unlock(&device->lock);
	return value;
}

static bool overlaps(unsigned offset, unsigned size, unsigned at, unsigned length)
{
	return offset < at + length && at < offset + size;
}

static void write_masked(struct assigned *device, unsigned offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = device->writable[offset + i], byte = (uint8_t)(value >> 8 * i);

		device->shadow[offset + i] = (uint8_t)((device->shadow[offset + i] & ~mask) | (byte & mask));
	}
}

/* True when a write there may have to show on the real function. */
static bool is_control(const struct assigned *device, unsigned offset, unsigned size)
{
	return overlaps(offset, size, PCI_COMMAND, 2) ||
	       (device->msi && overlaps(offset, size, device->msi + PCI_MSI_CONTROL, 2)) ||
	       (device->msix && overlaps(offset, size, device->msix + PCI_MSIX_CONTROL, 2));
}

void assigned_config_write(struct assigned *device, unsigned offset, unsigned size, uint32_t value)
{
	if (!device->present || !access_valid(offset, size))
		return;
	spin_lock(&device->lock);
	if (offset >= PCI_BAR0 && offset < BAR_END) {
		uint8_t bit = (uint8_t)(1u << (offset - PCI_BAR0) / 4);

		if (size == 4)          /* all ones asks for the size; anything else ends that */
			device->sizing = (value | PCI_BAR_FLAGS) == 0xffffffff ? device->sizing | bit
										: device->sizing & (uint8_t)~bit;
	} else {
		write_masked(device, offset, size, value);
		if (is_control(device, offset, size))
			assign_apply(device);
	}
	spin_unlock(&device->lock);
	vmsix_deliver(&device->msix_virtual);
}
