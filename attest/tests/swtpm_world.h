/* SPDX-License-Identifier: Apache-2.0 */
/* An attestor on a software TPM that has measured the fixture's machine, a fake switch, and a verifier's key. */
#ifndef ATTEST_SWTPM_WORLD_H
#define ATTEST_SWTPM_WORLD_H

#include "fake.h"
#include "swtpm.h"
#include "../agent.h"

struct world {
	struct swtpm swtpm;
	struct agent agent;
	struct ak_record ak;
	struct key verifier;
};

extern struct world *world;

/* For a cmocka group. */
int world_setup(void **state);
int world_teardown(void **state);

#endif
