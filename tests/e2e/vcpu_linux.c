/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unmodified Debian kernel reaches its initramfs with one and with two vCPUs, several VMs on a CPU, one VM
 * spinning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "machine.h"

#define SECONDS 240u

static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/vcpu-linux", .esp = "build/tests/esp/vcpu_linux.img", .seconds = SECONDS,
	};
	static const struct machine_line lines[] = {
		{ "hv: sealed at", 90 }, { NULL, 0 },
	};

	(void)state;
	return machine_boot(&config, lines);
}

static void linux_reaches_userspace(void **state)
{
	(void)state;
	machine_says("[one] LZR-READY vm=linux role=test ip=none cpus=1");
	machine_says("[three] LZR-READY vm=linux role=test ip=none cpus=1");
}

static void linux_reaches_userspace_with_two_vcpus(void **state)
{
	(void)state;
	machine_says("[two] LZR-READY vm=linux2 role=test ip=none cpus=2");
}

static void power_off_ends_the_vm(void **state)
{
	(void)state;
	machine_says("hv: one: stopped, reason 1");
	machine_says("hv: two: stopped, reason 1");
	machine_says("hv: three: stopped, reason 1");
	machine_silent("hv: spin0: stopped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_reaches_userspace),
		cmocka_unit_test(linux_reaches_userspace_with_two_vcpus),
		cmocka_unit_test(power_off_ends_the_vm),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
