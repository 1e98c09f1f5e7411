/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server example with one byte changed in one service's program before the boot.  The verifier's reference values
 * are those of the unchanged machine: that service is refused by name and stays silent, the other 31 are admitted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "example.h"

#define SECONDS 280u
#define SERVICES EXAMPLE_SERVICES
#define FIRST_ADDRESS 33u
#define CHANGED 17u             /* service-17, 10.0.3.49 */
#define CHANGED_ADDRESS (FIRST_ADDRESS + CHANGED - 1)

static int boot(void **state)
{
	(void)state;
	return example_boot("server-changed", SECONDS, NULL);
}

static void the_changed_service_runs(void **state)
{
	char line[96];

	(void)state;
	snprintf(line, sizeof(line), "SERVICE 10.0.3.%u reedy", CHANGED_ADDRESS);
	assert_true(rig_wait_line(machine, line, SECONDS, NULL, 0));
}

static void the_others_are_admitted(void **state)
{
	unsigned n = 0;

	(void)state;
	while (rig_running(machine) && n < SERVICES - 1) {
		sleep(1);
		n = example_services(rig_serial(machine), "SERVICE 10.0.3.%u reached its gateway", FIRST_ADDRESS,
				     CHANGED);
	}
	if (n != SERVICES - 1)
		machine_fail(machine, "%u services of 31 reached their gateway", n);
}

/* The kept evidence: the platform is good, and just this VM is refused, for its image. */
static void it_is_refused_alone_and_named(void **state)
{
	static char output[256 << 10];
	char name[32], line[160];

	(void)state;
	assert_true(rig_qmp(machine, "{\"execute\":\"stop\"}", NULL, 0));
	sleep(1);
	if (example_check("reference", output, sizeof(output)))
		fail_msg("the machine is good: %s", output);
	snprintf(name, sizeof(name), "service-%02u", CHANGED);
	snprintf(line, sizeof(line), "VM %s: REFUSED (reference)\n    what      image %s\n", name, name);
	if (!strstr(output, "platform: good") || !strstr(output, line))
		fail_msg("\"%s\" is not in: %s", line, output);
	assert_int_equal(example_services(output, "VM service-%02u: good", 1, CHANGED), SERVICES - 1);
	assert_non_null(strstr(output, "VM switch: good"));
	assert_non_null(strstr(output, "VM attestor: good"));
}

static void it_never_had_a_lease_and_is_not_on_the_wire(void **state)
{
	char line[96];

	(void)state;
	snprintf(line, sizeof(line), "vm=service-%02u good", CHANGED);
	assert_null(strstr(example_events(), line));
	assert_int_equal(example_frames(CHANGED_ADDRESS, CHANGED_ADDRESS, NULL), 0);
	assert_true(example_frames(FIRST_ADDRESS, FIRST_ADDRESS + SERVICES - 1, NULL) >= SERVICES - 1);
	snprintf(line, sizeof(line), "SERVICE 10.0.3.%u reached", CHANGED_ADDRESS);
	assert_false(rig_seen(machine, line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_changed_service_runs),
		cmocka_unit_test(the_others_are_admitted),
		cmocka_unit_test(it_is_refused_alone_and_named),
		cmocka_unit_test(it_never_had_a_lease_and_is_not_on_the_wire),
	};

	return cmocka_run_group_tests_name("example: server, one changed", tests, boot, machine_end);
}
