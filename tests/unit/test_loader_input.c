/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's checks of what comes from disk: files, the ELF inside it; and the events it builds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lazaret/manifest.h>
#include <lazaret/policy.h>

#include "loader_fake.h"

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
	files_read("red", 6000, &file);
	assert_string_equal(opened_path, "\\lazaret\\red");
	assert_int_equal(file.length, 5000);
	assert_int_equal((uint64_t)file.data % PAGE, 0);
	assert_int_equal(((uint8_t *)file.data)[4999], 'x');
	assert_int_equal(((uint8_t *)file.data)[5000], 0);
	given = 5000;
	files_read("red", 5000, &file);
	assert_int_equal(file.length, 5000);
}

static void bad_files_are_refused(void **state)
{
	static const uint64_t most[] = { 0, 0, 4096, 0, LZR_POLICY_MAX, 96, LZR_MANIFEST_MAX, 268435456, 0 };
	struct file file;

	(void)state;
	for (uint32_t kind = 0; kind < sizeof(most) / sizeof(most[0]); kind++)
		assert_int_equal(bootlist_length_max(kind), most[kind]);
	assert_refused(files_read("red", 4999, &file), "\\lazaret\\red: has 5000 bytes, expected 1 to 4999");
	assert_refused(files_read("red", 0, &file), "has 5000 bytes, expected 1 to 0");
	told_size = 0;
	assert_refused(files_read("red", 4999, &file), "has 0 bytes");
	told_size = 5001;
	assert_refused(files_read("red", 6000, &file), "read failed at byte 5000 of 5001");
	told_size = given = 5000;
	read_too_much = true;
	assert_refused(files_read("red", 6000, &file), "read failed at byte 0");
	read_too_much = false;
	read_status = EFI_DEVICE_ERROR;
	assert_refused(files_read("red", 6000, &file), "read failed at byte 0");
	attribute = EFI_FILE_DIRECTORY;
	assert_refused(files_read("red", 6000, &file), "is a folder");
	attribute = 0;
	fake_pages_left = 1;
	assert_refused(files_read("red", 6000, &file), "no 8 KiB of free memory");
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
		cmocka_unit_test_setup(a_file_is_read_whole, volume_setup),
		cmocka_unit_test_setup(bad_files_are_refused, volume_setup),
		cmocka_unit_test(events_have_the_documented_bytes),
		cmocka_unit_test(elf_is_loaded_and_checked),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
