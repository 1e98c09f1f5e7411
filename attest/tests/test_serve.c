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

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "../file.h"
#include "../serve.h"

struct world {
	struct fixture *x;
	struct key key;
	struct store store;
	char directory[64];
	int peer;
	pid_t verifier;
	unsigned int patience_seconds;
	uint64_t lease_ns;
};

static struct world *w;

static int setup(void **state)
{
	struct fault f = { 0 };

	(void)state;
	w = calloc(1, sizeof(*w));
	w->x = fixture_new(1);
	w->peer = -1;
	w->lease_ns = 30000000000u;
	snprintf(w->directory, sizeof(w->directory), "/tmp/lzr-serve-XXXXXX");
	key_init(&w->key);
	return mkdtemp(w->directory) && key_generate(&w->key, &f) && store_open(&w->store, w->directory, &f) &&
			       store_save_ak(&w->store, &w->x->ak, &f) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	if (w->peer >= 0)
		close(w->peer);
	if (w->verifier > 0) {
		kill(w->verifier, SIGKILL);
		waitpid(w->verifier, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -r %s", w->directory);
	assert_int_equal(system(command), 0);
	key_free(&w->key);
	fixture_free(w->x);
	free(w);
	return 0;
}

/* The verifier is another process; what ends its session is in its exit status. */
static void begin(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	w->verifier = fork();
	if (w->verifier == 0) {
		const struct serve_options o = { .lease_ns = w->lease_ns,
						 .patience_seconds = w->patience_seconds,
						 .reference = &w->x->reference,
						 .key = &w->key,
						 .store = &w->store };
		struct fault f = { 0 };

		signal(SIGPIPE, SIG_IGN);
		close(ends[0]);
		serve_session(&o, ends[1], ends[1], &f);
		if (f.code != FAULT_UNCHECKED)
			fprintf(stderr, "verifier: expected %s, found %s\n", f.expected, f.found);
		_exit((int)f.code);
	}
	close(ends[1]);
	w->peer = ends[0];
}

static void ended_with(enum fault_code code)
{
	int status;

	assert_int_equal(waitpid(w->verifier, &status, 0), w->verifier);
	w->verifier = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	close(w->peer);
	w->peer = -1;
}

static void says(uint16_t type, struct bytes payload)
{
	uint8_t header[sizeof(struct session_header)];

	session_put_header(header, type, payload.length);
	assert_int_equal(send(w->peer, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	if (payload.length)
		assert_int_equal(send(w->peer, payload.data, payload.length, MSG_NOSIGNAL), payload.length);
}

static uint16_t hears(uint8_t *payload, size_t size, size_t *length)
{
	struct session_header h;

	assert_int_equal(recv(w->peer, &h, sizeof(h), MSG_WAITALL), sizeof(h));
	assert_true(h.length <= size);
	if (h.length)
		assert_int_equal(recv(w->peer, payload, h.length, MSG_WAITALL), h.length);
	*length = h.length;
	return h.type;
}

/* Names the enrolled key and gets a nonce for it, which the machine then answers. */
static void gets_challenge(void)
{
	const size_t max[] = { NONCE_MAX };
	uint8_t payload[256];
	struct fault f = { 0 };
	struct bytes name = { w->x->ak.name, w->x->ak.name_length }, nonce;
	size_t n = session_put_strings(payload, sizeof(payload), &name, 1);

	says(SESSION_HELLO, (struct bytes){ payload, n });
	assert_int_equal(hears(payload, sizeof(payload), &n), SESSION_CHALLENGE);
	assert_true(session_get_strings((struct bytes){ payload, n }, &nonce, max, 1, &f));
	assert_int_equal(nonce.length, sizeof(w->x->nonce));
	memcpy(w->x->nonce, nonce.data, nonce.length);
	fixture_rebuild(w->x);
}

static void posts(uint64_t serial)
{
	static const uint8_t result[LZR_RESULT_SIZE] = { 9 };
	struct fault f = { 0 };

	assert_true(store_post(&w->store, serial, 77, result, &f));
}

static bool outbox_is_empty(void)
{
	uint8_t message[STORE_MESSAGE_SIZE];
	char name[STORE_MESSAGE_NAME];

	return !store_oldest(&w->store, name, message);
}

/* How many results come until the operator's own, which is the last of them. */
static unsigned int results_until_posted(void)
{
	uint8_t payload[1024];
	unsigned int count = 0;
	size_t n;

	do
		assert_int_equal(hears(payload, sizeof(payload), &n), SESSION_RESULT);
	while (++count < 20 && payload[2] != 77);
	return count;
}

static void proves(void)
{
	begin();
	gets_challenge();
	says(SESSION_EVIDENCE, (struct bytes){ w->x->bundle, w->x->bundle_length });
}

/* --- who gets what ---------------------------------------------------------------------------- */

/* The operator's messages wait for an attestor that has proved itself. */
static void messages_after_evidence_only(void **state)
{
	struct pollfd p = { .events = POLLIN };

	(void)state;
	posts(5);
	begin();
	gets_challenge();
	p.fd = w->peer;
	assert_int_equal(poll(&p, 1, 500), 0);
	close(w->peer);
	ended_with(FAULT_UNCHECKED);
	assert_false(outbox_is_empty());
	proves();
	assert_true(results_until_posted() > 1);
	close(w->peer);
	ended_with(FAULT_UNCHECKED);
	assert_true(outbox_is_empty());
}

/* A file that is no message does not stand before those that are. */
static void broken_message(void **state)
{
	char path[128];
	struct fault f = { 0 };

	(void)state;
	snprintf(path, sizeof(path), "%s/outbox/00000000000000000001", w->directory);
	assert_true(file_write(path, (struct bytes){ (const uint8_t *)"x", 1 }, &f));
	posts(2);
	proves();
	assert_true(results_until_posted() > 1);
}

/* An attestor that lies about a name writes no line of its own among the events. */
static void names_in_events(void **state)
{
	char path[128], *text;
	struct fault f = { 0 };
	struct bytes events;

	(void)state;
	begin();
	gets_challenge();
	strcpy(w->x->claim[0].name, "red good lease serial=9");
	fixture_sign_claims(w->x);
	fixture_pack(w->x);
	says(SESSION_EVIDENCE, (struct bytes){ w->x->bundle, w->x->bundle_length });
	posts(1);
	results_until_posted();
	snprintf(path, sizeof(path), "%s/events", w->directory);
	assert_true(file_read(path, 1 << 16, &events, &f));
	text = strndup((const char *)events.data, events.length);
	assert_non_null(strstr(text, " vm=red refused claim"));
	assert_null(strstr(text, " vm=red good"));
	free(text);
	file_free(&events);
}

/* --- hostile peers ---------------------------------------------------------------------------- */

static void silent_peer(void **state)
{
	(void)state;
	w->patience_seconds = 1;
	begin();
	ended_with(FAULT_PROTOCOL);
	begin();
	gets_challenge();
	ended_with(FAULT_PROTOCOL);
}

/* Bytes of a frame that never ends buy no time; nor does asking again and again. */
static void slow_peer(void **state)
{
	uint8_t header[sizeof(struct session_header)];
	struct timespec pause = { .tv_nsec = 20000000 };
	bool open = true;

	(void)state;
	w->patience_seconds = 1;
	session_put_header(header, SESSION_EVIDENCE, EVIDENCE_BUNDLE_MAX);
	begin();
	assert_int_equal(send(w->peer, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	for (unsigned int i = 0; i < 3000 && open; i++) {
		open = send(w->peer, "x", 1, MSG_NOSIGNAL) == 1;
		nanosleep(&pause, NULL);
	}
	assert_false(open);
	ended_with(FAULT_PROTOCOL);
}

/* What was proved once does not last for ever. */
static void silent_after_evidence(void **state)
{
	(void)state;
	w->patience_seconds = 1;
	w->lease_ns = 1000000000;
	posts(1);
	proves();
	results_until_posted();
	ended_with(FAULT_PROTOCOL);
}

/* It sends and does not read; the verifier does not wait for it for long. */
static void deaf_peer(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		posts(i);
	proves();
	ended_with(FAULT_PROTOCOL);
	assert_false(outbox_is_empty());
}

static void too_many_frames(void **state)
{
	(void)state;
	begin();
	gets_challenge();
	for (unsigned int i = 0; i < 16; i++)
		says(SESSION_RENEW, (struct bytes){ NULL, 0 });
	ended_with(FAULT_PROTOCOL);
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
		begin();
		session_put_header(bytes, header[i].type, header[i].length);
		assert_int_equal(send(w->peer, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
		ended_with(FAULT_PROTOCOL);
	}
}

static void garbage(void **state)
{
	uint8_t bytes[64];

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	begin();
	assert_int_equal(send(w->peer, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	ended_with(FAULT_PROTOCOL);
	for (uint16_t type = 0; type < 16; type++) {
		if (type == SESSION_EVIDENCE || type == SESSION_RENEW)
			continue;
		begin();
		says(type, (struct bytes){ bytes, sizeof(bytes) });
		ended_with(FAULT_PROTOCOL);
	}
	begin();
	says(SESSION_EVIDENCE, (struct bytes){ bytes, sizeof(bytes) });         /* nobody asked for it */
	ended_with(FAULT_PROTOCOL);
	begin();
	gets_challenge();
	says(SESSION_EVIDENCE, (struct bytes){ bytes, sizeof(bytes) });
	ended_with(FAULT_FORMAT);
}

static void early_close(void **state)
{
	uint8_t header[sizeof(struct session_header)];

	(void)state;
	begin();
	close(w->peer);
	ended_with(FAULT_UNCHECKED);
	begin();
	session_put_header(header, SESSION_HELLO, 100);
	assert_int_equal(send(w->peer, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	close(w->peer);
	ended_with(FAULT_UNCHECKED);
	posts(1);
	proves();                       /* and does not stay for the answers */
	close(w->peer);
	ended_with(FAULT_PROTOCOL);
}

/* --- serial numbers ---------------------------------------------------------------------------- */

/* Several sessions and commands at once: each number once. */
static void serials_are_given_once(void **state)
{
	struct fault f = { 0 };
	pid_t child[4];
	uint64_t serial;
	int status;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		child[i] = fork();
		for (unsigned int n = 0; child[i] == 0 && n <= 25; n++)
			if (n == 25 || !store_next_serial(&w->store, &serial, &f))
				_exit(n != 25);
	}
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	assert_true(store_next_serial(&w->store, &serial, &f));
	assert_int_equal(serial, 101);
}

/* A file that lost its number does not begin anew. */
static void a_broken_serial_is_no_first_one(void **state)
{
	static const char *const broken[] = { "", "x\n", "12", "12\n\n", "-1\n", "18446744073709551615\n",
					      "99999999999999999999\n" };
	struct fault f;
	uint64_t serial;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		f = (struct fault){ 0 };
		assert_true(store_write(&w->store, "serial",
					(struct bytes){ (const uint8_t *)broken[i], strlen(broken[i]) }, &f));
		assert_false(store_next_serial(&w->store, &serial, &f));
		assert_int_equal(f.code, FAULT_INPUT);
	}
}

/* What cannot be removed is not sent again and again. */
static void a_message_that_stays_ends_the_session(void **state)
{
	struct fault f = { 0 };
	char path[300];

	(void)state;
	posts(4);
	assert_true(store_sent(&w->store, "00000000000000000004", &f));
	assert_true(store_sent(&w->store, "00000000000000000004", &f));
	snprintf(path, sizeof(path), "%s/outbox/5", w->store.directory);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(store_sent(&w->store, "5", &f));
	assert_int_equal(f.code, FAULT_INPUT);
	assert_int_equal(rmdir(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_after_evidence_only), TEST(broken_message), TEST(names_in_events), TEST(silent_peer),
		TEST(slow_peer), TEST(silent_after_evidence), TEST(deaf_peer), TEST(too_many_frames),
		TEST(oversized_frame), TEST(garbage), TEST(early_close), TEST(serials_are_given_once),
		TEST(a_broken_serial_is_no_first_one), TEST(a_message_that_stays_ends_the_session),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
