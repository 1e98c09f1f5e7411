/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot list and the segment list, each checked whole before any file that it names is touched.  Kinds come in one
 * order: key, policy, signature, manifests; segments alone.  Names are those of files on a FAT volume, so two that
 * differ only in case are the same, and no name is in both lists.
 */
#include <string.h>

#include <lazaret/manifest.h>
#include <lazaret/name.h>
#include <lazaret/policy.h>

#include "loader.h"

static const struct {
	const char *what;
	uint32_t most;          /* how many a list may have */
	uint64_t length_max;
} kinds[] = {
	[LZR_FILE_SIGNER_KEY] = { "signer key", 1, LZR_KEY_FILE_MAX },
	[LZR_FILE_POLICY] = { "policy", 1, LZR_POLICY_MAX },
	[LZR_FILE_POLICY_SIGNATURE] = { "policy signature", 1, LZR_POLICY_SIGNATURE_SIZE },
	[LZR_FILE_MANIFEST] = { "manifest", LZR_BOOT_LIST_MAX, LZR_MANIFEST_MAX },
	[LZR_FILE_SEGMENT] = { "segment", LZR_BOOT_LIST_MAX, LZR_BOOT_FILE_MAX },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_file(const char *a, const char *b)
{
	for (unsigned i = 0; i < LZR_NAME_MAX; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

uint64_t bootlist_length_max(uint32_t kind)
{
	return kind < KINDS ? kinds[kind].length_max : 0;
}

/* The header, and the length that follows from it.  `room`: how many entries the list may have. */
static void check_header(struct boot_list *list, const char *magic, const void *data, uint64_t length, uint32_t room)
{
	const struct lzr_boot_list_header *header = data;
	uint64_t needed;

	if (length < sizeof(*header) || memcmp(header->magic, magic, sizeof(header->magic)))
		refuse("%s: header: expected the magic %s, found others in %llu bytes; write it with mkboot",
		       list->name, magic, (unsigned long long)length);
	if (header->version != LZR_BOOT_LIST_VERSION)
		refuse("%s: version %u, this loader reads version %u; write it with mkboot", list->name,
		       header->version, LZR_BOOT_LIST_VERSION);
	if (header->count > room)
		refuse("%s: %u entries, expected up to %u: both lists together have up to %u", list->name,
		       header->count, room, LZR_BOOT_LIST_MAX);
	needed = sizeof(*header) + (uint64_t)header->count * sizeof(struct lzr_boot_list_entry);
	if (length != needed)
		refuse("%s: %llu bytes, %u entries need %llu", list->name, (unsigned long long)length, header->count,
		       (unsigned long long)needed);
	list->entries = (const void *)(header + 1);
	list->count = header->count;
}

static void check_name(const struct boot_list *list, uint32_t index)
{
	static const char taken[][LZR_NAME_MAX] = { LZR_BOOT_LIST_NAME, LZR_SEGMENT_LIST_NAME };
	const char *name = list->entries[index].name;

	if (!lzr_name_is_valid(name))
		refuse("%s: entry %u: expected a name of %s, zero-padded", list->name, index, LZR_NAME_RULE);
	for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (same_file(name, taken[i]))
			refuse("%s: entry %u: %s is the name of a list", list->name, index, name);
	}
	for (uint32_t i = 0; i < index; i++) {
		if (same_file(list->entries[i].name, name))
			refuse("%s: entries %u and %u have the same name %s", list->name, i, index, name);
	}
}

/* Entries of kinds `first` to `last`, in that order. */
static void check_entries(const struct boot_list *list, uint32_t first, uint32_t last)
{
	uint32_t found[KINDS] = { 0 };

	for (uint32_t i = 0; i < list->count; i++) {
		const struct lzr_boot_list_entry *e = &list->entries[i];

		check_name(list, i);
		if (e->kind < first || e->kind > last || e->kind >= KINDS || !kinds[e->kind].what)
			refuse("%s: entry %u (%s): kind %u is not one that this list may name", list->name, i, e->name,
			       e->kind);
		if (e->reserved)
			refuse("%s: entry %u (%s): reserved field is %x, expected 0", list->name, i, e->name,
			       e->reserved);
		if (i > 0 && e->kind < e[-1].kind)
			refuse("%s: entry %u (%s): a %s after a %s; the order is key, policy, signature, manifests",
			       list->name, i, e->name, kinds[e->kind].what, kinds[e[-1].kind].what);
		if (++found[e->kind] > kinds[e->kind].most)
			refuse("%s: entry %u (%s): a second %s", list->name, i, e->name, kinds[e->kind].what);
	}
	for (uint32_t kind = first; kind <= last; kind++) {
		if (kinds[kind].what && kinds[kind].most == 1 && !found[kind])
			refuse("%s: no %s", list->name, kinds[kind].what);
	}
}

/* Key, policy and signature are entries 0, 1 and 2. */
static void check_signature_name(const struct boot_list *list)
{
	char expected[LZR_NAME_MAX];

	lzr_signature_name(list->entries[1].name, expected);
	if (memcmp(expected, list->entries[2].name, LZR_NAME_MAX))
		refuse("%s: entry 2 (%s): expected %s, as the signature of %s is called; write it with mkboot",
		       list->name, list->entries[2].name, expected, list->entries[1].name);
}

void bootlist_check(const void *data, uint64_t length, struct boot_list *out)
{
	out->name = LZR_BOOT_LIST_NAME;
	check_header(out, LZR_BOOT_LIST_MAGIC, data, length, LZR_BOOT_LIST_MAX);
	check_entries(out, LZR_FILE_SIGNER_KEY, LZR_FILE_MANIFEST);
	check_signature_name(out);
}

void bootlist_check_segments(const void *data, uint64_t length, const struct boot_list *boot, struct boot_list *out)
{
	out->name = LZR_SEGMENT_LIST_NAME;
	check_header(out, LZR_SEGMENT_LIST_MAGIC, data, length, LZR_BOOT_LIST_MAX - boot->count);
	check_entries(out, LZR_FILE_SEGMENT, LZR_FILE_SEGMENT);
	for (uint32_t i = 0; i < out->count; i++) {
		for (uint32_t j = 0; j < boot->count; j++) {
			if (same_file(out->entries[i].name, boot->entries[j].name))
				refuse("%s: entry %u: %s is in %s, too", out->name, i, out->entries[i].name,
				       boot->name);
		}
	}
}
