/* SPDX-License-Identifier: Apache-2.0 */
/* Trees that would take libfdt outside or round and round are refused before it walks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fdt_whole.h"

#define ROOM 1024

/* On the heap in its exact size, so that the sanitizer sees its end. */
static uint8_t *make(size_t *size)
{
	void *tree = malloc(ROOM);

	assert_int_equal(fdt_create_empty_tree(tree, ROOM), 0);
	int child = fdt_add_subnode(tree, 0, "vms");
	assert_int_equal(fdt_setprop_string(tree, child, "name", "red"), 0);
	assert_int_equal(fdt_setprop_u32(tree, child, "vcpus", 1), 0);
	assert_int_equal(fdt_setprop_string(tree, 0, "compatible", "lazaret,policy-1"), 0);
	assert_int_equal(fdt_pack(tree), 0);
	*size = fdt_totalsize(tree);
	return realloc(tree, *size);
}

static void a_good_tree_takes_all_of_its_bytes(void **state)
{
	size_t size;
	uint8_t *tree = make(&size);

	(void)state;
	assert_int_equal(fdt_whole(tree, size), 0);
	assert_int_not_equal(fdt_whole(tree, size - 1), 0);
	tree = realloc(tree, size + 4);
	assert_int_not_equal(fdt_whole(tree, size + 4), 0);
	assert_int_not_equal(fdt_whole(tree, 39), 0);
	assert_int_not_equal(fdt_whole(tree, 0), 0);
	free(tree);
}

/* Longer than the tree, longer than half of what 32 bits count, and so long that an offset's sum wraps. */
static void a_property_is_no_longer_than_the_tree(void **state)
{
	static const int32_t near[] = { INT32_MIN, -1, INT32_MAX };
	size_t size;
	uint8_t *tree = make(&size);
	unsigned properties = 0;

	(void)state;
	alarm(60);
	for (size_t at = fdt_off_dt_struct(tree); at + 12 <= size; at += 4) {
		fdt32_t was, *length = (fdt32_t *)(void *)(tree + at + 4);

		if (fdt32_ld((fdt32_t *)(void *)(tree + at)) != FDT_PROP)
			continue;
		properties++;
		was = *length;
		for (unsigned i = 0; i < sizeof(near) / sizeof(near[0]); i++)
			for (uint32_t off = 0; off < 2 * size; off++) {
				*length = cpu_to_fdt32((uint32_t)near[i] + (near[i] == INT32_MIN ? off : -off));
				assert_int_not_equal(fdt_whole(tree, size), 0);
			}
		*length = was;
	}
	assert_int_equal(properties, 3);
	assert_int_equal(fdt_whole(tree, size), 0);
	free(tree);
}

/* The structure ends behind a property's length: no whole head, and libfdt would add that length all the same. */
static void a_head_that_is_cut_is_no_property(void **state)
{
	size_t size;
	uint8_t *tree = make(&size);
	size_t at = fdt_off_dt_struct(tree);

	(void)state;
	alarm(60);
	while (fdt32_ld((fdt32_t *)(void *)(tree + at)) != FDT_PROP)
		at += 4;
	for (uint32_t left = 4; left < 12; left += 4) {
		fdt_set_size_dt_struct(tree, (uint32_t)(at + left - fdt_off_dt_struct(tree)));
		for (uint32_t off = 0; off < 2 * size; off++) {
			*(fdt32_t *)(void *)(tree + at + 4) = cpu_to_fdt32(-off);
			assert_int_not_equal(fdt_whole(tree, size), 0);
		}
	}
	free(tree);
}

static void only_the_present_version_and_aligned(void **state)
{
	size_t size;
	uint8_t *tree = make(&size);

	(void)state;
	for (uint32_t version = 0; version < 20; version++) {
		fdt_set_version(tree, version);
		assert_int_equal(fdt_whole(tree, size) == 0, version == 17);
	}
	fdt_set_version(tree, 17);
	uint32_t at = fdt_off_dt_struct(tree);
	for (uint32_t i = 1; i < 4; i++) {
		fdt_set_off_dt_struct(tree, at + i);
		assert_int_equal(fdt_whole(tree, size), -FDT_ERR_ALIGNMENT);
	}
	free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_tree_takes_all_of_its_bytes),
		cmocka_unit_test(a_property_is_no_longer_than_the_tree),
		cmocka_unit_test(a_head_that_is_cut_is_no_property),
		cmocka_unit_test(only_the_present_version_and_aligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
