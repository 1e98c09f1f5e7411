/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's checks of what comes from disk: boot list, files, the ELF inside it; and the events it builds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader_fake.h"

static struct {
	struct lzr_boot_list_header header;
	struct lzr_boot_list_entry entries[LZR_BOOT_LIST_MAX + 1];
} list;

static void add(uint32_t kind, const char *name, uint64_t length)
{
	struct lzr_boot_list_entry *e = &list.entries[list.header.count++];

	e->kind = kind;
	e->length = length;
	strncpy(e->name, name, sizeof(e->name) - 1);
}

static int good_list(void **state)
{
	(void)state;
	fake_reset();
	memset(&list, 0, sizeof(list));
	memcpy(list.header.magic, LZR_BOOT_LIST_MAGIC, 8);
	list.header.version = LZR_BOOT_LIST_VERSION;
	add(LZR_FILE_SIGNER_KEY, "signer.lzrkey", 136);
	add(LZR_FILE_POLICY, "policy.dtb", 4000);
	add(LZR_FILE_POLICY_SIGNATURE, "policy.sig", 96);
	add(LZR_FILE_MANIFEST, "red", 5000);
	add(LZR_FILE_MANIFEST, "blue", 5000);
	add(LZR_FILE_SEGMENT, "vmlinuz-6.1", 8 << 20);
	return 0;
}

static uint64_t list_size(void)
{
	return sizeof(list.header) + list.header.count * sizeof(list.entries[0]);
}

/* Checks a copy of exact size, so that the sanitizer sees any read behind it. */
static uint32_t check_size(uint64_t size)
{
	void *copy = malloc(size ? size : 1);
	uint32_t count = 0;
	jmp_buf outer;

	memcpy(copy, &list, size);
	memcpy(outer, fake_refused, sizeof(outer));
	if (setjmp(fake_refused)) {
		free(copy);
		longjmp(outer, 1);
	}
	assert_ptr_equal(bootlist_check(copy, size, &count), (uint8_t *)copy + sizeof(list.header));
	free(copy);
	return count;
}

static uint32_t check(void)
{
	return check_size(list_size());
}

static void a_good_list_is_taken(void **state)
{
	(void)state;
	assert_int_equal(check(), 6);
}

static void bad_headers_are_refused(void **state)
{
	(void)state;
	for (volatile uint64_t size = 0; size < list_size(); size++)
		assert_refused(check_size(size), "boot.list: ");
	assert_refused(check_size(list_size() + 1), "6 entries need 400");
	list.header.version = 2;
	assert_refused(check(), "version 2");
	list.header.version = 1;
	list.header.count = 0;
	assert_refused(check(), "0 entries");
	list.header.count = LZR_BOOT_LIST_MAX + 1;
	assert_refused(check(), "65 entries");
	list.header.count = 0xffffffff;
	assert_refused(check_size(400), "4294967295 entries");
	good_list(NULL);
	list.header.magic[7] = 'x';
	assert_refused(check(), "magic");
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
	good_list(NULL);
	list.entries[5].reserved = 1;
	assert_refused(check(), "reserved");
	good_list(NULL);
	list.entries[5].length = 0;
	assert_refused(check(), "length 0");
	list.entries[5].length = LZR_BOOT_FILE_MAX + 1;
	assert_refused(check(), "a segment has 1 to 268435456 bytes");
	list.entries[5].length = 1;
	list.entries[2].length = 97;
	assert_refused(check(), "a policy signature has 1 to 96 bytes");
	good_list(NULL);
	list.entries[3].kind = LZR_FILE_SEGMENT;
	assert_refused(check(), "a manifest after a segment");
	good_list(NULL);
	list.entries[1].kind = LZR_FILE_SIGNER_KEY;
	assert_refused(check(), "a second signer key");
	good_list(NULL);
	memmove(&list.entries[0], &list.entries[1], 5 * sizeof(list.entries[0]));
	list.header.count = 5;
	assert_refused(check(), "no signer key");
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = { "", "a/b", "a\\b", "..", ".hidden", "dot.", "sp ace", "umlaut\xfc", "a:b" };

	(void)state;
	for (volatile unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		good_list(NULL);
		memset(list.entries[3].name, 0, LZR_NAME_MAX);
		strcpy(list.entries[3].name, bad[i]);
		assert_refused(check(), "entry 3: name is not");
	}
	memset(list.entries[3].name, 'a', LZR_NAME_MAX);
	assert_refused(check(), "entry 3: name is not");
	good_list(NULL);
	list.entries[3].name[LZR_NAME_MAX - 1] = 'x';
	assert_refused(check(), "entry 3: name is not");
	good_list(NULL);
	strcpy(list.entries[4].name, "RED");
	assert_refused(check(), "entries 3 and 4 have the same name");
	good_list(NULL);
	strcpy(list.entries[4].name, "Boot.List");
	assert_refused(check(), "names the list itself");
}

/* Thousands of damaged lists from a fixed seed: each is refused, or it is one that the files may be read by. */
static void damaged_lists_are_refused_or_hold(void **state)
{
	volatile uint64_t seed = 11;
	volatile unsigned taken = 0;

	(void)state;
	for (volatile unsigned round = 0; round < 30000; round++) {
		volatile uint32_t count = 0;
		uint64_t size;

		good_list(NULL);
		size = list_size();
		for (unsigned changes = 1 + round % 4; changes; changes--) {
			uint32_t at, value;

			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			at = (uint32_t)(seed >> 40) % (uint32_t)size;
			value = (uint32_t)(seed >> 33) % 100;
			if (seed >> 62 == 0)
				memcpy((uint8_t *)&list + (at & ~3u), &value, 4);
			else if (seed >> 62 == 1)
				((uint8_t *)&list)[at] = (uint8_t)value;
			else
				((uint8_t *)&list)[at] ^= (uint8_t)(1u << value % 8);
		}
		if (REFUSED(count = check_size(size)))
			continue;
		taken++;
		assert_int_equal(size, sizeof(list.header) + count * sizeof(list.entries[0]));
		for (uint32_t i = 0; i < count; i++) {
			const struct lzr_boot_list_entry *e = &list.entries[i];

			assert_true(e->kind >= LZR_FILE_SIGNER_KEY && e->kind <= LZR_FILE_SEGMENT && !e->reserved);
			assert_true(e->length && e->length <= LZR_BOOT_FILE_MAX && e->name[0] && e->name[0] != '.');
			assert_null(memchr(e->name, '/', LZR_NAME_MAX));
			assert_null(memchr(e->name, '\\', LZR_NAME_MAX));
			assert_int_equal(e->name[LZR_NAME_MAX - 1], 0);
		}
	}
	assert_int_not_equal(taken, 0);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static struct efi_file volume, opened;
static uint64_t told_size, given, attribute;
static char opened_path[128];
static efi_status read_status;
static bool read_too_much;

static efi_status EFIAPI file_open(struct efi_file *this, struct efi_file **out, const efi_char *name, uint64_t mode,
				   uint64_t attributes)
{
	unsigned i = 0;

	(void)this;
	(void)attributes;
	assert_int_equal(mode, EFI_FILE_MODE_READ);
	for (; name[i]; i++)
		opened_path[i] = (char)name[i];
	opened_path[i] = 0;
	*out = &opened;
	return EFI_SUCCESS;
}

static efi_status EFIAPI file_close(struct efi_file *this)
{
	(void)this;
	return EFI_SUCCESS;
}

static efi_status EFIAPI file_info(struct efi_file *this, const struct efi_guid *guid, uint64_t *size, void *buffer)
{
	struct efi_file_info info = { .size = sizeof(info), .file_size = told_size, .attribute = attribute };

	(void)this;
	(void)guid;
	assert_true(*size >= sizeof(info));
	*size = sizeof(info);
	memcpy(buffer, &info, sizeof(info));
	return EFI_SUCCESS;
}

/* Gives at most 1000 bytes a call, as firmware may. */
static efi_status EFIAPI file_read(struct efi_file *this, uint64_t *size, void *buffer)
{
	uint64_t n = *size < 1000 ? *size : 1000;

	(void)this;
	if (n > given)
		n = given;
	memset(buffer, 'x', n);
	given -= n;
	*size = read_too_much ? *size + 1 : n;
	return read_status;
}

static efi_status EFIAPI open_volume(struct efi_file_system *this, struct efi_file **root)
{
	(void)this;
	*root = &volume;
	return EFI_SUCCESS;
}

static struct efi_file_system file_system = { .open_volume = open_volume };
static struct efi_loaded_image loaded_image;
static bool has_file_system;

static efi_status EFIAPI handle_protocol(efi_handle handle, const struct efi_guid *guid, void **interface)
{
	const struct efi_guid loaded = EFI_LOADED_IMAGE_GUID;

	(void)handle;
	*interface = memcmp(guid, &loaded, sizeof(loaded)) ? (void *)&file_system : (void *)&loaded_image;
	return has_file_system || *interface == &loaded_image ? EFI_SUCCESS : EFI_NOT_FOUND;
}

static int volume_setup(void **state)
{
	(void)state;
	fake_reset();
	fake_boot.handle_protocol = handle_protocol;
	volume = (struct efi_file){ .open = file_open };
	opened = (struct efi_file){ .close = file_close, .read = file_read, .get_info = file_info };
	has_file_system = true;
	attribute = 0;
	read_status = EFI_SUCCESS;
	read_too_much = false;
	told_size = given = 5000;
	files_open();
	return 0;
}

static void a_file_is_read_whole(void **state)
{
	struct file file;

	(void)state;
	files_read("red", 5000, 6000, &file);
	assert_string_equal(opened_path, "\\lazaret\\red");
	assert_int_equal(file.length, 5000);
	assert_int_equal((uint64_t)file.data % PAGE, 0);
	assert_int_equal(((uint8_t *)file.data)[4999], 'x');
	assert_int_equal(((uint8_t *)file.data)[5000], 0);
	given = 5000;
	files_read("red", 0, 5000, &file);
	assert_int_equal(file.length, 5000);
}

static void bad_files_are_refused(void **state)
{
	struct file file;

	(void)state;
	assert_refused(files_read("red", 4999, 6000, &file), "has 5000 bytes, boot.list says 4999");
	assert_refused(files_read("red", 0, 4999, &file), "expected 1 to 4999");
	told_size = 0;
	assert_refused(files_read("red", 0, 4999, &file), "has 0 bytes");
	told_size = 5001;
	assert_refused(files_read("red", 0, 6000, &file), "read failed at byte 5000 of 5001");
	told_size = given = 5000;
	read_too_much = true;
	assert_refused(files_read("red", 5000, 6000, &file), "read failed at byte 0");
	read_too_much = false;
	read_status = EFI_DEVICE_ERROR;
	assert_refused(files_read("red", 5000, 6000, &file), "read failed at byte 0");
	attribute = EFI_FILE_DIRECTORY;
	assert_refused(files_read("red", 5000, 6000, &file), "is a folder");
	attribute = 0;
	fake_pages_left = 1;
	assert_refused(files_read("red", 5000, 6000, &file), "no 8 KiB of free memory");
	has_file_system = false;
	assert_refused(files_open(), "no file system");
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void events_have_the_documented_bytes(void **state)
{
	static char name[LZR_NAME_MAX] = "red";
	const struct file file = { LZR_FILE_MANIFEST, name, NULL, 0x1122334455667788ull };
	struct lzr_event_descriptor d;
	union {
		struct tcg2_event event;
		uint8_t bytes[EVENT_MAX];
	} u;
	static const uint8_t start[] = { 1, 'L', 'Z', 'R', 72, 0, 0, 0, 'L', 'Z', 'R', 'E', 'V', 'T', '1', 0, 6, 0, 0,
					 0,
					 0, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 'r', 'e', 'd', 0 };
	static const uint8_t head[] = { 98, 0, 0, 0, 14, 0, 0, 0, 1, 0, 11, 0, 0, 0, 6, 0, 0, 0, 1, 'L', 'Z', 'R' };

	(void)state;
	event_descriptor(&file, &d);
	assert_memory_equal(&d, start, sizeof(start));
	event_build(11, LZR_EV_EVENT_TAG, &d, sizeof(d), &u.event);
	assert_memory_equal(u.bytes, head, sizeof(head));
	assert_int_equal(u.event.size, EVENT_MAX);
}

/* --- ELF ---------------------------------------------------------------------------------------------------------- */

static uint8_t elf[4096];

static void put(unsigned at, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		elf[at + i] = (uint8_t)(value >> 8 * i);
}

static void good_elf(void)
{
	memset(elf, 0, sizeof(elf));
	memcpy(elf, "\177ELF\2\1\1", 7);
	put(16, 2, 2);                          /* ET_EXEC */
	put(18, 62, 2);
	put(24, LZR_HV_BASE + 0x10, 8);         /* entry */
	put(32, 64, 8);                         /* program headers */
	put(54, 56, 2);
	put(56, 1, 2);
	put(64, 1, 4);                          /* PT_LOAD */
	put(64 + 8, 0x200, 8);
	put(64 + 16, LZR_HV_BASE, 8);
	put(64 + 32, 0x100, 8);
	put(64 + 40, 0x3000, 8);
	elf[0x200] = 0xcc;
}

static void elf_is_loaded_and_checked(void **state)
{
	struct elf_image image;
	uint8_t *place = calloc(1, 0x3000);

	(void)state;
	good_elf();
	elf_check(elf, sizeof(elf), &image);
	assert_int_equal(image.entry, LZR_HV_BASE + 0x10);
	assert_int_equal(image.span, 0x3000);
	elf_load(elf, place);
	assert_int_equal(place[0], 0xcc);
	free(place);
	assert_refused(elf_check(elf, 63, &image), "too few");
	elf[4] = 1;
	assert_refused(elf_check(elf, sizeof(elf), &image), "not a static");
	good_elf();
	put(56, 0xffff, 2);
	assert_refused(elf_check(elf, sizeof(elf), &image), "not a static");
	good_elf();
	put(32, ~0ull, 8);
	assert_refused(elf_check(elf, sizeof(elf), &image), "not a static");
	good_elf();
	put(64 + 8, ~0ull, 8);
	assert_refused(elf_check(elf, sizeof(elf), &image), "segment 0");
	good_elf();
	put(64 + 32, 0x4000, 8);
	assert_refused(elf_check(elf, sizeof(elf), &image), "segment 0");
	good_elf();
	put(64 + 16, 0x1000, 8);
	assert_refused(elf_check(elf, sizeof(elf), &image), "segment 0");
	good_elf();
	put(64 + 40, ~0ull, 8);
	assert_refused(elf_check(elf, sizeof(elf), &image), "segment 0");
	good_elf();
	put(24, LZR_HV_BASE + 0x3000, 8);
	assert_refused(elf_check(elf, sizeof(elf), &image), "entry point");
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
		cmocka_unit_test_setup(a_good_list_is_taken, good_list),
		cmocka_unit_test_setup(bad_headers_are_refused, good_list),
		cmocka_unit_test_setup(bad_entries_are_refused, good_list),
		cmocka_unit_test_setup(bad_names_are_refused, good_list),
		cmocka_unit_test_setup(damaged_lists_are_refused_or_hold, good_list),
		cmocka_unit_test_setup(a_file_is_read_whole, volume_setup),
		cmocka_unit_test_setup(bad_files_are_refused, volume_setup),
		cmocka_unit_test(events_have_the_documented_bytes),
		cmocka_unit_test(elf_is_loaded_and_checked),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
