/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables that the hypervisor is entered with: physical memory one to one from 0, and the image at LZR_HV_BASE.
 * AMD64 Architecture Programmer's Manual, volume 2, "Long-Mode Page Translation".
 */
#include "loader.h"

#define PRESENT_WRITE 3ull
#define LARGE 0x80ull
#define ENTRIES 512u
#define TABLE_REACH (512ull << 30)      /* bytes that one PML4 entry maps */

static uint64_t tables_for(uint64_t top)
{
	return (top + TABLE_REACH - 1) / TABLE_REACH;
}

uint64_t paging_bytes(uint64_t top, bool huge)
{
	/* root, two for the image, then per 512 GiB one and, without 1 GiB pages, 512 more */
	return (3 + tables_for(top) * (huge ? 1 : 1 + ENTRIES)) * PAGE;
}

uint64_t paging_build(uint64_t *pool, uint64_t top, bool huge, uint64_t image_base, uint64_t image_length)
{
	uint64_t *root = pool, *image_pointers = pool + ENTRIES, *image_directory = pool + 2 * ENTRIES;
	uint64_t *next = pool + 3 * ENTRIES;

	for (uint64_t i = 0; i < tables_for(top); i++) {
		uint64_t *pointers = next;

		next += ENTRIES;
		root[i] = (uint64_t)pointers | PRESENT_WRITE;
		for (uint64_t j = 0; j < ENTRIES; j++) {
			uint64_t base = i * TABLE_REACH + j * HUGE_PAGE;

			if (huge) {
				pointers[j] = base | PRESENT_WRITE | LARGE;
				continue;
			}
			pointers[j] = (uint64_t)next | PRESENT_WRITE;
			for (uint64_t k = 0; k < ENTRIES; k++)
				*next++ = (base + k * LARGE_PAGE) | PRESENT_WRITE | LARGE;
		}
	}
	root[LZR_HV_BASE >> 39 & 511] = (uint64_t)image_pointers | PRESENT_WRITE;
	image_pointers[LZR_HV_BASE >> 30 & 511] = (uint64_t)image_directory | PRESENT_WRITE;
	for (uint64_t i = 0; i < image_length / LARGE_PAGE; i++)
		image_directory[i] = (image_base + i * LARGE_PAGE) | PRESENT_WRITE | LARGE;
	return (uint64_t)root;
}
