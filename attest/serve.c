/* SPDX-License-Identifier: Apache-2.0 */
#include "serve.h"
#include "report.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 100
#define NONCE_LIFE_SECONDS 120
#define PATIENCE_SECONDS 120
#define FRAMES_MAX 16u          /* from the attestor for each good evidence, and one for each result */

struct server {
	const struct serve_options *o;
	int out;
	struct enrolment enrolment;
	bool known;                     /* the attestor named an enrolled AK, or enrolled one */
	uint8_t nonce[NONCE_MIN];
	time_t nonce_until;             /* 0: none outstanding */
	bool proven;                    /* good evidence came in this session */
	time_t until;                   /* when the next good evidence must have come */
	unsigned int frames_left;
	struct verify_report report;
};

static time_t now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void expect_evidence(struct server *s, uint64_t seconds)
{
	const unsigned int patience = s->o->patience_seconds;

	s->until = now_seconds() + (time_t)(seconds + (patience ? patience : PATIENCE_SECONDS));
	s->frames_left = FRAMES_MAX;
}

static bool refuse_peer(struct server *s, const struct fault *why)
{
	char text[600];
	struct fault ignored = { 0 };

	fault_print(why, text, sizeof(text));
	store_event(s->o->store, "refused %s", text);
	session_send(s->out, SESSION_REFUSED, (struct bytes){ (const uint8_t *)text, strlen(text) }, &ignored);
	return false;
}

static bool challenge(struct server *s, struct fault *f)
{
	uint8_t payload[128];
	const struct bytes nonce = { s->nonce, sizeof(s->nonce) };
	size_t n;

	s->known = true;
	random_fill(s->nonce, sizeof(s->nonce));
	s->nonce_until = now_seconds() + NONCE_LIFE_SECONDS;
	n = session_put_strings(payload, sizeof(payload), &nonce, 1);
	return session_send(s->out, SESSION_CHALLENGE, (struct bytes){ payload, n }, f);
}

static bool on_hello(struct server *s, struct bytes payload, struct fault *f)
{
	const size_t max[] = { TPM_NAME_MAX };
	struct fault unknown = { 0 };
	struct ak_record ak;
	struct bytes name;

	if (!session_get_strings(payload, &name, max, 1, f))
		return false;
	if (store_load_ak(s->o->store, name, &ak, &unknown))
		return challenge(s, f);
	if (unknown.code != FAULT_AK_UNKNOWN || !s->o->roots) {
		*f = unknown;
		return refuse_peer(s, f);
	}
	return session_send(s->out, SESSION_ENROL, (struct bytes){ NULL, 0 }, f);
}

static bool on_endorsement(struct server *s, struct bytes payload, struct fault *f)
{
	const size_t max[] = { EKCERT_MAX, TPM_PUBLIC_MAX, TPM_PUBLIC_MAX };
	struct bytes part[3];
	struct credential credential;
	uint8_t out[CREDENTIAL_BLOB_MAX + CREDENTIAL_SEED_MAX + 16];
	size_t n;

	if (!s->o->roots)
		return fault_set(f, FAULT_PROTOCOL, "session", "no endorsement in a session that does not enrol",
				 "one");
	if (!session_get_strings(payload, part, max, 3, f))
		return false;
	if (!enrol_begin(s->o->roots, part[0], part[1], part[2], &s->enrolment, &credential, f))
		return refuse_peer(s, f);
	n = session_put_strings(out, sizeof(out),
				(struct bytes[]){ { credential.blob, credential.blob_length },
						  { credential.seed, credential.seed_length } },
				2);
	return session_send(s->out, SESSION_CREDENTIAL, (struct bytes){ out, n }, f);
}

static bool on_activated(struct server *s, struct bytes payload, struct fault *f)
{
	const size_t max[] = { CREDENTIAL_SECRET_SIZE };
	char hex[2 * TPM_NAME_MAX + 1];
	struct bytes secret;

	if (!session_get_strings(payload, &secret, max, 1, f))
		return false;
	if (!enrol_finish(&s->enrolment, secret, f))
		return refuse_peer(s, f);
	if (!store_save_ak(s->o->store, &s->enrolment.ak, f))
		return false;
	hex_encode(hex, s->enrolment.ak.name, s->enrolment.ak.name_length);
	store_event(s->o->store, "enrolled ak=%s", hex);
	return challenge(s, f);
}

static bool send_result(struct server *s, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], struct fault *f)
{
	const uint8_t number[4] = { (uint8_t)port, (uint8_t)(port >> 8), (uint8_t)(port >> 16), (uint8_t)(port >> 24) };
	uint8_t payload[LZR_RESULT_SIZE + 32];
	size_t n = session_put_strings(payload, sizeof(payload),
				       (struct bytes[]){ { number, 4 }, { result, LZR_RESULT_SIZE } }, 2);

	s->frames_left++;
	return session_send(s->out, SESSION_RESULT, (struct bytes){ payload, n }, f);
}

/* A lease for a VM whose evidence is good, if its port takes one. */
static bool answer_vm(struct server *s, const struct vm_report *vm, struct fault *f)
{
	const struct store *store = s->o->store;
	const struct evidence *e = &vm->evidence;
	uint8_t signed_result[LZR_RESULT_SIZE];
	struct lzr_result lease;
	uint64_t serial;
	char text[600];

	if (vm->fault.code != FAULT_GOOD) {
		fault_print(&vm->fault, text, sizeof(text));
		store_event(store, "vm=%s refused %s", vm->name, text);
		return true;
	}
	if (!e->has_port || e->port.state == LZR_PORT_INFRASTRUCTURE ||
	    bytes_all(e->port.nonce, LZR_PORT_NONCE_SIZE, 0)) {
		store_event(store, "vm=%s good no-lease", e->name);
		return true;
	}
	if (store_is_revoked(store, e->name)) {
		store_event(store, "vm=%s good revoked", e->name);
		return true;
	}
	if (!store_next_serial(store, &serial, f))
		return false;
	result_lease(e, s->o->lease_ns, serial, &lease);
	if (!result_sign(s->o->key, &lease, signed_result, f) || !store_save_lease(store, &lease, f))
		return false;
	store_event(store, "vm=%s good lease serial=%" PRIu64 " port=%u", e->name, serial, e->port.number);
	return send_result(s, e->port.number, signed_result, f);
}

/* The bundle with the nonce that it answers, so that it can be checked again, by `lzr-verify check` or by others. */
static void save_bundle(struct server *s, struct bytes bundle)
{
	struct fault ignored = { 0 };
	char nonce[2 * NONCE_MIN + 1];

	hex_encode(nonce, s->nonce, sizeof(s->nonce));
	store_write(s->o->store, "bundle", bundle, &ignored);
	store_write(s->o->store, "nonce", (struct bytes){ (const uint8_t *)nonce, strlen(nonce) }, &ignored);
}

static void save_report(struct server *s)
{
	struct fault ignored = { 0 };
	char *text = NULL;
	size_t length;

	for (int json = 0; json <= 1; json++) {
		FILE *out = open_memstream(&text, &length);

		if (!out)
			return;
		(json ? report_print_json : report_print)(out, &s->report, s->o->reference);
		fclose(out);
		store_write(s->o->store, json ? "report.json" : "report.txt",
			    (struct bytes){ (const uint8_t *)text, length }, &ignored);
		free(text);
	}
}

static bool on_evidence(struct server *s, struct bytes bundle, struct fault *f)
{
	struct fault unknown = { 0 };
	struct ak_record ak;
	const bool known = store_load_ak(s->o->store, verify_ak_name(bundle), &ak, &unknown);
	const struct verify_request request = {
		.bundle = bundle,
		.nonce = { s->nonce, sizeof(s->nonce) },
		.release = RELEASE_NETWORK,
		.reference = s->o->reference,
		.ak = known ? &ak : NULL,
		.allow_development_key = s->o->allow_development_key,
	};
	bool good;

	if (s->nonce_until < now_seconds())
		return fault_set(f, FAULT_PROTOCOL, "session", "evidence for an outstanding nonce",
				 "none is outstanding");
	s->nonce_until = 0;
	good = verify_bundle(&request, &s->report);
	save_bundle(s, bundle);
	save_report(s);
	if (!good) {
		*f = s->report.platform;
		return refuse_peer(s, f);
	}
	ak.clock_ms = s->report.quote.clock_ms;
	ak.reset_count = s->report.quote.reset_count;
	ak.restart_count = s->report.quote.restart_count;
	if (!store_save_ak(s->o->store, &ak, f))
		return false;
	s->proven = true;
	expect_evidence(s, s->o->lease_ns / 1000000000u);
	for (size_t i = 0; i < s->report.vm_count; i++)
		if (!answer_vm(s, &s->report.vm[i], f))
			return false;
	return true;
}

/* What the switch said about a result, by way of the attestor: for the operator's eyes only. */
static bool on_status(struct server *s, struct bytes payload, struct fault *f)
{
	uint64_t n[5];

	if (!session_get_numbers(payload, n, 5, f))
		return false;
	store_event(s->o->store, "switch serial=%" PRIu64 " vm=%" PRIu64 " status=%s port=%s lease-ms=%" PRIu64, n[0],
		    n[1], report_control_status(n[2]), report_port_state(n[3]), n[4] / 1000000);
	return true;
}

/* Before the AK is known there is nothing to renew. */
static bool on_renew(struct server *s, struct bytes payload, struct fault *f)
{
	if (payload.length)
		return fault_set_number(f, FAULT_PROTOCOL, "length of a renewal", 0, payload.length);
	return !s->known || challenge(s, f);
}

static bool on_frame(struct server *s, uint16_t type, struct bytes payload, struct fault *f)
{
	if (s->frames_left-- == 0)
		return fault_set(f, FAULT_PROTOCOL, "session", "fewer frames for one evidence", "one more");
	switch (type) {
	case SESSION_HELLO:
		return on_hello(s, payload, f);
	case SESSION_ENDORSEMENT:
		return on_endorsement(s, payload, f);
	case SESSION_ACTIVATED:
		return on_activated(s, payload, f);
	case SESSION_EVIDENCE:
		return on_evidence(s, payload, f);
	case SESSION_STATUS:
		return on_status(s, payload, f);
	case SESSION_RENEW:
		return on_renew(s, payload, f);
	default:
		return fault_set_number(f, FAULT_PROTOCOL, "session, frame type", SESSION_HELLO, type);
	}
}

/* Operators' messages are for an attestor that has proved itself, not for whoever dials first. */
static bool send_outbox(struct server *s, struct fault *f)
{
	uint8_t message[STORE_MESSAGE_SIZE];
	char name[STORE_MESSAGE_NAME];

	while (s->proven && store_oldest(s->o->store, name, message)) {
		uint32_t port = message[0] | message[1] << 8 | message[2] << 16 | (uint32_t)message[3] << 24;

		if (!send_result(s, port, message + 4, f) || !store_sent(s->o->store, name, f))
			return false;
	}
	return true;
}

static bool take_frames(struct server *s, struct session_input *input, struct fault *f)
{
	enum session_poll state;
	struct bytes payload;
	uint16_t type;

	while ((state = session_frame(input, &type, &payload, f)) == SESSION_FRAME) {
		if (!on_frame(s, type, payload, f))
			return false;
		session_drop(input);
	}
	return state != SESSION_BAD;
}

static bool run(struct server *s, struct session_input *input, int in, struct fault *f)
{
	for (;;) {
		struct pollfd p = { .fd = in, .events = POLLIN };
		ssize_t n;

		if (now_seconds() >= s->until)
			return fault_set(f, FAULT_PROTOCOL, "session", "good evidence in time", "none");
		if (!send_outbox(s, f))
			return false;
		if (poll(&p, 1, TICK_MS) <= 0)
			continue;
		n = read(in, input->data + input->used, input->size - input->used);
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fault_set(f, FAULT_PROTOCOL, "session", "an open connection", strerror(errno));
		input->used += n > 0 ? (size_t)n : 0;
		if (!take_frames(s, input, f))
			return false;
	}
}

/* So that neither end of the session waits for longer than it wants to. */
static bool never_block(int fd, struct fault *f)
{
	const int flags = fcntl(fd, F_GETFL);

	return (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) ||
	       fault_set(f, FAULT_INPUT, "session", "an open file", strerror(errno));
}

bool serve_session(const struct serve_options *options, int in, int out, struct fault *f)
{
	struct session_input input = { .size = SESSION_PAYLOAD_MAX + sizeof(struct session_header) };
	struct server *s = calloc(1, sizeof(*s));
	bool ok = false;

	input.data = malloc(input.size);
	if (s && input.data) {
		s->o = options;
		s->out = out;
		store_event(options->store, "session begins");
		expect_evidence(s, 0);
		ok = never_block(in, f) && never_block(out, f) && run(s, &input, in, f);
		store_event(options->store, "session ends%s%s", ok ? "" : ": ", ok ? "" : fault_name(f->code));
	} else {
		fault_set(f, FAULT_INPUT, "session", "memory", "none");
	}
	free(input.data);
	free(s);
	return ok;
}
