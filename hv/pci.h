/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI configuration space: access, capabilities, and the list of functions found at boot.
 * Registers as in the PCI Local Bus Specification 3.0 and the PCI Express Base Specification 4.0.
 */
#ifndef HV_PCI_H
#define HV_PCI_H

#include "platform.h"

#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define  PCI_COMMAND_IO 0x0001u
#define  PCI_COMMAND_MEMORY 0x0002u
#define  PCI_COMMAND_MASTER 0x0004u
#define  PCI_COMMAND_INTX_OFF 0x0400u
#define PCI_STATUS 0x06
#define  PCI_STATUS_CAPABILITIES 0x0010u
#define PCI_REVISION 0x08               /* then the 24-bit class code */
#define PCI_CACHE_LINE 0x0c
#define PCI_HEADER 0x0e
#define  PCI_HEADER_MULTIFUNCTION 0x80u
#define  PCI_HEADER_TYPE 0x7fu
#define   PCI_HEADER_ENDPOINT 0u
#define   PCI_HEADER_BRIDGE 1u
#define PCI_BAR0 0x10
#define  PCI_BAR_COUNT 6u
#define  PCI_BAR_IO 0x1u
#define  PCI_BAR_TYPE 0x6u
#define   PCI_BAR_64 0x4u
#define  PCI_BAR_FLAGS 0xfu
#define PCI_SUBSYSTEM 0x2c
#define PCI_ROM 0x30
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_LINE 0x3c

#define PCI_BRIDGE_SECONDARY 0x19       /* header type 1 */
#define PCI_BRIDGE_SUBORDINATE 0x1a
#define PCI_BRIDGE_CONTROL 0x3e
#define  PCI_BRIDGE_RESET 0x0040u

#define PCI_CAP_PM 0x01
#define  PCI_PM_CONTROL 4u
#define PCI_CAP_MSI 0x05
#define  PCI_MSI_CONTROL 2u
#define   PCI_MSI_ENABLE 0x0001u
#define   PCI_MSI_64 0x0080u
#define PCI_CAP_EXPRESS 0x10
#define  PCI_EXPRESS_FLAGS 2u
#define  PCI_EXPRESS_DEVCAP 4u
#define   PCI_EXPRESS_DEVCAP_FLR (1u << 28)
#define  PCI_EXPRESS_DEVCTL 8u
#define   PCI_EXPRESS_DEVCTL_FLR 0x8000u
#define  PCI_EXPRESS_DEVSTA 10u
#define   PCI_EXPRESS_DEVSTA_PENDING 0x0020u
#define  PCI_EXPRESS_LNKCTL 16u
#define  PCI_EXPRESS_DEVCTL2 40u
#define PCI_CAP_MSIX 0x11
#define  PCI_MSIX_CONTROL 2u
#define   PCI_MSIX_SIZE 0x07ffu
#define   PCI_MSIX_MASK_ALL 0x4000u
#define   PCI_MSIX_ENABLE 0x8000u
#define  PCI_MSIX_TABLE 4u
#define  PCI_MSIX_PENDING 8u
#define   PCI_MSIX_BAR 0x7u
#define PCI_CAP_AF 0x13                 /* Advanced Features for Conventional PCI */
#define  PCI_AF_CAP 3u
#define   PCI_AF_FLR 0x02u
#define  PCI_AF_CONTROL 4u
#define  PCI_AF_STATUS 5u

/* Device/port types of the PCI Express capability. */
enum pci_express_type {
	PCI_TYPE_ENDPOINT = 0, PCI_TYPE_LEGACY = 1, PCI_TYPE_ROOT_PORT = 4, PCI_TYPE_UPSTREAM = 5,
	PCI_TYPE_DOWNSTREAM = 6, PCI_TYPE_INTEGRATED = 9, PCI_TYPE_NONE = 0xff,
};

#define PCI_EXTENDED_ACS 0x000d
#define  PCI_ACS_CAP 4u
#define  PCI_ACS_CONTROL 6u
#define   PCI_ACS_VALIDATION 0x01u
#define   PCI_ACS_REQUEST_REDIRECT 0x04u
#define   PCI_ACS_COMPLETION_REDIRECT 0x08u
#define   PCI_ACS_UPSTREAM 0x10u
#define   PCI_ACS_ISOLATION \
	(PCI_ACS_VALIDATION | PCI_ACS_REQUEST_REDIRECT | PCI_ACS_COMPLETION_REDIRECT | PCI_ACS_UPSTREAM)

struct pci_address { uint8_t bus, device, function; };

/* What a DMA or interrupt of the function carries: its source id. */
static inline uint16_t pci_source(struct pci_address at)
{
	return (uint16_t)(at.bus << 8 | at.device << 3 | at.function);
}

static inline bool pci_same(struct pci_address a, struct pci_address b)
{
	return pci_source(a) == pci_source(b);
}

static inline uint32_t pci_get(struct pci_address at, unsigned offset, unsigned size)
{
	return pci_read(at.bus, at.device, at.function, (uint16_t)offset, size);
}

static inline void pci_set(struct pci_address at, unsigned offset, unsigned size, uint32_t value)
{
	pci_write(at.bus, at.device, at.function, (uint16_t)offset, size, value);
}

/* Clears, then sets bits of a 16-bit register. */
void pci_change16(struct pci_address at, unsigned offset, uint16_t clear, uint16_t set);
/* Offset of the first capability `id`, 0: none.  Bounded, whatever the device answers. */
unsigned pci_capability(struct pci_address at, uint8_t id);

struct pci_function {
	struct pci_address at;
	uint8_t header;                 /* PCI_HEADER_TYPE bits */
	uint8_t express;                /* enum pci_express_type */
	uint8_t secondary, subordinate; /* of a bridge */
};

/* --- before the seal -------------------------------------------------------------------------------------------- */

/* Looks at every bus, device and function, turns bus mastering off and remembers what is there. */
HV_MUST_CHECK enum hv_err pci_scan(void);
unsigned pci_function_count(void);
const struct pci_function *pci_function(unsigned index);
/* The one bridge that leads to a bus; NULL when none or several claim to. */
const struct pci_function *pci_bridge_to(uint8_t bus);
/* Asks every function for the ranges that it answers to, with its expansion ROM; its memory decode is off meanwhile. */
HV_MUST_CHECK enum hv_err pci_ranges_scan(void);
/* The size that the register at `offset` answers with, 0: not there; memory decode must be off. */
uint64_t pci_bar_size(struct pci_address at, unsigned offset, uint32_t address_bits, bool wide);
/*
 * Why BAR `index` of a function, [base, base + size), is not believed: NULL, when the bridges above it forward all of
 * it, no other bridge forwards any, and nobody else answers in its pages.
 */
const char *pci_range_refusal(struct pci_address at, unsigned index, uint64_t base, uint64_t size,
			      const struct pci_address *bridges, unsigned bridge_count);
/* registers.c: takes what ACPI describes and no VM may have. */
HV_MUST_CHECK enum hv_err registers_claim(void);
/* Turns on the ACS checks that keep what is below this port from its peers; HV_UNSUPPORTED if it cannot. */
HV_MUST_CHECK enum hv_err pci_isolate_port(struct pci_address port);

#endif
