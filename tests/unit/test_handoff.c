/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-off is copied once and refused for every field that could mislead what comes later. */
#include <string.h>

#include "handoff.h"
#include "plat_fake.h"

#define MIB (1ull << 20)

static struct {
	struct lzr_boot_info info;
	struct lzr_boot_memory memory[5];
	struct lzr_boot_file files[4];
} block;
static struct handoff handoff;

static int set_up(void **state)
{
	(void)state;
	memset(&block, 0, sizeof(block));
	block.info = (struct lzr_boot_info){
		.magic = LZR_BOOT_MAGIC, .version = LZR_BOOT_VERSION, .size = sizeof(block), .flags = LZR_BOOT_MEASURED,
		.memory_count = 5, .memory_offset = sizeof(struct lzr_boot_info), .file_count = 4,
		.file_offset = offsetof(__typeof__(block), files), .entropy_length = 64, .ap_page = 0x8000,
		.image_base = 4 * MIB, .image_length = 2 * MIB, .log_address = 7 * MIB, .log_length = 3000,
	};
	const struct lzr_boot_memory memory[] = {
		{ 0, 0x8000, LZR_MEMORY_USABLE, 0 }, { 0x8000, 0x1000, LZR_MEMORY_LOADER, 0 },
		{ 2 * MIB, 4 * MIB, LZR_MEMORY_LOADER, 0 }, { 6 * MIB, 2 * MIB, LZR_MEMORY_LOADER, 0 },
		{ 8 * MIB, 64 * MIB, LZR_MEMORY_USABLE, 0 },
	};
	const struct lzr_boot_file files[] = {
		{ LZR_FILE_BOOT_LIST, 0, 2 * MIB, 100, "boot.list" },
		{ LZR_FILE_SIGNER_KEY, 0, 2 * MIB + 0x1000, 136, "key" },
		{ LZR_FILE_POLICY, 0, 2 * MIB + 0x2000, 0x1001, "policy.dtb" },
		{ LZR_FILE_MANIFEST, 0, 2 * MIB + 0x4000, 500, "red" },
	};

	memcpy(block.memory, memory, sizeof(memory));
	memcpy(block.files, files, sizeof(files));
	return 0;
}

static const char *copy(void)
{
	return handoff_copy(&handoff, &block, MIB);
}

static void test_good(void **state)
{
	(void)state;
	assert_null(copy());
	assert_int_equal(handoff.info.file_count, 4);
	assert_ptr_equal(handoff_file(&handoff, LZR_FILE_MANIFEST, "red"), &handoff.files[3]);
	assert_ptr_equal(handoff_file(&handoff, LZR_FILE_POLICY, NULL), &handoff.files[2]);
	assert_null(handoff_file(&handoff, LZR_FILE_MANIFEST, "blue"));
	assert_true(handoff_covers(&handoff, 2 * MIB, 6 * MIB, LZR_MEMORY_LOADER));
	assert_false(handoff_covers(&handoff, 2 * MIB, 6 * MIB + 1, LZR_MEMORY_LOADER));
	assert_false(handoff_covers(&handoff, MIB, 4096, LZR_MEMORY_LOADER));
	assert_false(handoff_covers(&handoff, UINT64_MAX, 4096, LZR_MEMORY_LOADER));
	assert_false(handoff_covers(&handoff, 2 * MIB, UINT64_MAX, LZR_MEMORY_LOADER));
}

/* The block stays in the direct map for good: its entropy is in the copy only, also when the hand-off is refused. */
static void test_entropy_is_moved(void **state)
{
	uint8_t secret[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i * 37 + 11);
	for (unsigned bad = 0; bad < 2; bad++) {
		set_up(NULL);
		memcpy(block.info.entropy, secret, sizeof(secret));
		block.info.ap_page += bad;
		assert_int_equal(copy() != NULL, bad);
		assert_memory_equal(handoff.info.entropy, secret, sizeof(secret));
		for (size_t at = 0; at + 8 <= sizeof(block); at++)
			for (size_t i = 0; i + 8 <= sizeof(secret); i++)
				assert_memory_not_equal((uint8_t *)&block + at, secret + i, 8);
	}
	set_up(NULL);
	memcpy(block.info.entropy, secret, sizeof(secret));
	block.info.magic++;                     /* no hand-off of ours: nothing of it is written */
	assert_non_null(copy());
	assert_memory_equal(block.info.entropy, secret, sizeof(secret));
}

#define refused(statement) do { \
	set_up(NULL); \
	statement; \
	assert_non_null(copy()); \
} while (0)

static void test_header(void **state)
{
	(void)state;
	refused(block.info.magic++);
	refused(block.info.version++);
	refused(block.info.size = 100);
	refused(block.info.size = MIB + 1);
	refused(block.info.memory_count = 0);
	refused(block.info.memory_count = HANDOFF_MEMORY_MAX + 1);
	refused(block.info.memory_count = 400);
	refused(block.info.memory_offset = UINT32_MAX - 7);
	refused(block.info.memory_offset = 8);
	refused(block.info.memory_offset += 4);
	refused(block.info.file_count = 0);
	refused(block.info.file_count = HANDOFF_FILE_MAX + 1);
	refused(block.info.file_offset = sizeof(block));
	refused(block.info.entropy_length = 65);
	refused(block.info.image_base += 0x1000);
	refused(block.info.image_base = 8 * MIB);
	refused(block.info.image_length = 0);
	refused(block.info.image_length = 8 * MIB);
	refused(block.info.image_length = UINT64_MAX);
	refused(block.info.ap_page = 0);
	refused(block.info.ap_page = 0x7000);
	refused(block.info.ap_page = 0x8001);
	refused(block.info.ap_page = 2 * MIB);
	refused(block.info.log_length = 2 * MIB);
	refused(block.info.log_length = UINT64_MAX);
	refused(block.info.flags = 0);
	set_up(NULL);
	block.info.flags = LZR_BOOT_LAB;
	assert_null(copy());
}

static void test_memory(void **state)
{
	(void)state;
	refused(block.memory[0].base = 1);
	refused(block.memory[0].length = 0);
	refused(block.memory[4].length += 8);
	refused(block.memory[2].base = 0x8000);
	refused(block.memory[4].length = 1ull << 47);
	refused(block.memory[4].base = UINT64_MAX - 0xfff);
	refused(block.memory[4].kind = 0);
	refused(block.memory[4].kind = 6);
	refused((block.memory[0] = block.memory[4], block.memory[4].base = 0));
}

static void test_files(void **state)
{
	(void)state;
	refused(block.files[0].kind = LZR_FILE_POLICY);
	refused(block.files[3].kind = LZR_FILE_BOOT_LIST);
	refused(block.files[3].kind = LZR_FILE_HYPERVISOR);
	refused(block.files[3].kind = 99);
	refused(memset(block.files[3].name, 'x', LZR_NAME_MAX));
	refused(block.files[3].name[0] = 0);
	refused(strcpy(block.files[3].name, "a/b"));
	refused(strcpy(block.files[3].name, "\x1b"));
	refused(block.files[3].name[40] = 'x');
	refused(strcpy(block.files[3].name, "red."));
	refused(strcpy(block.files[3].name, "-red"));
	refused(block.files[3].address++);
	refused(block.files[3].address = 8 * MIB);
	refused(block.files[3].address = 2 * MIB + 0x3000);
	refused(block.files[3].length = 0);
	refused(block.files[3].length = UINT64_MAX);
	refused(block.files[3].length = LZR_BOOT_FILE_MAX + 1);
	refused((block.files[2].kind = LZR_FILE_MANIFEST, strcpy(block.files[2].name, "red")));
	refused((block.files[2].kind = block.files[3].kind = LZR_FILE_SEGMENT,
		 memcpy(block.files[2].name, block.files[3].name, LZR_NAME_MAX)));
}

/* Names as every tool takes them, capitals too; a refusal says whose it is, and shows no control character. */
static void test_names(void **state)
{
	(void)state;
	strcpy(block.files[3].name, "Red_2.A-b");
	assert_null(copy());
	assert_string_equal(handoff.wrong_file, "");
	strcpy(block.files[2].name, "pol\x1b[2Jicy/..");
	assert_string_equal(copy(), "expected a name of " LZR_NAME_RULE);
	assert_string_equal(handoff.wrong_file, "pol??2Jicy?..");
	memset(block.files[2].name, 'x', LZR_NAME_MAX);
	assert_non_null(copy());
	assert_int_equal(strlen(handoff.wrong_file), LZR_NAME_MAX - 1);
	strcpy(block.files[2].name, "policy.dtb");
	memset(block.files[2].name + 10, 0, LZR_NAME_MAX - 10);
	block.files[3].address++;
	assert_string_equal(copy(), "not in the loader's memory, page aligned");
	assert_string_equal(handoff.wrong_file, "Red_2.A-b");
	block.info.magic++;
	assert_non_null(copy());
	assert_string_equal(handoff.wrong_file, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names, set_up),
		cmocka_unit_test_setup(test_entropy_is_moved, set_up),
		cmocka_unit_test_setup(test_good, set_up), cmocka_unit_test_setup(test_header, set_up),
		cmocka_unit_test_setup(test_memory, set_up), cmocka_unit_test_setup(test_files, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
