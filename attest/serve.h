/* SPDX-License-Identifier: Apache-2.0 */
/* One attestor's session, the verifier's side: enrolment, challenges, appraisal, results. */
#ifndef ATTEST_SERVE_H
#define ATTEST_SERVE_H

#include "enrol.h"
#include "session.h"
#include "store.h"

struct serve_options {
	const char *roots;              /* TPM makers' certificates; NULL: nothing is enrolled in this session */
	bool allow_development_key;
	uint64_t lease_ns;
	unsigned int patience_seconds;  /* for the first good evidence, beyond a lease for the next, for the switch's
					   answer to a result; 0: 120 */
	const char *reference_path;     /* looked at again before each appraisal and each second; NULL: never */
	unsigned int grace_seconds;     /* with a file there that cannot be read, before leases end; 0: 5 */
	const struct reference *reference;      /* as it was read first */
	struct key *key;                /* the verifier's, private */
	struct store *store;
};

/*
 * Serves until the attestor closes, says something that is not the protocol or too much, proves nothing in time, or a
 * newer session of the same machine has proved itself.  Nobody else is served meanwhile: a process for each session.
 * Makes both file descriptors non-blocking.
 */
bool serve_session(const struct serve_options *options, int in, int out, struct fault *f);

#endif
