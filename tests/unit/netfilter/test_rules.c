/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall's decision: by hand where the order of rules matters, and on random rules against a walk over them that
 * is written straight from lazaret/switch.h.
 */
#include "lab.h"

#include <string.h>

#include "rules.h"

#define RULE_SETS 20000u
#define TUPLES 16u

static struct swconf config, loaded;
static struct nf_rules rules;
static uint64_t seed = 7;

static uint32_t roll(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

static bool is_ip(uint32_t address, const uint8_t ip[4])
{
	return address == ((uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3]);
}

static bool is_member(const struct lzr_switch_member *m, uint32_t address)
{
	unsigned bit;

	switch (m->kind) {
	case LZR_MEMBER_PORT:
		return is_ip(address, config.ports[m->port].ipv4);
	case LZR_MEMBER_OUTSIDE:
		for (unsigned p = 0; p < config.header.port_count; p++) {
			if (is_ip(address, config.ports[p].ipv4))
				return false;
		}
		return true;
	default:
		for (bit = 0; bit < m->bits; bit++) {
			if ((address >> (31 - bit) & 1) != (uint32_t)(m->ipv4[bit / 8] >> (7 - bit % 8) & 1))
				return false;
		}
		return true;
	}
}

static bool is_in_set(uint32_t set, uint32_t address)
{
	if (set == LZR_SWITCH_NONE)
		return true;
	for (uint32_t i = 0; i < config.sets[set].count; i++) {
		if (is_member(&config.members[config.sets[set].first + i], address))
			return true;
	}
	return false;
}

static bool is_service(uint32_t service, const struct nf_tuple *t)
{
	if (service == LZR_SWITCH_NONE)
		return true;
	for (uint32_t i = 0; i < config.services[service].count; i++) {
		const struct lzr_switch_match *m = &config.matches[config.services[service].first + i];

		if (m->protocol == t->protocol && t->target >= m->low && t->target <= m->high)
			return true;
	}
	return false;
}

static uint32_t walk(uint32_t network, const struct nf_tuple *t)
{
	for (uint32_t i = 0; i < config.networks[network].rule_count; i++) {
		const struct lzr_switch_rule *r = &config.rules[config.networks[network].rule_first + i];

		if (is_in_set(r->from, t->from) && is_in_set(r->to, t->to) && is_service(r->service, t))
			return config.networks[network].rule_first + i;
	}
	return LZR_SWITCH_NONE;
}

/* --- random rules ------------------------------------------------------------------------------------------------- */

static const uint8_t protocols[] = { 1, 6, 17 };

/* Few addresses and few ports, so that rules meet. */
static uint32_t random_address(void)
{
	if (roll(3) == 0) {
		const uint8_t *ip = config.ports[roll(PORTS)].ipv4;

		return (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
	}
	return roll(16) == 0 ? (roll(2) ? 0xffffffffu : 0) : 0x0a000000u | roll(5) << 8 | roll(32);
}

static uint16_t random_target(uint8_t protocol)
{
	static const uint16_t edges[] = { 0, 1, 79, 80, 81, 443, 255, 65534, 65535 };

	return (uint16_t)(protocol == 1 ? roll(256) : roll(2) ? edges[roll(9)] : roll(100));
}

static void random_member(struct lzr_switch_member *m)
{
	uint32_t address;

	memset(m, 0, sizeof(*m));
	m->kind = (uint8_t)(roll(4) == 0 ? LZR_MEMBER_PORT : roll(16) == 0 ? LZR_MEMBER_OUTSIDE : LZR_MEMBER_PREFIX);
	if (m->kind == LZR_MEMBER_PORT)
		m->port = roll(PORTS);
	if (m->kind != LZR_MEMBER_PREFIX)
		return;
	m->bits = (uint8_t)(roll(4) == 0 ? roll(33) : 24 + roll(9));
	address = random_address() & ~(uint32_t)(0xffffffffull >> m->bits);
	for (unsigned i = 0; i < 4; i++)
		m->ipv4[i] = (uint8_t)(address >> (24 - 8 * i));
}

static void random_sets(unsigned sets, unsigned services)
{
	struct lzr_switch_header *h = &config.header;

	h->set_count = sets;
	h->service_count = services;
	h->member_count = h->match_count = 0;
	for (unsigned i = 0; i < sets; i++) {
		config.sets[i] = (struct lzr_switch_set){ h->member_count, 1 + roll(4) };
		for (unsigned j = 0; j < config.sets[i].count; j++)
			random_member(&config.members[h->member_count++]);
	}
	for (unsigned i = 0; i < services; i++) {
		config.services[i] = (struct lzr_switch_service){ h->match_count, 1 + roll(2) };
		for (unsigned j = 0; j < config.services[i].count; j++) {
			uint8_t protocol = protocols[roll(3)];
			uint16_t a = random_target(protocol), b = roll(2) ? a : random_target(protocol);

			config.matches[h->match_count++] = (struct lzr_switch_match){
				.protocol = protocol, .low = a < b ? a : b, .high = a < b ? b : a };
		}
	}
}

static void random_rules(unsigned count)
{
	unsigned sets = 1 + roll(count < 40 ? 12 : LZR_SWITCH_MEMBER_MAX / 4);
	unsigned services = 1 + roll(count < 40 ? 8 : LZR_SWITCH_MATCH_MAX / 2), network = 0;

	random_sets(sets, services);
	config.header.rule_count = count;
	for (unsigned i = 0; i < NETWORKS; i++) {
		config.networks[i].flags = 0;
		config.networks[i].rule_count = 0;
	}
	for (unsigned i = 0; i < count; i++) {
		bool allow = roll(3) != 0;

		if (network + 1 < NETWORKS && roll(count) < NETWORKS)
			network++;
		config.networks[network].rule_count++;
		config.rules[i] = (struct lzr_switch_rule){
			.from = roll(5) == 0 ? LZR_SWITCH_NONE : roll(sets),
			.to = roll(5) == 0 ? LZR_SWITCH_NONE : roll(sets),
			.service = roll(5) == 0 ? LZR_SWITCH_NONE : roll(services),
			.action = allow ? LZR_RULE_ALLOW : LZR_RULE_DENY,
			.flags = allow && roll(4) == 0 ? LZR_RULE_STATELESS : 0,
		};
	}
	for (unsigned i = 1; i < NETWORKS; i++)
		config.networks[i].rule_first = config.networks[i - 1].rule_first + config.networks[i - 1].rule_count;
}

static void load_and_build(void)
{
	static struct lab_block block;
	const char *wrong;
	uint32_t where;

	lab_write(&config, &block);
	wrong = swconf_load(&loaded, block.bytes, block.size, &where);
	if (wrong != NULL)
		fail_msg("entry %u: %s", where, wrong);
	nf_rules_build(&rules, &loaded);
}

static void compare(unsigned round, unsigned *fits)
{
	uint8_t protocol = protocols[roll(3)];
	struct nf_tuple t = { random_address(), random_address(), protocol, random_target(protocol) };
	uint32_t network = roll(NETWORKS), expected = walk(network, &t);
	struct nf_decision d = nf_rules_decide(&rules, network, &t);
	bool allow = expected != LZR_SWITCH_NONE && config.rules[expected].action == LZR_RULE_ALLOW;
	bool stateless = expected != LZR_SWITCH_NONE && config.rules[expected].flags == LZR_RULE_STATELESS;

	if (d.rule != expected || d.allow != allow || d.stateless != stateless)
		fail_msg("round %u, network %u, %08x to %08x protocol %u target %u: rule %d, walk says %d", round,
			 network, t.from, t.to, t.protocol, t.target, (int)d.rule, (int)expected);
	*fits += expected != LZR_SWITCH_NONE;
}

static void test_against_walk(void **state)
{
	unsigned fits = 0;

	(void)state;
	lab_config(&config);
	for (unsigned round = 0; round < RULE_SETS; round++) {
		random_rules(round % 500 == 499 ? LZR_SWITCH_RULE_MAX : roll(30));
		load_and_build();
		for (unsigned i = 0; i < TUPLES; i++)
			compare(round, &fits);
	}
	/* The comparison is worth something only if both answers are frequent. */
	if (fits < RULE_SETS * TUPLES / 8 || fits > RULE_SETS * TUPLES / 8 * 7)
		fail_msg("%u of %u tuples fit a rule", fits, RULE_SETS * TUPLES);
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static struct nf_decision decide(uint32_t from, uint32_t to, uint8_t protocol, uint16_t target)
{
	struct nf_tuple t = { from, to, protocol, target };

	return nf_rules_decide(&rules, NET_RESTRICTED, &t);
}

/* deny 10.0.3.22 -> any tcp/80; allow any -> 10.0.3.0/24; in the other order the first would never be asked. */
static void test_order(void **state)
{
	const uint32_t blue = 0x0a000316, green = 0x0a000319;

	(void)state;
	lab_config(&config);
	config.networks[NET_RESTRICTED].flags = 0;
	config.networks[NET_RESTRICTED].rule_count = 2;
	for (unsigned i = NET_RESTRICTED + 1; i < NETWORKS; i++)
		config.networks[i].rule_first = 2;
	config.header.rule_count = 2;
	config.header.set_count = 2;
	config.header.member_count = 2;
	config.header.service_count = 1;
	config.header.match_count = 1;
	config.sets[0] = (struct lzr_switch_set){ 0, 1 };
	config.sets[1] = (struct lzr_switch_set){ 1, 1 };
	config.members[0] = (struct lzr_switch_member){ .kind = LZR_MEMBER_PORT, .port = BLUE };
	config.members[1] =
	    (struct lzr_switch_member){ .kind = LZR_MEMBER_PREFIX, .bits = 24, .ipv4 = { 10, 0, 3, 0 } };
	config.services[0] = (struct lzr_switch_service){ 0, 1 };
	config.matches[0] = (struct lzr_switch_match){ .protocol = 6, .low = 80, .high = 80 };
	config.rules[0] = (struct lzr_switch_rule){ 0, LZR_SWITCH_NONE, 0, LZR_RULE_DENY, 0, { 0 } };
	config.rules[1] = (struct lzr_switch_rule){ LZR_SWITCH_NONE, 1, LZR_SWITCH_NONE, LZR_RULE_ALLOW, 0, { 0 } };
	load_and_build();
	assert_false(decide(blue, green, 6, 80).allow);
	assert_int_equal(decide(blue, green, 6, 80).rule, 0);
	assert_true(decide(blue, green, 6, 81).allow);
	assert_true(decide(blue, green, 17, 80).allow);
	assert_true(decide(green, blue, 6, 80).allow);
	assert_int_equal(decide(blue, 0x0a000401, 6, 81).rule, LZR_SWITCH_NONE);
	assert_false(decide(blue, 0x0a000401, 6, 81).allow);
	config.rules[2] = config.rules[0];
	config.rules[0] = config.rules[1];
	config.rules[1] = config.rules[2];
	load_and_build();
	assert_true(decide(blue, green, 6, 80).allow);
	assert_int_equal(decide(blue, 0x0a000401, 6, 80).rule, 1);
}

/* A network of which nothing is said allows nothing. */
static void test_no_rules(void **state)
{
	(void)state;
	lab_config(&config);
	config.networks[NET_RESTRICTED].flags = 0;
	load_and_build();
	assert_false(rules.all[NET_RESTRICTED]);
	assert_true(rules.nothing[NET_RESTRICTED]);
	assert_true(rules.all[NET_SECRET]);
	assert_false(rules.nothing[NET_SECRET]);
	assert_false(decide(1, 2, 6, 80).allow);
	assert_int_equal(decide(1, 2, 6, 80).rule, LZR_SWITCH_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_against_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
