/* SPDX-License-Identifier: Apache-2.0 */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/platform_util.h>

#define PAUSE_FIRST_MS 250u
#define PAUSE_MAX_MS 8000u
/* One bundle and what else is said meanwhile. */
#define OUT_MAX (sizeof(struct session_header) + EVIDENCE_BUNDLE_MAX + 4 * SESSION_SMALL_MAX)

static bool parse_endpoint(const char *endpoint, struct sockaddr_in *out)
{
	const char *colon = strchr(endpoint, ':');
	char address[INET_ADDRSTRLEN], *end;
	unsigned long port;

	if (!colon || (size_t)(colon - endpoint) >= sizeof(address) || colon[1] < '0' || colon[1] > '9')
		return false;
	port = strtoul(colon + 1, &end, 10);
	snprintf(address, sizeof(address), "%.*s", (int)(colon - endpoint), endpoint);
	*out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return port > 0 && port <= UINT16_MAX && !*end && inet_pton(AF_INET, address, &out->sin_addr) == 1;
}

bool dial_init(struct dial *d, const char *endpoint, struct fault *f)
{
	memset(d, 0, sizeof(*d));
	d->fd = -1;
	d->pause_ms = PAUSE_FIRST_MS;
	d->in.size = sizeof(struct session_header) + SESSION_SMALL_MAX;
	if (!parse_endpoint(endpoint, &d->endpoint))
		return fault_set(f, FAULT_USAGE, "endpoint", "IPv4-address:port", endpoint);
	d->in.data = malloc(d->in.size);
	d->out = malloc(OUT_MAX);
	return (d->in.data && d->out) || fault_set(f, FAULT_INPUT, "session", "memory", "none");
}

static void forget_session(struct dial *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->connected = d->challenged = false;
	d->awaits = DIAL_NOTHING;
	d->answer_ms = d->frame_ms = d->out_ms = 0;
	d->in.used = d->out_at = d->out_may = d->out_used = 0;
	d->ending[0] = 0;
	free(d->endorsement);
	d->endorsement = NULL;
}

void dial_free(struct dial *d)
{
	forget_session(d);
	free(d->in.data);
	free(d->out);
	d->in.data = d->out = NULL;
}

/* The first reason counts. */
static void end(struct dial *d, const char *why)
{
	if (!d->ending[0])
		snprintf(d->ending, sizeof(d->ending), "%.199s", why);
}

/* A session that was none, or not for long, makes the next pause longer. */
static void hang_up(struct dial *d, uint64_t now_ms)
{
	if (d->connected)
		fprintf(stderr, "attestor: session with the verifier ends: %s\n", d->ending);
	if (d->challenged && now_ms - d->since_ms >= PAUSE_MAX_MS)
		d->pause_ms = PAUSE_FIRST_MS;
	forget_session(d);
	d->retry_ms = now_ms + d->pause_ms;
	d->pause_ms = d->pause_ms * 2 < PAUSE_MAX_MS ? d->pause_ms * 2 : PAUSE_MAX_MS;
}

/* --- what goes out ------------------------------------------------------------------------------------------------ */

/* Room for a payload of at most `max` bytes, or NULL. */
static uint8_t *frame_room(struct dial *d, size_t max, struct fault *f)
{
	if (OUT_MAX - d->out_used >= sizeof(struct session_header) + max)
		return d->out + d->out_used + sizeof(struct session_header);
	fault_set(f, FAULT_PROTOCOL, "session", "a peer that reads", "none");
	return NULL;
}

static bool frame_made(struct dial *d, uint16_t type, size_t length, uint64_t now_ms)
{
	if (!d->out_ms)
		d->out_ms = now_ms + DIAL_PATIENCE_MS;
	session_put_header(d->out + d->out_used, type, length);
	d->out_used += sizeof(struct session_header) + length;
	return true;
}

static bool send_strings(struct dial *d, uint16_t type, const struct bytes *strings, size_t count, uint64_t now_ms,
			 struct fault *f)
{
	uint8_t *payload = frame_room(d, SESSION_SMALL_MAX, f);

	return payload &&
	       frame_made(d, type, session_put_strings(payload, SESSION_SMALL_MAX, strings, count), now_ms);
}

static void await(struct dial *d, enum dial_awaits what, uint64_t now_ms)
{
	d->awaits = what;
	d->answer_ms = what == DIAL_NOTHING ? 0 : now_ms + DIAL_PATIENCE_MS;
}

/* As much as the socket takes of what may leave. */
static void flush(struct dial *d)
{
	while (d->out_at < d->out_may) {
		ssize_t n = write(d->fd, d->out + d->out_at, d->out_may - d->out_at);

		if (n < 0 && errno != EINTR) {
			if (errno != EAGAIN)
				end(d, strerror(errno));
			return;
		}
		d->out_at += n > 0 ? (size_t)n : 0;
	}
	if (d->out_at == d->out_used)
		d->out_at = d->out_may = d->out_used = d->out_ms = 0;
}

static void begin(struct dial *d, const struct agent *a, uint64_t now_ms)
{
	const struct bytes name = { a->tpm.ak_name, a->tpm.ak_name_length };
	struct fault f = { 0 };

	d->connected = true;
	d->since_ms = now_ms;
	d->results_left = DIAL_RESULTS_MAX;
	fprintf(stderr, "attestor: connected to the verifier\n");
	await(d, DIAL_ENROL_OR_CHALLENGE, now_ms);
	if (!send_strings(d, SESSION_HELLO, &name, 1, now_ms, &f))
		end(d, f.found);
}

static void dial(struct dial *d, uint64_t now_ms)
{
	d->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	d->answer_ms = now_ms + DIAL_PATIENCE_MS;
	if (d->fd < 0 ||
	    (connect(d->fd, (struct sockaddr *)&d->endpoint, sizeof(d->endpoint)) != 0 && errno != EINPROGRESS))
		hang_up(d, now_ms);
}

static void connection_came(struct dial *d, const struct agent *a, uint64_t now_ms)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer), error_length = sizeof(int);
	int error = 0;

	if (getpeername(d->fd, (struct sockaddr *)&peer, &length) == 0) {
		begin(d, a, now_ms);
		return;
	}
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &error_length) != 0 || error)
		end(d, "no connection");
}

static bool is_over(uint64_t deadline_ms, uint64_t now_ms)
{
	return deadline_ms && now_ms >= deadline_ms;
}

/* What is still on its way out does not matter: no outsider's words, by being answered, keep a renewal back. */
static void renew(struct dial *d, uint64_t now_ms)
{
	struct fault f = { 0 };

	if (!d->challenged || d->ending[0] || d->awaits != DIAL_NOTHING || !frame_room(d, 0, &f))
		return;
	await(d, DIAL_CHALLENGE, now_ms);
	frame_made(d, SESSION_RENEW, 0, now_ms);
}

void dial_tick(struct dial *d, uint64_t now_ms)
{
	const uint64_t second = now_ms / DIAL_SECOND_MS;

	if (is_over(d->answer_ms, now_ms))
		end(d, d->connected ? "no answer in time" : "no connection in time");
	if (is_over(d->frame_ms, now_ms))
		end(d, "a frame did not end in time");
	if (is_over(d->out_ms, now_ms))
		end(d, "the verifier does not read");
	if (second == d->second || now_ms % DIAL_SECOND_MS >= DIAL_LATE_MS)
		return;
	d->second = second;
	d->results_left += d->results_left < DIAL_RESULTS_MAX;
	if (d->ending[0])
		hang_up(d, now_ms);
	if (d->fd < 0 && now_ms >= d->retry_ms)
		dial(d, now_ms);
	if (second >= d->renew_second) {
		d->renew_second = (second / DIAL_RENEW_SECONDS + 1) * DIAL_RENEW_SECONDS;
		renew(d, now_ms);
	}
	d->out_may = d->out_used;
	if (d->connected)
		flush(d);
}

bool dial_waits(const struct dial *d)
{
	return d->out_used > d->out_may || d->ending[0];
}

/* --- what comes in ------------------------------------------------------------------------------------------------ */

static bool on_enrol(struct dial *d, struct agent *a, uint64_t now_ms, struct fault *f)
{
	await(d, DIAL_CREDENTIAL, now_ms);
	fprintf(stderr, "attestor: the verifier does not know this machine's attestation key; enrolling\n");
	d->endorsement = calloc(1, sizeof(*d->endorsement));
	if (!d->endorsement)
		return fault_set(f, FAULT_INPUT, "enrolment", "memory", "none");
	return tpm_endorsement(&a->tpm, d->endorsement, f) &&
	       send_strings(d, SESSION_ENDORSEMENT,
			    (struct bytes[]){ { d->endorsement->certificate, d->endorsement->certificate_length },
					      { d->endorsement->area, d->endorsement->area_length },
					      { a->tpm.ak_area, a->tpm.ak_area_length } },
			    3, now_ms, f);
}

static bool on_credential(struct dial *d, struct agent *a, struct bytes payload, uint64_t now_ms, struct fault *f)
{
	const size_t max[] = { 256, 600 };
	struct bytes part[2], answer;
	uint8_t secret[64];
	size_t length = 0;
	bool ok;

	await(d, DIAL_CHALLENGE, now_ms);
	if (!session_get_strings(payload, part, max, 2, f) ||
	    !tpm_activate(&a->tpm, d->endorsement, part[0], part[1], secret, &length, f))
		return false;
	free(d->endorsement);
	d->endorsement = NULL;
	answer = (struct bytes){ secret, length };
	ok = send_strings(d, SESSION_ACTIVATED, &answer, 1, now_ms, f);
	mbedtls_platform_zeroize(secret, sizeof(secret));
	return ok;
}

static bool on_challenge(struct dial *d, struct agent *a, struct bytes payload, uint64_t now_ms, struct fault *f)
{
	const size_t max[] = { NONCE_MAX };
	struct agent_request request = { .release = RELEASE_NETWORK };
	uint8_t *out;
	size_t length;

	if (!session_get_strings(payload, &request.nonce, max, 1, f))
		return false;
	if (request.nonce.length < NONCE_MIN)
		return fault_set_number(f, FAULT_PROTOCOL, "challenge's nonce, bytes", NONCE_MIN, request.nonce.length);
	out = frame_room(d, EVIDENCE_BUNDLE_MAX, f);
	if (!out)
		return false;
	await(d, DIAL_NOTHING, now_ms);
	d->challenged = true;
	d->before_evidence(d->owner);
	length = agent_bundle(a, &request, out, EVIDENCE_BUNDLE_MAX, f);
	d->results_left += (unsigned int)a->view.vm_count;
	if (d->results_left > DIAL_RESULTS_MAX)
		d->results_left = DIAL_RESULTS_MAX;
	return length > 0 && frame_made(d, SESSION_EVIDENCE, length, now_ms);
}

static bool on_result(struct dial *d, struct bytes payload, uint64_t now_ms, struct fault *f)
{
	const size_t max[] = { 4, LZR_RESULT_SIZE };
	uint64_t answer[5] = { 0 };
	struct bytes part[2];
	uint8_t *numbers;
	uint32_t port;

	if (!session_get_strings(payload, part, max, 2, f))
		return false;
	if (part[0].length != 4 || part[1].length != LZR_RESULT_SIZE)
		return fault_set(f, FAULT_PROTOCOL, "session", "a port number and a result", "other sizes");
	if (!d->results_left)
		return fault_set(f, FAULT_PROTOCOL, "session", "fewer results", "one more");
	numbers = frame_room(d, SESSION_SMALL_MAX, f);
	if (!numbers)
		return false;
	d->results_left--;
	memcpy(&port, part[0].data, 4);
	d->deliver(d->owner, port, part[1].data, answer);
	return frame_made(d, SESSION_STATUS, session_put_numbers(numbers, SESSION_SMALL_MAX, answer, 5), now_ms);
}

/* Each frame that makes work comes when it was asked for; only results come as they like. */
static bool is_expected(const struct dial *d, uint16_t type)
{
	switch (type) {
	case SESSION_ENROL:
		return d->awaits == DIAL_ENROL_OR_CHALLENGE;
	case SESSION_CREDENTIAL:
		return d->awaits == DIAL_CREDENTIAL;
	case SESSION_CHALLENGE:
		return d->awaits == DIAL_ENROL_OR_CHALLENGE || d->awaits == DIAL_CHALLENGE;
	case SESSION_RESULT:
		return d->challenged;
	default:
		return type == SESSION_REFUSED;
	}
}

static bool on_frame(struct dial *d, struct agent *a, uint16_t type, struct bytes payload, uint64_t now_ms,
		     struct fault *f)
{
	if (!is_expected(d, type))
		return fault_set_number(f, FAULT_PROTOCOL, "session, frame type out of turn", SESSION_CHALLENGE, type);
	switch (type) {
	case SESSION_ENROL:
		return on_enrol(d, a, now_ms, f);
	case SESSION_CREDENTIAL:
		return on_credential(d, a, payload, now_ms, f);
	case SESSION_CHALLENGE:
		return on_challenge(d, a, payload, now_ms, f);
	case SESSION_RESULT:
		return on_result(d, payload, now_ms, f);
	default:
		return fault_set_text(f, FAULT_PROTOCOL, "verifier", "a challenge", "%.*s",
				      payload.length < 180 ? (int)payload.length : 180, (const char *)payload.data);
	}
}

/* False when the session ends. */
static bool take_frames(struct dial *d, struct agent *a, uint64_t now_ms, struct fault *f)
{
	enum session_poll state;
	struct bytes payload;
	uint16_t type;

	while ((state = session_frame(&d->in, &type, &payload, f)) == SESSION_FRAME) {
		if (!on_frame(d, a, type, payload, now_ms, f))
			return false;
		session_drop(&d->in);
		d->frame_ms = 0;
	}
	if (d->in.used && !d->frame_ms)
		d->frame_ms = now_ms + DIAL_PATIENCE_MS;
	return state != SESSION_BAD;
}

static void hear(struct dial *d, struct agent *a, uint64_t now_ms)
{
	const ssize_t n = read(d->fd, d->in.data + d->in.used, d->in.size - d->in.used);
	struct fault f = { 0 };
	char text[600];

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(d, n == 0 ? "closed" : strerror(errno));
		return;
	}
	d->in.used += (size_t)n;
	if (take_frames(d, a, now_ms, &f))
		return;
	fault_print(&f, text, sizeof(text));
	end(d, text);
}

short dial_events(const struct dial *d, uint64_t now_ms)
{
	if (d->fd < 0 || d->ending[0] || now_ms % DIAL_SECOND_MS >= DIAL_HALF_MS)
		return 0;
	if (!d->connected)
		return POLLOUT;
	return (short)(POLLIN | (d->out_at < d->out_may ? POLLOUT : 0));
}

void dial_ready(struct dial *d, struct agent *a, uint64_t now_ms)
{
	if (!dial_events(d, now_ms))
		return;
	if (!d->connected) {
		connection_came(d, a, now_ms);
		return;
	}
	flush(d);
	if (!d->ending[0])
		hear(d, a, now_ms);
}
