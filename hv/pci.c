/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI configuration access through ports 0xCF8 and 0xCFC (PCI Local Bus Specification 3.0, "Software Generation of
 * Configuration Transactions") under one lock, and the walk over capabilities.  The lock is taken last: nothing is
 * called while it is held.
 */
#include <arch_x86.h>

#include "pci.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000u

#define CAPABILITY_LIMIT 48u    /* as many as fit between 0x40 and 0xff */

static struct spinlock lock;

static void select_register(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset)
{
	arch_out32(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)bus << 16 | (device & 31u) << 11 | (function & 7u) << 8 |
		   (offset & 0xfcu));
}

uint32_t pci_read(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size)
{
	uint16_t port = CONFIG_DATA + (offset & 3u);
	uint32_t value;

	CHECK(offset < 256 && (size == 1 || size == 2 || size == 4) && offset % size == 0);
	spin_lock(&lock);
	select_register(bus, device, function, offset);
	value = size == 1 ? arch_in8(port) : size == 2 ? arch_in16(port) : arch_in32(port);
	spin_unlock(&lock);
	return value;
}

void pci_write(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value)
{
	uint16_t port = CONFIG_DATA + (offset & 3u);

	CHECK(offset < 256 && (size == 1 || size == 2 || size == 4) && offset % size == 0);
	spin_lock(&lock);
	select_register(bus, device, function, offset);
	if (size == 1)
		arch_out8(port, (uint8_t)value);
	else if (size == 2)
		arch_out16(port, (uint16_t)value);
	else
		arch_out32(port, value);
	spin_unlock(&lock);
}

void pci_change16(struct pci_address at, unsigned offset, uint16_t clear, uint16_t set)
{
	pci_set(at, offset, 2, (pci_get(at, offset, 2) & ~(uint32_t)clear) | set);
}

HV_BOOT unsigned pci_capability(struct pci_address at, uint8_t id)
{
	unsigned offset;

	if (!(pci_get(at, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return 0;
	offset = pci_get(at, PCI_CAPABILITIES, 1) & 0xfcu;
	for (unsigned i = 0; i < CAPABILITY_LIMIT && offset >= 0x40; i++) {
		uint32_t header = pci_get(at, offset, 2);

		if ((header & 0xff) == id)
			return offset;
		offset = (header >> 8) & 0xfc;
	}
	return 0;
}
