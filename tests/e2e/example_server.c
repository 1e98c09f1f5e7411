/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server example (policy/examples/server.dts) booted with a verifier outside: 32 services, each in its own VM, each
 * in quarantine until the verifier has said yes to it.  The verifier says yes to all of them; to one whose reference
 * value is taken away it says no, and to the others yes.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "run.h"

#define DIR "build/run/example_server"
#define STATE DIR "/verifier"
#define REFERENCE "build/examples/server.reference"
#define SECONDS 280u
#define SERVICES 32u
#define FIRST_ADDRESS 33u
#define FILE_MAX (1u << 20)

static struct rig *rig;

/* The program that QEMU starts for a connection to the verifier's address. */
static bool write_serve(char *forward, size_t size)
{
	char top[512], command[1024];
	FILE *f;

	snprintf(command, sizeof(command),
		 "rm -rf " DIR " && mkdir -p " DIR " && cat %s/ca/swtpm-localca-rootca-cert.pem %s/ca/issuercert.pem >"
		 DIR "/roots.pem", rig_tpm_maker(), rig_tpm_maker());
	if (!getcwd(top, sizeof(top)) || system(command))
		return false;
	f = fopen(DIR "/serve", "w");
	if (!f)
		return false;
	fprintf(f, "#!/bin/sh\ncd '%s' || exit 1\n"
		"exec build/bin/lzr-verify serve --stdio --state " STATE " --reference " REFERENCE
		" --key build/keys/verifier.pem --ek-roots " DIR "/roots.pem --lease 300 --allow-development-key 2>>"
		DIR "/verifier.log\n", top);
	snprintf(forward, size, "tcp:10.0.3.100:4433-cmd:%s/" DIR "/serve", top);
	return fclose(f) == 0 && chmod(DIR "/serve", 0755) == 0;
}

static int boot(void **state)
{
	struct rig_config config = { .dir = DIR, .esp = "build/examples/server.img", .seconds = SECONDS,
				     .memory_mib = 1536, .no_nvme = true };
	char forward[768];

	(void)state;
	if (!rig_tpm_maker() || !write_serve(forward, sizeof(forward)))
		return -1;
	config.guestfwd[RIG_RESTRICTED][0] = forward;
	rig = rig_start(&config);
	return rig ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	rig_stop(rig);
	return 0;
}

/* A text of the verifier's state; "" if it is not there yet. */
static const char *state_text(const char *name)
{
	static char text[FILE_MAX];
	char path[256];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), STATE "/%s", name);
	f = fopen(path, "r");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = 0;
	return text;
}

/* How many services have such a line. */
static unsigned services_with(const char *text, const char *format, unsigned first)
{
	char line[128];
	unsigned n = 0;

	for (unsigned i = 0; i < SERVICES; i++) {
		snprintf(line, sizeof(line), format, first + i);
		n += strstr(text, line) != NULL;
	}
	return n;
}

#define LEASE "vm=service-%02u good lease"
#define READY "SERVICE 10.0.3.%u ready"
#define REACHED "SERVICE 10.0.3.%u reached its gateway"

static void all_services_start(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SECONDS && rig_running(rig); i++) {
		if (services_with(rig_serial(rig), READY, FIRST_ADDRESS) == SERVICES)
			return;
		sleep(1);
	}
	fail_msg("%u services started:\n%s", services_with(rig_serial(rig), READY, FIRST_ADDRESS), rig_serial(rig));
}

static void the_verifier_says_yes_to_all(void **state)
{
	const char *events = "";

	(void)state;
	for (unsigned i = 0; i < SECONDS && rig_running(rig); i++) {
		events = state_text("events");
		if (services_with(events, LEASE, 1) == SERVICES)
			break;
		sleep(1);
	}
	if (services_with(events, LEASE, 1) != SERVICES || strstr(events, " refused "))
		fail_msg("%u services have a lease:\n%s\n%s", services_with(events, LEASE, 1), events,
			 rig_serial(rig));
	assert_non_null(strstr(events, "vm=switch good"));
	assert_non_null(strstr(events, "vm=attestor good"));
}

/* Each had asked in vain before: what it sent in quarantine was dropped. */
static void each_port_opens(void **state)
{
	unsigned reached = 0;
	const char *at;

	(void)state;
	for (unsigned i = 0; i < SECONDS && rig_running(rig) && reached < SERVICES; i++) {
		reached = services_with(rig_serial(rig), REACHED, FIRST_ADDRESS);
		sleep(reached < SERVICES);
	}
	if (reached != SERVICES)
		fail_msg("%u services reached their gateway:\n%s\n%s", reached, state_text("events"),
			 rig_serial(rig));
	for (at = rig_serial(rig); (at = strstr(at, "reached its gateway, asked ")); at++)
		assert_in_range(strtoul(at + strlen("reached its gateway, asked "), NULL, 10), 2, 1000);
}

/* The first frame of a service on the wire comes behind the attestor's evidence, of which there are many. */
static void nothing_was_on_the_wire_before(void **state)
{
	static const uint8_t ours[5] = { 0x02, 0x4c, 0x5a, 0x00, 0x03 };
	FILE *file = fopen(rig_pcap(rig, RIG_RESTRICTED), "rb");
	uint8_t header[24], record[16], frame[65536];
	unsigned attestor = 0, services = 0;
	uint32_t size;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fread(header, 1, sizeof(header), file), sizeof(header));
	while (fread(record, 1, sizeof(record), file) == sizeof(record)) {
		memcpy(&size, record + 8, sizeof(size));
		if (size < 14 || size > sizeof(frame) || fread(frame, 1, size, file) != size)
			break;
		if (memcmp(frame + 6, ours, sizeof(ours)))
			continue;
		if (frame[11] >= FIRST_ADDRESS && services++ == 0)
			assert_true(attestor > 20);
		attestor += frame[11] == 0x14;
	}
	fclose(file);
	assert_true(services >= SERVICES);
}

static bool check(const char *reference, char *output, size_t capacity)
{
	char nonce[256], *check[] = { "build/bin/lzr-verify", "check", "--bundle", STATE "/bundle", "--nonce", nonce,
				      "--reference", (char *)reference, "--state", STATE, "--allow-development-key",
				      NULL };

	snprintf(nonce, sizeof(nonce), "%.200s", state_text("nonce"));
	return run_program(check, 30, output, capacity);
}

/* The kept evidence judged again, with all reference values and without one. */
static void one_without_a_reference_value_is_refused_alone(void **state)
{
	static char output[256 << 10];
	FILE *in = fopen(REFERENCE, "r"), *out;
	char line[512];

	(void)state;
	assert_non_null(in);
	assert_true(rig_qmp(rig, "{\"execute\":\"stop\"}", NULL, 0));
	sleep(1);
	if (!check(REFERENCE, output, sizeof(output)))
		fail_msg("%s", output);
	assert_int_equal(services_with(output, "VM service-%02u: good", 1), SERVICES);
	out = fopen(DIR "/less.reference", "w");
	assert_non_null(out);
	while (fgets(line, sizeof(line), in))
		if (strncmp(line, "image service-17 ", 17))
			fputs(line, out);
	fclose(in);
	assert_int_equal(fclose(out), 0);
	if (check(DIR "/less.reference", output, sizeof(output)) ||
	    !strstr(output, "VM service-17: REFUSED (reference-missing)"))
		fail_msg("%s", output);
	assert_int_equal(services_with(output, "VM service-%02u: good", 1), SERVICES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_services_start),
		cmocka_unit_test(the_verifier_says_yes_to_all),
		cmocka_unit_test(each_port_opens),
		cmocka_unit_test(nothing_was_on_the_wire_before),
		cmocka_unit_test(one_without_a_reference_value_is_refused_alone),
	};

	return cmocka_run_group_tests_name("example: server", tests, boot, end);
}
