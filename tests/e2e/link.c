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
#include <time.h>

#include <cmocka.h>

#include "rig.h"

#define DIR "build/run/link"
#define SECONDS 240u

static struct rig *rig;

static int boot(void **state)
{
	const struct rig_config config = { .dir = DIR, .esp = "build/tests/link/esp.img", .seconds = SECONDS };

	(void)state;
	rig = rig_start(&config);
	return rig ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	rig_stop(rig);
	return 0;
}

/* Lines of several VMs come in any order: each is looked for in the whole log. */
static const char *wait_for(const char *text)
{
	static const struct timespec pause = { .tv_nsec = 200000000 };
	const char *found;

	while (!(found = strstr(rig_serial(rig), text)) && rig_running(rig))
		nanosleep(&pause, NULL);
	if (!found)
		found = strstr(rig_serial(rig), text);
	if (!found)
		fail_msg("the machine ended without \"%s\"; see " DIR "/serial.log", text);
	return found;
}

static unsigned number_after(const char *line, const char *text)
{
	const char *at = strstr(line, text), *stop = strchr(line, '\n');

	if (!at || (stop && at > stop))
		fail_msg("no \"%s\" in %.120s", text, line);
	return (unsigned)strtoul(at + strlen(text), NULL, 10);
}

static void linux_guests_reach_each_other(void **state)
{
	(void)state;
	for (const char *vm = "ab"; *vm; vm++) {
		char text[32];
		const char *line;

		snprintf(text, sizeof(text), "LINK-PING vm=%c", *vm);
		line = wait_for(text);
		assert_int_equal(number_after(line, "sent="), 20);
		assert_in_range(number_after(line, "answered="), 18, 20);
	}
	wait_for("LINK-COPY vm=a result=ok");
}

static void linux_guest_talks_to_a_service(void **state)
{
	const char *line;

	(void)state;
	wait_for("ECHO-UP pair=0 vm=a number=0");
	line = wait_for("LINK-CHANNEL vm=a");
	assert_int_equal(number_after(line, "good="), 50);
	line = strstr(line + 1, "LINK-CHANNEL vm=a");
	if (!line) {
		wait_for("LINK-DONE vm=a");
		line = strstr(wait_for("LINK-COPY vm=a"), "LINK-CHANNEL vm=a");
	}
	assert_non_null(line);
	assert_int_equal(number_after(line, "good="), 50);
}

static void a_service_that_dies_comes_back(void **state)
{
	const char *line;

	(void)state;
	wait_for("[echo] echo: told to die");
	line = wait_for("hv: echo: stopped");
	wait_for("LINK-OUTLIVED vm=a");
	assert_non_null(strstr(line, "ECHO-UP pair=0 vm=a number=0"));
}

static void hostile_guest_gets_nowhere(void **state)
{
	const char *line;

	(void)state;
	line = wait_for("HOSTILE-ATTACKS");
	assert_int_equal(number_after(line, "refused="), number_after(line, "of="));
	line = wait_for("HOSTILE-PLACES");
	assert_int_equal(number_after(line, "refused="), number_after(line, "of="));
	line = wait_for("HOSTILE-ASKED");
	if (strncmp(line, "HOSTILE-ASKED answer=ralubut length=7", 37))
		fail_msg("%.60s", line);
	line = wait_for("HOSTILE-FLOOD sent=");
	assert_true(number_after(line, "sent=") > 1000);
	assert_int_equal(number_after(line, "status="), 15);
	line = wait_for("HOSTILE-RESETS");
	assert_true(number_after(line, "count=") > 10);
	wait_for("HOSTILE-DONE");
	line = strstr(line, "HOSTILE-ASKED");
	assert_non_null(line);
	if (strncmp(line, "HOSTILE-ASKED answer=ralubut length=7", 37))
		fail_msg("%.60s", line);
}

static void only_those_who_ended_stopped(void **state)
{
	(void)state;
	wait_for("LINK-DONE vm=a");
	wait_for("ECHO-DOWN pair=1");
	assert_false(rig_seen(rig, "HOSTILE-BAD"));
	assert_false(rig_seen(rig, "hv: b: stopped"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_guests_reach_each_other), cmocka_unit_test(linux_guest_talks_to_a_service),
		cmocka_unit_test(a_service_that_dies_comes_back),
		cmocka_unit_test(hostile_guest_gets_nowhere), cmocka_unit_test(only_those_who_ended_stopped),
	};

	return cmocka_run_group_tests_name("links", tests, boot, end);
}
