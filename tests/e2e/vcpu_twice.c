/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each interrupt reaches its guest once, also while a guest on the other CPU makes the emulator call all its CPUs
 * together all the time.  Without the way round in hv/svm.c, some fifty of 20,000 come twice.
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
		.dir = "build/run/vcpu-twice", .esp = "build/tests/esp/vcpu_twice.img", .seconds = SECONDS,
	};

	(void)state;
	rig = rig_start(&config);
	if (!rig)
		return -1;
	if (rig_wait_line(rig, "hv: sealed at", 120, NULL, 0) &&
	    rig_wait_line(rig, "[twice] twice done", SECONDS, NULL, 0))
		return 0;
	print_error("not sealed, or not every interrupt came; the log:\n%s", rig_serial(rig));
	rig_stop(rig);
	return -1;
}

static int end(void **state)
{
	(void)state;
	rig_stop(rig);
	return 0;
}

static void each_interrupt_comes_once(void **state)
{
	(void)state;
	if (!rig_seen(rig, "[twice] twice delivered twice 0"))
		fail_msg("interrupts came twice; the log:\n%s", rig_serial(rig));
}

static void the_disturber_goes_on(void **state)
{
	(void)state;
	assert_true(rig_seen(rig, "[split] splitting"));
	assert_false(rig_seen(rig, "hv: split: stopped"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_interrupt_comes_once),
		cmocka_unit_test(the_disturber_goes_on),
	};

	return cmocka_run_group_tests(tests, boot, end);
}
