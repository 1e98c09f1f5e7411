/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of UEFI that the loader uses, in its own words.  Names follow the UEFI Specification 2.10, sections "EFI
 * System Table", "EFI Boot Services Table", "EFI Runtime Services Table", "Simple File System Protocol", "Graphics
 * Output Protocol".  Members that the loader never touches are gaps.
 */
#ifndef LOADER_EFI_H
#define LOADER_EFI_H

#include <stddef.h>
#include <stdint.h>

#define EFIAPI __attribute__((ms_abi))

typedef uint64_t efi_status;
typedef void *efi_handle;
typedef uint16_t efi_char;      /* UCS-2 */

#define EFI_SUCCESS 0ull
#define EFI_ERROR_BIT (1ull << 63)
#define EFI_INVALID_PARAMETER (EFI_ERROR_BIT | 2)
#define EFI_BUFFER_TOO_SMALL (EFI_ERROR_BIT | 5)
#define EFI_DEVICE_ERROR (EFI_ERROR_BIT | 7)
#define EFI_OUT_OF_RESOURCES (EFI_ERROR_BIT | 9)
#define EFI_NOT_FOUND (EFI_ERROR_BIT | 14)

struct efi_guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

#define EFI_LOADED_IMAGE_GUID { 0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
#define EFI_FILE_SYSTEM_GUID { 0x964e5b22, 0x6459, 0x11d2, { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
#define EFI_FILE_INFO_GUID { 0x09576e92, 0x6d3f, 0x11d2, { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
#define EFI_TEXT_OUTPUT_GUID { 0x387477c2, 0x69c7, 0x11d2, { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
#define EFI_GRAPHICS_GUID { 0x9042a9de, 0x23dc, 0x4a38, { 0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a } }
#define EFI_ACPI20_TABLE_GUID { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } }
#define EFI_GLOBAL_VARIABLE_GUID { 0x8be4df61, 0x93ca, 0x11d2, { 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c } }

enum efi_allocate_type { EFI_ALLOCATE_ANY = 0, EFI_ALLOCATE_MAX_ADDRESS = 1, EFI_ALLOCATE_ADDRESS = 2 };

enum efi_memory_type {
	EFI_RESERVED_MEMORY = 0,
	EFI_LOADER_CODE = 1,
	EFI_LOADER_DATA = 2,
	EFI_BOOT_SERVICES_CODE = 3,
	EFI_BOOT_SERVICES_DATA = 4,
	EFI_RUNTIME_SERVICES_CODE = 5,
	EFI_RUNTIME_SERVICES_DATA = 6,
	EFI_CONVENTIONAL_MEMORY = 7,
	EFI_UNUSABLE_MEMORY = 8,
	EFI_ACPI_RECLAIM_MEMORY = 9,
	EFI_ACPI_NVS_MEMORY = 10,
	EFI_MMIO = 11,
	EFI_MMIO_PORT_SPACE = 12,
};

#define EFI_MEMORY_WB 8ull

struct efi_memory_descriptor {
	uint32_t type;
	uint32_t pad;
	uint64_t physical_start;
	uint64_t virtual_start;
	uint64_t pages;
	uint64_t attribute;
};
_Static_assert(sizeof(struct efi_memory_descriptor) == 40, "memory descriptor");

struct efi_table_header {
	uint64_t signature;
	uint32_t revision, size, crc32, reserved;
};

struct efi_time {
	uint16_t year;
	uint8_t month, day, hour, minute, second, pad1;
	uint32_t nanosecond;
	int16_t time_zone;
	uint8_t daylight, pad2;
};
_Static_assert(sizeof(struct efi_time) == 16, "time");
#define EFI_UNSPECIFIED_TIMEZONE 0x7ff

enum efi_reset_type { EFI_RESET_COLD = 0 };

struct efi_text_output {
	void *reset;
	efi_status (EFIAPI *output_string)(struct efi_text_output *, const efi_char *);
};

struct efi_boot_services {
	struct efi_table_header header;
	void *gap1[2];
	efi_status (EFIAPI *allocate_pages)(uint32_t type, uint32_t memory_type, uint64_t pages, uint64_t *address);
	efi_status (EFIAPI *free_pages)(uint64_t address, uint64_t pages);
	efi_status (EFIAPI *get_memory_map)(uint64_t *size, void *map, uint64_t *key, uint64_t *descriptor_size,
					    uint32_t *descriptor_version);
	efi_status (EFIAPI *allocate_pool)(uint32_t memory_type, uint64_t size, void **buffer);
	efi_status (EFIAPI *free_pool)(void *buffer);
	void *gap2[9];
	efi_status (EFIAPI *handle_protocol)(efi_handle, const struct efi_guid *, void **interface);
	void *gap3[9];
	efi_status (EFIAPI *exit_boot_services)(efi_handle, uint64_t key);
	void *gap4;
	efi_status (EFIAPI *stall)(uint64_t microseconds);
	void *gap5[7];
	efi_status (EFIAPI *locate_handle_buffer)(uint32_t search, const struct efi_guid *, void *search_key,
						  uint64_t *count, efi_handle **handles);
	efi_status (EFIAPI *locate_protocol)(const struct efi_guid *, void *registration, void **interface);
};
_Static_assert(offsetof(struct efi_boot_services, allocate_pages) == 0x28, "boot services");
_Static_assert(offsetof(struct efi_boot_services, handle_protocol) == 0x98, "boot services");
_Static_assert(offsetof(struct efi_boot_services, exit_boot_services) == 0xe8, "boot services");
_Static_assert(offsetof(struct efi_boot_services, stall) == 0xf8, "boot services");
_Static_assert(offsetof(struct efi_boot_services, locate_protocol) == 0x140, "boot services");
#define EFI_SEARCH_BY_PROTOCOL 2u

struct efi_runtime_services {
	struct efi_table_header header;
	efi_status (EFIAPI *get_time)(struct efi_time *, void *capabilities);
	void *gap1[5];
	efi_status (EFIAPI *get_variable)(const efi_char *name, const struct efi_guid *, uint32_t *attributes,
					  uint64_t *size, void *data);
	void *gap2[3];
	void (EFIAPI *reset_system)(uint32_t type, efi_status, uint64_t size, void *data);
};
_Static_assert(offsetof(struct efi_runtime_services, get_variable) == 0x48, "runtime services");
_Static_assert(offsetof(struct efi_runtime_services, reset_system) == 0x68, "runtime services");

struct efi_configuration_table {
	struct efi_guid guid;
	void *table;
};

struct efi_system_table {
	struct efi_table_header header;
	efi_char *vendor;
	uint32_t revision, pad;
	efi_handle console_in_handle;
	void *console_in;
	efi_handle console_out_handle;
	struct efi_text_output *console_out;
	efi_handle standard_error_handle;
	void *standard_error;
	struct efi_runtime_services *runtime;
	struct efi_boot_services *boot;
	uint64_t table_count;
	struct efi_configuration_table *tables;
};
_Static_assert(offsetof(struct efi_system_table, boot) == 0x60, "system table");
_Static_assert(offsetof(struct efi_system_table, tables) == 0x70, "system table");

struct efi_loaded_image {
	uint32_t revision, pad;
	efi_handle parent;
	struct efi_system_table *system;
	efi_handle device;
};

#define EFI_FILE_MODE_READ 1ull
#define EFI_FILE_DIRECTORY 0x10ull

struct efi_file {
	uint64_t revision;
	efi_status (EFIAPI *open)(struct efi_file *, struct efi_file **out, const efi_char *name, uint64_t mode,
				  uint64_t attributes);
	efi_status (EFIAPI *close)(struct efi_file *);
	void *remove;
	efi_status (EFIAPI *read)(struct efi_file *, uint64_t *size, void *buffer);
	void *gap[3];
	efi_status (EFIAPI *get_info)(struct efi_file *, const struct efi_guid *, uint64_t *size, void *buffer);
};
_Static_assert(offsetof(struct efi_file, get_info) == 0x40, "file");

struct efi_file_system {
	uint64_t revision;
	efi_status (EFIAPI *open_volume)(struct efi_file_system *, struct efi_file **root);
};

struct efi_file_info {
	uint64_t size, file_size, physical_size;
	struct efi_time create, access, modification;
	uint64_t attribute;
	efi_char name[];
};
_Static_assert(offsetof(struct efi_file_info, attribute) == 72, "file info");

struct efi_graphics_info {
	uint32_t version, width, height, format, masks[4], pixels_per_line;
};
#define EFI_PIXEL_RGB 0u
#define EFI_PIXEL_BGR 1u

struct efi_graphics_mode {
	uint32_t max_mode, mode;
	struct efi_graphics_info *info;
	uint64_t info_size, framebuffer, framebuffer_size;
};

struct efi_graphics {
	void *gap[3];
	struct efi_graphics_mode *mode;
};

#endif
