/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of tests/policies/attested.dts with a verifier at the other end of its network. */
#ifndef TESTS_ATTESTED_H
#define TESTS_ATTESTED_H

#include <stdbool.h>
#include <stddef.h>

#include "rig.h"

#define ATTESTED_REFERENCE "build/tests/attested.reference"

struct attested {
	char dir[160];                  /* of the machine; DIR/verifier is the verifier's state */
	struct rig *rig;
};

/* A file of the verifier's state; NULL if it is not there.  The caller frees it. */
char *attested_state(const struct attested *a, const char *name, size_t *length);
/* Runs `lzr-verify check` on the kept bundle; its exit status good or not, and what it printed. */
bool attested_check(const struct attested *a, const char *reference, char *output, size_t capacity);

/* attested_eyes.c: OpenSSL and tpm2-tools on the bundle that this machine's verifier kept. */
void eyes_on_signature(const struct attested *a);
void eyes_on_log(const struct attested *a);
/* attested_bundle.c: that bundle damaged, and each time refused for the right reason. */
void bundle_damaged(const struct attested *a);

#endif
