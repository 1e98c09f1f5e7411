/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of rate, the inspection port, the end of a lease, more than one verifier key. */
#include "lab.h"

#include <string.h>

#include "crypto.h"
#include "lease.h"

#define FROM_PORT(p) ((struct switch_end){ SWITCH_PORT, p })
#define FROM_UPLINK ((struct switch_end){ SWITCH_UPLINK, UP_RESTRICTED })

static struct nswitch sw;
static struct swconf config;
static struct switch_end to;

static int setup(void **state)
{
	(void)state;
	lab_config(&config);
	return 0;
}

static enum nf_reason send(struct switch_end from, const struct lab_frame *f, uint64_t now)
{
	uint8_t bytes[FRAME_MAX];

	return switch_forward(&sw, from, bytes, lab_bytes(f, bytes), now, &to);
}

/* How many of the frames pass that a sender tries every 100 us for `seconds`. */
static unsigned count(struct switch_end from, const struct lab_frame *f, uint64_t start, unsigned seconds)
{
	unsigned passed = 0;

	for (uint64_t at = start; at < start + seconds * SECOND; at += SECOND / 10000) {
		enum nf_reason reason = send(from, f, at);

		assert_true(reason == NF_PASS || reason == NF_RATE);
		passed += reason == NF_PASS;
	}
	return passed;
}

static void near(unsigned found, unsigned expected)
{
	if (found < expected - expected / 50 || found > expected + expected / 50)
		fail_msg("%u passed, expected about %u", found, expected);
}

/* --- rates -------------------------------------------------------------------------------------------------------- */

static void test_frame_rate(void **state)
{
	struct lab_frame f;
	uint64_t dropped;

	(void)state;
	config.ports[BLUE].frame_rate = 200;
	lab_switch_of(&sw, &config);
	lab_admit(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
	f = lab_frame(&sw.config, BLUE, GREEN);
	near(count(FROM_PORT(BLUE), &f, 1, 10), 2000 + 20);
	dropped = sw.ports[BLUE].counters.dropped[NF_RATE];
	near((unsigned)dropped, 100000 - 2020);
	/* Frames that are dropped for something else count as well; another port has no limit. */
	f.ip_source[3]++;
	while (send(FROM_PORT(BLUE), &f, 10 * SECOND + 1) == NF_SPOOF_IPV4)
		;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 10 * SECOND + 1), NF_RATE);
	f = lab_frame(&sw.config, GREEN, BLUE);
	assert_int_equal(count(FROM_PORT(GREEN), &f, 11 * SECOND, 1), 10000);
}

static void test_slowest(void **state)
{
	struct lab_frame f;

	(void)state;
	config.ports[BLUE].frame_rate = 1;
	lab_switch_of(&sw, &config);
	lab_admit(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
	f = lab_frame(&sw.config, BLUE, GREEN);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	assert_int_equal(send(FROM_PORT(BLUE), &f, SECOND), NF_RATE);
	assert_int_equal(send(FROM_PORT(BLUE), &f, SECOND + 1), NF_PASS);
	assert_int_equal(send(FROM_PORT(BLUE), &f, SECOND + 2), NF_RATE);
}

static void test_bandwidth(void **state)
{
	struct lab_frame f;

	(void)state;
	config.ports[BLUE].bandwidth = 100 * 8 * 64;    /* a hundred frames of lab_frame's 64 bytes a second */
	lab_switch_of(&sw, &config);
	lab_admit(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
	f = lab_frame(&sw.config, BLUE, GREEN);
	near(count(FROM_PORT(BLUE), &f, 1, 20), 2000 + 1514 / 64);
	/* Rates at both ends of what there may be. */
	rate_bits(&sw.ports[BLUE].bytes, RATE_BANDWIDTH_MIN);
	assert_true(rate_take(&sw.ports[BLUE].bytes, FRAME_MAX, 1));
	assert_false(rate_take(&sw.ports[BLUE].bytes, FRAME_MAX, 12 * SECOND));
	assert_true(rate_take(&sw.ports[BLUE].bytes, FRAME_MAX, 13 * SECOND));
	rate_bits(&sw.ports[BLUE].bytes, RATE_BANDWIDTH_MAX);
	for (unsigned i = 0; i < 100000; i++)
		assert_true(rate_take(&sw.ports[BLUE].bytes, FRAME_MAX, 13 * SECOND + 13 * i));
}

/* A network's limit is for all its ports and its uplink together, and not for the attestor's. */
static void test_network_rate(void **state)
{
	struct lab_frame f, g, h, a;
	unsigned passed = 0;

	(void)state;
	config.networks[NET_RESTRICTED].frame_rate = 300;
	lab_switch_of(&sw, &config);
	lab_admit(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
	lab_up(&sw, ATTESTOR, 1, 0);
	f = lab_frame(&sw.config, BLUE, GREEN);
	g = lab_frame(&sw.config, GREEN, BLUE);
	h = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 3, 77 }, BLUE);
	a = lab_frame(&sw.config, ATTESTOR, ATTESTOR);
	memcpy(a.target, lab_outside_mac, 6);
	memcpy(a.ip_target, lab_verifier_ip, 4);
	a.kind = FRAME_TCP;
	a.l4_target = LAB_VERIFIER_PORT;
	a.tcp_flags = FRAME_TCP_SYN;
	for (uint64_t at = 1; at < 10 * SECOND; at += SECOND / 1000) {
		passed += send(FROM_PORT(BLUE), &f, at) == NF_PASS;
		passed += send(FROM_PORT(GREEN), &g, at) == NF_PASS;
		passed += send(FROM_UPLINK, &h, at) == NF_PASS;
		assert_int_equal(send(FROM_PORT(ATTESTOR), &a, at), NF_PASS);
	}
	near(passed, 3000 + 30);
}

/* --- inspection --------------------------------------------------------------------------------------------------- */

/* Green inspects blue, a hundred frames a second. */
static void inspected(void)
{
	config.ports[BLUE].inspection = GREEN;
	config.ports[BLUE].inspection_rate = 100;
	lab_switch_of(&sw, &config);
	lab_up(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
}

static void test_inspection(void **state)
{
	static const uint8_t host[4] = { 10, 0, 3, 77 };
	struct lab_frame f, in;

	(void)state;
	inspected();
	f = lab_frame(&sw.config, BLUE, GREEN);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	assert_int_equal(to.index, GREEN);
	lab_arp(&f, true);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	f = lab_frame(&sw.config, GREEN, BLUE);
	assert_int_equal(send(FROM_PORT(GREEN), &f, 1), NF_PASS);
	assert_int_equal(to.index, BLUE);
	/* Nobody else, neither way: not outside, not another network, not the attestor; and only as itself. */
	f = lab_frame(&sw.config, BLUE, BLUE);
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, host, 4);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_INSPECTION);
	lab_arp(&f, true);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_INSPECTION);
	in = lab_frame_in(&sw.config, host, BLUE);
	assert_int_equal(send(FROM_UPLINK, &in, 1), NF_PEER_CLOSED);
	f = lab_frame(&sw.config, BLUE, RED);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_NETWORK);
	f = lab_frame(&sw.config, BLUE, ATTESTOR);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_ENDPOINT);
	f = lab_frame(&sw.config, BLUE, GREEN);
	f.ip_source[3]++;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_SPOOF_IPV4);
	/* A label that is not the network's ends it. */
	f = lab_frame(&sw.config, BLUE, GREEN);
	sw.ports[GREEN].peer.label.categories ^= 2;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_LABEL);
}

/* It takes an admitted inspector, and quarantine: not down, not blocked. */
static void test_inspection_states(void **state)
{
	struct lab_frame f, g;

	(void)state;
	inspected();
	f = lab_frame(&sw.config, BLUE, GREEN);
	g = lab_frame(&sw.config, GREEN, BLUE);
	lab_up(&sw, GREEN, 2, 1);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PEER_CLOSED);
	assert_int_equal(send(FROM_PORT(GREEN), &g, 1), NF_CLOSED);
	lab_admit(&sw, GREEN, 3, 1);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_PASS);
	sw.ports[BLUE].state = LZR_PORT_BLOCKED;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_CLOSED);
	assert_int_equal(send(FROM_PORT(GREEN), &g, 1), NF_PEER_CLOSED);
	port_down(&sw.ports[BLUE]);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_CLOSED);
	assert_int_equal(send(FROM_PORT(GREEN), &g, 1), NF_PEER_CLOSED);
}

static void test_inspection_rate(void **state)
{
	struct lab_frame f, g;

	(void)state;
	inspected();
	f = lab_frame(&sw.config, BLUE, GREEN);
	g = lab_frame(&sw.config, GREEN, BLUE);
	near(count(FROM_PORT(BLUE), &f, 1, 10), 1000 + 10);
	near(count(FROM_PORT(GREEN), &g, 20 * SECOND, 10), 1000 + 10);
	/* Once admitted there is no limit any more. */
	lab_admit(&sw, BLUE, 2, 31 * SECOND);
	assert_int_equal(count(FROM_PORT(BLUE), &f, 31 * SECOND, 1), 10000);
}

/* --- the end of a lease ------------------------------------------------------------------------------------------- */

static enum lzr_control_status renew(uint64_t now)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct lzr_result lease;

	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, now), LZR_CTL_OK);
	lease = lab_lease(&sw.ports[BLUE], SECOND);
	lab_sign(&lease, message);
	return lab_apply(&sw.ports[BLUE], message, sizeof(message), now);
}

static void test_block_at_the_end(void **state)
{
	(void)state;
	config.ports[BLUE].lease_end = LZR_LEASE_END_BLOCK;
	lab_switch_of(&sw, &config);
	lab_up(&sw, BLUE, 1, 0);
	assert_int_equal(renew(0), LZR_CTL_OK);
	assert_int_equal(renew(SECOND / 2), LZR_CTL_OK);
	assert_int_equal(port_state(&sw.ports[BLUE], SECOND), LZR_PORT_ADMITTED);
	/* Looked at only when the next lease comes: too late all the same. */
	assert_int_equal(renew(2 * SECOND), LZR_CTL_SHUT);
	assert_int_equal(port_state(&sw.ports[BLUE], 2 * SECOND), LZR_PORT_BLOCKED);
	assert_int_equal(renew(3 * SECOND), LZR_CTL_SHUT);
	/* A reset of the VM's own device does not end that, */
	port_down(&sw.ports[BLUE]);
	lab_up(&sw, BLUE, 1, 3 * SECOND);
	assert_int_equal(port_state(&sw.ports[BLUE], 3 * SECOND), LZR_PORT_BLOCKED);
	assert_int_equal(renew(3 * SECOND), LZR_CTL_SHUT);
	lab_up(&sw, BLUE, 2, 4 * SECOND);
	assert_int_equal(renew(4 * SECOND), LZR_CTL_OK);
	assert_int_equal(port_state(&sw.ports[BLUE], 4 * SECOND), LZR_PORT_ADMITTED);
	/* and just before the lease's end it is an end of the lease. */
	port_down(&sw.ports[BLUE]);
	lab_up(&sw, BLUE, 2, 4 * SECOND + 1);
	assert_int_equal(port_state(&sw.ports[BLUE], 4 * SECOND + 1), LZR_PORT_BLOCKED);
	assert_int_equal(renew(4 * SECOND + 1), LZR_CTL_SHUT);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

/* Two keys are pinned: blue takes results of both, green of the first only. */
static void test_two_keys(void **state)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct lzr_result lease;

	(void)state;
	config.header.verifier_count = 2;
	config.header.verifiers[1] = lab_other_key();
	config.ports[BLUE].verifiers = 3;
	lab_switch_of(&sw, &config);
	lab_up(&sw, BLUE, 1, 0);
	lab_up(&sw, GREEN, 1, 0);
	lease = lab_lease(&sw.ports[GREEN], SECOND);
	lab_sign_other(&lease, message);
	assert_int_equal(lab_apply(&sw.ports[GREEN], message, sizeof(message), 1), LZR_CTL_SIGNATURE);
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(&sw.ports[GREEN], message, sizeof(message), 1), LZR_CTL_OK);
	lease = lab_lease(&sw.ports[BLUE], SECOND);
	lab_sign_other(&lease, message);
	assert_int_equal(lab_apply(&sw.ports[BLUE], message, sizeof(message), 1), LZR_CTL_OK);
	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, 2), LZR_CTL_OK);
	lease = lab_lease(&sw.ports[BLUE], SECOND);
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(&sw.ports[BLUE], message, sizeof(message), 2), LZR_CTL_OK);
	assert_int_equal(renew(3), LZR_CTL_OK);
}

/* The longest lease is the port's. */
static void test_longest_lease(void **state)
{
	(void)state;
	config.ports[BLUE].lease_max_ns = SECOND - 1;
	lab_switch_of(&sw, &config);
	lab_up(&sw, BLUE, 1, 0);
	assert_int_equal(renew(0), LZR_CTL_DURATION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_frame_rate, setup),
		cmocka_unit_test_setup(test_slowest, setup),
		cmocka_unit_test_setup(test_bandwidth, setup),
		cmocka_unit_test_setup(test_network_rate, setup),
		cmocka_unit_test_setup(test_inspection, setup),
		cmocka_unit_test_setup(test_inspection_states, setup),
		cmocka_unit_test_setup(test_inspection_rate, setup),
		cmocka_unit_test_setup(test_block_at_the_end, setup),
		cmocka_unit_test_setup(test_two_keys, setup),
		cmocka_unit_test_setup(test_longest_lease, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
