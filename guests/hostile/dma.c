/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns an edu device and a network card, and tries to use the first one's DMA to write and read what is not its own.
 * First life: uses the devices properly, then attacks, then dies.  Second life: the devices must work again.
 */
#include "device.h"

#define OWN_MEMORY 0x400000ull
#define LOOT 0x1007e1007e1007ull        /* mixed with the word's place: in no image file as such */

static uint64_t source[PAGE / 8] __attribute__((aligned(PAGE)));
static uint64_t target[PAGE / 8] __attribute__((aligned(PAGE)));

static uint64_t word(unsigned i)
{
	return LOOT * 3 + (uint64_t)i * 0x0101010101010101ull;
}

static void fill(uint64_t *page)
{
	for (unsigned i = 0; i < WORDS; i++)
		page[i] = word(i);
}

static bool holds_loot(const uint64_t *page)
{
	for (unsigned i = 0; i < WORDS; i++) {
		if (((const volatile uint64_t *)page)[i] != word(i))
			return false;
	}
	return true;
}

static void inside(void)
{
	fill(source);
	edu_take((uint64_t)source);
	edu_give_interrupt((uint64_t)target);
	put(holds_loot(target) ? "inside: copied\n" : "inside: NOT copied\n");
	tell("inside: interrupts", irq_count);
}

static void outside(void)
{
	static const uint64_t places[] = {
		OWN_MEMORY, 0x600000, 0x800000, 0x1000000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x18000000,
		0x20000000, 0x28000000, 0x30000000, 0x38000000, 0x3e000000, 0x3f000000, 0xfed40000, 0xfed90000,
		0x100000000, 0xe040000000, 0x7fffffffff000, OWN_MEMORY + (1ull << 39),
	};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		edu_give(places[i]);
	tell("outside: writes tried", sizeof(places) / sizeof(places[0]));
	for (unsigned i = 0; i < WORDS; i++)
		target[i] = 0;
	for (unsigned i = 0; i < 6; i++) {
		edu_take(places[i]);
		edu_give((uint64_t)target);
		for (unsigned w = 0; w < WORDS; w++) {
			uint64_t got = ((volatile uint64_t *)target)[w];

			if (got != 0 && got != ~0ull && got != word(w)) {
				put("outside: READ something\n");
				return;
			}
		}
	}
	put("outside: reads gave nothing\n");
	fill(target);
}

/* Configuration space: what it shows does not move and does not lie about where the device is. */
static void configuration(void)
{
	uint32_t bar = config_read(SLOT_EDU, 0x10);

	config_write(SLOT_EDU, 0x10, 0xffffffff);
	tell("bar mask", config_read(SLOT_EDU, 0x10));
	config_write(SLOT_EDU, 0x10, 0x00100000);
	put(config_read(SLOT_EDU, 0x10) == bar ? "bar stays\n" : "bar MOVED\n");
}

void guest_main(void)
{
	struct call_result version = call(LZR_CALL_VERSION, 0, 0);

	put("life starts\n");
	if (!edu_start()) {
		put("edu absent\n");
		return;
	}
	configuration();
	inside();
	nic_test();
	if (call(LZR_CALL_CLOCK, 0, 0).status == LZR_OK && version.rdx == 1) {
		outside();
		inside();
		put("first life over\n");
		*(volatile uint32_t *)0x40000000 = 1;   /* outside its memory: stopped, and restarted by the policy */
	}
	put("second life over\n");
}
