/* SPDX-License-Identifier: Apache-2.0 */
/* Links, guests' channels and ports, without a kernel or a TPM: what others send is hostile, slow or late. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "../channel.h"
#include "../ports.h"

/* In the place of agent.c: a bundle of `bundle_size` bytes that begins with the nonce. */
static unsigned int bundles;
static size_t bundle_size;
static struct agent_request asked;
static uint8_t asked_key[EVIDENCE_VM_KEY_MAX];

size_t agent_bundle(struct agent *a, const struct agent_request *request, uint8_t *out, size_t size, struct fault *f)
{
	(void)a;
	(void)f;
	bundles++;
	asked = *request;
	memcpy(asked_key, request->vm_key.data, request->vm_key.length);
	assert_true(bundle_size <= size);
	memset(out, 0x77, bundle_size);
	memcpy(out, request->nonce.data, request->nonce.length);
	return bundle_size;
}

struct world {
	struct agent agent;
	struct channel channel;
	int guest;                      /* the other end of the packet socket's stand-in */
	struct lzr_msg peer;
};

static size_t put_frame(const struct lzr_msg *m, const void *payload, uint8_t *out)
{
	memset(out, 0, 14);
	memcpy(out + 14, m, sizeof(*m));
	memcpy(out + 14 + sizeof(*m), payload, m->length);
	return 14 + sizeof(*m) + m->length;
}

static void inject(struct world *w, uint16_t type, const void *payload, uint32_t length)
{
	uint8_t frame[8192];
	struct lzr_msg m = w->peer;

	m.type = type;
	m.length = length;
	size_t n = put_frame(&m, payload, frame);
	assert_int_equal(send(w->guest, frame, n, 0), (ssize_t)n);
}

static void say_up(struct world *w)
{
	struct lzr_peer who = { .vm = VM_BLUE, .instance = 2, .name = "blue" };

	inject(w, LZR_MSG_UP, &who, sizeof(who));
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int ends[2];

	if (!w || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0)
		return -1;
	fake_machine = fixture_new(1);
	w->agent.view.vm_count = VM_COUNT;
	w->agent.view.ports = 4;
	w->channel.link.fd = ends[0];
	w->guest = ends[1];
	w->peer =
		(struct lzr_msg){ .magic = LZR_MSG_MAGIC, .link = 8, .peer = VM_BLUE, .instance = 2, .generation = 1 };
	channel_init(&w->channel);
	bundles = 0;
	bundle_size = 3000;
	fake_switch_start();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	channel_init(&w->channel);
	close(w->channel.link.fd);
	close(w->guest);
	fixture_free(fake_machine);
	free(w);
	return 0;
}

static size_t make_ask(uint8_t *out, uint32_t nonce, uint32_t key)
{
	const struct session_ask ask = { nonce, key };

	session_put_header(out, SESSION_ASK, sizeof(ask) + nonce + key);
	memcpy(out + sizeof(struct session_header), &ask, sizeof(ask));
	memset(out + sizeof(struct session_header) + sizeof(ask), 0x33, nonce);
	memset(out + sizeof(struct session_header) + sizeof(ask) + nonce, 0x44, key);
	return sizeof(struct session_header) + sizeof(ask) + nonce + key;
}

/* Collects what the guest is sent; each message to the present generation, at most 1024 bytes. */
static size_t collect(struct world *w, uint8_t *out)
{
	uint8_t frame[8192];
	size_t used = 0;
	ssize_t n;

	while ((n = recv(w->guest, frame, sizeof(frame), 0)) > 0) {
		struct lzr_msg m;

		memcpy(&m, frame + 14, sizeof(m));
		assert_int_equal(m.magic, LZR_MSG_MAGIC);
		if (m.type == LZR_MSG_HELLO)
			continue;
		assert_int_equal(m.type, LZR_MSG_DATA);
		assert_true(m.instance == 2 && m.generation == w->peer.generation && m.peer == VM_BLUE && m.link == 8);
		assert_true(m.length <= LINK_PAYLOAD_MAX && n == (ssize_t)(14 + sizeof(m) + m.length));
		memcpy(out + used, frame + 14 + sizeof(m), m.length);
		used += m.length;
	}
	return used;
}

static bool hear(struct world *w, uint64_t now)
{
	return channel_readable(&w->channel, &w->agent, now);
}

static void answer_in_pieces(void **state)
{
	struct world *w = *state;
	uint8_t ask[2048], got[8192];
	size_t n = make_ask(ask, 32, 10);
	struct session_header h;

	say_up(w);
	assert_false(hear(w, 0));
	assert_true(w->channel.link.up);
	/* Byte by byte, then the rest. */
	for (size_t i = 0; i < 20; i++) {
		inject(w, LZR_MSG_DATA, ask + i, 1);
		assert_false(hear(w, 0));
	}
	inject(w, LZR_MSG_DATA, ask + 20, (uint32_t)n - 20);
	assert_true(hear(w, 0));
	assert_int_equal(asked.release, RELEASE_CHANNEL);
	assert_int_equal(asked.vm, VM_BLUE);
	assert_int_equal(asked.vm_key.length, 10);
	assert_int_equal(asked_key[9], 0x44);
	n = collect(w, got);
	memcpy(&h, got, sizeof(h));
	assert_int_equal(n, sizeof(h) + 3000);
	assert_int_equal(h.type, SESSION_EVIDENCE);
	assert_int_equal(h.length, 3000);
	assert_int_equal(got[sizeof(h)], 0x33);
	assert_false(channel_pending(&w->channel));
}

static uint16_t refusal(struct world *w, const uint8_t *bytes, size_t length, uint64_t now)
{
	uint8_t got[8192];
	struct session_header h = { 0 };

	for (size_t at = 0; at < length; at += 1024)
		inject(w, LZR_MSG_DATA, bytes + at, (uint32_t)(length - at < 1024 ? length - at : 1024));
	for (int i = 0; i < 4; i++)
		hear(w, now);
	if (collect(w, got) >= sizeof(h))
		memcpy(&h, got, sizeof(h));
	return h.type;
}

static void malformed_requests(void **state)
{
	static const uint32_t bad[][2] = { { 31, 0 }, { 65, 0 }, { 0, 0 } };
	struct world *w = *state;
	uint8_t ask[4096];
	size_t n;

	say_up(w);
	hear(w, 0);
	for (uint64_t i = 0; i < 3; i++) {
		n = make_ask(ask, bad[i][0], bad[i][1]);
		assert_int_equal(refusal(w, ask, n, (i + 1) * 100000), SESSION_REFUSED);
	}
	n = make_ask(ask, 32, 0);
	ask[12] = 33;           /* says more than it has */
	assert_int_equal(refusal(w, ask, n, 1000000), SESSION_REFUSED);
	memset(ask, 0xff, sizeof(ask));
	assert_int_equal(refusal(w, ask, 40, 2000000), SESSION_REFUSED);
	assert_int_equal(refusal(w, ask, 3000, 3000000), SESSION_REFUSED);
	session_put_header(ask, SESSION_RESULT, 0);
	assert_int_equal(refusal(w, ask, 12, 4000000), SESSION_REFUSED);
	assert_int_equal(bundles, 0);
	/* After all that a good one is answered. */
	n = make_ask(ask, 64, 1024);
	assert_int_equal(refusal(w, ask, n, 5000000), SESSION_EVIDENCE);
	/* And the next one at once is not. */
	assert_int_equal(refusal(w, ask, n, 5000001), SESSION_REFUSED);
	assert_int_equal(bundles, 1);
}

static void only_the_present_peer(void **state)
{
	struct world *w = *state;
	struct lzr_peer who = { .vm = VM_RED, .instance = 2, .name = "red" };
	uint8_t ask[256];
	size_t n = make_ask(ask, 32, 0);

	/* Before UP, with another magic, from another generation or instance: nothing. */
	assert_int_equal(refusal(w, ask, n, 1), 0);
	/* UP whose payload is another VM than the header's. */
	inject(w, LZR_MSG_UP, &who, sizeof(who));
	hear(w, 1);
	assert_false(w->channel.link.up);
	say_up(w);
	hear(w, 1);
	w->peer.generation = 2;
	assert_int_equal(refusal(w, ask, n, 1), 0);
	w->peer.generation = 1;
	w->peer.instance = 3;
	assert_int_equal(refusal(w, ask, n, 1), 0);
	w->peer.instance = 2;
	w->peer.magic ^= 1;
	assert_int_equal(refusal(w, ask, n, 1), 0);
	w->peer.magic ^= 1;
	assert_int_equal(bundles, 0);
	/* DOWN forgets a half request. */
	inject(w, LZR_MSG_DATA, ask, 20);
	hear(w, 1);
	inject(w, LZR_MSG_DOWN, "", 0);
	hear(w, 1);
	assert_false(w->channel.link.up);
	assert_int_equal(w->channel.in.used, 0);
	w->peer.generation = 2;
	say_up(w);
	hear(w, 1);
	assert_int_equal(refusal(w, ask, n, 1), SESSION_EVIDENCE);
}

/* A guest that does not read keeps its answer waiting, and nobody else. */
static void slow_guest(void **state)
{
	struct world *w = *state;
	uint8_t ask[256], *got = malloc(1 << 20);
	size_t n = make_ask(ask, 32, 0), total = 0;

	bundle_size = 900000;
	say_up(w);
	hear(w, 0);
	inject(w, LZR_MSG_DATA, ask, (uint32_t)n);
	assert_true(hear(w, 0));
	assert_true(channel_pending(&w->channel));
	for (int i = 0; i < 1000 && channel_pending(&w->channel); i++) {
		total += collect(w, got + total);
		channel_writable(&w->channel);
	}
	total += collect(w, got + total);
	assert_int_equal(total, 900000 + sizeof(struct session_header));
	free(got);
}

/* An answer that can never leave is dropped, so that nobody waits for room that is there already. */
static void guest_is_gone(void **state)
{
	struct world *w = *state;
	uint8_t ask[256];
	size_t n = make_ask(ask, 32, 0);

	bundle_size = 900000;
	say_up(w);
	hear(w, 0);
	inject(w, LZR_MSG_DATA, ask, (uint32_t)n);
	assert_true(hear(w, 0));
	assert_true(channel_pending(&w->channel));
	w->channel.link.up = false;
	channel_writable(&w->channel);
	assert_false(channel_pending(&w->channel));
	w->channel.link.up = true;
	inject(w, LZR_MSG_DATA, ask, (uint32_t)n);
	assert_true(hear(w, 1000));
	assert_true(channel_pending(&w->channel));
	close(w->guest);
	w->guest = -1;
	channel_writable(&w->channel);
	assert_false(channel_pending(&w->channel));
}

static void ports_follow_the_switch(void **state)
{
	struct world *w = *state;
	struct ports p = { .agent = &w->agent };
	struct key verifier;
	struct lzr_result r = { .magic = LZR_RESULT_MAGIC, .type = LZR_RESULT_LEASE };
	uint8_t message[LZR_RESULT_SIZE];
	struct fault f = { 0 };
	uint64_t answer[5];

	ports_draw_nonces(&p);
	assert_true(w->agent.port[VM_RED].known);
	assert_false(bytes_all(w->agent.port[VM_RED].state.nonce, 32, 0));
	assert_true(bytes_all(w->agent.port[VM_ATTESTOR].state.nonce, 32, 0));
	key_init(&verifier);
	assert_true(key_generate(&verifier, &f));
	fake_verifier_key = &verifier;
	for (uint32_t vm = 0; vm < 3; vm++) {
		r.vm = vm;
		r.instance = fake_port[vm].instance;
		r.duration_ns = 10000000000u;
		memcpy(r.port_nonce, fake_port[vm].nonce, 32);
		assert_int_equal(
			cose_sign1(&verifier, (struct bytes){ (uint8_t *)&r, sizeof(r) }, message, sizeof(message)),
			LZR_RESULT_SIZE);
		ports_deliver(&p, LZR_PORT_OF_VM, message, answer);
		assert_int_equal(answer[2], LZR_CTL_OK);
		assert_int_equal(answer[3], LZR_PORT_ADMITTED);
		assert_int_equal(answer[4], 10000000000u);
	}
	fake_port[VM_BLUE].lease_left_ns = 4600000001;
	ports_refresh(&p);
	assert_true(w->agent.port[VM_BLUE].state.lease_left_ns == 5000000000);          /* whole seconds: ports.c */
	/* To another VM's port on purpose: the switch says no. */
	ports_deliver(&p, VM_RED, message, answer);
	assert_int_equal(answer[2], LZR_CTL_WRONG_VM);
	key_free(&verifier);
}

/* Whatever the interface is called: the control channel leads to the measured policy's switch. */
static void the_switch_is_known_by_the_hypervisors_word(void **state)
{
	static const struct lzr_peer others[] = {
		{ .vm = VM_SWITCH, .instance = 2, .name = "switch" },                           /* no service VM */
		{ .vm = VM_BLUE, .flags = LZR_PEER_SERVICE, .instance = 2, .name = "switch" },   /* another one */
	};
	struct world *w = *state;
	struct ports ports = { .agent = &w->agent, .control.link.fd = -1 };
	struct link link = w->channel.link, second;

	w->agent.view.firewall = VM_SWITCH;
	assert_false(ports_take_control(&ports, &link));        /* nobody is there yet */
	link.up = true;
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		link.peer = others[i];
		assert_false(ports_take_control(&ports, &link));
		assert_int_equal(ports.control.link.fd, -1);
		assert_int_equal(link.fd, w->channel.link.fd);
	}
	link.peer = (struct lzr_peer){ .vm = VM_SWITCH, .flags = LZR_PEER_SERVICE, .instance = 2, .name = "switch" };
	second = link;
	assert_true(ports_take_control(&ports, &link));
	assert_int_equal(ports.control.link.fd, w->channel.link.fd);
	assert_true(ports.control.link.up);
	assert_int_equal(link.fd, -1);
	assert_false(link.up);
	assert_false(ports_take_control(&ports, &second));      /* a channel beside it is none */
	w->agent.view.firewall = POLICYVIEW_NONE;
	ports.control.link.fd = -1;
	assert_false(ports_take_control(&ports, &second));      /* a policy without a switch */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(answer_in_pieces), CASE(malformed_requests), CASE(only_the_present_peer), CASE(slow_guest),
		CASE(guest_is_gone),
		CASE(ports_follow_the_switch), CASE(the_switch_is_known_by_the_hypervisors_word),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
