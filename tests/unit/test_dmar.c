/* SPDX-License-Identifier: Apache-2.0 */
/* The DMAR parser: what it finds in good tables, and that bad ones are refused wherever they are cut or bent. */
#include "sim.h"
#include "vtd.h"

static uint8_t table[4096];
static uint32_t length;
static struct dmar dmar;

static void put(uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		table[length++] = (uint8_t)(value >> 8 * i);
}

static void begin(void)
{
	memset(table, 0, sizeof(table));
	length = DMAR_HEADER;
	table[DMAR_WIDTH] = 38;
	table[DMAR_FLAGS] = DMAR_INTR_REMAP;
}

/* Starts a unit; finish() sets its length. */
static uint32_t begin_unit(uint8_t flags, uint16_t segment, uint64_t base)
{
	uint32_t at = length;

	put(DMAR_DRHD, 2);
	put(0, 2);
	put(flags, 1);
	put(0, 1);
	put(segment, 2);
	put(base, 8);
	return at;
}

static uint32_t begin_reserved(uint16_t segment)
{
	uint32_t at = length;

	put(DMAR_RMRR, 2);
	put(0, 4);
	put(segment, 2);
	put(0x7f000000, 8);
	put(0x7f0fffff, 8);
	return at;
}

static void scope(uint8_t type, uint8_t bus, uint8_t device, uint8_t function)
{
	put(type, 1);
	put(8, 1);
	put(0, 3);
	put(bus, 1);
	put(device, 1);
	put(function, 1);
}

static void finish(uint32_t at)
{
	table[at + 2] = (uint8_t)(length - at);
	table[at + 3] = (uint8_t)((length - at) >> 8);
}

/* A machine with a device on the root bus, one behind a port, and one that no scope names. */
static void good_table(uint8_t flags)
{
	uint32_t unit;

	begin();
	unit = begin_unit(flags, 0, 0xfed90000);
	scope(DMAR_SCOPE_ENDPOINT, 0, 5, 0);
	scope(DMAR_SCOPE_BRIDGE, 0, 3, 0);
	scope(3, 0xff, 0, 0);
	finish(unit);
	unit = begin_reserved(0);
	scope(DMAR_SCOPE_ENDPOINT, 0, 6, 0);
	finish(unit);
}

static int setup(void **state)
{
	(void)state;
	sim_clear();
	sim_root_port(0, 3, 4, 6);
	sim_endpoint(0, 5, 0, 0x00101b36, 0x010802);
	sim_endpoint(4, 0, 0, 0x10d38086, 0x020000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_clear();
	return 0;
}

static void finds_scopes(void **state)
{
	(void)state;
	good_table(0);
	assert_int_equal(dmar_parse(table, length, &dmar), HV_OK);
	assert_int_equal(dmar.width, 39);
	assert_true(dmar.irq_remap);
	assert_int_equal(dmar.unit_count, 1);
	assert_int_equal(dmar_unit(&dmar, 0x0028), 0);
	assert_int_equal(dmar_unit(&dmar, 0x0018), 0);          /* the port itself */
	assert_int_equal(dmar_unit(&dmar, 0x0400), 0);          /* behind it: first, last bus */
	assert_int_equal(dmar_unit(&dmar, 0x06ff), 0);
	assert_int_equal(dmar_unit(&dmar, 0x0300), -1);
	assert_int_equal(dmar_unit(&dmar, 0x0700), -1);
	assert_int_equal(dmar_unit(&dmar, 0x0029), -1);         /* another function of that device */
	assert_true(dmar_reserves(&dmar, 0x0030));
	assert_false(dmar_reserves(&dmar, 0x0028));
}

static void include_all_takes_the_rest(void **state)
{
	uint32_t unit;

	(void)state;
	good_table(0);
	unit = begin_unit(DMAR_DRHD_ALL, 0, 0xfed91000);
	finish(unit);
	assert_int_equal(dmar_parse(table, length, &dmar), HV_OK);
	assert_int_equal(dmar_unit(&dmar, 0x0028), 0);
	assert_int_equal(dmar_unit(&dmar, 0x0300), 1);
}

static void other_segments_cover_nothing_here(void **state)
{
	uint32_t unit;

	(void)state;
	begin();
	unit = begin_unit(DMAR_DRHD_ALL, 1, 0xfed91000);
	scope(DMAR_SCOPE_ENDPOINT, 0, 5, 0);
	finish(unit);
	unit = begin_reserved(1);
	scope(DMAR_SCOPE_ENDPOINT, 0, 5, 0);
	finish(unit);
	assert_int_equal(dmar_parse(table, length, &dmar), HV_OK);
	assert_int_equal(dmar_unit(&dmar, 0x0028), -1);
	assert_false(dmar_reserves(&dmar, 0x0028));
}

static void follows_paths_through_bridges(void **state)
{
	uint32_t unit;

	(void)state;
	begin();
	unit = begin_unit(0, 0, 0xfed90000);
	put(DMAR_SCOPE_ENDPOINT, 1);
	put(10, 1);
	put(0, 4);
	put(0x0003, 2);         /* 00:03.0, then device 0 function 0 behind it */
	put(0x0000, 2);
	finish(unit);
	assert_int_equal(dmar_parse(table, length, &dmar), HV_OK);
	assert_int_equal(dmar_unit(&dmar, 0x0400), 0);
	assert_int_equal(dmar_unit(&dmar, 0x0018), -1);
}

static void unnumbered_or_absent_bridge_covers_only_itself(void **state)
{
	uint32_t unit;

	(void)state;
	sim[0].config[PCI_BRIDGE_SECONDARY] = 0;
	begin();
	unit = begin_unit(0, 0, 0xfed90000);
	scope(DMAR_SCOPE_BRIDGE, 0, 3, 0);
	scope(DMAR_SCOPE_BRIDGE, 0, 9, 0);
	finish(unit);
	assert_int_equal(dmar_parse(table, length, &dmar), HV_OK);
	assert_int_equal(dmar_unit(&dmar, 0x0018), 0);
	assert_int_equal(dmar_unit(&dmar, 0x0400), -1);
	assert_int_equal(dmar_unit(&dmar, 0xff00), -1);
}

static void steps_over_what_it_does_not_need(void **state)
{
	(void)state;
	good_table(0);
	put(0x7777, 2);
	put(6, 2);
	put(0xffff, 2);
	assert_int_equal(dmar_parse(table, length, &dmar), HV_OK);
}

static void expect_bad(enum hv_err err)
{
	assert_int_equal(dmar_parse(table, length, &dmar), err);
	assert_true(sim_heard("DMAR"));
}

static void refuses_bad_structures(void **state)
{
	static const struct { unsigned offset; uint8_t value; } bends[] = {
		{ 2, 0 }, { 2, 3 }, { 2, 15 }, { 3, 1 },        /* length of the unit */
		{ 8, 1 }, { 9, 0x0f },                          /* base not on a page */
		{ 16 + 1, 0 }, { 16 + 1, 5 }, { 16 + 1, 7 }, { 16 + 1, 9 }, { 16 + 1, 255 },    /* scope lengths */
		{ 16 + 6, 32 }, { 16 + 7, 8 },                  /* no such device, function */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(bends); i++) {
		good_table(0);
		table[DMAR_HEADER + bends[i].offset] = bends[i].value;
		expect_bad(HV_BAD_INPUT);
	}
	good_table(0);
	memset(table + DMAR_HEADER + 8, 0, 8);
	expect_bad(HV_UNSUPPORTED);                             /* base 0 */
	assert_true(sim_heard("a unit at address 0: the firmware has it off"));
}

static void refuses_too_little_and_too_much(void **state)
{
	(void)state;
	begin();
	expect_bad(HV_BAD_INPUT);                               /* no unit */
	assert_int_equal(dmar_parse(table, DMAR_HEADER - 1, &dmar), HV_BAD_INPUT);
	for (unsigned i = 0; i <= VTD_UNIT_MAX; i++)
		finish(begin_unit(0, 0, 0xfed90000 + i * 0x1000));
	expect_bad(HV_NO_MEMORY);
	begin();
	uint32_t unit = begin_unit(0, 0, 0xfed90000);
	for (unsigned i = 0; i <= VTD_SCOPE_MAX; i++)
		scope(DMAR_SCOPE_ENDPOINT, 0, 5, 0);
	finish(unit);
	expect_bad(HV_NO_MEMORY);
}

static void refuses_units_that_contradict(void **state)
{
	(void)state;
	begin();
	finish(begin_unit(0, 0, 0xfed90000));
	finish(begin_unit(0, 0, 0xfed90000));
	expect_bad(HV_BAD_INPUT);
	begin();
	finish(begin_unit(DMAR_DRHD_ALL, 0, 0xfed90000));
	finish(begin_unit(DMAR_DRHD_ALL, 0, 0xfed91000));
	expect_bad(HV_BAD_INPUT);
}

/* A table cut at any byte: refused, or (between structures) a shorter good one.  The copy has just those bytes. */
static void survives_every_cut(void **state)
{
	(void)state;
	good_table(0);
	for (uint32_t cut = 0; cut < length; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);
		enum hv_err err;

		memcpy(copy, table, cut);
		err = dmar_parse(copy, cut, &dmar);
		assert_true(err == HV_BAD_INPUT || (err == HV_OK && cut == DMAR_HEADER + 40));
		free(copy);
	}
}

static void survives_random_bytes(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t *copy;

		good_table(0);
		for (unsigned n = 0; n < 3; n++) {
			seed = seed * 1664525 + 1013904223;
			table[DMAR_HEADER + (seed >> 16) % (length - DMAR_HEADER)] = (uint8_t)(seed >> 8);
		}
		copy = malloc(length);
		memcpy(copy, table, length);
		if (dmar_parse(copy, length, &dmar) == HV_OK)
			assert_in_range(dmar.unit_count, 1, VTD_UNIT_MAX);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_scopes, setup, teardown),
		cmocka_unit_test_setup_teardown(include_all_takes_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(other_segments_cover_nothing_here, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_paths_through_bridges, setup, teardown),
		cmocka_unit_test_setup_teardown(unnumbered_or_absent_bridge_covers_only_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(steps_over_what_it_does_not_need, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_bad_structures, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_too_little_and_too_much, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_units_that_contradict, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_every_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_random_bytes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
