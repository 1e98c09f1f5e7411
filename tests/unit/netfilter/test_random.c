/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forwarding decision against a reference that is too simple to be wrong in the same way: it never sees bytes, only
 * what the generator meant, and asks for each end in turn whether the frame may go there.
 */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 300000u

static struct nswitch sw;
static bool open[PORTS];        /* admitted, or the attestor up */
static uint64_t random_state = 42;

static unsigned roll(unsigned sides)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(random_state >> 33) % sides;
}

static bool same(const uint8_t *a, const uint8_t *b, unsigned n)
{
	return memcmp(a, b, n) == 0;
}

static bool is_arp(const struct lab_frame *f)
{
	return f->kind <= FRAME_ARP_REPLY;
}

/* --- the reference ------------------------------------------------------------------------------------------------ */

/* Is the frame addressed to port `p`: by MAC and IPv4, or an ARP request for its address to everybody? */
static bool is_for(const struct lab_frame *f, unsigned p)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct lzr_switch_port *c = &sw.config.ports[p];

	if (!same(f->ip_target, c->ipv4, 4))
		return false;
	return same(f->target, c->mac, 6) || (f->kind == FRAME_ARP_REQUEST && same(f->target, everybody, 6));
}

static bool is_for_outside(const struct lab_frame *f)
{
	unsigned p;

	for (p = 0; p < PORTS; p++) {
		if (same(f->target, sw.config.ports[p].mac, 6) || same(f->ip_target, sw.config.ports[p].ipv4, 4))
			return false;
	}
	return (f->target[0] & 1) == 0 || (f->kind == FRAME_ARP_REQUEST && f->target[0] == 0xff);
}

static bool is_honest(const struct lab_frame *f, unsigned p)
{
	return same(f->source, sw.config.ports[p].mac, 6) && same(f->ip_source, sw.config.ports[p].ipv4, 4);
}

static bool is_outsider(const struct lab_frame *f)
{
	unsigned p;

	for (p = 0; p < PORTS; p++) {
		if (same(f->source, sw.config.ports[p].mac, 6) || same(f->ip_source, sw.config.ports[p].ipv4, 4))
			return false;
	}
	return true;
}

/* What the attestor has opened: by TCP, by UDP, from its port 500 or the other. */
static bool opened[2][2];

static bool *opening(const struct lab_frame *f, unsigned own_port)
{
	return &opened[f->kind == FRAME_TCP][own_port == 500];
}

/* A SYN alone, and any datagram, opens outwards and never inwards. */
static bool opens(const struct lab_frame *f)
{
	return f->kind != FRAME_TCP || f->tcp_flags == FRAME_TCP_SYN;
}

/* The attestor's two endpoints and its gateway, spelled out. */
static bool may_attest(const struct lab_frame *f, unsigned uplink, const uint8_t ip[4], unsigned l4port)
{
	static const uint8_t gateway[4] = { 10, 0, 3, 2 }, second[4] = { 10, 0, 2, 9 };

	if (uplink == UP_RESTRICTED && same(ip, gateway, 4))
		return is_arp(f);
	if (uplink == UP_RESTRICTED && same(ip, lab_verifier_ip, 4))
		return is_arp(f) || (f->kind == FRAME_TCP && f->fragment == 0 && l4port == LAB_VERIFIER_PORT);
	if (uplink == UP_RESTRICTED && same(ip, second, 4))
		return is_arp(f) || (f->kind == FRAME_UDP && f->fragment == 0 && l4port == 500);
	return false;
}

/* Whoever else has a port's address is outside. */
static bool is_about_itself(const struct lab_frame *f, unsigned p)
{
	return f->kind == FRAME_ARP_REQUEST && f->target[0] == 0xff && same(f->ip_target, sw.config.ports[p].ipv4, 4);
}

/* The gateway's address has another place: that is for all of its network, ten times a second. */
static bool is_news(const struct lab_frame *f, unsigned uplink)
{
	static const uint8_t gateways[UPLINKS][4] = { { 10, 0, 3, 2 }, { 10, 0, 2, 2 } };

	return f->kind == FRAME_ARP_REQUEST && f->target[0] == 0xff && is_outsider(f) &&
	       same(f->ip_source, gateways[uplink], 4) && same(f->ip_target, gateways[uplink], 4);
}

static bool port_may_send_to_port(const struct lab_frame *f, unsigned from, unsigned p)
{
	return from != p && from != ATTESTOR && p != ATTESTOR && open[from] && open[p] && is_honest(f, from) &&
	       is_for(f, p) && sw.config.ports[from].network == sw.config.ports[p].network;
}

static bool port_may_send_out(const struct lab_frame *f, unsigned from, unsigned uplink)
{
	if (!open[from] || !is_honest(f, from))
		return false;
	if (is_about_itself(f, from))
		return sw.config.networks[sw.config.ports[from].network].uplink == uplink;
	if (!is_for_outside(f))
		return false;
	if (from == ATTESTOR)
		return may_attest(f, uplink, f->ip_target, f->l4_target) &&
		       (is_arp(f) || opens(f) || *opening(f, f->l4_source));
	return sw.config.uplinks[uplink].network == sw.config.ports[from].network;
}

static bool uplink_may_send_to_port(const struct lab_frame *f, unsigned uplink, unsigned p)
{
	if (!open[p] || !is_outsider(f) || !is_for(f, p))
		return false;
	if (p == ATTESTOR)
		return may_attest(f, uplink, f->ip_source, f->l4_source) &&
		       (is_arp(f) || (*opening(f, f->l4_target) && (f->kind != FRAME_TCP || !opens(f))));
	return sw.config.uplinks[uplink].network == sw.config.ports[p].network;
}

/* --- the comparison ----------------------------------------------------------------------------------------------- */

static void random_address(uint8_t mac[6], uint8_t ip[4])
{
	static const uint8_t ips[][4] = {{10, 0, 3, 9}, {10, 0, 2, 9}, {10, 0, 3, 2}, {10, 0, 2, 2}, {10, 0, 1, 50}};
	unsigned who = roll(PORTS + 3);

	if (who < PORTS) {
		memcpy(mac, sw.config.ports[who].mac, 6);
		memcpy(ip, sw.config.ports[who].ipv4, 4);
	} else {
		memcpy(mac, lab_outside_mac, 6);
		memcpy(ip, ips[roll(5)], 4);
	}
	if (roll(8) == 0)
		memcpy(ip, sw.config.ports[roll(PORTS)].ipv4, 4);
}

static struct lab_frame random_frame(struct switch_end from)
{
	struct lab_frame f = { .type = 0x0800, .kind = (uint8_t)(FRAME_ARP_REQUEST + roll(5)) };

	random_address(f.target, f.ip_target);
	random_address(f.source, f.ip_source);
	if (roll(4) != 0 && from.kind == SWITCH_PORT) {
		memcpy(f.source, sw.config.ports[from.index].mac, 6);
		memcpy(f.ip_source, sw.config.ports[from.index].ipv4, 4);
	} else if (roll(4) != 0) {
		memcpy(f.source, lab_outside_mac, 6);
	}
	f.l4_source = (uint16_t)(roll(2) ? LAB_VERIFIER_PORT : 500);
	f.l4_target = (uint16_t)(roll(2) ? LAB_VERIFIER_PORT : 500);
	f.tcp_flags = (const uint8_t[]){ 0, FRAME_TCP_SYN, FRAME_TCP_ACK, FRAME_TCP_SYN | FRAME_TCP_ACK }[roll(4)];
	if (roll(8) == 0)
		f.fragment = 0x2000;
	if (is_arp(&f)) {
		f.fragment = 0;
		lab_arp(&f, f.kind == FRAME_ARP_REQUEST);
		if (f.kind == FRAME_ARP_REQUEST && roll(3) == 0)
			memcpy(f.target, sw.config.ports[roll(PORTS)].mac, 6);
	} else if (roll(16) == 0) {
		memset(f.target, roll(2) ? 0xff : 0x33, 6);
	}
	return f;
}

static void compare(unsigned *passed, unsigned *news)
{
	struct switch_end from, to = { 0, 0 };
	uint8_t bytes[FRAME_MAX];
	struct lab_frame f;
	unsigned i, ways = 0;
	bool found = false, allowed;
	enum nf_reason reason;

	from.kind = roll(4) == 0 ? SWITCH_UPLINK : SWITCH_PORT;
	from.index = (uint8_t)roll(from.kind == SWITCH_PORT ? PORTS : UPLINKS);
	f = random_frame(from);
	reason = switch_forward(&sw, from, bytes, lab_bytes(&f, bytes), 1, &to);
	if (from.kind == SWITCH_UPLINK && is_news(&f, from.index)) {
		assert_true(reason == NF_RATE || (reason == NF_PASS && to.kind == SWITCH_GATEWAY_OF &&
						  to.index == sw.config.uplinks[from.index].network));
		*news += 1;
		return;
	}
	for (i = 0; i < PORTS; i++) {
		allowed = from.kind == SWITCH_PORT ? port_may_send_to_port(&f, from.index, i)
						   : uplink_may_send_to_port(&f, from.index, i);
		ways += allowed;
		found |= allowed && to.kind == SWITCH_PORT && to.index == i;
	}
	for (i = 0; i < UPLINKS && from.kind == SWITCH_PORT; i++) {
		allowed = port_may_send_out(&f, from.index, i);
		ways += allowed;
		found |= allowed && to.kind == SWITCH_UPLINK && to.index == i;
	}
	assert_true(ways <= 1);
	if ((reason == NF_PASS) != (ways == 1) || (reason == NF_PASS && !found))
		fail_msg("from %u/%u kind %u: reason %u to %u/%u, reference %u ways", from.kind, from.index, f.kind,
			 reason, to.kind, to.index, ways);
	*passed += reason == NF_PASS;
	if (reason == NF_PASS && from.kind == SWITCH_PORT && from.index == ATTESTOR && !is_arp(&f))
		*opening(&f, f.l4_source) = true;
}

static void test_against_reference(void **state)
{
	unsigned round, passed = 0, news = 0, p;

	(void)state;
	lab_switch(&sw);
	for (p = 0; p < PORTS; p++) {
		if (p == ATTESTOR)
			lab_up(&sw, p, 1, 0);
		else
			lab_admit(&sw, p, 1, 0);
	}
	for (round = 0; round < ROUNDS; round++) {
		if (round % 64 == 0) {
			for (p = 0; p < PORTS; p++) {
				static const enum lzr_port_state closed[] = { LZR_PORT_DOWN, LZR_PORT_QUARANTINED,
									      LZR_PORT_BLOCKED };

				open[p] = roll(4) != 0;
				sw.ports[p].state = !open[p]	    ? closed[p == ATTESTOR ? 0 : roll(3)]
						    : p == ATTESTOR ? LZR_PORT_INFRASTRUCTURE
								    : LZR_PORT_ADMITTED;
			}
		}
		compare(&passed, &news);
	}
	/* The comparison is worth something only if both answers are frequent. */
	assert_true(news > 0 && opened[0][0] && opened[1][0]);
	assert_true(passed > ROUNDS / 50 && passed < ROUNDS - ROUNDS / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_reference) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
