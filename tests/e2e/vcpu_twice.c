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

#include "machine.h"

#define SECONDS 300u

static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/vcpu-twice", .esp = "build/tests/esp/vcpu_twice.img", .seconds = SECONDS,
	};
	static const struct machine_line lines[] = {
		{ "hv: sealed at", 120 }, { "[twice] twice done", SECONDS }, { NULL, 0 },
	};

	(void)state;
	return machine_boot(&config, lines);
}

static void each_interrupt_comes_once(void **state)
{
	(void)state;
	machine_said("[twice] twice delivered twice 0");
}

static void the_disturber_goes_on(void **state)
{
	(void)state;
	machine_said("[split] splitting");
	machine_silent("hv: split: stopped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_interrupt_comes_once),
		cmocka_unit_test(the_disturber_goes_on),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
