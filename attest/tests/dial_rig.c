/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "dial_rig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>

struct dial_rig *w;

/* --- what stands in for TPM, switch and evidence ------------------------------------------------------------ */

size_t agent_bundle(struct agent *a, const struct agent_request *request, uint8_t *out, size_t size, struct fault *f)
{
	(void)a;
	(void)f;
	assert_int_equal(request->release, RELEASE_NETWORK);
	assert_int_equal(size, EVIDENCE_BUNDLE_MAX);
	memset(out, 0x5a, w->bundle_length);
	w->now += w->work_ms;
	w->bundles++;
	return w->bundle_length;
}

bool tpm_endorsement(struct tpm *t, struct tpm_endorsement *e, struct fault *f)
{
	(void)t;
	(void)f;
	e->certificate_length = e->area_length = 10;
	w->endorsements++;
	return true;
}

bool tpm_activate(struct tpm *t, const struct tpm_endorsement *e, struct bytes blob, struct bytes seed, uint8_t *secret,
		  size_t *secret_length, struct fault *f)
{
	(void)t;
	(void)e;
	(void)f;
	assert_int_equal(blob.length + seed.length, 6);
	memset(secret, 1, 32);
	*secret_length = 32;
	return true;
}

static void before_evidence(void *owner) { (void)owner; }

static void deliver(void *owner, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], uint64_t answer[5])
{
	(void)owner;
	(void)result;
	answer[0] = port;
	w->delivered++;
}

/* --- the peer ---------------------------------------------------------------------------------------- */

int dial_rig_setup(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	struct fault f = { 0 };
	char endpoint[32];
	int small = 4096;

	(void)state;
	w = calloc(1, sizeof(*w));
	w->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	w->peer = -1;
	w->now = 10 * SECOND;
	w->bundle_length = 100;
	setsockopt(w->listening, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(w->listening, (struct sockaddr *)&address, length) != 0 || listen(w->listening, 8) != 0 ||
	    getsockname(w->listening, (struct sockaddr *)&address, &length) != 0)
		return -1;
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", ntohs(address.sin_port));
	if (!dial_init(&w->d, endpoint, &f))
		return -1;
	w->d.before_evidence = before_evidence;
	w->d.deliver = deliver;
	return 0;
}

int dial_rig_teardown(void **state)
{
	(void)state;
	dial_free(&w->d);
	if (w->peer >= 0)
		close(w->peer);
	close(w->listening);
	free(w);
	return 0;
}

void at(uint64_t now)
{
	struct pollfd p = { .fd = w->d.fd };

	w->now = now;
	dial_tick(&w->d, now);
	p.fd = w->d.fd;
	p.events = dial_events(&w->d, now);
	if (p.events && poll(&p, 1, 0) == 1)
		dial_ready(&w->d, &w->agent, now);
}

uint64_t next_second(void)
{
	return (w->now / SECOND + 1) * SECOND;
}

void pass(unsigned int seconds)
{
	while (seconds--) {
		const uint64_t second = next_second();

		at(second);
		at(second + SECOND / 4);
		at(second + SECOND / 4 * 3);
	}
}

size_t heard(uint8_t *out, size_t size)
{
	struct pollfd p = { .fd = w->peer, .events = POLLIN };
	ssize_t n = poll(&p, 1, 0) == 1 ? recv(w->peer, out, size, MSG_DONTWAIT) : 0;

	return n > 0 ? (size_t)n : 0;
}

uint16_t hears_frame(void)
{
	struct session_header h;
	uint8_t rest[2048];

	assert_int_equal(recv(w->peer, &h, sizeof(h), MSG_WAITALL), sizeof(h));
	assert_true(h.magic == SESSION_MAGIC && h.version == SESSION_VERSION && h.length <= sizeof(rest));
	if (h.length)
		assert_int_equal(recv(w->peer, rest, h.length, MSG_WAITALL), h.length);
	return h.type;
}

void says_bytes(const void *bytes, size_t length)
{
	assert_int_equal(send(w->peer, bytes, length, MSG_NOSIGNAL), length);
}

void says(uint16_t type, const struct bytes *strings, size_t count)
{
	uint8_t frame[sizeof(struct session_header) + SESSION_SMALL_MAX];
	size_t n = count ? session_put_strings(frame + sizeof(struct session_header), SESSION_SMALL_MAX, strings, count)
			 : 0;

	session_put_header(frame, type, n);
	says_bytes(frame, sizeof(struct session_header) + n);
}

void challenges(void)
{
	static const uint8_t nonce[NONCE_MIN] = { 7 };

	says(SESSION_CHALLENGE, &(struct bytes){ nonce, sizeof(nonce) }, 1);
}

void gives_result(void)
{
	static const uint8_t port[4] = { 1 }, result[LZR_RESULT_SIZE] = { 2 };

	says(SESSION_RESULT, (struct bytes[]){ { port, 4 }, { result, LZR_RESULT_SIZE } }, 2);
}

void meet(void)
{
	struct pollfd p = { .fd = w->listening, .events = POLLIN };

	for (int i = 0; i < 20 && w->d.fd < 0; i++)
		pass(1);
	assert_int_equal(poll(&p, 1, 5000), 1);
	if (w->peer >= 0)
		close(w->peer);
	w->peer = accept(w->listening, NULL, NULL);
	assert_true(w->peer >= 0);
	pass(2);
	assert_true(w->d.connected);
	assert_int_equal(hears_frame(), SESSION_HELLO);
}

void meet_and_prove(void)
{
	meet();
	challenges();
	pass(2);
	assert_int_equal(hears_frame(), SESSION_EVIDENCE);
	assert_true(w->d.challenged);
}

void ends(const char *why)
{
	const uint64_t second = next_second() + SECOND;

	at(second + SECOND / 4);
	at(second + SECOND / 4 + 1);
	assert_true(w->d.fd >= 0);
	if (!strstr(w->d.ending, why))
		fail_msg("'%s', expected '%s'", w->d.ending, why);
	assert_int_equal(dial_events(&w->d, next_second()), 0);
	at(next_second());
	assert_true(w->d.fd < 0);
	assert_false(w->d.connected || w->d.challenged || dial_waits(&w->d));
}
