/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPMs: manufactured once (keys, endorsement certificates, platform certificate, own certificate authority), then
 * copied into each new run directory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig_internal.h"
#include "run.h"

#define MAKER_DIR "build/rig/tpm-maker"
#define START_SECONDS 300.0     /* of a program that hangs, not of one on a busy host */

static bool write_text(const char *path, const char *format, const char *dir)
{
	FILE *f = fopen(path, "w");
	bool good;

	if (!f)
		return false;
	for (const char *p = format; *p; p++) {
		if (*p == '@')
			fputs(dir, f);
		else
			fputc(*p, f);
	}
	good = !ferror(f);
	return fclose(f) == 0 && good;
}

static bool manufacture(const char *dir)
{
	static const char localca[] =
		"statedir = @/ca\nsigningkey = @/ca/signkey.pem\nissuercert = @/ca/issuercert.pem\n"
		"certserial = @/ca/certserial\n";
	static const char setup[] =
		"create_certs_tool=/usr/bin/swtpm_localca\ncreate_certs_tool_config=@/localca.conf\n"
		"create_certs_tool_options=/etc/swtpm-localca.options\nactive_pcr_banks=sha256,sha384\n";
	char ca[600], state[600], ek[600], conf[600], local_conf[600], output[2048];
	char *make[] = { "swtpm_setup", "--tpm2", "--tpmstate", state, "--config", conf, "--create-ek-cert",
			 "--create-platform-cert", "--pcr-banks", "sha256,sha384", "--overwrite",
			 "--write-ek-cert-files", ek, NULL };

	snprintf(ca, sizeof(ca), "%s/ca", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(ek, sizeof(ek), "%s/ek", dir);
	snprintf(conf, sizeof(conf), "%s/setup.conf", dir);
	snprintf(local_conf, sizeof(local_conf), "%s/localca.conf", dir);
	if ((mkdir(ca, 0755) && errno != EEXIST) || (mkdir(state, 0755) && errno != EEXIST) ||
	    (mkdir(ek, 0755) && errno != EEXIST) ||
	    !write_text(local_conf, localca, dir) || !write_text(conf, setup, dir)) {
		fprintf(stderr, "rig: %s: %s\n", dir, strerror(errno));
		return false;
	}
	if (run_program(make, (unsigned)START_SECONDS, output, sizeof(output)))
		return true;
	fprintf(stderr, "rig: swtpm_setup failed: %s\n", output);
	return false;
}

const char *rig_tpm_maker(void)
{
	static char dir[512];
	char *make[] = { "mkdir", "-p", MAKER_DIR, NULL };
	char done[600];
	int lock;
	bool good;

	if (!run_program(make, 10, NULL, 0) || !realpath(MAKER_DIR, dir)) {
		fprintf(stderr, "rig: " MAKER_DIR ": %s; run from the top of the source tree\n", strerror(errno));
		return NULL;
	}
	lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX)) {
		fprintf(stderr, "rig: %s: %s\n", dir, strerror(errno));
		return NULL;
	}
	snprintf(done, sizeof(done), "%s/made-2", dir);  /* the first kind kept no EK certificates */
	good = access(done, R_OK) == 0 || (manufacture(dir) && write_text(done, "", ""));
	close(lock);
	return good ? dir : NULL;
}

static bool append(FILE *to, const char *directory, const char *name)
{
	char path[600], data[8192];
	FILE *from;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	from = fopen(path, "r");
	if (!from) {
		fprintf(stderr, "rig: %s: %s\n", path, strerror(errno));
		return false;
	}
	while ((n = fread(data, 1, sizeof(data), from)) > 0)
		fwrite(data, 1, n, to);
	return fclose(from) == 0;
}

bool rig_tpm_roots(const char *path)
{
	const char *maker = rig_tpm_maker();
	FILE *file = maker ? fopen(path, "w") : NULL;
	bool ok;

	if (!file) {
		if (maker)
			fprintf(stderr, "rig: %s: %s\n", path, strerror(errno));
		return false;
	}
	ok = append(file, maker, "ca/swtpm-localca-rootca-cert.pem") && append(file, maker, "ca/issuercert.pem");
	return fclose(file) == 0 && ok;
}

const char *rig_tpm_ek_certificate(void)
{
	static char path[600];
	const char *maker = rig_tpm_maker();

	if (!maker)
		return NULL;
	snprintf(path, sizeof(path), "%s/ek/ek-secp384r1.crt", maker);
	return path;
}

bool rig_tpm_start(struct rig *rig)
{
	const char *maker = rig_tpm_maker();
	const char *state = rig_path(rig, "tpm");
	char from[600], state_option[600], control_option[80], control[48];
	char *copy[] = { "cp", "-r", from, (char *)state, NULL };
	char *start[] = { "swtpm", "socket", "--tpm2", "--tpmstate", state_option, "--ctrl", control_option,
			  "--terminate",
			  "--flags", "not-need-init", NULL };

	if (!maker)
		return false;
	snprintf(from, sizeof(from), "%s/state", maker);
	if (access(state, R_OK) && !run_program(copy, 10, NULL, 0)) {
		fprintf(stderr, "rig: %s: the TPM's state cannot be copied there\n", state);
		return false;
	}
	snprintf(state_option, sizeof(state_option), "dir=%s", state);
	snprintf(control, sizeof(control), "%s/tpm", rig->sockets);
	snprintf(control_option, sizeof(control_option), "type=unixio,path=%s", control);
	rig->swtpm = run_start(start, rig_path(rig, "swtpm.log"));
	for (double deadline = rig_now() + START_SECONDS; rig->swtpm > 0 && rig_now() < deadline; usleep(10000)) {
		if (!access(control, R_OK))
			return true;
	}
	fprintf(stderr, "rig: swtpm did not start, see %s\n", rig_path(rig, "swtpm.log"));
	return false;
}
