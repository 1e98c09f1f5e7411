/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that owns an edu device (whose DMA engine goes where it is told) and a network card: DMA inside its memory
 * and both kinds of interrupts work; DMA anywhere else changes nothing and shows nothing.  What happened is looked up
 * in the machine's physical memory, taken through QEMU's monitor: the loot must be in the attacker's own two pages
 * only, and a bystander's pattern must be whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define SECONDS 150u
#define MEMORY_MIB 1024u
#define PAGE 4096u
#define CHUNK (64ull << 20)
#define LOOT_MAX 8u
#define LOOT_WORDS 511u
#define LOOT_FIRST (0x1007e1007e1007ull * 3)
#define LOOT_STEP 0x0101010101010101ull
#define CANARY 0xca9a21ca9a21ca9aull
#define CANARY_FIRST 0x280000ull
#define CANARY_LAST 0x3e0000ull

static int boot(void **state)
{
	static const char *const extra[] = {
		"-device", "pcie-root-port,id=rpe,bus=pcie.0,chassis=9,addr=6.0",
		"-device", "edu,bus=rpe,dma_mask=0xffffffffffffffff", NULL,
	};
	static const struct rig_config config = {
		.dir = "build/run/devices-dma", .esp = "build/tests/esp/devices_dma.img", .seconds = SECONDS,
		.memory_mib = MEMORY_MIB, .extra = extra,
	};
	static const struct machine_line lines[] = {
		{ "hv: sealed at", 90 }, { NULL, 0 },
	};

	(void)state;
	return machine_boot(&config, lines);
}

static void dma_inside_works(void **state)
{
	(void)state;
	machine_says("[canary] canary set");
	machine_says("[dma] inside: copied");
	machine_says("[dma] inside: interrupts 1");
}

static void configuration_space_is_ours(void **state)
{
	(void)state;
	machine_says("[dma] bar mask 4293918720");              /* 1 MiB */
	machine_says("[dma] bar stays");
}

static void msix_is_delivered_and_masked(void **state)
{
	(void)state;
	machine_says("[dma] nic address");
	machine_says("[dma] nic table masked");
	machine_says("[dma] nic interrupt arrives");
	machine_says("[dma] nic interrupt held while masked");
	machine_says("[dma] nic interrupt after unmask");
}

static bool page_is_loot(const uint64_t *page)
{
	for (unsigned i = 0; i < LOOT_WORDS; i++) {
		if (page[i] != LOOT_FIRST + i * LOOT_STEP)
			return false;
	}
	return true;
}

/* Looks at all of the machine's memory: pages with the loot, and where the bystander's pattern begins. */
static void search_memory(uint64_t loot[LOOT_MAX], unsigned *loot_count, uint64_t *canary)
{
	uint64_t *chunk = malloc(CHUNK);

	assert_non_null(chunk);
	*loot_count = 0;
	*canary = 0;
	for (uint64_t at = 0; at < (uint64_t)MEMORY_MIB << 20; at += CHUNK) {
		assert_true(rig_memory_read(machine, at, chunk, CHUNK));
		for (uint64_t page = 0; page < CHUNK; page += PAGE) {
			const uint64_t *words = chunk + page / 8;

			if (page_is_loot(words) && *loot_count < LOOT_MAX)
				loot[(*loot_count)++] = at + page;
			if (words[0] == (CANARY ^ CANARY_FIRST))
				*canary = at + page - CANARY_FIRST;
		}
	}
	free(chunk);
}

static void dma_outside_reaches_nothing(void **state)
{
	static uint64_t bystander[(CANARY_LAST - CANARY_FIRST) / 8];
	uint64_t loot[LOOT_MAX], canary;
	unsigned count;

	(void)state;
	machine_says("[dma] outside: writes tried 21");
	machine_says("[dma] outside: reads gave nothing");
	machine_says("[dma] first life over");
	machine_says("[dma] second life over");
	machine_silent("READ something");
	search_memory(loot, &count, &canary);
	assert_int_equal(count, 2);                             /* the attacker's own two pages */
	assert_int_equal(loot[0] >> 22, loot[1] >> 22);
	assert_int_not_equal(canary, 0);
	assert_true(rig_memory_read(machine, canary + CANARY_FIRST, bystander, sizeof(bystander)));
	for (uint64_t at = CANARY_FIRST; at < CANARY_LAST; at += 8)
		assert_true(bystander[(at - CANARY_FIRST) / 8] == (CANARY ^ at));
	machine_says("[canary] canary lives");
}

static void faults_are_reported_with_their_source(void **state)
{
	(void)state;
	machine_says("hv: dma: blocked write of 3:0.0 at 400000");
	machine_says("hv: dma: blocked read of 3:0.0 at 400000");
}

static void devices_work_after_a_restart(void **state)
{
	const char *again = strstr(rig_serial(machine), "starts again");

	(void)state;
	assert_non_null(again);
	assert_non_null(strstr(again, "[dma] inside: copied"));
	assert_non_null(strstr(again, "[dma] nic table masked"));
	assert_non_null(strstr(again, "[dma] nic interrupt after unmask"));
	assert_null(strstr(again, "LOST"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dma_inside_works),
		cmocka_unit_test(configuration_space_is_ours),
		cmocka_unit_test(msix_is_delivered_and_masked),
		cmocka_unit_test(dma_outside_reaches_nothing),
		cmocka_unit_test(faults_are_reported_with_their_source),
		cmocka_unit_test(devices_work_after_a_restart),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
