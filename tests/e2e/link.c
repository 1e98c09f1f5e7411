/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links on the emulated machine, in one boot: two Linux guests whose network devices are linked directly, a Linux
 * guest's console linked to a bare-metal service, and a hostile guest at the same service that breaks its rings and
 * floods while the others go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define DIR "build/run/link"
#define SECONDS 240u

static int boot(void **state)
{
	const struct rig_config config = { .dir = DIR, .esp = "build/tests/link/esp.img", .seconds = SECONDS };

	(void)state;
	return machine_boot(&config, NULL);
}

static void linux_guests_reach_each_other(void **state)
{
	(void)state;
	for (const char *vm = "ab"; *vm; vm++) {
		char text[32];
		const char *line;

		snprintf(text, sizeof(text), "LINK-PING vm=%c", *vm);
		line = machine_says(text);
		assert_int_equal(machine_number(line, "sent="), 20);
		assert_in_range(machine_number(line, "answered="), 18, 20);
	}
	machine_says("LINK-COPY vm=a result=ok");
}

static void linux_guest_talks_to_a_service(void **state)
{
	const char *line;

	(void)state;
	machine_says("ECHO-UP pair=0 vm=a number=0");
	line = machine_says("LINK-CHANNEL vm=a");
	assert_int_equal(machine_number(line, "good="), 50);
	line = strstr(line + 1, "LINK-CHANNEL vm=a");
	if (!line) {
		machine_says("LINK-DONE vm=a");
		line = strstr(machine_says("LINK-COPY vm=a"), "LINK-CHANNEL vm=a");
	}
	assert_non_null(line);
	assert_int_equal(machine_number(line, "good="), 50);
}

static void a_service_that_dies_comes_back(void **state)
{
	const char *line;

	(void)state;
	machine_says("[echo] echo: told to die");
	line = machine_says("hv: echo: stopped");
	machine_says("LINK-OUTLIVED vm=a");
	assert_non_null(strstr(line, "ECHO-UP pair=0 vm=a number=0"));
}

static void hostile_guest_gets_nowhere(void **state)
{
	const char *line;

	(void)state;
	line = machine_says("HOSTILE-ATTACKS");
	assert_int_equal(machine_number(line, "refused="), machine_number(line, "of="));
	line = machine_says("HOSTILE-PLACES");
	assert_int_equal(machine_number(line, "refused="), machine_number(line, "of="));
	line = machine_says("HOSTILE-ASKED");
	if (strncmp(line, "HOSTILE-ASKED answer=ralubut length=7", 37))
		fail_msg("%.60s", line);
	line = machine_says("HOSTILE-FLOOD sent=");
	assert_true(machine_number(line, "sent=") > 1000);
	assert_int_equal(machine_number(line, "status="), 15);
	line = machine_says("HOSTILE-RESETS");
	assert_true(machine_number(line, "count=") > 10);
	machine_says("HOSTILE-DONE");
	line = strstr(line, "HOSTILE-ASKED");
	assert_non_null(line);
	if (strncmp(line, "HOSTILE-ASKED answer=ralubut length=7", 37))
		fail_msg("%.60s", line);
}

static void only_those_who_ended_stopped(void **state)
{
	(void)state;
	machine_says("LINK-DONE vm=a");
	machine_says("ECHO-DOWN pair=1");
	machine_silent("HOSTILE-BAD");
	machine_silent("hv: b: stopped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_guests_reach_each_other), cmocka_unit_test(linux_guest_talks_to_a_service),
		cmocka_unit_test(a_service_that_dies_comes_back),
		cmocka_unit_test(hostile_guest_gets_nowhere), cmocka_unit_test(only_those_who_ended_stopped),
	};

	return cmocka_run_group_tests_name("links", tests, boot, machine_end);
}
