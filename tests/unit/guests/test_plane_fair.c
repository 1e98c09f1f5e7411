/* SPDX-License-Identifier: Apache-2.0 */
/* The data plane when more is sent than goes out: everybody's turn, everybody's room; news for several; late clocks. */
#include <string.h>

#include "plane_rig.h"
#include "rt.h"

#define FLOODERS 4u

/* A site of four guests on one network with an uplink, all admitted: plane's own tables, opened anew. */
static void make_crowd(void)
{
	struct swconf config;
	uint32_t where;

	lab_config(&config);
	for (unsigned i = 0; i < PORTS; i++) {
		if (i == ATTESTOR)
			continue;
		config.ports[i].network = NET_RESTRICTED;
		memcpy(config.ports[i].ipv4, (uint8_t[]){ 10, 0, 3, (uint8_t)(20 + i) }, 4);
		memcpy(config.ports[i].gateway, config.ports[BLUE].gateway, 4);
	}
	fake_reset();
	memset(&plane, 0, sizeof(plane));
	lab_switch_of(&plane.sw, &config);
	pool_init(buffers, POOL_MAX);
	assert_null(plane_open(&plane, &where));
	fake.clock = 1;
	run();
	all_buffers = pool_count();
	up(CONTROL, 2);
	for (unsigned i = 0; i < PORTS; i++) {
		if (i != ATTESTOR) {
			up(i, 5);
			admit(i);
		}
	}
}

static const unsigned flooders[FLOODERS] = { RED, ARCHIVE, BLUE, VISITOR };

static void fill(unsigned end, const struct lab_frame *f)
{
	while (put_frame(end, 5, f))
		;
}

static unsigned sender_of(const uint8_t *frame)
{
	return frame[11];               /* the lab's MAC addresses end in the port's number */
}

/* `rounds` in which all four fill their rings with frames for outside, and the card sends `each` of them a round. */
static void flood_uplink(unsigned rounds, unsigned each, unsigned sent[PORTS])
{
	memset(sent, 0, PORTS * sizeof(sent[0]));
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < FLOODERS; i++) {
			struct lab_frame f = lab_frame(&plane.sw.config, flooders[i], flooders[i]);

			memcpy(f.target, lab_outside_mac, 6);
			memcpy(f.ip_target, (const uint8_t[]){ 10, 0, 3, 177 }, 4);
			fill(flooders[i], &f);
		}
		fake.clock++;
		(void)plane_round(&plane);
		for (unsigned i = 0; i < each && fake_depart(UP_RESTRICTED, out, sizeof(out)) >= 0; i++)
			sent[sender_of(out)]++;
	}
}

/* Whatever the card's speed, each of four senders gets a fair part of it. */
static void test_flood_of_the_uplink(void **state)
{
	static const unsigned speeds[] = { 1, 7, 31, 64, 1000 };
	unsigned sent[PORTS], total;

	(void)state;
	for (unsigned s = 0; s < sizeof(speeds) / sizeof(speeds[0]); s++) {
		make_crowd();
		flood_uplink(1000, speeds[s], sent);
		total = sent[RED] + sent[ARCHIVE] + sent[BLUE] + sent[VISITOR];
		for (unsigned i = 0; i < FLOODERS; i++) {
			if (sent[flooders[i]] * FLOODERS * 10 < total * 8)
				fail_msg("speed %u: sender %u got %u of %u", speeds[s], i, sent[flooders[i]], total);
		}
	}
}

/* Three flood, and the ring stays full; the fourth's frame a round still gets there, each of them. */
static void test_quiet_one_among_flooders(void **state)
{
	unsigned got = 0;

	(void)state;
	make_crowd();
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < FLOODERS; i++) {
			struct lab_frame f = lab_frame(&plane.sw.config, flooders[i], flooders[i]);

			memcpy(f.target, lab_outside_mac, 6);
			memcpy(f.ip_target, (const uint8_t[]){ 10, 0, 3, 177 }, 4);
			if (flooders[i] == VISITOR)
				assert_true(put_frame(VISITOR, 5, &f));
			else
				fill(flooders[i], &f);
		}
		fake.clock++;
		(void)plane_round(&plane);
		for (unsigned i = 0; i < 40 && fake_depart(UP_RESTRICTED, out, sizeof(out)) >= 0; i++)
			got += sender_of(out) == VISITOR;
	}
	assert_int_equal(plane.sw.ports[VISITOR].counters.dropped[NF_FULL], 0);
	assert_true(got >= 990);
	assert_true(plane.sw.ports[RED].counters.dropped[NF_FULL] > 0);
}

/* The queue to one VM is shared in the same way, the uplink among its senders. */
static void test_flood_of_a_port(void **state)
{
	struct lab_frame f = lab_frame_in(&plane.sw.config, (const uint8_t[]){ 10, 0, 3, 77 }, GREEN);
	unsigned sent[256] = { 0 }, total = 0;
	uint8_t bytes[FRAME_MAX];

	(void)state;
	make_crowd();
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < FLOODERS; i++) {
			struct lab_frame g = lab_frame(&plane.sw.config, flooders[i], GREEN);

			fill(flooders[i], &g);
		}
		for (f.l4_source = 0; f.l4_source < 32; f.l4_source++)
			(void)fake_arrive(UP_RESTRICTED, bytes, (uint16_t)lab_bytes(&f, bytes), 3, 0);
		fake.clock++;
		(void)plane_round(&plane);
		for (unsigned i = 0; i < 20 && collect(GREEN, 5) > 0; i++, total++)
			sent[sender_of(out + BUFFER_FRAME)]++;
	}
	for (unsigned i = 0; i < FLOODERS; i++)
		assert_true(sent[flooders[i]] * 5 * 10 > total * 7);
	assert_true(sent[lab_outside_mac[5]] * 5 * 10 > total * 7);
}

/* The card is told during a round, not behind it: what one round queues does not have to fit the ring. */
static void test_card_is_told_early(void **state)
{
	(void)state;
	make_crowd();
	for (unsigned i = 0; i < 2; i++) {
		struct lab_frame f = lab_frame(&plane.sw.config, flooders[i], flooders[i]);

		memcpy(f.target, lab_outside_mac, 6);
		memcpy(f.ip_target, (const uint8_t[]){ 10, 0, 3, 177 }, 4);
		for (unsigned n = 0; n < 5; n++)
			assert_true(put_frame(flooders[i], 5, &f));
	}
	fake.nics[UP_RESTRICTED].told = 0;
	fake.clock++;
	(void)plane_round(&plane);
	assert_int_equal(fake.nics[UP_RESTRICTED].told, 2);
}

/* A gateway's new MAC address: every open port of its network gets the news, once each, and no buffer is lost. */
static void test_gateway_moves(void **state)
{
	struct lab_frame f;
	uint8_t bytes[FRAME_MAX];
	uint32_t length;

	(void)state;
	make_crowd();
	up(ATTESTOR, 9);
	up(VISITOR, 6);                 /* in quarantine again */
	f = lab_frame_in(&plane.sw.config, plane.sw.config.ports[BLUE].gateway, BLUE);
	memcpy(f.ip_target, f.ip_source, 4);
	lab_arp(&f, true);
	length = lab_bytes(&f, bytes);
	assert_true(fake_arrive(UP_RESTRICTED, bytes, (uint16_t)length, 3, 0));
	run();
	for (unsigned i = 0; i < PORTS; i++) {
		bool hears = i != VISITOR;
		uint64_t instance = i == ATTESTOR ? 9 : 5;

		assert_int_equal(collect(i, instance), hears ? (int)(NET_HEADER + length) : -1);
		if (hears)
			assert_memory_equal(out + BUFFER_FRAME, bytes, length);
		assert_int_equal(collect(i, instance), -1);
	}
}

/* After a signature was checked the clock is looked at again: who lost his lease meanwhile sends nothing more. */
static void test_time_after_a_check(void **state)
{
	struct lab_frame f = lab_frame(&plane.sw.config, RED, ARCHIVE);
	struct lzr_control_message message = { .op = LZR_CONTROL_RESULT, .port = BLUE, .seq = 1 };
	uint8_t payload[sizeof(message) + LZR_RESULT_SIZE] = { 0 };

	(void)state;
	up(RED, 5);
	up(ARCHIVE, 6);
	admit(RED);
	admit(ARCHIVE);
	up(BLUE, 7);
	memcpy(payload, &message, sizeof(message));
	assert_true(deliver(CONTROL, LZR_MSG_DATA, 2, 1, payload, sizeof(payload)));
	assert_true(put_frame(RED, 5, &f));
	plane.first = CONTROL;          /* the result's turn comes first in this round */
	fake.tick = LEASE_MAX;          /* and each look at the clock finds a whole lease gone */
	(void)plane_round(&plane);
	fake.tick = 0;
	assert_int_equal(collect(ARCHIVE, 6), -1);
	assert_int_equal(plane.sw.ports[RED].counters.dropped[NF_CLOSED], 1);
	(void)collect(CONTROL, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flood_of_the_uplink, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_quiet_one_among_flooders, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_flood_of_a_port, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_card_is_told_early, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_moves, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_time_after_a_check, plane_rig_setup, plane_rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
