/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns which page.  RAM: one byte per page below the end of RAM, made from the hand-off's memory map.  Device
 * registers: a short table of claims.  Both are written before the seal only and read-only after it, so that
 * mem_check_owner() needs no lock.
 */
#include <string.h>

#include "handoff.h"
#include "layout.h"
#include "plat.h"

#define CLAIM_MAX 128u

struct claim {
	uint64_t base, length;
	unsigned owner;
};

static HV_SEALED uint8_t *owners;               /* [page_count] */
static HV_SEALED uint64_t page_count;
static HV_SEALED struct claim claims[CLAIM_MAX];
static HV_SEALED unsigned claim_count;
static HV_BOOT_DATA uint64_t first_free = 256;  /* pages; nothing below 1 MiB is given out */

static bool kind_is_ram(uint32_t kind)
{
	return kind == LZR_MEMORY_USABLE || kind == LZR_MEMORY_LOADER || kind == LZR_MEMORY_ACPI;
}

/* Room for the array itself: the first usable entry above 1 MiB that is large enough. */
static HV_BOOT uint64_t place_array(const struct handoff *handoff, uint64_t bytes)
{
	for (uint32_t i = 0; i < handoff->info.memory_count; i++) {
		const struct lzr_boot_memory *m = &handoff->memory[i];

		if (m->kind == LZR_MEMORY_USABLE && m->base >= 256 * PAGE_SIZE && m->length >= bytes)
			return m->base;
	}
	refuse("no usable memory for %lu bytes of page owners", bytes);
}

HV_BOOT void mem_init(const struct handoff *handoff)
{
	static const uint8_t owner_of[] = {
		[LZR_MEMORY_USABLE] = OWNER_FREE, [LZR_MEMORY_LOADER] = OWNER_HV, [LZR_MEMORY_ACPI] = OWNER_FIRMWARE,
		[LZR_MEMORY_RESERVED] = OWNER_FIRMWARE, [LZR_MEMORY_MMIO] = OWNER_MMIO,
	};
	uint64_t end = 0;

	for (uint32_t i = 0; i < handoff->info.memory_count; i++)
		if (kind_is_ram(handoff->memory[i].kind))
			end = handoff->memory[i].base + handoff->memory[i].length;
	page_count = end / PAGE_SIZE;
	uint64_t bytes = (page_count + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	uint64_t at = place_array(handoff, bytes);

	owners = hpa_ptr(hpa(at));
	memset(owners, OWNER_NONE, page_count);
	for (uint32_t i = 0; i < handoff->info.memory_count; i++) {
		const struct lzr_boot_memory *m = &handoff->memory[i];
		uint64_t first = m->base / PAGE_SIZE, count = m->length / PAGE_SIZE;

		if (first < page_count)
			memset(owners + first, owner_of[m->kind],
			       count < page_count - first ? count : page_count - first);
		if (first < page_count || (m->kind != LZR_MEMORY_RESERVED && m->kind != LZR_MEMORY_MMIO))
			continue;
		if (claim_count == CLAIM_MAX)
			refuse("more than %u ranges behind RAM are the firmware's", CLAIM_MAX);
		claims[claim_count++] = (struct claim){ m->base, m->length, owner_of[m->kind] };
	}
	memset(owners + at / PAGE_SIZE, OWNER_HV, bytes / PAGE_SIZE);
}

HV_BOOT void mem_owner_array(hpa_t *base, uint64_t *length)
{
	*base = ptr_hpa(owners);
	*length = (page_count + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/* First run of `count` free pages at a multiple of `step` pages; page_count when there is none. */
static HV_BOOT uint64_t find_free(uint64_t count, uint64_t step)
{
	uint64_t at = (first_free + step - 1) & ~(step - 1);

	while (at < page_count && count <= page_count - at) {
		uint64_t i = 0;

		while (i < count && owners[at + i] == OWNER_FREE)
			i++;
		if (i == count)
			return at;
		at = (at + i + step) & ~(step - 1);
	}
	return page_count;
}

HV_BOOT enum hv_err mem_reserve(uint64_t length, uint64_t align, unsigned owner, hpa_t *out)
{
	CHECK(align >= PAGE_SIZE && !(align & (align - 1)) && owner <= UINT8_MAX);
	if (!length || length > DIRECT_LIMIT)
		return HV_NO_MEMORY;
	uint64_t count = (length + PAGE_SIZE - 1) / PAGE_SIZE;
	uint64_t at = find_free(count, align / PAGE_SIZE);

	if (at == page_count)
		return HV_NO_MEMORY;
	memset(owners + at, (int)owner, count);
	while (first_free < page_count && owners[first_free] != OWNER_FREE)
		first_free++;
	*out = hpa(at * PAGE_SIZE);
	return HV_OK;
}

HV_BOOT enum hv_err mem_alloc(uint64_t length, uint64_t align, unsigned owner, hpa_t *out)
{
	enum hv_err err = mem_reserve(length, align, owner, out);

	if (err == HV_OK)
		memset(hpa_ptr(*out), 0, (length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
	return err;
}

HV_BOOT void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	hpa_t at;

	return mem_alloc(length, align, OWNER_HV, &at) == HV_OK ? hpa_ptr(at) : NULL;
}

HV_BOOT uint64_t mem_free_bytes(void)
{
	uint64_t pages = 0;

	for (uint64_t i = first_free; i < page_count; i++)
		pages += owners[i] == OWNER_FREE;
	return pages * PAGE_SIZE;
}

static HV_BOOT bool range_is_valid(uint64_t base, uint64_t length)
{
	return length && base % PAGE_SIZE == 0 && length % PAGE_SIZE == 0 && base < DIRECT_LIMIT &&
		length <= DIRECT_LIMIT - base;
}

/* Whether `owner` may take pages that are `have`'s; `told`: by the firmware's tables, not by a device's register. */
static HV_BOOT bool may_take(unsigned have, unsigned owner, bool told)
{
	return have == OWNER_NONE || (told && (have == OWNER_MMIO || (have == OWNER_FIRMWARE && owner == OWNER_HV)));
}

static HV_BOOT enum hv_err claim(hpa_t base, uint64_t length, unsigned owner, bool told)
{
	if (!range_is_valid(base.a, length))
		return HV_BAD_INPUT;
	for (uint64_t page = base.a / PAGE_SIZE; page < (base.a + length) / PAGE_SIZE && page < page_count; page++)
		if (!may_take(owners[page], owner, told))
			return HV_CONFLICT;
	for (unsigned i = 0; i < claim_count; i++)
		if (!may_take(claims[i].owner, owner, told) &&
		    base.a < claims[i].base + claims[i].length && claims[i].base < base.a + length)
			return HV_CONFLICT;
	if (claim_count == CLAIM_MAX)
		return HV_NO_MEMORY;
	claims[claim_count++] = (struct claim){ base.a, length, owner };
	return HV_OK;
}

HV_BOOT enum hv_err mem_claim_mmio(hpa_t base, uint64_t length, unsigned owner)
{
	return claim(base, length, owner, true);
}

HV_BOOT enum hv_err mem_claim_bar(hpa_t base, uint64_t length, unsigned owner)
{
	return claim(base, length, owner, false);
}

/* What the firmware reserves may be registers: PCI Express configuration space always is there. */
HV_BOOT bool mem_is_ram(uint64_t base, uint64_t length)
{
	for (uint64_t page = base / PAGE_SIZE; page < page_count && page * PAGE_SIZE < base + length; page++)
		if (owners[page] != OWNER_NONE && owners[page] != OWNER_MMIO && owners[page] != OWNER_FIRMWARE)
			return true;
	return false;
}

static HV_BOOT bool claim_holds(uint64_t page_base, unsigned owner)
{
	for (unsigned i = 0; i < claim_count; i++)
		if (claims[i].owner == owner && page_base >= claims[i].base &&
		    page_base - claims[i].base < claims[i].length)
			return true;
	return false;
}

HV_BOOT enum hv_err mem_check_owner(hpa_t base, uint64_t length, unsigned owner)
{
	if (!range_is_valid(base.a, length) || owner == OWNER_NONE || owner == OWNER_FREE)
		return HV_NOT_OWNED;
	for (uint64_t at = base.a; at < base.a + length; at += PAGE_SIZE) {
		uint64_t page = at / PAGE_SIZE;
		bool registers = page >= page_count || owners[page] == OWNER_NONE || owners[page] == OWNER_MMIO;

		if (registers ? !claim_holds(at, owner) : owners[page] != owner)
			return HV_NOT_OWNED;
	}
	return HV_OK;
}
