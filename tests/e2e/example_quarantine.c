/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quarantine example (policy/examples/quarantine.dts) booted with a verifier outside that does not know the
 * visitor's image: the visitor reaches the inspector, no more often than it may, and nobody else.  Then the verifier's
 * officer accepts the image: the visitor reaches the gateway and a web server, but neither another port of that server
 * nor, any longer, the inspector.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "example.h"

#define SECONDS 200u
#define INSPECTOR 33u
#define VISITOR 34u
#define RATE 10u                        /* frames a second, as the policy has it */
#define WATCH 12u

static int boot(void **state)
{
	(void)state;
	example_forward[0] = "tcp:10.0.3.80:80-cmd:/bin/cat";
	example_forward[1] = "tcp:10.0.3.80:8080-cmd:/bin/cat";
	return example_boot("quarantine", SECONDS, "quarantine-visitor");
}

static void wait_for_event(const char *text)
{
	for (unsigned i = 0; i < SECONDS && rig_running(machine); i++) {
		if (strstr(example_events(), text))
			return;
		sleep(1);
	}
	machine_fail(machine, "the verifier has no \"%s\":\n%s", text, example_events());
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

static void an_unknown_image_is_refused(void **state)
{
	(void)state;
	wait_for_event("vm=inspector good lease");
	wait_for_event("vm=visitor refused reference-missing");
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
	wait_for_event("vm=visitor good lease");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_image_is_refused),
		cmocka_unit_test(the_inspector_is_reached_and_looks),
		cmocka_unit_test(no_more_often_than_it_may),
		cmocka_unit_test(nobody_else_is_reached),
		cmocka_unit_test(an_accepted_image_is_let_out),
		cmocka_unit_test(rules_hold_after_admission),
	};

	return cmocka_run_group_tests_name("example: quarantine", tests, boot, machine_end);
}
