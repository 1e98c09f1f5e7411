/* SPDX-License-Identifier: Apache-2.0 */
/* The infrastructure port: what it may open, what comes back to it, and nothing else. */
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

/* To the listed endpoint, by the listed protocol and port, on the listed uplink; and back. */
static void test_infrastructure_endpoint(void **state)
{
	struct lab_frame f = lab_frame(&sw.config, ATTESTOR, ATTESTOR);
	uint8_t ip[4];

	(void)state;
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, lab_verifier_ip, 4);
	f.kind = FRAME_TCP;
	f.l4_target = LAB_VERIFIER_PORT;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_STATE);
	f.tcp_flags = FRAME_TCP_SYN;
	passes(FROM_PORT(ATTESTOR), &f, SWITCH_UPLINK, UP_RESTRICTED);
	f.tcp_flags = FRAME_TCP_ACK;
	passes(FROM_PORT(ATTESTOR), &f, SWITCH_UPLINK, UP_RESTRICTED);
	f.l4_target++;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
	f.l4_target--;
	f.fragment = 0x2000;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
	f.fragment = 0;
	f.kind = FRAME_UDP;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
	f.kind = FRAME_ICMP;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
	f.kind = FRAME_TCP;
	f.ip_target[3]++;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
	f.ip_target[3]--;
	memcpy(ip, lab_verifier_ip, 4);
	lab_arp(&f, true);
	passes(FROM_PORT(ATTESTOR), &f, SWITCH_UPLINK, UP_RESTRICTED);
	memcpy(f.ip_target, sw.config.ports[ATTESTOR].gateway, 4);
	passes(FROM_PORT(ATTESTOR), &f, SWITCH_UPLINK, UP_RESTRICTED);
	f.ip_target[3] = 78;
	assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
	/* Its second endpoint, by UDP. */
	f = lab_frame(&sw.config, ATTESTOR, ATTESTOR);
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, (const uint8_t[]){ 10, 0, 2, 9 }, 4);
	f.l4_target = 500;
	passes(FROM_PORT(ATTESTOR), &f, SWITCH_UPLINK, UP_RESTRICTED);
}

static void test_infrastructure_answers(void **state)
{
	struct lab_frame f = lab_frame_in(&sw.config, lab_verifier_ip, ATTESTOR), out;

	(void)state;
	f.kind = FRAME_TCP;
	f.l4_source = LAB_VERIFIER_PORT;
	f.tcp_flags = FRAME_TCP_SYN | FRAME_TCP_ACK;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
	out = lab_frame(&sw.config, ATTESTOR, ATTESTOR);
	memcpy(out.target, lab_outside_mac, 6);
	memcpy(out.ip_target, lab_verifier_ip, 4);
	out.kind = FRAME_TCP;
	out.l4_source = f.l4_target;
	out.l4_target = LAB_VERIFIER_PORT;
	out.tcp_flags = FRAME_TCP_SYN;
	passes(FROM_PORT(ATTESTOR), &out, SWITCH_UPLINK, UP_RESTRICTED);
	passes(OF_UPLINK(UP_RESTRICTED), &f, SWITCH_PORT, ATTESTOR);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_ENDPOINT);
	f.l4_source++;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_ENDPOINT);
	lab_arp(&f, true);
	passes(OF_UPLINK(UP_RESTRICTED), &f, SWITCH_PORT, ATTESTOR);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_ENDPOINT);
	f.ip_source[3]++;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_ENDPOINT);
	f = lab_frame_in(&sw.config, lab_verifier_ip, ATTESTOR);
	f.kind = FRAME_TCP;
	f.l4_source = LAB_VERIFIER_PORT;
	port_down(&sw.ports[ATTESTOR]);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_PEER_CLOSED);
}

/* It opens outwards: whatever comes from the verifier's address and port that it did not ask for is dropped. */
static void test_infrastructure_opens_outwards(void **state)
{
	static const uint8_t flags[] = { FRAME_TCP_SYN, FRAME_TCP_SYN | FRAME_TCP_ACK, FRAME_TCP_ACK, FRAME_TCP_RST };
	struct lab_frame f = lab_frame_in(&sw.config, lab_verifier_ip, ATTESTOR), out;

	(void)state;
	f.kind = FRAME_TCP;
	f.l4_source = LAB_VERIFIER_PORT;
	for (unsigned i = 0; i < sizeof(flags); i++) {
		f.l4_target = 22;
		f.tcp_flags = flags[i];
		assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
	}
	/* UDP, by its second endpoint: the same. */
	f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 2, 9 }, ATTESTOR);
	f.l4_source = 500;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
	out = lab_frame(&sw.config, ATTESTOR, ATTESTOR);
	memcpy(out.target, lab_outside_mac, 6);
	memcpy(out.ip_target, f.ip_source, 4);
	out.l4_source = f.l4_target;
	out.l4_target = 500;
	passes(FROM_PORT(ATTESTOR), &out, SWITCH_UPLINK, UP_RESTRICTED);
	passes(OF_UPLINK(UP_RESTRICTED), &f, SWITCH_PORT, ATTESTOR);
	f.l4_target++;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
	/* Another instance of it has no part in that. */
	f.l4_target--;
	lab_up(&sw, ATTESTOR, 2, 1);
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
}

/* Path MTU: a router says that a packet of its connection was too big.  Of ICMP nothing else gets there. */
static void test_infrastructure_path_mtu(void **state)
{
	struct lab_frame f = lab_frame_in(&sw.config, (const uint8_t[]){ 10, 0, 7, 7 }, ATTESTOR), out;

	(void)state;
	out = lab_frame(&sw.config, ATTESTOR, ATTESTOR);
	memcpy(out.target, lab_outside_mac, 6);
	memcpy(out.ip_target, lab_verifier_ip, 4);
	out.kind = FRAME_TCP;
	out.l4_target = LAB_VERIFIER_PORT;
	out.tcp_flags = FRAME_TCP_SYN;
	f.kind = FRAME_ICMP;
	f.icmp_type = FRAME_ICMP_UNREACHABLE;
	f.icmp_code = FRAME_ICMP_TOO_BIG;
	f.about = &out;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
	passes(FROM_PORT(ATTESTOR), &out, SWITCH_UPLINK, UP_RESTRICTED);
	passes(OF_UPLINK(UP_RESTRICTED), &f, SWITCH_PORT, ATTESTOR);
	assert_int_equal(send(OF_UPLINK(UP_UNTRUSTED), &f), NF_ENDPOINT);
	for (unsigned code = 0; code < 16; code++) {
		f.icmp_code = (uint8_t)code;
		if (code != FRAME_ICMP_TOO_BIG)
			assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_ENDPOINT);
	}
	f.icmp_code = FRAME_ICMP_TOO_BIG;
	for (unsigned type = 0; type < 256; type++) {
		f.icmp_type = (uint8_t)type;
		if (type != FRAME_ICMP_UNREACHABLE)
			assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_ENDPOINT);
	}
	f.icmp_type = FRAME_ICMP_UNREACHABLE;
	out.tcp_sequence += 5000000;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
	out.tcp_sequence -= 5000000;
	out.l4_source++;
	assert_int_equal(send(OF_UPLINK(UP_RESTRICTED), &f), NF_STATE);
}

/* No port reaches the attestor's, and it reaches no port, whatever the state. */
static void test_infrastructure_and_guests(void **state)
{
	struct lab_frame f;
	unsigned i;

	(void)state;
	for (i = 0; i < PORTS; i++) {
		if (i == ATTESTOR)
			continue;
		f = lab_frame(&sw.config, ATTESTOR, i);
		f.kind = FRAME_TCP;
		f.l4_target = LAB_VERIFIER_PORT;
		assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
		memcpy(f.ip_target, lab_verifier_ip, 4);
		assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
		lab_arp(&f, true);
		memcpy(f.ip_target, sw.config.ports[i].ipv4, 4);
		assert_int_equal(send(FROM_PORT(ATTESTOR), &f), NF_ENDPOINT);
		f = lab_frame(&sw.config, i, ATTESTOR);
		f.kind = FRAME_TCP;
		f.l4_source = LAB_VERIFIER_PORT;
		assert_int_not_equal(send(FROM_PORT(i), &f), NF_PASS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_infrastructure_endpoint, setup),
		cmocka_unit_test_setup(test_infrastructure_answers, setup),
		cmocka_unit_test_setup(test_infrastructure_opens_outwards, setup),
		cmocka_unit_test_setup(test_infrastructure_path_mtu, setup),
		cmocka_unit_test_setup(test_infrastructure_and_guests, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
