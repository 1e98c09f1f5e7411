/* SPDX-License-Identifier: Apache-2.0 */
/* A network with rules (lab_rules.h): what they let in, the connections that follow from it, and how each ends. */
#include "lab_rules.h"

#include <string.h>

#include "lease.h"

static void test_only_what_is_allowed(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 81, SYN);

	(void)state;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_NO_RULE);
	f = tcp(GREEN, BLUE, 1000, 80, SYN);
	assert_int_equal(send(FROM_PORT(GREEN), &f, 1), NF_NO_RULE);
	f = lab_frame(&sw.config, BLUE, GREEN);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_NO_RULE);
	f = outwards(FRAME_UDP, host);
	f.l4_target = 53;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_RULE);
	f.l4_target = 54;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	assert_int_equal(to.kind, SWITCH_UPLINK);
	/* Outside does not mean a port. */
	f = lab_frame(&sw.config, BLUE, GREEN);
	f.l4_target = 54;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_NO_RULE);
	assert_int_equal(sw.rule_hits[DENY_53], 1);
	assert_int_equal(sw.rule_hits[ALLOW_OUT], 1);
	assert_int_equal(sw.no_rule_hits[NET_RESTRICTED], 4);
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_NO_RULE], 3);
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_RULE], 1);
}

static void test_arp_and_other_networks(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, GREEN);

	(void)state;
	lab_arp(&f, true);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	lab_admit(&sw, RED, 1, 0);
	lab_admit(&sw, ARCHIVE, 1, 0);
	f = lab_frame(&sw.config, RED, ARCHIVE);
	assert_int_equal(send(FROM_PORT(RED), &f, 1), NF_PASS);
}

static void test_fragments(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 80, SYN);

	(void)state;
	lab_tcp_open(1000, 1);
	for (f.fragment = 1; f.fragment != 0x3000; f.fragment = f.fragment == 1 ? 0x2000 : 0x3000)
		assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_FRAGMENT);
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_FRAGMENT], 2);
}

static void test_tcp(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 80, ACK), b;
	struct lab_tcp t;

	(void)state;
	/* Nothing but a SYN opens. */
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_STATE);
	f.tcp_flags = SYN | ACK;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_STATE);
	f.tcp_flags = SYN | FRAME_TCP_FIN;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_STATE);
	f.tcp_flags = RST;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_STATE);
	/* An answer without a question. */
	b = back(&f);
	b.tcp_flags = SYN | ACK;
	assert_int_equal(send(FROM_PORT(GREEN), &b, 1), NF_NO_RULE);
	t = lab_tcp_open(1000, 1);
	assert_int_equal(lab_tcp_talk(&t, 2), NF_PASS);
	assert_int_equal(sw.rule_hits[ALLOW_80], 5);
	/* From its other port green still says nothing, nor does blue from another one. */
	b = tcp(GREEN, BLUE, 81, 1000, ACK);
	assert_int_equal(send(FROM_PORT(GREEN), &b, 2), NF_NO_RULE);
	t.way[0].l4_source = t.way[1].l4_target = 1001;
	assert_int_equal(lab_tcp_talk(&t, 2), NF_STATE);
}

static void test_reset_ends(void **state)
{
	struct lab_tcp t;

	(void)state;
	t = lab_tcp_open(1000, 1);
	assert_int_equal(lab_tcp_send(&t, 0, RST, 0, 2), NF_PASS);
	assert_int_equal(lab_tcp_talk(&t, 2), NF_STATE);
	t = lab_tcp_open(1000, 3);
	assert_int_equal(lab_tcp_send(&t, 1, RST, 0, 3), NF_PASS);
	assert_int_equal(lab_tcp_talk(&t, 3), NF_STATE);
}

static void test_fin_ends(void **state)
{
	struct lab_tcp t;

	(void)state;
	t = lab_tcp_open(1000, 0);
	assert_int_equal(lab_tcp_send(&t, 0, FIN, 0, 0), NF_PASS);
	/* Half closed: the other still speaks. */
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 9, CONN_TCP_CLOSED_NS), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, CONN_TCP_CLOSED_NS), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, FIN, 0, CONN_TCP_CLOSED_NS), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, CONN_TCP_CLOSED_NS), NF_PASS);
	/* The last segments pass, do not prolong it, and then it is over. */
	assert_int_equal(lab_tcp_send(&t, 1, ACK, 0, 2 * CONN_TCP_CLOSED_NS - 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, 2 * CONN_TCP_CLOSED_NS - 1), NF_PASS);
	assert_int_equal(lab_tcp_talk(&t, 2 * CONN_TCP_CLOSED_NS), NF_STATE);
	/* Opened again from the same port before that: a new connection, by the rule. */
	t = lab_tcp_open(1001, 0);
	assert_int_equal(lab_tcp_send(&t, 0, FIN, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, FIN, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, 1), NF_PASS);
	t = lab_tcp_open(1001, 2);
	assert_int_equal(lab_tcp_talk(&t, CONN_TCP_CLOSED_NS + 2), NF_PASS);
}

static void test_silence_ends(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 80, SYN), b = back(&f);
	struct lab_tcp t;

	(void)state;
	sw.ports[BLUE].lease_end = sw.ports[GREEN].lease_end = ~0ull;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 0), NF_PASS);
	b.tcp_flags = SYN | ACK;
	assert_int_equal(send(FROM_PORT(GREEN), &b, CONN_OPENING_NS), NF_NO_RULE);
	t = lab_tcp_open(1001, 0);
	assert_int_equal(lab_tcp_talk(&t, CONN_TCP_NS - 1), NF_PASS);
	assert_int_equal(lab_tcp_talk(&t, 2 * CONN_TCP_NS - 2), NF_PASS);
	assert_int_equal(lab_tcp_talk(&t, 3 * CONN_TCP_NS), NF_STATE);
	f = outwards(FRAME_UDP, host), b = back(&f);
	assert_int_equal(send(FROM_UPLINK, &b, 0), NF_NO_RULE);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 0), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, CONN_OPENING_NS), NF_NO_RULE);
	assert_int_equal(send(FROM_PORT(BLUE), &f, CONN_OPENING_NS), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, 2 * CONN_OPENING_NS - 1), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, 2 * CONN_OPENING_NS + CONN_UDP_NS - 2), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, 2 * CONN_OPENING_NS + 2 * CONN_UDP_NS - 2), NF_NO_RULE);
	/* Only from where it was sent to. */
	assert_int_equal(send(FROM_PORT(BLUE), &f, 3 * CONN_UDP_NS), NF_PASS);
	memcpy(b.ip_source, other_host, 4);
	assert_int_equal(send(FROM_UPLINK, &b, 3 * CONN_UDP_NS), NF_NO_RULE);
}

static void test_echo(void **state)
{
	struct lab_frame f = outwards(FRAME_ICMP, host), b = back(&f);

	(void)state;
	sw.ports[BLUE].lease_end = ~0ull;
	f.icmp_type = FRAME_ICMP_ECHO;
	b.icmp_type = FRAME_ICMP_REPLY;
	f.icmp_echo = b.icmp_echo = 7;
	assert_int_equal(send(FROM_UPLINK, &b, 1), NF_NO_RULE);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, 1), NF_PASS);
	b.icmp_echo = 8;
	assert_int_equal(send(FROM_UPLINK, &b, 1), NF_NO_RULE);
	b.icmp_echo = 7;
	assert_int_equal(send(FROM_UPLINK, &b, CONN_ICMP_NS), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, 1 + CONN_ICMP_NS + CONN_ICMP_NS), NF_NO_RULE);
	/* The question the other way is another question, and its answer would be an answer to nothing. */
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	b.icmp_type = FRAME_ICMP_ECHO;
	assert_int_equal(send(FROM_UPLINK, &b, 1), NF_NO_RULE);
	f.icmp_type = FRAME_ICMP_REPLY;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_NO_RULE);
	/* Errors and redirects are neither. */
	b.icmp_type = 3;
	assert_int_equal(send(FROM_UPLINK, &b, 1), NF_NO_RULE);
	b.icmp_type = 5;
	assert_int_equal(send(FROM_UPLINK, &b, 1), NF_NO_RULE);
}

static void test_stateless(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, GREEN, BLUE), b;

	(void)state;
	f.l4_target = 9;
	b = back(&f);
	assert_int_equal(send(FROM_PORT(GREEN), &f, 1), NF_PASS);
	assert_int_equal(send(FROM_PORT(BLUE), &b, 1), NF_NO_RULE);
	assert_int_equal(send(FROM_PORT(GREEN), &f, 1), NF_PASS);
	assert_int_equal(sw.rule_hits[STATELESS_9], 2);
}

static void test_opened_from_outside(void **state)
{
	struct lab_frame f = lab_frame_in(&sw.config, host, BLUE), b;

	(void)state;
	f.kind = FRAME_TCP;
	f.l4_target = 22;
	f.tcp_flags = SYN;
	b = back(&f);
	b.tcp_flags = SYN | ACK;
	assert_int_equal(send(FROM_PORT(BLUE), &b, 1), NF_NO_RULE);
	assert_int_equal(send(FROM_UPLINK, &f, 1), NF_PASS);
	assert_int_equal(send(FROM_PORT(BLUE), &b, 1), NF_PASS);
	assert_int_equal(to.kind, SWITCH_UPLINK);
	memcpy(f.ip_source, other_host, 4);
	assert_int_equal(send(FROM_UPLINK, &f, 1), NF_NO_RULE);
}

/* A connection does not outlive either port's lease, instance or admission, though all else be the same again. */
static void test_ports_end_theirs(void **state)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct lzr_result r;
	struct lab_tcp t;

	(void)state;
	t = lab_tcp_open(1000, 1);
	lab_admit(&sw, GREEN, 2, 2);
	assert_int_equal(lab_tcp_talk(&t, 2), NF_STATE);
	t = lab_tcp_open(1000, 3);
	lab_admit(&sw, BLUE, 2, 4);
	assert_int_equal(lab_tcp_talk(&t, 4), NF_STATE);
	/* A renewal leaves it alone, */
	t = lab_tcp_open(1000, 5);
	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, 6), LZR_CTL_OK);
	r = lab_lease(&sw.ports[BLUE], LEASE_MAX);
	lab_sign(&r, message);
	assert_int_equal(lab_apply(&sw.ports[BLUE], message, sizeof(message), 6), LZR_CTL_OK);
	assert_int_equal(lab_tcp_talk(&t, 7), NF_PASS);
	/* but a lease that ran out before the next one came does not, though nobody looked in between, */
	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, 8 + LEASE_MAX), LZR_CTL_OK);
	r = lab_lease(&sw.ports[BLUE], LEASE_MAX);
	lab_sign(&r, message);
	assert_int_equal(lab_apply(&sw.ports[BLUE], message, sizeof(message), 9 + LEASE_MAX), LZR_CTL_OK);
	lab_admit(&sw, GREEN, 3, 10 + LEASE_MAX);
	assert_int_equal(lab_tcp_talk(&t, 11 + LEASE_MAX), NF_STATE);
	/* nor does a revocation. */
	t = lab_tcp_open(1000, 12 + LEASE_MAX);
	r.type = LZR_RESULT_REVOCATION;
	r.duration_ns = 0;
	lab_sign(&r, message);
	assert_int_equal(lab_apply(&sw.ports[BLUE], message, sizeof(message), 13 + LEASE_MAX), LZR_CTL_OK);
	assert_int_equal(lab_tcp_talk(&t, 14 + LEASE_MAX), NF_CLOSED);
	lab_admit(&sw, BLUE, 2, 15 + LEASE_MAX);
	assert_int_equal(lab_tcp_talk(&t, 16 + LEASE_MAX), NF_STATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_only_what_is_allowed, lab_rules_setup),
		cmocka_unit_test_setup(test_arp_and_other_networks, lab_rules_setup),
		cmocka_unit_test_setup(test_fragments, lab_rules_setup),
		cmocka_unit_test_setup(test_tcp, lab_rules_setup),
		cmocka_unit_test_setup(test_reset_ends, lab_rules_setup),
		cmocka_unit_test_setup(test_fin_ends, lab_rules_setup),
		cmocka_unit_test_setup(test_silence_ends, lab_rules_setup),
		cmocka_unit_test_setup(test_echo, lab_rules_setup),
		cmocka_unit_test_setup(test_stateless, lab_rules_setup),
		cmocka_unit_test_setup(test_opened_from_outside, lab_rules_setup),
		cmocka_unit_test_setup(test_ports_end_theirs, lab_rules_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
