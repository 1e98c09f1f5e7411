/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestor's session with the verifier: dialled, kept, dialled again with growing pauses.
 *
 * Evidence leaves at whole seconds only.  The guests' requests are worked on in the second half of each second
 * (attestor.c), so that a guest cannot tell anything to the network by asking or not.
 */
#ifndef ATTEST_DIAL_H
#define ATTEST_DIAL_H

#include <netinet/in.h>

#include "agent.h"
#include "session.h"

#define DIAL_SECOND_MS 1000u

struct dial {
	struct sockaddr_in endpoint;
	int fd;                         /* -1: none */
	bool connected;
	bool challenged;                /* in this session: before that there is nothing to renew */
	bool renewing;                  /* a challenge was asked for and did not come yet */
	uint64_t retry_ms, pause_ms;
	struct session_input in;
	struct tpm_endorsement *endorsement;    /* while enrolling */
	uint8_t *evidence;                      /* made, to be sent at evidence_ms; owned */
	size_t evidence_length;
	uint64_t evidence_ms;
	/* What the owner does about frames that concern the switch. */
	void (*before_evidence)(void *owner);                   /* fetch port nonces */
	void (*deliver)(void *owner, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], uint64_t answer[5]);
	void *owner;
};

/* "a.b.c.d:port". */
bool dial_init(struct dial *d, const char *endpoint, struct fault *f);
/* Connects, and sends evidence, when it is time; call at each tick. */
void dial_tick(struct dial *d, const struct agent *a, uint64_t now_ms);
void dial_readable(struct dial *d, struct agent *a, uint64_t now_ms);
/* The connection came about, or failed. */
void dial_writable(struct dial *d, const struct agent *a, uint64_t now_ms);
/*
 * Asks for a challenge; false if there is no session, or the last challenge is not answered yet: the verifier knows one
 * nonce at a time, and a second challenge would make the evidence for the first worthless.
 */
bool dial_renew(struct dial *d, uint64_t now_ms);

#endif
