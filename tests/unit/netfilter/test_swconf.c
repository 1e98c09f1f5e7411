/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: the good one, and one refusal for every check. */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include <lazaret/policy.h>

#include "rate.h"

static struct swconf good, loaded;

/* The lab's site with some of everything that a firewall has, on RESTRICTED. */
static void make_good(void)
{
	lab_config(&good);
	good.ports[GREEN].inspection = BLUE;
	good.ports[GREEN].inspection_rate = 10;
	good.networks[NET_RESTRICTED].flags = 0;
	good.networks[NET_RESTRICTED].rule_count = 2;
	good.networks[NET_UNTRUSTED].rule_first = good.networks[NET_OTHER].rule_first = 2;
	good.header.rule_count = good.header.set_count = good.header.service_count = 2;
	good.header.member_count = 3;
	good.header.match_count = 4;
	good.rules[0] = (struct lzr_switch_rule){ 0, 1, 0, LZR_RULE_ALLOW, LZR_RULE_STATELESS, { 0 } };
	good.rules[1] = (struct lzr_switch_rule){ LZR_SWITCH_NONE, LZR_SWITCH_NONE, 1, LZR_RULE_DENY, 0, { 0 } };
	good.sets[0] = (struct lzr_switch_set){ 0, 2 };
	good.sets[1] = (struct lzr_switch_set){ 2, 1 };
	good.members[0] =
	    (struct lzr_switch_member){ .kind = LZR_MEMBER_PREFIX, .bits = 24, .ipv4 = { 10, 0, 3, 0 } };
	good.members[1] = (struct lzr_switch_member){ .kind = LZR_MEMBER_PORT, .port = GREEN };
	good.members[2] = (struct lzr_switch_member){ .kind = LZR_MEMBER_OUTSIDE };
	good.services[0] = (struct lzr_switch_service){ 0, 2 };
	good.services[1] = (struct lzr_switch_service){ 2, 2 };
	good.matches[0] = (struct lzr_switch_match){ 6, 0, 80, 80, 0 };
	good.matches[1] = (struct lzr_switch_match){ 1, 0, 8, 8, 0 };
	good.matches[2] = (struct lzr_switch_match){ 17, 0, 53, 53, 0 };
	good.matches[3] = (struct lzr_switch_match){ 6, 0, 1, 65535, 0 };
}

/* Loads an exact copy on the heap, so that the sanitizer sees any read beyond. */
static const char *load(const struct lab_block *block, uint32_t size)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);
	const char *wrong;
	uint32_t where;

	assert_non_null(copy);
	memcpy(copy, block->bytes, size);
	wrong = swconf_load(&loaded, copy, size, &where);
	free(copy);
	return wrong;
}

static const char *load_config(const struct swconf *config)
{
	struct lab_block block;

	lab_write(config, &block);
	return load(&block, block.size);
}

static void test_good(void **state)
{
	(void)state;
	make_good();
	assert_null(load_config(&good));
	assert_memory_equal(loaded.ports, good.ports, sizeof(good.ports));
	assert_memory_equal(loaded.endpoints, good.endpoints, sizeof(good.endpoints));
	assert_memory_equal(loaded.networks, good.networks, sizeof(good.networks));
	assert_memory_equal(loaded.uplinks, good.uplinks, sizeof(good.uplinks));
	assert_memory_equal(loaded.rules, good.rules, sizeof(good.rules));
	assert_memory_equal(loaded.sets, good.sets, sizeof(good.sets));
	assert_memory_equal(loaded.members, good.members, sizeof(good.members));
	assert_memory_equal(loaded.services, good.services, sizeof(good.services));
	assert_memory_equal(loaded.matches, good.matches, sizeof(good.matches));
}

static void test_every_truncation(void **state)
{
	struct lab_block block;
	uint32_t size;

	(void)state;
	make_good();
	lab_write(&good, &block);
	for (size = 0; size < block.size; size++)
		assert_non_null(load(&block, size));
}

#define FIELD(member, value, text)                                                                                     \
	{                                                                                                              \
		offsetof(struct swconf, member), sizeof(((struct swconf *)0)->member), value, text                     \
	}

/* A second infrastructure port: the attestor knows of one. */
static void test_second_infrastructure(void **state)
{
	struct lzr_switch_port *second = &good.ports[ALONE];

	(void)state;
	make_good();
	second->kind = LZR_PORT_ATTESTOR;
	second->lease_end = second->verifiers = 0;
	second->lease_max_ns = 0;
	assert_non_null(strstr(load_config(&good), "infrastructure; nothing serves"));
}

static const struct {
	size_t offset, size;
	uint64_t value;
	const char *text;
} rows[] = {
	FIELD(header.magic[6], '2', "magic"),
	FIELD(header.version, 1, "version"),
	FIELD(header.version, 2, "version"),
	FIELD(header.network_count, 0, "networks"),
	FIELD(header.network_count, 33, "networks"),
	FIELD(header.network_count, 0x80000000u, "networks"),
	FIELD(header.uplink_count, 5, "uplinks"),
	FIELD(header.port_count, 0, "ports"),
	FIELD(header.port_count, 65, "ports"),
	FIELD(header.port_count, 0xffffffffu, "ports"),
	FIELD(header.endpoint_count, 33, "endpoints"),
	FIELD(header.control_pair, 128, "control pair"),
	FIELD(header.control_pair, 2, "control pair"),
	FIELD(header.reserved, 1, "reserved"),
	FIELD(header.nonce_interval_ns, ~0ull, "least time"),
	FIELD(networks[1].flags, 2, "flags"),
	FIELD(networks[1].label.reserved[3], 1, "reserved"),
	FIELD(networks[1].name[0], 0, "network name"),
	FIELD(networks[1].name[47], 'x', "network name"),
	FIELD(networks[1].uplink, 2, "does not exist"),
	FIELD(networks[0].uplink, 0, "name each other"),
	FIELD(networks[1].uplink, LZR_SWITCH_NONE, "name each other"),
	FIELD(uplinks[0].slot, 0, "slot"),
	FIELD(uplinks[0].slot, 32, "slot"),
	FIELD(uplinks[0].slot, 5, "one slot"),
	FIELD(uplinks[1].network, 4, "name each other"),
	FIELD(uplinks[1].name[0], 0, "uplink name"),
	FIELD(ports[1].kind, 0, "kind"),
	FIELD(ports[1].kind, 3, "kind"),
	FIELD(ports[1].pair, 128, "queue pair"),
	FIELD(ports[1].pair, PORTS, "queue pair"),
	FIELD(ports[1].pair, 0, "one queue pair"),
	FIELD(ports[1].vm, LZR_VM_MAX, "VM number"),
	FIELD(ports[1].vm, RED + 3, "one VM's"),
	FIELD(ports[6].vm, BLUE + 3, "one VM's"),
	FIELD(ports[1].network, 4, "network does not exist"),
	FIELD(ports[1].mac[0], 3, "group"),
	FIELD(ports[1].mac[5], 0, "one MAC"),
	FIELD(ports[1].ipv4[0], 0, "IPv4"),
	FIELD(ports[1].ipv4[0], 127, "IPv4"),
	FIELD(ports[1].ipv4[0], 224, "IPv4"),
	FIELD(ports[1].ipv4[3], 20, "one IPv4"),
	FIELD(ports[2].gateway[0], 255, "gateway"),
	FIELD(ports[2].gateway[3], 22, "gateway address is a port's"),
	FIELD(ports[1].reserved, 1, "reserved"),
	FIELD(networks[1].reserved, 1, "reserved"),
	FIELD(networks[1].bandwidth, RATE_BANDWIDTH_MIN - 1, "bandwidth"),
	FIELD(networks[1].bandwidth, RATE_BANDWIDTH_MAX + 1, "bandwidth"),
	FIELD(networks[1].rule_first, 1, "network's rules"),
	FIELD(networks[1].rule_count, 3, "network's rules"),
	FIELD(networks[1].rule_count, 1, "network's rules"),
	FIELD(networks[1].flags, LZR_NETWORK_ALLOW_ALL, "has rules and allows all"),
	FIELD(networks[3].rule_count, 0xffffffffu, "network's rules"),
	FIELD(ports[1].bandwidth, RATE_BANDWIDTH_MIN - 1, "bandwidth"),
	FIELD(ports[1].bandwidth, ~0ull, "bandwidth"),
	FIELD(ports[1].lease_end, 0, "lease's end"),
	FIELD(ports[1].lease_end, 3, "lease's end"),
	FIELD(ports[1].verifiers, 0, "verifier key does not exist"),
	FIELD(ports[1].verifiers, 2, "verifier key does not exist"),
	FIELD(ports[1].lease_max_ns, 0, "longest lease"),
	FIELD(ports[1].lease_max_ns, ~0ull, "longest lease"),
	FIELD(ports[1].inspection_rate, 1, "has a rate"),
	FIELD(ports[1].inspection, 0, "has no rate"),
	FIELD(ports[1].inspection, 1, "is itself"),
	FIELD(ports[1].inspection, PORTS, "does not exist"),
	FIELD(ports[1].inspection, BLUE, "another network"),
	FIELD(ports[2].inspection, ATTESTOR, "infrastructure"),
	FIELD(ports[2].inspection, GREEN, "inspected itself"),
	FIELD(ports[4].inspection, BLUE, "the port is infrastructure"),
	FIELD(ports[4].lease_end, 1, "takes leases"),
	FIELD(ports[4].verifiers, 1, "takes leases"),
	FIELD(ports[4].lease_max_ns, 1, "takes leases"),
	FIELD(header.rule_count, LZR_SWITCH_RULE_MAX + 1, "rules"),
	FIELD(header.set_count, LZR_SWITCH_SET_MAX + 1, "sets"),
	FIELD(header.member_count, LZR_SWITCH_MEMBER_MAX + 1, "members"),
	FIELD(header.service_count, LZR_SWITCH_SERVICE_MAX + 1, "services"),
	FIELD(header.match_count, LZR_SWITCH_MATCH_MAX + 1, "matches"),
	FIELD(header.rule_count, 0xffffffffu, "rules"),
	FIELD(header.verifier_count, 0, "verifier keys"),
	FIELD(header.verifier_count, LZR_SWITCH_VERIFIER_MAX + 1, "verifier keys"),
	FIELD(header.verifier_count, 2, "key is missing"),
	FIELD(header.verifiers[1].x[3], 1, "beyond their number"),
	FIELD(rules[1].action, 0, "action"),
	FIELD(rules[1].action, 3, "action"),
	FIELD(rules[0].flags, 2, "flags"),
	FIELD(rules[1].flags, LZR_RULE_STATELESS, "it denies and is stateless"),
	FIELD(rules[0].reserved[1], 1, "reserved"),
	FIELD(rules[0].from, 2, "set does not exist"),
	FIELD(rules[0].to, 2, "set does not exist"),
	FIELD(rules[0].service, 2, "service does not exist"),
	FIELD(sets[0].first, 1, "members are not those"),
	FIELD(sets[0].count, 0, "set is empty"),
	FIELD(sets[0].count, 1, "members are not those"),
	FIELD(sets[1].count, 2, "some belong to none"),
	FIELD(sets[1].count, 4, "members are not those"),
	FIELD(sets[1].count, 0xffffffffu, "members are not those"),
	FIELD(members[0].kind, 0, "kind"),
	FIELD(members[0].kind, 4, "kind"),
	FIELD(members[0].reserved[1], 1, "reserved"),
	FIELD(members[0].bits, 33, "prefix"),
	FIELD(members[0].bits, 23, "prefix"),
	FIELD(members[0].ipv4[3], 1, "prefix"),
	FIELD(members[1].port, PORTS, "port does not exist"),
	FIELD(members[1].bits, 1, "port does not exist"),
	FIELD(members[2].port, 1, "outside"),
	FIELD(members[2].bits, 1, "outside"),
	FIELD(services[0].first, 1, "matches are not those"),
	FIELD(services[0].count, 0, "service is empty"),
	FIELD(services[1].count, 3, "matches are not those"),
	FIELD(services[1].count, 1, "some belong to none"),
	FIELD(matches[0].protocol, 2, "protocol"),
	FIELD(matches[0].low, 81, "backwards"),
	FIELD(matches[1].high, 256, "beyond ICMP"),
	FIELD(matches[0].reserved, 1, "reserved"),
	FIELD(matches[0].reserved2, 1, "reserved"),
	FIELD(endpoints[0].port, PORTS, "not an infrastructure"),
	FIELD(endpoints[0].port, BLUE, "not an infrastructure"),
	FIELD(endpoints[0].uplink, 2, "uplink does not exist"),
	FIELD(endpoints[0].uplink, 1, "another network's than its port"),
	FIELD(ports[4].network, 2, "another network's than its port"),
	FIELD(endpoints[0].ipv4[0], 0, "IPv4"),
	FIELD(endpoints[0].ipv4[3], 22, "is a port's"),
	FIELD(endpoints[0].protocol, 1, "neither TCP nor UDP"),
	FIELD(endpoints[0].l4port, 0, "neither TCP nor UDP"),
	FIELD(endpoints[0].reserved, 1, "reserved"),
};

static void test_each_refusal(void **state)
{
	struct swconf config;
	const char *wrong;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_good();
		config = good;
		memcpy((uint8_t *)&config + rows[i].offset, &rows[i].value, rows[i].size);
		/* Counts are changed in the block alone: the arrays stay. */
		if (rows[i].offset < sizeof(config.header)) {
			struct lab_block block;

			lab_write(&good, &block);
			memcpy(block.bytes + rows[i].offset, &rows[i].value, rows[i].size);
			wrong = load(&block, block.size);
		} else {
			wrong = load_config(&config);
		}
		if (wrong == NULL || strstr(wrong, rows[i].text) == NULL)
			fail_msg("row %u (%s): %s", i, rows[i].text, wrong == NULL ? "accepted" : wrong);
	}
}

static void test_wrong_size(void **state)
{
	struct lab_block block;
	uint32_t size;

	(void)state;
	make_good();
	lab_write(&good, &block);
	for (size = block.size - 1; size <= block.size + 1; size += 2) {
		memcpy(block.bytes + offsetof(struct lzr_switch_header, size), &size, sizeof(size));
		assert_non_null(load(&block, block.size));
		assert_non_null(load(&block, sizeof(block.bytes)));
	}
}

static void test_no_key(void **state)
{
	struct swconf config;

	(void)state;
	lab_config(&config);
	memset(config.header.verifiers, 0, sizeof(config.header.verifiers));
	assert_string_equal(load_config(&config), "verifier key is missing");
}

/* Two names that are one, and two networks that claim one uplink. */
static void test_twins(void **state)
{
	struct swconf config;

	(void)state;
	lab_config(&config);
	memcpy(config.networks[3].name, config.networks[0].name, LZR_NAME_MAX);
	assert_non_null(load_config(&config));
	lab_config(&config);
	config.networks[3].uplink = 0;
	assert_non_null(load_config(&config));
	lab_config(&config);
	memset(config.ports[1].mac, 0, 6);
	assert_non_null(load_config(&config));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),       cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_each_refusal), cmocka_unit_test(test_wrong_size),
		cmocka_unit_test(test_no_key),     cmocka_unit_test(test_twins),
		cmocka_unit_test(test_second_infrastructure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
