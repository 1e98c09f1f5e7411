/* SPDX-License-Identifier: Apache-2.0 */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/platform_util.h>

#define PAUSE_FIRST_MS 250u
#define PAUSE_MAX_MS 8000u

bool dial_init(struct dial *d, const char *endpoint, struct fault *f)
{
	char address[64];
	const char *colon = strchr(endpoint, ':');
	char *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	memset(d, 0, sizeof(*d));
	d->fd = -1;
	d->pause_ms = PAUSE_FIRST_MS;
	d->in.size = sizeof(struct session_header) + SESSION_SMALL_MAX;
	d->in.data = malloc(d->in.size);
	d->endpoint.sin_family = AF_INET;
	d->endpoint.sin_port = htons((uint16_t)port);
	if (!colon || (size_t)(colon - endpoint) >= sizeof(address) || port == 0 || port > 65535 || *end || !d->in.data)
		return fault_set(f, FAULT_USAGE, "endpoint", "IPv4-address:port", endpoint);
	snprintf(address, sizeof(address), "%.*s", (int)(colon - endpoint), endpoint);
	if (inet_pton(AF_INET, address, &d->endpoint.sin_addr) != 1)
		return fault_set(f, FAULT_USAGE, "endpoint", "IPv4-address:port", endpoint);
	return true;
}

static void drop_evidence(struct dial *d)
{
	free(d->evidence);
	d->evidence = NULL;
	d->evidence_length = 0;
}

static void hang_up(struct dial *d, const char *why, uint64_t now_ms)
{
	if (d->connected)
		fprintf(stderr, "attestor: session with the verifier ends: %s\n", why);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->connected = d->challenged = d->renewing = false;
	d->in.used = 0;
	drop_evidence(d);
	free(d->endorsement);
	d->endorsement = NULL;
	d->retry_ms = now_ms + d->pause_ms;
	d->pause_ms = d->pause_ms * 2 < PAUSE_MAX_MS ? d->pause_ms * 2 : PAUSE_MAX_MS;
}

static bool send_strings(struct dial *d, uint16_t type, const struct bytes *strings, size_t count, struct fault *f)
{
	uint8_t payload[SESSION_SMALL_MAX];
	size_t n = session_put_strings(payload, sizeof(payload), strings, count);

	return session_send(d->fd, type, (struct bytes){ payload, n }, f);
}

static void begin(struct dial *d, const struct agent *a, uint64_t now_ms)
{
	const struct bytes name = { a->tpm.ak_name, a->tpm.ak_name_length };
	struct fault f = { 0 };

	d->connected = true;
	fprintf(stderr, "attestor: connected to the verifier\n");
	if (!send_strings(d, SESSION_HELLO, &name, 1, &f))
		hang_up(d, f.found, now_ms);
}

static void send_evidence(struct dial *d, uint64_t now_ms)
{
	struct fault f = { 0 };

	if (session_send(d->fd, SESSION_EVIDENCE, (struct bytes){ d->evidence, d->evidence_length }, &f))
		drop_evidence(d);
	else
		hang_up(d, f.found, now_ms);
}

void dial_tick(struct dial *d, const struct agent *a, uint64_t now_ms)
{
	if (d->evidence && now_ms >= d->evidence_ms)
		send_evidence(d, now_ms);
	if (d->fd >= 0 || now_ms < d->retry_ms)
		return;
	d->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0 ||
	    (connect(d->fd, (struct sockaddr *)&d->endpoint, sizeof(d->endpoint)) != 0 && errno != EINPROGRESS))
		hang_up(d, strerror(errno), now_ms);
	else
		dial_writable(d, a, now_ms);
}

void dial_writable(struct dial *d, const struct agent *a, uint64_t now_ms)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer), error_length = sizeof(int);
	int error = 0;

	if (d->connected || d->fd < 0)
		return;
	if (getpeername(d->fd, (struct sockaddr *)&peer, &length) == 0) {
		begin(d, a, now_ms);
		return;
	}
	getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &error_length);
	if (error)
		hang_up(d, strerror(error), now_ms);
}

static bool on_enrol(struct dial *d, struct agent *a, struct fault *f)
{
	fprintf(stderr, "attestor: the verifier does not know this machine's attestation key; enrolling\n");
	free(d->endorsement);
	d->endorsement = calloc(1, sizeof(*d->endorsement));
	if (!d->endorsement)
		return fault_set(f, FAULT_INPUT, "enrolment", "memory", "none");
	return tpm_endorsement(&a->tpm, d->endorsement, f) &&
	       send_strings(d, SESSION_ENDORSEMENT,
			    (struct bytes[]){ { d->endorsement->certificate, d->endorsement->certificate_length },
					      { d->endorsement->area, d->endorsement->area_length },
					      { a->tpm.ak_area, a->tpm.ak_area_length } },
			    3, f);
}

static bool on_credential(struct dial *d, struct agent *a, struct bytes payload, struct fault *f)
{
	const size_t max[] = { 256, 600 };
	struct bytes part[2], answer;
	uint8_t secret[64];
	size_t length = 0;
	bool ok;

	if (!d->endorsement)
		return fault_set(f, FAULT_PROTOCOL, "session", "a credential after an endorsement", "one before");
	if (!session_get_strings(payload, part, max, 2, f) ||
	    !tpm_activate(&a->tpm, d->endorsement, part[0], part[1], secret, &length, f))
		return false;
	free(d->endorsement);
	d->endorsement = NULL;
	answer = (struct bytes){ secret, length };
	ok = send_strings(d, SESSION_ACTIVATED, &answer, 1, f);
	mbedtls_platform_zeroize(secret, sizeof(secret));
	return ok;
}

static bool on_challenge(struct dial *d, struct agent *a, struct bytes payload, uint64_t now_ms, struct fault *f)
{
	const size_t max[] = { NONCE_MAX };
	struct agent_request request = { .release = RELEASE_NETWORK };

	if (!session_get_strings(payload, &request.nonce, max, 1, f))
		return false;
	if (request.nonce.length < NONCE_MIN)
		return fault_set_number(f, FAULT_PROTOCOL, "challenge's nonce, bytes", NONCE_MIN, request.nonce.length);
	d->before_evidence(d->owner);
	drop_evidence(d);
	d->evidence = malloc(EVIDENCE_BUNDLE_MAX);
	if (!d->evidence)
		return fault_set(f, FAULT_INPUT, "evidence", "memory", "none");
	d->evidence_length = agent_bundle(a, &request, d->evidence, EVIDENCE_BUNDLE_MAX, f);
	d->evidence_ms = (now_ms / DIAL_SECOND_MS + 1) * DIAL_SECOND_MS;
	d->challenged = true;
	d->renewing = false;
	d->pause_ms = PAUSE_FIRST_MS;
	return d->evidence_length > 0;
}

static bool on_result(struct dial *d, struct bytes payload, struct fault *f)
{
	const size_t max[] = { 4, LZR_RESULT_SIZE };
	uint64_t answer[5] = { 0 };
	uint8_t numbers[64];
	struct bytes part[2];
	uint32_t port;
	size_t n;

	if (!session_get_strings(payload, part, max, 2, f))
		return false;
	if (part[0].length != 4 || part[1].length != LZR_RESULT_SIZE)
		return fault_set(f, FAULT_PROTOCOL, "session", "a port number and a result", "other sizes");
	memcpy(&port, part[0].data, 4);
	d->deliver(d->owner, port, part[1].data, answer);
	n = session_put_numbers(numbers, sizeof(numbers), answer, 5);
	return session_send(d->fd, SESSION_STATUS, (struct bytes){ numbers, n }, f);
}

static bool on_frame(struct dial *d, struct agent *a, uint16_t type, struct bytes payload, uint64_t now_ms,
		     struct fault *f)
{
	switch (type) {
	case SESSION_ENROL:
		return on_enrol(d, a, f);
	case SESSION_CREDENTIAL:
		return on_credential(d, a, payload, f);
	case SESSION_CHALLENGE:
		return on_challenge(d, a, payload, now_ms, f);
	case SESSION_RESULT:
		return on_result(d, payload, f);
	case SESSION_REFUSED:
		return fault_set_text(f, FAULT_PROTOCOL, "verifier", "a challenge", "%.*s",
				      payload.length < 180 ? (int)payload.length : 180, (const char *)payload.data);
	default:
		return fault_set_number(f, FAULT_PROTOCOL, "session, frame type", SESSION_CHALLENGE, type);
	}
}

void dial_readable(struct dial *d, struct agent *a, uint64_t now_ms)
{
	struct fault f = { 0 };
	enum session_poll state;
	struct bytes payload;
	char text[600];
	uint16_t type;
	ssize_t n;

	if (!d->connected)
		return;
	n = read(d->fd, d->in.data + d->in.used, d->in.size - d->in.used);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		hang_up(d, n == 0 ? "closed" : strerror(errno), now_ms);
		return;
	}
	d->in.used += n > 0 ? (size_t)n : 0;
	while ((state = session_frame(&d->in, &type, &payload, &f)) == SESSION_FRAME) {
		if (!on_frame(d, a, type, payload, now_ms, &f)) {
			state = SESSION_BAD;
			break;
		}
		session_drop(&d->in);
	}
	if (state == SESSION_BAD) {
		fault_print(&f, text, sizeof(text));
		hang_up(d, text, now_ms);
	}
}

bool dial_renew(struct dial *d, uint64_t now_ms)
{
	struct fault f = { 0 };

	if (!d->challenged || d->renewing || d->evidence)
		return false;
	d->renewing = session_send(d->fd, SESSION_RENEW, (struct bytes){ NULL, 0 }, &f);
	if (d->renewing)
		return true;
	hang_up(d, f.found, now_ms);
	return false;
}
