/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's side of the story: its roots of trust, its state, and the program that QEMU starts for a connection.
 */
#include "play.h"

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
		"exec '%s' serve --stdio --state '%s/verifier' --reference '%s' --key '%s/verifier.pem' --ek-roots "
		"'%s/roots.pem' --lease %u --allow-development-key 2>>'%s/verifier.log'\n",
		options.verify, options.dir, options.reference, options.keys, options.dir, options.lease, options.dir);
	if (fclose(file) != 0 || chmod(path, 0755) != 0) {
		fprintf(stderr, "story: %s: %s\n", path, strerror(errno));
		return false;
	}
	snprintf(forward, size, "tcp:10.0.3.100:4433-cmd:%s/serve", options.dir);
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

bool verifier_prepare(char *forward, size_t size)
{
	static char state[PATH_MAX];
	char roots[PATH_MAX];
	struct fault f = { 0 };

	snprintf(state, sizeof(state), "%s/verifier", options.dir);
	snprintf(roots, sizeof(roots), "%s/roots.pem", options.dir);
	return store_open(&store, state, &f) && rig_tpm_roots(roots) && write_server(forward, size);
}

bool verifier_go(void)
{
	return touch("go");
}
