/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that every kernel image has: identity map, ACPI tables, reset code, initramfs. */
#include <inttypes.h>
#include <string.h>

#include "vmimage.h"

#define PTE_PRESENT 1ull
#define PTE_WRITABLE 2ull
#define PTE_LARGE 0x80ull
#define TABLES 6u               /* PML4, PDPT, four page directories of 1 GiB each */

bool platform_add_page_tables(struct image *image)
{
	struct blob tables;

	if (!blob_alloc(&tables, TABLES * PAGE))
		return false;
	put64(tables.data, (LOW_TABLES_GPA + PAGE) | PTE_PRESENT | PTE_WRITABLE);
	for (unsigned i = 0; i < 4; i++)
		put64(tables.data + PAGE + 8 * i, (LOW_TABLES_GPA + (2 + i) * PAGE) | PTE_PRESENT | PTE_WRITABLE);
	for (unsigned i = 0; i < 4 * 512; i++)
		put64(tables.data + 2 * PAGE + 8 * i, (uint64_t)i << 21 | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE);
	bool good = image_add_segment(image, "tables", LOW_TABLES_GPA, tables.data, tables.size);
	blob_free(&tables);
	image->cr3 = LOW_TABLES_GPA;
	return good;
}

bool platform_add_acpi(struct image *image)
{
	struct blob tables;

	if (!acpi_build(image, &tables))
		return false;
	bool good = image_add_segment(image, "acpi", ACPI_GPA, tables.data, tables.size);
	blob_free(&tables);
	return good;
}

/* Linux reboots by a jump to the reset vector when it has no other way: the code there writes the reset port. */
bool platform_add_reset(struct image *image)
{
	static const uint8_t code[] = {
		0xba, (POWER_PORT + 2) & 0xff, (POWER_PORT + 2) >> 8,   /* mov $reset, %dx */
		0xb0, 0x01,                                             /* mov $1, %al */
		0xee,                                                   /* out %al, %dx */
		0xf4,                                                   /* hlt */
		0xeb, 0xfd,                                             /* jmp to the hlt */
	};
	uint8_t page[PAGE] = { 0 };

	memcpy(page + 0xff0, code, sizeof(code));
	return image_add_segment(image, "reset", RESET_GPA, page, sizeof(page));
}

bool platform_add_initrd(struct image *image, const struct blob *initrd, uint64_t floor, uint64_t *gpa)
{
	*gpa = 0;
	if (!initrd->size)
		return true;
	if (floor > image->memory || initrd->size > image->memory - floor)
		return refuse("%s: initramfs of %zu bytes does not fit between 0x%" PRIx64
			      " and the end of RAM at 0x%" PRIx64 "; give more --memory",
			      image->name, initrd->size, floor, image->memory);
	*gpa = (image->memory - initrd->size) & ~(PAGE - 1);
	if (*gpa < floor)
		return refuse("%s: initramfs of %zu bytes does not fit above 0x%" PRIx64 "; give more --memory",
			      image->name, initrd->size, floor);
	return image_add_segment(image, "initrd", *gpa, initrd->data, initrd->size);
}
