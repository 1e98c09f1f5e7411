/* SPDX-License-Identifier: Apache-2.0 */
/* Machines whose policy cannot be kept: each says what is wrong, and starts nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "rig.h"

#define SECONDS 60u

static const char *const edu[] = {
	"-device", "pcie-root-port,id=rpe,bus=pcie.0,chassis=9,addr=6.0",
	"-device", "edu,bus=rpe,dma_mask=0xffffffffffffffff", NULL,
};

static void refused(const char *volume, struct rig_config config, const char *why)
{
	char esp[96];
	struct rig *rig;
	bool said;

	snprintf(esp, sizeof(esp), "build/tests/esp/%s.img", volume);
	config.dir = "build/run/devices-refused";
	config.esp = esp;
	config.seconds = SECONDS;
	config.memory_mib = 1024;
	config.extra = edu;
	rig = rig_start(&config);
	assert_non_null(rig);
	said = rig_wait_line(rig, why, SECONDS, NULL, 0) && rig_wait_line(rig, "refused", 10, NULL, 0);
	if (!said)
		fprintf(stderr, "\"%s\" was not said; the log:\n%s\n", why, rig_serial(rig));
	assert_true(said);
	assert_false(rig_seen(rig, "hv: sealed"));
	assert_false(rig_seen(rig, "[dma]"));
	assert_false(rig_seen(rig, "[canary]"));
	rig_stop(rig);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_iommu),
		cmocka_unit_test(without_interrupt_remapping),
		cmocka_unit_test(absent_device),
		cmocka_unit_test(another_device),
		cmocka_unit_test(no_such_reset),
		cmocka_unit_test(shared_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
