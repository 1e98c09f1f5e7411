/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of tests/policies/attested.dts with a verifier at the other end of its network. */
#ifndef TESTS_ATTESTED_H
#define TESTS_ATTESTED_H

#include <stdbool.h>
#include <stddef.h>

#include "rig.h"
#include "store.h"

#define ATTESTED_REFERENCE "build/tests/attested.reference"
#define ATTESTED_STATE "verifier.db"    /* in the machine's directory */

struct attested {
	char dir[160];                  /* of the machine */
	struct rig *rig;
};

/* The last appraisal with its evidence; false if there is none yet.  Release with store_free_report. */
bool attested_report(const struct attested *a, struct store_report *out);
/* Runs `lzr-verify check` on the kept bundle; its exit status good or not, and what it printed. */
bool attested_check(const struct attested *a, const char *reference, char *output, size_t capacity);

/* attested_eyes.c: OpenSSL and tpm2-tools on the bundle that this machine's verifier kept. */
void eyes_on_signature(const struct attested *a);
void eyes_on_log(const struct attested *a);
/* attested_bundle.c: that bundle damaged, and each time refused for the right reason. */
void bundle_damaged(const struct attested *a);

#endif
