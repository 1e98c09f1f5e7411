/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that the hypervisor gets.  All of it is EfiLoaderData, which the loader uses for nothing else, so the
 * final memory map shows it as LZR_MEMORY_LOADER.
 */
#include <string.h>

#include "loader.h"

uint64_t round_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

void *alloc_pages(uint64_t bytes, uint64_t align)
{
	uint64_t pages = round_up(bytes, PAGE) / PAGE;
	uint64_t slack = align > PAGE ? align / PAGE - 1 : 0;
	uint64_t address = 0, aligned, head, tail;

	if (efi->boot->allocate_pages(EFI_ALLOCATE_ANY, EFI_LOADER_DATA, pages + slack, &address) != EFI_SUCCESS)
		refuse("no %llu KiB of free memory: add RAM, or list fewer or smaller files",
		       (unsigned long long)(pages * PAGE >> 10));
	aligned = round_up(address, align);
	head = (aligned - address) / PAGE;
	tail = slack - head;
	if (head)
		efi->boot->free_pages(address, head);
	if (tail)
		efi->boot->free_pages(aligned + pages * PAGE, tail);
	memset((void *)aligned, 0, pages * PAGE);
	return (void *)aligned;
}

uint64_t alloc_page_low(void)
{
	uint64_t address = 0x9ffff;

	if (efi->boot->allocate_pages(EFI_ALLOCATE_MAX_ADDRESS, EFI_LOADER_DATA, 1, &address) != EFI_SUCCESS ||
	    address == 0 || address > 0x9f000)
		refuse("no free page below 640 KiB for starting the other processors");
	return address;
}
