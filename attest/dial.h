/* SPDX-License-Identifier: Apache-2.0 */
/* The attestor's session with the verifier: dialled, kept, dialled again with growing pauses. */
#ifndef ATTEST_DIAL_H
#define ATTEST_DIAL_H

#include <netinet/in.h>

#include "agent.h"
#include "session.h"

struct dial {
	struct sockaddr_in endpoint;
	int fd;                         /* -1: none */
	bool connected;
	uint64_t retry_ms, pause_ms;
	struct session_input in;
	struct tpm_endorsement *endorsement;    /* while enrolling */
	/* What the owner does about frames that concern the switch. */
	void (*before_evidence)(void *owner);                   /* fetch port nonces */
	void (*deliver)(void *owner, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], uint64_t answer[5]);
	void *owner;
};

/* "a.b.c.d:port". */
bool dial_init(struct dial *d, const char *endpoint, struct fault *f);
/* Connects when it is time; call at each tick. */
void dial_tick(struct dial *d, const struct agent *a, uint64_t now_ms);
void dial_readable(struct dial *d, struct agent *a, uint64_t now_ms);
/* The connection came about, or failed. */
void dial_writable(struct dial *d, const struct agent *a, uint64_t now_ms);
/* Asks for a challenge; false if there is no session. */
bool dial_renew(struct dial *d, uint64_t now_ms);

#endif
