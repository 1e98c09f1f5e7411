/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every leaf of a tree of four-level page tables, in the order of addresses; entries as AMD64 Architecture Programmer's
 * Manual, volume 2, "Long-Mode Page Translation" has them, said apart from the product's own definitions.
 */
#ifndef TEST_WALK_H
#define TEST_WALK_H

#include "platform.h"

#define BIT_PRESENT 0x1ull
#define BIT_WRITE 0x2ull
#define BIT_USER 0x4ull
#define BIT_PWT 0x8ull
#define BIT_PCD 0x10ull
#define BIT_LARGE 0x80ull
#define BIT_NX 0x8000000000000000ull
#define WALK_ADDRESS 0x000ffffffffff000ull

struct leaf {
	uint64_t virtual, physical, length;
	uint64_t bits;                  /* of the entry, but for the address and what says that the page is large */
};

struct walk {
	struct leaf leaves[1u << 16];
	unsigned count, tables;         /* tables below the root */
	uint64_t above;                 /* bits that every entry above a leaf has, and no other */
};

/* Fails the test at an entry that is neither zero nor present, or whose bits above a leaf are not walk->above. */
static inline void walk_table(struct walk *walk, const uint64_t *table, unsigned level, uint64_t virtual)
{
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t entry = table[i], at = virtual + (i << (12 + 9 * level)), length = 1ull << (12 + 9 * level);

		if (level == 3 && i >= 256)
			at |= 0xffff000000000000;
		if (!entry)
			continue;
		assert_true(entry & BIT_PRESENT);
		if (level == 0 || entry & BIT_LARGE) {
			assert_true(level <= 1);
			assert_int_equal((entry & WALK_ADDRESS) % length, 0);
			assert_true(walk->count < ARRAY_LENGTH(walk->leaves));
			walk->leaves[walk->count++] = (struct leaf){
				at, entry & WALK_ADDRESS, length, entry & ~WALK_ADDRESS & ~(level ? BIT_LARGE : 0),
			};
			continue;
		}
		assert_int_equal(entry & ~WALK_ADDRESS, walk->above);
		walk->tables++;
		walk_table(walk, hpa_ptr(hpa(entry & WALK_ADDRESS)), level - 1, at);
	}
}

static inline void walk_tree(struct walk *walk, const uint64_t *root, uint64_t above)
{
	walk->count = walk->tables = 0;
	walk->above = above;
	walk_table(walk, root, 3, 0);
}

/* The leaf that maps an address, NULL: none. */
static inline const struct leaf *walk_find(const struct walk *walk, uint64_t virtual)
{
	for (unsigned i = 0; i < walk->count; i++)
		if (virtual - walk->leaves[i].virtual < walk->leaves[i].length)
			return &walk->leaves[i];
	return NULL;
}

#endif
