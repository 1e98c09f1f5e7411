/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root mode's tables over 16 MiB of physical memory at 0, an image at LZR_HV_BASE that exists as addresses only, and
 * the model that the tables must agree with.
 */
#ifndef PAGING_RIG_H
#define PAGING_RIG_H

#include "cpu_fake.h"
#include "paging.h"
#include "walk.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define RAM (16 * MIB)
#define POOL (8 * MIB)                  /* where the allocator puts the tables */
#define STACKS (10 * MIB)
#define OWNERS (11 * MIB)
#define OWNERS_LENGTH 0x3000u
#define IMAGE (4 * MIB)
#define IMAGE_LENGTH (1 * MIB)

/* Offsets of the linker script's symbols. */
enum {
	BOOT_TEXT_END = 0x3000, BOOT_RODATA_END = 0x5000, BOOT_END = 0x8000, TEXT_END = 0xc000, RODATA_END = 0xe000,
	SEALED_START = 0xf000, SEALED_END = 0x11000, IMAGE_END = 0x14000,
};

#define RO (BIT_PRESENT | BIT_NX)
#define RW (BIT_PRESENT | BIT_WRITE | BIT_NX)
#define RX BIT_PRESENT
#define DEVICE (RW | BIT_PCD | BIT_PWT)

extern struct handoff rig_handoff;
extern jmp_buf rig_panic;
extern const char *rig_panic_expected;  /* words of its message */
extern uint64_t rig_pool_at;            /* where the allocator puts the tables, 0: it has no room */
extern unsigned rig_stacks;             /* stacks that it has memory for */

/* cmocka setup: the usual map; nothing built yet. */
int rig_setup(void **state);
void rig_memory(const struct lzr_boot_memory *map, unsigned count);

/* The model: what is mapped where, by page. */
void model_clear(void);
void model_map(uint64_t virtual, uint64_t physical, uint64_t length, uint64_t bits);
/* Other permissions for a part that is mapped; 0: unmapped. */
void model_change(uint64_t virtual, uint64_t length, uint64_t bits);
/* What paging_init must have built. */
void model_after_init(void);
/* The tables hold what the model holds, nothing else; no page is writable somewhere and executable there or elsewhere,
 * but for the page at `start_page` (0: none). */
void model_check(uint64_t start_page);

#define assert_panics(words, statement) do { \
	rig_panic_expected = words; \
	if (!setjmp(rig_panic)) { \
		statement; \
		fail_msg("no panic"); \
	} \
	rig_panic_expected = NULL; \
} while (0)

#endif
