/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cross-domain example (policy/examples/cross-domain.dts) booted: what LOW gets is exactly what may pass, all else
 * is counted by its reason, HIGH hears nothing; and a machine with another program in the guard's place does not start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "machine.h"

#define DIR "build/run/example_cross_domain"
#define SECONDS 150u
/* From HIGH: 2, then 22 malformed, 3 oversized, 1 repeated, 1 good, the flood, and the last one twice. */
#define FLOOD 400u
#define ALL (2 + 22 + 3 + 1 + 1 + FLOOD + 2)

static int boot(void **state)
{
	const struct rig_config config = { .dir = DIR, .esp = "build/examples/cross-domain.img", .seconds = SECONDS,
					   .memory_mib = 1024, .no_nics = true, .no_nvme = true };

	(void)state;
	return machine_boot(&config, NULL);
}

struct counts {
	unsigned passed, oversized, malformed, repeated, early, undelivered, from_low, other;
};

/* The last line of the guard's counters. */
static struct counts last_counts(void)
{
	const char *log = rig_serial(machine), *at = NULL, *next = log;
	struct counts c = { 0 };

	while ((next = strstr(next, "GUARD passed=")) && strchr(next, '\n'))
		at = next++;
	if (at && sscanf(at, "GUARD passed=%u oversized=%u malformed=%u repeated=%u early=%u undelivered=%u "
			     "from-low=%u other=%u", &c.passed, &c.oversized, &c.malformed, &c.repeated, &c.early,
			 &c.undelivered, &c.from_low, &c.other) != 8)
		fail_msg("%.160s", at);
	return c;
}

static unsigned all_from_high(const struct counts *c)
{
	return c->passed + c->oversized + c->malformed + c->repeated + c->early + c->undelivered;
}

static void wait_until_all_is_counted(void)
{
	static const struct timespec pause = { .tv_nsec = 200000000 };
	struct counts c = { 0 };

	machine_says("HIGH end");
	for (unsigned i = 0; i < 100; i++) {
		c = last_counts();
		if (all_from_high(&c) >= ALL && c.from_low >= 10)
			return;
		nanosleep(&pause, NULL);
	}
	machine_fail(machine, "%u from high, %u from low were counted", all_from_high(&c), c.from_low);
}

static void what_may_pass_arrives(void **state)
{
	(void)state;
	wait_until_all_is_counted();
	assert_int_equal(machine_count("LOW got 31: STATUS 000001 CONVOY 7 ON TIME|", NULL), 1);
	assert_int_equal(machine_count("LOW got 39: ALERT 000003 GATE 4 CLOSED, USE GATE 5|", NULL), 1);
	assert_int_equal(machine_count("LOW got 29: STATUS 999999 END OF REPORTS|", NULL), 1);
}

static void nothing_else_does(void **state)
{
	const struct counts c = last_counts();
	unsigned from_flood = machine_count("LOW got 20: NOTICE 00", NULL);

	(void)state;
	assert_true(from_flood >= 2);
	assert_int_equal(machine_count("LOW got ", NULL), 3 + from_flood);
	assert_int_equal(c.passed, 3 + from_flood);
	assert_int_equal(c.oversized, 3);
	assert_int_equal(c.malformed, 22);
	assert_int_equal(c.repeated, 2);
	assert_int_equal(c.undelivered, 0);
	assert_int_equal(c.other, 0);
	assert_int_equal(all_from_high(&c), ALL);
}

/* One a second, whatever HIGH does. */
static void a_flood_passes_one_a_second(void **state)
{
	unsigned from_flood = machine_count("LOW got 20: NOTICE 00", NULL), sent, seconds;
	char line[128];
	const char *flood = strstr(rig_serial(machine), "HIGH flood sent=");

	(void)state;
	assert_non_null(flood);
	snprintf(line, sizeof(line), "%.60s", flood);
	assert_int_equal(sscanf(line, "HIGH flood sent=%u seconds=%u", &sent, &seconds), 2);
	assert_int_equal(sent, FLOOD);
	assert_in_range(from_flood, 1, seconds + 2);
}

static void nothing_goes_up(void **state)
{
	const struct counts c = last_counts();

	(void)state;
	assert_int_equal(machine_count("LOW sent=10", NULL), 1);
	assert_int_equal(c.from_low, 10);
	assert_int_equal(machine_count("HIGH heard=0", NULL), 1);
}

static void another_guard_is_refused(void **state)
{
	const struct rig_config config = { .dir = DIR "-leak", .esp = "build/examples/cross-domain-leak.img",
					   .seconds = 180, .memory_mib = 1024, .no_nics = true, .no_nvme = true };
	struct rig *leak = rig_start(&config);
	char line[512] = "";
	bool refused;

	(void)state;
	assert_non_null(leak);
	refused = rig_wait_line(leak, "hv: refused: ", 180, line, sizeof(line));
	if (!refused || !strstr(line, "guard") || rig_seen(leak, "LEAK runs") || rig_seen(leak, "LOW ready"))
		machine_fail(leak, "expected a refusal that names the guard, found \"%s\"", line);
	rig_stop(leak);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_pass_arrives), cmocka_unit_test(nothing_else_does),
		cmocka_unit_test(a_flood_passes_one_a_second), cmocka_unit_test(nothing_goes_up),
		cmocka_unit_test(another_guard_is_refused),
	};

	return cmocka_run_group_tests_name("example: cross-domain", tests, boot, machine_end);
}
