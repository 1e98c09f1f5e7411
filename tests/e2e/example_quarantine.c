/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quarantine example (policy/examples/quarantine.dts) booted with a verifier outside that does not know the
 * visitor's image: the visitor reaches the inspector, no more often than it may, and nobody else.  Then the verifier's
 * officer accepts the image: the visitor reaches the gateway and a web server, but neither another port of that server
 * nor, any longer, the inspector.  On the way: the machine's TPM is a stranger until somebody approves it, and
 * revocations that the switch refuses, or that nobody is there to take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "example.h"

#define SECONDS 300u
#define INSPECTOR 33u
#define VISITOR 34u
#define RATE 10u                        /* frames a second, as the policy has it */
#define WATCH 12u

static int boot(void **state)
{
	(void)state;
	example_forward[0] = "tcp:10.0.3.80:80-cmd:/bin/cat";
	example_forward[1] = "tcp:10.0.3.80:8080-cmd:/bin/cat";
	example_stranger = true;
	return example_boot("quarantine", SECONDS, "quarantine-visitor");
}

/* The last of the inspector's counts: all that it heard of the visitor, and the most in a second. */
static void last_count(unsigned *total, unsigned *most)
{
	const char *at = NULL, *next = rig_serial(machine);

	while ((next = strstr(next, "INSPECTOR heard=")) && strchr(next, '\n'))
		at = next++;
	*total = at ? (unsigned)machine_number(at, "heard=") : 0;
	*most = at ? (unsigned)machine_number(at, "most=") : 0;
}

/* The output of an lzr-verify command that must end with `status` and say `words`. */
static void verifier_says(char *const arguments[], int status, const char *words)
{
	static char output[64 << 10];
	const int found = example_status(arguments, 100, output, sizeof(output));

	if (found != status || !strstr(output, words))
		machine_fail(machine, "lzr-verify %s: expected status %d and \"%s\", found %d and:\n%s", arguments[0],
			     status, words, found, output);
}

/* Until a command's output has the words, or has them no longer. */
static void wait_until_verifier(char *const arguments[], const char *words, bool there)
{
	static char output[64 << 10];

	for (unsigned i = 0; i < SECONDS && rig_running(machine); i++) {
		if (example_verify(arguments, 60, output, sizeof(output)) && (strstr(output, words) != NULL) == there)
			return;
		sleep(1);
	}
	machine_fail(machine, "lzr-verify %s: \"%s\" %s:\n%s", arguments[0], words, there ? "never came" : "stayed",
		     output);
}

static unsigned sessions(const char **last)
{
	const char *next = example_events();
	unsigned n = 0;

	for (*last = ""; (next = strstr(next, "session begins")); n++)
		*last = next++;
	return n;
}

/* A session that signs with `key` has judged the machine. */
static void let_sign(const char *key)
{
	const char *last;
	const unsigned before = sessions(&last);

	assert_true(example_key(key));
	example_new_session();
	for (unsigned i = 0; i < SECONDS && rig_running(machine); i++) {
		if (sessions(&last) > before && strstr(last, "vm=inspector good lease"))
			return;
		sleep(1);
	}
	machine_fail(machine, "no session with %s has judged the machine:\n%s", key, example_events());
}

/* Its maker is one of those that are believed; nobody has said that it may enrol. */
static void a_stranger_is_refused_and_named(void **state)
{
	char *approvals[] = { "approvals", NULL }, *machines[] = { "status", NULL };

	(void)state;
	example_waits_for_event("not-approved");
	verifier_says(approvals, 0, "pending 1: ");
	verifier_says(machines, 0, "no machine is enrolled\n");
	assert_null(strstr(example_events(), "good"));
}

static void a_stranger_that_is_approved_is_let_in(void **state)
{
	char *approve[] = { "approve", "--pending", "1", NULL }, *machines[] = { "status", NULL };

	(void)state;
	verifier_says(approve, 0, "approval 1: the TPM with endorsement key ");
	example_waits_for_event("vm=inspector good lease");
	verifier_says(machines, 0, "by approval 1; last good evidence ");
}

static void an_unknown_image_is_refused(void **state)
{
	(void)state;
	example_waits_for_event("vm=inspector good lease");
	example_waits_for_event("vm=visitor refused reference-missing");
	assert_null(strstr(example_events(), "vm=visitor good"));
}

static void the_inspector_is_reached_and_looks(void **state)
{
	(void)state;
	machine_says("VISITOR 10.0.3.33 answers");
	machine_says("INSPECTOR has looked at the visitor");
}

/* The visitor sends it about a hundred frames a second.  A second of the count is not one of the limit. */
static void no_more_often_than_it_may(void **state)
{
	unsigned before, after, most;

	(void)state;
	sleep(3);
	last_count(&before, &most);
	sleep(WATCH);
	last_count(&after, &most);
	assert_in_range(after - before, WATCH / 2, RATE * (WATCH + 4));
	assert_in_range(most, 1, RATE + RATE / 2);
}

static void nobody_else_is_reached(void **state)
{
	(void)state;
	assert_int_equal(example_frames(VISITOR, VISITOR, NULL), 0);
	machine_silent("VISITOR 10.0.3.2 answers");
	machine_silent("VISITOR 10.0.3.20 answers");
	machine_silent("LZR-ARRIVED at=attestor from=10.0.3.34");
	machine_silent("VISITOR 10.0.3.80 opens");
}

static void an_accepted_image_is_let_out(void **state)
{
	(void)state;
	assert_true(example_reference("reference", NULL));
	example_new_session();
	example_waits_for_event("vm=visitor good lease");
	machine_says("VISITOR 10.0.3.2 answers");
	machine_says("VISITOR 10.0.3.80 opens port 80\r");
	assert_true(example_frames(VISITOR, VISITOR, NULL) > 0);
	machine_silent("VISITOR 10.0.3.20 answers");
}

/*
 * No rule lets the admitted visitor ask the inspector, and none lets the inspector out.  Rule `surf` is for the web:
 * the visitor knocks as often at another port that is open.
 */
static void rules_hold_after_admission(void **state)
{
	unsigned before, after, most;

	(void)state;
	sleep(3);
	last_count(&before, &most);
	sleep(4);
	last_count(&after, &most);
	assert_int_equal(after, before);
	assert_int_equal(example_frames(INSPECTOR, INSPECTOR, NULL), 0);
	machine_silent("INSPECTOR reached the gateway");
	machine_silent("VISITOR 10.0.3.80 opens port 8080");
}

/*
 * The sessions' key is none that the policy names, so nobody can have closed the port in between.  The next session,
 * with the right key, finds the revoked port open in evidence and closes it.
 */
static void a_revocation_that_the_switch_refuses(void **state)
{
	char *revoke[] = { "revoke", "--vm", "visitor", "--key", "keys/signer.pem", NULL };
	char *again[] = { "revoke", "--vm", "visitor", "--key", "keys/verifier.pem", NULL };

	(void)state;
	let_sign("keys/signer.pem");
	verifier_says(revoke, 3, "visitor: the switch refused the revocation: signature; its port is admitted");
	let_sign("keys/verifier.pem");
	verifier_says(again, 0, "visitor: blocked, confirmed by the switch\n");
}

/* It goes out with the session that comes then. */
static void a_revocation_without_a_session(void **state)
{
	char *revoke[] = { "revoke", "--vm", "inspector", "--key", "keys/verifier.pem", NULL };
	char *machines[] = { "status", NULL };

	(void)state;
	assert_true(example_key(NULL));
	example_new_session();
	wait_until_verifier(machines, "session open", false);
	verifier_says(revoke, 4, "has no session; it goes out when one has proved itself\n");
	verifier_says(machines, 0, "NOT confirmed by the switch");
	assert_true(example_key("keys/verifier.pem"));
	wait_until_verifier(machines, "NOT confirmed", false);
	wait_until_verifier(machines, "session open", true);
	verifier_says(revoke, 0, "inspector: blocked, confirmed by the switch\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_is_refused_and_named),
		cmocka_unit_test(a_stranger_that_is_approved_is_let_in),
		cmocka_unit_test(an_unknown_image_is_refused),
		cmocka_unit_test(the_inspector_is_reached_and_looks),
		cmocka_unit_test(no_more_often_than_it_may),
		cmocka_unit_test(nobody_else_is_reached),
		cmocka_unit_test(an_accepted_image_is_let_out),
		cmocka_unit_test(rules_hold_after_admission),
		cmocka_unit_test(a_revocation_that_the_switch_refuses),
		cmocka_unit_test(a_revocation_without_a_session),
	};

	return cmocka_run_group_tests_name("example: quarantine", tests, boot, machine_end);
}
