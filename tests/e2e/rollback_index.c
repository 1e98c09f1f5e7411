/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rollback_index.h"

#include <stdio.h>
#include <unistd.h>

#include "rig.h"
#include "run.h"

static bool run(char *const argv[])
{
	char output[2048];

	if (run_program(argv, 60, output, sizeof(output)))
		return true;
	fprintf(stderr, "%s: %s\n", argv[0], output);
	return false;
}

static bool write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");
	bool ok = f && fwrite(data, size, 1, f) == 1;

	if (!f || fclose(f) || !ok) {
		fprintf(stderr, "%s: cannot be written\n", path);
		return false;
	}
	return true;
}

struct tpm {
	char path[64], tcti[96];
	pid_t child;
};

/* Talks to the TPM by a socket in /tmp, as its path must be short. */
static bool tpm_start(struct tpm *tpm, const char *dir)
{
	char server[96], control[96], directory[300], log[300];
	char *swtpm[] = { "swtpm", "socket", "--tpm2", "--tpmstate", directory, "--server", server, "--ctrl", control,
			  "--flags", "not-need-init,startup-clear", NULL };

	snprintf(tpm->path, sizeof(tpm->path), "/tmp/lzr-rollback-%d", (int)getpid());
	snprintf(server, sizeof(server), "type=unixio,path=%s", tpm->path);
	snprintf(control, sizeof(control), "type=unixio,path=%s.ctrl", tpm->path);
	snprintf(tpm->tcti, sizeof(tpm->tcti), "swtpm:path=%s", tpm->path);
	snprintf(directory, sizeof(directory), "dir=%s/tpm", dir);
	snprintf(log, sizeof(log), "%s/tpm.log", dir);
	tpm->child = run_start(swtpm, log);
	for (unsigned i = 0; i < 500 && access(tpm->path, R_OK); i++)
		usleep(20000);
	return tpm->child > 0;
}

static bool tpm_stop(struct tpm *tpm)
{
	char control[96], *stop[] = { "tpm2_shutdown", "-c", "-T", tpm->tcti, NULL };
	bool ok = tpm->child > 0 && run(stop);

	run_stop(tpm->child);
	unlink(tpm->path);
	snprintf(control, sizeof(control), "%s.ctrl", tpm->path);
	unlink(control);
	return ok;
}

static bool define(const char *dir, const struct tpm *tpm, bool raised)
{
	char input[300], registers[300], policy[300];
	char *allow[] = { "tpm2_createpolicy", "--policy-pcr", "-l", "sha384:4,8", "-f", registers, "-L", policy, "-T",
			  (char *)tpm->tcti, NULL };
	char *who = raised ? "ownerwrite|ownerread|authread|no_da|policywrite" : "ownerwrite|ownerread|authread|no_da";
	char *make[] = { "tpm2_nvdefine", "0x01804c5a", "-C", "o", "-s", "112", "-a", who, "-T",
			 (char *)tpm->tcti, raised ? "-L" : NULL, policy, NULL };
	char *write[] = { "tpm2_nvwrite", "0x01804c5a", "-C", "o", "-i", input, "-T", (char *)tpm->tcti, NULL };

	snprintf(input, sizeof(input), "%s/nv", dir);
	snprintf(registers, sizeof(registers), "%s/pcrs", dir);
	snprintf(policy, sizeof(policy), "%s/pcrs.policy", dir);
	return (!raised || run(allow)) && run(make) && run(write);
}

bool rollback_index_define(const char *dir, const struct rollback_nv *content, const uint8_t *registers)
{
	const char *maker = rig_tpm_maker();
	char from[600], state[256], input[256], values[256];
	char *folder[] = { "mkdir", "-p", (char *)dir, NULL }, *copy[] = { "cp", "-r", from, state, NULL };
	struct tpm tpm;

	snprintf(from, sizeof(from), "%s/state", maker ? maker : "");
	snprintf(state, sizeof(state), "%s/tpm", dir);
	snprintf(input, sizeof(input), "%s/nv", dir);
	snprintf(values, sizeof(values), "%s/pcrs", dir);
	if (!maker || !run(folder) || !run(copy) || !write_file(input, content, sizeof(*content)) ||
	    (registers && !write_file(values, registers, ROLLBACK_REGISTERS)))
		return false;
	bool ok = tpm_start(&tpm, dir) && define(dir, &tpm, registers != NULL);
	return tpm_stop(&tpm) && ok;
}

bool rollback_index_read(const char *dir, struct rollback_nv *content)
{
	char output[300];
	struct tpm tpm;
	char *read[] = { "tpm2_nvread", "0x01804c5a", "-C", "0x01804c5a", "-o", output, "-T", tpm.tcti, NULL };
	FILE *f;

	snprintf(output, sizeof(output), "%s/nv.read", dir);
	unlink(output);
	bool ok = tpm_start(&tpm, dir) && run(read);
	ok = tpm_stop(&tpm) && ok;
	f = ok ? fopen(output, "rb") : NULL;
	ok = f && fread(content, 1, sizeof(*content), f) == sizeof(*content) && fgetc(f) == EOF;
	if (f)
		fclose(f);
	return ok;
}
