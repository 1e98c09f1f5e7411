/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way through: find the files, measure them, build the hand-off, leave the firmware, jump.  docs/boot.md tells
 * what is measured where.
 */
#include <string.h>

#include "loader.h"

#define PCR_HYPERVISOR 8u
#define PCR_POLICY 9u
#define PCR_MANIFESTS 11u
#define LIST_FILE_MAX (sizeof(struct lzr_boot_list_header) + LZR_BOOT_LIST_MAX * sizeof(struct lzr_boot_list_entry))
#define MEMORY_RANGES_MAX 1024u
#define STACK_SIZE (64u << 10)
#define MAPPED_LEAST (512ull << 30)
#define MAPPED_MOST (4ull << 40)

static char hypervisor_name[LZR_NAME_MAX] = LZR_HYPERVISOR_NAME;
static char list_name[LZR_NAME_MAX] = LZR_BOOT_LIST_NAME;
static char segment_list_name[LZR_NAME_MAX] = LZR_SEGMENT_LIST_NAME;

struct boot {
	uint32_t file_count;                            /* the boot list included */
	struct file files[LZR_BOOT_LIST_MAX + 1];       /* the boot list first */
	struct file hypervisor;
	struct elf_image elf;
	struct exit_map map;
	struct lzr_boot_info *info;
	uint64_t root, stack_top;
};

static uint32_t pcr_of(uint32_t kind)
{
	switch (kind) {
	case LZR_FILE_SIGNER_KEY:
	case LZR_FILE_POLICY:
		return PCR_POLICY;
	case LZR_FILE_MANIFEST:
		return PCR_MANIFESTS;
	default:
		return 0;
	}
}

/* Reads the list's files, each measured before the next is touched. */
static void load_listed(struct boot *boot, const struct boot_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		struct file *file = &boot->files[boot->file_count++];

		file->kind = list->entries[i].kind;
		files_read(list->entries[i].name, bootlist_length_max(file->kind), file);
		if (pcr_of(file->kind))
			measure_file(pcr_of(file->kind), file);
		if (file->kind == LZR_FILE_SIGNER_KEY)          /* measured before the list, which names it first */
			measure_file(PCR_POLICY, &boot->files[0]);
		say("%s: %llu bytes%s", file->name, (unsigned long long)file->length,
		    !pcr_of(file->kind) ? "" : measure_tcg2() ? ", measured" : ", NOT measured");
	}
}

/* The segment list is opened only when all that is measured is measured. */
static void load_files(struct boot *boot)
{
	struct boot_list measured, segments;
	struct file segment_list = { 0 };

	files_open();
	files_read(list_name, LIST_FILE_MAX, &boot->files[0]);
	boot->files[0].kind = LZR_FILE_BOOT_LIST;
	boot->file_count = 1;
	bootlist_check(boot->files[0].data, boot->files[0].length, &measured);
	load_listed(boot, &measured);
	files_read(segment_list_name, LIST_FILE_MAX, &segment_list);
	bootlist_check_segments(segment_list.data, segment_list.length, &measured, &segments);
	load_listed(boot, &segments);
}

static void load_hypervisor(struct boot *boot)
{
	boot->hypervisor = (struct file){ LZR_FILE_HYPERVISOR, hypervisor_name, (void *)hv_elf,
					  (uint64_t)(hv_elf_end - hv_elf) };
	measure_file(PCR_HYPERVISOR, &boot->hypervisor);
	elf_check(hv_elf, boot->hypervisor.length, &boot->elf);
}

static struct lzr_boot_info *alloc_info(void)
{
	uint64_t size = sizeof(struct lzr_boot_info) + MEMORY_RANGES_MAX * sizeof(struct lzr_boot_memory) +
			(LZR_BOOT_LIST_MAX + 1) * sizeof(struct lzr_boot_file);

	return alloc_pages(size, PAGE);
}

static void fill_files(struct lzr_boot_info *info, const struct boot *boot)
{
	struct lzr_boot_file *out = (void *)((uint8_t *)info + info->file_offset);

	info->file_count = boot->file_count;
	for (uint32_t i = 0; i < boot->file_count; i++) {
		out[i].kind = boot->files[i].kind;
		out[i].address = (uint64_t)boot->files[i].data;
		out[i].length = boot->files[i].length;
		memcpy(out[i].name, boot->files[i].name, LZR_NAME_MAX);
	}
}

static void fill_tpm(struct lzr_boot_info *info)
{
	struct rollback_nv nv;

	info->entropy_length = tpm_random(info->entropy, sizeof(info->entropy));
	if (info->entropy_length == 0)
		refuse("the TPM gives no random bytes");
	if (tpm_read_rollback(&nv)) {
		info->policy_floor = nv.floor;
		memcpy(info->accepted_signer, nv.signer, LZR_DIGEST_SIZE);
		memcpy(info->next_signer, nv.next_signer, LZR_DIGEST_SIZE);
		info->flags |= LZR_BOOT_ROLLBACK;
	}
	measure_caps();
	tcglog_copy(measure_tcg2());
	info->flags |= LZR_BOOT_MEASURED;
}

static void build_info(struct boot *boot, uint64_t entered)
{
	struct lzr_boot_info *info = alloc_info();

	boot->info = info;
	info->magic = LZR_BOOT_MAGIC;
	info->version = LZR_BOOT_VERSION;
	info->file_offset = sizeof(*info);
	fill_files(info, boot);
	info->memory_offset = info->file_offset + info->file_count * (uint32_t)sizeof(struct lzr_boot_file);
	info->loader_tsc = entered;
	info->flags = (loader_lab ? LZR_BOOT_LAB : 0) | (platform_secure_boot() ? LZR_BOOT_SECURE_BOOT : 0);
	info->rsdp = platform_rsdp();
	info->wall_clock = platform_wall_clock();
	platform_framebuffer(info);
	info->ap_page = alloc_page_low();
	info->image_length = round_up(boot->elf.span, LARGE_PAGE);
	info->image_base = (uint64_t)alloc_pages(info->image_length, LARGE_PAGE);
	elf_load(hv_elf, (uint8_t *)info->image_base);
}

static void fill_memory(struct boot *boot)
{
	struct lzr_boot_memory *out = (void *)((uint8_t *)boot->info + boot->info->memory_offset);
	const char *error;

	boot->info->memory_count = memmap_convert(boot->map.buffer, boot->map.size, boot->map.descriptor_size, out,
						  MEMORY_RANGES_MAX, &error);
	if (error)
		refuse("the firmware's memory map has %s", error);
	boot->info->size = boot->info->memory_offset +
			   boot->info->memory_count * (uint32_t)sizeof(struct lzr_boot_memory);
}

/* First address behind all RAM, at least 512 GiB. */
static uint64_t memory_top(const struct lzr_boot_info *info)
{
	const struct lzr_boot_memory *map = (const void *)((const uint8_t *)info + info->memory_offset);
	uint64_t top = MAPPED_LEAST;

	for (uint32_t i = 0; i < info->memory_count; i++) {
		if (map[i].kind <= LZR_MEMORY_ACPI && map[i].base + map[i].length > top)
			top = map[i].base + map[i].length;
	}
	if (top > MAPPED_MOST)
		refuse("memory up to %llx; this version maps 4 TiB", (unsigned long long)top);
	return top;
}

static void build_tables(struct boot *boot)
{
	bool huge = cpu_has_huge_pages();
	uint64_t key, top;

	exit_map_alloc(&boot->map);
	exit_map_read(&boot->map, &key);
	fill_memory(boot);
	top = memory_top(boot->info);
	boot->stack_top = (uint64_t)alloc_pages(STACK_SIZE, PAGE) + STACK_SIZE;
	boot->root = paging_build(alloc_pages(paging_bytes(top, huge), PAGE), top, huge, boot->info->image_base,
				  boot->info->image_length);
}

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *system);

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *system)
{
	static struct boot boot;
	uint64_t entered = cpu_rdtsc();

	efi = system;
	efi_image = image;
	console_init();
	say("Lazaret%s", loader_lab ? ", LAB BUILD: what it starts is not trustworthy" : "");
	if (cpu_has_5_level_paging())
		refuse("the firmware runs with 5-level paging: switch it off in the firmware's setup");
	if (!measure_init())
		say("no TPM: this boot is NOT measured");
	load_hypervisor(&boot);
	load_files(&boot);
	build_info(&boot, entered);
	build_tables(&boot);
	if (measure_tcg2())
		fill_tpm(boot.info);
	say("leaving the firmware");
	exit_boot_services(&boot.map);
	fill_memory(&boot);
	tcglog_finish();
	boot.info->log_address = tcglog_address();
	boot.info->log_length = tcglog_length();
	jump(boot.root, boot.stack_top, (uint64_t)boot.info, boot.elf.entry);
}
