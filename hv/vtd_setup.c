/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the VT-d units and turns them on with every DMA and every remappable interrupt blocked.  Gone after the seal.
 *
 * A unit that the firmware left on is taken over without a moment of being off: the new (empty) tables are set while
 * translation stays on.
 */
#include <arch_x86.h>

#include "config.h"
#include "plat.h"
#include "vtd.h"

#define REGISTER_PAGES PAGE_SIZE
#define TIMEOUT_NS 200000000ull
#define IRTA_SIZE_256 7u                /* 2^(7 + 1) entries */
#define IRTA_EIME 0x800u                /* x2APIC destinations */
#define MSI_FIXED_XAPIC(id) (0xfee00000u | (uint32_t)(id) << 12)

static struct dmar dmar;

static bool wait_status(const struct vtd_unit *unit, uint32_t bit, bool set)
{
	uint64_t deadline = time_ns() + TIMEOUT_NS;

	do {
		if (!!(vtd_read32(unit, VTD_GSTS) & bit) == set)
			return true;
		arch_pause();
	} while (time_ns() <= deadline);
	return false;
}

/* Issues one global command: sets or clears `bit` and waits for its status. */
static enum hv_err command(struct vtd_unit *unit, uint32_t bit, bool set)
{
	uint32_t keep = vtd_read32(unit, VTD_GSTS) & ~VTD_GCMD_ONE_SHOT & ~bit;

	vtd_write32(unit, VTD_GCMD, keep | (set ? bit : 0));
	if (wait_status(unit, bit, set))
		return HV_OK;
	say("vtd: unit %u at %lx does not carry out command %x", unit->number,
	    (unsigned long)dmar.units[unit->number].base, bit);
	return HV_TIMEOUT;
}

static enum hv_err check_unit(struct vtd_unit *unit)
{
	uint32_t version = vtd_read32(unit, VTD_VER);
	uint64_t registers_end;

	unit->cap = vtd_read64(unit, VTD_CAP);
	unit->ecap = vtd_read64(unit, VTD_ECAP);
	registers_end = VTD_CAP_FRO(unit->cap) + VTD_CAP_NFR(unit->cap) * VTD_FAULT_SIZE;
	if (version == 0 || version == 0xffffffff) {
		say("vtd: unit %u: version register reads %x", unit->number, version);
		return HV_BAD_INPUT;
	}
	if (!(unit->ecap & VTD_ECAP_QI) || registers_end > REGISTER_PAGES) {
		say("vtd: unit %u: cap %lx ecap %lx: queued invalidation and fault records in one page are needed",
		    unit->number, (unsigned long)unit->cap, (unsigned long)unit->ecap);
		return HV_UNSUPPORTED;
	}
	return HV_OK;
}

static enum hv_err probe(void)
{
	uint32_t length;
	const uint8_t *table = acpi_table("DMAR", &length);
	enum hv_err err;

	if (!table)
		return HV_UNSUPPORTED;
	err = dmar_parse(table, length, &dmar);
	for (unsigned i = 0; !err && i < dmar.unit_count; i++) {
		struct vtd_unit *unit = &vtd_units[i];

		unit->number = i;
		err = mem_claim_mmio(hpa(dmar.units[i].base), REGISTER_PAGES, OWNER_HV);
		if (err) {
			say("vtd: unit %u: registers at %lx are not device memory", i,
			    (unsigned long)dmar.units[i].base);
			return HV_BAD_INPUT;
		}
		unit->registers = mmio_map(hpa(dmar.units[i].base), REGISTER_PAGES);
		if (!unit->registers)
			return HV_NO_MEMORY;
		err = check_unit(unit);
	}
	if (!err)
		vtd_unit_count = dmar.unit_count;
	return err;
}

static enum hv_err make_tables(struct vtd_unit *unit)
{
	unit->root = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
	unit->queue = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
	unit->status = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
	if (!unit->root || !unit->queue || !unit->status)
		return HV_NO_MEMORY;
	vtd_flush(unit->root, PAGE_SIZE);
	return HV_OK;
}

/* An empty queue of our own, also where the firmware had one running. */
static enum hv_err start_queue(struct vtd_unit *unit)
{
	enum hv_err err = HV_OK;

	if (vtd_read32(unit, VTD_GSTS) & VTD_GCMD_QIE)
		err = command(unit, VTD_GCMD_QIE, false);
	if (err)
		return err;
	vtd_write32(unit, VTD_FSTS, VTD_FSTS_QUEUE);
	vtd_write64(unit, VTD_IQT, 0);
	vtd_write64(unit, VTD_IQA, ptr_hpa(unit->queue).a);
	unit->tail = 0;
	return command(unit, VTD_GCMD_QIE, true);
}

static void clear_faults(struct vtd_unit *unit)
{
	for (unsigned i = 0; i < VTD_CAP_NFR(unit->cap); i++)
		vtd_write32(unit, VTD_CAP_FRO(unit->cap) + i * VTD_FAULT_SIZE + 12, (uint32_t)(VTD_FAULT_F >> 32));
	vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO | VTD_FSTS_QUEUE);
}

static void direct_faults(struct vtd_unit *unit)
{
	vtd_write32(unit, VTD_FECTL, VTD_FECTL_IM);
	vtd_write32(unit, VTD_FEDATA, HOST_VECTOR_IOMMU);
	vtd_write32(unit, VTD_FEADDR, MSI_FIXED_XAPIC(cpu_apic_id(0)));
	vtd_write32(unit, VTD_FEUADDR, 0);
	clear_faults(unit);
	vtd_write32(unit, VTD_FECTL, 0);
}

static enum hv_err block_interrupts(struct vtd_unit *unit)
{
	enum hv_err err;

	vtd_write64(unit, VTD_IRTA, ptr_hpa(vtd_irtes).a | IRTA_SIZE_256 | (vtd_x2apic ? IRTA_EIME : 0));
	err = command(unit, VTD_GCMD_SIRTP, true);
	if (!err)
		err = vtd_invalidate(unit, (const uint64_t[]){ VTD_INV_IRQ_GLOBAL }, 1);
	if (!err && (vtd_read32(unit, VTD_GSTS) & VTD_GCMD_CFI))
		err = command(unit, VTD_GCMD_CFI, false);
	if (!err)
		err = command(unit, VTD_GCMD_IRE, true);
	return err;
}

static enum hv_err block_dma(struct vtd_unit *unit)
{
	enum hv_err err;

	if (unit->cap & VTD_CAP_RWBF) {
		say("vtd: unit %u needs write-buffer flushes, which this build does not do", unit->number);
		return HV_UNSUPPORTED;
	}
	vtd_write64(unit, VTD_RTADDR, ptr_hpa(unit->root).a);
	err = command(unit, VTD_GCMD_SRTP, true);
	if (!err)
		err = start_queue(unit);
	if (!err)
		err = vtd_invalidate(unit, (const uint64_t[]){ VTD_INV_CONTEXT_GLOBAL, VTD_INV_IOTLB_GLOBAL }, 2);
	if (!err && !(vtd_read32(unit, VTD_GSTS) & VTD_GCMD_TE))
		err = command(unit, VTD_GCMD_TE, true);
	if (!err && (unit->cap & (VTD_CAP_PLMR | VTD_CAP_PHMR)))
		vtd_write32(unit, VTD_PMEN, 0); /* the firmware's protected regions would block assigned devices, too */
	return err;
}

static enum hv_err block_all(bool *irq_remapped)
{
	bool irq = dmar.irq_remap;
	enum hv_err err = HV_OK;

	vtd_x2apic = apic_is_x2apic();
	vtd_irtes = mem_alloc_hv(VTD_IRTE_COUNT * sizeof(*vtd_irtes), PAGE_SIZE);
	if (!vtd_irtes)
		return HV_NO_MEMORY;
	vtd_flush(vtd_irtes, VTD_IRTE_COUNT * sizeof(*vtd_irtes));
	for (unsigned i = 0; i < vtd_unit_count; i++) {
		if (!(vtd_units[i].ecap & VTD_ECAP_IR))
			irq = false;
		if (!vtd_x2apic || vtd_units[i].ecap & VTD_ECAP_EIM)
			continue;
		say("vtd: unit %u cannot remap interrupts for x2APIC, which the firmware left on", i);
		irq = false;
	}
	for (unsigned i = 0; !err && i < vtd_unit_count; i++) {
		struct vtd_unit *unit = &vtd_units[i];

		err = make_tables(unit);
		if (!err)
			err = block_dma(unit);
		if (!err && irq)
			err = block_interrupts(unit);
		if (!err) {
			direct_faults(unit);
			say("vtd: unit %u at %lx: all DMA blocked, interrupt remapping %s", i,
			    (unsigned long)dmar.units[i].base, irq ? "on" : "absent");
		}
	}
	*irq_remapped = !err && irq;
	return err;
}

static enum hv_err source_check(uint16_t source)
{
	if (dmar_unit(&dmar, source) < 0)
		return HV_DENIED;
	return dmar_reserves(&dmar, source) ? HV_CONFLICT : HV_OK;
}

static enum hv_err source_prepare(uint16_t source)
{
	int unit = dmar_unit(&dmar, source);
	enum hv_err err;

	if (unit < 0)
		return HV_DENIED;
	err = vtd_context_prepare(&vtd_units[unit], source);
	return err ? err : vtd_source_add(source, (unsigned)unit);
}

const struct iommu_setup vtd_setup = {
	.name = "VT-d",
	.ops = &vtd_ops,
	.probe = probe,
	.block_all = block_all,
	.source_check = source_check,
	.domain_create = vtd_domain_create,
	.domain_map = vtd_domain_map,
	.source_prepare = source_prepare,
	.irq_allocate = vtd_irq_allocate,
};
