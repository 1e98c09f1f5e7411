/* SPDX-License-Identifier: Apache-2.0 */
/* The switch: who reaches whom, each refusal with its reason, and the counters. */
#include "lab.h"

#include <string.h>

static struct nswitch sw;
static uint8_t bytes[FRAME_MAX];
static struct switch_end to;

#define FROM_PORT(p) ((struct switch_end){ SWITCH_PORT, p })
#define OF_UPLINK(u) ((struct switch_end){ SWITCH_UPLINK, u })

static int setup(void **state)
{
	(void)state;
	lab_switch_admitted(&sw);
	return 0;
}

static enum nf_reason send_at(struct switch_end from, const struct lab_frame *f, uint64_t now)
{
	uint32_t length = lab_bytes(f, bytes);

	memset(&to, 0xff, sizeof(to));
	return switch_forward(&sw, from, bytes, length, now, &to);
}

static enum nf_reason send(struct switch_end from, const struct lab_frame *f)
{
	return send_at(from, f, 1);
}

static void passes(struct switch_end from, const struct lab_frame *f, unsigned kind, unsigned index)
{
	assert_int_equal(send(from, f), NF_PASS);
	assert_int_equal(to.kind, kind);
	assert_int_equal(to.index, index);
}

static void test_equal_labels(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, RED, ARCHIVE);

	(void)state;
	passes(FROM_PORT(RED), &f, SWITCH_PORT, ARCHIVE);
	f = lab_frame(&sw.config, ARCHIVE, RED);
	f.kind = FRAME_TCP;
	passes(FROM_PORT(ARCHIVE), &f, SWITCH_PORT, RED);
	f = lab_frame(&sw.config, BLUE, GREEN);
	f.kind = FRAME_ICMP;
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
	f.fragment = 0x2000;
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
}

/* An ARP request goes to the one it asks for, broadcast or not; the answer as well. */
static void test_arp(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, GREEN);

	(void)state;
	lab_arp(&f, true);
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
	memcpy(f.target, sw.config.ports[GREEN].mac, 6);
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
	lab_arp(&f, false);
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
	lab_arp(&f, true);
	memcpy(f.ip_target, sw.config.ports[BLUE].gateway, 4);
	passes(FROM_PORT(BLUE), &f, SWITCH_UPLINK, UP_RESTRICTED);
	memcpy(f.ip_target, sw.config.ports[RED].ipv4, 4);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_NETWORK);
	memcpy(f.ip_target, sw.config.ports[ATTESTOR].ipv4, 4);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_ENDPOINT);
	f = lab_frame(&sw.config, RED, ARCHIVE);
	lab_arp(&f, true);
	f.ip_target[3] = 99;
	assert_int_equal(send(FROM_PORT(RED), &f), NF_NO_DESTINATION);
}

static void test_uplink(void **state)
{
	static const uint8_t host[4] = { 10, 0, 3, 77 };
	struct lab_frame f = lab_frame_in(&sw.config, host, BLUE);

	(void)state;
	passes(OF_UPLINK(UP_RESTRICTED), &f, SWITCH_PORT, BLUE);
	lab_arp(&f, true);
	passes(OF_UPLINK(UP_RESTRICTED), &f, SWITCH_PORT, BLUE);
	f = lab_frame(&sw.config, BLUE, BLUE);
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, host, 4);
	passes(FROM_PORT(BLUE), &f, SWITCH_UPLINK, UP_RESTRICTED);
	f = lab_frame(&sw.config, RED, RED);
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, host, 4);
	assert_int_equal(send(FROM_PORT(RED), &f), NF_NO_DESTINATION);
}

/* What a network says nothing of is denied, ARP too, to ports and to the uplink, out and in. */
static void test_silence_denies(void **state)
{
	static const uint8_t host[4] = { 10, 0, 3, 77 };
	static const enum frame_kind kinds[] = { FRAME_UDP, FRAME_TCP, FRAME_ICMP, FRAME_ARP_REQUEST };
	static struct swconf config;
	struct lab_frame f;
	unsigned i;

	(void)state;
	lab_config(&config);
	config.networks[NET_RESTRICTED].flags = 0;
	lab_switch_of(&sw, &config);
	lab_admit(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
	lab_admit(&sw, RED, 1, 0);
	lab_admit(&sw, ARCHIVE, 1, 0);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		f = lab_frame(&sw.config, BLUE, GREEN);
		f.kind = kinds[i];
		if (kinds[i] == FRAME_ARP_REQUEST)
			lab_arp(&f, true);
		assert_int_equal(send(FROM_PORT(BLUE), &f), NF_NO_RULE);
		f = lab_frame_in(&sw.config, host, BLUE);
		f.kind = kinds[i];
		if (kinds[i] == FRAME_ARP_REQUEST)
			lab_arp(&f, true);
		assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_NO_RULE);
		f = lab_frame(&sw.config, BLUE, BLUE);
		f.kind = kinds[i];
		if (kinds[i] == FRAME_ARP_REQUEST)
			lab_arp(&f, true);
		memcpy(f.target, lab_outside_mac, 6);
		memcpy(f.ip_target, host, 4);
		assert_int_equal(send(FROM_PORT(BLUE), &f), NF_NO_RULE);
	}
	assert_int_equal(sw.no_rule_hits[NET_RESTRICTED], 3 * i);
	f = lab_frame(&sw.config, RED, ARCHIVE);
	passes(FROM_PORT(RED), &f, SWITCH_PORT, ARCHIVE);
}

static void test_networks_stay_apart(void **state)
{
	static const uint8_t pairs[][2] = {{RED, BLUE},	  {BLUE, RED},	  {BLUE, ALONE},
					   {ALONE, BLUE}, {RED, VISITOR}, {RED, ATTESTOR}};
	struct lab_frame f;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		f = lab_frame(&sw.config, pairs[i][0], pairs[i][1]);
		assert_int_equal(send(FROM_PORT(pairs[i][0]), &f), NF_NETWORK);
		/* By way of a router outside it is the same. */
		memcpy(f.target, lab_outside_mac, 6);
		assert_int_equal(send(FROM_PORT(pairs[i][0]), &f), NF_NETWORK);
		/* Nor with the other's MAC address and an innocent IPv4 address. */
		f = lab_frame(&sw.config, pairs[i][0], pairs[i][1]);
		memcpy(f.ip_target, (const uint8_t[]){ 10, 0, 3, 77 }, 4);
		assert_int_equal(send(FROM_PORT(pairs[i][0]), &f), NF_NETWORK);
	}
	f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 2, 77 }, BLUE);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_NETWORK);
	f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 2, 77 }, RED);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_NETWORK);
}

/* Should two labels ever meet on one network, they still do not meet. */
static void test_labels_differ(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, GREEN);

	(void)state;
	sw.ports[GREEN].peer.label.categories ^= 2;
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_LABEL);
	f = lab_frame(&sw.config, GREEN, BLUE);
	assert_int_equal(send(FROM_PORT(GREEN), &f), NF_LABEL);
}

static void test_quarantine(void **state)
{
	static const uint8_t host[4] = { 10, 0, 2, 2 };
	struct lab_frame f = lab_frame(&sw.config, VISITOR, VISITOR);
	unsigned i;

	(void)state;
	/* Out: nothing, to nobody. */
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, host, 4);
	assert_int_equal(send(FROM_PORT(VISITOR), &f), NF_CLOSED);
	lab_arp(&f, true);
	assert_int_equal(send(FROM_PORT(VISITOR), &f), NF_CLOSED);
	for (i = 0; i < PORTS; i++) {
		f = lab_frame(&sw.config, VISITOR, i);
		assert_int_equal(send(FROM_PORT(VISITOR), &f), NF_CLOSED);
	}
	/* In: neither. */
	f = lab_frame_in(&sw.config, host, VISITOR);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_PEER_CLOSED);
	lab_arp(&f, true);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_PEER_CLOSED);
	/* Nor between two in quarantine on one network, nor from an admitted one. */
	lab_up(&sw, GREEN, 2, 1);
	f = lab_frame(&sw.config, BLUE, GREEN);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_PEER_CLOSED);
	lab_up(&sw, BLUE, 2, 1);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_CLOSED);
	port_down(&sw.ports[BLUE]);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_CLOSED);
	f = lab_frame(&sw.config, GREEN, ATTESTOR);
	assert_int_equal(send(FROM_PORT(GREEN), &f), NF_CLOSED);
}

static void test_expiry_closes(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, GREEN);

	(void)state;
	assert_int_equal(send_at(FROM_PORT(BLUE), &f, LEASE_MAX - 1), NF_PASS);
	lab_admit(&sw, BLUE, 2, 10 * SECOND);
	assert_int_equal(send_at(FROM_PORT(BLUE), &f, LEASE_MAX), NF_PEER_CLOSED);
	f = lab_frame(&sw.config, GREEN, BLUE);
	assert_int_equal(send_at(FROM_PORT(GREEN), &f, LEASE_MAX), NF_CLOSED);
}

static void test_spoofing(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, GREEN);

	(void)state;
	memcpy(f.source, sw.config.ports[RED].mac, 6);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_SPOOF_MAC);
	memcpy(f.source, lab_outside_mac, 6);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_SPOOF_MAC);
	f = lab_frame(&sw.config, BLUE, GREEN);
	f.ip_source[3]++;
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_SPOOF_IPV4);
	f = lab_frame(&sw.config, BLUE, GREEN);
	memcpy(f.ip_source, sw.config.ports[BLUE].gateway, 4);
	lab_arp(&f, false);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_SPOOF_ARP);
	lab_arp(&f, true);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_SPOOF_ARP);
	f = lab_frame(&sw.config, BLUE, GREEN);
	lab_arp(&f, true);
	f.arp_sender[5]++;
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_ARP);
	/* Infrastructure is no exception. */
	f = lab_frame(&sw.config, ATTESTOR, BLUE);
	f.source[5]++;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_SPOOF_MAC);
}

static void test_spoofing_from_outside(void **state)
{
	struct lab_frame f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 3, 77 }, BLUE);

	(void)state;
	memcpy(f.source, sw.config.ports[GREEN].mac, 6);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_SPOOF_MAC);
	memcpy(f.source, lab_outside_mac, 6);
	memcpy(f.ip_source, sw.config.ports[GREEN].ipv4, 4);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_SPOOF_IPV4);
	lab_arp(&f, false);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_SPOOF_ARP);
	memcpy(f.ip_source, sw.config.ports[RED].ipv4, 4);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_SPOOF_ARP);
}

static void test_groups_and_mismatch(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, GREEN);

	(void)state;
	memset(f.target, 0xff, 6);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_GROUP);
	memcpy(f.target, (const uint8_t[]){ 1, 0, 0x5e, 0, 0, 1 }, 6);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_GROUP);
	lab_arp(&f, true);
	memcpy(f.target, (const uint8_t[]){ 1, 0x80, 0xc2, 0, 0, 0 }, 6);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_GROUP);
	f = lab_frame(&sw.config, BLUE, BLUE);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_MISMATCH);
	f = lab_frame(&sw.config, BLUE, GREEN);
	memcpy(f.ip_target, (const uint8_t[]){ 10, 0, 3, 77 }, 4);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_MISMATCH);
	f = lab_frame(&sw.config, BLUE, GREEN);
	memcpy(f.target, lab_outside_mac, 6);
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_MISMATCH);
	f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 3, 77 }, BLUE);
	f.ip_target[3]++;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_MISMATCH);
	f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 3, 77 }, BLUE);
	memset(f.target, 0xff, 6);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_GROUP);
	memcpy(f.target, lab_outside_mac, 6);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_NO_DESTINATION);
}

static void test_counters(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, GREEN);
	const struct port_counters *blue = switch_counters(&sw, FROM_PORT(BLUE));
	const struct port_counters *visitor = switch_counters(&sw, FROM_PORT(VISITOR));
	const struct port_counters *uplink = switch_counters(&sw, OF_UPLINK(UP_UNTRUSTED));

	(void)state;
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
	switch_delivered(&sw, FROM_PORT(BLUE), to);
	assert_int_equal(blue->in, 1);
	assert_int_equal(switch_counters(&sw, to)->out, 1);
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
	switch_dropped(&sw, FROM_PORT(BLUE), NF_FULL);
	assert_int_equal(blue->in, 1);
	assert_int_equal(blue->dropped[NF_FULL], 1);
	f.source[0] ^= 2;
	assert_int_equal(send(FROM_PORT(BLUE), &f), NF_SPOOF_MAC);
	assert_int_equal(blue->dropped[NF_SPOOF_MAC], 1);
	/* A frame from outside that a closed port did not get is counted at both. */
	f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 2, 2 }, VISITOR);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_PEER_CLOSED);
	assert_int_equal(visitor->dropped[NF_PEER_CLOSED], 1);
	assert_int_equal(uplink->dropped[NF_PEER_CLOSED], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_equal_labels, setup),
		cmocka_unit_test_setup(test_arp, setup),
		cmocka_unit_test_setup(test_uplink, setup),
		cmocka_unit_test_setup(test_silence_denies, setup),
		cmocka_unit_test_setup(test_networks_stay_apart, setup),
		cmocka_unit_test_setup(test_labels_differ, setup),
		cmocka_unit_test_setup(test_quarantine, setup),
		cmocka_unit_test_setup(test_expiry_closes, setup),
		cmocka_unit_test_setup(test_spoofing, setup),
		cmocka_unit_test_setup(test_spoofing_from_outside, setup),
		cmocka_unit_test_setup(test_groups_and_mismatch, setup),
		cmocka_unit_test_setup(test_counters, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
