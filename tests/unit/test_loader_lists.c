/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's checks of the two lists on the volume. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader_fake.h"

static struct list {
	struct lzr_boot_list_header header;
	struct lzr_boot_list_entry entries[LZR_BOOT_LIST_MAX + 1];
} list, segments;
static struct boot_list measured;       /* `list`, checked */

static void add_to(struct list *l, uint32_t kind, const char *name)
{
	struct lzr_boot_list_entry *e = &l->entries[l->header.count++];

	e->kind = kind;
	strncpy(e->name, name, sizeof(e->name) - 1);
}

static void rename_to(struct lzr_boot_list_entry *e, const char *name)
{
	memset(e->name, 0, LZR_NAME_MAX);
	strncpy(e->name, name, LZR_NAME_MAX - 1);
}

static int good_list(void **state)
{
	(void)state;
	fake_reset();
	memset(&list, 0, sizeof(list));
	memset(&segments, 0, sizeof(segments));
	memcpy(list.header.magic, LZR_BOOT_LIST_MAGIC, 8);
	memcpy(segments.header.magic, LZR_SEGMENT_LIST_MAGIC, 8);
	list.header.version = segments.header.version = LZR_BOOT_LIST_VERSION;
	add_to(&list, LZR_FILE_SIGNER_KEY, "signer.lzrkey");
	add_to(&list, LZR_FILE_POLICY, "policy.dtb");
	add_to(&list, LZR_FILE_POLICY_SIGNATURE, "policy.sig");
	add_to(&list, LZR_FILE_MANIFEST, "red");
	add_to(&list, LZR_FILE_MANIFEST, "blue");
	add_to(&segments, LZR_FILE_SEGMENT, "vmlinuz-6.1");
	add_to(&segments, LZR_FILE_SEGMENT, "initrd-1.seg");
	return 0;
}

static uint64_t size_of(const struct list *l)
{
	return sizeof(l->header) + l->header.count * sizeof(l->entries[0]);
}

/* Checks a copy of exact size, so that the sanitizer sees any read behind it. */
static uint32_t check_size(const struct list *l, uint64_t size)
{
	void *copy = malloc(size ? size : 1);
	struct boot_list out;
	jmp_buf outer;

	memcpy(copy, l, size);
	memcpy(outer, fake_refused, sizeof(outer));
	if (setjmp(fake_refused)) {
		free(copy);
		longjmp(outer, 1);
	}
	if (l == &list)
		bootlist_check(copy, size, &out);
	else
		bootlist_check_segments(copy, size, &measured, &out);
	assert_ptr_equal(out.entries, (uint8_t *)copy + sizeof(l->header));
	free(copy);
	return out.count;
}

static uint32_t check(void)
{
	return check_size(&list, size_of(&list));
}

static uint32_t check_segments(void)
{
	bootlist_check(&list, size_of(&list), &measured);
	return check_size(&segments, size_of(&segments));
}

static void good_lists_are_taken(void **state)
{
	(void)state;
	assert_int_equal(check(), 5);
	assert_int_equal(check_segments(), 2);
	segments.header.count = 0;      /* nothing to load is no fault of a list */
	assert_int_equal(check_segments(), 0);
	list.header.count = 3;
	assert_int_equal(check(), 3);
}

static void bad_headers_are_refused(void **state)
{
	(void)state;
	for (volatile uint64_t size = 0; size < size_of(&list); size++)
		assert_refused(check_size(&list, size), "boot.list: ");
	assert_refused(check_size(&list, size_of(&list) + 1), "5 entries need 296");
	list.header.version = 1;
	assert_refused(check(), "boot.list: version 1, this loader reads version 2");
	list.header.version = 3;
	assert_refused(check(), "version 3");
	list.header.version = LZR_BOOT_LIST_VERSION;
	list.header.count = 0;
	assert_refused(check(), "no signer key");
	list.header.count = LZR_BOOT_LIST_MAX + 1;
	assert_refused(check(), "65 entries");
	list.header.count = 0xffffffff;
	assert_refused(check_size(&list, 296), "4294967295 entries");
	good_list(NULL);
	list.header.magic[7] = 'x';
	assert_refused(check(), "magic");
	memcpy(list.header.magic, LZR_SEGMENT_LIST_MAGIC, 8);
	assert_refused(check(), "magic");
}

/* The same of the second list; together they are no longer than one may be. */
static void bad_segment_lists_are_refused(void **state)
{
	(void)state;
	bootlist_check(&list, size_of(&list), &measured);
	for (volatile uint64_t size = 0; size < size_of(&segments); size++)
		assert_refused(check_size(&segments, size), "segment.list: ");
	assert_refused(check_size(&segments, size_of(&segments) + 1), "2 entries need 128");
	segments.header.version = 1;
	assert_refused(check_segments(), "segment.list: version 1");
	good_list(NULL);
	memcpy(segments.header.magic, LZR_BOOT_LIST_MAGIC, 8);
	assert_refused(check_segments(), "segment.list: header: expected the magic LZRSEGS");
	good_list(NULL);
	segments.header.count = LZR_BOOT_LIST_MAX - 5 + 1;
	assert_refused(check_segments(), "segment.list: 60 entries, expected up to 59");
	for (volatile uint32_t kind = 0; kind < 10; kind++) {
		good_list(NULL);
		segments.entries[1].kind = kind;
		if (kind != LZR_FILE_SEGMENT)
			assert_refused(check_segments(), "segment.list: entry 1 (initrd-1.seg): kind ");
	}
	good_list(NULL);
	segments.entries[0].reserved = 1;
	assert_refused(check_segments(), "segment.list: entry 0 (vmlinuz-6.1): reserved field is 1");
	good_list(NULL);
	rename_to(&segments.entries[1], "VMLINUZ-6.1");
	assert_refused(check_segments(), "segment.list: entries 0 and 1 have the same name");
	for (volatile unsigned i = 0; i < 5; i++) {     /* a measured file read again as a segment */
		good_list(NULL);
		memcpy(segments.entries[1].name, list.entries[i].name, LZR_NAME_MAX);
		segments.entries[1].name[0] -= 'a' - 'A';
		assert_refused(check_segments(), " is in boot.list, too");
	}
	good_list(NULL);
	rename_to(&segments.entries[1], "segment.LIST");
	assert_refused(check_segments(), "segment.LIST is the name of a list");
	rename_to(&segments.entries[1], "../red");
	assert_refused(check_segments(), "segment.list: entry 1: expected a name of 1 to 47 letters");
}

static void bad_entries_are_refused(void **state)
{
	(void)state;
	list.entries[3].kind = LZR_FILE_HYPERVISOR;
	assert_refused(check(), "kind 1");
	list.entries[3].kind = LZR_FILE_BOOT_LIST;
	assert_refused(check(), "kind 3");
	list.entries[3].kind = 8;
	assert_refused(check(), "kind 8");
	list.entries[4].kind = LZR_FILE_SEGMENT;
	list.entries[3].kind = LZR_FILE_MANIFEST;
	assert_refused(check(), "entry 4 (blue): kind 7 is not one that this list may name");
	good_list(NULL);
	list.entries[4].reserved = 1;
	assert_refused(check(), "reserved");
	good_list(NULL);
	list.entries[1].kind = LZR_FILE_MANIFEST;
	assert_refused(check(), "entry 2 (policy.sig): a policy signature after a manifest; the order is");
	good_list(NULL);
	list.entries[1].kind = LZR_FILE_SIGNER_KEY;
	assert_refused(check(), "a second signer key");
	for (volatile unsigned i = 0; i < 3; i++) {
		static const char *const missing[] = { "no signer key", "no policy", "no policy signature" };

		good_list(NULL);
		memmove(&list.entries[i], &list.entries[i + 1], (4 - i) * sizeof(list.entries[0]));
		list.header.count = 4;
		assert_refused(check(), missing[i]);
	}
}

/* The name of the signature follows from the policy's. */
static void the_signature_is_called_as_its_policy(void **state)
{
	static const struct {
		const char *policy, *signature;
	} good[] = { { "policy.dtb", "policy.sig" }, { "policy", "policy.sig" }, { "a.b.c", "a.b.sig" },
		     { "p234567890123456789012345678901234567890123.dtb",
		       "p234567890123456789012345678901234567890123.sig" } };

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		rename_to(&list.entries[1], good[i].policy);
		rename_to(&list.entries[2], good[i].signature);
		assert_int_equal(check(), 5);
	}
	rename_to(&list.entries[2], "other.sig");
	assert_refused(check(), "boot.list: entry 2 (other.sig): expected p23456789012345678901234567890123456789012");
	rename_to(&list.entries[1], "p2345678901234567890123456789012345678901234567");
	rename_to(&list.entries[2], "p2345678901234567890123456789012345678901234.sig");
	assert_refused(check(), "boot.list: entry 2 ");
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = { "", "a/b", "a\\b", "..", ".hidden", "dot.", "sp ace", "umlaut\xfc", "a:b",
					   "-dash" };

	(void)state;
	for (volatile unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		good_list(NULL);
		rename_to(&list.entries[3], bad[i]);
		assert_refused(check(), "entry 3: expected a name of 1 to 47 letters");
	}
	memset(list.entries[3].name, 'a', LZR_NAME_MAX);
	assert_refused(check(), "entry 3: expected a name of 1 to 47 letters");
	good_list(NULL);
	list.entries[3].name[LZR_NAME_MAX - 1] = 'x';
	assert_refused(check(), "entry 3: expected a name of 1 to 47 letters");
	good_list(NULL);
	strcpy(list.entries[4].name, "RED");
	assert_refused(check(), "entries 3 and 4 have the same name");
	good_list(NULL);
	strcpy(list.entries[4].name, "Boot.List");
	assert_refused(check(), "Boot.List is the name of a list");
	strcpy(list.entries[4].name, "segment.list");
	assert_refused(check(), "segment.list is the name of a list");
}

/* One to four changes of a list: a word, a byte or a bit, at a place that the seed chooses. */
static uint64_t damage(struct list *l, uint64_t seed, unsigned changes)
{
	for (; changes; changes--) {
		uint32_t at, value;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		at = (uint32_t)(seed >> 40) % (uint32_t)size_of(l);
		value = (uint32_t)(seed >> 33) % 100;
		if (seed >> 62 == 0)
			memcpy((uint8_t *)l + (at & ~3u), &value, 4);
		else if (seed >> 62 == 1)
			((uint8_t *)l)[at] = (uint8_t)value;
		else
			((uint8_t *)l)[at] ^= (uint8_t)(1u << value % 8);
		if (l->header.count > LZR_BOOT_LIST_MAX)        /* the next change needs a size */
			break;
	}
	return seed;
}

static void assert_holds(const struct list *l, uint64_t size, uint32_t count, uint32_t first, uint32_t last)
{
	assert_int_equal(size, sizeof(l->header) + count * sizeof(l->entries[0]));
	for (uint32_t i = 0; i < count; i++) {
		const struct lzr_boot_list_entry *e = &l->entries[i];

		assert_true(e->kind >= first && e->kind <= last && !e->reserved);
		assert_true(e->name[0] && e->name[0] != '.' && bootlist_length_max(e->kind));
		assert_null(memchr(e->name, '/', LZR_NAME_MAX));
		assert_null(memchr(e->name, '\\', LZR_NAME_MAX));
		assert_int_equal(e->name[LZR_NAME_MAX - 1], 0);
	}
}

/* Thousands of damaged lists from a fixed seed: each is refused, or it is one that the files may be read by. */
static void damaged_lists_are_refused_or_hold(void **state)
{
	volatile uint64_t seed = 11;
	volatile unsigned taken[2] = { 0, 0 };

	(void)state;
	for (volatile unsigned round = 0; round < 30000; round++) {
		struct list *l = round % 2 ? &segments : &list;
		volatile uint32_t count = 0;
		uint64_t size;

		good_list(NULL);
		bootlist_check(&list, size_of(&list), &measured);
		size = size_of(l);
		seed = damage(l, seed, 1 + round % 4);
		if (REFUSED(count = check_size(round % 2 ? &segments : &list, size)))
			continue;
		taken[round % 2]++;
		if (round % 2)
			assert_holds(&segments, size, count, LZR_FILE_SEGMENT, LZR_FILE_SEGMENT);
		else
			assert_holds(&list, size, count, LZR_FILE_SIGNER_KEY, LZR_FILE_MANIFEST);
	}
	assert_true(taken[0] && taken[1]);
}

static int teardown(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good_lists_are_taken, good_list),
		cmocka_unit_test_setup(bad_headers_are_refused, good_list),
		cmocka_unit_test_setup(bad_segment_lists_are_refused, good_list),
		cmocka_unit_test_setup(bad_entries_are_refused, good_list),
		cmocka_unit_test_setup(the_signature_is_called_as_its_policy, good_list),
		cmocka_unit_test_setup(bad_names_are_refused, good_list),
		cmocka_unit_test_setup(damaged_lists_are_refused_or_hold, good_list),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
