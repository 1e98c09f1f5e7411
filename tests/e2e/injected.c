/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that nobody in the policy sends, put on the wire of the server's and the attestor's network
 * (tests/e2e/injected.dts): a flood of SYN from senders that do not exist, resets that are not for the window, and
 * the verifier's address knocking at the attestor's other ports.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "example.h"
#include "run.h"
#include "wire.h"

#define SECONDS 300u
#define MACHINE "build/tests/injected/machine"
#define STORE 9000u
#define FLOOD 40000u                    /* more than all connections of the table */
#define TRIES 20u                       /* a segment is sent again each second, as TCP does */
#define QUIET_MS 4000u

static const uint8_t outside_mac[6] = { 0x02, 0, 0, 0, 0, 0x99 };
static struct wire_end outside = { { 0x02, 0, 0, 0, 0, 0x99 }, { 10, 0, 3, 77 }, 40000 };
static const struct wire_end server = { { 0x02, 0x4c, 0x5a, 0, 3, 0x31 }, { 10, 0, 3, 49 }, STORE };
static const struct wire_end attestor = { { 0x02, 0x4c, 0x5a, 0, 3, 0x14 }, { 10, 0, 3, 20 }, 22 };
static struct wire_tcp session;         /* the connection that stays: what we say next */

static int boot(void **state)
{
	char *copy[] = { "cp", MACHINE "/reference", "build/run/example_injected/reference", NULL };

	(void)state;
	example_peer = true;
	return example_prepare("injected") && run_program(copy, 30, NULL, 0)
		? example_start(MACHINE "/esp.img", SECONDS) : -1;
}

static bool is_answer(const struct wire_tcp *s, const void *context)
{
	const struct wire_tcp *asked = context;

	return s->from.port == asked->to.port && s->to.port == asked->from.port &&
	       memcmp(s->to.ip, asked->from.ip, 4) == 0 && s->flags & WIRE_ACK &&
	       s->ack == asked->seq + asked->length + !!(asked->flags & WIRE_SYN);
}

/* Until what acknowledges it came, or it was sent often enough. */
static bool is_answered(const struct wire_tcp *segment, struct wire_tcp *answer)
{
	for (unsigned i = 0; i < TRIES && rig_running(machine); i++) {
		assert_true(wire_send(segment));
		if (wire_wait(is_answer, segment, 1000, answer))
			return true;
	}
	return false;
}

static struct wire_tcp opening(uint8_t host, uint16_t port)
{
	struct wire_tcp s = { .from = outside, .to = server, .seq = 1000, .flags = WIRE_SYN };

	s.from.ip[3] = host;
	s.from.port = port;
	return s;
}

/* Says a word on the connection that stays, and is heard. */
static bool is_heard(void)
{
	struct wire_tcp answer;

	session.flags = WIRE_PSH | WIRE_ACK;
	session.data = "word\n";
	session.length = 5;
	if (!is_answered(&session, &answer))
		return false;
	session.seq += session.length;
	return true;
}

static void the_server_is_admitted(void **state)
{
	(void)state;
	assert_true(rig_peer(machine, RIG_RESTRICTED) >= 0);
	wire_use(rig_peer(machine, RIG_RESTRICTED), outside_mac);
	example_waits_for_event("vm=server good lease");
	machine_says("LZR-FLOW from=server to=gateway proto=icmp result=allowed");
}

static void a_connection_from_outside_opens(void **state)
{
	struct wire_tcp answer;

	(void)state;
	session = opening(77, 40000);
	assert_true(is_answered(&session, &answer));
	assert_int_equal(answer.flags & (WIRE_SYN | WIRE_RST), WIRE_SYN);
	session.seq++;
	session.ack = answer.seq + 1;
	assert_true(is_heard());
}

/* In the way that RFC 5961, section 3, has it for the server itself: only the exact number resets. */
static void a_forged_reset_ends_nothing(void **state)
{
	static const uint32_t offsets[] = { 0x40000000u, 0x80000000u, 0xc0000000u, (uint32_t)-70000, 5 };

	(void)state;
	for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct wire_tcp reset = session;

		reset.flags = WIRE_RST;
		reset.length = 0;
		reset.seq += offsets[i];
		assert_true(wire_send(&reset));
		assert_true(is_heard());
	}
}

static unsigned flood(unsigned count)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < count; i++) {
		struct wire_tcp s = opening((uint8_t)(64 + i % 13), (uint16_t)(1024 + i));

		s.seq = i * 2654435761u;
		sent += wire_send(&s);
	}
	return sent;
}

static void a_flood_of_openings_shuts_nobody_out(void **state)
{
	struct wire_tcp late = opening(90, 50000), answer;
	unsigned requests, replies, asked, told;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(flood(FLOOD / 4) > 0);
		assert_true(is_heard());        /* the one that stays, meanwhile */
	}
	assert_true(is_answered(&late, &answer));
	assert_int_equal(answer.flags & (WIRE_SYN | WIRE_RST), WIRE_SYN);
	/* The server's own: its pings leave, and their answers come back to it (it would say "denied"). */
	wire_echoes(&requests, &replies);
	told = machine_count("LZR-FLOW from=server to=gateway proto=icmp result=denied", NULL);
	for (asked = requests; asked < requests + 3 && rig_running(machine);) {
		unsigned ignored;

		(void)wire_wait(is_answer, &late, 1000, &answer);
		wire_echoes(&asked, &ignored);
	}
	assert_int_equal(machine_count("LZR-FLOW from=server to=gateway proto=icmp result=denied", NULL), told);
	assert_true(is_heard());
}

static bool is_from_attestor(const struct wire_tcp *s, const void *context)
{
	(void)context;
	return memcmp(s->from.ip, attestor.ip, 4) == 0 && s->from.port != 4433 && s->to.port == 4433 &&
	       (s->flags & WIRE_RST || (s->flags & (WIRE_SYN | WIRE_ACK)) == (WIRE_SYN | WIRE_ACK));
}

/* With the verifier's own address, port and all: the attestor opens, nobody opens to it. */
static void nobody_opens_to_the_attestor(void **state)
{
	static const uint16_t ports[] = { 22, 80, 4433, 7007 };
	struct wire_tcp knock = { .from = { { 0x02, 0, 0, 0, 0, 0x99 }, { 10, 0, 3, 100 }, 4433 }, .to = attestor,
				  .seq = 7, .flags = WIRE_SYN }, answer;

	(void)state;
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		knock.to.port = ports[i];
		assert_true(wire_send(&knock));
	}
	if (wire_wait(is_from_attestor, NULL, QUIET_MS, &answer))
		machine_fail(machine, "the attestor's port %u answered a stranger", answer.from.port);
	assert_true(is_heard());        /* the switch was not asleep */
}

/* Through all of that the leases were renewed. */
static void the_session_with_the_verifier_stands(void **state)
{
	const char *last = strstr(example_events(), "session begins");

	(void)state;
	assert_non_null(last);
	assert_null(strstr(last + 1, "session begins"));
	assert_null(strstr(example_events(), "session ends"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_is_admitted), cmocka_unit_test(a_connection_from_outside_opens),
		cmocka_unit_test(a_forged_reset_ends_nothing), cmocka_unit_test(a_flood_of_openings_shuts_nobody_out),
		cmocka_unit_test(nobody_opens_to_the_attestor),
		cmocka_unit_test(the_session_with_the_verifier_stands),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
