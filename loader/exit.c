/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaving boot services.  UEFI lets ExitBootServices fail when the map changed since it was read; then only memory
 * services may be called, so the buffer has slack and the map is read again.
 */
#include "loader.h"

#define ATTEMPTS 8u
#define SLACK_DESCRIPTORS 64u

static bool done;

bool exit_done(void)
{
	return done;
}

void exit_map_alloc(struct exit_map *map)
{
	uint64_t size = 0, key, descriptor_size = 0;
	uint32_t version;

	efi->boot->get_memory_map(&size, NULL, &key, &descriptor_size, &version);
	if (descriptor_size < sizeof(struct efi_memory_descriptor) || descriptor_size > PAGE || size > LARGE_PAGE)
		refuse("the firmware's memory map has %llu bytes in descriptors of %llu", (unsigned long long)size,
		       (unsigned long long)descriptor_size);
	map->capacity = round_up(size + SLACK_DESCRIPTORS * descriptor_size, PAGE);
	map->buffer = alloc_pages(map->capacity, PAGE);
}

void exit_map_read(struct exit_map *map, uint64_t *key)
{
	uint32_t version;
	efi_status status;

	map->size = map->capacity;
	status = efi->boot->get_memory_map(&map->size, map->buffer, key, &map->descriptor_size, &version);
	if (status != EFI_SUCCESS || map->size > map->capacity)
		refuse("the firmware does not give its memory map (status %llx)", (unsigned long long)status);
}

void exit_boot_services(struct exit_map *map)
{
	efi_status status = EFI_SUCCESS;
	uint64_t key;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		exit_map_read(map, &key);
		status = fault_exit_boot_services(efi_image, key);
		if (status == EFI_SUCCESS) {
			done = true;
			console_boot_services_ended();
			return;
		}
	}
	refuse("the firmware did not end boot services after %u attempts (status %llx)", ATTEMPTS,
	       (unsigned long long)status);
}
