/* SPDX-License-Identifier: MIT */
/*
 * Security labels as every part of Lazaret stores them.
 *
 * A label is an ordered level and a set of unordered categories (Bell and LaPadula, "Secure Computer System: Unified
 * Exposition and Multics Interpretation", 1976).  A dominates B when A's level is at least B's and A's categories
 * include all of B's.  The names of levels and categories live in the policy; here they are numbers.
 */
#ifndef LAZARET_LABEL_H
#define LAZARET_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Integers are little-endian wherever a label is stored outside a flattened device tree. */
struct lzr_label {
	uint8_t level;          /* 0 is the lowest */
	uint8_t reserved[7];    /* zero */
	uint64_t categories;    /* bit n: category n of the policy */
};
_Static_assert(sizeof(struct lzr_label) == 16, "label layout");
_Static_assert(offsetof(struct lzr_label, categories) == 8, "label layout");

/* True when `a` may receive what `b` may send: level and categories of `a` cover those of `b`. */
static inline bool lzr_label_dominates(const struct lzr_label *a, const struct lzr_label *b)
{
	return a->level >= b->level && (b->categories & ~a->categories) == 0;
}

static inline bool lzr_label_equal(const struct lzr_label *a, const struct lzr_label *b)
{
	return a->level == b->level && a->categories == b->categories;
}

#endif
