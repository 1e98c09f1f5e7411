/* SPDX-License-Identifier: Apache-2.0 */
#include <libfdt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "plat_fake.h"
#include "tree.h"

void *tree;

void tree_start(void)
{
	if (!tree)
		tree = malloc(TREE_MAX);
	assert_int_equal(fdt_create_empty_tree(tree, TREE_MAX), 0);
}

static int at(const char *path)
{
	int node = fdt_path_offset(tree, path);

	if (node < 0)
		fail_msg("no node %s", path);
	return node;
}

void tree_node(const char *path)
{
	char parent[128];
	const char *name = strrchr(path, '/') + 1;

	memcpy(parent, path, (size_t)(name - path));
	parent[name - path > 1 ? name - path - 1 : 1] = 0;
	assert_true(fdt_add_subnode(tree, at(parent), name) >= 0);
}

void tree_bytes(const char *path, const char *name, const void *bytes, unsigned length)
{
	assert_int_equal(fdt_setprop(tree, at(path), name, bytes, (int)length), 0);
}

void tree_cells(const char *path, const char *name, unsigned count, ...)
{
	fdt32_t cells[64];
	va_list args;

	va_start(args, count);
	for (unsigned i = 0; i < count; i++)
		cells[i] = cpu_to_fdt32(va_arg(args, unsigned));
	va_end(args);
	tree_bytes(path, name, cells, 4 * count);
}

void tree_text(const char *path, const char *name, const char *text)
{
	tree_bytes(path, name, text, (unsigned)strlen(text) + 1);
}

void tree_flag(const char *path, const char *name)
{
	tree_bytes(path, name, NULL, 0);
}

void tree_drop(const char *path, const char *name)
{
	if (name)
		assert_int_equal(fdt_delprop(tree, at(path), name), 0);
	else
		assert_int_equal(fdt_del_node(tree, at(path)), 0);
}

uint32_t tree_end(void)
{
	assert_int_equal(fdt_pack(tree), 0);
	return fdt_totalsize(tree);
}

static uint32_t roll(uint64_t *seed, uint32_t sides)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % sides;
}

void *tree_damaged(uint32_t length, uint64_t *seed, uint32_t *damaged_length)
{
	static const uint32_t cells[] = { 0, 1, 2, 3, 4, 9, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff };
	uint8_t *copy = malloc(length);

	memcpy(copy, tree, length);
	for (unsigned changes = 1 + roll(seed, 8); changes; changes--) {
		uint32_t at = roll(seed, length - 64), to = roll(seed, length - 64), cell;

		switch (roll(seed, 5)) {
		case 0:
			copy[at] ^= (uint8_t)(1u << roll(seed, 8));
			break;
		case 1:
			cell = __builtin_bswap32(roll(seed, 2) ? cells[roll(seed, 10)] : roll(seed, length));
			memcpy(copy + (at & ~3u), &cell, 4);
			break;
		case 2:
			memmove(copy + (at & ~3u), copy + (to & ~3u), 4 * (1 + roll(seed, 15)));
			break;
		case 3:
			memset(copy + at, 0, 1 + roll(seed, 32));
			break;
		case 4:
			copy[at] = (uint8_t)roll(seed, 256);
			break;
		}
	}
	*damaged_length = roll(seed, 8) ? length : roll(seed, length);
	if (*damaged_length < length) {
		uint8_t *shorter = malloc(*damaged_length ? *damaged_length : 1);
		uint32_t size = __builtin_bswap32(*damaged_length);

		memcpy(shorter, copy, *damaged_length);
		if (*damaged_length >= 8)
			memcpy(shorter + 4, &size, 4);
		free(copy);
		copy = shorter;
	}
	return copy;
}
