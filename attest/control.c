/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS 1000
#define RESULT_MS 10000         /* the switch verifies a signature */
#define OLD_MAX 1000            /* messages that came unasked, dropped at once */
#define TRIES 2                 /* a result is sent once: its nonce is used up when it counted */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The answer to question `seq`, or nothing within the time, whatever else comes. */
static bool await(struct control *c, const struct lzr_control_message *question, struct lzr_control_message *answer,
		  int milliseconds)
{
	uint8_t buffer[LZR_MSG_PAYLOAD_MAX];
	struct pollfd p = { .fd = c->link.fd, .events = POLLIN };
	const int64_t until = now_ms() + milliseconds;
	struct bytes payload;

	for (int64_t left = milliseconds; left > 0; left = until - now_ms()) {
		if (poll(&p, 1, (int)left) != 1)
			continue;
		if (link_receive(&c->link, buffer, &payload) != LINK_DATA || payload.length != sizeof(*answer))
			continue;
		memcpy(answer, payload.data, sizeof(*answer));
		if (answer->op == question->op && answer->seq == question->seq && answer->port == question->port)
			return true;
	}
	return false;
}

/* A guest at the other end would be told of all the others. */
static bool switch_is_there(const struct control *c)
{
	return c->link.up && c->link.peer.flags & LZR_PEER_SERVICE;
}

bool control_ask(struct control *c, enum lzr_control_op op, uint32_t port, const uint8_t result[LZR_RESULT_SIZE],
		 struct lzr_control_message *answer)
{
	uint8_t message[sizeof(struct lzr_control_message) + LZR_RESULT_SIZE];
	struct lzr_control_message question = { .op = op, .port = port };
	size_t length = sizeof(question);

	control_poll(c);
	if (result) {
		memcpy(message + length, result, LZR_RESULT_SIZE);
		length += LZR_RESULT_SIZE;
	}
	for (int i = 0; switch_is_there(c) && i < (result ? 1 : TRIES); i++) {
		question.seq = ++c->seq;
		memcpy(message, &question, sizeof(question));
		if (link_send(&c->link, (struct bytes){ message, length }) &&
		    await(c, &question, answer, result ? RESULT_MS : ANSWER_MS))
			return true;
	}
	return false;
}

void control_poll(struct control *c)
{
	uint8_t buffer[LZR_MSG_PAYLOAD_MAX];
	struct pollfd p = { .fd = c->link.fd, .events = POLLIN };
	struct bytes payload;

	for (int i = 0; i < OLD_MAX && poll(&p, 1, 0) == 1; i++)
		link_receive(&c->link, buffer, &payload);
}
