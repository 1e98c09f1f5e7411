/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD nested page tables.  The walker runs with the entries' user bit set, as the hardware requires.
 * AMD64 Architecture Programmer's Manual, volume 2, "Nested Paging", "Combining Memory Types, MTRRs".
 */
#include "npt.h"

#define NPT_PRESENT (1ull << 0)
#define NPT_WRITE (1ull << 1)
#define NPT_USER (1ull << 2)
#define NPT_WRITE_THROUGH (1ull << 3)
#define NPT_CACHE_DISABLE (1ull << 4)
#define NPT_LARGE (1ull << 7)
#define NPT_NO_EXECUTE (1ull << 63)
#define NPT_ADDRESS 0x000ffffffffff000ull

#define NPT_LEVELS 4u
#define NPT_LIMIT (1ull << 48)

uint64_t *npt_create(void)
{
	return mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
}

static uint64_t leaf_bits(unsigned flags)
{
	uint64_t bits = NPT_PRESENT | NPT_USER;

	if (flags & MAP_WRITE)
		bits |= NPT_WRITE;
	if (!(flags & MAP_EXECUTE))
		bits |= NPT_NO_EXECUTE;
	if (flags & MAP_UNCACHED)
		bits |= NPT_CACHE_DISABLE | NPT_WRITE_THROUGH;
	return bits;
}

/* The table below `entry`, made if there is none; NULL when memory is exhausted. */
static uint64_t *table_below(uint64_t *entry)
{
	uint64_t *table;

	if (*entry & NPT_PRESENT)
		return hpa_ptr(hpa(*entry & NPT_ADDRESS));
	table = mem_alloc_hv(PAGE_SIZE, PAGE_SIZE);
	if (table)
		*entry = ptr_hpa(table).a | NPT_PRESENT | NPT_WRITE | NPT_USER;
	return table;
}

static enum hv_err map_one(uint64_t *table, uint64_t at, uint64_t entry_bits, bool large)
{
	unsigned last = large ? 2 : 1;
	uint64_t *entry;

	for (unsigned level = NPT_LEVELS;; level--) {
		entry = &table[at >> (12 + 9 * (level - 1)) & 0x1ff];
		if (level == last)
			break;
		if (*entry & NPT_PRESENT && *entry & NPT_LARGE)
			return HV_CONFLICT;
		table = table_below(entry);
		if (!table)
			return HV_NO_MEMORY;
	}
	if (*entry & NPT_PRESENT)
		return HV_CONFLICT;
	*entry = entry_bits | (large ? NPT_LARGE : 0);
	return HV_OK;
}

enum hv_err npt_map(uint64_t *root, gpa_t at, hpa_t from, uint64_t length, unsigned flags)
{
	uint64_t bits = leaf_bits(flags);
	enum hv_err err;

	if ((at.a | from.a | length) % PAGE_SIZE || !length || !(flags & MAP_READ))
		return HV_BAD_INPUT;
	if (at.a >= NPT_LIMIT || length > NPT_LIMIT - at.a)
		return HV_BAD_INPUT;
	if (from.a > NPT_ADDRESS || length - PAGE_SIZE > NPT_ADDRESS - from.a)
		return HV_BAD_INPUT;
	for (uint64_t done = 0, step; done < length; done += step) {
		bool large = !((at.a + done) % LARGE_PAGE_SIZE) && !((from.a + done) % LARGE_PAGE_SIZE) &&
			     length - done >= LARGE_PAGE_SIZE;

		step = large ? LARGE_PAGE_SIZE : PAGE_SIZE;
		err = map_one(root, at.a + done, (from.a + done) | bits, large);
		if (err)
			return err;
	}
	return HV_OK;
}
