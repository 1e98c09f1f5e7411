/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's hand-off, copied and checked.  Boot only. */
#ifndef HV_HANDOFF_H
#define HV_HANDOFF_H

#include <lazaret/boot.h>
#include <lazaret/name.h>

#include "types.h"

#define HANDOFF_MEMORY_MAX 512u
#define HANDOFF_FILE_MAX (LZR_BOOT_LIST_MAX + 1)

struct handoff {
	struct lzr_boot_info info;
	struct lzr_boot_memory memory[HANDOFF_MEMORY_MAX];
	struct lzr_boot_file files[HANDOFF_FILE_MAX];
	char wrong_file[LZR_NAME_MAX];  /* the name, fit to be shown, of the file that was found wrong, or "" */
};

/*
 * Copies the block at `block` (at most `limit` bytes are mapped there) into `out`, wipes the entropy at its source,
 * which stays in the direct map for good, and checks the copy: NULL, or what is
 * wrong with it; out->wrong_file then says with which of its files, if it is one of them.
 */
const char *handoff_copy(struct handoff *out, void *block, uint64_t limit);
/* The file of that kind, NULL: none; with `name`, the one of that name. */
const struct lzr_boot_file *handoff_file(const struct handoff *handoff, uint32_t kind, const char *name);
/* True if [base, base + length) lies in memory of that kind only (adjacent entries count together). */
bool handoff_covers(const struct handoff *handoff, uint64_t base, uint64_t length, uint32_t kind);

#endif
