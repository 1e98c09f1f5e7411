/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port's share of the table: what one packet buys, who makes room for whom, and that nobody pays for another.
 */
#include "lab_rules.h"

#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 3;

static uint32_t roll(void)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33);
}

static unsigned count(unsigned port, enum conn_list_name list)
{
	return sw.connections.lists[port][list].count;
}

/* Any host may open blue's ssh, and blue may have its UDP to anywhere. */
static int setup(void **state)
{
	int result = lab_rules_setup(state);

	sw.config.members[SET_HOST] = (struct lzr_switch_member){ .kind = LZR_MEMBER_OUTSIDE };
	nf_rules_build(&sw.rules, &sw.config);
	sw.ports[BLUE].lease_end = sw.ports[GREEN].lease_end = ~0ull;
	return result;
}

/* A SYN from anywhere, and blue's answer to it. */
static void spoof(uint16_t port, uint64_t now)
{
	struct lab_tcp t = lab_tcp_from_host(port);
	uint32_t ip = roll();

	memcpy(t.way[0].ip_source + 1, &ip, 3);
	memcpy(t.way[1].ip_target + 1, &ip, 3);
	t.way[0].ip_source[0] = t.way[1].ip_target[0] = 198;
	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, now), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, now), NF_PASS);
}

/* Sixteen shares of spoofed SYNs, each answered: others still come in, blue still gets out, nothing else is lost. */
static void test_spoofed_flood(void **state)
{
	struct lab_frame f = outwards(FRAME_UDP, host), b = back(&f);
	struct lab_tcp before = lab_tcp_from_host(4000), during = lab_tcp_from_host(4001);

	(void)state;
	assert_int_equal(lab_tcp_send(&before, 0, SYN, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&before, 1, SYN | ACK, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&before, 0, ACK, 0, 1), NF_PASS);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	for (unsigned i = 0; i < 16 * SHARE; i++)
		spoof((uint16_t)(1024 + i), 2);
	assert_int_equal(send(FROM_UPLINK, &b, 3), NF_PASS);
	assert_int_equal(lab_tcp_talk(&before, 3), NF_PASS);
	assert_int_equal(lab_tcp_send(&during, 0, SYN, 0, 3), NF_PASS);
	assert_int_equal(lab_tcp_send(&during, 1, SYN | ACK, 0, 3), NF_PASS);
	for (unsigned i = 0; i < SHARE / 4; i++)
		spoof((uint16_t)(1024 + i), 4);
	assert_int_equal(lab_tcp_send(&during, 0, ACK, 0, 5), NF_PASS);
	assert_int_equal(lab_tcp_talk(&during, 5), NF_PASS);
	for (unsigned i = 0; i < SHARE / 2 - 8; i++) {
		f.l4_source = (uint16_t)(2000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 5), NF_PASS);
	}
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_TABLE] + sw.uplinks[UP_RESTRICTED].dropped[NF_TABLE], 0);
	assert_true(count(BLUE, CONN_IN) <= (SHARE + 1) / 2);
	assert_int_equal(count(GREEN, CONN_FREE), SHARE);
	assert_int_equal(lab_tcp_talk(&before, 6), NF_PASS);
}

/* One packet, of whatever kind and from whichever side, is forgotten after half a minute. */
static void test_one_packet(void **state)
{
	struct lab_frame udp = outwards(FRAME_UDP, host), echo = outwards(FRAME_ICMP, host), b;

	(void)state;
	assert_int_equal(send(FROM_PORT(BLUE), &udp, 0), NF_PASS);
	assert_int_equal(send(FROM_PORT(BLUE), &echo, 0), NF_PASS);
	/* Nor does more of the same help. */
	assert_int_equal(send(FROM_PORT(BLUE), &udp, CONN_OPENING_NS - 1), NF_PASS);
	b = back(&udp);
	assert_int_equal(send(FROM_UPLINK, &b, CONN_OPENING_NS), NF_NO_RULE);
	b = back(&echo);
	b.icmp_type = FRAME_ICMP_REPLY;
	assert_int_equal(send(FROM_UPLINK, &b, CONN_OPENING_NS), NF_NO_RULE);
}

/* The oldest goes first, answered or not; a connection that is in use never does. */
static void test_order(void **state)
{
	struct lab_frame f = outwards(FRAME_UDP, host), b;
	struct lab_tcp t = lab_tcp_open(1, 1);

	(void)state;
	for (unsigned i = 1; i < SHARE; i++) {
		f.l4_source = (uint16_t)(1000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 10 + i), NF_PASS);
	}
	assert_int_equal(count(BLUE, CONN_FREE), 0);
	/* The first one gets its answer, so the second is the oldest now. */
	f.l4_source = 1001;
	b = back(&f);
	assert_int_equal(send(FROM_UPLINK, &b, 10 * SECOND), NF_PASS);
	f.l4_source = 999;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 10 * SECOND), NF_PASS);
	f.l4_source = 1002;
	b = back(&f);
	assert_int_equal(send(FROM_UPLINK, &b, 10 * SECOND), NF_NO_RULE);
	for (unsigned port = 1001; port < 1000 + SHARE; port += port == 1001 ? 2 : 1) {
		f.l4_source = (uint16_t)port;
		b = back(&f);
		assert_int_equal(send(FROM_UPLINK, &b, 10 * SECOND), NF_PASS);
	}
	assert_int_equal(lab_tcp_talk(&t, 10 * SECOND), NF_PASS);
}

static void prove_udp(uint16_t port, uint64_t now)
{
	struct lab_frame f = outwards(FRAME_UDP, host), b;

	f.l4_source = port;
	b = back(&f);
	assert_int_equal(send(FROM_PORT(BLUE), &f, now), NF_PASS);
	assert_int_equal(send(FROM_UPLINK, &b, now), NF_PASS);
	assert_int_equal(send(FROM_PORT(BLUE), &f, now), NF_PASS);
}

/* All proven and in use: the next is refused, everybody else's share is as it was; after silence there is room. */
static void test_full_of_proven(void **state)
{
	struct lab_frame f = outwards(FRAME_UDP, host), b;

	(void)state;
	for (unsigned i = 0; i < SHARE; i++)
		prove_udp((uint16_t)(1000 + i), 1);
	f.l4_source = 999;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 2), NF_TABLE);
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_TABLE], 1);
	assert_int_equal(count(GREEN, CONN_FREE), SHARE);
	for (unsigned i = 0; i < SHARE; i++) {
		f.l4_source = (uint16_t)(1000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 3), NF_PASS);
	}
	/* Half a minute of silence is enough to make way, if somebody wants to; the others go on. */
	f.l4_source = 999;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1 + CONN_OTHER_SPARE_NS), NF_PASS);
	assert_int_equal(count(BLUE, CONN_OTHERS), SHARE - 1);
	f.l4_source = 1001;
	b = back(&f);
	assert_int_equal(send(FROM_UPLINK, &b, 2 + CONN_OTHER_SPARE_NS), NF_PASS);
	/* Once they are silent long enough, there is room for as many. */
	for (unsigned i = 0; i < SHARE; i++)
		prove_udp((uint16_t)(20000 + i), 2 * CONN_UDP_NS);
	f.l4_source = 999;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 2 * CONN_UDP_NS), NF_TABLE);
}

/* A stream that has been silent for minutes makes way, for a full share only. */
static void test_full_of_streams(void **state)
{
	struct lab_tcp first = lab_tcp_open(1000, 1), second = lab_tcp_open(1001, 1), t;
	struct lab_frame f = tcp(BLUE, GREEN, 999, 80, SYN);

	(void)state;
	for (unsigned i = 2; i < SHARE; i++)
		(void)lab_tcp_open((uint16_t)(1000 + i), 1);
	assert_int_equal(send(FROM_PORT(BLUE), &f, CONN_TCP_SPARE_NS), NF_TABLE);
	assert_int_equal(lab_tcp_talk(&first, CONN_TCP_SPARE_NS), NF_PASS);
	t = lab_tcp_open(999, 1 + CONN_TCP_SPARE_NS);
	assert_int_equal(lab_tcp_talk(&t, 1 + CONN_TCP_SPARE_NS), NF_PASS);
	assert_int_equal(lab_tcp_talk(&first, 1 + CONN_TCP_SPARE_NS), NF_PASS);
	assert_int_equal(lab_tcp_talk(&second, 1 + CONN_TCP_SPARE_NS), NF_STATE);
}

/* The dead behind a living one, all to another instance of green, are found in a few tries. */
static void test_dead_ones_are_found(void **state)
{
	struct lab_tcp t = lab_tcp_from_host(4000);
	struct lab_frame f = outwards(FRAME_UDP, host);
	unsigned tries = 0;

	(void)state;
	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, 1), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, 1), NF_PASS);
	for (unsigned i = 1; i < SHARE; i++)
		(void)lab_tcp_open((uint16_t)(1000 + i), 1);
	lab_admit(&sw, GREEN, 2, 2);
	while (send(FROM_PORT(BLUE), &f, 3) == NF_TABLE)
		assert_true(++tries < SHARE / 4);
	assert_int_equal(lab_tcp_talk(&t, 3), NF_PASS);
}

/* 64 ports, so 256 entries a share: fifty look-ups a second, each from a port of its own, for ten minutes. */
static void test_look_ups(void **state)
{
	static struct swconf config;
	struct lab_frame f, b;
	uint64_t now = 1;

	(void)state;
	lab_config(&config);
	lab_rules(&config);
	lab_switch_of(&sw, &config);
	conn_init(&sw.connections, LZR_SWITCH_PORT_MAX, &sw.connections.key);
	lab_admit(&sw, BLUE, 1, 0);
	sw.ports[BLUE].lease_end = ~0ull;
	f = outwards(FRAME_UDP, host);
	f.l4_target = 5353;
	for (unsigned i = 0; i < 30000; i++, now += SECOND / 50) {
		f.l4_source = (uint16_t)(1024 + i);
		b = back(&f);
		assert_int_equal(send(FROM_PORT(BLUE), &f, now), NF_PASS);
		assert_int_equal(send(FROM_UPLINK, &b, now + SECOND / 100), NF_PASS);
	}
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_TABLE], 0);
}

/* Full or not, green's flood takes nothing of blue's, and the other way. */
static void test_shares_are_apart(void **state)
{
	struct lab_frame f = outwards(FRAME_UDP, host);

	(void)state;
	for (unsigned i = 0; i < 3 * SHARE; i++) {
		f.l4_source = (uint16_t)(1000 + i);
		assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	}
	assert_int_equal(count(BLUE, CONN_OUT), SHARE);
	assert_int_equal(count(GREEN, CONN_FREE), SHARE);
	/* The same from somebody else. */
	sw.config.members[SET_BLUE].port = GREEN;
	nf_rules_build(&sw.rules, &sw.config);
	f = lab_frame(&sw.config, GREEN, GREEN);
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, host, 4);
	assert_int_equal(send(FROM_PORT(GREEN), &f, 1), NF_PASS);
	assert_int_equal(count(BLUE, CONN_OUT), SHARE);
}

/* Every entry is in exactly one list and the lists are whole, whatever happened. */
static void check_lists(void)
{
	static uint8_t seen[CONN_MAX];
	const struct conn_table *t = &sw.connections;

	memset(seen, 0, sizeof(seen));
	for (unsigned port = 0; port < PORTS; port++) {
		unsigned total = 0;

		for (unsigned list = CONN_FREE; list < CONN_LISTS; list++) {
			unsigned n = 0;

			for (uint16_t name = t->lists[port][list].oldest; name != 0; n++) {
				const struct conn *c = &t->entries[name - 1];

				assert_int_equal(c->list, list);
				assert_int_equal(c->owner, port);
				assert_int_equal(seen[name - 1]++, 0);
				assert_true(c->newer != 0 || t->lists[port][list].newest == name);
				name = c->newer;
			}
			assert_int_equal(n, t->lists[port][list].count);
			total += n;
		}
		assert_int_equal(total, t->share);
	}
}

static void test_random(void **state)
{
	uint64_t now = 1;

	(void)state;
	for (unsigned i = 0; i < 400000; i++) {
		static const uint8_t kinds[] = { FRAME_UDP, FRAME_ICMP, FRAME_TCP };
		static const uint8_t flags[] = { SYN, SYN | ACK, ACK, FIN, RST, RST | ACK };
		struct lab_frame f = roll() % 2 ? tcp(BLUE, GREEN, 1, 80, 0) : outwards(kinds[roll() % 3], host);
		struct switch_end from = FROM_PORT(BLUE);

		if (f.kind == FRAME_TCP) {
			f.tcp_flags = flags[roll() % 6];
			f.tcp_sequence = roll() % 4 * 1000;
			f.tcp_acknowledged = roll() % 4 * 1000;
			f.tcp_window = (uint16_t)roll();
		}
		f.l4_source = (uint16_t)(roll() % 6000);
		f.icmp_echo = f.l4_source;
		f.icmp_type = roll() % 2 ? FRAME_ICMP_ECHO : FRAME_ICMP_REPLY;
		if (roll() % 2) {
			from = memcmp(f.target, lab_outside_mac, 6) == 0 ? FROM_UPLINK : FROM_PORT(GREEN);
			f = back(&f);
		}
		(void)send(from, &f, now);
		now += roll() % 1000 == 0 ? 20 * SECOND : roll() % 1000000;
		if (roll() % 20000 == 0)
			sw.ports[roll() % 2 ? BLUE : GREEN].epoch++;
		if (i % 20000 == 0)
			check_lists();
	}
	check_lists();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_spoofed_flood, setup),
		cmocka_unit_test_setup(test_one_packet, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_full_of_proven, setup),
		cmocka_unit_test_setup(test_full_of_streams, setup),
		cmocka_unit_test_setup(test_dead_ones_are_found, setup),
		cmocka_unit_test_setup(test_look_ups, setup),
		cmocka_unit_test_setup(test_shares_are_apart, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
