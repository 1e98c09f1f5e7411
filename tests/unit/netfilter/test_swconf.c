/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: the good one, and one refusal for every check. */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include <lazaret/policy.h>

static struct swconf good, loaded;

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
	lab_config(&good);
	assert_null(load_config(&good));
	assert_memory_equal(loaded.ports, good.ports, sizeof(good.ports));
	assert_memory_equal(loaded.endpoints, good.endpoints, sizeof(good.endpoints));
	assert_memory_equal(loaded.networks, good.networks, sizeof(good.networks));
	assert_memory_equal(loaded.uplinks, good.uplinks, sizeof(good.uplinks));
}

static void test_every_truncation(void **state)
{
	struct lab_block block;
	uint32_t size;

	(void)state;
	lab_config(&good);
	lab_write(&good, &block);
	for (size = 0; size < block.size; size++)
		assert_non_null(load(&block, size));
}

#define FIELD(member, value, text)                                                                                     \
	{                                                                                                              \
		offsetof(struct swconf, member), sizeof(((struct swconf *)0)->member), value, text                     \
	}

static const struct {
	size_t offset, size;
	uint64_t value;
	const char *text;
} rows[] = {
	FIELD(header.magic[6], '2', "magic"),
	FIELD(header.version, 1, "version"),
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
	FIELD(endpoints[0].port, PORTS, "not an infrastructure"),
	FIELD(endpoints[0].port, BLUE, "not an infrastructure"),
	FIELD(endpoints[0].uplink, 2, "uplink does not exist"),
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
		lab_config(&good);
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
	lab_config(&good);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
