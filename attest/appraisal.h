/* SPDX-License-Identifier: Apache-2.0 */
/* The last appraisal as an operator is shown it: when it was, what it found, and who is revoked since. */
#ifndef ATTEST_APPRAISAL_H
#define ATTEST_APPRAISAL_H

#include <stdio.h>

#include "store.h"

/*
 * Prints the appraisal to `out`, as text or, with `json`, as one JSON object.  `good` is whether all of what is shown
 * is: the platform, every VM, and none of the machine's VMs revoked by an operator.  False with a fault if the state
 * could not be read; nothing is printed then.
 */
bool appraisal_print(FILE *out, struct store *s, const struct store_report *r, bool json, bool *good, struct fault *f);

#endif
