/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random traffic with a fixed seed: honest drivers, compared with a model (each message arrives once, whole and in
 * order, or is counted as dropped), and hostile ones, of whom only memory safety and sound books are expected.
 */
#include "../fuzz/link_script.h"
#include "link_rig.h"

static uint64_t seed = 0x1a2a8e7;

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

static uint8_t pattern(uint32_t message, uint32_t at)
{
	return (uint8_t)(message * 31 + at * 7);
}

static unsigned draw_parts(struct rig_part *parts, uint32_t total, bool write)
{
	unsigned count = 0;

	while (total && count < 6) {
		parts[count] = (struct rig_part){ 1 + draw(total), write };
		total -= parts[count++].length;
	}
	if (total)
		parts[count++] = (struct rig_part){ total, write };
	return count;
}

struct posted { uint64_t at[8]; struct rig_part parts[8]; unsigned count; };

static void honest_traffic_matches_the_model(void **state)
{
	static struct posted posted[QUEUE_SIZE];
	struct driver red, blue;
	uint32_t sent = 0, received = 0, in_rx = 0, next = 0, skipped = 0;

	(void)state;
	rig_setup();
	driver_start(&red, rig_vdev(RED, 0), QUEUE_SIZE);
	driver_start(&blue, rig_vdev(BLUE, 0), QUEUE_SIZE);
	for (unsigned round = 0; round < 20000; round++) {
		struct driver_queue *tx = &red.queues[1], *rx = &blue.queues[0];
		uint32_t id, length;

		if (draw(2) && sent - tx->next_used < QUEUE_SIZE / 8) {
			struct rig_part parts[8];
			uint64_t at[8];
			uint32_t n = 4, total = 4 + draw(1500);
			unsigned count;

			parts[0] = (struct rig_part){ 4, false };
			count = 1 + draw_parts(parts + 1, total - 4, false);
			driver_publish(tx, driver_add(tx, parts, count, at));
			memcpy(rig_ram[RED] + at[0], &sent, 4);
			for (unsigned i = 1; i < count; i++) {
				for (unsigned j = 0; j < parts[i].length; j++)
					rig_ram[RED][at[i] + j] = pattern(sent, n++);
			}
			sent = (uint16_t)(sent + 1);
			if (draw(4))
				driver_kick(tx);
		}
		if (draw(2) && in_rx < QUEUE_SIZE / 8) {
			struct posted p;
			uint16_t head;

			p.count = draw_parts(p.parts, 1 + draw(3000), true);
			head = driver_add(rx, p.parts, p.count, p.at);
			posted[head] = p;
			driver_publish(rx, head);
			if (!(rx->used[0] & 1))
				driver_kick(rx);
			in_rx++;
		}
		if (draw(8) == 0)
			driver_kick(tx);
		while (driver_used(tx, NULL, NULL))
			;
		while (driver_used(rx, &id, &length)) {
			uint32_t n = 0, message = 0;

			assert_true(id < QUEUE_SIZE && length >= 4);
			in_rx--;
			received++;
			for (unsigned i = 0; i < posted[id].count && n < length; i++) {
				for (unsigned j = 0; j < posted[id].parts[i].length && n < length; j++, n++) {
					uint8_t byte = rig_ram[BLUE][posted[id].at[i] + j];

					if (n < 4)
						((uint8_t *)&message)[n] = byte;
					else
						assert_int_equal(byte, pattern(message, n));
				}
			}
			assert_int_equal(n, length);
			skipped += (uint16_t)(message - next);
			assert_true(skipped <= rig_drops(0));
			next = (uint16_t)(message + 1);
		}
		/* Everything given back was received or counted. */
		assert_int_equal((uint16_t)(received + rig_drops(0)), tx->next_used);
	}
	assert_true(received > 1000);
	assert_int_equal(rig_audits[LZR_AUDIT_RING_FAULT], 0);
	rig_teardown();
}

static void hostile_scripts_stay_inside(void **state)
{
	static uint8_t script[1024];

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		for (unsigned j = 0; j < sizeof(script); j++)
			script[j] = (uint8_t)draw(256);
		link_script_play(script, sizeof(script));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_traffic_matches_the_model),
		cmocka_unit_test(hostile_scripts_stay_inside),
	};

	return cmocka_run_group_tests_name("link-random", tests, NULL, NULL);
}
