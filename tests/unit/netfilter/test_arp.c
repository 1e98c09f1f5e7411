/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP besides question and answer (RFC 5227): probes, announcements, a gateway's address that moves; and DHCP, which
 * the policy's addresses leave nothing to do.
 */
#include "lab.h"

#include <string.h>

static struct nswitch sw;
static struct switch_end to;

#define FROM_PORT(p) ((struct switch_end){ SWITCH_PORT, p })
#define OF_UPLINK(u) ((struct switch_end){ SWITCH_UPLINK, u })

static int setup(void **state)
{
	(void)state;
	lab_switch_admitted(&sw);
	return 0;
}

static enum nf_reason send(struct switch_end from, const struct lab_frame *f, uint64_t now)
{
	uint8_t bytes[FRAME_MAX];

	memset(&to, 0xff, sizeof(to));
	return switch_forward(&sw, from, bytes, lab_bytes(f, bytes), now, &to);
}

static void passes(struct switch_end from, const struct lab_frame *f, unsigned kind, unsigned index)
{
	assert_int_equal(send(from, f, 1), NF_PASS);
	assert_int_equal(to.kind, kind);
	assert_int_equal(to.index, index);
}

static struct lab_frame probe(unsigned from, const uint8_t ip[4])
{
	struct lab_frame f = lab_frame(&sw.config, from, from);

	lab_arp(&f, true);
	memset(f.ip_source, 0, 4);
	memcpy(f.ip_target, ip, 4);
	return f;
}

/* From outside. */
static struct lab_frame says(const uint8_t mac[6], const uint8_t ip[4], bool request)
{
	struct lab_frame f = lab_frame_in(&sw.config, ip, BLUE);

	memcpy(f.source, mac, 6);
	memset(f.target, 0xff, 6);
	lab_arp(&f, request);
	memcpy(f.ip_target, ip, 4);
	return f;
}

/* Does somebody have the address?  The question goes to who might, and the answer comes back. */
static void test_probes_of_ports(void **state)
{
	static const uint8_t host[4] = { 10, 0, 3, 77 };
	struct lab_frame f = probe(BLUE, sw.config.ports[GREEN].ipv4), b;

	(void)state;
	passes(FROM_PORT(BLUE), &f, SWITCH_PORT, GREEN);
	b = lab_frame(&sw.config, GREEN, BLUE);
	lab_arp(&b, false);
	memset(b.ip_target, 0, 4);
	passes(FROM_PORT(GREEN), &b, SWITCH_PORT, BLUE);
	f = probe(BLUE, host);
	passes(FROM_PORT(BLUE), &f, SWITCH_UPLINK, UP_RESTRICTED);
	b = says(lab_outside_mac, host, false);
	memcpy(b.target, sw.config.ports[BLUE].mac, 6);
	memcpy(b.arp_target, b.target, 6);
	memset(b.ip_target, 0, 4);
	passes(OF_UPLINK(UP_RESTRICTED), &b, SWITCH_PORT, BLUE);
	/* Its own: of the ports nobody has it, so who does is outside; on a network without a way there, nobody. */
	f = probe(BLUE, sw.config.ports[BLUE].ipv4);
	passes(FROM_PORT(BLUE), &f, SWITCH_UPLINK, UP_RESTRICTED);
	f = probe(ATTESTOR, sw.config.ports[ATTESTOR].ipv4);
	passes(FROM_PORT(ATTESTOR), &f, SWITCH_UPLINK, UP_RESTRICTED);
	f = probe(RED, sw.config.ports[RED].ipv4);
	assert_int_equal(send(FROM_PORT(RED), &f, 1), NF_NO_DESTINATION);
	/* Who asks is known by his MAC address; and there is no way to another network, nor out of quarantine. */
	f = probe(BLUE, sw.config.ports[GREEN].ipv4);
	f.source[5]++;
	f.arp_sender[5]++;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_SPOOF_MAC);
	f = probe(BLUE, sw.config.ports[RED].ipv4);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_NETWORK);
	f = probe(VISITOR, sw.config.ports[VISITOR].ipv4);
	assert_int_equal(send(FROM_PORT(VISITOR), &f, 1), NF_CLOSED);
	f = probe(BLUE, sw.config.ports[ATTESTOR].ipv4);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_ENDPOINT);
}

/* A host outside asks for a port's address: the port hears it, and can defend it. */
static void test_probes_from_outside(void **state)
{
	struct lab_frame f, b;

	(void)state;
	for (unsigned port = BLUE; port <= ATTESTOR; port += ATTESTOR - BLUE) {
		f = probe(port, sw.config.ports[port].ipv4);
		memcpy(f.source, lab_outside_mac, 6);
		memcpy(f.arp_sender, lab_outside_mac, 6);
		passes(OF_UPLINK(UP_RESTRICTED), &f, SWITCH_PORT, port);
		b = lab_frame(&sw.config, port, port);
		memcpy(b.target, lab_outside_mac, 6);
		lab_arp(&b, false);
		memset(b.ip_target, 0, 4);
		passes(FROM_PORT(port), &b, SWITCH_UPLINK, UP_RESTRICTED);
	}
	f = probe(VISITOR, sw.config.ports[VISITOR].ipv4);
	memcpy(f.source, lab_outside_mac, 6);
	memcpy(f.arp_sender, lab_outside_mac, 6);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f, 1), NF_PEER_CLOSED);
}

/* A port may say that it is there, to the wire; but not in another's name. */
static void test_announcements_of_ports(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, BLUE);

	(void)state;
	lab_arp(&f, true);
	passes(FROM_PORT(BLUE), &f, SWITCH_UPLINK, UP_RESTRICTED);
	memcpy(f.ip_source, sw.config.ports[BLUE].gateway, 4);
	memcpy(f.ip_target, f.ip_source, 4);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_SPOOF_ARP);
	memcpy(f.ip_source, sw.config.ports[GREEN].ipv4, 4);
	memcpy(f.ip_target, f.ip_source, 4);
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_SPOOF_ARP);
	f = says(lab_outside_mac, sw.config.ports[GREEN].ipv4, true);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f, 1), NF_SPOOF_ARP);
}

/* The gateway's address moves to another MAC address: the network's open ports hear it, from their own uplink only. */
static void test_gateway_moves(void **state)
{
	static const uint8_t other_mac[6] = { 0x52, 0x54, 0, 9, 9, 9 }, host[4] = { 10, 0, 3, 77 };
	struct lab_frame f;
	bool hears[PORTS] = { [BLUE] = true, [GREEN] = true, [ATTESTOR] = true };

	(void)state;
	for (unsigned request = 0; request < 2; request++) {
		f = says(other_mac, sw.config.ports[BLUE].gateway, request != 0);
		assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f, 1 + request * SECOND), NF_PASS);
		assert_int_equal(to.kind, SWITCH_GATEWAY_OF);
		assert_int_equal(to.index, NET_RESTRICTED);
		for (unsigned i = 0; i < PORTS; i++)
			assert_int_equal(switch_hears(&sw, to, i, 1), hears[i]);
	}
	lab_up(&sw, GREEN, 2, 1);               /* in quarantine */
	assert_false(switch_hears(&sw, to, GREEN, 1));
	assert_false(switch_hears(&sw, to, BLUE, LEASE_MAX));
	assert_int_not_equal(send(OF_UPLINK(UP_UNTRUSTED), &f, 5 * SECOND), NF_PASS);
	f = says(lab_outside_mac, host, true);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f, 5 * SECOND), NF_NO_DESTINATION);
}

/* Who floods the wire with it gets ten a second through. */
static void test_gateway_flood(void **state)
{
	struct lab_frame f = says(lab_outside_mac, sw.config.ports[BLUE].gateway, true);
	unsigned passed = 0;

	(void)state;
	for (uint64_t now = SECOND; now < 11 * SECOND; now += SECOND / 1000)
		passed += send(OF_UPLINK(UP_RESTRICTED), &f, now) == NF_PASS;
	assert_in_range(passed, 95, 102);
	assert_int_equal(sw.uplinks[UP_RESTRICTED].dropped[NF_RATE], 10000 - passed);
}

/* The policy gives addresses; who asks for one is not answered, and counted as just that. */
static void test_dhcp(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, BLUE);

	(void)state;
	memset(f.target, 0xff, 6);
	memset(f.ip_source, 0, 4);
	memset(f.ip_target, 0xff, 4);
	f.l4_source = 68;
	f.l4_target = 67;
	assert_int_equal(send(FROM_PORT(BLUE), &f, 1), NF_DHCP);
	assert_int_equal(sw.ports[BLUE].counters.dropped[NF_DHCP], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_probes_of_ports, setup),
		cmocka_unit_test_setup(test_probes_from_outside, setup),
		cmocka_unit_test_setup(test_announcements_of_ports, setup),
		cmocka_unit_test_setup(test_gateway_moves, setup),
		cmocka_unit_test_setup(test_gateway_flood, setup),
		cmocka_unit_test_setup(test_dhcp, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
