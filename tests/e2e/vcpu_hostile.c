/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM that tries everything, thirteen that end in thirteen ways, and among them on the same CPUs one whose memory and
 * registers must stay its own, and one that reads the audit log: every attempt is refused or hurts its own VM only.
 */
#define _GNU_SOURCE                     /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define SECONDS 280u

static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/vcpu-hostile", .esp = "build/tests/esp/vcpu_hostile.img", .seconds = SECONDS,
	};
	static const struct machine_line lines[] = {
		{ "hv: sealed at", 120 }, { "[auditor] records", SECONDS },
		{ "[victim] ", 60 }, { "[victim] ", 60 }, { NULL, 0 },
	};

	(void)state;
	return machine_boot(&config, lines);
}

static void every_attempt_is_refused(void **state)
{
	static const char *const parts[] = { "calls 64", "control registers", "instructions", "ports", "pci", "timers",
					     "interrupts", "extended state" };
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(line, sizeof(line), "[storm] %s", parts[i]);
		machine_said(line);
	}
	machine_said("[storm] attempts done, wrong 0");
	machine_said("hv: storm: stopped, reason 8");
}

/* Which way ends how: enum lzr_stop_reason, and the address or port where there is one. */
static void each_end_takes_its_vm_only(void **state)
{
	static const char *const ends[] = {
		"reason 3", "reason 4, detail fee00300", "reason 4, detail fed40000", "reason 4, detail fed90018",
		"reason 4, detail 400000", "reason 4, detail 7ffff", "reason 5, detail cfc", "reason 5, detail 600",
		"reason 4, detail 4fff", "reason 4, detail fffffff0", "reason 8", "reason 3",
		"reason ",              /* reserved bits of CR4: an exception on a CPU, refused by the emulator */
	};
	char line[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(line, sizeof(line), "hv: end%u: stopped, %s", i, ends[i]);
		machine_said(line);
		snprintf(line, sizeof(line), "[end%u] SURVIVED", i);
		machine_silent(line);
	}
	machine_silent("PANIC");
}

static void the_victim_stays_whole(void **state)
{
	(void)state;
	machine_said("[victim] whole");
	machine_silent(" LOST ");
	machine_silent("hv: victim: stopped");
}

static void a_seed_is_given_once(void **state)
{
	(void)state;
	machine_said("[victim] seed given");
	machine_said("[victim] seed once");
	machine_silent("LEAKS");
}

/* No line of the log begins with a prefix that the hypervisor did not write, and no control character gets there. */
static void no_line_is_forged(void **state)
{
	const char *line = rig_serial(machine);

	(void)state;
	machine_said("[storm] hv: sealed at nothing");
	machine_said("[storm] [victim] forged");
	line = strstr(line, "hv: sealed at");
	assert_non_null(line);
	for (const char *next; *line && (next = strchr(line, '\n')); line = next + 1) {
		for (const char *c = line; c < next; c++)
			if ((*c < 0x20 || *c > 0x7e) && !(*c == '\r' && c + 1 == next))
				fail_msg("character %u in the log", (unsigned char)*c);
		if (*line != '[' && strncmp(line, "hv: ", 4) != 0)
			fail_msg("a line without prefix: %.*s", (int)(next - line), line);
		if (memmem(line, (size_t)(next - line), "forged", 6) && strncmp(line, "[storm] ", 8) != 0)
			fail_msg("a forged line: %.*s", (int)(next - line), line);
	}
}

/* The flood is told of once for each thing that it tried, in its own ring; everybody else's records are there. */
static void the_audit_keeps_others_records(void **state)
{
	char line[64];

	(void)state;
	for (unsigned vm = 3; vm < 16; vm++) {
		snprintf(line, sizeof(line), "[auditor] vm %u records 2 stops 1 lost 0", vm);
		machine_said(line);
	}
	assert_in_range(machine_number(machine_said("[auditor] vm 0 records "), "records "), 30, 3 * 32 + 2);
	assert_int_equal(machine_number(machine_said("[auditor] records "), "wrong "), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_attempt_is_refused),
		cmocka_unit_test(each_end_takes_its_vm_only),
		cmocka_unit_test(the_victim_stays_whole),
		cmocka_unit_test(a_seed_is_given_once),
		cmocka_unit_test(no_line_is_forged),
		cmocka_unit_test(the_audit_keeps_others_records),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
