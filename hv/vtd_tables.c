/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VT-d structures that are made before the seal: domains and their second-level tables, context tables, interrupt
 * entries.  Nothing here is ever freed: a domain's tables outlive every attachment.
 */
#include "config.h"
#include "vtd.h"

#define TABLE_ENTRIES 512u

static unsigned domain_count;
static uint32_t irte_used;

static void *new_table(void)
{
	void *table = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);

	if (table)
		vtd_flush(table, PAGE_SIZE);
	return table;
}

/* What every unit can do, since any device of the VM may be behind any unit. */
static void common_features(unsigned *sagaw, unsigned *width, unsigned *domains, bool *large)
{
	*sagaw = ~0u, *width = 64, *domains = 1u << 16, *large = true;
	for (unsigned i = 0; i < vtd_unit_count; i++) {
		uint64_t cap = vtd_units[i].cap;
		unsigned ids = VTD_CAP_ND(cap) >= 6 ? 1u << 16 : 1u << (4 + 2 * VTD_CAP_ND(cap));

		*sagaw &= VTD_CAP_SAGAW(cap);
		if (VTD_CAP_MGAW(cap) < *width)
			*width = VTD_CAP_MGAW(cap);
		if (ids < *domains)
			*domains = ids;
		if (!(cap & VTD_CAP_SLLPS_2M))
			*large = false;
	}
}

enum hv_err vtd_domain_create(unsigned owner, uint64_t limit, struct iommu_domain **out)
{
	_Static_assert(sizeof(struct iommu_domain) <= PAGE_SIZE, "a domain fits in its page");
	unsigned sagaw, width, domains;
	struct iommu_domain *domain;
	bool large;

	common_features(&sagaw, &width, &domains, &large);
	if (width < 64 && limit > 1ull << width)
		return HV_UNSUPPORTED;
	if (!(sagaw & VTD_SAGAW_48) && (!(sagaw & VTD_SAGAW_39) || limit > 1ull << 39))
		return HV_UNSUPPORTED;
	if (domain_count + 1 >= domains)
		return HV_NO_MEMORY;
	domain = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
	if (!domain)
		return HV_NO_MEMORY;
	domain->owner = owner;
	domain->id = (uint16_t)++domain_count;
	domain->levels = (sagaw & VTD_SAGAW_39) && limit <= 1ull << 39 ? 3 : 4;
	domain->large = large;
	domain->limit = limit;
	domain->table = new_table();
	if (!domain->table)
		return HV_NO_MEMORY;
	*out = domain;
	return HV_OK;
}

/* The entry for `address` at level `target` (1: 4 KiB, 2: 2 MiB), with the tables on the way made. */
static enum hv_err walk(struct iommu_domain *domain, uint64_t address, unsigned target, uint64_t **out)
{
	uint64_t *table = domain->table;

	for (unsigned level = domain->levels; level > target; level--) {
		uint64_t *entry = &table[address >> (12 + 9 * (level - 1)) & (TABLE_ENTRIES - 1)];

		if (*entry == 0) {
			uint64_t *next = new_table();

			if (!next)
				return HV_NO_MEMORY;
			*entry = ptr_hpa(next).a | VTD_PTE_READ | VTD_PTE_WRITE;
			vtd_flush(entry, sizeof(*entry));
		} else if (*entry & VTD_PTE_LARGE) {
			return HV_CONFLICT;
		}
		table = hpa_ptr(hpa(*entry & VTD_PTE_ADDRESS));
	}
	*out = &table[address >> (12 + 9 * (target - 1)) & (TABLE_ENTRIES - 1)];
	return HV_OK;
}

enum hv_err vtd_domain_map(struct iommu_domain *domain, gpa_t at, hpa_t from, uint64_t length)
{
	enum hv_err err;

	if ((at.a | from.a | length) % PAGE_SIZE != 0 || at.a + length < at.a || at.a + length > domain->limit)
		return HV_BAD_INPUT;
	err = mem_check_owner(from, length, domain->owner);
	while (!err && length > 0) {
		bool large = domain->large && (at.a | from.a) % LARGE_PAGE_SIZE == 0 && length >= LARGE_PAGE_SIZE;
		uint64_t step = large ? LARGE_PAGE_SIZE : PAGE_SIZE;
		uint64_t *entry;

		err = walk(domain, at.a, large ? 2 : 1, &entry);
		if (!err && *entry != 0)
			err = HV_CONFLICT;
		if (err)
			break;
		*entry = from.a | VTD_PTE_READ | VTD_PTE_WRITE | (large ? VTD_PTE_LARGE : 0);
		vtd_flush(entry, sizeof(*entry));
		at.a += step, from.a += step, length -= step;
	}
	return err;
}

enum hv_err vtd_context_prepare(struct vtd_unit *unit, uint16_t source)
{
	unsigned bus = source >> 8;

	if (unit->contexts[bus])
		return HV_OK;
	unit->contexts[bus] = new_table();
	if (!unit->contexts[bus])
		return HV_NO_MEMORY;
	unit->root[bus].low = ptr_hpa(unit->contexts[bus]).a | VTD_ROOT_PRESENT;
	vtd_flush(&unit->root[bus], sizeof(unit->root[bus]));
	return vtd_invalidate(unit, (const uint64_t[]){ VTD_INV_CONTEXT_GLOBAL, VTD_INV_IOTLB_GLOBAL }, 2);
}

enum hv_err vtd_irq_allocate(uint16_t source, unsigned count, uint32_t *first)
{
	if (count == 0 || count > VTD_IRTE_COUNT - irte_used)
		return HV_NO_MEMORY;
	*first = irte_used;
	for (unsigned i = 0; i < count; i++)
		vtd_irtes[irte_used + i] = (struct vtd_entry){ 0, VTD_IRTE_SOURCE(source) };
	vtd_flush(&vtd_irtes[irte_used], count * sizeof(*vtd_irtes));
	irte_used += count;
	return HV_OK;
}
