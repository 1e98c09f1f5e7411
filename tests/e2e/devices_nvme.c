/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unmodified Linux guest drives the assigned NVMe disk by DMA and MSI-X, on two vCPUs, and again after a restart. 
 * What it says that it wrote is compared with what is in the disk's image.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"
#include "run.h"

#define SECONDS 200u
#define DISK "build/run/devices-nvme/nvme.img"

static char first[256], second[256];

static int boot(void **state)
{
	static const struct rig_config config = {
		.dir = "build/run/devices-nvme", .esp = "build/tests/esp/devices_nvme.img", .seconds = SECONDS,
	};

	(void)state;
	return machine_boot(&config, NULL);
}

static void disk_is_assigned(void **state)
{
	char line[256];

	(void)state;
	machine_says_next("hv: nvme0: 0:4.0 is disk's", line, sizeof(line));
	assert_non_null(strstr(line, "FLR"));
}

static void linux_writes_and_reads_by_dma(void **state)
{
	(void)state;
	machine_says_next("LZR-DISK vm=disk", first, sizeof(first));
	assert_non_null(strstr(first, "result=ok"));
}

static void works_again_after_a_restart(void **state)
{
	(void)state;
	machine_says_next("hv: disk: stopped, reason 2", NULL, 0);
	machine_says_next("LZR-DISK vm=disk", second, sizeof(second));
	assert_non_null(strstr(second, "result=ok"));
	assert_string_not_equal(first, second);
	machine_says_next("hv: disk: stopped, reason 2", NULL, 0);
	machine_silent("hv: dma: blocked");
}

static void the_image_holds_what_was_written(void **state)
{
	char *const command[] = { "sh", "-c", "head -c 4194304 " DISK " | sha256sum", NULL };
	const char *digest = strstr(second, "sha256=");
	char output[256];

	(void)state;
	assert_non_null(digest);
	machine_end(NULL);
	assert_true(run_program(command, 30, output, sizeof(output)));
	assert_memory_equal(output, digest + 7, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disk_is_assigned),
		cmocka_unit_test(linux_writes_and_reads_by_dma),
		cmocka_unit_test(works_again_after_a_restart),
		cmocka_unit_test(the_image_holds_what_was_written),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
