/* SPDX-License-Identifier: Apache-2.0 */
/* Nested tables: what is mapped is there with its permissions and nothing else is, whatever the order and sizes. */
#include <stdlib.h>
#include <string.h>

#include "npt.h"
#include "plat_fake.h"
#include "cpu/walk.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define USER_TABLE (BIT_PRESENT | BIT_WRITE | BIT_USER)

static struct walk walk;
static uint64_t *root;
static uint64_t next_page, pages_left;

/* Memory in which something was left: only what the allocator promises, zero, may be counted on. */
void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	void *p = fake_ram + next_page;

	assert_int_equal(length, PAGE_SIZE);
	assert_int_equal(align, PAGE_SIZE);
	assert_int_equal(next_page % PAGE_SIZE, 0);
	if (!pages_left)
		return NULL;
	pages_left--;
	next_page += PAGE_SIZE;
	return memset(p, 0, length);
}

static int set_up(void **state)
{
	fake_reset(state);
	next_page = PAGE_SIZE;
	pages_left = FAKE_RAM / PAGE_SIZE - 1;
	root = npt_create();
	assert_non_null(root);
	return 0;
}

static void nothing_at_first(void **state)
{
	(void)state;
	walk_tree(&walk, root, USER_TABLE);
	assert_int_equal(walk.count, 0);
	assert_int_equal(walk.tables, 0);
}

static void assert_leaf(unsigned index, uint64_t at, uint64_t from, uint64_t length, uint64_t bits)
{
	assert_true(index < walk.count);
	assert_int_equal(walk.leaves[index].virtual, at);
	assert_int_equal(walk.leaves[index].physical, from);
	assert_int_equal(walk.leaves[index].length, length);
	assert_int_equal(walk.leaves[index].bits, bits);
}

static void every_permission(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 16; flags++) {
		uint64_t bits = BIT_PRESENT | BIT_USER;

		set_up(state);
		if (!(flags & MAP_READ)) {
			assert_int_equal(npt_map(root, gpa(0), hpa(0), PAGE_SIZE, flags), HV_BAD_INPUT);
			continue;
		}
		bits |= flags & MAP_WRITE ? BIT_WRITE : 0;
		bits |= flags & MAP_EXECUTE ? 0 : BIT_NX;
		bits |= flags & MAP_UNCACHED ? BIT_PCD | BIT_PWT : 0;
		assert_int_equal(npt_map(root, gpa(5 * PAGE_SIZE), hpa(9 * PAGE_SIZE), PAGE_SIZE, flags), HV_OK);
		assert_int_equal(npt_map(root, gpa(4 * MIB), hpa(6 * GIB), 2 * MIB, flags), HV_OK);
		walk_tree(&walk, root, USER_TABLE);
		assert_int_equal(walk.count, 2);
		assert_leaf(0, 5 * PAGE_SIZE, 9 * PAGE_SIZE, PAGE_SIZE, bits);
		assert_leaf(1, 4 * MIB, 6 * GIB, 2 * MIB, bits);
	}
}

/* Small pages to the first boundary, large ones, small ones behind the last; all small where the halves are askew. */
static void sizes_by_alignment(void **state)
{
	const uint64_t bits = BIT_PRESENT | BIT_USER | BIT_WRITE;

	(void)state;
	assert_int_equal(npt_map(root, gpa(2 * MIB - PAGE_SIZE), hpa(8 * MIB - PAGE_SIZE), 4 * MIB + 3 * PAGE_SIZE,
				 MAP_READ | MAP_WRITE | MAP_EXECUTE), HV_OK);
	walk_tree(&walk, root, USER_TABLE);
	assert_int_equal(walk.count, 5);
	assert_leaf(0, 2 * MIB - PAGE_SIZE, 8 * MIB - PAGE_SIZE, PAGE_SIZE, bits);
	assert_leaf(1, 2 * MIB, 8 * MIB, 2 * MIB, bits);
	assert_leaf(2, 4 * MIB, 10 * MIB, 2 * MIB, bits);
	assert_leaf(3, 6 * MIB, 12 * MIB, PAGE_SIZE, bits);
	assert_leaf(4, 6 * MIB + PAGE_SIZE, 12 * MIB + PAGE_SIZE, PAGE_SIZE, bits);

	set_up(state);
	assert_int_equal(npt_map(root, gpa(2 * MIB), hpa(8 * MIB + PAGE_SIZE), 2 * MIB, MAP_READ), HV_OK);
	walk_tree(&walk, root, USER_TABLE);
	assert_int_equal(walk.count, 512);
	for (unsigned i = 0; i < 512; i++)
		assert_leaf(i, 2 * MIB + i * PAGE_SIZE, 8 * MIB + (i + 1) * PAGE_SIZE, PAGE_SIZE,
			    BIT_PRESENT | BIT_USER | BIT_NX);
}

static void refused(void **state)
{
	const uint64_t top = 1ull << 48, last = 0x000ffffffffff000;

	(void)state;
	assert_int_equal(npt_map(root, gpa(1), hpa(0), PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(0), hpa(0x800), PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(0), hpa(0), PAGE_SIZE + 8, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(0), hpa(0), 0, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(top), hpa(0), PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(2 * top), hpa(0), PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(top - PAGE_SIZE), hpa(0), 2 * PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(PAGE_SIZE), hpa(0), top, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(PAGE_SIZE), hpa(0), -PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(0), hpa(1ull << 52), PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	assert_int_equal(npt_map(root, gpa(0), hpa(1ull << 63), PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	/* A start that fits and an end that does not: the sum would run into the entry's permission bits. */
	assert_int_equal(npt_map(root, gpa(0), hpa(last), 2 * PAGE_SIZE, MAP_READ), HV_BAD_INPUT);
	nothing_at_first(state);
	assert_int_equal(npt_map(root, gpa(top - PAGE_SIZE), hpa(last), PAGE_SIZE, MAP_READ), HV_OK);
	walk_tree(&walk, root, USER_TABLE);
	assert_int_equal(walk.count, 1);
	assert_int_equal(walk.leaves[0].virtual & (top - 1), top - PAGE_SIZE);
	assert_int_equal(walk.leaves[0].physical, last);
}

static void never_mapped_twice(void **state)
{
	(void)state;
	assert_int_equal(npt_map(root, gpa(2 * MIB), hpa(4 * MIB), 2 * MIB, MAP_READ), HV_OK);
	assert_int_equal(npt_map(root, gpa(PAGE_SIZE), hpa(PAGE_SIZE), PAGE_SIZE, MAP_READ), HV_OK);
	assert_int_equal(npt_map(root, gpa(PAGE_SIZE), hpa(0), PAGE_SIZE, MAP_READ | MAP_WRITE), HV_CONFLICT);
	assert_int_equal(npt_map(root, gpa(2 * MIB), hpa(0), 2 * MIB, MAP_READ | MAP_WRITE), HV_CONFLICT);
	assert_int_equal(npt_map(root, gpa(3 * MIB), hpa(0), PAGE_SIZE, MAP_READ | MAP_WRITE), HV_CONFLICT);
	assert_int_equal(npt_map(root, gpa(0), hpa(0), 2 * MIB, MAP_READ | MAP_WRITE), HV_CONFLICT);
	walk_tree(&walk, root, USER_TABLE);
	assert_int_equal(walk.count, 2);
	assert_leaf(0, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, BIT_PRESENT | BIT_USER | BIT_NX);
	assert_leaf(1, 2 * MIB, 4 * MIB, 2 * MIB, BIT_PRESENT | BIT_USER | BIT_NX);
}

/* Each table that is missing, one after the other. */
static void memory_exhausted(void **state)
{
	for (unsigned left = 0; left < 4; left++) {
		set_up(state);
		pages_left = left;
		assert_int_equal(npt_map(root, gpa(0), hpa(0), PAGE_SIZE, MAP_READ),
				 left < 3 ? HV_NO_MEMORY : HV_OK);
		walk_tree(&walk, root, USER_TABLE);
		assert_int_equal(walk.count, left == 3);
	}
	pages_left = 0;
	assert_null(npt_create());
}

struct range {
	uint64_t at, from, length;
	unsigned flags;
};

static uint64_t bits_of(unsigned flags)
{
	return BIT_PRESENT | BIT_USER | (flags & MAP_WRITE ? BIT_WRITE : 0) | (flags & MAP_EXECUTE ? 0 : BIT_NX) |
	       (flags & MAP_UNCACHED ? BIT_PCD | BIT_PWT : 0);
}

/* Pages of all leaves and pages of all ranges are as many, and each leaf lies in the range that explains it. */
static void assert_explained(const struct range *ranges, unsigned count)
{
	uint64_t wanted = 0, there = 0;

	walk_tree(&walk, root, USER_TABLE);
	for (unsigned i = 0; i < count; i++)
		wanted += ranges[i].length;
	for (unsigned i = 0; i < walk.count; i++) {
		const struct leaf *l = &walk.leaves[i];
		const struct range *r = ranges;

		while (r < ranges + count && l->virtual - r->at >= r->length)
			r++;
		assert_true(r < ranges + count);
		assert_true(l->virtual + l->length <= r->at + r->length);
		assert_int_equal(l->physical - r->from, l->virtual - r->at);
		assert_int_equal(l->bits, bits_of(r->flags));
		there += l->length;
	}
	assert_int_equal(there, wanted);
}

static void random_maps(void **state)
{
	srandom(20261121);
	for (unsigned round = 0; round < 60; round++) {
		struct range ranges[12];
		unsigned count = 0;

		set_up(state);
		for (unsigned i = 0; i < 12; i++) {
			struct range r = {
				.at = (uint64_t)(random() % 4096) * PAGE_SIZE + (uint64_t)(random() % 3) * 300 * GIB,
				.from = (uint64_t)random() * PAGE_SIZE,
				.length = (uint64_t)(random() % 1200 + 1) * PAGE_SIZE,
				.flags = MAP_READ | (unsigned)(random() % 16),
			};
			bool clash = false;

			if (random() % 2) {
				r.at &= ~(2 * MIB - 1);
				r.from &= ~(2 * MIB - 1);
			}
			for (unsigned k = 0; k < count; k++)
				clash |= r.at < ranges[k].at + ranges[k].length && ranges[k].at < r.at + r.length;
			if (clash)
				continue;
			assert_int_equal(npt_map(root, gpa(r.at), hpa(r.from), r.length, r.flags), HV_OK);
			ranges[count++] = r;
		}
		assert_explained(ranges, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_at_first, set_up), cmocka_unit_test(every_permission),
		cmocka_unit_test_setup(sizes_by_alignment, set_up), cmocka_unit_test_setup(refused, set_up),
		cmocka_unit_test_setup(never_mapped_twice, set_up), cmocka_unit_test(memory_exhausted),
		cmocka_unit_test(random_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
