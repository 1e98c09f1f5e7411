/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestor's session against a hostile network, with a clock of the test's own: words leave at whole seconds only,
 * and no peer holds the attestor for long, whether it is silent, slow, deaf, or talks too much.
 */
#define _GNU_SOURCE
#include "dial_rig.h"

#include <poll.h>
#include <signal.h>

/* --- time -------------------------------------------------------------------------------- */

/* Looked at every 7 ms for ten seconds, a session with an enrolment says nothing but at the first look of a second. */
static void words_leave_at_whole_seconds(void **state)
{
	static const uint8_t any[3] = { 1, 2, 3 };
	const struct bytes credential[] = { { any, 3 }, { any, 3 } };
	unsigned int pieces = 0, answered = 0;
	uint8_t bytes[2048];

	(void)state;
	for (uint64_t now = 10 * SECOND; now < 22 * SECOND; now += 7) {
		const bool was = w->d.fd >= 0;

		at(now);
		if (!was && w->d.fd >= 0)
			assert_true(now % SECOND < 7);
		if (w->peer < 0)
			w->peer = accept(w->listening, NULL, NULL);
		if (w->peer < 0 || !heard(bytes, sizeof(bytes)))
			continue;
		assert_true(now % SECOND < 7);
		pieces++;
		if (answered == 0)
			says(SESSION_ENROL, NULL, 0);
		else if (answered == 1)
			says(SESSION_CREDENTIAL, credential, 2);
		else if (answered == 2)
			challenges();
		else if (answered < 6)
			gives_result();
		answered++;
	}
	assert_int_equal(w->endorsements, 1);
	assert_int_equal(w->bundles, 1);
	assert_int_equal(w->delivered, 3);
	assert_int_equal(pieces, 7);    /* hello, endorsement, activated, evidence, three times what the switch said */
}

/* Who misses the second, by work or by a loop that was busy elsewhere, waits for the next. */
static void late_work_waits(void **state)
{
	uint8_t bytes[2048];
	uint64_t second;

	(void)state;
	meet();
	w->work_ms = 1300;
	challenges();
	second = next_second();
	at(second);
	assert_int_equal(w->bundles, 1);
	assert_int_equal(w->now, second + 1300);
	assert_true(dial_waits(&w->d));
	for (uint64_t now = w->now; now < second + 2 * SECOND; now += 20)
		at(now);
	assert_int_equal(heard(bytes, sizeof(bytes)), 0);
	at(second + 2 * SECOND + DIAL_LATE_MS);
	at(second + 2 * SECOND + 700);
	assert_int_equal(heard(bytes, sizeof(bytes)), 0);
	at(second + 3 * SECOND + DIAL_LATE_MS - 1);
	assert_false(dial_waits(&w->d));
	assert_int_equal(hears_frame(), SESSION_EVIDENCE);
}

static void heard_in_the_first_half(void **state)
{
	uint64_t second;

	(void)state;
	meet();
	challenges();
	second = w->now - w->now % SECOND;
	for (uint64_t now = second + DIAL_HALF_MS; now < second + SECOND; now += 10) {
		assert_int_equal(dial_events(&w->d, now), 0);
		dial_ready(&w->d, &w->agent, now);
		assert_int_equal(w->bundles, 0);
	}
	at(second + SECOND);
	assert_int_equal(w->bundles, 1);
}

/* --- hostile peers -------------------------------------------------------------------------------- */

static void no_renewals(void)
{
	w->d.renew_second = UINT64_MAX;
}

static void patience_ends(void)
{
	unsigned int seconds = 0;

	for (; w->d.connected && seconds < 100; seconds++)
		pass(1);
	assert_in_range(seconds, PATIENCE / SECOND - 3, PATIENCE / SECOND + 1);
}

static void silent_peer(void **state)
{
	(void)state;
	meet();
	patience_ends();
}

/* Asked for a challenge, it never gives one, but results in plenty. */
static void silent_about_a_renewal(void **state)
{
	uint8_t bytes[2048];

	(void)state;
	meet_and_prove();
	for (unsigned int i = 0; i < PATIENCE / SECOND + DIAL_RENEW_SECONDS + 2 && w->d.connected; i++) {
		gives_result();
		pass(1);
		heard(bytes, sizeof(bytes));
	}
	assert_false(w->d.connected);
	meet_and_prove();
	for (unsigned int i = 0; i < 3; i++) {
		while (w->d.awaits == DIAL_NOTHING)
			pass(1);
		assert_int_equal((w->d.answer_ms - PATIENCE) / SECOND % DIAL_RENEW_SECONDS, 0);
		assert_int_equal(hears_frame(), SESSION_RENEW);
		challenges();
		pass(2);
		assert_int_equal(hears_frame(), SESSION_EVIDENCE);
	}
}

/* Garbage that is answered each second keeps no renewal back. */
static void answers_keep_no_renewal_back(void **state)
{
	unsigned int renewals = 0;

	(void)state;
	meet_and_prove();
	for (unsigned int i = 0; i < 10 * DIAL_RENEW_SECONDS; i++) {
		const unsigned int before = renewals;
		struct pollfd p = { .events = POLLIN };

		gives_result();
		pass(1);
		for (p.fd = w->peer; poll(&p, 1, 0) == 1;) {
			const uint16_t type = hears_frame();

			assert_true(type == SESSION_STATUS || type == SESSION_RENEW || type == SESSION_EVIDENCE);
			renewals += type == SESSION_RENEW;
		}
		if (renewals > before) {
			assert_int_equal((w->d.answer_ms - PATIENCE) / SECOND % DIAL_RENEW_SECONDS, 0);
			challenges();
		}
	}
	assert_in_range(renewals, 10, 11);      /* one may be on its way already */
}

/* As many results as there are VMs in the evidence are an answer to it, and no flood. */
static void answers_to_evidence_are_no_flood(void **state)
{
	(void)state;
	w->agent.view.vm_count = LZR_VM_MAX;
	meet_and_prove();
	for (unsigned int round = 0; round < 4; round++) {
		while (w->d.awaits == DIAL_NOTHING)
			pass(1);
		while (hears_frame() != SESSION_RENEW)
			;
		challenges();
		for (unsigned int i = 0; i < LZR_VM_MAX; i++)
			gives_result();
		pass(3);
		assert_true(w->d.connected && !w->d.ending[0]);
	}
	assert_int_equal(w->delivered, 4 * LZR_VM_MAX);
}

/* A byte a second is no frame, before the session and in it. */
static void slow_peer(void **state)
{
	uint8_t frame[sizeof(struct session_header) + 100] = { 0 };
	unsigned int sent = 0;

	(void)state;
	session_put_header(frame, SESSION_RESULT, 100);
	meet_and_prove();
	while (w->d.connected && sent < sizeof(frame)) {
		says_bytes(frame + sent++, 1);
		pass(1);
	}
	assert_false(w->d.connected);
	assert_in_range(sent, PATIENCE / SECOND, PATIENCE / SECOND + 3);
}

/* It does not read; nothing of the attestor's waits for it meanwhile. */
static void deaf_peer(void **state)
{
	int narrow = 8192;

	(void)state;
	meet();
	setsockopt(w->d.fd, SOL_SOCKET, SO_SNDBUF, &narrow, sizeof(narrow));
	w->bundle_length = EVIDENCE_BUNDLE_MAX;
	challenges();
	pass(2);
	assert_int_equal(w->bundles, 1);
	assert_true(w->d.out_at < w->d.out_used);
	assert_true(w->d.connected && !w->d.ending[0]);
	patience_ends();
}

/* A megabyte through a narrow socket: the rest follows as it is read. */
static void narrow_peer(void **state)
{
	static uint8_t bytes[65536];
	size_t whole = sizeof(struct session_header) + EVIDENCE_BUNDLE_MAX, got = 0;
	int narrow = 8192;

	(void)state;
	meet();
	no_renewals();
	setsockopt(w->d.fd, SOL_SOCKET, SO_SNDBUF, &narrow, sizeof(narrow));
	w->bundle_length = EVIDENCE_BUNDLE_MAX;
	challenges();
	pass(2);
	for (unsigned int i = 0; i < 20000 && got < whole; i++) {
		struct pollfd p = { .fd = w->peer, .events = POLLIN };

		if (poll(&p, 1, 1) == 1)
			got += heard(bytes, sizeof(bytes));
		at(w->now - w->now % SECOND + SECOND / 4);      /* the first half goes on */
	}
	assert_int_equal(got, whole);
	assert_int_equal(w->d.out_used, 0);
}

static void oversized_frame(void **state)
{
	uint8_t header[sizeof(struct session_header)];

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		const uint16_t type[] = { SESSION_RESULT, SESSION_EVIDENCE, SESSION_REFUSED };
		const size_t length[] = { SESSION_SMALL_MAX + 1, EVIDENCE_BUNDLE_MAX, 0xffffffff };

		meet_and_prove();
		session_put_header(header, type[i], length[i]);
		says_bytes(header, sizeof(header));
		ends("frames of version 1 within the limits");
	}
}

static void garbage(void **state)
{
	uint8_t bytes[64];

	(void)state;
	meet();
	memset(bytes, 0xa5, sizeof(bytes));
	says_bytes(bytes, sizeof(bytes));
	ends("frames of version 1 within the limits");
	meet();
	session_put_header(bytes, SESSION_CHALLENGE, 20);       /* a good header, no CBOR */
	says_bytes(bytes, sizeof(struct session_header) + 20);
	ends("an array of byte strings");
	meet();
	session_put_header(bytes, SESSION_REFUSED, 3);
	memcpy(bytes + sizeof(struct session_header), "\n\x1b[", 3);
	says_bytes(bytes, sizeof(struct session_header) + 3);
	ends("found ??[");              /* nothing of it reaches a terminal */
}

static void early_close(void **state)
{
	uint8_t header[sizeof(struct session_header)];

	(void)state;
	meet();
	close(w->peer);
	w->peer = -1;
	ends("closed");
	meet_and_prove();
	session_put_header(header, SESSION_RESULT, 100);
	says_bytes(header, sizeof(header));
	close(w->peer);
	w->peer = -1;
	ends("closed");
}

/* What makes the attestor work comes in its turn only. */
static void out_of_turn(void **state)
{
	static const uint8_t any[3] = { 1, 2, 3 };
	const struct bytes credential[] = { { any, 3 }, { any, 3 } };

	(void)state;
	meet();
	says(SESSION_CREDENTIAL, credential, 2);
	ends("out of turn");
	meet();
	gives_result();
	ends("out of turn");
	assert_int_equal(w->delivered, 0);
	meet();
	says(SESSION_ENROL, NULL, 0);
	says(SESSION_ENROL, NULL, 0);
	ends("out of turn");
	assert_int_equal(w->endorsements, 1);
	meet_and_prove();
	challenges();
	ends("out of turn");
	assert_int_equal(w->bundles, 1);
	meet_and_prove();
	says(SESSION_ENROL, NULL, 0);
	ends("out of turn");
	meet_and_prove();
	says(SESSION_HELLO, NULL, 0);
	ends("out of turn");
}

/* Each result is work for the switch. */
static void too_many_results(void **state)
{
	(void)state;
	meet_and_prove();
	for (unsigned int i = 0; i < 3 * DIAL_RESULTS_MAX && !w->d.ending[0]; i++) {
		gives_result();
		at(w->now);
		at(w->now - w->now % SECOND + SECOND / 4);
	}
	assert_int_equal(w->delivered, DIAL_RESULTS_MAX);
	ends("fewer results");
}

/* A peer that accepts, has evidence made and hangs up, again and again, gets it ever more slowly. */
static void pauses_grow(void **state)
{
	uint64_t began, last = 0;

	(void)state;
	no_renewals();          /* a peer that hangs up on unread words would be another case */
	for (unsigned int i = 0; i < 8; i++) {
		meet_and_prove();
		close(w->peer);
		w->peer = -1;
		ends("closed");
		began = w->now;
		while (w->d.fd < 0)
			pass(1);
		assert_true(w->now - began >= last);
		last = w->now - began - w->now % SECOND;
	}
	assert_true(last >= 8 * SECOND);
	/* One that stood for long is worth a quick try. */
	meet_and_prove();
	pass(20);
	close(w->peer);
	w->peer = -1;
	ends("closed");
	pass(2);
	assert_true(w->d.fd >= 0);
}

static void endpoints(void **state)
{
	static const char *const bad[] = { "", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3:80",
					   "1.2.3.4:80x", "1.2.3.4:-1", "1.2.3.4: 80", "host:80",
					   "1.2.3.4.5.6.7.8.9.10.11:80", "1.2.3.4:99999999999999999999" };
	struct fault f = { 0 };
	struct dial d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f = (struct fault){ 0 };
		assert_false(dial_init(&d, bad[i], &f));
		assert_int_equal(f.code, FAULT_USAGE);
		dial_free(&d);
	}
	assert_true(dial_init(&d, "10.0.0.1:65535", &f));
	dial_free(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dial_rig_setup, dial_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_leave_at_whole_seconds), TEST(late_work_waits), TEST(heard_in_the_first_half),
		TEST(silent_peer), TEST(silent_about_a_renewal), TEST(answers_keep_no_renewal_back),
		TEST(answers_to_evidence_are_no_flood), TEST(slow_peer), TEST(deaf_peer),
		TEST(narrow_peer), TEST(oversized_frame),
		TEST(garbage), TEST(early_close), TEST(out_of_turn), TEST(too_many_results), TEST(pauses_grow),
		TEST(endpoints),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
