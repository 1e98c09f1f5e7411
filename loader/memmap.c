/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's memory map as the hand-off tells it.  The firmware's word is checked: no wrap, no overlap. */
#include "loader.h"

#define ADDRESS_MAX (1ull << 52)

static uint32_t kind_of(const struct efi_memory_descriptor *d)
{
	switch (d->type) {
	case EFI_CONVENTIONAL_MEMORY:
	case EFI_BOOT_SERVICES_CODE:
	case EFI_BOOT_SERVICES_DATA:
	case EFI_LOADER_CODE:
		return d->attribute & EFI_MEMORY_WB ? LZR_MEMORY_USABLE : LZR_MEMORY_RESERVED;
	case EFI_LOADER_DATA:
		return LZR_MEMORY_LOADER;
	case EFI_ACPI_RECLAIM_MEMORY:
	case EFI_ACPI_NVS_MEMORY:
		return LZR_MEMORY_ACPI;
	case EFI_MMIO:
	case EFI_MMIO_PORT_SPACE:
		return LZR_MEMORY_MMIO;
	default:
		return LZR_MEMORY_RESERVED;
	}
}

static uint32_t merge(struct lzr_boot_memory *map, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct lzr_boot_memory *last = kept ? &map[kept - 1] : NULL;

		if (last && last->kind == map[i].kind && last->base + last->length == map[i].base)
			last->length += map[i].length;
		else
			map[kept++] = map[i];
	}
	return kept;
}

uint32_t memmap_convert(const uint8_t *map, uint64_t size, uint64_t descriptor_size, struct lzr_boot_memory *out,
			uint32_t capacity, const char **error)
{
	uint32_t count = 0;

	*error = NULL;
	if (descriptor_size < sizeof(struct efi_memory_descriptor) || descriptor_size % 8 || size % descriptor_size) {
		*error = "descriptors of a wrong size";
		return 0;
	}
	for (uint64_t at = 0; at < size; at += descriptor_size) {
		const struct efi_memory_descriptor *d = (const void *)(map + at);
		uint32_t i = count;

		if (d->pages == 0)
			continue;
		if (d->physical_start % PAGE || d->physical_start >= ADDRESS_MAX ||
		    d->pages > (ADDRESS_MAX - d->physical_start) / PAGE)
			*error = "a range that is not whole pages below 4 PiB";
		else if (count == capacity)
			*error = "more ranges than there is room for";
		if (*error)
			return 0;
		for (; i > 0 && out[i - 1].base > d->physical_start; i--)
			out[i] = out[i - 1];
		out[i] = (struct lzr_boot_memory){ .base = d->physical_start, .length = d->pages * PAGE,
						   .kind = kind_of(d) };
		count++;
	}
	for (uint32_t i = 1; i < count; i++) {
		if (out[i - 1].base + out[i - 1].length > out[i].base) {
			*error = "ranges that overlap";
			return 0;
		}
	}
	return merge(out, count);
}
