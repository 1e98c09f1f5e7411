/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's TPM with a rollback index, defined by tpm2-tools before the machine starts. */
#ifndef TESTS_ROLLBACK_INDEX_H
#define TESTS_ROLLBACK_INDEX_H

#include <stdbool.h>

#include <lazaret/rollback.h>

#define ROLLBACK_REGISTERS 96u          /* PCR 4 and PCR 8 of the SHA-384 bank */

/*
 * Makes the TPM of the run directory `dir`, which has none yet.  With `registers` (not NULL) whoever runs in a machine
 * whose PCR 4 and 8 are these may write the index, as docs/boot.md has it.  Prints its own error.
 */
bool rollback_index_define(const char *dir, const struct rollback_nv *content, const uint8_t *registers);
/* What the TPM of `dir` holds now, while no machine runs with it. */
bool rollback_index_read(const char *dir, struct rollback_nv *content);

#endif
