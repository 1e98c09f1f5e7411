/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer for the attestor's session, with a clock of the test's own, and what stands in for TPM, switch and evidence.
 */
#ifndef ATTEST_DIAL_RIG_H
#define ATTEST_DIAL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../dial.h"

#define SECOND ((uint64_t)DIAL_SECOND_MS)
#define PATIENCE ((uint64_t)DIAL_PATIENCE_MS)

struct dial_rig {
	struct dial d;
	struct agent agent;
	int listening, peer;
	uint64_t now, work_ms;          /* making evidence takes that long */
	size_t bundle_length;
	unsigned int bundles, endorsements, delivered;
};

extern struct dial_rig *w;

int dial_rig_setup(void **state);
int dial_rig_teardown(void **state);

/* The attestor's loop at a moment; what was sent to it has arrived. */
void at(uint64_t now);
uint64_t next_second(void);
/* Seconds pass, each looked at when it begins, a little later, and in its second half. */
void pass(unsigned int seconds);
/* From nothing to a connection and a hello; then to evidence. */
void meet(void);
void meet_and_prove(void);
/* The session ends at the next whole second, and what made it end is `why`. */
void ends(const char *why);

/* How much has arrived; within one machine nothing is waited for. */
size_t heard(uint8_t *out, size_t size);
uint16_t hears_frame(void);
void says_bytes(const void *bytes, size_t length);
void says(uint16_t type, const struct bytes *strings, size_t count);
void challenges(void);
void gives_result(void);

#endif
