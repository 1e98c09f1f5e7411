/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests do on one side, what the network sees of the attestor on the other: random policies and scripts, each
 * run twice, once with VMs that reset their devices, restart and ask for evidence, once with the same VMs silent.  What
 * a VM may move is told by labels alone: nothing, unless the network's label covers its own.  Compared are the times of
 * all words on the wire and what kind they are; what evidence says of ports is a state each DIAL_RENEW_SECONDS
 * (SECURITY.md).
 *
 * And the other way: whatever somebody on the network says, a guest that asks is heard.
 */
#define _GNU_SOURCE
#include "dial_rig.h"
#include "../ports.h"
#include "../turns.h"

#include <poll.h>
#include <signal.h>

#define ROUNDS 24u
#define RUN_SECONDS 60u
#define STEP_MS 125u
#define VMS 4u
#define WORDS 512u
#define GUEST_WORK_MS 300u

static uint64_t random_state;

static uint32_t roll(uint32_t sides)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33) % sides;
}

/* --- the switch, in the place of control.c -------------------------------------------------------------------- */

static struct lzr_control_message port[VMS];
static uint64_t result_ms;              /* the switch looks at a result that long */

bool control_ask(struct control *c, enum lzr_control_op op, uint32_t number, const uint8_t result[LZR_RESULT_SIZE],
		 struct lzr_control_message *answer)
{
	(void)c;
	(void)result;
	if (number >= VMS)
		return false;
	if (op == LZR_CONTROL_RESULT) {
		w->now += result_ms;
		port[number].state = LZR_PORT_ADMITTED;
		port[number].lease_left_ns = 30000000000u;
	}
	*answer = port[number];
	return true;
}

void control_poll(struct control *c)
{
	(void)c;
}

/* --- a run ---------------------------------------------------------------------------------------------------- */

struct word {
	uint64_t at_ms;
	uint16_t type;
};

struct trace {
	unsigned int count;
	struct word word[WORDS];
};

struct run {
	uint64_t script;                /* seed of what the network does */
	uint64_t guests;                /* seed of what guests do */
	uint64_t acting;                /* VMs that do something */
	struct ports ports;
	struct turns turns;
	unsigned int served;
	uint64_t longest_ms, asked_ms;  /* that a guest waited; since when one asks */
};

static void guests_act(struct run *r)
{
	const uint64_t network = random_state;

	random_state = r->guests;
	for (uint32_t vm = 0; vm < VMS; vm++) {
		const uint32_t what = roll(24);

		if (!(r->acting >> vm & 1))
			continue;
		if (what == 0)                  /* its network device is reset */
			port[vm].state = LZR_PORT_QUARANTINED, port[vm].lease_left_ns = 0;
		else if (what == 1)             /* it is gone for a while */
			port[vm].state = LZR_PORT_DOWN, port[vm].lease_left_ns = 0;
		else if (what == 2)             /* another instance */
			port[vm].state = LZR_PORT_QUARANTINED, port[vm].instance++;
		else if (what < 8 && !r->asked_ms)
			r->asked_ms = w->now;
	}
	r->guests = random_state;
	random_state = network;
}

/* The attestor's loop (attestor.c), with a guest's request as work of a known length. */
static void step(struct run *r, uint64_t now)
{
	struct pollfd p;

	w->now = now;
	dial_tick(&w->d, w->now);
	if (turns_guests_heard(&r->turns, dial_waits(&w->d), w->now)) {
		const bool asks = r->asked_ms != 0;

		turns_guests_had(&r->turns, asks, w->now);
		if (asks) {
			r->served++;
			r->longest_ms = w->now - r->asked_ms > r->longest_ms ? w->now - r->asked_ms : r->longest_ms;
			r->asked_ms = 0;
			w->now += GUEST_WORK_MS;
		}
	}
	p = (struct pollfd){ .fd = w->d.fd, .events = dial_events(&w->d, w->now) };
	if (p.events && poll(&p, 1, 0) == 1)
		dial_ready(&w->d, &w->agent, w->now);
}

static void network_acts(struct trace *t, bool garbage)
{
	struct pollfd p = { .fd = w->peer, .events = POLLIN };

	while (poll(&p, 1, 0) == 1 && t->count < WORDS) {
		const uint16_t type = hears_frame();

		t->word[t->count++] = (struct word){ w->now, type };
		if (type == SESSION_RENEW)
			challenges();
		for (unsigned int i = type == SESSION_EVIDENCE ? VMS : 0; i; i--)
			gives_result();
	}
	if (garbage)
		gives_result();
}

static void begin(struct run *r)
{
	memset(port, 0, sizeof(port));
	for (uint32_t i = 0; i < VMS; i++)
		port[i] = (struct lzr_control_message){ .port = i, .vm = i, .state = LZR_PORT_QUARANTINED };
	r->ports.agent = &w->agent;
	w->agent.view.vm_count = w->agent.view.ports = VMS;
	w->d.owner = &r->ports;
	w->d.before_evidence = ports_draw_nonces;
	w->d.deliver = ports_deliver;
	meet_and_prove();
	r->turns.open_ms = w->now;
}

static void run(struct run *r, struct trace *t, unsigned int garbage_in)
{
	uint64_t now;

	begin(r);
	random_state = r->script;
	now = next_second();
	for (const uint64_t end = now + RUN_SECONDS * SECOND; now < end;) {
		if (now % SECOND == 0)
			network_acts(t, garbage_in && roll(garbage_in) == 0);
		guests_act(r);
		step(r, now);
		/* Work that lasted makes the loop late, to the next of its steps. */
		now = (w->now / STEP_MS + 1) * STEP_MS;
	}
}

static bool covers(const struct lzr_label *a, const struct lzr_label *b)
{
	return a->level >= b->level && (a->categories | b->categories) == a->categories;
}

static struct lzr_label some_label(void)
{
	return (struct lzr_label){ .level = (uint8_t)roll(3), .categories = roll(4) };
}

static void again(void)
{
	assert_int_equal(dial_rig_teardown(NULL), 0);
	assert_int_equal(dial_rig_setup(NULL), 0);
}

static void nobody_moves_a_word_that_labels_hide(void **state)
{
	static struct trace traces[2];
	unsigned int tried = 0, served = 0;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct lzr_label network, vm;
		uint64_t script, guests, hidden = 0;

		random_state = 1000 + round;
		network = some_label();
		for (unsigned int i = 0; i < VMS; i++) {
			vm = some_label();
			hidden |= (uint64_t)!covers(&network, &vm) << i;
		}
		script = ((uint64_t)roll(1u << 30) << 8) + round;
		guests = ((uint64_t)roll(1u << 30) << 8) + round;
		memset(traces, 0, sizeof(traces));
		for (unsigned int with = 0; with < 2; with++) {
			struct run r = { .script = script, .guests = guests, .acting = with ? hidden : 0 };

			again();
			run(&r, &traces[with], 1 + round % 4);
			served += r.served;
		}
		if (traces[0].count != traces[1].count)
			fail_msg("round %u: %u words, with guests that act %u", round, traces[0].count,
				 traces[1].count);
		for (unsigned int i = 0; i < traces[0].count; i++)
			if (traces[0].word[i].type != traces[1].word[i].type ||
			    traces[0].word[i].at_ms / SECOND != traces[1].word[i].at_ms / SECOND)
				fail_msg("round %u: word %u at %llu ms, with guests that act at %llu", round, i,
					 (unsigned long long)traces[0].word[i].at_ms,
					 (unsigned long long)traces[1].word[i].at_ms);
		tried += hidden != 0;
		assert_true(traces[0].count > RUN_SECONDS / DIAL_RENEW_SECONDS);
	}
	assert_true(tried > ROUNDS / 2 && served > ROUNDS);
}

/* A result each second, garbage or not, quick or slow for the switch: nobody's request waits for long. */
static void garbage_silences_nobody(void **state)
{
	static const uint64_t slow[] = { 0, 200, 1400 };
	static struct trace trace;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct run r = { .script = 5, .guests = 6, .acting = (1u << VMS) - 1 };

		again();
		result_ms = slow[i];
		memset(&trace, 0, sizeof(trace));
		run(&r, &trace, 1);
		result_ms = 0;
		/* What is being worked on when the turn is owed is done first: all that one look at the socket took. */
		assert_true(r.served >= (i < 2 ? RUN_SECONDS / 5 : 4));
		if (i == 0)
			assert_true(r.longest_ms <= TURNS_OWED_MS + SECOND);
		if (i == 1)
			assert_true(r.longest_ms <= TURNS_LOST_MS + 2 * SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, dial_rig_setup, dial_rig_teardown)
		TEST(nobody_moves_a_word_that_labels_hide),
		TEST(garbage_silences_nobody),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
