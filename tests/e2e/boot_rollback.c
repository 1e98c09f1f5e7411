/* SPDX-License-Identifier: Apache-2.0 */
/* The rollback index in the TPM: absent, right, and not Lazaret's.  tpm2-tools define it before the machine starts. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <lazaret/boot.h>

#include "boot.h"
#include "rollback_index.h"

static void define_index(const char *magic)
{
	struct rollback_nv nv = { .floor = 0x1122334455667788ull };

	memcpy(nv.magic, magic, sizeof(nv.magic));
	assert_true(rollback_index_define(BOOT_DIR "/machine", &nv, NULL));
}

static void the_index_is_handed_over(void **state)
{
	struct rig *rig;

	(void)state;
	boot_make_volume("lazaret-probe");
	define_index(ROLLBACK_NV_MAGIC);
	rig = boot_start(NULL);
	assert_true(rig_wait_line(rig, "probe: end", BOOT_SECONDS, NULL, 0));
	assert_int_equal(boot_field(rig, "flags"), LZR_BOOT_MEASURED | LZR_BOOT_ROLLBACK);
	assert_int_equal(boot_field(rig, "floor"), 0x1122334455667788ull);
	rig_stop(rig);
}

static void a_strange_index_is_refused(void **state)
{
	struct rig *rig;
	char line[512];

	(void)state;
	boot_make_volume("lazaret-probe");
	define_index("LZRNVR9");
	rig = boot_start(NULL);
	assert_true(rig_wait_line(rig, "REFUSED: ", BOOT_SECONDS, line, sizeof(line)));
	assert_non_null(strstr(line, "TPM NV index 1804c5a does not start with LZRNVR2"));
	assert_true(rig_wait_end(rig, 20));
	assert_false(rig_seen(rig, "probe:"));
	rig_stop(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_index_is_handed_over), cmocka_unit_test(a_strange_index_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
