/* SPDX-License-Identifier: Apache-2.0 */
/* What the firmware says about the machine, checked where the hypervisor will depend on it. */
#include <string.h>

#include "loader.h"

#define TABLES_MAX 256u

struct rsdp {                   /* ACPI Specification 6.5, "Root System Description Pointer (RSDP) Structure" */
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct rsdp) == 36, "RSDP layout");

const void *platform_table(const struct efi_guid *guid)
{
	uint64_t count = efi->table_count < TABLES_MAX ? efi->table_count : TABLES_MAX;

	for (uint64_t i = 0; efi->tables && i < count; i++) {
		if (!memcmp(&efi->tables[i].guid, guid, sizeof(*guid)))
			return efi->tables[i].table;
	}
	return NULL;
}

static uint8_t sum(const void *data, size_t length)
{
	const uint8_t *p = data;
	uint8_t total = 0;

	for (size_t i = 0; i < length; i++)
		total = (uint8_t)(total + p[i]);
	return total;
}

uint64_t platform_rsdp(void)
{
	const struct efi_guid guid = EFI_ACPI20_TABLE_GUID;
	const void *table = platform_table(&guid);
	struct rsdp rsdp;

	if (!table && loader_lab)
		return 0;
	if (!table)
		refuse("the firmware gives no ACPI 2.0 tables; without them devices cannot be kept from memory");
	memcpy(&rsdp, table, sizeof(rsdp));
	if (memcmp(rsdp.signature, "RSD PTR ", 8) || rsdp.revision < 2 || rsdp.length != sizeof(rsdp) || !rsdp.xsdt ||
	    sum(&rsdp, 20) || sum(&rsdp, sizeof(rsdp)))
		refuse("the firmware's ACPI root pointer is damaged (revision %u, length %u)", rsdp.revision,
		       rsdp.length);
	return (uint64_t)table;
}

bool platform_secure_boot(void)
{
	const struct efi_guid guid = EFI_GLOBAL_VARIABLE_GUID;
	uint8_t value = 0;
	uint64_t size = sizeof(value);
	uint32_t attributes;

	return efi->runtime->get_variable(u"SecureBoot", &guid, &attributes, &size, &value) == EFI_SUCCESS &&
	       size == 1 && value == 1;
}

/* Days since 1970-01-01 in the Gregorian calendar; months count from March so that the leap day comes last. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
	year -= month < 3;
	month = month < 3 ? month + 9 : month - 3;
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719468;
}

uint64_t platform_wall_clock(void)
{
	struct efi_time t;
	int64_t seconds;

	if (efi->runtime->get_time(&t, NULL) != EFI_SUCCESS || t.year < 1970 || t.year > 9999 || t.month < 1 ||
	    t.month > 12 || t.day < 1 || t.day > 31 || t.hour > 23 || t.minute > 59 || t.second > 59)
		return 0;
	seconds = ((days(t.year, t.month, t.day) * 24 + t.hour) * 60 + t.minute) * 60 + t.second;
	if (t.time_zone != EFI_UNSPECIFIED_TIMEZONE && t.time_zone >= -1440 && t.time_zone <= 1440)
		seconds += (int64_t)t.time_zone * 60;   /* Localtime = UTC - TimeZone, "GetTime()" */
	return seconds > 0 ? (uint64_t)seconds : 0;
}

void platform_framebuffer(struct lzr_boot_info *info)
{
	const struct efi_guid guid = EFI_GRAPHICS_GUID;
	const struct efi_graphics_info *mode;
	struct efi_graphics *graphics = NULL;

	if (efi->boot->locate_protocol(&guid, NULL, (void **)&graphics) != EFI_SUCCESS || !graphics ||
	    !graphics->mode ||
	    !graphics->mode->info)
		return;
	mode = graphics->mode->info;
	if ((mode->format != EFI_PIXEL_RGB && mode->format != EFI_PIXEL_BGR) || mode->pixels_per_line < mode->width ||
	    (uint64_t)mode->pixels_per_line * mode->height > graphics->mode->framebuffer_size / 4)
		return;
	info->framebuffer = graphics->mode->framebuffer;
	info->fb_width = mode->width;
	info->fb_height = mode->height;
	info->fb_stride = mode->pixels_per_line;
	info->fb_format = mode->format;
}
