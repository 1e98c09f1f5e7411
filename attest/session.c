/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"
#include "dcbor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SEND_SECONDS 5

static size_t payload_limit(uint16_t type)
{
	return type == SESSION_EVIDENCE ? SESSION_PAYLOAD_MAX : SESSION_SMALL_MAX;
}

enum session_poll session_frame(const struct session_input *in, uint16_t *type, struct bytes *payload, struct fault *f)
{
	struct session_header h;

	if (in->used < sizeof(h))
		return SESSION_MORE;
	memcpy(&h, in->data, sizeof(h));
	if (h.magic != SESSION_MAGIC || h.version != SESSION_VERSION || h.length > payload_limit(h.type) ||
	    h.length > in->size - sizeof(h)) {
		fault_set_text(f, FAULT_PROTOCOL, "session", "frames of version 1 within the limits",
			       "magic %08x, version %u, type %u, length %u", h.magic, h.version, h.type, h.length);
		return SESSION_BAD;
	}
	if (in->used - sizeof(h) < h.length)
		return SESSION_MORE;
	*type = h.type;
	*payload = (struct bytes){ in->data + sizeof(h), h.length };
	return SESSION_FRAME;
}

void session_drop(struct session_input *in)
{
	struct session_header h;
	size_t whole;

	memcpy(&h, in->data, sizeof(h));
	whole = sizeof(h) + h.length;
	memmove(in->data, in->data + whole, in->used - whole);
	in->used -= whole;
}

void session_put_header(uint8_t out[sizeof(struct session_header)], uint16_t type, size_t length)
{
	struct session_header h = { SESSION_MAGIC, SESSION_VERSION, type, (uint32_t)length };

	memcpy(out, &h, sizeof(h));
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool send_all(int fd, const uint8_t *data, size_t length, int64_t until_ms, struct fault *f)
{
	while (length) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		const ssize_t n = write(fd, data, length);
		const int64_t left_ms = until_ms - now_ms();

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fault_set(f, FAULT_PROTOCOL, "session", "an open connection", strerror(errno));
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
		if (length && left_ms <= 0)
			return fault_set(f, FAULT_PROTOCOL, "session", "a peer that reads", "none");
		if (length && n <= 0)
			poll(&p, 1, (int)left_ms);
	}
	return true;
}

bool session_send(int fd, uint16_t type, struct bytes payload, struct fault *f)
{
	const int64_t until_ms = now_ms() + SEND_SECONDS * 1000;
	uint8_t header[sizeof(struct session_header)];

	session_put_header(header, type, payload.length);
	return send_all(fd, header, sizeof(header), until_ms, f) &&
	       send_all(fd, payload.data, payload.length, until_ms, f);
}

size_t session_put_strings(uint8_t *out, size_t size, const struct bytes *strings, size_t count)
{
	struct dcbor_writer w = { .data = out, .size = size };

	dcbor_put_array(&w, count);
	for (size_t i = 0; i < count; i++)
		dcbor_put_bytes(&w, strings[i].data, strings[i].length);
	return w.overflow ? 0 : w.used;
}

bool session_get_strings(struct bytes payload, struct bytes *strings, const size_t *max, size_t count, struct fault *f)
{
	struct dcbor_reader r = { .data = payload.data, .left = payload.length };

	dcbor_get_array(&r, count, count);
	for (size_t i = 0; i < count; i++)
		strings[i] = dcbor_get_bytes(&r, 0, max[i]);
	return dcbor_end(&r) || fault_set(f, FAULT_PROTOCOL, "session", "an array of byte strings", "something else");
}

size_t session_put_numbers(uint8_t *out, size_t size, const uint64_t *numbers, size_t count)
{
	struct dcbor_writer w = { .data = out, .size = size };

	dcbor_put_array(&w, count);
	for (size_t i = 0; i < count; i++)
		dcbor_put_uint(&w, numbers[i]);
	return w.overflow ? 0 : w.used;
}

bool session_get_numbers(struct bytes payload, uint64_t *numbers, size_t count, struct fault *f)
{
	struct dcbor_reader r = { .data = payload.data, .left = payload.length };

	dcbor_get_array(&r, count, count);
	for (size_t i = 0; i < count; i++)
		numbers[i] = dcbor_get_uint(&r, UINT64_MAX);
	return dcbor_end(&r) || fault_set(f, FAULT_PROTOCOL, "session", "an array of numbers", "something else");
}
