/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "boot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "esp.h"
#include "run.h"


static void write_file(const char *name, const void *data, size_t length)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), BOOT_DIR "/%s", name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, length, f), length);
	assert_int_equal(fclose(f), 0);
}

void boot_make_volume(const char *loader)
{
	static const uint8_t key[20] = "LZRKEY1\0\1\0\0\0\4\0\0\0DER";
	static uint8_t large[300000], signature[96];
	char *clean[] = { "rm", "-rf", BOOT_DIR, NULL }, *make[] = { "mkdir", "-p", BOOT_DIR, NULL };
	char loader_path[128], output[1024];
	char *mkboot[] = { "build/bin/mkboot", "--out", BOOT_ESP, "--loader", loader_path, "--key",
			   BOOT_DIR "/signer.lzrkey",
			   "--policy", BOOT_DIR "/policy.dtb", "--signature", BOOT_DIR "/policy.sig",
			   "--manifest", BOOT_DIR "/red.manifest", "--manifest", BOOT_DIR "/blue.manifest",
			   "--segment", BOOT_DIR "/kernel", NULL };

	snprintf(loader_path, sizeof(loader_path), "build/%s.efi", loader);
	assert_true(run_program(clean, 30, NULL, 0));
	assert_true(run_program(make, 30, NULL, 0));
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 7 + i / 256);
	write_file("signer.lzrkey", key, sizeof(key));
	write_file("policy.dtb", "the policy", 10);
	write_file("policy.sig", signature, sizeof(signature));
	write_file("red.manifest", "the manifest of red", 19);
	write_file("blue.manifest", "and that of blue", 16);
	write_file("kernel", large, sizeof(large));
	if (!run_program(mkboot, 60, output, sizeof(output)))
		fail_msg("mkboot: %s", output);
}

void boot_replace(const char *name, const void *data, size_t length)
{
	char target[128];

	write_file("replacement", data, length);
	snprintf(target, sizeof(target), "lazaret/%s", name);
	assert_true(esp_put(BOOT_ESP, BOOT_DIR "/replacement", target));
}

size_t boot_read_list(const char *name, uint8_t *out, size_t capacity)
{
	char source[64];
	char *copy[] = { "mcopy", "-n", "-o", "-i", BOOT_ESP, source, BOOT_LIST, NULL };
	size_t got;
	FILE *f;

	snprintf(source, sizeof(source), "::/lazaret/%s", name);
	assert_true(run_program(copy, 30, NULL, 0));
	f = fopen(BOOT_LIST, "rb");
	assert_non_null(f);
	got = fread(out, 1, capacity, f);
	fclose(f);
	return got;
}

struct rig *boot_start(const struct rig_config *changes)
{
	struct rig_config config = changes ? *changes : (struct rig_config){ 0 };
	struct rig *rig;

	config.dir = BOOT_DIR "/machine";
	config.esp = BOOT_ESP;
	config.seconds = BOOT_SECONDS;
	rig = rig_start(&config);
	assert_non_null(rig);
	return rig;
}

uint64_t boot_field(struct rig *rig, const char *name)
{
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "probe: %s ", name);
	at = strstr(rig_serial(rig), start);
	assert_non_null(at);
	return strtoull(at + strlen(start), NULL, 16);
}
