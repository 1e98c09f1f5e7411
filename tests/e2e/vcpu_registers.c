/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests that set breakpoints on all of the hypervisor's code, stacks and data, and on each other's: nobody but they
 * themselves sees one.  And what a guest sees of its own control and debug registers, priorities and timers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define SECONDS 280u
#define CR4_MCE 0x40u
#define SAMPLES 40u

static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/vcpu-registers", .esp = "build/tests/esp/vcpu_registers.img", .seconds = SECONDS,
	};
	static const struct machine_line lines[] = {
		{ "hv: sealed at", 120 }, { "[registers] registers done", SECONDS }, { NULL, 0 },
	};

	(void)state;
	return machine_boot(&config, lines);
}

static void nobody_sees_breakpoints_of_others(void **state)
{
	static const char *const parts[] = { "code", "stack", "data", "gates", "memory" };
	char line[64];

	(void)state;
	for (unsigned hunter = 1; hunter <= 2; hunter++)
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			snprintf(line, sizeof(line), "[hunter%u] hunted %s", hunter, parts[i]);
			machine_says(line);
		}
	/* And then on the prey's own code and data, for as long as it takes to say four times that it is whole. */
	for (unsigned i = 0; i < 4; i++) {
		machine_says_next("[prey1] whole", NULL, 0);
		machine_says_next("[prey2] whole", NULL, 0);
		machine_says_next("[user] works", NULL, 0);
	}
	machine_silent("PANIC");
	machine_silent("debug exceptions in root mode");
	machine_silent("unexpected exception");
	machine_silent("stopped, reason");
}

static void a_guest_sees_its_own(void **state)
{
	(void)state;
	machine_says("[user] works");
	machine_silent("WRONG");
	assert_int_equal(machine_number(machine_said("[registers] registers done"), "wrong "), 0);
}

/* Also while guests run, none of which has it set, the CPUs take machine checks. */
static void machine_checks_stay_on(void **state)
{
	static char text[65536];
	unsigned in_guest = 0;

	(void)state;
	for (unsigned i = 0; i < SAMPLES; i++) {
		assert_true(rig_monitor(machine, "info registers -a", text, sizeof(text)));
		for (const char *at = text; (at = strstr(at, "CR4=")); at += 4) {
			assert_true(strtoul(at + 4, NULL, 16) & CR4_MCE);
			in_guest += !(strtoul(at + 4, NULL, 16) & 0x40000);     /* root mode has OSXSAVE on */
		}
	}
	assert_in_range(in_guest, SAMPLES / 4, 3 * SAMPLES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sees_breakpoints_of_others),
		cmocka_unit_test(a_guest_sees_its_own),
		cmocka_unit_test(machine_checks_stay_on),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
