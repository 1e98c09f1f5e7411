/* SPDX-License-Identifier: Apache-2.0 */
#include "pci.h"

#include "io.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE 0x80000000u

#define STATUS_OFFSET 0x06u
#define STATUS_CAPABILITIES 0x10u
#define CAPABILITIES_OFFSET 0x34u
#define CAPABILITIES_MAX 48u            /* in 256 bytes there is no room for more */

#define BAR_IO 0x1u
#define BAR_64 0x4u

/* Message control of MSI and MSI-X (PCI 3.0, "MSI Capability Structure", "MSI-X Capability and Table Structures") */
#define MSI_ENABLE 0x0001u
#define MSI_MULTIPLE_ENABLE 0x0070u
#define MSI_64 0x0080u
#define MSIX_ENABLE 0x8000u
#define MSIX_MASK_ALL 0x4000u
#define MSIX_SIZE 0x07ffu
#define MSIX_BIR 0x7u
#define MSIX_ENTRY_SIZE 16u
#define MSIX_ENTRY_MASKED 1u

static void select_register(unsigned slot, unsigned offset)
{
	io_out32(PORT_ADDRESS, ADDRESS_ENABLE | slot << 11 | (offset & 0xfc));
}

uint32_t pci_read32(unsigned slot, unsigned offset)
{
	select_register(slot, offset);
	return io_in32(PORT_DATA);
}

uint16_t pci_read16(unsigned slot, unsigned offset)
{
	select_register(slot, offset);
	return io_in16((uint16_t)(PORT_DATA + (offset & 2)));
}

void pci_write32(unsigned slot, unsigned offset, uint32_t value)
{
	select_register(slot, offset);
	io_out32(PORT_DATA, value);
}

void pci_write16(unsigned slot, unsigned offset, uint16_t value)
{
	select_register(slot, offset);
	io_out16((uint16_t)(PORT_DATA + (offset & 2)), value);
}

unsigned pci_find(uint16_t vendor, uint16_t device)
{
	unsigned slot;

	for (slot = 1; slot <= PCI_SLOT_MAX; slot++) {
		if (pci_read32(slot, PCI_ID) == (vendor | (uint32_t)device << 16))
			return slot;
	}
	return 0;
}

unsigned pci_capability(unsigned slot, uint8_t id)
{
	unsigned offset, left;
	uint16_t head;

	if ((pci_read16(slot, STATUS_OFFSET) & STATUS_CAPABILITIES) == 0)
		return 0;
	offset = pci_read16(slot, CAPABILITIES_OFFSET) & 0xfc;
	for (left = CAPABILITIES_MAX; offset >= 0x40 && left != 0; left--) {
		head = pci_read16(slot, offset);
		if ((uint8_t)head == id)
			return offset;
		offset = head >> 8 & 0xfc;
	}
	return 0;
}

uint64_t pci_bar(unsigned slot, unsigned bar, bool *is_io)
{
	uint32_t low = pci_read32(slot, PCI_BAR0 + bar * 4), high = 0;

	*is_io = (low & BAR_IO) != 0;
	if (*is_io)
		return low & ~3u;
	if ((low & BAR_64) != 0 && bar < 5)
		high = pci_read32(slot, PCI_BAR0 + bar * 4 + 4);
	return (low & ~15u) | (uint64_t)high << 32;
}

static bool enable_msix(unsigned slot, unsigned cap, uint64_t address, uint32_t data)
{
	uint32_t where = pci_read32(slot, cap + 4);
	uint16_t control = pci_read16(slot, cap + 2);
	uint64_t table;
	unsigned i;
	bool is_io;

	table = pci_bar(slot, where & MSIX_BIR, &is_io);
	if (is_io || table == 0)
		return false;
	table += where & ~MSIX_BIR;
	pci_write16(slot, cap + 2, control | MSIX_ENABLE | MSIX_MASK_ALL);
	for (i = 0; i <= (control & MSIX_SIZE); i++)
		mmio_write32(table + i * MSIX_ENTRY_SIZE + 12, MSIX_ENTRY_MASKED);
	mmio_write32(table, (uint32_t)address);
	mmio_write32(table + 4, (uint32_t)(address >> 32));
	mmio_write32(table + 8, data);
	mmio_write32(table + 12, 0);
	pci_write16(slot, cap + 2, (control | MSIX_ENABLE) & (uint16_t)~MSIX_MASK_ALL);
	return true;
}

static void enable_msi(unsigned slot, unsigned cap, uint64_t address, uint32_t data)
{
	uint16_t control = pci_read16(slot, cap + 2);

	pci_write32(slot, cap + 4, (uint32_t)address);
	if ((control & MSI_64) != 0) {
		pci_write32(slot, cap + 8, (uint32_t)(address >> 32));
		pci_write16(slot, cap + 12, (uint16_t)data);
	} else {
		pci_write16(slot, cap + 8, (uint16_t)data);
	}
	pci_write16(slot, cap + 2, (control & (uint16_t)~MSI_MULTIPLE_ENABLE) | MSI_ENABLE);
}

bool pci_enable_message(unsigned slot, uint64_t address, uint32_t data, bool *msix)
{
	unsigned cap = pci_capability(slot, PCI_CAP_MSIX);

	*msix = cap != 0 && enable_msix(slot, cap, address, data);
	if (*msix)
		return true;
	cap = pci_capability(slot, PCI_CAP_MSI);
	if (cap == 0)
		return false;
	enable_msi(slot, cap, address, data);
	return true;
}
