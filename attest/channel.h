/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's own channel: it asks (SESSION_ASK), it gets evidence about itself (SESSION_EVIDENCE) or a refusal, on this
 * channel and no other.  What one guest sends costs it alone: a bounded buffer, one answer at a time, a rate.
 */
#ifndef ATTEST_CHANNEL_H
#define ATTEST_CHANNEL_H

#include "agent.h"
#include "link.h"
#include "session.h"

struct channel {
	struct link link;
	struct session_input in;
	uint8_t in_data[sizeof(struct session_header) + SESSION_ASK_MAX];
	uint8_t *out;           /* answer under way, owned */
	size_t out_length, out_at;
	uint64_t next_ms;       /* no answer before */
};

void channel_init(struct channel *c);
/* Takes one message and answers a whole request; true if evidence was made. */
bool channel_readable(struct channel *c, struct agent *a, uint64_t now_ms);
/* Is part of an answer still to be sent? */
bool channel_pending(const struct channel *c);
void channel_writable(struct channel *c);

#endif
