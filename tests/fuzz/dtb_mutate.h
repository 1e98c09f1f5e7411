/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to flattened device trees that keep most of the tree readable, so that they reach what lies behind the first
 * check: both engines' mutator for every target that reads one.
 */
#ifndef DTB_MUTATE_H
#define DTB_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#define DTB_MUTATE_MAX (256u << 10)

/* Changes the tree in `data` in place; its new size, 0 when it is no tree at all or there is no room. */
size_t dtb_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed);

#endif
