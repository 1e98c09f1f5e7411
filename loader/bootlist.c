/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot list, checked whole before any file that it names is touched.  Kinds come in one order: key, policy,
 * signature, manifests, segments.  Names are those of files on a FAT volume, so two that differ only in case are
 * the same.
 */
#include <string.h>

#include <lazaret/manifest.h>
#include <lazaret/policy.h>

#include "loader.h"

#define KEY_FILE_MAX 4096u

static const struct {
	const char *what;
	uint32_t most;          /* how many the list may have */
	uint64_t length_max;
} kinds[] = {
	[LZR_FILE_SIGNER_KEY] = { "signer key", 1, KEY_FILE_MAX },
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

static bool is_name(const char *name)
{
	unsigned n = 0;

	for (; n < LZR_NAME_MAX && name[n]; n++) {
		char c = lower(name[n]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && n > 0)))
			return false;
	}
	if (n == 0 || n == LZR_NAME_MAX || name[n - 1] == '.')
		return false;
	for (; n < LZR_NAME_MAX; n++) {
		if (name[n])
			return false;
	}
	return true;
}

static void check_entry(const struct lzr_boot_list_entry *entries, uint32_t index)
{
	static const char list_name[LZR_NAME_MAX] = "boot.list";
	const struct lzr_boot_list_entry *e = &entries[index];

	if (!is_name(e->name))
		refuse("boot.list: entry %u: name is not 1 to %u letters, digits, '.', '-', '_', zero-padded", index,
		       LZR_NAME_MAX - 1);
	if (e->kind >= KINDS || !kinds[e->kind].what)
		refuse("boot.list: entry %u (%s): kind %u is not one that a list may name", index, e->name, e->kind);
	if (e->reserved)
		refuse("boot.list: entry %u (%s): reserved field is %x, expected 0", index, e->name, e->reserved);
	if (e->length == 0 || e->length > kinds[e->kind].length_max)
		refuse("boot.list: entry %u (%s): length %llu, a %s has 1 to %llu bytes", index, e->name,
		       (unsigned long long)e->length, kinds[e->kind].what,
		       (unsigned long long)kinds[e->kind].length_max);
	if (index > 0 && e->kind < e[-1].kind)
		refuse("boot.list: entry %u (%s): a %s after a %s; the order is key, policy, signature, manifests, "
		       "segments", index, e->name, kinds[e->kind].what, kinds[e[-1].kind].what);
	if (same_file(e->name, list_name))
		refuse("boot.list: entry %u names the list itself", index);
	for (uint32_t i = 0; i < index; i++) {
		if (same_file(entries[i].name, e->name))
			refuse("boot.list: entries %u and %u have the same name %s", i, index, e->name);
	}
}

const struct lzr_boot_list_entry *bootlist_check(const void *data, uint64_t length, uint32_t *count)
{
	const struct lzr_boot_list_header *header = data;
	const struct lzr_boot_list_entry *entries;
	uint32_t found[KINDS] = { 0 };

	if (length < sizeof(*header) || memcmp(header->magic, LZR_BOOT_LIST_MAGIC, sizeof(header->magic)))
		refuse("boot.list: header: expected the magic " LZR_BOOT_LIST_MAGIC ", found others in %llu bytes; "
		       "write it with mkboot", (unsigned long long)length);
	if (header->version != LZR_BOOT_LIST_VERSION)
		refuse("boot.list: version %u, this loader reads version %u", header->version, LZR_BOOT_LIST_VERSION);
	if (header->count == 0 || header->count > LZR_BOOT_LIST_MAX)
		refuse("boot.list: %u entries, expected 1 to %u", header->count, LZR_BOOT_LIST_MAX);
	if (length != sizeof(*header) + (uint64_t)header->count * sizeof(*entries))
		refuse("boot.list: %llu bytes, %u entries need %llu", (unsigned long long)length, header->count,
		       (unsigned long long)(sizeof(*header) + (uint64_t)header->count * sizeof(*entries)));
	entries = (const void *)(header + 1);
	for (uint32_t i = 0; i < header->count; i++) {
		check_entry(entries, i);
		if (++found[entries[i].kind] > kinds[entries[i].kind].most)
			refuse("boot.list: entry %u (%s): a second %s", i, entries[i].name,
			       kinds[entries[i].kind].what);
	}
	for (uint32_t kind = LZR_FILE_SIGNER_KEY; kind <= LZR_FILE_POLICY_SIGNATURE; kind++) {
		if (kinds[kind].what && !found[kind])
			refuse("boot.list: no %s", kinds[kind].what);
	}
	*count = header->count;
	return entries;
}
