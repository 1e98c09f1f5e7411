/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unmodified Debian kernel reaches its initramfs with one and with two vCPUs, several VMs on a CPU, one VM
 * spinning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "rig.h"

#define SECONDS 240u

static struct rig *rig;

static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/vcpu-linux", .esp = "build/tests/esp/vcpu_linux.img", .seconds = SECONDS,
	};

	(void)state;
	rig = rig_start(&config);
	return rig && rig_wait_line(rig, "hv: sealed at", 90, NULL, 0) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	rig_stop(rig);
	return 0;
}

static void sees(const char *text)
{
	if (!rig_seen(rig, text) && !rig_wait_line(rig, text, SECONDS, NULL, 0))
		fail_msg("\"%s\" was not said; the log:\n%s", text, rig_serial(rig));
}

static void linux_reaches_userspace(void **state)
{
	(void)state;
	sees("[one] LZR-READY vm=linux role=test ip=none cpus=1");
	sees("[three] LZR-READY vm=linux role=test ip=none cpus=1");
}

static void linux_reaches_userspace_with_two_vcpus(void **state)
{
	(void)state;
	sees("[two] LZR-READY vm=linux2 role=test ip=none cpus=2");
}

static void power_off_ends_the_vm(void **state)
{
	(void)state;
	sees("hv: one: stopped, reason 1");
	sees("hv: two: stopped, reason 1");
	sees("hv: three: stopped, reason 1");
	assert_false(rig_seen(rig, "hv: spin0: stopped"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_reaches_userspace),
		cmocka_unit_test(linux_reaches_userspace_with_two_vcpus),
		cmocka_unit_test(power_off_ends_the_vm),
	};

	return cmocka_run_group_tests(tests, boot, end);
}
