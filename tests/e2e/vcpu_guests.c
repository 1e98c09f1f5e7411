/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bare-metal guests on two CPUs: what a guest may and may not do, guests that die alone, guests that spin, and one that
 * goes idle and wakes 10,000 times among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define SECONDS 300u

/* The idle guest needs longest; it ends only if no wake-up was lost. */
static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/vcpu-guests", .esp = "build/tests/esp/vcpu_guests.img", .seconds = SECONDS,
	};
	static const struct machine_line lines[] = {
		{ "hv: sealed at", 120 }, { "[idle] idle done", SECONDS }, { NULL, 0 },
	};

	(void)state;
	return machine_boot(&config, lines);
}

static void hypercalls_answer_and_refuse(void **state)
{
	(void)state;
	machine_said("[hello] abi 2");
	machine_said("[hello] vm 0");
	machine_said("[hello] clock rises");
	machine_said("[hello] unknown call 1");
	machine_said("[hello] read without right 2");
	machine_said("[hello] seed without right 2");
	machine_said("[hello] control without right 2");
	machine_said("[hello] peek without right 2");
}

static void host_instructions_are_refused(void **state)
{
	static const char *const names[] = { "vmrun",	  "vmload",    "vmsave",      "stgi",	  "clgi",
					     "invlpga",	  "monitor",   "rdpmc",	      "msr read", "msr write",
					     "tsc write", "efer.svme", "wbinvd goes", "invd goes" };
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "[hello] %s refused", names[i]);
		machine_said(line);
	}
	machine_said("[hello] ports read ones");
	machine_said("[hello] efer is clean");
	machine_said("[hello] cpuid is zero");
	machine_said("[hello] done");
}

static void a_guest_that_halts_for_ever_is_stopped(void **state)
{
	(void)state;
	machine_said("hv: hello: stopped, reason 8");
}

static void bad_guests_are_stopped_alone(void **state)
{
	(void)state;
	machine_said("hv: triple: stopped, reason 3");
	machine_said("starts again");
	machine_said("hv: outside: stopped, reason 4, detail 40000000");
	machine_said("hv: string: stopped, reason 5");
	machine_silent("[outside] REACHED");
	machine_silent("[string] WENT");
}

static void restarts_are_counted(void **state)
{
	(void)state;
	assert_int_equal(machine_count("hv: triple: stopped", NULL), 2);
}

static void registers_are_kept_apart(void **state)
{
	(void)state;
	machine_says("[state1] state kept");
	machine_says("[state0] state kept");
	machine_said("[state0] xmm starts as zero");
	machine_said("[state1] xmm starts as zero");
	machine_silent("LOST");
}

static void spinning_guests_go_on(void **state)
{
	(void)state;
	machine_said("[spin0] spinning");
	machine_said("[spin1] spinning");
	machine_silent("hv: spin0: stopped");
	machine_silent("hv: spin1: stopped");
}

static void every_idle_round_woke(void **state)
{
	(void)state;
	machine_said("[idle] idle rounds 10000");
	machine_said("hv: idle: stopped, reason 8");
}

static void memory_is_read_with_the_right_only(void **state)
{
	(void)state;
	machine_says("[eye] sees it still");
	machine_said("[eye] saw it");
	machine_said("[eye] other VM 2");
	machine_said("[eye] own 2");
	machine_said("[eye] no VM 2");
	machine_said("[eye] unaligned 3");
	machine_said("[eye] last 0");
	machine_said("[eye] behind 3");
	machine_said("[eye] registers 3");
	machine_said("[eye] end 3");
	machine_said("[eye] saw it change");
	machine_said("[eye] saw the last of it");
	assert_true(machine_said("hv: secret: stopped, reason 8") < machine_said("[eye] sees it still"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hypercalls_answer_and_refuse),
		cmocka_unit_test(host_instructions_are_refused),
		cmocka_unit_test(a_guest_that_halts_for_ever_is_stopped),
		cmocka_unit_test(bad_guests_are_stopped_alone),
		cmocka_unit_test(restarts_are_counted),
		cmocka_unit_test(registers_are_kept_apart),
		cmocka_unit_test(spinning_guests_go_on),
		cmocka_unit_test(every_idle_round_woke),
		cmocka_unit_test(memory_is_read_with_the_right_only),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
