/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's side of the story: its roots of trust, its state, and the program that QEMU starts for a connection.
 */
#include "play.h"
#include "run.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * QEMU starts this for each connection to the verifier's endpoint.  It waits for the file "go", so that every VM has
 * tried everything from inside quarantine before the first lease is given.
 */
static bool write_server(char *forward, size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/serve", options.dir);
	file = fopen(path, "w");
	if (!file) {
		fprintf(stderr, "story: %s: %s\n", path, strerror(errno));
		return false;
	}
	/* The emulator and what it starts inherit our folder: names are relative, the checkout's path is in none. */
	fprintf(file, "#!/bin/sh\nwhile [ ! -e '%s/go' ]; do sleep 0.2; done\n", options.dir);
	fprintf(file,
		"exec '%s' serve --stdio --state '%s/verifier.db' --reference '%s' --key '%s/verifier.pem' --ek-roots "
		"'%s/roots.pem' --lease %u --allow-development-key 2>>'%s/verifier.log'\n",
		options.verify, options.dir, options.files.reference, options.files.keys, options.dir, options.lease,
		options.dir);
	if (fclose(file) != 0 || chmod(path, 0755) != 0) {
		fprintf(stderr, "story: %s: %s\n", path, strerror(errno));
		return false;
	}
	if (!story.unverified)
		snprintf(forward, size, "tcp:%u.%u.%u.%u:%u-cmd:%s/serve", story.endpoint->ip[0], story.endpoint->ip[1],
			 story.endpoint->ip[2], story.endpoint->ip[3], story.endpoint->l4port, options.dir);
	return true;
}

static bool touch(const char *name)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", options.dir, name);
	file = fopen(path, "w");
	return file && fclose(file) == 0;
}

/* As an operator does it: what the command prints is part of the story. */
static bool command(char *const argv[])
{
	char output[2048] = "";
	const bool good = run_program(argv, 60, output, sizeof(output));

	fprintf(good ? stdout : stderr, "  verifier: %s%s", output, output[0] ? "" : "nothing said\n");
	return good;
}

/* A new state, in which this machine's TPM, and no other, may enrol. */
static bool make_state(char state[PATH_MAX])
{
	const char *ek = rig_tpm_ek_certificate();
	char *const init[] = { (char *)options.verify, "init", "--state", state, NULL };
	char *const approve[] = { (char *)options.verify, "approve", "--state", state, "--ek-cert", (char *)ek, NULL };

	return ek && (access(state, F_OK) == 0 || command(init)) && command(approve);
}

bool verifier_prepare(char *forward, size_t size)
{
	char state[PATH_MAX], roots[PATH_MAX], text[700];
	struct fault f = { 0 };

	snprintf(state, sizeof(state), "%s/verifier.db", options.dir);
	snprintf(roots, sizeof(roots), "%s/roots.pem", options.dir);
	if (!make_state(state))
		return false;
	if (store_open(&store, state, &f))
		return rig_tpm_roots(roots) && write_server(forward, size);
	fault_print(&f, text, sizeof(text));
	fprintf(stderr, "story: %s\n", text);
	return false;
}

bool verifier_go(void)
{
	return touch("go");
}
