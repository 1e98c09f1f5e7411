/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux bzImage through the 64-bit boot protocol (Linux kernel documentation, "The Linux/x86 Boot Protocol", section
 * "64-bit Boot Protocol"), done here instead of in a boot loader: what the setup part would find out is written into
 * the zero page, and the protected-mode part becomes a segment at its preferred address.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmimage.h"

#define SETUP_SECTS 0x1f1
#define SYSSIZE 0x1f4                   /* of the protected-mode part, in 16-byte paragraphs */
#define BOOT_FLAG 0x1fe
#define HEADER_JUMP 0x201
#define HEADER_MAGIC 0x202
#define VERSION 0x206
#define   VERSION_12 0x020c             /* first with xloadflags and a 64-bit entry */
#define TYPE_OF_LOADER 0x210
#define LOADFLAGS 0x211
#define   LOADED_HIGH 1u
#define CODE32_START 0x214
#define RAMDISK_IMAGE 0x218
#define RAMDISK_SIZE 0x21c
#define CMD_LINE_PTR 0x228
#define XLOADFLAGS 0x236
#define   KERNEL_64 1u
#define CMDLINE_SIZE 0x238
#define PREF_ADDRESS 0x258
#define INIT_SIZE 0x260
#define HEADER_END_MIN 0x264

#define PARAMS_RSDP 0x70
#define PARAMS_E820_COUNT 0x1e8
#define PARAMS_E820 0x2d0
#define E820_RAM 1u
#define E820_ACPI 3u
#define ENTRY_64 0x200u

struct kernel {
	size_t header_end;              /* of the setup header, from the start of the file */
	const uint8_t *code;            /* protected-mode part */
	size_t code_size;
	uint64_t load;                  /* preferred address */
	uint64_t init_size;             /* RAM it needs from there until it has unpacked itself */
	uint32_t cmdline_size;
};

static bool kernel_parse(const struct image *image, const struct blob *file, struct kernel *out)
{
	const uint8_t *d = file->data;

	if (file->size < 1024 || get16(d + BOOT_FLAG) != 0xaa55 || memcmp(d + HEADER_MAGIC, "HdrS", 4))
		return refuse("%s: --kernel: expected a bzImage (boot flag 0xaa55 and \"HdrS\"), found %zu other bytes",
			    image->name, file->size);
	if (get16(d + VERSION) < VERSION_12)
		return refuse("%s: --kernel: expected boot protocol 2.12 or later, found %u.%02u", image->name,
			    d[VERSION + 1], d[VERSION]);
	out->header_end = HEADER_MAGIC + d[HEADER_JUMP];
	if (out->header_end < HEADER_END_MIN || out->header_end > PARAMS_E820)
		return refuse("%s: --kernel: expected the setup header to end between 0x264 and 0x2d0, found 0x%zx",
			    image->name, out->header_end);
	if (!(get16(d + XLOADFLAGS) & KERNEL_64) || !(d[LOADFLAGS] & LOADED_HIGH))
		return refuse("%s: --kernel: expected a bzImage with a 64-bit entry (XLF_KERNEL_64)", image->name);
	size_t setup = ((d[SETUP_SECTS] ? d[SETUP_SECTS] : 4) + 1u) * 512u;
	uint64_t size = (uint64_t)get32(d + SYSSIZE) * 16;
	if (setup >= file->size || size < ENTRY_64 + 16 || size > file->size - setup + 15)
		return refuse("%s: --kernel: truncated: expected %zu + %" PRIu64 " bytes, found %zu", image->name,
			      setup, size, file->size);
	out->code = d + setup;
	out->code_size = size > file->size - setup ? file->size - setup : (size_t)size;
	out->load = get64(d + PREF_ADDRESS);
	out->init_size = get32(d + INIT_SIZE);
	out->cmdline_size = get32(d + CMDLINE_SIZE);
	if (out->load < HIGH_RAM || out->load % PAGE || out->init_size < out->code_size)
		return refuse("%s: --kernel: impossible preferred address 0x%" PRIx64 " or init size %" PRIu64,
			      image->name, out->load, out->init_size);
	if (out->load > image->memory || out->init_size > image->memory - out->load)
		return refuse("%s: --kernel: needs RAM up to 0x%" PRIx64 ", found 0x%" PRIx64 "; give more --memory",
			    image->name, out->load + out->init_size, image->memory);
	return true;
}

static void e820(uint8_t *params, uint64_t base, uint64_t length, uint32_t type)
{
	uint8_t *entry = params + PARAMS_E820 + 20u * params[PARAMS_E820_COUNT]++;

	put64(entry, base);
	put64(entry + 8, length);
	put32(entry + 16, type);
}

static void zero_page(uint8_t *params, const struct blob *kernel, const struct kernel *k, uint64_t memory,
		      uint64_t initrd_gpa, size_t initrd_size)
{
	memcpy(params + SETUP_SECTS, kernel->data + SETUP_SECTS, k->header_end - SETUP_SECTS);
	params[TYPE_OF_LOADER] = 0xff;
	params[LOADFLAGS] = LOADED_HIGH;
	put32(params + CODE32_START, (uint32_t)k->load);
	put32(params + RAMDISK_IMAGE, (uint32_t)initrd_gpa);
	put32(params + RAMDISK_SIZE, (uint32_t)initrd_size);
	put32(params + CMD_LINE_PTR, (uint32_t)CMDLINE_GPA);
	put64(params + PARAMS_RSDP, ACPI_GPA);
	e820(params, 0, LOW_RAM_END, E820_RAM);
	e820(params, ACPI_GPA, ACPI_MAX, E820_ACPI);
	e820(params, HIGH_RAM, memory - HIGH_RAM, E820_RAM);
}

bool linux_build(struct image *image, const struct blob *kernel, const struct blob *initrd, const char *cmdline)
{
	uint8_t low[CMDLINE_GPA - BOOT_PARAMS_GPA + CMDLINE_MAX] = { 0 };
	size_t length = strlen(cmdline);
	struct kernel k;
	uint64_t initrd_gpa;

	if (!kernel_parse(image, kernel, &k))
		return false;
	if (length >= CMDLINE_MAX || length > k.cmdline_size)
		return refuse("%s: --cmdline: expected at most %u characters, found %zu", image->name, CMDLINE_MAX - 1,
			      length);
	if (!platform_add_page_tables(image) || !image_add_segment(image, "kernel", k.load, k.code, k.code_size) ||
	    !platform_add_initrd(image, initrd, k.load + k.init_size, &initrd_gpa))
		return false;
	zero_page(low, kernel, &k, image->memory, initrd_gpa, initrd->size);
	memcpy(low + (CMDLINE_GPA - BOOT_PARAMS_GPA), cmdline, length);
	if (!image_add_segment(image, "params", BOOT_PARAMS_GPA, low, CMDLINE_GPA - BOOT_PARAMS_GPA + length + 1) ||
	    !platform_add_acpi(image) || !platform_add_reset(image))
		return false;
	image->long64 = true;
	image->rip = k.load + ENTRY_64;
	image->rsi = BOOT_PARAMS_GPA;
	image->rsp = BOOT_PARAMS_GPA;
	image->uart = UART_PORT;
	image->power = POWER_PORT;
	return true;
}
