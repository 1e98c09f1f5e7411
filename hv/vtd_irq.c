/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt remapping entries at run time.  One table serves all units; an entry belongs to one source, which the
 * hardware verifies, for as long as the machine runs: only its vector and CPU come and go.
 */
#include "vtd.h"

struct vtd_entry *vtd_irtes;
HV_SEALED bool vtd_x2apic;

static enum hv_err forget(uint32_t entry)
{
	const uint64_t descriptor = VTD_INV_IRQ_INDEX(entry);
	enum hv_err result = HV_OK;

	for (unsigned i = 0; i < vtd_unit_count; i++) {
		enum hv_err err = vtd_invalidate(&vtd_units[i], &descriptor, 1);

		if (err)
			result = err;
	}
	return result;
}

static void write_low(uint32_t entry, uint64_t low)
{
	__atomic_store_n(&vtd_irtes[entry].low, low, __ATOMIC_SEQ_CST);
	vtd_flush(&vtd_irtes[entry], sizeof(vtd_irtes[entry]));
}

enum hv_err vtd_irq_set(uint32_t entry, unsigned cpu, uint8_t vector)
{
	uint32_t apic = cpu_apic_id(cpu);
	enum hv_err err;

	CHECK(entry < VTD_IRTE_COUNT && vtd_irtes[entry].high != 0);
	if (apic > 0xfe)
		return HV_UNSUPPORTED;  /* needs the extended interrupt mode */
	write_low(entry, VTD_IRTE_PRESENT | VTD_IRTE_VECTOR(vector) |
		  (vtd_x2apic ? VTD_IRTE_DEST_X2APIC(apic) : VTD_IRTE_DEST_XAPIC(apic)));
	err = forget(entry);
	if (err)
		write_low(entry, 0);
	return err;
}

enum hv_err vtd_irq_clear(uint32_t entry)
{
	CHECK(entry < VTD_IRTE_COUNT);
	write_low(entry, 0);
	return forget(entry);
}

void vtd_irq_message(uint32_t entry, uint64_t *address, uint32_t *data)
{
	CHECK(entry < VTD_IRTE_COUNT);
	*address = VTD_MSI_ADDRESS(entry);
	*data = 0;
}
