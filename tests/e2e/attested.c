/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of a whole machine, as it is built and with one byte of its PE changed: it boots all the same (without
 * Secure Boot nobody stops it), and the verifier names what differs.  The changed bytes lie in texts that loader and
 * hypervisor print, so that the log shows that the changed program ran.
 */
#define _GNU_SOURCE
#include "attested.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine.h"
#include "refuse.h"
#include "run.h"

#define SECONDS 280u            /* for a machine; 15 when nothing else runs */
#define DIR "build/run/attested"
#define PE "BOOTX64.EFI"

static const struct trial {
	const char *name;
	const char *text;               /* one of its letters changes case; NULL: the last byte; "": none */
	const char *verdict[2];         /* what is named, and what once that is accepted; NULL: all is good */
} trials[] = {
	{ "good", "", { NULL } },
	{ "loader", "leaving the firmware", { "PCR 4 (loader and hypervisor PE)" } },
	{ "hypervisor", "Lazaret hypervisor", { "PCR 4 (loader and hypervisor PE)", "hypervisor" } },
	{ "last", NULL, { "PCR 4 (loader and hypervisor PE)" } },
};
#define TRIALS (sizeof(trials) / sizeof(trials[0]))

static struct attested machines[TRIALS];
static bool side_by_side;

/* --- the verifier's side -------------------------------------------------------------------------------------- */

static void add_event(void *context, int64_t at_ms, const char *who, const char *text)
{
	(void)at_ms;
	fprintf(context, "%s %s\n", who, text);
}

/* What the verifier has recorded so far, a line for each event; NULL before it has a state. */
static char *attested_events(const struct attested *a)
{
	struct fault f = { 0 };
	struct store store;
	char path[256], *text = NULL;
	size_t length;
	int64_t last;
	FILE *out;

	snprintf(path, sizeof(path), "%s/" ATTESTED_STATE, a->dir);
	if (!store_open(&store, path, &f)) {
		store_close(&store);
		return NULL;
	}
	out = open_memstream(&text, &length);
	assert_non_null(out);
	assert_true(store_each_event(&store, 0, add_event, out, &last, &f));
	assert_int_equal(fclose(out), 0);
	store_close(&store);
	return text;
}

bool attested_report(const struct attested *a, struct store_report *out)
{
	struct fault f = { 0 };
	struct store store;
	char path[256];
	bool found;

	snprintf(path, sizeof(path), "%s/" ATTESTED_STATE, a->dir);
	found = store_open(&store, path, &f) && store_load_report(&store, 0, out, &f);
	store_close(&store);
	return found;
}

/* As an operator gets at it: the bundle into a file, the nonce on standard output. */
static void export_bundle(const struct attested *a, char bundle[256], char nonce[256])
{
	char state[256];
	char *export[] = { "build/bin/lzr-verify", "bundle", "--state", state, "--out", bundle, NULL };

	snprintf(bundle, 256, "%s/bundle", a->dir);
	snprintf(state, sizeof(state), "%s/" ATTESTED_STATE, a->dir);
	unlink(bundle);
	if (!run_program(export, 30, nonce, 256))
		fail_msg("%s", nonce);
	nonce[strcspn(nonce, "\n")] = 0;
}

bool attested_check(const struct attested *a, const char *reference, char *output, size_t capacity)
{
	char bundle[256], state[256], nonce[256];
	char *check[] = { "build/bin/lzr-verify", "check", "--bundle", bundle, "--nonce", nonce, "--reference",
			  (char *)reference, "--state", state, "--allow-development-key", NULL };

	snprintf(state, sizeof(state), "%s/" ATTESTED_STATE, a->dir);
	export_bundle(a, bundle, nonce);
	return run_program(check, 30, output, capacity);
}

/* The reference values with register 4 as it was found, so that what else differs is named. */
static void accept_register_4(const char *path, const char *events)
{
	const char *found = strstr(strstr(events, "PCR 4 "), "found ");
	FILE *in = fopen(ATTESTED_REFERENCE, "r"), *out = fopen(path, "w");
	char line[512];

	assert_non_null(found);
	assert_non_null(in);
	assert_non_null(out);
	while (fgets(line, sizeof(line), in))
		if (strncmp(line, "pcr 4 ", 6))
			fputs(line, out);
		else
			fprintf(out, "pcr 4 %.96s\n", found + strlen("found "));
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

/* A new state in which the rig's TPM may enrol. */
static bool make_state(const struct attested *a)
{
	char state[256], output[1024];
	char *init[] = { "build/bin/lzr-verify", "init", "--state", state, NULL };
	char *approve[] = { "build/bin/lzr-verify", "approve", "--state", state, "--ek-cert",
			    (char *)rig_tpm_ek_certificate(), NULL };

	snprintf(state, sizeof(state), "%s/" ATTESTED_STATE, a->dir);
	if (run_program(init, 30, output, sizeof(output)) && run_program(approve, 30, output, sizeof(output)))
		return true;
	fprintf(stderr, "%s", output);
	return false;
}

static bool write_serve(const struct attested *a, char *forward, size_t size)
{
	char path[768];
	FILE *f;

	snprintf(path, sizeof(path), "%s/roots.pem", a->dir);
	if (!rig_tpm_roots(path))
		return false;
	snprintf(path, sizeof(path), "%s/serve", a->dir);
	f = fopen(path, "w");
	if (!f)
		return false;
	fprintf(f, "#!/bin/sh\n"
		"exec build/bin/lzr-verify serve --stdio --state %s/" ATTESTED_STATE " --reference " ATTESTED_REFERENCE
		" --key keys/verifier.pem --ek-roots %s/roots.pem --allow-development-key 2>>%s/verifier.log\n",
		a->dir, a->dir, a->dir);
	snprintf(forward, size, "tcp:10.0.3.100:4433-cmd:%s/serve", a->dir);
	return fclose(f) == 0 && chmod(path, 0755) == 0;
}

/* --- machines ------------------------------------------------------------------------------------------------- */

static bool change_pe(const struct refuse_volume *v, const struct trial *t)
{
	size_t length, at;
	uint8_t *pe = refuse_get(v, PE, &length), *text;
	bool ok;

	if (!pe)
		return false;
	at = length - 1;
	if (t->text) {
		text = memmem(pe, length, t->text, strlen(t->text));
		assert_non_null(text);
		at = (size_t)(text - pe) + refuse_choose(t->name, strlen(t->text));
		while (pe[at] == ' ')
			at++;
	}
	print_message("           %s: byte %zu of %zu\n", PE, at, length);
	pe[at] ^= t->text ? 0x20 : 0xff;
	ok = refuse_put(v, PE, pe, length);
	free(pe);
	return ok;
}

static bool start(size_t i)
{
	struct attested *a = &machines[i];
	struct refuse_volume v;
	char forward[768];
	char *clean[] = { "rm", "-rf", a->dir, NULL }, *make[] = { "mkdir", "-p", a->dir, NULL };
	char *copy[] = { "cp", "--sparse=always", "build/tests/esp/attested.img", v.esp, NULL };
	struct rig_config config = { .dir = a->dir, .esp = v.esp, .seconds = SECONDS, .memory_mib = 1024,
				     .no_nvme = true };

	snprintf(a->dir, sizeof(a->dir), DIR "-%s", trials[i].name);
	snprintf(v.dir, sizeof(v.dir), "%s", a->dir);
	snprintf(v.esp, sizeof(v.esp), "%s/esp.img", v.dir);
	if (!run_program(clean, 30, NULL, 0) || !run_program(make, 30, NULL, 0) || !run_program(copy, 30, NULL, 0))
		return false;
	if ((!trials[i].text || trials[i].text[0]) && !change_pe(&v, &trials[i]))
		return false;
	if (!rig_tpm_maker() || !make_state(a) || !write_serve(a, forward, sizeof(forward)))
		return false;
	config.guestfwd[RIG_RESTRICTED][0] = forward;
	a->rig = rig_start(&config);
	return a->rig != NULL;
}

/* Waits until the verifier has appraised a bundle. */
static char *wait_for_verdict(const struct attested *a)
{
	for (unsigned i = 0; i < SECONDS * 5; i++) {
		struct store_report report;
		char *events = NULL;

		if (attested_report(a, &report)) {
			store_free_report(&report);
			events = attested_events(a);
		}
		if (events && (strstr(events, "session ends:") || strstr(events, "vm=attestor ")))
			return events;
		free(events);
		if (!rig_running(a->rig))
			break;
		usleep(200000);
	}
	machine_fail(a->rig, "no verdict");
	return NULL;
}

static void expect_good(const struct attested *a, const char *events)
{
	char output[4096];

	if (!strstr(events, "vm=switch good") || !strstr(events, "vm=attestor good"))
		fail_msg("%s", events);
	if (!attested_check(a, ATTESTED_REFERENCE, output, sizeof(output)))
		fail_msg("%s", output);
	eyes_on_signature(a);
	eyes_on_log(a);
	bundle_damaged(a);
}

static void expect_named(const struct attested *a, const struct trial *t, const char *events)
{
	char output[4096], accepting[256];
	bool good;

	print_message("           %s\n", strstr(events, "refused") ? strstr(events, "refused") : events);
	if (strstr(events, " good") || !strstr(events, "refused reference") || !strstr(events, t->verdict[0]))
		fail_msg("%s is not named:\n%s", t->verdict[0], events);
	assert_false(attested_check(a, ATTESTED_REFERENCE, output, sizeof(output)));
	if (!strstr(output, "platform: REFUSED (reference)") || !strstr(output, t->verdict[0]))
		fail_msg("%s is not named:\n%s", t->verdict[0], output);
	snprintf(accepting, sizeof(accepting), "%s/accepting.reference", a->dir);
	accept_register_4(accepting, events);
	good = attested_check(a, accepting, output, sizeof(output));
	if (good != !t->verdict[1] || !strstr(output, good ? "platform: good" : "platform: REFUSED (reference)"))
		fail_msg("with register 4 as it was found:\n%s", output);
	if (t->verdict[1] && (!strstr(output, t->verdict[1]) || strstr(output, t->verdict[0])))
		fail_msg("%s is not named:\n%s", t->verdict[1], output);
}

static void run_trial(void **state)
{
	const struct trial *t = *state;
	const size_t i = (size_t)(t - trials);
	struct attested *a = &machines[i];
	char *events;

	if (!a->rig && !start(i))
		fail_msg("%s: no machine", t->name);
	if (side_by_side && i + 1 < TRIALS)
		start(i + 1);           /* if it does not, its own turn says so */
	events = wait_for_verdict(a);
	if (t->text && t->text[0] && rig_seen(a->rig, t->text))
		machine_fail(a->rig, "the program that ran was not changed");
	/* An attestor that is refused tries again and again: what the verifier keeps shall stay as it is now. */
	assert_true(rig_qmp(a->rig, "{\"execute\":\"stop\"}", NULL, 0));
	sleep(2);
	if (t->verdict[0])
		expect_named(a, t, events);
	else
		expect_good(a, events);
	free(events);
}

static int end_trial(void **state)
{
	struct attested *a = &machines[(const struct trial *)*state - trials];

	rig_stop(a->rig);
	a->rig = NULL;
	return 0;
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[TRIALS];
	const char *jobs = getenv("JOBS");
	size_t count = 0;

	side_by_side = argc < 2 && (!jobs || atoi(jobs) < 2);
	for (size_t i = 0; i < TRIALS; i++)
		if (argc < 2 || strstr(trials[i].name, argv[1]))
			tests[count++] = (struct CMUnitTest){ trials[i].name, run_trial, NULL, end_trial,
							      (void *)&trials[i] };
	return _cmocka_run_group_tests("attested", tests, count, NULL, NULL);
}
