/* SPDX-License-Identifier: Apache-2.0 */
/* Machines whose policy cannot be kept: each says what is wrong, and starts nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define SECONDS 180u

static const char *const edu[] = {
	"-device", "pcie-root-port,id=rpe,bus=pcie.0,chassis=9,addr=6.0",
	"-device", "edu,bus=rpe,dma_mask=0xffffffffffffffff", NULL,
};

static void refused(const char *volume, struct rig_config config, const char *why)
{
	char esp[96], line[512];

	snprintf(esp, sizeof(esp), "build/tests/esp/%s.img", volume);
	config.dir = "build/run/devices-refused";
	config.esp = esp;
	config.seconds = SECONDS;
	config.memory_mib = 1024;
	if (!config.extra)
		config.extra = edu;
	assert_int_equal(machine_boot(&config, NULL), 0);
	if (!rig_wait_line(machine, why, SECONDS, line, sizeof(line)) ||
	    (!strstr(line, "hv: refused: ") && !rig_wait_line(machine, "hv: refused: ", SECONDS, NULL, 0)))
		machine_fail(machine, "\"%s\" was not said, with a refusal", why);
	machine_silent("PANIC");
	machine_silent("hv: sealed");
	machine_silent("[dma]");
	machine_silent("[canary]");
}

static void without_iommu(void **state)
{
	(void)state;
	refused("devices_dma", (struct rig_config){ .no_iommu = true }, "no IOMMU: DMA is not confined");
}

static void without_interrupt_remapping(void **state)
{
	(void)state;
	refused("devices_dma", (struct rig_config){ .no_intremap = true }, "cannot remap interrupts");
}

static void absent_device(void **state)
{
	(void)state;
	refused("refused_absent", (struct rig_config){ 0 }, "edu (0:1e.0): refused: there is no device");
}

static void another_device(void **state)
{
	(void)state;
	refused("refused_id", (struct rig_config){ 0 }, "nic0: expected device 8086:10d4, found 8086:10d3");
}

static void no_such_reset(void **state)
{
	(void)state;
	refused("refused_reset", (struct rig_config){ 0 },
		"nic0 (1:0.0): refused: the policy asks for a function-level reset");
}

static void shared_group(void **state)
{
	(void)state;
	refused("refused_group", (struct rig_config){ 0 }, "ahci: refused: 0:1f.0 is in its isolation group");
}

static void no_such_location(void **state)
{
	(void)state;
	refused("refused_location", (struct rig_config){ 0 },
		"edu: refused: no bridge at 0:4.0, step 1 of its location, leads further");
}

static void given_twice(void **state)
{
	(void)state;
	refused("refused_twice", (struct rig_config){ 0 }, "ahci and nvme0 are the same device");
}

/* The emulated CPU has no invariant TSC, which is taken because it says that it is emulated; here not. */
static void no_invariant_tsc(void **state)
{
	static const char *const silent[] = { "-cpu", "EPYC,+svm,+npt,-smap,-monitor,-hypervisor", NULL };

	(void)state;
	refused("devices_dma", (struct rig_config){ .extra = silent },
		"hv: refused: clock: expected an invariant TSC (CPUID 80000007h, EDX bit 8), found none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(without_iommu, machine_end),
		cmocka_unit_test_teardown(without_interrupt_remapping, machine_end),
		cmocka_unit_test_teardown(absent_device, machine_end),
		cmocka_unit_test_teardown(another_device, machine_end),
		cmocka_unit_test_teardown(no_such_reset, machine_end),
		cmocka_unit_test_teardown(shared_group, machine_end),
		cmocka_unit_test_teardown(no_such_location, machine_end),
		cmocka_unit_test_teardown(given_twice, machine_end),
		cmocka_unit_test_teardown(no_invariant_tsc, machine_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
