/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network with rules: what they let in, the connections that follow from it, and how each of them ends.
 *
 * RESTRICTED's rules: 0 blue -> green tcp/80, allowed.  1 blue -> any udp/53, denied.  2 blue -> outside udp and echo,
 * allowed.  3 green -> blue udp/9, allowed, stateless.  4 10.0.3.77 -> blue tcp/22, allowed.
 */
#include "lab.h"

#include <string.h>

#include "lease.h"

enum { ALLOW_80, DENY_53, ALLOW_OUT, STATELESS_9, ALLOW_22, RULES };
enum { SET_BLUE, SET_GREEN, SET_OUTSIDE, SET_HOST, SETS };
enum { TCP_80, UDP_53, UDP_ECHO, UDP_9, TCP_22, SERVICES };

static struct nswitch sw;
static struct switch_end to;
static const uint8_t host[4] = { 10, 0, 3, 77 }, other_host[4] = { 10, 0, 3, 78 };

#define FROM_PORT(p) ((struct switch_end){ SWITCH_PORT, p })
#define FROM_UPLINK ((struct switch_end){ SWITCH_UPLINK, UP_RESTRICTED })
#define SHARE (CONN_MAX / PORTS)

static void rules_of_restricted(struct swconf *c)
{
	static const struct lzr_switch_rule rules[RULES] = {
		[ALLOW_80] = { SET_BLUE, SET_GREEN, TCP_80, LZR_RULE_ALLOW, 0, { 0 } },
		[DENY_53] = { SET_BLUE, LZR_SWITCH_NONE, UDP_53, LZR_RULE_DENY, 0, { 0 } },
		[ALLOW_OUT] = { SET_BLUE, SET_OUTSIDE, UDP_ECHO, LZR_RULE_ALLOW, 0, { 0 } },
		[STATELESS_9] = { SET_GREEN, SET_BLUE, UDP_9, LZR_RULE_ALLOW, LZR_RULE_STATELESS, { 0 } },
		[ALLOW_22] = { SET_HOST, SET_BLUE, TCP_22, LZR_RULE_ALLOW, 0, { 0 } },
	};
	static const struct lzr_switch_member members[SETS] = {
		[SET_BLUE] = { .kind = LZR_MEMBER_PORT, .port = BLUE },
		[SET_GREEN] = { .kind = LZR_MEMBER_PORT, .port = GREEN },
		[SET_OUTSIDE] = { .kind = LZR_MEMBER_OUTSIDE },
		[SET_HOST] = { .kind = LZR_MEMBER_PREFIX, .bits = 32, .ipv4 = { 10, 0, 3, 77 } },
	};
	static const struct lzr_switch_match matches[] = {
		{ 6, 0, 80, 80, 0 }, { 17, 0, 53, 53, 0 }, { 17, 0, 0, 65535, 0 },
		{ 1, 0, 8, 8, 0 },   { 17, 0, 9, 9, 0 },   { 6, 0, 22, 22, 0 },
	};
	static const struct lzr_switch_service services[SERVICES] = {
		{ 0, 1 }, { 1, 1 }, { 2, 2 }, { 4, 1 }, { 5, 1 },
	};

	for (uint32_t i = 0; i < SETS; i++)
		c->sets[i] = (struct lzr_switch_set){ i, 1 };
	memcpy(c->rules, rules, sizeof(rules));
	memcpy(c->members, members, sizeof(members));
	memcpy(c->matches, matches, sizeof(matches));
	memcpy(c->services, services, sizeof(services));
	c->header.rule_count = RULES;
	c->header.set_count = c->header.member_count = SETS;
	c->header.service_count = SERVICES;
	c->header.match_count = sizeof(matches) / sizeof(matches[0]);
	c->networks[NET_RESTRICTED].flags = 0;
	c->networks[NET_RESTRICTED].rule_count = RULES;
	c->networks[NET_UNTRUSTED].rule_first = c->networks[NET_OTHER].rule_first = RULES;
}

static int setup(void **state)
{
	static struct swconf config;

	(void)state;
	lab_config(&config);
	rules_of_restricted(&config);
	lab_switch_of(&sw, &config);
	lab_admit(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
	return 0;
}

static enum nf_reason send(struct switch_end from, const struct lab_frame *f, uint64_t now)
{
	uint8_t bytes[FRAME_MAX];
	uint32_t length = lab_bytes(f, bytes);

	return switch_forward(&sw, from, bytes, length, now, &to);
}

static struct lab_frame tcp(unsigned from, unsigned target, uint16_t source_port, uint16_t target_port, uint8_t flags)
{
	struct lab_frame f = lab_frame(&sw.config, from, target);

	f.kind = FRAME_TCP;
	f.l4_source = source_port;
	f.l4_target = target_port;
	f.tcp_flags = flags;
	return f;
}

static struct lab_frame outwards(uint8_t kind, const uint8_t ip[4])
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, BLUE);

	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, ip, 4);
	f.kind = kind;
	return f;
}

/* The same flow's frame the other way. */
static struct lab_frame back(const struct lab_frame *f)
{
	struct lab_frame b = *f;

	memcpy(b.source, f->target, 6);
	memcpy(b.target, f->source, 6);
	memcpy(b.ip_source, f->ip_target, 4);
	memcpy(b.ip_target, f->ip_source, 4);
	b.l4_source = f->l4_target;
	b.l4_target = f->l4_source;
	return b;
}

#define SYN FRAME_TCP_SYN
#define ACK FRAME_TCP_ACK
#define FIN (FRAME_TCP_FIN | FRAME_TCP_ACK)
#define RST FRAME_TCP_RST

/* Blue's connection to green's port 80, up to its third segment. */
static void open_80(uint16_t port, uint64_t now)
{
	struct lab_frame f = tcp(BLUE, GREEN, port, 80, SYN), b = back(&f);

	assert_int_equal(send(FROM_PORT(BLUE), &f, now), NF_PASS);
	b.tcp_flags = SYN | ACK;
	assert_int_equal(send(FROM_PORT(GREEN), &b, now), NF_PASS);
	f.tcp_flags = ACK;
	assert_int_equal(send(FROM_PORT(BLUE), &f, now), NF_PASS);
}

static enum nf_reason data(uint16_t port, uint64_t now)
{
	struct lab_frame f = tcp(BLUE, GREEN, port, 80, ACK), b = back(&f);
	enum nf_reason forth = send(FROM_PORT(BLUE), &f, now), return_way = send(FROM_PORT(GREEN), &b, now);

	assert_true((forth == NF_PASS) == (return_way == NF_PASS));
	return forth;
}

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
	open_80(1000, 1);
	for (f.fragment = 1; f.fragment != 0x3000; f.fragment = f.fragment == 1 ? 0x2000 : 0x3000)
		assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_FRAGMENT);
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_FRAGMENT], 2);
}

static void test_tcp(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 80, ACK), b;

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
	open_80(1000, 1);
	assert_int_equal(data(1000, 2), NF_PASS);
	assert_int_equal(sw.rule_hits[ALLOW_80], 5);
	/* From its other port green still says nothing, nor does blue from another one. */
	b = tcp(GREEN, BLUE, 81, 1000, ACK);
	assert_int_equal(send(FROM_PORT(GREEN), &b, 2), NF_NO_RULE);
	assert_int_equal(data(1001, 2), NF_STATE);
}

static void test_reset_ends(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 80, RST), b = back(&f);

	(void)state;
	open_80(1000, 1);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 2), NF_PASS);
	assert_int_equal(data(1000, 2), NF_STATE);
	open_80(1000, 3);
	assert_int_equal(send(FROM_PORT(GREEN), &b, 3), NF_PASS);
	assert_int_equal(data(1000, 3), NF_STATE);
}

static void test_fin_ends(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 80, FIN), b = back(&f);

	(void)state;
	open_80(1000, 0);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 0), NF_PASS);
	assert_int_equal(data(1000, CONN_TCP_CLOSED_NS), NF_PASS);      /* half closed */
	assert_int_equal(send(FROM_PORT(GREEN), &b, CONN_TCP_CLOSED_NS), NF_PASS);
	/* The last segments pass, do not prolong it, and then it is over. */
	assert_int_equal(data(1000, 2 * CONN_TCP_CLOSED_NS - 1), NF_PASS);
	assert_int_equal(data(1000, 2 * CONN_TCP_CLOSED_NS), NF_STATE);
	/* Opened again from the same port before that: a new connection, by the rule. */
	open_80(1001, 0);
	f = tcp(BLUE, GREEN, 1001, 80, FIN), b = back(&f);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	assert_int_equal(send(FROM_PORT(GREEN), &b, 1), NF_PASS);
	open_80(1001, 2);
	assert_int_equal(data(1001, CONN_TCP_CLOSED_NS + 2), NF_PASS);
}

static void test_silence_ends(void **state)
{
	struct lab_frame f = tcp(BLUE, GREEN, 1000, 80, SYN), b = back(&f);

	(void)state;
	sw.ports[BLUE].lease_end = sw.ports[GREEN].lease_end = ~0ull;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 0), NF_PASS);
	b.tcp_flags = SYN | ACK;
	assert_int_equal(send(FROM_PORT(GREEN), &b, CONN_TCP_OPENING_NS), NF_NO_RULE);
	open_80(1001, 0);
	assert_int_equal(data(1001, CONN_TCP_NS - 1), NF_PASS);
	assert_int_equal(data(1001, 2 * CONN_TCP_NS - 2), NF_PASS);
	assert_int_equal(data(1001, 3 * CONN_TCP_NS), NF_STATE);
	f = outwards(FRAME_UDP, host), b = back(&f);
	assert_int_equal(send(FROM_UPLINK, &b, 0), NF_NO_RULE);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 0), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, CONN_UDP_NS - 1), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, 2 * CONN_UDP_NS - 2), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, 3 * CONN_UDP_NS), NF_NO_RULE);
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

	(void)state;
	open_80(1000, 1);
	lab_admit(&sw, GREEN, 2, 2);
	assert_int_equal(data(1000, 2), NF_STATE);
	open_80(1000, 3);
	lab_admit(&sw, BLUE, 2, 4);
	assert_int_equal(data(1000, 4), NF_STATE);
	/* A renewal leaves it alone, */
	open_80(1000, 5);
	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, 6), LZR_CTL_OK);
	r = lab_lease(&sw.ports[BLUE], LEASE_MAX);
	lab_sign(&r, message);
	assert_int_equal(lease_apply(&sw.ports[BLUE], message, sizeof(message), 6), LZR_CTL_OK);
	assert_int_equal(data(1000, 7), NF_PASS);
	/* but a lease that ran out before the next one came does not, though nobody looked in between, */
	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, 8 + LEASE_MAX), LZR_CTL_OK);
	r = lab_lease(&sw.ports[BLUE], LEASE_MAX);
	lab_sign(&r, message);
	assert_int_equal(lease_apply(&sw.ports[BLUE], message, sizeof(message), 9 + LEASE_MAX), LZR_CTL_OK);
	lab_admit(&sw, GREEN, 3, 10 + LEASE_MAX);
	assert_int_equal(data(1000, 11 + LEASE_MAX), NF_STATE);
	/* nor does a revocation. */
	open_80(1000, 12 + LEASE_MAX);
	r.type = LZR_RESULT_REVOCATION;
	r.duration_ns = 0;
	lab_sign(&r, message);
	assert_int_equal(lease_apply(&sw.ports[BLUE], message, sizeof(message), 13 + LEASE_MAX), LZR_CTL_OK);
	assert_int_equal(data(1000, 14 + LEASE_MAX), NF_CLOSED);
	lab_admit(&sw, BLUE, 2, 15 + LEASE_MAX);
	assert_int_equal(data(1000, 16 + LEASE_MAX), NF_STATE);
}

/* Blue's share is blue's alone: when it is in use, its next connection is refused, everybody else's is not. */
static void test_share(void **state)
{
	struct lab_frame f = outwards(FRAME_UDP, host);

	(void)state;
	for (unsigned i = 0; i < SHARE; i++) {
		f.l4_source = (uint16_t)(1000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	}
	f.l4_source = 999;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 2), NF_TABLE);
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_TABLE], 1);
	for (unsigned i = 0; i < SHARE; i++) {
		f.l4_source = (uint16_t)(1000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 3), NF_PASS);
	}
	/* Once they are silent long enough, there is room again: for all of them. */
	sw.ports[BLUE].lease_end = ~0ull;
	for (unsigned i = 0; i < SHARE; i++) {
		f.l4_source = (uint16_t)(20000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 3 + CONN_UDP_NS), NF_PASS);
	}
	f.l4_source = 999;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 3 + CONN_UDP_NS), NF_TABLE);
}

static void test_shares_are_apart(void **state)
{
	struct lab_frame f = outwards(FRAME_UDP, host);

	(void)state;
	for (unsigned i = 0; i < SHARE; i++) {
		f.l4_source = (uint16_t)(1000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	}
	f = tcp(BLUE, GREEN, 1, 80, SYN);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_TABLE);
	/* The same from somebody else. */
	sw.config.members[SET_BLUE].port = GREEN;
	nf_rules_build(&sw.rules, &sw.config);
	f = lab_frame(&sw.config, GREEN, GREEN);
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, host, 4);
	assert_int_equal(send(FROM_PORT(GREEN), &f, 1), NF_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_only_what_is_allowed, setup),
		cmocka_unit_test_setup(test_arp_and_other_networks, setup),
		cmocka_unit_test_setup(test_fragments, setup),
		cmocka_unit_test_setup(test_tcp, setup),
		cmocka_unit_test_setup(test_reset_ends, setup),
		cmocka_unit_test_setup(test_fin_ends, setup),
		cmocka_unit_test_setup(test_silence_ends, setup),
		cmocka_unit_test_setup(test_echo, setup),
		cmocka_unit_test_setup(test_stateless, setup),
		cmocka_unit_test_setup(test_opened_from_outside, setup),
		cmocka_unit_test_setup(test_ports_end_theirs, setup),
		cmocka_unit_test_setup(test_share, setup),
		cmocka_unit_test_setup(test_shares_are_apart, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
