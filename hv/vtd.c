/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VT-d at run time: invalidation, attaching and detaching sources, fault records.
 *
 * Tables are written in the order that never shows the hardware half an entry: the upper word before the present bit
 * is set, the present bit cleared before anything else goes.  A unit whose invalidation fails is dead: what was
 * attached is detached in its tables, nothing is attached again, and whoever asked is told.
 *
 * Locks: the device's (assign.c) before the unit's; the fault lock is taken alone.
 */
#include <arch_x86.h>

#include "config.h"
#include "vtd.h"

#define CACHE_LINE 64u
#define QUEUE_ENTRIES 256u
#define TIMEOUT_NS 200000000ull         /* the specification sets no limit; a unit answers in microseconds */

struct vtd_unit vtd_units[VTD_UNIT_MAX];
unsigned vtd_unit_count;

/* The sources that may be attached, and where. */
HV_SEALED static struct { uint16_t source; uint8_t unit; } sources[LZR_DEVICE_MAX];
HV_SEALED static unsigned source_count;

static struct spinlock fault_lock;

void vtd_flush(const volatile void *from, size_t length)
{
	uintptr_t line = (uintptr_t)from & ~(uintptr_t)(CACHE_LINE - 1);

	arch_fence();
	for (; line < (uintptr_t)from + length; line += CACHE_LINE)
		arch_clflush((const volatile void *)line);
	arch_fence();
}

static bool answered(const struct vtd_unit *unit, uint32_t sequence)
{
	uint64_t deadline = time_ns() + TIMEOUT_NS;

	for (;;) {
		if (*unit->status == sequence)
			return true;
		if (vtd_read32(unit, VTD_FSTS) & VTD_FSTS_QUEUE)
			return false;
		if (time_ns() > deadline)
			return *unit->status == sequence;
		arch_pause();
	}
}

static enum hv_err submit(struct vtd_unit *unit, const uint64_t *descriptors, unsigned count)
{
	if (unit->dead)
		return HV_TIMEOUT;
	for (unsigned i = 0; i < count; i++) {
		unit->queue[unit->tail] = (struct vtd_entry){ descriptors[i], 0 };
		unit->tail = (unit->tail + 1) % QUEUE_ENTRIES;
	}
	unit->sequence++;
	unit->queue[unit->tail] = (struct vtd_entry){ VTD_INV_WAIT(unit->sequence), ptr_hpa((void *)unit->status).a };
	unit->tail = (unit->tail + 1) % QUEUE_ENTRIES;
	arch_fence();
	vtd_write64(unit, VTD_IQT, (uint64_t)unit->tail * sizeof(struct vtd_entry));
	if (answered(unit, unit->sequence))
		return HV_OK;
	unit->dead = true;
	say("vtd: unit %u did not finish an invalidation (fault status %x); it is not used any more", unit->number,
	    vtd_read32(unit, VTD_FSTS));
	return HV_TIMEOUT;
}

enum hv_err vtd_invalidate(struct vtd_unit *unit, const uint64_t *descriptors, unsigned count)
{
	enum hv_err err;

	CHECK(count < QUEUE_ENTRIES - 1);
	spin_lock(&unit->lock);
	err = submit(unit, descriptors, count);
	spin_unlock(&unit->lock);
	return err;
}

struct vtd_unit *vtd_unit_of(uint16_t source)
{
	for (unsigned i = 0; i < source_count; i++) {
		if (sources[i].source == source)
			return &vtd_units[sources[i].unit];
	}
	return NULL;
}

HV_BOOT enum hv_err vtd_source_add(uint16_t source, unsigned unit)
{
	if (vtd_unit_of(source))
		return HV_CONFLICT;
	if (source_count == LZR_DEVICE_MAX)
		return HV_NO_MEMORY;
	sources[source_count].source = source;
	sources[source_count++].unit = (uint8_t)unit;
	return HV_OK;
}

static struct vtd_entry *context_of(struct vtd_unit *unit, uint16_t source)
{
	struct vtd_entry *table = unit ? unit->contexts[source >> 8] : NULL;

	return table ? &table[source & 0xff] : NULL;
}

static enum hv_err invalidate_source(struct vtd_unit *unit, uint16_t domain, uint16_t source)
{
	const uint64_t descriptors[] = {
		VTD_INV_CONTEXT_DEVICE(domain, source),
		VTD_INV_IOTLB_DOMAIN(domain),
	};

	return vtd_invalidate(unit, descriptors, ARRAY_LENGTH(descriptors));
}

static void context_clear(struct vtd_entry *entry)
{
	__atomic_store_n(&entry->low, 0, __ATOMIC_SEQ_CST);
	vtd_flush(entry, sizeof(*entry));
	__atomic_store_n(&entry->high, 0, __ATOMIC_SEQ_CST);
	vtd_flush(entry, sizeof(*entry));
}

static enum hv_err attach(struct iommu_domain *domain, uint16_t source)
{
	struct vtd_unit *unit = vtd_unit_of(source);
	struct vtd_entry *entry = context_of(unit, source);
	uint64_t width = domain->levels == 4 ? VTD_CONTEXT_AW_48 : VTD_CONTEXT_AW_39;
	enum hv_err err;

	if (!entry)
		return HV_DENIED;
	if (entry->low & VTD_CONTEXT_PRESENT)
		return HV_CONFLICT;
	__atomic_store_n(&entry->high, width | VTD_CONTEXT_DID(domain->id), __ATOMIC_SEQ_CST);
	__atomic_store_n(&entry->low, ptr_hpa(domain->table).a | VTD_CONTEXT_PRESENT, __ATOMIC_SEQ_CST);
	vtd_flush(entry, sizeof(*entry));
	/* A unit may have cached that the source was blocked (caching mode tags that with domain 0). */
	err = invalidate_source(unit, 0, source);
	if (!err)
		err = invalidate_source(unit, domain->id, source);
	if (err)
		context_clear(entry);
	return err;
}

static enum hv_err detach(struct iommu_domain *domain, uint16_t source)
{
	struct vtd_unit *unit = vtd_unit_of(source);
	struct vtd_entry *entry = context_of(unit, source);

	if (!entry)
		return HV_DENIED;
	context_clear(entry);
	return invalidate_source(unit, domain->id, source);
}

static bool take_record(struct vtd_unit *unit, unsigned index, struct iommu_fault *fault)
{
	unsigned offset = VTD_CAP_FRO(unit->cap) + index * VTD_FAULT_SIZE;
	uint64_t high = vtd_read64(unit, offset + 8);
	uint64_t low;

	if (!(high & VTD_FAULT_F))
		return false;
	low = vtd_read64(unit, offset);
	fault->source = VTD_FAULT_SOURCE(high);
	fault->reason = VTD_FAULT_REASON(high);
	fault->write = !(high & VTD_FAULT_READ);
	fault->interrupt = fault->reason >= VTD_FAULT_IRQ_FIRST && fault->reason <= VTD_FAULT_IRQ_LAST;
	fault->address = fault->interrupt ? low >> 48 : low & ~(PAGE_SIZE - 1);
	vtd_write32(unit, offset + 12, (uint32_t)(VTD_FAULT_F >> 32));
	return true;
}

static bool unit_fault(struct vtd_unit *unit, struct iommu_fault *fault)
{
	uint32_t status = vtd_read32(unit, VTD_FSTS);

	if (status & VTD_FSTS_PPF) {
		for (unsigned i = 0; i < VTD_CAP_NFR(unit->cap); i++) {
			if (take_record(unit, i, fault))
				return true;
		}
	}
	if (status & VTD_FSTS_PFO)
		vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);
	return false;
}

static bool fault_next(struct iommu_fault *fault)
{
	bool found = false;

	spin_lock(&fault_lock);
	for (unsigned i = 0; i < vtd_unit_count && !found; i++)
		found = unit_fault(&vtd_units[i], fault);
	spin_unlock(&fault_lock);
	return found;
}

static void fault_listen(bool on)
{
	for (unsigned i = 0; i < vtd_unit_count; i++)
		vtd_write32(&vtd_units[i], VTD_FECTL, on ? 0 : VTD_FECTL_IM);
}

const struct iommu_ops vtd_ops = {
	.attach = attach,
	.detach = detach,
	.irq_set = vtd_irq_set,
	.irq_clear = vtd_irq_clear,
	.irq_message = vtd_irq_message,
	.fault_next = fault_next,
	.fault_listen = fault_listen,
};
