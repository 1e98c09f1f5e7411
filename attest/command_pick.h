/* SPDX-License-Identifier: Apache-2.0 */
/* Which machine and which VM an operator means. */
#ifndef ATTEST_COMMAND_PICK_H
#define ATTEST_COMMAND_PICK_H

#include "store.h"

/*
 * The machine whose AK's Name, or the digest in it, begins with the digits `wanted`; NULL: the only one there is.
 * FAULT_USAGE names those that there are.
 */
bool pick_machine(struct store *s, const char *wanted, struct store_machine *out, struct fault *f);
/* The VM of that name on that machine (NULL: on the only one that knows it); a wrong name gets the nearest one. */
bool pick_vm(struct store *s, const char *machine, const char *name, struct store_vm *out, struct fault *f);
/* How commands show the machine with this number. */
bool pick_shown(struct store *s, int64_t machine, char out[13], struct fault *f);
/* "2026-11-30 22:15:04", local time; "never" for 0. */
void pick_time(int64_t ms, char out[32]);

#endif
