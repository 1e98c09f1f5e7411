/* SPDX-License-Identifier: Apache-2.0 */
/* The rollback index in the TPM: absent, right, and not Lazaret's.  tpm2-tools define it before the machine starts. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <lazaret/boot.h>

#include "boot.h"
#include "rollback.h"
#include "run.h"

#define TPM_DIR BOOT_DIR "/machine/tpm"
#define TPM_SOCKET "/tmp/lzr-rollback"  /* short, as socket paths must be */

static void must_run(char *const argv[])
{
	char output[2048];

	if (!run_program(argv, 30, output, sizeof(output)))
		fail_msg("%s: %s", argv[0], output);
}

static void define_index(const char *magic)
{
	char path[64], server[96], control[96], tcti[96];
	struct rollback_nv nv = { .floor = 0x1122334455667788ull };
	char *state[] = { "cp", "-r", NULL, TPM_DIR, NULL }, *folder[] = { "mkdir", "-p", BOOT_DIR "/machine", NULL };
	char *swtpm[] = { "swtpm", "socket", "--tpm2", "--tpmstate", "dir=" TPM_DIR, "--server", server, "--ctrl",
			  control,
			  "--flags", "not-need-init,startup-clear", NULL };
	char *define[] = { "tpm2_nvdefine", "0x01804c5a", "-C", "o", "-s", "64", "-a",
			   "ownerwrite|ownerread|authread|no_da",
			   "-T", tcti, NULL };
	char *write[] = { "tpm2_nvwrite", "0x01804c5a", "-C", "o", "-i", BOOT_DIR "/nv", "-T", tcti, NULL };
	char *stop[] = { "tpm2_shutdown", "-c", "-T", tcti, NULL };
	char maker[600];
	pid_t child;
	FILE *f;

	snprintf(path, sizeof(path), TPM_SOCKET "-%d", (int)getpid());
	snprintf(server, sizeof(server), "type=unixio,path=%s", path);
	snprintf(control, sizeof(control), "type=unixio,path=%s.ctrl", path);
	snprintf(tcti, sizeof(tcti), "swtpm:path=%s", path);
	assert_non_null(rig_tpm_maker());
	snprintf(maker, sizeof(maker), "%s/state", rig_tpm_maker());
	state[2] = maker;
	must_run(folder);
	must_run(state);
	memcpy(nv.magic, magic, sizeof(nv.magic));
	f = fopen(BOOT_DIR "/nv", "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(&nv, sizeof(nv), 1, f), 1);
	fclose(f);
	child = run_start(swtpm, BOOT_DIR "/swtpm.log");
	for (unsigned i = 0; i < 200 && access(path, R_OK); i++)
		usleep(20000);
	must_run(define);
	must_run(write);
	must_run(stop);
	run_stop(child);
	unlink(path);
	strcat(path, ".ctrl");
	unlink(path);
}

static void the_index_is_handed_over(void **state)
{
	struct rig *rig;

	(void)state;
	boot_make_volume("lazaret-probe");
	define_index(ROLLBACK_NV_MAGIC);
	rig = boot_start(NULL);
	assert_true(rig_wait_line(rig, "probe: end", 50, NULL, 0));
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
	assert_true(rig_wait_line(rig, "REFUSED: ", 50, line, sizeof(line)));
	assert_non_null(strstr(line, "TPM NV index 1804c5a does not start with LZRNVR1"));
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
