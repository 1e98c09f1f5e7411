/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which segments may change a TCP connection's state: who opened it proves that it hears, RST, FIN and SYN fit the
 * window, ICMP errors fit what was sent.  The forger below is on the wire and sees nothing, as RFC 5961 has it.
 */
#include "lab_rules.h"

#include <string.h>

/* A connection from host to blue's ssh; the forger writes as host. */
static struct lab_tcp from_host(uint16_t port, uint64_t now)
{
	struct lab_tcp t = lab_tcp_from_host(port);

	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, now), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, now), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, now), NF_PASS);
	return t;
}

static enum nf_reason forge(const struct lab_tcp *t, unsigned from, uint8_t flags, uint32_t sequence,
			    uint32_t acknowledged, uint64_t now)
{
	struct lab_frame f = lab_tcp_segment(t, from, flags, 0);

	f.tcp_sequence = sequence;
	f.tcp_acknowledged = acknowledged;
	return send(t->end[from], &f, now);
}

/* A SYN, and what its forger can write without having seen the answer: all of it is over in half a minute. */
static void test_answer_proves_nothing(void **state)
{
	struct lab_tcp t = lab_tcp_from_host(5000);

	(void)state;
	sw.ports[BLUE].lease_end = ~0ull;
	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, 1), NF_PASS);
	for (uint32_t guess = 1; guess < 0x80000000u; guess *= 3) {
		assert_int_equal(forge(&t, 0, ACK, t.next[0], t.next[1] + guess, 2), NF_PASS);
		assert_int_equal(forge(&t, 0, ACK, t.next[0], t.next[1] - guess, 2), NF_PASS);
	}
	/* Blue repeats its answer meanwhile, the forger its SYN. */
	assert_int_equal(forge(&t, 1, SYN | ACK, t.next[1] - 1, t.next[0], CONN_OPENING_NS), NF_PASS);
	assert_int_equal(forge(&t, 0, SYN, t.next[0] - 1, 0, CONN_OPENING_NS), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 1 + CONN_OPENING_NS), NF_NO_RULE);
	/* Who does see it has a connection, though his acknowledgement comes with data or late. */
	t = lab_tcp_from_host(5001);
	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 100, CONN_OPENING_NS), NF_PASS);
	assert_int_equal(lab_tcp_talk(&t, CONN_TCP_NS), NF_PASS);
}

/* Whatever a blind forger tries as RST: nothing ends, and what is outside the window does not even get there. */
static void test_forged_resets(void **state)
{
	struct lab_tcp t = from_host(5000, 1);
	uint32_t expected = t.next[0];

	(void)state;
	for (uint64_t sequence = 0; sequence <= 0xffffffffu; sequence += 4099) {
		uint32_t ahead = (uint32_t)sequence - expected;

		if (ahead == 0)
			continue;
		assert_int_equal(forge(&t, 0, RST, (uint32_t)sequence, 0, 2), ahead <= 8192 ? NF_PASS : NF_WINDOW);
		assert_int_equal(forge(&t, 0, RST | ACK, (uint32_t)sequence, t.next[1], 2),
				 ahead <= 8192 ? NF_PASS : NF_WINDOW);
	}
	assert_true(sw.uplinks[UP_RESTRICTED].dropped[NF_WINDOW] > 1000000);
	assert_int_equal(lab_tcp_talk(&t, 3), NF_PASS);
	/* One beside the window at each end, and the window's own ends. */
	expected = t.next[0];
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 3), NF_PASS);
	assert_int_equal(forge(&t, 0, RST, expected - 1, 0, 3), NF_WINDOW);
	assert_int_equal(forge(&t, 0, RST, expected + 8192, 0, 3), NF_PASS);
	assert_int_equal(forge(&t, 0, RST, expected + 8193, 0, 3), NF_WINDOW);
	/* Blue challenges what is inside (RFC 5961, section 3.2); so it lives, and long. */
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 4), NF_PASS);
	sw.ports[BLUE].lease_end = ~0ull;
	assert_int_equal(lab_tcp_talk(&t, CONN_TCP_NS), NF_PASS);
	/* The right one ends it. */
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, CONN_TCP_NS), NF_PASS);
	assert_int_equal(forge(&t, 0, RST, t.next[0], 0, CONN_TCP_NS), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 1, CONN_TCP_NS), NF_NO_RULE);
}

/* A RST that may be true, and then silence: it does not stay for hours. */
static void test_reset_and_silence(void **state)
{
	struct lab_tcp t = from_host(5000, 1);

	(void)state;
	sw.ports[BLUE].lease_end = ~0ull;
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 500, 1), NF_PASS);    /* not acknowledged yet */
	assert_int_equal(lab_tcp_send(&t, 0, RST, 0, 1), NF_PASS);
	assert_int_equal(sw.connections.lists[BLUE][CONN_CLOSING].count, 1);
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 1 + CONN_TCP_CLOSING_NS), NF_NO_RULE);
}

/* Windows grow by the scale that both SYN offered, and by nothing that only one did. */
static void test_scaled_window(void **state)
{
	struct lab_tcp t;

	(void)state;
	for (uint16_t both = 0; both < 2; both++) {
		struct lab_frame f;

		t = lab_tcp_from_host((uint16_t)(5000 + both));
		t.way[0].tcp_scale = 8;
		t.way[1].tcp_scale = both ? 8 : 0;
		assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, 1), NF_PASS);
		assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, 1), NF_PASS);
		assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, 1), NF_PASS);
		/* A SYN's own window is not scaled. */
		assert_int_equal(forge(&t, 0, RST, t.next[0] + 8193, 0, 1), NF_WINDOW);
		assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 1), NF_PASS);
		assert_int_equal(forge(&t, 0, RST, t.next[0] + 8193, 0, 1), both ? NF_PASS : NF_WINDOW);
		assert_int_equal(forge(&t, 0, RST, t.next[0] + (8192 << 7), 0, 1), both ? NF_PASS : NF_WINDOW);
		assert_int_equal(forge(&t, 0, RST, t.next[0] + (8192 << 7) + 1, 0, 1), NF_WINDOW);
		f = lab_tcp_segment(&t, 1, ACK, 0);
		assert_int_equal(send(t.end[1], &f, 1), NF_PASS);
	}
}

/* A port where nobody listens, and an opener who thinks better of it: over at once, but not by a guess. */
static void test_reset_before_the_window(void **state)
{
	struct lab_tcp t = lab_tcp_from_host(5000);

	(void)state;
	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, 1), NF_PASS);
	assert_int_equal(forge(&t, 1, RST | ACK, 0, t.next[0] + 5, 1), NF_PASS);
	assert_int_equal(forge(&t, 1, RST, 0, 0, 1), NF_PASS);
	assert_int_equal(forge(&t, 0, RST, t.next[0] + 5, 0, 1), NF_PASS);
	assert_int_equal(sw.connections.lists[BLUE][CONN_IN].count, 1);
	assert_int_equal(forge(&t, 1, RST | ACK, 0, t.next[0], 1), NF_PASS);
	assert_int_equal(sw.connections.lists[BLUE][CONN_IN].count, 0);
	t = lab_tcp_from_host(5001);
	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, RST, 0, 1), NF_PASS);
	assert_int_equal(sw.connections.lists[BLUE][CONN_IN].count, 0);
}

/* FIN counts when it was acknowledged: two forged ones close nothing. */
static void test_forged_fins(void **state)
{
	struct lab_tcp t = from_host(5000, 1);

	(void)state;
	sw.ports[BLUE].lease_end = ~0ull;
	for (uint32_t ahead = 0; ahead < 100000; ahead += 997) {
		assert_int_equal(forge(&t, 0, FIN, t.next[0] + ahead, t.next[1], 2), NF_PASS);
		assert_int_equal(forge(&t, 0, FIN, t.next[0] - ahead, t.next[1], 2), NF_PASS);
	}
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 100, 2), NF_PASS);
	assert_int_equal(sw.connections.lists[BLUE][CONN_STREAMS].count, 1);
	assert_int_equal(lab_tcp_talk(&t, CONN_TCP_NS - 2), NF_PASS);
	/* One true FIN: it may be silent for minutes then, not for hours. */
	t = from_host(5001, CONN_TCP_NS);
	assert_int_equal(lab_tcp_send(&t, 1, FIN, 0, CONN_TCP_NS), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, CONN_TCP_NS), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 5, CONN_TCP_NS + CONN_TCP_CLOSING_NS - 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, CONN_TCP_NS + 2 * CONN_TCP_CLOSING_NS - 2), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, CONN_TCP_NS + 3 * CONN_TCP_CLOSING_NS), NF_NO_RULE);
}

/* Of the other end no SYN, in no state; the opener's goes through to be challenged (RFC 5961, section 4.2). */
static void test_syn_in_a_connection(void **state)
{
	struct lab_tcp t = lab_tcp_open(1000, 1);

	(void)state;
	assert_int_equal(forge(&t, 1, SYN, 7, 0, 2), NF_WINDOW);
	assert_int_equal(forge(&t, 0, SYN, t.next[0] + 70000, 0, 2), NF_PASS);
	assert_int_equal(forge(&t, 1, SYN | ACK, 7, t.next[0], 2), NF_PASS);
	assert_int_equal(sw.rule_hits[ALLOW_80], 1);
	assert_int_equal(lab_tcp_talk(&t, 3), NF_PASS);
	assert_int_equal(sw.connections.lists[BLUE][CONN_STREAMS].count, 1);
	/* The opener has lost it and begins anew: it answers the challenge with the RST that is right. */
	assert_int_equal(forge(&t, 0, SYN, 12345, 0, 3), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 3), NF_PASS);
	assert_int_equal(forge(&t, 0, RST, t.next[0], 0, 3), NF_PASS);
	t = lab_tcp_open(1000, 4);
	assert_int_equal(lab_tcp_talk(&t, 4), NF_PASS);
	/* While it closes a SYN is the receiver's to refuse as well; only when all is said and done it is a new one. */
	assert_int_equal(lab_tcp_send(&t, 0, FIN, 0, 5), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 5), NF_PASS);
	assert_int_equal(forge(&t, 0, SYN, 99, 0, 5), NF_PASS);
	assert_int_equal(sw.rule_hits[ALLOW_80], 2);
	assert_int_equal(lab_tcp_send(&t, 1, FIN, 0, 5), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, 5), NF_PASS);
	assert_int_equal(forge(&t, 0, SYN, 99, 0, 5), NF_PASS);
	assert_int_equal(sw.rule_hits[ALLOW_80], 3);
	/* The other way it is a new one too, and the rules say no. */
	t = lab_tcp_open(1001, 6);
	assert_int_equal(lab_tcp_send(&t, 0, FIN, 0, 6), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, FIN, 0, 6), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, 6), NF_PASS);
	assert_int_equal(forge(&t, 1, SYN, 99, 0, 6), NF_NO_RULE);
}

static enum nf_reason error_about(const struct lab_frame *about, const uint8_t router[4], uint8_t type, uint8_t code)
{
	struct lab_frame f = lab_frame_in(&sw.config, router, BLUE);

	f.kind = FRAME_ICMP;
	f.icmp_type = type;
	f.icmp_code = code;
	f.about = about;
	return send(FROM_UPLINK, &f, 2);
}

/* An error passes when it tells of a packet of a living connection that can be on its way; path MTU by any router. */
static void test_errors(void **state)
{
	struct lab_tcp t = from_host(5000, 1);
	struct lab_frame sent, f;

	(void)state;
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 1000, 1), NF_PASS);
	sent = lab_tcp_segment(&t, 1, ACK, 0);
	sent.tcp_sequence -= 1000;
	assert_int_equal(error_about(&sent, other_host, 3, 4), NF_PASS);
	assert_int_equal(error_about(&sent, host, 3, 1), NF_PASS);
	assert_int_equal(error_about(&sent, other_host, 11, 0), NF_PASS);
	assert_int_equal(error_about(&sent, other_host, 12, 0), NF_PASS);
	/* Not a redirect, nor a quench. */
	assert_int_equal(error_about(&sent, other_host, 5, 1), NF_NO_RULE);
	assert_int_equal(error_about(&sent, other_host, 4, 0), NF_NO_RULE);
	/* What was acknowledged, or never sent. */
	sent.tcp_sequence--;
	assert_int_equal(error_about(&sent, other_host, 3, 4), NF_NO_RULE);
	sent.tcp_sequence += 1002;
	assert_int_equal(error_about(&sent, other_host, 3, 4), NF_NO_RULE);
	/* Another connection, another sender. */
	sent = lab_tcp_segment(&t, 1, ACK, 0);
	sent.l4_target++;
	assert_int_equal(error_about(&sent, other_host, 3, 4), NF_NO_RULE);
	sent = lab_tcp_segment(&t, 0, ACK, 0);
	assert_int_equal(error_about(&sent, other_host, 3, 4), NF_NO_RULE);
	sent = outwards(FRAME_UDP, host);
	assert_int_equal(error_about(&sent, other_host, 3, 3), NF_NO_RULE);
	assert_int_equal(send(FROM_PORT(BLUE), &sent, 1), NF_PASS);
	assert_int_equal(error_about(&sent, other_host, 3, 3), NF_PASS);
	sent = outwards(FRAME_ICMP, host);
	sent.icmp_echo = 9;
	assert_int_equal(error_about(&sent, other_host, 11, 0), NF_NO_RULE);
	assert_int_equal(send(FROM_PORT(BLUE), &sent, 1), NF_PASS);
	assert_int_equal(error_about(&sent, other_host, 11, 0), NF_PASS);
	assert_int_equal(lab_tcp_talk(&t, 2), NF_PASS);
	/* From a port: of a connection of its own only. */
	sent = lab_tcp_segment(&t, 0, ACK, 0);
	f = outwards(FRAME_ICMP, host);
	f.icmp_type = 3;
	f.about = &sent;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 2), NF_PASS);
	f = lab_frame(&sw.config, GREEN, BLUE);
	f.kind = FRAME_ICMP;
	f.icmp_type = 3;
	sent = lab_tcp_segment(&t, 1, ACK, 0);
	f.about = &sent;
	assert_int_equal(send(FROM_PORT(GREEN), &f, 2), NF_NO_RULE);
}

/* Between two ports: the one that got the packet may complain, nobody outside. */
static void test_errors_between_ports(void **state)
{
	struct lab_tcp t = lab_tcp_open(1000, 1);
	struct lab_frame sent = lab_tcp_segment(&t, 0, ACK, 0), f = lab_frame(&sw.config, GREEN, BLUE);

	(void)state;
	f.kind = FRAME_ICMP;
	f.icmp_type = 3;
	f.about = &sent;
	assert_int_equal(send(FROM_PORT(GREEN), &f, 2), NF_PASS);
	assert_int_equal(error_about(&sent, other_host, 3, 4), NF_NO_RULE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_answer_proves_nothing, lab_rules_setup),
		cmocka_unit_test_setup(test_forged_resets, lab_rules_setup),
		cmocka_unit_test_setup(test_reset_and_silence, lab_rules_setup),
		cmocka_unit_test_setup(test_scaled_window, lab_rules_setup),
		cmocka_unit_test_setup(test_reset_before_the_window, lab_rules_setup),
		cmocka_unit_test_setup(test_forged_fins, lab_rules_setup),
		cmocka_unit_test_setup(test_syn_in_a_connection, lab_rules_setup),
		cmocka_unit_test_setup(test_errors, lab_rules_setup),
		cmocka_unit_test_setup(test_errors_between_ports, lab_rules_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
