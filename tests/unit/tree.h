/* SPDX-License-Identifier: Apache-2.0 */
/* Builds flattened trees in tests and bends them. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_MAX (128u << 10)

extern void *tree;                      /* TREE_MAX bytes, 8-aligned */

void tree_start(void);
void tree_node(const char *path);       /* its last component is new, and first among its siblings */
void tree_cells(const char *path, const char *name, unsigned count, ...);       /* uint32_t each, as unsigned */
void tree_bytes(const char *path, const char *name, const void *bytes, unsigned length);
void tree_text(const char *path, const char *name, const char *text);
void tree_flag(const char *path, const char *name);
void tree_drop(const char *path, const char *name);     /* NULL: the node */
uint32_t tree_end(void);                /* packed; the file's length */
/*
 * A copy of the packed tree with up to eight things changed (bits, cells, moved pieces, cut short now and then), from
 * `*seed` on; on the heap in its exact size, the caller frees it.
 */
void *tree_damaged(uint32_t length, uint64_t *seed, uint32_t *damaged_length);

#endif
