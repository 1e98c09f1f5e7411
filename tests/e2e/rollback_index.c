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

static bool write_content(const char *path, const struct rollback_nv *content)
{
	FILE *f = fopen(path, "wb");
	bool ok = f && fwrite(content, sizeof(*content), 1, f) == 1;

	if (!f || fclose(f) || !ok) {
		fprintf(stderr, "%s: cannot be written\n", path);
		return false;
	}
	return true;
}

/* Talks to the TPM by a socket in /tmp, as its path must be short. */
static bool define(const char *state, const char *content)
{
	char path[64], server[96], control[96], tcti[96], directory[300], log[300], input[300];
	char *swtpm[] = { "swtpm", "socket", "--tpm2", "--tpmstate", directory, "--server", server, "--ctrl", control,
			  "--flags", "not-need-init,startup-clear", NULL };
	char *make[] = { "tpm2_nvdefine", "0x01804c5a", "-C", "o", "-s", "112", "-a",
			 "ownerwrite|ownerread|authread|no_da", "-T", tcti, NULL };
	char *write[] = { "tpm2_nvwrite", "0x01804c5a", "-C", "o", "-i", input, "-T", tcti, NULL };
	char *stop[] = { "tpm2_shutdown", "-c", "-T", tcti, NULL };
	pid_t child;
	bool ok;

	snprintf(path, sizeof(path), "/tmp/lzr-rollback-%d", (int)getpid());
	snprintf(server, sizeof(server), "type=unixio,path=%s", path);
	snprintf(control, sizeof(control), "type=unixio,path=%s.ctrl", path);
	snprintf(tcti, sizeof(tcti), "swtpm:path=%s", path);
	snprintf(directory, sizeof(directory), "dir=%s", state);
	snprintf(log, sizeof(log), "%s.log", state);
	snprintf(input, sizeof(input), "%s", content);
	child = run_start(swtpm, log);
	for (unsigned i = 0; i < 500 && access(path, R_OK); i++)
		usleep(20000);
	ok = child > 0 && run(make) && run(write) && run(stop);
	run_stop(child);
	unlink(path);
	snprintf(control, sizeof(control), "%s.ctrl", path);
	unlink(control);
	return ok;
}

bool rollback_index_define(const char *dir, const struct rollback_nv *content)
{
	const char *maker = rig_tpm_maker();
	char from[600], state[256], input[256];
	char *folder[] = { "mkdir", "-p", (char *)dir, NULL }, *copy[] = { "cp", "-r", from, state, NULL };

	snprintf(from, sizeof(from), "%s/state", maker ? maker : "");
	snprintf(state, sizeof(state), "%s/tpm", dir);
	snprintf(input, sizeof(input), "%s/nv", dir);
	return maker && run(folder) && run(copy) && write_content(input, content) && define(state, input);
}
