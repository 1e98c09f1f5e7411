/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's end of a session against whoever dials it: silent, slow, deaf, too talkative, or none of ours.  Times
 * are the real clock's, with bounds that a busy machine keeps.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "serve_rig.h"
#include "../session.h"

/* --- who gets what ---------------------------------------------------------------------------- */

#define ME (&rig->peer[0])

/*
 * The operator's messages wait for an attestor that has proved itself, and stay until the switch has taken them: one
 * that was only sent goes out again.
 */
static void messages_after_evidence_only(void **state)
{
	struct lzr_result r;

	(void)state;
	rig_posts(0, 500);
	peer_dials(ME);
	peer_hello(ME);
	assert_true(peer_hears_nothing(ME, 500));
	peer_hangs_up(ME);
	peer_ended_with(ME, FAULT_UNCHECKED);
	assert_int_equal(rig_outbox(0), 1);
	for (int answered = 0; answered <= 1; answered++) {
		peer_proves(ME);
		do {
			r = peer_gets_result(ME);
			if (answered)
				peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_ADMITTED);
		} while (r.serial != 500);
		peer_takes_leases(ME);
		while (answered && rig_outbox(0))
			usleep(20000);
		peer_hangs_up(ME);
		peer_ended_with(ME, FAULT_UNCHECKED);
		assert_int_equal(rig_outbox(0), !answered);
	}
}

/*
 * Evidence that took long leaves the attestor together with the wish for the next challenge.  Its results come first:
 * they name port nonces that the challenge will replace.
 */
static void results_before_the_next_challenge(void **state)
{
	(void)state;
	peer_proves(ME);
	peer_takes_leases(ME);
	for (int i = 0; i < 3; i++) {
		peer_renews_late(ME);
		peer_takes_leases(ME);
		peer_takes_challenge(ME);
		peer_shows(ME);
		peer_takes_leases(ME);
	}
	peer_hangs_up(ME);
	peer_ended_with(ME, FAULT_UNCHECKED);
}

/* What cannot be marked as sent is not sent, and not again and again. */
static void a_message_that_cannot_be_taken(void **state)
{
	(void)state;
	rig_posts(0, 500);
	assert_int_equal(sqlite3_exec(rig->store.db,
				      "CREATE TRIGGER t BEFORE UPDATE OF sent_ms ON outbox BEGIN"
				      " SELECT raise(ABORT, 'no'); END", NULL, NULL, NULL),
			 SQLITE_OK);
	peer_proves(ME);
	peer_ended_with(ME, FAULT_INPUT);
	assert_true(rig_outbox(0) > 0);
}

/* An attestor that lies about a name writes no line of its own among the events. */
static void names_in_events(void **state)
{
	(void)state;
	peer_dials(ME);
	peer_hello(ME);
	fixture_rebuild(ME->x);
	strcpy(ME->x->claim[0].name, "red good lease serial=9");
	fixture_sign_claims(ME->x);
	fixture_pack(ME->x);
	peer_says(ME, SESSION_EVIDENCE, (struct bytes){ ME->x->bundle, ME->x->bundle_length });
	rig_waits_for_event(0, "vm=red refused claim");
	assert_false(rig_has_event("vm=red good"));
}

/* The AK that hello names is the one that the evidence must be of. */
static void evidence_of_another_machine(void **state)
{
	struct fixture *const x = ME->x;

	(void)state;
	rig_second();
	peer_dials(ME);
	peer_hello(ME);
	memcpy(rig->peer[1].x->nonce, x->nonce, sizeof(x->nonce));
	fixture_rebuild(rig->peer[1].x);
	peer_says(ME, SESSION_EVIDENCE,
		  (struct bytes){ rig->peer[1].x->bundle, rig->peer[1].x->bundle_length });
	peer_ended_with(ME, FAULT_AK_NAME);
	assert_false(rig_has_event("lease"));
}

static void one_hello(void **state)
{
	struct bytes name = { ME->x->ak.name, ME->x->ak.name_length };
	uint8_t payload[256];
	const size_t n = session_put_strings(payload, sizeof(payload), &name, 1);

	(void)state;
	peer_dials(ME);
	peer_hello(ME);
	peer_says(ME, SESSION_HELLO, (struct bytes){ payload, n });
	peer_ended_with(ME, FAULT_PROTOCOL);
}

/* --- hostile peers ---------------------------------------------------------------------------- */

static void silent_peer(void **state)
{
	(void)state;
	rig->patience_seconds = 1;
	peer_dials(ME);
	peer_ended_with(ME, FAULT_PROTOCOL);
	peer_dials(ME);
	peer_hello(ME);
	peer_ended_with(ME, FAULT_PROTOCOL);
}

/* Bytes of a frame that never ends buy no time; nor does asking again and again. */
static void slow_peer(void **state)
{
	uint8_t header[sizeof(struct session_header)];
	struct timespec pause = { .tv_nsec = 20000000 };
	bool open = true;

	(void)state;
	rig->patience_seconds = 1;
	session_put_header(header, SESSION_EVIDENCE, EVIDENCE_BUNDLE_MAX);
	peer_dials(ME);
	assert_int_equal(send(ME->fd, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	for (unsigned int i = 0; i < 3000 && open; i++) {
		open = send(ME->fd, "x", 1, MSG_NOSIGNAL) == 1;
		nanosleep(&pause, NULL);
	}
	assert_false(open);
	peer_ended_with(ME, FAULT_PROTOCOL);
}

/* What was proved once does not last for ever. */
static void silent_after_evidence(void **state)
{
	(void)state;
	rig->patience_seconds = 1;
	rig->lease_ns = 1000000000;
	peer_proves(ME);
	peer_takes_leases(ME);
	peer_ended_with(ME, FAULT_PROTOCOL);
}

/* It sends and does not read; the verifier does not wait for it for long, and does not send it everything. */
static void deaf_peer(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_true(store_begin(&rig->store, &f));
	for (uint64_t i = 0; i < 3000; i++)
		rig_posts(0, 10000 + i);
	assert_true(store_end(&rig->store, true, &f));
	rig->send_buffer = 4096;
	peer_proves(ME);                /* it cannot even write that much */
	peer_ended_with(ME, FAULT_PROTOCOL);
	assert_int_equal(rig_outbox(0), 3000);
	rig->send_buffer = 0;
	rig->patience_seconds = 1;
	peer_proves(ME);                /* it can, and gets no answer */
	peer_ended_with(ME, FAULT_PROTOCOL);
	assert_int_equal(rig_outbox(0), 3000);
}

static void too_many_frames(void **state)
{
	(void)state;
	peer_dials(ME);
	peer_hello(ME);
	for (unsigned int i = 0; i < 16; i++)
		peer_says(ME, SESSION_RENEW, (struct bytes){ NULL, 0 });
	peer_ended_with(ME, FAULT_PROTOCOL);
}

static void oversized_frame(void **state)
{
	static const struct { uint16_t type; size_t length; } header[] = {
		{ SESSION_HELLO, SESSION_SMALL_MAX + 1 }, { SESSION_EVIDENCE, SESSION_PAYLOAD_MAX + 1 },
		{ SESSION_EVIDENCE, 0xffffffff }, { 0, 0xffffffff },
	};
	uint8_t bytes[sizeof(struct session_header)];

	(void)state;
	for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++) {
		peer_dials(ME);
		session_put_header(bytes, header[i].type, header[i].length);
		assert_int_equal(send(ME->fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
		peer_ended_with(ME, FAULT_PROTOCOL);
	}
}

static void garbage(void **state)
{
	uint8_t bytes[64];

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	peer_dials(ME);
	assert_int_equal(send(ME->fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	peer_ended_with(ME, FAULT_PROTOCOL);
	for (uint16_t type = 0; type < 16; type++) {
		if (type == SESSION_EVIDENCE || type == SESSION_RENEW)
			continue;
		peer_dials(ME);
		peer_says(ME, type, (struct bytes){ bytes, sizeof(bytes) });
		peer_ended_with(ME, FAULT_PROTOCOL);
	}
	peer_dials(ME);
	peer_says(ME, SESSION_EVIDENCE, (struct bytes){ bytes, sizeof(bytes) });        /* nobody asked for it */
	peer_ended_with(ME, FAULT_PROTOCOL);
	peer_dials(ME);
	peer_hello(ME);
	peer_says(ME, SESSION_EVIDENCE, (struct bytes){ bytes, sizeof(bytes) });
	peer_ended_with(ME, FAULT_FORMAT);
}

static void early_close(void **state)
{
	uint8_t header[sizeof(struct session_header)];

	(void)state;
	peer_dials(ME);
	peer_hangs_up(ME);
	peer_ended_with(ME, FAULT_UNCHECKED);
	peer_dials(ME);
	session_put_header(header, SESSION_HELLO, 100);
	assert_int_equal(send(ME->fd, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	peer_hangs_up(ME);
	peer_ended_with(ME, FAULT_UNCHECKED);
	rig_posts(0, 500);
	peer_proves(ME);                /* and does not stay for the answers */
	peer_hangs_up(ME);
	peer_ended_with(ME, FAULT_PROTOCOL);
	assert_int_equal(rig_outbox(0), 1);
}

/* Answers that nobody waits for: counted among the frames, and nothing comes of them. */
static void answers_to_nothing(void **state)
{
	const struct lzr_result r = { .serial = 77, .vm = VM_RED };

	(void)state;
	rig_posts(0, 500);
	peer_dials(ME);
	peer_hello(ME);
	peer_answers(ME, &(struct lzr_result){ .serial = 500 }, LZR_CTL_OK, LZR_PORT_BLOCKED);
	rig_waits_for_event(0, "switch serial=500 vm=0 status=ok port=blocked lease-ms=0 (nothing waits for it)");
	assert_int_equal(rig_outbox(0), 1);
	for (unsigned int i = 0; i < 15; i++)
		peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	peer_ended_with(ME, FAULT_PROTOCOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_after_evidence_only), TEST(results_before_the_next_challenge),
		TEST(a_message_that_cannot_be_taken), TEST(names_in_events),
		TEST(evidence_of_another_machine), TEST(one_hello), TEST(silent_peer), TEST(slow_peer),
		TEST(silent_after_evidence), TEST(deaf_peer), TEST(too_many_frames), TEST(oversized_frame),
		TEST(garbage), TEST(early_close), TEST(answers_to_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
