/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server example (policy/examples/server.dts) booted with a verifier outside: 32 services, each in its own VM, each
 * in quarantine until the verifier has said yes to it.  The verifier says yes to all of them; to one whose reference
 * value is taken away it says no, and to the others yes.
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

static int boot(void **state)
{
	(void)state;
	return example_boot("server", SECONDS, NULL);
}

#define LEASE "vm=service-%02u good lease"
#define READY "SERVICE 10.0.3.%u ready"
#define REACHED "SERVICE 10.0.3.%u reached its gateway"

static void all_services_say(const char *format)
{
	for (unsigned i = 0; i < SECONDS && rig_running(machine); i++) {
		if (example_services(rig_serial(machine), format, FIRST_ADDRESS, 0) == SERVICES)
			return;
		sleep(1);
	}
	machine_fail(machine, "%u services of 32 said \"%s\"",
		     example_services(rig_serial(machine), format, FIRST_ADDRESS, 0), format);
}

static void all_services_start(void **state)
{
	(void)state;
	all_services_say(READY);
}

static void the_verifier_says_yes_to_all(void **state)
{
	const char *events = "";

	(void)state;
	for (unsigned i = 0; i < SECONDS && rig_running(machine); i++) {
		events = example_events();
		if (example_services(events, LEASE, 1, 0) == SERVICES)
			break;
		sleep(1);
	}
	if (example_services(events, LEASE, 1, 0) != SERVICES || strstr(events, " refused "))
		machine_fail(machine, "%u services of 32 have a lease:\n%s", example_services(events, LEASE, 1, 0),
			     events);
	assert_non_null(strstr(events, "vm=switch good"));
	assert_non_null(strstr(events, "vm=attestor good"));
}

/* Each had asked in vain before: what it sent in quarantine was dropped. */
static void each_port_opens(void **state)
{
	const char *at;

	(void)state;
	all_services_say(REACHED);
	for (at = rig_serial(machine); (at = strstr(at, "reached its gateway, asked ")); at++)
		assert_in_range(machine_number(at, "asked "), 2, 1000);
}

/* The first frame of a service on the wire comes behind the attestor's evidence, of which there are many. */
static void nothing_was_on_the_wire_before(void **state)
{
	unsigned before;

	(void)state;
	assert_true(example_frames(FIRST_ADDRESS, FIRST_ADDRESS + SERVICES - 1, &before) >= SERVICES);
	assert_true(before > 20);
}

/* The kept evidence judged again, with all reference values and without one. */
static void one_without_a_reference_value_is_refused_alone(void **state)
{
	static char output[256 << 10];

	(void)state;
	assert_true(rig_qmp(machine, "{\"execute\":\"stop\"}", NULL, 0));
	sleep(1);
	if (!example_check("reference", output, sizeof(output)))
		fail_msg("%s", output);
	assert_int_equal(example_services(output, "VM service-%02u: good", 1, 0), SERVICES);
	assert_true(example_reference("less", "service-17"));
	if (example_check("less", output, sizeof(output)) ||
	    !strstr(output, "VM service-17: REFUSED (reference-missing)"))
		fail_msg("%s", output);
	assert_int_equal(example_services(output, "VM service-%02u: good", 1, 0), SERVICES - 1);
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

	return cmocka_run_group_tests_name("example: server", tests, boot, machine_end);
}
