/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

jmp_buf fake_refused;
char fake_reason[512];
uint64_t fake_pages_left;
struct tcg2_protocol fake_tcg2;
struct tcg2_capability fake_capability;
bool fake_has_tcg2;
struct efi_configuration_table fake_tables[4];
struct efi_system_table fake_system;
struct efi_boot_services fake_boot;
struct efi_runtime_services fake_runtime;
struct efi_graphics *fake_graphics;

struct efi_system_table *efi = &fake_system;
efi_handle efi_image;

#define ALLOCATIONS_MAX 256
static void *allocations[ALLOCATIONS_MAX];
static unsigned allocation_count;

void refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fake_reason, sizeof(fake_reason), format, args);
	va_end(args);
	longjmp(fake_refused, 1);
}

void say(const char *format, ...)
{
	(void)format;
}

void console_boot_services_ended(void)
{
}

static efi_status EFIAPI allocate_pages(uint32_t type, uint32_t memory_type, uint64_t pages, uint64_t *address)
{
	if (pages > fake_pages_left || memory_type != EFI_LOADER_DATA || type != EFI_ALLOCATE_ANY ||
	    allocation_count == ALLOCATIONS_MAX)
		return EFI_OUT_OF_RESOURCES;
	fake_pages_left -= pages;
	allocations[allocation_count] = aligned_alloc(PAGE, pages * PAGE);
	*address = (uint64_t)allocations[allocation_count++];
	return EFI_SUCCESS;
}

static efi_status EFIAPI free_pages(uint64_t address, uint64_t pages)
{
	(void)address;
	(void)pages;
	return EFI_SUCCESS;
}

static efi_status EFIAPI locate_protocol(const struct efi_guid *guid, void *registration, void **interface)
{
	const struct efi_guid tcg2 = TCG2_PROTOCOL_GUID, graphics = EFI_GRAPHICS_GUID;

	(void)registration;
	if (fake_has_tcg2 && !memcmp(guid, &tcg2, sizeof(tcg2)))
		*interface = &fake_tcg2;
	else if (fake_graphics && !memcmp(guid, &graphics, sizeof(graphics)))
		*interface = fake_graphics;
	else
		return EFI_NOT_FOUND;
	return EFI_SUCCESS;
}

static efi_status EFIAPI get_capability(struct tcg2_protocol *this, struct tcg2_capability *out)
{
	(void)this;
	*out = fake_capability;
	return EFI_SUCCESS;
}

void fake_reset(void)
{
	while (allocation_count)
		free(allocations[--allocation_count]);
	fake_pages_left = 1 << 14;
	fake_has_tcg2 = true;
	fake_graphics = NULL;
	memset(fake_tables, 0, sizeof(fake_tables));
	fake_boot = (struct efi_boot_services){ .allocate_pages = allocate_pages, .free_pages = free_pages,
						.locate_protocol = locate_protocol };
	fake_runtime = (struct efi_runtime_services){ 0 };
	fake_system = (struct efi_system_table){ .boot = &fake_boot, .runtime = &fake_runtime, .tables = fake_tables };
	fake_tcg2 = (struct tcg2_protocol){ .get_capability = get_capability };
	fake_capability = (struct tcg2_capability){ .size = sizeof(fake_capability), .tpm_present = 1,
						    .supported_logs = 2, .active_banks = 6, .max_response = 4096 };
}

int fake_setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}
