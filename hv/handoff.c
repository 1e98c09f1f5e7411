/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and checks the hand-off.  The loader is measured and trusted; the checks find its mistakes, and firmware's. */
#include <string.h>

#include "handoff.h"
#include "layout.h"

_Static_assert(offsetof(struct lzr_boot_info, image_base) == BOOT_IMAGE_BASE, "entry.S reads image_base there");

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

static const char *check_file(const struct handoff *handoff, uint32_t number)
{
	const struct lzr_boot_file *f = &handoff->files[number];

	if ((number == 0) != (f->kind == LZR_FILE_BOOT_LIST))
		return "the boot list is not the first file, or there are two";
	if (f->kind < LZR_FILE_SIGNER_KEY || f->kind > LZR_FILE_SEGMENT)
		return "a file of unknown kind";
	if (!lzr_name_is_valid(f->name))
		return "expected a name of " LZR_NAME_RULE;
	if (f->address % PAGE_SIZE || !f->length || f->length > LZR_BOOT_FILE_MAX ||
	    !handoff_covers(handoff, f->address, f->length, LZR_MEMORY_LOADER))
		return "not in the loader's memory, page aligned";
	for (uint32_t i = 0; i < number; i++) {
		const struct lzr_boot_file *g = &handoff->files[i];

		if (f->address < g->address + g->length && g->address < f->address + f->length)
			return "overlaps a file before it";
		if (f->kind == g->kind && !memcmp(f->name, g->name, LZR_NAME_MAX))
			return "two files of one kind have this name";
	}
	return NULL;
}

/* Says in out->wrong_file which one is wrong; characters that no name has are shown as '?'. */
static const char *check_files(struct handoff *out)
{
	const char *wrong = NULL;
	uint32_t number = 0;

	while (number < out->info.file_count && !(wrong = check_file(out, number)))
		number++;
	for (size_t i = 0; wrong && i < LZR_NAME_MAX - 1 && out->files[number].name[i]; i++)
		out->wrong_file[i] = lzr_name_character(out->files[number].name[i]) ? out->files[number].name[i] : '?';
	return wrong;
}

static bool array_fits(const struct lzr_boot_info *info, uint32_t offset, uint64_t bytes)
{
	return offset >= sizeof(*info) && offset % 8 == 0 && offset <= info->size && bytes <= info->size - offset;
}

const char *handoff_copy(struct handoff *out, void *block, uint64_t limit)
{
	struct lzr_boot_info *info = &out->info;

	memset(out->wrong_file, 0, sizeof(out->wrong_file));
	memcpy(info, block, sizeof(*info));
	if (info->magic != LZR_BOOT_MAGIC)
		return "no hand-off: wrong magic";
	if (info->version != LZR_BOOT_VERSION)
		return "hand-off of another version";
	wipe(((struct lzr_boot_info *)block)->entropy, sizeof(info->entropy));
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
