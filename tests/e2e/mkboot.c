/* SPDX-License-Identifier: Apache-2.0 */
/* mkboot: the volume it writes is what it was told, and what it refuses it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <lazaret/boot.h>

#include "run.h"

#define DIR "build/run/mkboot-test"
#define OUT DIR "/esp.img"
#define ARGS_MAX 24

static char output[4096];

static void write_file(const char *name, size_t length)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), DIR "/%s", name);
	f = fopen(path, "wb");
	assert_non_null(f);
	while (length--)
		fputc((int)(length * 31 & 0xff), f);
	fclose(f);
}

static int setup(void **state)
{
	char *clean[] = { "rm", "-rf", DIR, NULL }, *make[] = { "mkdir", "-p", DIR "/other", NULL };

	(void)state;
	assert_true(run_program(clean, 10, NULL, 0) && run_program(make, 10, NULL, 0));
	write_file("loader.efi", 50000);
	write_file("signer.lzrkey", 136);
	write_file("policy.dtb", 3000);
	write_file("policy.sig", 96);
	write_file("red.manifest", 4000);
	write_file("blue.manifest", 4001);
	write_file("kernel", 70000);
	write_file("other/kernel", 1);
	write_file("empty", 0);
	write_file("space name", 1);
	write_file("-dash", 1);
	return 0;
}

/* mkboot with the usual four files, and these arguments. */
static bool mkboot(const char *first, ...)
{
	char *argv[ARGS_MAX] = { "build/bin/mkboot",   "--out",		  OUT,
				 "--loader",	       DIR "/loader.efi", "--key",
				 DIR "/signer.lzrkey", "--policy",	  DIR "/policy.dtb",
				 "--signature",	       DIR "/policy.sig" };
	unsigned n = 11;
	va_list args;

	va_start(args, first);
	for (const char *a = first; a && n + 1 < ARGS_MAX; a = va_arg(args, const char *))
		argv[n++] = (char *)a;
	va_end(args);
	return run_program(argv, 60, output, sizeof(output));
}

static void refuses(const char *option, const char *value, const char *reason)
{
	unlink(OUT);
	assert_false(mkboot(option, value, NULL));
	if (!strstr(output, reason))
		fail_msg("mkboot said \"%s\", expected \"%s\"", output, reason);
	assert_int_not_equal(access(OUT, F_OK), 0);
}

struct expected {
	uint32_t kind;
	const char *name;
};

static void expect_list(const char *path, const char *magic, const struct expected *expected, unsigned count)
{
	struct lzr_boot_list_header header;
	struct lzr_boot_list_entry entry;
	static const char zero[LZR_NAME_MAX];
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_int_equal(fread(&header, sizeof(header), 1, f), 1);
	assert_string_equal(header.magic, magic);
	assert_int_equal(header.version, LZR_BOOT_LIST_VERSION);
	assert_int_equal(header.count, count);
	for (unsigned i = 0; i < count; i++) {
		size_t length = strlen(expected[i].name);

		assert_int_equal(fread(&entry, sizeof(entry), 1, f), 1);
		assert_int_equal(entry.kind, expected[i].kind);
		assert_int_equal(entry.reserved, 0);
		assert_string_equal(entry.name, expected[i].name);
		assert_memory_equal(entry.name + length, zero, LZR_NAME_MAX - length);
	}
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
}

static void the_lists_have_their_order(void **state)
{
	static const struct expected measured[] = {
		{ LZR_FILE_SIGNER_KEY, "signer.lzrkey" }, { LZR_FILE_POLICY, "policy.dtb" },
		{ LZR_FILE_POLICY_SIGNATURE, "policy.sig" }, { LZR_FILE_MANIFEST, "red" },
		{ LZR_FILE_MANIFEST, "blue" },
	}, segments[] = { { LZR_FILE_SEGMENT, "kernel" } };
	char *copy[] = { "mcopy", "-i", OUT, "::/lazaret/boot.list", "::/lazaret/segment.list", "::/lazaret/kernel",
			 "::/EFI/BOOT/BOOTX64.EFI", DIR "/other", NULL };
	char *same[] = { "cmp", DIR "/kernel", DIR "/other/kernel", NULL };
	char *same_loader[] = { "cmp", DIR "/loader.efi", DIR "/other/BOOTX64.EFI", NULL };

	(void)state;
	assert_true(mkboot("--segment", DIR "/kernel", "--manifest", DIR "/red.manifest", "--manifest",
			   DIR "/blue.manifest", NULL));
	unlink(DIR "/other/kernel");
	assert_true(run_program(copy, 30, output, sizeof(output)));
	assert_true(run_program(same, 10, NULL, 0));
	assert_true(run_program(same_loader, 10, NULL, 0));
	expect_list(DIR "/other/boot.list", LZR_BOOT_LIST_MAGIC, measured, 5);
	expect_list(DIR "/other/segment.list", LZR_SEGMENT_LIST_MAGIC, segments, 1);
}

static size_t list_bytes(uint8_t *out, size_t capacity)
{
	char *copy[] = { "mcopy", "-n", "-o", "-i", OUT, "::/lazaret/boot.list", DIR "/list", NULL };
	size_t length;
	FILE *f;

	assert_true(run_program(copy, 30, output, sizeof(output)));
	f = fopen(DIR "/list", "rb");
	assert_non_null(f);
	length = fread(out, 1, capacity, f);
	fclose(f);
	return length;
}

/* The measured list is the same when manifests, segments and the policy have other bytes and lengths. */
static void content_does_not_change_the_measured_list(void **state)
{
	uint8_t before[1024], after[1024];
	size_t length;

	(void)state;
	assert_true(mkboot("--manifest", DIR "/red.manifest", "--segment", DIR "/kernel", NULL));
	length = list_bytes(before, sizeof(before));
	assert_int_equal(length, 16 + 4 * 56);
	write_file("red.manifest", 4711);
	write_file("kernel", 12);
	write_file("policy.dtb", 3001);
	write_file("initrd", 12);
	assert_true(mkboot("--manifest", DIR "/red.manifest", "--segment", DIR "/kernel", "--segment", DIR "/initrd",
			   NULL));
	assert_int_equal(list_bytes(after, sizeof(after)), length);
	assert_memory_equal(after, before, length);
}

/* The signature's file is called as the policy's; what lies beside the image is left alone. */
static void the_signature_takes_the_policys_name(void **state)
{
	char *other[] = { "build/bin/mkboot", "--out", OUT, "--loader", DIR "/loader.efi", "--key",
			  DIR "/signer.lzrkey", "--policy", DIR "/policy.dtb", "--signature", DIR "/other/kernel",
			  NULL };
	char *too_long[] = { "build/bin/mkboot", "--out", OUT, "--loader", DIR "/loader.efi", "--key",
			     DIR "/signer.lzrkey", "--policy", DIR "/a2345678901234567890123456789012345678901234567",
			     "--signature", DIR "/policy.sig", NULL };
	static const struct expected measured[] = {
		{ LZR_FILE_SIGNER_KEY, "signer.lzrkey" }, { LZR_FILE_POLICY, "policy.dtb" },
		{ LZR_FILE_POLICY_SIGNATURE, "policy.sig" },
	};
	uint8_t list[1024];

	(void)state;
	write_file("esp.img.list", 5);
	assert_true(run_program(other, 60, output, sizeof(output)));
	list_bytes(list, sizeof(list));
	expect_list(DIR "/list", LZR_BOOT_LIST_MAGIC, measured, 3);
	assert_int_equal(access(DIR "/esp.img.list", F_OK), 0);
	write_file("a2345678901234567890123456789012345678901234567", 9);
	assert_false(run_program(too_long, 60, output, sizeof(output)));
	assert_non_null(strstr(output, "its name is too long for a signature called the same, with .sig: rename it"));
}

static void bad_input_is_named(void **state)
{
	(void)state;
	refuses("--manifest", DIR "/nothing.manifest", "nothing.manifest: No such file");
	refuses("--segment", DIR "/empty", "empty: 0 bytes, expected a file of 1 to");
	refuses("--segment", DIR, "mkboot-test: ");
	refuses("--segment", DIR "/space name", "its name \"space name\": expected 1 to 47 letters, digits");
	refuses("--segment", DIR "/-dash", "neither dash nor dot first");
	refuses("--signature", DIR "/policy.sig", "would both be \\lazaret\\policy.sig");
	refuses("--policy", DIR "/kernel", "exactly one each of --key, --policy and --signature");
	refuses("--key", DIR "/kernel", "70000 bytes, expected a file of 1 to 4096");
	refuses("--loader", DIR "/nothing.efi", "nothing.efi: no such file");
	write_file("segment.list", 1);
	refuses("--segment", DIR "/segment.list", "the name is taken by a list");
	unlink(OUT);
	assert_false(mkboot("--segment", DIR "/kernel", "--segment", DIR "/other/kernel", NULL));
	assert_non_null(strstr(output, "would both be \\lazaret\\kernel"));
	assert_false(mkboot("stray", NULL));
	assert_false(mkboot("--bogus", NULL));
	assert_true(mkboot("--help", NULL));
	assert_non_null(strstr(output, "usage: mkboot"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_lists_have_their_order, setup),
		cmocka_unit_test_setup(content_does_not_change_the_measured_list, setup),
		cmocka_unit_test_setup(the_signature_takes_the_policys_name, setup),
		cmocka_unit_test_setup(bad_input_is_named, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
