/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's TPM with a rollback index, defined by tpm2-tools before the machine starts. */
#ifndef TESTS_ROLLBACK_INDEX_H
#define TESTS_ROLLBACK_INDEX_H

#include <stdbool.h>

#include <lazaret/rollback.h>

/* Makes the TPM of the run directory `dir`, which has none yet.  Prints its own error. */
bool rollback_index_define(const char *dir, const struct rollback_nv *content);

#endif
