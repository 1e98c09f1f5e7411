/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forged results and damaged configurations, thousands from a fixed seed: a port opens or closes only for the very
 * bytes that the verifier signed for it, and a configuration that loads at all still holds together.
 */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "lease.h"

#define RESULT_ROUNDS 3000u
#define CONFIG_ROUNDS 60000u
#define CONTROL_ROUNDS 20000u

static uint64_t random_state;

static uint32_t roll(uint32_t sides)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33) % sides;
}

static int setup(void **state)
{
	(void)state;
	random_state = 7;
	return 0;
}

/* Good results: for blue, for blue's instance before, for green, by another verifier, an older nonce, a revocation. */
#define KEPT 6u
static uint8_t kept[KEPT][LZR_RESULT_SIZE];

static void make_results(struct nswitch *sw)
{
	struct lzr_result r;

	lab_switch(sw);
	lab_up(sw, BLUE, 6, 50);
	r = lab_lease(&sw->ports[BLUE], 10 * SECOND);
	lab_sign(&r, kept[1]);
	lab_up(sw, GREEN, 9, 60);
	r = lab_lease(&sw->ports[GREEN], 10 * SECOND);
	lab_sign(&r, kept[2]);
	lab_up(sw, BLUE, 7, 100);
	r = lab_lease(&sw->ports[BLUE], 10 * SECOND);
	lab_sign(&r, kept[4]);
	assert_int_equal(port_draw_nonce(&sw->ports[BLUE], 0, 120), LZR_CTL_OK);
	r = lab_lease(&sw->ports[BLUE], 10 * SECOND);
	lab_sign(&r, kept[0]);
	lab_sign_other(&r, kept[3]);
	r.type = LZR_RESULT_REVOCATION;
	r.duration_ns = 0;
	memset(r.port_nonce, 0x11, sizeof(r.port_nonce));
	lab_sign(&r, kept[5]);
}

static uint32_t forge(uint8_t *out)
{
	uint32_t length = LZR_RESULT_SIZE, at = roll(LZR_RESULT_SIZE), count = 1 + roll(96);

	memcpy(out, kept[roll(2) ? 0 : roll(KEPT)], LZR_RESULT_SIZE);
	if (at + count > LZR_RESULT_SIZE)
		count = LZR_RESULT_SIZE - at;
	switch (roll(6)) {
	case 0: out[at] ^= (uint8_t)(1u << roll(8)); break;
	case 1: memcpy(out + at, kept[roll(KEPT)] + at, count); break;
	case 2: memset(out + at, roll(2) ? 0 : 0xff, count); break;
	case 3: length = at; break;
	case 4: memcpy(out, kept[roll(KEPT)], LZR_RESULT_SIZE - 96); break;
	case 5: length += 1 + roll(32); break;
	}
	return length;
}

static void forged_results(void **state)
{
	static struct nswitch sw;
	uint8_t forged[LZR_RESULT_SIZE + 32] = { 0 };
	struct port before, *blue = &sw.ports[BLUE];
	unsigned same = 0;

	(void)state;
	make_results(&sw);
	before = *blue;
	for (unsigned round = 0; round < RESULT_ROUNDS; round++) {
		uint32_t length = forge(forged);
		uint8_t *copy = malloc(length ? length : 1);
		enum lzr_control_status status;

		memcpy(copy, forged, length);
		status = lab_apply(blue, copy, length, 200);
		if (length == LZR_RESULT_SIZE && memcmp(copy, kept[0], length) == 0) {
			same++;
			assert_int_equal(status, LZR_CTL_OK);
			*blue = before;
		} else if (status == LZR_CTL_OK) {
			fail_msg("round %u: a forged result counts", round);
		}
		free(copy);
		assert_memory_equal(blue, &before, sizeof(before));
	}
	assert_int_not_equal(same, 0);
}

/* --- the control channel ------------------------------------------------------------------------------------------ */

/* Whatever comes down the attestor's channel, no port opens but by a result. */
static void control_garbage(void **state)
{
	static struct nswitch sw;
	struct lzr_control_message answer;

	(void)state;
	make_results(&sw);
	assert_int_equal(port_draw_nonce(&sw.ports[GREEN], 0, 130), LZR_CTL_OK); /* none of the kept ones fits now */
	for (unsigned round = 0; round < CONTROL_ROUNDS; round++) {
		uint32_t length =
			roll(3) ? sizeof(struct lzr_control_message) + (roll(4) ? 0 : LZR_RESULT_SIZE) : roll(600);
		struct lzr_control_message m = { .op = roll(6), .seq = round, .port = roll(PORTS + 2) };
		uint8_t *message = malloc(length ? length : 1);

		for (uint32_t i = 0; i < length; i++)
			message[i] = (uint8_t)roll(256);
		memcpy(message, &m, length < sizeof(m) ? length : sizeof(m));
		if (length == sizeof(m) + LZR_RESULT_SIZE && roll(2))
			memcpy(message + sizeof(m), kept[1 + roll(KEPT - 1)], LZR_RESULT_SIZE);
		if (roll(4) == 0 && length)
			message[roll(length)] ^= (uint8_t)(1u << roll(8));
		lab_handle(&sw, message, length, 200 + round, &answer);
		free(message);
		for (unsigned p = 0; p < PORTS; p++)
			assert_int_not_equal(port_state(&sw.ports[p], 200 + round), LZR_PORT_ADMITTED);
	}
}

/* --- the configuration -------------------------------------------------------------------------------------------- */

static void holds_together(const struct swconf *c, unsigned round)
{
	bool good = c->header.network_count <= LZR_SWITCH_NETWORK_MAX &&
		    c->header.uplink_count <= LZR_SWITCH_UPLINK_MAX && c->header.port_count <= LZR_SWITCH_PORT_MAX &&
		    c->header.endpoint_count <= LZR_SWITCH_ENDPOINT_MAX &&
		    (c->header.control_pair < SWCONF_PAIR_MAX || c->header.control_pair == LZR_SWITCH_NONE);

	for (uint32_t i = 0; good && i < c->header.network_count; i++) {
		uint32_t uplink = c->networks[i].uplink;

		good = uplink == LZR_SWITCH_NONE ||
		       (uplink < c->header.uplink_count && c->uplinks[uplink].network == i);
	}
	for (uint32_t i = 0; good && i < c->header.uplink_count; i++)
		good = c->uplinks[i].network < c->header.network_count && c->uplinks[i].slot < 32;
	for (uint32_t i = 0; good && i < c->header.port_count; i++) {
		const struct lzr_switch_port *p = &c->ports[i];

		good = p->network < c->header.network_count && p->pair < SWCONF_PAIR_MAX &&
		       p->pair != c->header.control_pair &&
		       (p->kind == LZR_PORT_GUEST || p->kind == LZR_PORT_ATTESTOR) && !(p->mac[0] & 1);
		for (uint32_t j = 0; good && j < i; j++)
			good = p->pair != c->ports[j].pair && memcmp(p->mac, c->ports[j].mac, 6) != 0 &&
			       memcmp(p->ipv4, c->ports[j].ipv4, 4) != 0;
	}
	for (uint32_t i = 0; good && i < c->header.endpoint_count; i++)
		good = c->endpoints[i].port < c->header.port_count &&
		       c->ports[c->endpoints[i].port].kind == LZR_PORT_ATTESTOR &&
		       c->endpoints[i].uplink < c->header.uplink_count;
	if (!good)
		fail_msg("round %u: a configuration was taken that does not hold together", round);
}

static void damaged_configurations(void **state)
{
	static struct swconf config, loaded;
	static struct lab_block good, block;
	unsigned taken = 0;

	(void)state;
	lab_config(&config);
	lab_write(&config, &good);
	for (unsigned round = 0; round < CONFIG_ROUNDS; round++) {
		uint32_t size = good.size, where, value = roll(4) ? roll(40) : roll(UINT32_MAX);
		uint8_t *copy;

		block = good;
		for (unsigned changes = 1 + roll(3); changes; changes--) {
			uint32_t at = roll(size);

			switch (roll(3)) {
			case 0: block.bytes[at] ^= (uint8_t)(1u << roll(8)); break;
			case 1: memcpy(block.bytes + (at & ~3u), &value, 4); break;
			case 2:
				memmove(block.bytes + (at & ~7u), block.bytes + (roll(size) & ~7u), 8 * (1 + roll(8)));
				break;
			}
		}
		if (roll(8) == 0)
			size = roll(size + 64);
		copy = malloc(size ? size : 1);
		memcpy(copy, block.bytes, size);
		if (!swconf_load(&loaded, copy, size, &where)) {
			holds_together(&loaded, round);
			taken++;
		}
		free(copy);
	}
	assert_int_not_equal(taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(forged_results, setup), cmocka_unit_test_setup(control_garbage, setup),
		cmocka_unit_test_setup(damaged_configurations, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
