/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that ACPI describes and that belong to the hypervisor whatever a device says of itself: configuration
 * space (all of it is everybody's), I/O APICs, the HPET, AMD's remapping units.  Claimed before any device is given
 * away; the local APIC and the VT-d units are claimed where they are taken into use.  Gone after the seal.
 */
#include "acpi.h"
#include "pci.h"
#include "plat.h"

#define MCFG_ENTRIES 44u        /* PCI Firmware Specification 3.2, "MCFG Table Description" */
#define MCFG_ENTRY 16u
#define MADT_ENTRIES 44u        /* ACPI Specification 6.5, "I/O APIC Structure" */
#define MADT_IO_APIC 1u
#define MADT_IO_APIC_LENGTH 12u
#define HPET_ADDRESS 44u        /* IA-PC HPET Specification 1.0a, "The ACPI 2.0 HPET Description Table" */
#define IVRS_ENTRIES 48u        /* AMD I/O Virtualization Technology Specification, "IVRS" */
#define IVHD_FIRST 0x10u
#define IVHD_LAST 0x11u
#define IVHD_LAST_40 0x40u
#define IVHD_LENGTH 24u
#define IVHD_REGISTERS (16u << 10)
#define BLOCKS_MAX 64u

static uint64_t claimed[BLOCKS_MAX];
static unsigned claimed_count;

static uint64_t get(const uint8_t *from, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | from[bytes];
	return value;
}

static enum hv_err claim(const char *what, uint64_t base, uint64_t length)
{
	enum hv_err err = mem_claim_mmio(hpa(base), length, OWNER_HV);

	if (err)
		say("refused: %s at %lx, %lx bytes: expected free pages outside RAM (error %u)", what,
		    (unsigned long)base, (unsigned long)length, err);
	return err;
}

/* Registers that several entries may describe, or that share a page with others: claimed once. */
static enum hv_err claim_once(const char *what, uint64_t address, uint64_t length)
{
	uint64_t page = address & ~(PAGE_SIZE - 1);

	for (unsigned i = 0; i < claimed_count; i++)
		if (claimed[i] == page)
			return HV_OK;
	if (claimed_count == BLOCKS_MAX) {
		say("refused: more than %u APICs, timers and remapping units", BLOCKS_MAX);
		return HV_NO_MEMORY;
	}
	claimed[claimed_count++] = page;
	return claim(what, page, length);
}

static enum hv_err claim_config_space(void)
{
	uint32_t length = 0;
	const uint8_t *mcfg = acpi_table("MCFG", &length);
	enum hv_err err = HV_OK;

	for (uint32_t at = MCFG_ENTRIES; mcfg && !err && at + MCFG_ENTRY <= length; at += MCFG_ENTRY) {
		uint64_t base = get(mcfg + at, 8), first = mcfg[at + 10], last = mcfg[at + 11];

		if (first > last) {
			say("refused: MCFG: configuration space at %lx: buses %lu to %lu", (unsigned long)base,
			    (unsigned long)first, (unsigned long)last);
			return HV_BAD_INPUT;
		}
		err = claim("MCFG: configuration space", base + (first << 20), (last - first + 1) << 20);
	}
	return err;
}

static enum hv_err claim_io_apics(void)
{
	uint32_t length = 0;
	const uint8_t *madt = acpi_table("APIC", &length);
	enum hv_err err = HV_OK;

	for (uint32_t at = MADT_ENTRIES; madt && !err && at + 2 <= length && madt[at + 1] >= 2 &&
	     madt[at + 1] <= length - at; at += madt[at + 1])
		if (madt[at] == MADT_IO_APIC && madt[at + 1] >= MADT_IO_APIC_LENGTH)
			err = claim_once("MADT: I/O APIC", get(madt + at + 4, 4), PAGE_SIZE);
	return err;
}

static bool is_ivhd(const uint8_t *block, uint64_t size)
{
	return size >= IVHD_LENGTH && (block[0] == IVHD_FIRST || block[0] == IVHD_LAST || block[0] == IVHD_LAST_40);
}

/* A unit has a block of each type that the firmware offers. */
static enum hv_err claim_amd_units(void)
{
	uint32_t length = 0;
	const uint8_t *ivrs = acpi_table("IVRS", &length);
	enum hv_err err = HV_OK;
	uint64_t size;

	for (uint32_t at = IVRS_ENTRIES; ivrs && !err && at + 4 <= length; at += (uint32_t)size) {
		size = get(ivrs + at + 2, 2);
		if (size < 4 || size > length - at)
			break;
		if (is_ivhd(ivrs + at, size))
			err = claim_once("IVRS: remapping unit", get(ivrs + at + 8, 8), IVHD_REGISTERS);
	}
	return err;
}

enum hv_err registers_claim(void)
{
	uint32_t length = 0;
	const uint8_t *hpet = acpi_table("HPET", &length);
	enum hv_err err = claim_config_space();

	claimed_count = 0;
	if (!err)
		err = claim_io_apics();
	if (!err && hpet && length >= HPET_ADDRESS + 8)
		err = claim_once("HPET", get(hpet + HPET_ADDRESS, 8), PAGE_SIZE);
	return err ? err : claim_amd_units();
}
