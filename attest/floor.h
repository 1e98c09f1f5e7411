/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's memory of what it has accepted: the rollback index (lazaret/rollback.h), raised after a good boot. */
#ifndef ATTEST_FLOOR_H
#define ATTEST_FLOOR_H

#include "agent.h"

/*
 * Records this boot's policy version, its signer and the next signer that it names.  True also when there is no index,
 * or when it holds this or a higher version's record already; *written tells.
 */
bool floor_raise(struct agent *a, bool *written, struct fault *f);

#endif
