/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "example.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "run.h"

#define MEMORY_MIB 1536u
#define FILE_MAX (1u << 20)
#define ATTESTOR 0x14u
#define VERIFIER_KEY "keys/verifier.pem"

const char *example_forward[2];
bool example_peer, example_stranger;
static const char *example;
static unsigned patience;       /* seconds of the machine's time */

const char *example_path(const char *file)
{
	static char paths[2][256];
	static unsigned turn;

	turn ^= 1;
	snprintf(paths[turn], sizeof(paths[turn]), "build/run/example_%s/%s", example, file);
	return paths[turn];
}

bool example_reference(const char *file, const char *without)
{
	char from[256], line[512], start[64] = "\n";
	FILE *in, *out = fopen(example_path(file), "w");

	snprintf(from, sizeof(from), "build/examples/%s.reference", example);
	in = fopen(from, "r");
	if (!in || !out) {
		perror(from);
		return false;
	}
	if (without)
		snprintf(start, sizeof(start), "image %s ", without);
	while (fgets(line, sizeof(line), in))
		if (strncmp(line, start, strlen(start)))
			fputs(line, out);
	fclose(in);
	return fclose(out) == 0;
}

bool example_key(const char *key)
{
	char dir[256];
	FILE *f;

	snprintf(dir, sizeof(dir), "%s", example_path(""));
	f = fopen(example_path("serve.new"), "w");
	if (!f)
		return false;
	fprintf(f, "#!/bin/sh\necho $$ >%spid\n", dir);
	if (key)
		fprintf(f, "exec build/bin/lzr-verify serve --stdio --state %s" EXAMPLE_STATE " --reference %sreference"
			" --key %s --ek-roots %sroots.pem --lease 300 --allow-development-key 2>>%sverifier.log\n",
			dir, dir, key, dir, dir);
	return fclose(f) == 0 && chmod(example_path("serve.new"), 0755) == 0 &&
	       rename(example_path("serve.new"), example_path("serve")) == 0;
}

/* The program that QEMU starts for a connection to the verifier's address. */
static bool write_serve(char *forward, size_t size)
{
	snprintf(forward, size, "tcp:10.0.3.100:4433-cmd:%s", example_path("serve"));
	return rig_tpm_roots(example_path("roots.pem")) && example_key(VERIFIER_KEY);
}

/* A new state in which the rig's TPM may enrol if it is no stranger; one that is there from an earlier boot stays. */
static bool make_state(void)
{
	char state[256], output[1024];
	char *init[] = { "build/bin/lzr-verify", "init", "--state", state, NULL };
	char *approve[] = { "build/bin/lzr-verify", "approve", "--state", state, "--ek-cert",
			    (char *)rig_tpm_ek_certificate(), NULL };

	snprintf(state, sizeof(state), "%s", example_path(EXAMPLE_STATE));
	if (access(state, F_OK) == 0 ||
	    (run_program(init, 30, output, sizeof(output)) &&
	     (example_stranger || run_program(approve, 30, output, sizeof(output)))))
		return true;
	fprintf(stderr, "%s", output);
	return false;
}

bool example_prepare(const char *name)
{
	char dir[128];
	char *clean[] = { "rm", "-rf", dir, NULL }, *make[] = { "mkdir", "-p", dir, NULL };

	example = name;
	snprintf(dir, sizeof(dir), "build/run/example_%s", name);
	return run_program(clean, 30, NULL, 0) && run_program(make, 30, NULL, 0) && rig_tpm_maker();
}

int example_start(const char *esp, unsigned seconds)
{
	struct rig_config config = { .esp = esp, .seconds = seconds, .memory_mib = MEMORY_MIB, .no_nvme = true };
	char dir[128], forward[1024];

	snprintf(dir, sizeof(dir), "build/run/example_%s", example);
	if (!make_state() || !write_serve(forward, sizeof(forward)))
		return -1;
	patience = seconds;
	config.peer[RIG_RESTRICTED] = example_peer;
	config.dir = dir;
	config.guestfwd[RIG_RESTRICTED][0] = forward;
	config.guestfwd[RIG_RESTRICTED][1] = example_forward[0];
	config.guestfwd[RIG_RESTRICTED][2] = example_forward[0] ? example_forward[1] : NULL;
	return machine_boot(&config, NULL);
}

int example_boot(const char *name, unsigned seconds, const char *without)
{
	char esp[128];

	snprintf(esp, sizeof(esp), "build/examples/%s.img", name);
	return example_prepare(name) && example_reference("reference", without) ? example_start(esp, seconds) : -1;
}

int example_status(char *const arguments[], unsigned seconds, char *output, size_t capacity)
{
	char *argv[16] = { "build/bin/lzr-verify", arguments[0], "--state", (char *)example_path(EXAMPLE_STATE) };

	for (size_t i = 1; arguments[i] && i < 11; i++)
		argv[3 + i] = arguments[i];
	return run_status(argv, seconds, output, capacity);
}

bool example_verify(char *const arguments[], unsigned seconds, char *output, size_t capacity)
{
	return example_status(arguments, seconds, output, capacity) == 0;
}

const char *example_events(void)
{
	static char text[FILE_MAX];
	char *events[] = { "events", NULL };

	if (!example_verify(events, 60, text, sizeof(text)))
		text[0] = 0;
	return text;
}

void example_waits_for_event(const char *text)
{
	for (unsigned i = 0; i < patience && rig_running(machine); i++) {
		if (strstr(example_events(), text))
			return;
		sleep(1);
	}
	machine_fail(machine, "the verifier has no \"%s\":\n%s", text, example_events());
}

unsigned example_services(const char *text, const char *format, unsigned first, unsigned but)
{
	char line[128];
	unsigned n = 0;

	for (unsigned i = 0; i < EXAMPLE_SERVICES; i++) {
		snprintf(line, sizeof(line), format, first + i);
		n += i + 1 != but && strstr(text, line) != NULL;
	}
	return n;
}

void example_new_session(void)
{
	FILE *f = fopen(example_path("pid"), "r");
	long pid = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &pid), 1);
	fclose(f);
	assert_true(pid > 1);
	assert_int_equal(kill((pid_t)pid, SIGTERM), 0);
}

bool example_check(const char *reference, char *output, size_t capacity)
{
	char bundle[256], values[256], nonce[256];
	char *export[] = { "bundle", "--out", bundle, NULL };
	char *check[] = { "check", "--bundle", bundle, "--nonce", nonce, "--reference", values,
			  "--allow-development-key", NULL };

	snprintf(bundle, sizeof(bundle), "%s", example_path("bundle"));
	snprintf(values, sizeof(values), "%s", example_path(reference));
	unlink(bundle);
	if (!example_verify(export, 30, nonce, sizeof(nonce)))
		fail_msg("%s", nonce);
	nonce[strcspn(nonce, "\n")] = 0;
	return example_verify(check, 30, output, capacity);
}

unsigned example_frames(unsigned first, unsigned last, unsigned *before)
{
	static const uint8_t ours[5] = { 0x02, 0x4c, 0x5a, 0x00, 0x03 };
	struct machine_wire wire;
	unsigned attestor = 0, frames = 0;

	machine_wire_open(&wire, RIG_RESTRICTED);
	while (machine_wire_next(&wire)) {
		if (memcmp(wire.frame + 6, ours, sizeof(ours)))
			continue;
		frames += wire.frame[11] >= first && wire.frame[11] <= last;
		attestor += wire.frame[11] == ATTESTOR && frames == 0;
	}
	if (before)
		*before = attestor;
	return frames;
}
