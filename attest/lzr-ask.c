/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-ask: a guest asks its attestor for evidence about itself, over its own channel (a raw tty), with its own nonce.
 * Prints one line:
 *     lzr-ask: ok bytes=N nonce=HEX echoed=yes sha384=HEX
 *     lzr-ask: refused TEXT
 *     lzr-ask: failed TEXT
 * and with --out FILE keeps the bundle for a verifier.  Exit status 0 only for the first with the nonce inside, 2 for
 * wrong arguments.
 *
 * An answer takes as long as it takes: the attestor may not be up yet, or busy with others.  So it asks again for as
 * long as nothing comes, and says on stderr how often it has asked; --seconds N ends that with a failure.  An answer
 * to an earlier question, without this one's nonce, is not the answer.
 */
#define _GNU_SOURCE
#include "../lib/output.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL "/dev/hvc0"
#define CHUNK 1024u
#ifndef TRY_SECONDS             /* tests are less patient */
#define TRY_SECONDS 10          /* after so long without an answer it asks again */
#endif
#define NONCE_SIZE 32u

static int failed(const char *what)
{
	printf("lzr-ask: failed %s: %s\n", what, strerror(errno));
	return 1;
}

static int open_channel(const char *path)
{
	struct termios t;
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		t.c_cc[VMIN] = 1;
		t.c_cc[VTIME] = 0;
		if (tcsetattr(fd, TCSANOW, &t) != 0 || tcflush(fd, TCIOFLUSH) != 0)
			return -1;
	}
	return fd;
}

static bool write_all(int fd, const uint8_t *data, size_t length)
{
	while (length) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = write(fd, data, length < CHUNK ? length : CHUNK);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n <= 0 && poll(&p, 1, TRY_SECONDS * 1000) != 1)
			return false;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool ask(int fd, const uint8_t nonce[NONCE_SIZE])
{
	uint8_t frame[sizeof(struct session_header) + sizeof(struct session_ask) + NONCE_SIZE];
	const struct session_header h = { SESSION_MAGIC, SESSION_VERSION, SESSION_ASK, sizeof(frame) - sizeof(h) };
	const struct session_ask a = { .nonce_length = NONCE_SIZE };

	memcpy(frame, &h, sizeof(h));
	memcpy(frame + sizeof(h), &a, sizeof(a));
	memcpy(frame + sizeof(h) + sizeof(a), nonce, NONCE_SIZE);
	return write_all(fd, frame, sizeof(frame));
}

/*
 * A whole frame into `buffer`; its length, 0 if nothing came for TRY_SECONDS.  What is left of a frame then, or of
 * bytes that are none, is thrown away, so that the next answer is read from its start.  `gone`: there is no channel
 * any more, and errno says why.
 */
static size_t receive(int fd, uint8_t *buffer, size_t size, bool *gone)
{
	struct session_header h = { 0 };
	size_t used = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		size_t want = used < sizeof(h) ? sizeof(h) - used : sizeof(h) + h.length - used;
		ssize_t n;

		if (poll(&p, 1, TRY_SECONDS * 1000) != 1)
			break;
		n = read(fd, buffer + used, want);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			errno = n == 0 ? EPIPE : errno;
			*gone = true;
			return 0;
		}
		used += n > 0 ? (size_t)n : 0;
		if (used < sizeof(h))
			continue;
		memcpy(&h, buffer, sizeof(h));
		if (h.magic != SESSION_MAGIC || h.version != SESSION_VERSION || h.length > size - sizeof(h))
			break;
		if (used == sizeof(h) + h.length)
			return used;
	}
	tcflush(fd, TCIFLUSH);
	return 0;
}

/* Evidence with this nonce, or a refusal that more asking does not change. */
static bool is_answer(const uint8_t *frame, size_t length, const uint8_t nonce[NONCE_SIZE])
{
	static const char *const passing[] = { "too soon", "no evidence now" };
	const uint8_t *payload = frame + sizeof(struct session_header);
	const size_t n = length - sizeof(struct session_header);
	struct session_header h;

	memcpy(&h, frame, sizeof(h));
	if (h.type == SESSION_EVIDENCE)
		return memmem(payload, n, nonce, NONCE_SIZE) != NULL;
	for (unsigned i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (n == strlen(passing[i]) && memcmp(payload, passing[i], n) == 0)
			return false;
	return true;
}

/*
 * Asks until an answer to this question is there: its length, or 0 with errno set.  A refusal is taken for an answer
 * only when it is not for haste: "too soon" is asked again like silence.
 */
static size_t ask_until_answered(int fd, const uint8_t nonce[NONCE_SIZE], uint8_t *buffer, size_t size, long seconds)
{
	const time_t began = time(NULL);
	bool gone = false;

	for (unsigned tries = 1; seconds == 0 || time(NULL) - began < seconds; tries++) {
		size_t length;

		if (!ask(fd, nonce))
			return 0;
		do
			length = receive(fd, buffer, size, &gone);
		while (length && !is_answer(buffer, length, nonce));
		if (length || gone)
			return length;
		fprintf(stderr, "lzr-ask: asked %u times, no answer yet\n", tries);
	}
	errno = ETIMEDOUT;
	return 0;
}

static int show(const uint8_t *frame, size_t length, const uint8_t nonce[NONCE_SIZE], const char *out)
{
	const uint8_t *payload = frame + sizeof(struct session_header);
	const size_t n = length - sizeof(struct session_header);
	char digest_hex[2 * SHA384_SIZE + 1], nonce_hex[2 * NONCE_SIZE + 1];
	uint8_t digest[SHA384_SIZE];
	struct session_header h;
	bool echoed;
	FILE *file;

	memcpy(&h, frame, sizeof(h));
	if (h.type != SESSION_EVIDENCE) {
		printf("lzr-ask: refused %.*s\n", n < 200 ? (int)n : 200, (const char *)payload);
		return 1;
	}
	echoed = memmem(payload, n, nonce, NONCE_SIZE) != NULL;
	sha384(digest, payload, n);
	hex_encode(digest_hex, digest, sizeof(digest));
	hex_encode(nonce_hex, nonce, NONCE_SIZE);
	printf("lzr-ask: ok bytes=%zu nonce=%s echoed=%s sha384=%s\n", n, nonce_hex, echoed ? "yes" : "no", digest_hex);
	if (out && (!(file = fopen(out, "wb")) || fwrite(payload, 1, n, file) != n || fclose(file) != 0))
		return failed(out);
	return echoed ? 0 : 1;
}

static bool parse(int argc, char **argv, const char **channel, const char **out, long *seconds)
{
	const char *limit = NULL;
	char *end;

	for (int i = 1; i < argc; i += 2) {
		const char **value = strcmp(argv[i], "--channel") == 0 ? channel
				     : strcmp(argv[i], "--out") == 0     ? out
				     : strcmp(argv[i], "--seconds") == 0 ? &limit
									 : NULL;

		if (!value || i + 1 == argc)
			return false;
		*value = argv[i + 1];
	}
	if (!limit)
		return true;
	errno = 0;
	*seconds = strtol(limit, &end, 10);
	return errno == 0 && *limit && !*end && *seconds > 0;
}

int main(int argc, char **argv)
{
	static const char usage[] = "usage: lzr-ask [--channel TTY] [--out FILE] [--seconds N]\n";
	const size_t size = sizeof(struct session_header) + SESSION_PAYLOAD_MAX;
	const char *channel = CHANNEL, *out = NULL;
	uint8_t *buffer = malloc(size), nonce[NONCE_SIZE];
	long seconds = 0;
	size_t length;
	int fd, status;

	output_must_be_written("lzr-ask");
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (!parse(argc, argv, &channel, &out, &seconds)) {
		fputs(usage, stderr);
		return 2;
	}
	fd = open_channel(channel);
	if (fd < 0 || !buffer)
		return failed(channel);
	random_fill(nonce, sizeof(nonce));
	length = ask_until_answered(fd, nonce, buffer, size, seconds);
	status = length == 0 ? failed("answer") : show(buffer, length, nonce, out);
	free(buffer);
	close(fd);
	return status;
}
