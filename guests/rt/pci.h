/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI functions on bus 0 through configuration mechanism 1 (PCI Local Bus Specification 3.0, "Configuration
 * Mechanism #1").
 */
#ifndef RT_PCI_H
#define RT_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_ID 0x00u
#define PCI_COMMAND 0x04u
#define PCI_COMMAND_IO 0x1u
#define PCI_COMMAND_MEMORY 0x2u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_CLASS 0x08u
#define PCI_BAR0 0x10u
#define PCI_SLOT_MAX 31u

#define PCI_CAP_MSI 0x05u
#define PCI_CAP_MSIX 0x11u

/* `offset` is within the 256 bytes and aligned to the access. */
uint32_t pci_read32(unsigned slot, unsigned offset);
uint16_t pci_read16(unsigned slot, unsigned offset);
void pci_write32(unsigned slot, unsigned offset, uint32_t value);
void pci_write16(unsigned slot, unsigned offset, uint16_t value);

/* First slot from 1 on whose vendor and device are these, or 0. */
unsigned pci_find(uint16_t vendor, uint16_t device);
/* Offset of a capability, or 0. */
unsigned pci_capability(unsigned slot, uint8_t id);
/* Address a memory BAR lies at, 0 when it is none or is not set; *is_io says that it is an I/O BAR. */
uint64_t pci_bar(unsigned slot, unsigned bar, bool *is_io);
/*
 * One message for all interrupts of the function, by MSI-X entry 0 or by MSI.  False when it has neither.  *msix says
 * which of the two it is.
 */
bool pci_enable_message(unsigned slot, uint64_t address, uint32_t data, bool *msix);

#endif
