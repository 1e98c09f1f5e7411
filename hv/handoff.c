/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and checks the hand-off.  The loader is measured and trusted; the checks find its mistakes, and firmware's. */
#include <string.h>

#include "handoff.h"
#include "layout.h"

_Static_assert(offsetof(struct lzr_boot_info, image_base) == BOOT_IMAGE_BASE, "entry.S reads image_base there");

bool name_is_valid(const char name[LZR_NAME_MAX])
{
	size_t length = 0;

	for (; length < LZR_NAME_MAX && name[length]; length++) {
		char c = name[length];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	if (length == 0 || length == LZR_NAME_MAX)
		return false;
	while (length < LZR_NAME_MAX)
		if (name[length++])
			return false;
	return true;
}

bool handoff_covers(const struct handoff *handoff, uint64_t base, uint64_t length, uint32_t kind)
{
	if (length > DIRECT_LIMIT || base > DIRECT_LIMIT)
		return false;
	uint64_t at = base;

	for (uint32_t i = 0; i < handoff->info.memory_count && at < base + length; i++) {
		const struct lzr_boot_memory *m = &handoff->memory[i];

		if (m->kind == kind && at >= m->base && at < m->base + m->length)
			at = m->base + m->length;
	}
	return at >= base + length;
}

static const char *check_memory(const struct handoff *handoff)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < handoff->info.memory_count; i++) {
		const struct lzr_boot_memory *m = &handoff->memory[i];

		if (m->base % PAGE_SIZE || m->length % PAGE_SIZE || !m->length)
			return "a memory entry is not whole pages";
		if (m->base < end || m->length > DIRECT_LIMIT || m->base > DIRECT_LIMIT - m->length)
			return "memory entries overlap, are not sorted, or lie too high";
		if (m->kind < LZR_MEMORY_USABLE || m->kind > LZR_MEMORY_MMIO)
			return "a memory entry has an unknown kind";
		end = m->base + m->length;
	}
	return NULL;
}

static const char *check_files(const struct handoff *handoff)
{
	for (uint32_t i = 0; i < handoff->info.file_count; i++) {
		const struct lzr_boot_file *f = &handoff->files[i];

		if ((i == 0) != (f->kind == LZR_FILE_BOOT_LIST))
			return "the boot list is not the first file, or there are two";
		if (f->kind < LZR_FILE_SIGNER_KEY || f->kind > LZR_FILE_SEGMENT)
			return "a file has an unknown kind";
		if (!name_is_valid(f->name))
			return "a file has an invalid name";
		if (f->address % PAGE_SIZE || !f->length || f->length > LZR_BOOT_FILE_MAX ||
		    !handoff_covers(handoff, f->address, f->length, LZR_MEMORY_LOADER))
			return "a file is not in the loader's memory, page aligned";
		for (uint32_t j = 0; j < i; j++) {
			const struct lzr_boot_file *g = &handoff->files[j];

			if (f->address < g->address + g->length && g->address < f->address + f->length)
				return "two files overlap";
			if (f->kind == g->kind && !memcmp(f->name, g->name, LZR_NAME_MAX))
				return "two files of one kind have the same name";
		}
	}
	return NULL;
}

static bool array_fits(const struct lzr_boot_info *info, uint32_t offset, uint64_t bytes)
{
	return offset >= sizeof(*info) && offset % 8 == 0 && offset <= info->size && bytes <= info->size - offset;
}

const char *handoff_copy(struct handoff *out, const void *block, uint64_t limit)
{
	struct lzr_boot_info *info = &out->info;

	memcpy(info, block, sizeof(*info));
	if (info->magic != LZR_BOOT_MAGIC)
		return "no hand-off: wrong magic";
	if (info->version != LZR_BOOT_VERSION)
		return "hand-off of another version";
	if (info->size < sizeof(*info) || info->size > limit)
		return "wrong size of the hand-off";
	if (!info->memory_count || info->memory_count > HANDOFF_MEMORY_MAX ||
	    !array_fits(info, info->memory_offset, info->memory_count * sizeof(out->memory[0])))
		return "too many memory entries, or not in the block";
	if (!info->file_count || info->file_count > HANDOFF_FILE_MAX ||
	    !array_fits(info, info->file_offset, info->file_count * sizeof(out->files[0])))
		return "too many files, or not in the block";
	if (info->entropy_length > sizeof(info->entropy))
		return "too much entropy";
	memcpy(out->memory, (const uint8_t *)block + info->memory_offset, info->memory_count * sizeof(out->memory[0]));
	memcpy(out->files, (const uint8_t *)block + info->file_offset, info->file_count * sizeof(out->files[0]));
	const char *wrong = check_memory(out);

	if (!wrong)
		wrong = check_files(out);
	if (wrong)
		return wrong;
	if (info->image_base % LARGE_PAGE_SIZE || !info->image_length ||
	    !handoff_covers(out, info->image_base, info->image_length, LZR_MEMORY_LOADER))
		return "the image is not in the loader's memory, 2 MiB aligned";
	if (info->ap_page % PAGE_SIZE || !info->ap_page || info->ap_page >= 1 << 20 ||
	    !handoff_covers(out, info->ap_page, PAGE_SIZE, LZR_MEMORY_LOADER))
		return "the start-up page is not in the loader's memory below 1 MiB";
	if (info->log_address && !handoff_covers(out, info->log_address, info->log_length, LZR_MEMORY_LOADER))
		return "the event log is not in the loader's memory";
	if (!(info->flags & LZR_BOOT_MEASURED) && !(info->flags & LZR_BOOT_LAB))
		return "neither measured nor a lab build";
	return NULL;
}

const struct lzr_boot_file *handoff_file(const struct handoff *handoff, uint32_t kind, const char *name)
{
	for (uint32_t i = 0; i < handoff->info.file_count; i++)
		if (handoff->files[i].kind == kind && (!name || !strcmp(handoff->files[i].name, name)))
			return &handoff->files[i];
	return NULL;
}
