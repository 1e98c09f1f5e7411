/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"
#include "serve_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 100
#define NONCE_LIFE_SECONDS 120
#define FRAMES_MAX 16u          /* from the attestor for each good evidence, and one for each result */
#define IN_FLIGHT_MAX 64u       /* results that wait for the switch's answer */
#define NEW_EVIDENCE_SECONDS 5  /* for a nonce that a revocation can name */

time_t serve_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

unsigned int serve_patience(const struct server *s)
{
	return s->o->patience_seconds ? s->o->patience_seconds : SERVE_PATIENCE_SECONDS;
}

void serve_expect_evidence(struct server *s, uint64_t seconds)
{
	s->until = serve_now() + (time_t)(seconds + serve_patience(s));
	s->frames_left = FRAMES_MAX;
}

bool serve_refuse(struct server *s, const struct fault *why)
{
	char text[600];
	struct fault ignored = { 0 };

	fault_print(why, text, sizeof(text));
	store_event(s->o->store, s->machine, &ignored, "refused %s", text);
	session_send(s->out, SESSION_REFUSED, (struct bytes){ (const uint8_t *)text, strlen(text) }, &ignored);
	return false;
}

bool serve_challenge(struct server *s, struct fault *f)
{
	uint8_t payload[128];
	const struct bytes nonce = { s->nonce, sizeof(s->nonce) };
	size_t n;

	random_fill(s->nonce, sizeof(s->nonce));
	s->nonce_until = serve_now() + NONCE_LIFE_SECONDS;
	n = session_put_strings(payload, sizeof(payload), &nonce, 1);
	return session_send(s->out, SESSION_CHALLENGE, (struct bytes){ payload, n }, f);
}

static bool send_result(struct server *s, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], struct fault *f)
{
	const uint8_t number[4] = { (uint8_t)port, (uint8_t)(port >> 8), (uint8_t)(port >> 16), (uint8_t)(port >> 24) };
	uint8_t payload[LZR_RESULT_SIZE + 32];
	size_t n = session_put_strings(payload, sizeof(payload),
				       (struct bytes[]){ { number, 4 }, { result, LZR_RESULT_SIZE } }, 2);

	s->frames_left++;
	return session_send(s->out, SESSION_RESULT, (struct bytes){ payload, n }, f);
}

/* --- what the switch says ----------------------------------------------------------------------------------------- */

/* A revocation that names an old nonce or instance closed nothing: the next evidence has what another must name. */
static void want_evidence(struct server *s, const struct store_message *m)
{
	if (m->kind == STORE_MESSAGE_REVOCATION && m->port_state != LZR_PORT_BLOCKED &&
	    (m->status == LZR_CTL_WRONG_NONCE || m->status == LZR_CTL_WRONG_INSTANCE) && !s->evidence_until)
		s->evidence_until = serve_now() + NEW_EVIDENCE_SECONDS;
}

/* In a transaction. */
static bool record_status(struct server *s, const uint64_t n[5], struct fault *f)
{
	struct store_message m;
	bool found;

	if (!store_answer(s->o->store, n[0], (uint32_t)n[2], (uint32_t)n[3], &m, &found, f))
		return false;
	if (found)
		want_evidence(s, &m);
	return store_event(s->o->store, s->machine, f,
			   "switch serial=%" PRIu64 " vm=%" PRIu64 " status=%s port=%s lease-ms=%" PRIu64 "%s", n[0],
			   n[1], report_control_status(n[2]), report_port_state(n[3]), n[4] / 1000000,
			   !found ? " (nothing waits for it)"
				  : m.kind == STORE_MESSAGE_LEASE && m.status == LZR_CTL_DURATION
					    ? " (--lease is longer than the policy's lease-max)" : "");
}

/* The word of an attestor that has proved itself, about a result that this session sent. */
static bool on_status(struct server *s, struct bytes payload, struct fault *f)
{
	uint64_t n[5];

	if (!session_get_numbers(payload, n, 5, f))
		return false;
	if (n[2] > UINT32_MAX || n[3] > UINT32_MAX)
		return fault_set(f, FAULT_PROTOCOL, "status", "numbers of 32 bits", "more");
	return store_begin(s->o->store, f) && store_end(s->o->store, record_status(s, n, f), f);
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* Before the AK is known there is nothing to renew. */
static bool on_renew(struct server *s, struct bytes payload, struct fault *f)
{
	s->renewal = s->machine != 0;
	return !payload.length || fault_set_number(f, FAULT_PROTOCOL, "length of a renewal", 0, payload.length);
}

/*
 * The attestor draws new port nonces when the challenge comes, which makes results for the old ones void.  So what
 * waits is sent first: an attestor whose evidence takes longer than its renewals would never get a lease in time.
 */
static bool renew(struct server *s, struct fault *f)
{
	if (!s->renewal || s->closing.code != FAULT_UNCHECKED)
		return true;
	s->renewal = false;
	return serve_challenge(s, f);
}

static bool on_frame(struct server *s, uint16_t type, struct bytes payload, struct fault *f)
{
	if (s->frames_left-- == 0)
		return fault_set(f, FAULT_PROTOCOL, "session", "fewer frames for one evidence", "one more");
	switch (type) {
	case SESSION_HELLO:
		return serve_hello(s, payload, f);
	case SESSION_ENDORSEMENT:
		return serve_endorsement(s, payload, f);
	case SESSION_ACTIVATED:
		return serve_activated(s, payload, f);
	case SESSION_EVIDENCE:
		return serve_evidence(s, payload, f);
	case SESSION_STATUS:
		return on_status(s, payload, f);
	case SESSION_RENEW:
		return on_renew(s, payload, f);
	default:
		return fault_set_number(f, FAULT_PROTOCOL, "session, frame type", SESSION_HELLO, type);
	}
}

static bool take_frames(struct server *s, struct session_input *input, struct fault *f)
{
	enum session_poll state;
	struct bytes payload;
	uint16_t type;

	while ((state = session_frame(input, &type, &payload, f)) == SESSION_FRAME) {
		if (!on_frame(s, type, payload, f))
			return false;
		session_drop(input);
	}
	return state != SESSION_BAD;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* How many wait for the switch's word; it comes in time. */
static bool count_unanswered(struct server *s, struct fault *f)
{
	const unsigned int before = s->unanswered;

	if (!store_unanswered(s->o->store, &s->unanswered, f))
		return false;
	if (s->unanswered == 0 || s->unanswered < before || before == 0)
		s->answer_until = serve_now() + (time_t)serve_patience(s);
	return s->unanswered == 0 || serve_now() < s->answer_until ||
	       fault_set(f, FAULT_PROTOCOL, "session", "the switch's answers in time", "none");
}

/*
 * What waits for this machine, its own leases and operators' messages, goes to an attestor that has proved itself, not
 * to whoever dials first; so many at once, that one who does not answer does not get them all.  `all`: none waits.
 */
static bool send_waiting(struct server *s, bool *all, struct fault *f)
{
	struct store_message m;
	bool current, found = true;

	*all = true;
	if (!s->proven)
		return true;
	if (!store_session_current(s->o->store, s->machine, &current, f))
		return false;
	if (!current)
		return fault_set(f, FAULT_PROTOCOL, "session", "the machine's newest session",
				 "another proved itself, or the machine was forgotten");
	while (found) {
		if (!count_unanswered(s, f))
			return false;
		*all = s->unanswered < IN_FLIGHT_MAX;
		if (!*all)
			return true;
		if (!store_take_message(s->o->store, s->machine, &m, &found, f) ||
		    (found && !send_result(s, m.port, m.result, f)))
			return false;
	}
	return true;
}

/* What happens by the clock. */
static bool tick(struct server *s, struct fault *f)
{
	const time_t now = serve_now();
	bool all;

	if (now >= s->until)
		return fault_set(f, FAULT_PROTOCOL, "session", "good evidence in time", "none");
	if (s->evidence_until && now >= s->evidence_until)
		return fault_set(f, FAULT_PROTOCOL, "session", "new evidence for a revocation that named an old nonce",
				 "none: a new session brings it");
	if (s->o->reference_path && now != s->looked && !serve_watch(s, f))
		return false;
	if (!send_waiting(s, &all, f) || (all && !renew(s, f)))
		return false;
	if (s->closing.code == FAULT_UNCHECKED || s->unanswered)
		return true;
	*f = s->closing;
	return serve_refuse(s, f);
}

static bool run(struct server *s, struct session_input *input, int in, struct fault *f)
{
	for (;;) {
		struct pollfd p = { .fd = in, .events = POLLIN };
		ssize_t n;

		if (!tick(s, f))
			return false;
		if (poll(&p, 1, TICK_MS) <= 0)
			continue;
		n = read(in, input->data + input->used, input->size - input->used);
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fault_set(f, FAULT_PROTOCOL, "session", "an open connection", strerror(errno));
		input->used += n > 0 ? (size_t)n : 0;
		if (!take_frames(s, input, f))
			return false;
	}
}

/* So that neither end of the session waits for longer than it wants to. */
static bool never_block(int fd, struct fault *f)
{
	const int flags = fcntl(fd, F_GETFL);

	return (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) ||
	       fault_set(f, FAULT_INPUT, "session", "an open file", strerror(errno));
}

static bool serve(struct server *s, struct session_input *input, int in, struct fault *f)
{
	struct store *store = s->o->store;
	struct fault ignored = { 0 };
	bool ok;

	if (!store_session_begin(store, f))
		return false;
	ok = store_event(store, 0, f, "session begins");
	serve_expect_evidence(s, 0);
	ok = ok && never_block(in, f) && never_block(s->out, f) && run(s, input, in, f);
	store_event(store, s->machine, &ignored, "session ends%s%s", ok ? "" : ": ", ok ? "" : fault_name(f->code));
	if (!store_session_end(store, &ignored))
		fprintf(stderr, "lzr-verify: %s: %s\n", store->path, ignored.found);
	return ok;
}

bool serve_session(const struct serve_options *options, int in, int out, struct fault *f)
{
	struct session_input input = { .size = SESSION_PAYLOAD_MAX + sizeof(struct session_header) };
	struct server *s = calloc(1, sizeof(*s));
	bool ok = false;

	input.data = malloc(input.size);
	if (s && input.data) {
		s->o = options;
		s->out = out;
		s->reference = options->reference;
		ok = serve(s, &input, in, f);
		free(s->last);
		free(s->read);
	} else {
		fault_set(f, FAULT_INPUT, "session", "memory", "none");
	}
	free(input.data);
	free(s);
	return ok;
}
