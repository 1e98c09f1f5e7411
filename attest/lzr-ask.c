/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-ask: a guest asks its attestor for evidence about itself, over its own channel (a raw tty), with its own nonce.
 * Prints one line:
 *     lzr-ask: ok bytes=N nonce=HEX echoed=yes sha384=HEX
 *     lzr-ask: refused TEXT
 *     lzr-ask: failed TEXT
 * and with --out FILE keeps the bundle for a verifier.  Exit status 0 only for the first with the nonce inside, 2 for
 * wrong arguments.
 */
#define _GNU_SOURCE
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
#define TRY_SECONDS 10
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

/* A whole frame into `buffer`; its length, 0 if none came in time. */
static size_t receive(int fd, uint8_t *buffer, size_t size)
{
	struct session_header h = { 0 };
	const time_t until = time(NULL) + TRY_SECONDS;
	size_t used = 0;

	while (used < sizeof(h) || used < sizeof(h) + h.length) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		size_t want = used < sizeof(h) ? sizeof(h) - used : sizeof(h) + h.length - used;
		ssize_t n;

		if (time(NULL) >= until || poll(&p, 1, TRY_SECONDS * 1000) != 1)
			return 0;
		n = read(fd, buffer + used, want);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
		used += n > 0 ? (size_t)n : 0;
		if (used < sizeof(h))
			continue;
		memcpy(&h, buffer, sizeof(h));
		if (h.magic != SESSION_MAGIC || h.version != SESSION_VERSION || h.length > size - sizeof(h))
			return 0;
	}
	return used;
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

int main(int argc, char **argv)
{
	const size_t size = sizeof(struct session_header) + SESSION_PAYLOAD_MAX;
	const char *channel = CHANNEL, *out = NULL;
	uint8_t *buffer = malloc(size), nonce[NONCE_SIZE];
	time_t until = time(NULL) + 60;
	size_t length = 0;
	int fd;

	for (int i = 1; i < argc; i += 2) {
		const char **value = strcmp(argv[i], "--channel") == 0 ? &channel
				     : strcmp(argv[i], "--out") == 0   ? &out
								       : NULL;

		if (!value || i + 1 == argc) {
			fputs("usage: lzr-ask [--channel TTY] [--out FILE]\n", stderr);
			return 2;
		}
		*value = argv[i + 1];
	}
	fd = open_channel(channel);
	if (fd < 0 || !buffer)
		return failed(channel);
	random_fill(nonce, sizeof(nonce));
	while (length == 0 && time(NULL) < until) {
		if (!ask(fd, nonce))
			return failed("request");
		length = receive(fd, buffer, size);
	}
	if (length == 0) {
		errno = ETIMEDOUT;
		return failed("answer");
	}
	return show(buffer, length, nonce, out);
}
