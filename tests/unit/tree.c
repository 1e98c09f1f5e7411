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
