/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "swtpm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tss2/tss2_tcti_swtpm.h>

static bool write_text(const char *directory, const char *name, const char *format)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	out = fopen(path, "w");
	if (!out)
		return false;
	for (const char *p = format; *p; p++)
		if (*p == '@')
			fputs(directory, out);
		else
			fputc(*p, out);
	return fclose(out) == 0;
}

static bool run(const char *format, const char *directory)
{
	char command[1024];

	snprintf(command, sizeof(command), format, directory, directory, directory, directory);
	return system(command) == 0;
}

static bool set_up(struct swtpm *t)
{
	return write_text(t->directory, "localca.conf",
			  "statedir = @\nsigningkey = @/signkey.pem\nissuercert = @/issuercert.pem\ncertserial = "
			  "@/serial\n") &&
	       write_text(t->directory, "localca.options",
			  "--platform-manufacturer Lazaret\n--platform-version 1\n--platform-model test\n") &&
	       write_text(t->directory, "setup.conf",
			  "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = @/localca.conf\n"
			  "create_certs_tool_options = @/localca.options\n") &&
	       run("swtpm_setup --tpm2 --tpmstate %s --config %s/setup.conf --createek --create-ek-cert"
		   " --pcr-banks sha256,sha384 --overwrite --write-ek-cert-files %s >%s/setup.log 2>&1",
		   t->directory) &&
	       run("cat %s/swtpm-localca-rootca-cert.pem %s/issuercert.pem >%s/roots.pem", t->directory);
}

static bool spawn(struct swtpm *t)
{
	char state[96], server[96], control[112];

	snprintf(state, sizeof(state), "dir=%s", t->directory);
	snprintf(server, sizeof(server), "type=unixio,path=%s/sock", t->directory);
	snprintf(control, sizeof(control), "type=unixio,path=%s/sock.ctrl", t->directory);
	t->pid = fork();
	if (t->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", control,
		       "--flags", "not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
	return t->pid > 0;
}

static bool connect_tcti(struct swtpm *t)
{
	char conf[96];
	size_t size = 0;

	snprintf(conf, sizeof(conf), "path=%s/sock", t->directory);
	if (Tss2_Tcti_Swtpm_Init(NULL, &size, conf) != TSS2_RC_SUCCESS)
		return false;
	t->tcti = calloc(1, size);
	for (int i = 0; t->tcti && i < 100; i++) {
		if (Tss2_Tcti_Swtpm_Init(t->tcti, &size, conf) == TSS2_RC_SUCCESS)
			return true;
		usleep(50000);
	}
	free(t->tcti);
	t->tcti = NULL;
	return false;
}

bool swtpm_start(struct swtpm *t)
{
	memset(t, 0, sizeof(*t));
	snprintf(t->directory, sizeof(t->directory), "/tmp/lzr-swtpm-XXXXXX");
	if (!mkdtemp(t->directory))
		return false;
	snprintf(t->roots, sizeof(t->roots), "%s/roots.pem", t->directory);
	return set_up(t) && spawn(t) && connect_tcti(t);
}

void swtpm_stop(struct swtpm *t)
{
	if (t->tcti)
		Tss2_Tcti_Finalize(t->tcti);
	free(t->tcti);
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
	if (t->directory[0])
		run("rm -rf %s", t->directory);
}
