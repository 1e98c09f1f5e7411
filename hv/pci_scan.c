/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on the PCI buses at boot, with every function's bus mastering turned off on the way.  Gone after the seal.
 *
 * Every bus number is tried, so that a function which no bridge admits to is found as well.  Only segment 0 is looked
 * at: others are out of reach of ports 0xCF8/0xCFC and stay behind their remapping units, which block everything.
 */
#include "pci.h"

#define FUNCTION_MAX 1024u
#define MCFG_ENTRIES 44u        /* PCI Firmware Specification 3.2, "MCFG Table Description" */
#define MCFG_ENTRY 16u
#define CLASS_IOMMU 0x0806u
#define IVRS_ENTRIES 48u        /* AMD I/O Virtualization Technology Specification, "IVRS" */
#define IVHD_SOURCE 4u
#define IVHD_FIRST 0x10u
#define IVHD_SECOND 0x11u
#define IVHD_LAST 0x40u
#define EXTENDED_FIRST 0x100u
#define EXTENDED_LIMIT 480u     /* capabilities that fit in an extended configuration space */

static struct pci_function functions[FUNCTION_MAX];
static unsigned function_count;

static uint64_t read_le(const uint8_t *from, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = bytes; i-- > 0;)
		value = value << 8 | from[i];
	return value;
}

unsigned pci_function_count(void)
{
	return function_count;
}

const struct pci_function *pci_function(unsigned index)
{
	CHECK(index < function_count);
	return &functions[index];
}

static enum hv_err note_function(struct pci_address at, uint8_t header)
{
	struct pci_function *f;
	unsigned express;

	if (function_count == FUNCTION_MAX) {
		say("pci: more than %u functions; this build cannot keep track of them", FUNCTION_MAX);
		return HV_NO_MEMORY;
	}
	f = &functions[function_count++];
	f->at = at;
	f->header = header & PCI_HEADER_TYPE;
	express = pci_capability(at, PCI_CAP_EXPRESS);
	f->express = PCI_TYPE_NONE;
	if (express)
		f->express = (pci_get(at, express + PCI_EXPRESS_FLAGS, 2) >> 4) & 15;
	if (f->header == PCI_HEADER_BRIDGE) {
		f->secondary = (uint8_t)pci_get(at, PCI_BRIDGE_SECONDARY, 1);
		f->subordinate = (uint8_t)pci_get(at, PCI_BRIDGE_SUBORDINATE, 1);
	}
	return HV_OK;
}

/*
 * A remapping unit's own function (AMD has such) must go on fetching its tables.  That it is one is the firmware's
 * word: its class alone is only its own.
 */
static bool is_remapping_unit(struct pci_address at)
{
	uint32_t length = 0;
	const uint8_t *ivrs = acpi_table("IVRS", &length);

	if (!ivrs || pci_get(at, PCI_REVISION, 4) >> 16 != CLASS_IOMMU)
		return false;
	for (uint32_t entry = IVRS_ENTRIES; entry + IVHD_SOURCE + 2 <= length;) {
		uint8_t type = ivrs[entry];
		uint64_t size = read_le(ivrs + entry + 2, 2);

		if ((type == IVHD_FIRST || type == IVHD_SECOND || type == IVHD_LAST) &&
		    read_le(ivrs + entry + IVHD_SOURCE, 2) == pci_source(at))
			return true;
		entry += size < 4 ? length : (uint32_t)size;
	}
	return false;
}

/* Functions 1 to 7 are looked for unless function 0 is there and says that it is alone. */
static enum hv_err scan_device(uint8_t bus, uint8_t device)
{
	enum hv_err result = HV_OK;
	unsigned last = 7;

	for (unsigned function = 0; function <= last; function++) {
		struct pci_address at = { bus, device, (uint8_t)function };
		uint8_t header;
		enum hv_err err;

		if (pci_get(at, PCI_VENDOR, 2) == 0xffff)
			continue;
		header = (uint8_t)pci_get(at, PCI_HEADER, 1);
		if (function == 0 && !(header & PCI_HEADER_MULTIFUNCTION))
			last = 0;
		if (!is_remapping_unit(at))
			pci_change16(at, PCI_COMMAND, PCI_COMMAND_MASTER, 0);
		err = note_function(at, header);
		if (err)
			result = err;   /* go on: the others' bus mastering must go off, too */
	}
	return result;
}

enum hv_err pci_scan(void)
{
	enum hv_err result = HV_OK;

	function_count = 0;
	for (unsigned bus = 0; bus < 256; bus++) {
		for (unsigned device = 0; device < 32; device++) {
			enum hv_err err = scan_device((uint8_t)bus, (uint8_t)device);

			if (err)
				result = err;
		}
	}
	return result;
}

const struct pci_function *pci_bridge_to(uint8_t bus)
{
	const struct pci_function *found = NULL;

	for (unsigned i = 0; i < function_count; i++) {
		const struct pci_function *f = &functions[i];

		if (f->header != PCI_HEADER_BRIDGE || f->secondary != bus || f->secondary == 0)
			continue;
		if (found)
			return NULL;
		found = f;
	}
	return found;
}

/* Physical address of the function's memory-mapped configuration space, 0: the firmware describes none. */
static uint64_t mapped_config(struct pci_address at)
{
	uint32_t length;
	const uint8_t *mcfg = acpi_table("MCFG", &length);

	for (uint32_t i = MCFG_ENTRIES; mcfg && i + MCFG_ENTRY <= length; i += MCFG_ENTRY) {
		uint64_t base = read_le(mcfg + i, 8);
		uint8_t first = mcfg[i + 10], last = mcfg[i + 11];

		if (read_le(mcfg + i + 8, 2) == 0 && base % PAGE_SIZE == 0 && first <= at.bus && at.bus <= last)
			return base + ((uint64_t)at.bus << 20 | (uint64_t)at.device << 15 |
				       (uint64_t)at.function << 12);
	}
	return 0;
}

enum hv_err pci_isolate_port(struct pci_address port)
{
	uint64_t address = mapped_config(port);
	volatile uint8_t *config;
	uint32_t offset = EXTENDED_FIRST;

	if (!address)
		return HV_UNSUPPORTED;
	config = mmio_map(hpa(address), PAGE_SIZE);
	if (!config)
		return HV_NO_MEMORY;
	if (*(volatile uint16_t *)config != pci_get(port, PCI_VENDOR, 2))
		return HV_BAD_INPUT;
	for (unsigned i = 0; i < EXTENDED_LIMIT && offset >= EXTENDED_FIRST; i++) {
		uint32_t header = *(volatile uint32_t *)(config + offset);
		volatile uint16_t *control = (volatile uint16_t *)(config + offset + PCI_ACS_CONTROL);

		if ((header & 0xffff) != PCI_EXTENDED_ACS) {
			offset = (header >> 20) & 0xffc;
			continue;
		}
		if (~*(volatile uint16_t *)(config + offset + PCI_ACS_CAP) & PCI_ACS_ISOLATION)
			return HV_UNSUPPORTED;
		*control = PCI_ACS_ISOLATION;
		return (*control & PCI_ACS_ISOLATION) == PCI_ACS_ISOLATION ? HV_OK : HV_UNSUPPORTED;
	}
	return HV_UNSUPPORTED;
}
