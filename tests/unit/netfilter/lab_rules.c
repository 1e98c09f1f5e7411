/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_rules.h"

#include <string.h>

struct nswitch sw;
struct switch_end to;
const uint8_t host[4] = { 10, 0, 3, 77 }, other_host[4] = { 10, 0, 3, 78 };

void lab_rules(struct swconf *c)
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

int lab_rules_setup(void **state)
{
	static struct swconf config;

	(void)state;
	lab_config(&config);
	lab_rules(&config);
	lab_switch_of(&sw, &config);
	lab_admit(&sw, BLUE, 1, 0);
	lab_admit(&sw, GREEN, 1, 0);
	return 0;
}

enum nf_reason send(struct switch_end from, const struct lab_frame *f, uint64_t now)
{
	uint8_t bytes[FRAME_MAX];
	uint32_t length = lab_bytes(f, bytes);

	return switch_forward(&sw, from, bytes, length, now, &to);
}

struct lab_frame tcp(unsigned from, unsigned target, uint16_t source_port, uint16_t target_port, uint8_t flags)
{
	struct lab_frame f = lab_frame(&sw.config, from, target);

	f.kind = FRAME_TCP;
	f.l4_source = source_port;
	f.l4_target = target_port;
	f.tcp_flags = flags;
	return f;
}

struct lab_frame outwards(uint8_t kind, const uint8_t ip[4])
{
	struct lab_frame f = lab_frame(&sw.config, BLUE, BLUE);

	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, ip, 4);
	f.kind = kind;
	return f;
}

struct lab_frame back(const struct lab_frame *f)
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

/* --- TCP ---------------------------------------------------------------------------------------------------------- */

struct lab_frame lab_tcp_segment(const struct lab_tcp *t, unsigned from, uint8_t flags, uint16_t payload)
{
	struct lab_frame f = t->way[from];

	f.tcp_flags = flags;
	f.tcp_sequence = t->next[from];
	f.tcp_acknowledged = (flags & ACK) != 0 ? t->next[1 - from] : 0;
	f.tcp_window = t->window;
	f.payload = payload;
	return f;
}

enum nf_reason lab_tcp_send(struct lab_tcp *t, unsigned from, uint8_t flags, uint16_t payload, uint64_t now)
{
	struct lab_frame f = lab_tcp_segment(t, from, flags, payload);
	enum nf_reason reason = send(t->end[from], &f, now);

	if (reason == NF_PASS)
		t->next[from] += payload + ((flags & (SYN | FRAME_TCP_FIN)) != 0);
	return reason;
}

static struct lab_tcp lab_tcp(struct switch_end opener, struct switch_end other, struct lab_frame f)
{
	struct lab_tcp t = { .end = { opener, other }, .next = { 0xfffffff0, 70000 }, .window = 8192 };

	t.way[0] = f;
	t.way[1] = back(&f);
	return t;
}

struct lab_tcp lab_tcp_open(uint16_t port, uint64_t now)
{
	struct lab_tcp t = lab_tcp(FROM_PORT(BLUE), FROM_PORT(GREEN), tcp(BLUE, GREEN, port, 80, 0));

	assert_int_equal(lab_tcp_send(&t, 0, SYN, 0, now), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 1, SYN | ACK, 0, now), NF_PASS);
	assert_int_equal(lab_tcp_send(&t, 0, ACK, 0, now), NF_PASS);
	return t;
}

struct lab_tcp lab_tcp_from_host(uint16_t port)
{
	struct lab_frame f = lab_frame_in(&sw.config, host, BLUE);

	f.kind = FRAME_TCP;
	f.l4_source = port;
	f.l4_target = 22;
	return lab_tcp(FROM_UPLINK, FROM_PORT(BLUE), f);
}

enum nf_reason lab_tcp_talk(struct lab_tcp *t, uint64_t now)
{
	enum nf_reason forth = lab_tcp_send(t, 0, ACK, 1, now), return_way = lab_tcp_send(t, 1, ACK, 1, now);

	assert_true((forth == NF_PASS) == (return_way == NF_PASS));
	return forth;
}
