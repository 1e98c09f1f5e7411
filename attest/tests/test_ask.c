/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-ask as a guest runs it, its channel a pseudo terminal with a hostile, late or clumsy attestor at the other end.
 * The program is linked with its main() under another name and runs in a child.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "session.h"

#undef main                     /* lzr-ask's is lzr_ask_main */
#define NONCE_SIZE 32u
int lzr_ask_main(int argc, char **argv);

static struct {
	int channel, output;            /* the attestor's end, what the program prints */
	pid_t child;
	uint8_t nonce[NONCE_SIZE];
	char said[1024];
} ask;

static int starts(const char *seconds)
{
	int out[2];

	memset(&ask, 0, sizeof(ask));
	ask.channel = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ask.channel < 0 || grantpt(ask.channel) != 0 || unlockpt(ask.channel) != 0 || pipe2(out, O_CLOEXEC) != 0)
		return -1;
	ask.child = fork();
	if (ask.child == 0) {
		char name[64], *argv[] = { "lzr-ask", "--channel", name, seconds ? "--seconds" : NULL,
				 (char *)seconds, NULL };

		snprintf(name, sizeof(name), "%s", ptsname(ask.channel));
		close(ask.channel);
		dup2(out[1], 1);
		dup2(out[1], 2);
		exit(lzr_ask_main(seconds ? 5 : 3, argv));
	}
	close(out[1]);
	ask.output = out[0];
	return ask.child > 0 ? 0 : -1;
}

static void read_all(uint8_t *data, size_t length)
{
	while (length) {
		struct pollfd p = { .fd = ask.channel, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&p, 1, 30000), 1);
		n = read(ask.channel, data, length);
		assert_true(n > 0);
		data += n;
		length -= (size_t)n;
	}
}

/* A whole question; its nonce stays the same for as long as the program runs. */
static void asks(void)
{
	uint8_t frame[sizeof(struct session_header) + sizeof(struct session_ask) + NONCE_SIZE];
	static const uint8_t none[NONCE_SIZE];
	struct session_header h;
	struct session_ask a;

	read_all(frame, sizeof(frame));
	memcpy(&h, frame, sizeof(h));
	memcpy(&a, frame + sizeof(h), sizeof(a));
	assert_int_equal(h.magic, SESSION_MAGIC);
	assert_int_equal(h.type, SESSION_ASK);
	assert_int_equal(h.length, sizeof(frame) - sizeof(h));
	assert_int_equal(a.nonce_length, NONCE_SIZE);
	assert_int_equal(a.key_length, 0);
	if (memcmp(ask.nonce, none, NONCE_SIZE) != 0)
		assert_memory_equal(ask.nonce, frame + sizeof(h) + sizeof(a), NONCE_SIZE);
	memcpy(ask.nonce, frame + sizeof(h) + sizeof(a), NONCE_SIZE);
}

static void sends(const void *data, size_t length)
{
	assert_int_equal(write(ask.channel, data, length), length);
}

static size_t frame_of(uint8_t *frame, uint16_t type, const void *payload, size_t length)
{
	session_put_header(frame, type, length);
	memcpy(frame + sizeof(struct session_header), payload, length);
	return sizeof(struct session_header) + length;
}

/* Something before the nonce, and something behind. */
static size_t evidence(uint8_t *frame, const uint8_t nonce[NONCE_SIZE])
{
	uint8_t payload[300];

	memset(payload, 0x5a, sizeof(payload));
	memcpy(payload + 100, nonce, NONCE_SIZE);
	return frame_of(frame, SESSION_EVIDENCE, payload, sizeof(payload));
}

static void answers(const uint8_t nonce[NONCE_SIZE])
{
	uint8_t frame[512];

	sends(frame, evidence(frame, nonce));
}

static void refuses(const char *text)
{
	uint8_t frame[512];

	sends(frame, frame_of(frame, SESSION_REFUSED, text, strlen(text)));
}

/* Both streams of the program, to its end. */
static void ends_with(int wanted, const char *words)
{
	size_t used = 0;
	int status;
	ssize_t n;

	while (used < sizeof(ask.said) - 1 && (n = read(ask.output, ask.said + used, sizeof(ask.said) - 1 - used)) > 0)
		used += (size_t)n;
	assert_int_equal(waitpid(ask.child, &status, 0), ask.child);
	ask.child = 0;
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != wanted || !strstr(ask.said, words))
		fail_msg("expected status %d and \"%s\", found %d and: %s", wanted, words, WEXITSTATUS(status),
			 ask.said);
}

static int ends(void **state)
{
	(void)state;
	if (ask.child > 0) {
		kill(ask.child, SIGKILL);
		waitpid(ask.child, NULL, 0);
	}
	if (ask.channel > 0)
		close(ask.channel);
	if (ask.output > 0)
		close(ask.output);
	return 0;
}

static int begins(void **state)
{
	(void)state;
	return starts(NULL);
}

static void an_answer(void **state)
{
	(void)state;
	asks();
	answers(ask.nonce);
	ends_with(0, " echoed=yes ");
	assert_null(strstr(ask.said, "no answer yet"));
}

/* To a question that an earlier run asked, or to somebody else's. */
static void a_late_answer_to_another_question(void **state)
{
	uint8_t other[NONCE_SIZE];

	(void)state;
	asks();
	memset(other, 0x11, sizeof(other));
	answers(other);
	answers(other);
	answers(ask.nonce);
	ends_with(0, " echoed=yes ");
}

static void silence(void **state)
{
	(void)state;
	asks();
	asks();
	asks();
	answers(ask.nonce);
	ends_with(0, "lzr-ask: asked 2 times, no answer yet");
}

static void too_soon(void **state)
{
	(void)state;
	asks();
	refuses("too soon");
	asks();
	refuses("no evidence now");
	asks();
	answers(ask.nonce);
	ends_with(0, " echoed=yes ");
}

static void a_refusal(void **state)
{
	(void)state;
	asks();
	refuses("this VM may not");
	ends_with(1, "lzr-ask: refused this VM may not");
}

static void in_pieces(void **state)
{
	uint8_t frame[512];
	size_t length;

	(void)state;
	asks();
	length = evidence(frame, ask.nonce);
	for (size_t at = 0; at < length; at += 7) {
		sends(frame + at, length - at < 7 ? length - at : 7);
		usleep(2000);
	}
	ends_with(0, " echoed=yes ");
	assert_null(strstr(ask.said, "no answer yet"));
}

/* The attestor was started anew in the middle of a frame: its next one is read from the start. */
static void half_an_answer(void **state)
{
	uint8_t frame[512];

	(void)state;
	asks();
	sends(frame, evidence(frame, ask.nonce) / 2);
	asks();
	answers(ask.nonce);
	ends_with(0, " echoed=yes ");
}

static void garbage(void **state)
{
	static const uint8_t nothing[64] = { 0xff, 0xee };
	struct session_header huge = { SESSION_MAGIC, SESSION_VERSION, SESSION_EVIDENCE, UINT32_MAX };

	(void)state;
	asks();
	sends(nothing, sizeof(nothing));
	asks();
	sends(&huge, sizeof(huge));
	asks();
	answers(ask.nonce);
	ends_with(0, " echoed=yes ");
}

static void the_channel_ends(void **state)
{
	(void)state;
	asks();
	close(ask.channel);
	ask.channel = 0;
	ends_with(1, "lzr-ask: failed answer: ");
}

static void not_for_ever(void **state)
{
	(void)state;
	assert_int_equal(starts("1"), 0);
	asks();
	ends_with(1, "lzr-ask: failed answer: Connection timed out");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begins, ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer), TEST(a_late_answer_to_another_question), TEST(silence), TEST(too_soon),
		TEST(a_refusal), TEST(in_pieces), TEST(half_an_answer), TEST(garbage), TEST(the_channel_ends),
		cmocka_unit_test_teardown(not_for_ever, ends),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
