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

#include "rig.h"

#define SECONDS 300u

static struct rig *rig;

static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/vcpu-guests", .esp = "build/tests/esp/vcpu_guests.img", .seconds = SECONDS,
	};

	(void)state;
	rig = rig_start(&config);
	if (!rig)
		return -1;
	/* The idle guest needs longest; it ends only if no wake-up was lost. */
	if (rig_wait_line(rig, "hv: sealed at", 120, NULL, 0) &&
	    rig_wait_line(rig, "[idle] idle done", SECONDS, NULL, 0))
		return 0;
	print_error("not sealed, or the idle guest did not end; the log:\n%s", rig_serial(rig));
	rig_stop(rig);
	return -1;
}

static int end(void **state)
{
	(void)state;
	rig_stop(rig);
	return 0;
}

static void seen(const char *text)
{
	if (!rig_seen(rig, text))
		fail_msg("\"%s\" was not said; the log:\n%s", text, rig_serial(rig));
}

static void hypercalls_answer_and_refuse(void **state)
{
	(void)state;
	seen("[hello] abi 1");
	seen("[hello] vm 0");
	seen("[hello] clock rises");
	seen("[hello] unknown call 1");
	seen("[hello] read without right 2");
	seen("[hello] seed without right 2");
	seen("[hello] control without right 2");
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
		seen(line);
	}
	seen("[hello] ports read ones");
	seen("[hello] efer is clean");
	seen("[hello] cpuid is zero");
	seen("[hello] done");
}

static void a_guest_that_halts_for_ever_is_stopped(void **state)
{
	(void)state;
	seen("hv: hello: stopped, reason 8");
}

static void bad_guests_are_stopped_alone(void **state)
{
	(void)state;
	seen("hv: triple: stopped, reason 3");
	seen("starts again");
	seen("hv: outside: stopped, reason 4, detail 40000000");
	seen("hv: string: stopped, reason 5");
	assert_false(rig_seen(rig, "[outside] REACHED"));
	assert_false(rig_seen(rig, "[string] WENT"));
}

static void restarts_are_counted(void **state)
{
	const char *at = rig_serial(rig);
	unsigned count = 0;

	(void)state;
	while ((at = strstr(at, "hv: triple: stopped"))) {
		count++;
		at++;
	}
	assert_int_equal(count, 2);
}

static void registers_are_kept_apart(void **state)
{
	(void)state;
	assert_true(rig_seen(rig, "[state1] state kept") ||
		    rig_wait_line(rig, "[state1] state kept", SECONDS, NULL, 0));
	assert_true(rig_seen(rig, "[state0] state kept") ||
		    rig_wait_line(rig, "[state0] state kept", SECONDS, NULL, 0));
	seen("[state0] xmm starts as zero");
	seen("[state1] xmm starts as zero");
	assert_false(rig_seen(rig, "LOST"));
}

static void spinning_guests_go_on(void **state)
{
	(void)state;
	seen("[spin0] spinning");
	seen("[spin1] spinning");
	assert_false(rig_seen(rig, "hv: spin0: stopped"));
	assert_false(rig_seen(rig, "hv: spin1: stopped"));
}

static void every_idle_round_woke(void **state)
{
	(void)state;
	seen("[idle] idle rounds 10000");
	seen("hv: idle: stopped, reason 8");
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
	};

	return cmocka_run_group_tests(tests, boot, end);
}
