/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle.h"

#include <string.h>

static void merkle_node(uint8_t out[SHA384_SIZE], const uint8_t *left, const uint8_t *right)
{
	static const uint8_t prefix = 1;

	sha384_parts(out, (struct bytes[]){ { &prefix, 1 }, { left, SHA384_SIZE }, { right, SHA384_SIZE } }, 3);
}

void merkle_leaf(uint8_t out[SHA384_SIZE], struct bytes data)
{
	static const uint8_t prefix = 0;

	sha384_parts(out, (struct bytes[]){ { &prefix, 1 }, data }, 2);
}

void merkle_fold(uint8_t (*leaves)[SHA384_SIZE], uint32_t count, struct merkle_path *path)
{
	uint32_t at = path ? path->index : 0;

	if (path) {
		path->count = count;
		path->depth = 0;
	}
	while (count > 1) {
		if (path && (at ^ 1) < count)
			memcpy(path->sibling[path->depth++], leaves[at ^ 1], SHA384_SIZE);
		for (uint32_t i = 0; i + 1 < count; i += 2)
			merkle_node(leaves[i / 2], leaves[i], leaves[i + 1]);
		if (count & 1)
			memmove(leaves[count / 2], leaves[count - 1], SHA384_SIZE);
		count = (count + 1) / 2;
		at /= 2;
	}
}

bool merkle_path_root(const struct merkle_path *path, const uint8_t leaf[SHA384_SIZE], uint8_t root[SHA384_SIZE])
{
	uint32_t at = path->index, count = path->count, used = 0;

	if (count == 0 || count > MERKLE_LEAVES_MAX || at >= count)
		return false;
	memcpy(root, leaf, SHA384_SIZE);
	for (; count > 1; count = (count + 1) / 2, at /= 2) {
		if ((at ^ 1) >= count)
			continue;
		if (used == path->depth)
			return false;
		if (at & 1)
			merkle_node(root, path->sibling[used], root);
		else
			merkle_node(root, root, path->sibling[used]);
		used++;
	}
	return used == path->depth;
}

void merkle_log_append(struct merkle_log *log, struct bytes entry)
{
	uint8_t node[SHA384_SIZE];
	unsigned int level = 0;

	merkle_leaf(node, entry);
	for (; log->size >> level & 1; level++)
		merkle_node(node, log->peak[level], node);
	memcpy(log->peak[level], node, SHA384_SIZE);
	log->size++;
}

void merkle_log_root(const struct merkle_log *log, uint8_t root[SHA384_SIZE])
{
	bool any = false;

	for (unsigned int level = 0; level < 64; level++) {
		if (!(log->size >> level & 1))
			continue;
		if (any)
			merkle_node(root, log->peak[level], root);
		else
			memcpy(root, log->peak[level], SHA384_SIZE);
		any = true;
	}
	if (!any)
		sha384(root, NULL, 0);
}
