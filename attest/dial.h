/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestor's session with the verifier: dialled, kept, dialled again with growing pauses.  The network is hostile:
 * it may be silent, slow, or say anything at any time; nothing here waits for it.
 *
 * Time is cut, so that a guest cannot tell anything to the network by asking or not.  What goes out, from the first
 * connection to the last word, begins to leave at a whole second and never between; who is late waits for the next.
 * The verifier is heard in the first half of a second, guests in the second, and not while something waits for the
 * whole second (turns.h).
 *
 * Renewals go by the clock, too: every DIAL_RENEW_SECONDS a challenge is asked for, whatever ports and guests do.  A VM
 * that resets its network device moves no word on the wire; its port's state is looked at when evidence is made.
 */
#ifndef ATTEST_DIAL_H
#define ATTEST_DIAL_H

#include <netinet/in.h>

#include "agent.h"
#include "session.h"

#define DIAL_SECOND_MS 1000u
#define DIAL_HALF_MS (DIAL_SECOND_MS / 2)
#define DIAL_LATE_MS 100u               /* after a whole second: late */
#define DIAL_PATIENCE_MS 30000u         /* for a connection, an answer, the rest of a frame, our words to leave */
#define DIAL_RENEW_SECONDS 5u           /* of the attestor's clock: a lease of 15 outlives two that fail */
#define DIAL_RESULTS_MAX (2 * LZR_VM_MAX)

enum dial_awaits { DIAL_NOTHING, DIAL_ENROL_OR_CHALLENGE, DIAL_CREDENTIAL, DIAL_CHALLENGE };

struct dial {
	struct sockaddr_in endpoint;
	int fd;                         /* -1: none */
	bool connected;
	bool challenged;                /* in this session: before that there is nothing to renew */
	enum dial_awaits awaits;
	uint64_t second;                /* the last that was not missed */
	uint64_t renew_second;          /* from which the next challenge is asked for */
	uint64_t retry_ms, pause_ms, since_ms;
	uint64_t answer_ms, frame_ms, out_ms;   /* patience ends; 0: none is needed */
	unsigned int results_left;      /* that the verifier may send now; one more each second, and one for each VM
					 * that evidence was sent about */
	struct session_input in;
	struct tpm_endorsement *endorsement;    /* while enrolling */
	uint8_t *out;                           /* one bundle and what else is said meanwhile */
	size_t out_at, out_may, out_used;       /* has left, may leave, made */
	char ending[200];                       /* why the session ends at the next whole second */
	/* What the owner does about frames that concern the switch. */
	void (*before_evidence)(void *owner);                   /* fetch port nonces */
	void (*deliver)(void *owner, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], uint64_t answer[5]);
	void *owner;
};

/* "a.b.c.d:port". */
bool dial_init(struct dial *d, const char *endpoint, struct fault *f);
void dial_free(struct dial *d);
/* Whether something waits for the next whole second. */
bool dial_waits(const struct dial *d);
/* What to poll the socket for now; 0: nothing. */
short dial_events(const struct dial *d, uint64_t now_ms);
/* Call when the socket is ready for that. */
void dial_ready(struct dial *d, struct agent *a, uint64_t now_ms);
/* Connects, hangs up, lets words leave, when it is time; call often, and right after each whole second. */
void dial_tick(struct dial *d, uint64_t now_ms);

#endif
