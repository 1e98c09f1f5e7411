/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_MS 500u

static void drop_answer(struct channel *c)
{
	free(c->out);
	c->out = NULL;
	c->out_length = c->out_at = 0;
}

void channel_init(struct channel *c)
{
	drop_answer(c);
	c->in = (struct session_input){ .data = c->in_data, .size = sizeof(c->in_data) };
}

bool channel_pending(const struct channel *c)
{
	return c->out_at < c->out_length;
}

void channel_writable(struct channel *c)
{
	while (channel_pending(c)) {
		size_t left = c->out_length - c->out_at;
		struct bytes part = { c->out + c->out_at, left < LINK_PAYLOAD_MAX ? left : LINK_PAYLOAD_MAX };

		if (!link_send(&c->link, part)) {
			if (errno != EAGAIN && errno != ENOBUFS)        /* waiting would not help */
				drop_answer(c);
			return;
		}
		c->out_at += part.length;
	}
	drop_answer(c);
}

static void answer(struct channel *c, uint16_t type, struct bytes payload)
{
	drop_answer(c);
	c->out = malloc(sizeof(struct session_header) + payload.length);
	if (!c->out)
		return;
	session_put_header(c->out, type, payload.length);
	memcpy(c->out + sizeof(struct session_header), payload.data, payload.length);
	c->out_length = sizeof(struct session_header) + payload.length;
	channel_writable(c);
}

static void refuse(struct channel *c, const char *why)
{
	fprintf(stderr, "attestor: %s asked and was refused: %s\n", c->link.peer.name, why);
	answer(c, SESSION_REFUSED, (struct bytes){ (const uint8_t *)why, strlen(why) });
}

/* Nonce and key of a request: exact lengths within their limits. */
static bool parse_ask(struct bytes payload, struct agent_request *request)
{
	struct session_ask ask;

	if (payload.length < sizeof(ask))
		return false;
	memcpy(&ask, payload.data, sizeof(ask));
	if (ask.nonce_length < NONCE_MIN || ask.nonce_length > NONCE_MAX || ask.key_length > EVIDENCE_VM_KEY_MAX ||
	    payload.length != sizeof(ask) + ask.nonce_length + ask.key_length)
		return false;
	request->nonce = (struct bytes){ payload.data + sizeof(ask), ask.nonce_length };
	request->vm_key = (struct bytes){ payload.data + sizeof(ask) + ask.nonce_length, ask.key_length };
	return true;
}

static bool on_ask(struct channel *c, struct agent *a, struct bytes payload, uint64_t now_ms)
{
	struct agent_request request = { .release = RELEASE_CHANNEL, .vm = c->link.peer.vm };
	struct fault f = { 0 };
	uint8_t *bundle;
	size_t n;

	if (channel_pending(c) || now_ms < c->next_ms) {
		refuse(c, "too soon");
		return false;
	}
	c->next_ms = now_ms + INTERVAL_MS;
	if (request.vm >= a->view.vm_count || !parse_ask(payload, &request)) {
		refuse(c, "malformed request");
		return false;
	}
	bundle = malloc(EVIDENCE_BUNDLE_MAX);
	n = bundle ? agent_bundle(a, &request, bundle, EVIDENCE_BUNDLE_MAX, &f) : 0;
	if (n > 0)
		answer(c, SESSION_EVIDENCE, (struct bytes){ bundle, n });
	else
		refuse(c, "no evidence now");
	free(bundle);
	return true;
}

/* A piece of the guest's byte stream. */
static bool take_bytes(struct channel *c, struct agent *a, struct bytes piece, uint64_t now_ms)
{
	bool made = false;
	struct fault f = { 0 };
	enum session_poll state;
	struct bytes payload;
	uint16_t type;

	if (piece.length > c->in.size - c->in.used) {
		c->in.used = 0;
		refuse(c, "too many bytes");
		return false;
	}
	memcpy(c->in.data + c->in.used, piece.data, piece.length);
	c->in.used += piece.length;
	while ((state = session_frame(&c->in, &type, &payload, &f)) == SESSION_FRAME) {
		if (type == SESSION_ASK)
			made = on_ask(c, a, payload, now_ms) || made;
		else
			refuse(c, "only requests for evidence are answered here");
		session_drop(&c->in);
	}
	if (state == SESSION_BAD) {
		c->in.used = 0;
		refuse(c, "not a frame of version 1");
	}
	return made;
}

bool channel_readable(struct channel *c, struct agent *a, uint64_t now_ms)
{
	uint8_t buffer[LZR_MSG_PAYLOAD_MAX];
	struct bytes payload;

	switch (link_receive(&c->link, buffer, &payload)) {
	case LINK_UP:
	case LINK_DOWN:
		channel_init(c);
		break;
	case LINK_DATA:
		return take_bytes(c, a, payload, now_ms);
	case LINK_NOTHING:
		break;
	}
	return false;
}
