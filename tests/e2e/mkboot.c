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

static void the_list_has_its_order(void **state)
{
	static const struct { uint32_t kind; const char *name; uint64_t length; } expected[] = {
		{ LZR_FILE_SIGNER_KEY, "signer.lzrkey", 136 }, { LZR_FILE_POLICY, "policy.dtb", 3000 },
		{ LZR_FILE_POLICY_SIGNATURE, "policy.sig", 96 }, { LZR_FILE_MANIFEST, "red", 4000 },
		{ LZR_FILE_MANIFEST, "blue", 4001 }, { LZR_FILE_SEGMENT, "kernel", 70000 },
	};
	char *copy[] = { "mcopy", "-i", OUT, "::/lazaret/boot.list", "::/lazaret/kernel", "::/EFI/BOOT/BOOTX64.EFI",
			 DIR "/other", NULL };
	char *same[] = { "cmp", DIR "/kernel", DIR "/other/kernel", NULL };
	char *same_loader[] = { "cmp", DIR "/loader.efi", DIR "/other/BOOTX64.EFI", NULL };
	struct lzr_boot_list_header header;
	struct lzr_boot_list_entry entry;
	FILE *f;

	(void)state;
	assert_true(mkboot("--segment", DIR "/kernel", "--manifest", DIR "/red.manifest", "--manifest",
			   DIR "/blue.manifest", NULL));
	unlink(DIR "/other/kernel");
	assert_true(run_program(copy, 30, output, sizeof(output)));
	assert_true(run_program(same, 10, NULL, 0));
	assert_true(run_program(same_loader, 10, NULL, 0));
	f = fopen(DIR "/other/boot.list", "rb");
	assert_non_null(f);
	assert_int_equal(fread(&header, sizeof(header), 1, f), 1);
	assert_string_equal(header.magic, LZR_BOOT_LIST_MAGIC);
	assert_int_equal(header.count, 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(fread(&entry, sizeof(entry), 1, f), 1);
		assert_int_equal(entry.kind, expected[i].kind);
		assert_int_equal(entry.reserved, 0);
		assert_int_equal(entry.length, expected[i].length);
		assert_string_equal(entry.name, expected[i].name);
	}
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
}

static void bad_input_is_named(void **state)
{
	(void)state;
	refuses("--manifest", DIR "/nothing.manifest", "nothing.manifest: No such file");
	refuses("--segment", DIR "/empty", "empty: 0 bytes, expected a file of 1 to");
	refuses("--segment", DIR, "mkboot-test: ");
	refuses("--segment", DIR "/space name", "letters, digits");
	refuses("--signature", DIR "/policy.sig", "would both be \\lazaret\\policy.sig");
	refuses("--policy", DIR "/kernel", "exactly one each of --key, --policy and --signature");
	refuses("--key", DIR "/kernel", "70000 bytes, expected a file of 1 to 4096");
	refuses("--loader", DIR "/nothing.efi", "nothing.efi: no such file");
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
		cmocka_unit_test_setup(the_list_has_its_order, setup),
		cmocka_unit_test_setup(bad_input_is_named, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
