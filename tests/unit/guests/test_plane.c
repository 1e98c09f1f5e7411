/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch VM's data plane: messages, frames between queue pairs and cards, what is stale or nonsense, and no
 * leaks.
 */
#include <string.h>

#include "plane_rig.h"
#include "rt.h"

static void test_admission_and_frames(void **state)
{
	struct lab_frame f = lab_frame(&plane.sw.config, RED, ARCHIVE);
	uint8_t expected[FRAME_MAX];
	uint32_t length = lab_bytes(&f, expected);

	(void)state;
	up(RED, 5);
	up(ARCHIVE, 6);
	assert_true(put_frame(RED, 5, &f));
	run();
	assert_int_equal(collect(ARCHIVE, 6), -1);
	admit(RED);
	assert_true(put_frame(RED, 5, &f));
	run();
	assert_int_equal(collect(ARCHIVE, 6), -1);
	admit(ARCHIVE);
	assert_true(put_frame(RED, 5, &f));
	run();
	assert_int_equal(collect(ARCHIVE, 6), NET_HEADER + length);
	assert_memory_equal(out + BUFFER_FRAME, expected, length);
	assert_memory_equal(out + BUFFER_PAYLOAD, (uint8_t[NET_HEADER]){ 0 }, NET_HEADER);
	assert_int_equal(ask(LZR_CONTROL_STATE, RED, NULL).frames_in, 1);
	assert_int_equal(ask(LZR_CONTROL_STATE, RED, NULL).dropped_quarantine, 2);
	assert_int_equal(ask(LZR_CONTROL_STATE, ARCHIVE, NULL).frames_out, 1);
}

static void test_uplinks(void **state)
{
	struct lab_frame f = lab_frame_in(&plane.sw.config, (const uint8_t[]){ 10, 0, 3, 77 }, BLUE);
	uint8_t bytes[FRAME_MAX];
	uint32_t length = lab_bytes(&f, bytes);

	(void)state;
	up(BLUE, 5);
	assert_true(fake_arrive(UP_RESTRICTED, bytes, (uint16_t)length, 3, 0));
	run();
	assert_int_equal(collect(BLUE, 5), -1);
	admit(BLUE);
	assert_true(fake_arrive(UP_RESTRICTED, bytes, (uint16_t)length, 3, 0));
	assert_true(fake_arrive(UP_UNTRUSTED, bytes, (uint16_t)length, 3, 0));
	run();
	assert_int_equal(collect(BLUE, 5), NET_HEADER + length);
	assert_memory_equal(out + BUFFER_FRAME, bytes, length);
	assert_int_equal(collect(BLUE, 5), -1);
	f = lab_frame(&plane.sw.config, BLUE, BLUE);
	memcpy(f.target, lab_outside_mac, 6);
	memcpy(f.ip_target, (const uint8_t[]){ 10, 0, 3, 77 }, 4);
	length = lab_bytes(&f, bytes);
	assert_true(put_frame(BLUE, 5, &f));
	run();
	assert_int_equal(fake_depart(UP_RESTRICTED, out, sizeof(out)), length);
	assert_memory_equal(out, bytes, length);
	assert_int_equal(fake_depart(UP_UNTRUSTED, out, sizeof(out)), -1);
}

static void test_instances(void **state)
{
	struct lab_frame f = lab_frame(&plane.sw.config, RED, ARCHIVE);

	(void)state;
	up(RED, 5);
	up(ARCHIVE, 6);
	admit(RED);
	admit(ARCHIVE);
	assert_true(put_frame(RED, 4, &f));
	run();
	assert_int_equal(collect(ARCHIVE, 6), -1);
	assert_int_equal(plane.sw.ports[RED].counters.dropped[NF_STALE], 1);
	assert_true(deliver(RED, LZR_MSG_DATA, 5, 2, "", 0));   /* of another start of its driver */
	run();
	assert_int_equal(plane.sw.ports[RED].counters.dropped[NF_STALE], 2);
	/* The receiver restarts: closed until it is admitted again, and then under its new instance. */
	down(ARCHIVE, 6);
	assert_true(put_frame(RED, 5, &f));
	run();
	up(ARCHIVE, 8);
	assert_true(put_frame(RED, 5, &f));
	run();
	assert_int_equal(collect(ARCHIVE, 8), -1);
	admit(ARCHIVE);
	assert_true(put_frame(RED, 5, &f));
	run();
	assert_true(collect(ARCHIVE, 8) > 0);
	/* The sender's device is reset without a new instance: the lease is gone. */
	down(RED, 5);
	assert_true(put_frame(RED, 5, &f));
	run();
	up(RED, 5);
	assert_true(put_frame(RED, 5, &f));
	run();
	assert_int_equal(collect(ARCHIVE, 8), -1);
}

static void test_wrong_peer_stays_down(void **state)
{
	struct lzr_peer peer = lab_peer(&plane.sw.config, RED, 5);

	(void)state;
	peer.label.level--;
	assert_true(deliver(RED, LZR_MSG_UP, 5, 1, &peer, sizeof(peer)));
	run();
	assert_int_equal(ask(LZR_CONTROL_STATE, RED, NULL).status, LZR_CTL_NO_PORT);
	peer = lab_peer(&plane.sw.config, RED, 6);
	assert_true(deliver(RED, LZR_MSG_UP, 5, 1, &peer, sizeof(peer)));      /* header and payload differ */
	run();
	assert_int_equal(ask(LZR_CONTROL_STATE, RED, NULL).status, LZR_CTL_NO_PORT);
	/* A refused peer takes the place of the one before. */
	up(RED, 7);
	assert_int_equal(ask(LZR_CONTROL_STATE, RED, NULL).state, LZR_PORT_QUARANTINED);
	assert_true(deliver(RED, LZR_MSG_UP, 8, 1, &peer, sizeof(peer)));
	run();
	assert_int_equal(ask(LZR_CONTROL_STATE, RED, NULL).status, LZR_CTL_NO_PORT);
}

static void test_nonsense(void **state)
{
	struct lzr_peer peer = lab_peer(&plane.sw.config, RED, 5);
	uint64_t bad;

	(void)state;
	up(RED, 5);
	bad = plane.ends[RED].bad;
	assert_true(fake_put(RED * 2, element, 0));
	assert_true(fake_put(RED * 2, element, sizeof(struct lzr_msg) - 1));
	run();
	assert_int_equal(plane.ends[RED].bad, bad + 2);
	assert_true(deliver(RED, LZR_MSG_UP, 9, 1, &peer, sizeof(peer) - 1));
	assert_true(deliver(RED, LZR_MSG_REQUEST, 5, 1, "", 0));
	assert_true(deliver(RED, 99, 5, 1, "", 0));
	run();
	assert_int_equal(plane.ends[RED].bad, bad + 5);
	assert_true(deliver(RED, LZR_MSG_DATA, 5, 1, element, 5));
	run();
	assert_int_equal(plane.sw.ports[RED].counters.dropped[NF_SHORT], 1);
	element[0] ^= 1;
	assert_true(fake_put(RED * 2, element, sizeof(struct lzr_msg)));
	run();
	assert_int_equal(plane.ends[RED].bad, bad + 6);
	/* Says that it is longer, or shorter, than it is. */
	element[0] ^= 1;
	assert_true(fake_put(RED * 2, element, sizeof(struct lzr_msg) + 4));
	assert_true(fake_put(RED * 2, element, sizeof(struct lzr_msg) + 6));
	run();
	assert_int_equal(plane.ends[RED].bad, bad + 8);
	/* Control channel: too short to be answered. */
	assert_true(deliver(CONTROL, LZR_MSG_DATA, 2, 1, element, 12));
	run();
	assert_int_equal(collect(CONTROL, 2), -1);
	assert_int_equal(ask(LZR_CONTROL_STATE, RED, NULL).state, LZR_PORT_QUARANTINED);
}

static void test_offload(void **state)
{
	uint8_t payload[NET_HEADER + 60] = { 0 };
	unsigned i;

	(void)state;
	up(RED, 5);
	for (i = 0; i < 10; i++) {
		payload[i] = 1;
		assert_true(deliver(RED, LZR_MSG_DATA, 5, 1, payload, sizeof(payload)));
		payload[i] = 0;
	}
	run();
	assert_int_equal(plane.sw.ports[RED].counters.dropped[NF_OFFLOAD], 10);
}

/* A receiver that takes nothing costs the sender's frames, not anybody else's buffers. */
static void test_receiver_that_stalls(void **state)
{
	struct lab_frame f = lab_frame(&plane.sw.config, RED, ARCHIVE), g;
	unsigned i, got = 0;

	(void)state;
	up(RED, 5);
	up(ARCHIVE, 6);
	up(BLUE, 7);
	up(GREEN, 8);
	admit(RED);
	admit(ARCHIVE);
	admit(BLUE);
	admit(GREEN);
	for (i = 0; i < 1000; i++) {
		assert_true(put_frame(RED, 5, &f));
		run();
	}
	assert_int_equal(plane.sw.ports[RED].counters.dropped[NF_FULL], 1000 - VIRTQ_MAX);
	g = lab_frame(&plane.sw.config, BLUE, GREEN);
	for (i = 0; i < 500; i++) {
		assert_true(put_frame(BLUE, 7, &g));
		run();
		got += collect(GREEN, 8) > 0;
	}
	assert_int_equal(got, 500);
}

/* In one round no end gets more than its burst. */
static void test_bursts(void **state)
{
	struct lab_frame f = lab_frame(&plane.sw.config, VISITOR, ARCHIVE);
	unsigned i;

	(void)state;
	up(VISITOR, 5);
	for (i = 0; i < PLANE_POSTED; i++)
		assert_true(put_frame(VISITOR, 5, &f));
	assert_false(put_frame(VISITOR, 5, &f));
	assert_true(plane_has_work(&plane));
	fake.clock++;
	assert_true(plane_round(&plane));
	assert_int_equal(plane.sw.ports[VISITOR].counters.dropped[NF_CLOSED], PLANE_BURST);
	assert_false(plane_has_work(&plane));
	assert_true(put_frame(VISITOR, 5, &f));
}

/* Somebody who resets his device for ever does not fill the console. */
static void test_console_is_bounded(void **state)
{
	unsigned i, before = fake.lines;

	(void)state;
	for (i = 1; i < 2000; i++) {
		up(VISITOR, i);
		down(VISITOR, i);
	}
	assert_true(fake.lines - before <= 64);
	fake.clock += 1000000000ull;
	before = fake.lines;
	up(VISITOR, i);
	assert_int_equal(fake.lines, before + 1);
}

static void test_interrupts(void **state)
{
	(void)state;
	plane_interrupts(&plane, true);
	assert_int_equal(plane.ends[CONTROL].rx.available.flags, 0);
	assert_true((fake.nics[0].registers[0xd0 / 4] & 1u << 20) != 0);
	assert_false(plane_has_work(&plane));
	assert_true(fake_arrive(1, element, 60, 3, 0));
	assert_true(plane_has_work(&plane));
	plane_interrupts(&plane, false);
	assert_int_equal(plane.ends[CONTROL].rx.available.flags, 1);
	run();
}

static void test_broken_device_ends_it(void **state)
{
	(void)state;
	plane.ends[RED].rx.used.ring[0].id = 9999;
	plane.ends[RED].rx.used.index++;
	if (setjmp(fake_panic) == 0) {
		run();
		fail();
	}
	assert_non_null(strstr(fake.panic, "queue pair 0"));
}

static void test_open_refusals(void **state)
{
	uint32_t where;

	(void)state;
	plane.sw.config.ports[3].pair = FAKE_QUEUES / 2;
	assert_non_null(plane_open(&plane, &where));
	assert_int_equal(where, FAKE_QUEUES / 2);
	plane.sw.config.ports[3].pair = 3;
	plane.sw.config.uplinks[1].slot = 9;
	assert_non_null(plane_open(&plane, &where));
	assert_int_equal(where, 9);
}

static void uplink_refused(unsigned slot, const char *text)
{
	uint32_t where;
	const char *wrong = plane_open(&plane, &where);

	assert_true(wrong && strstr(wrong, text) && where == slot);
	assert_int_equal(fake.status & 4, 0);   /* no frame has moved */
	plane_rig_setup(NULL);
	fake.status = 0;
}

/* A configuration whose compiler lied: what decides is what the hypervisor says of cards and peers. */
static void test_forged_uplinks(void **state)
{
	struct lzr_switch_uplink *uplinks = plane.sw.config.uplinks;

	(void)state;
	fake.status = 0;
	uplinks[UP_RESTRICTED].slot = 5;                /* the wires are swapped */
	uplinks[UP_UNTRUSTED].slot = 4;
	uplink_refused(5, "another label");
	plane.sw.config.networks[NET_SECRET].uplink = UP_UNTRUSTED;
	uplinks[UP_UNTRUSTED].network = NET_SECRET;
	uplink_refused(5, "another label");
	fake.labels[0].categories |= 1ull << 63;
	uplink_refused(4, "another label");
	uplinks[UP_UNTRUSTED].slot = 6;
	uplink_refused(6, "no card");
}

static bool comes_up(unsigned end, const struct lzr_peer *peer)
{
	assert_true(deliver(end, LZR_MSG_UP, peer->instance, 1, peer, sizeof(*peer)));
	run();
	return plane.ends[end].up;
}

/* A guest's port is called infrastructure, to be open without a lease; a guest is at the control channel. */
static void test_forged_peers(void **state)
{
	struct lzr_peer peer = lab_peer(&plane.sw.config, ATTESTOR, 7);

	(void)state;
	for (unsigned end = ATTESTOR; end <= CONTROL; end += CONTROL - ATTESTOR) {
		assert_true(comes_up(end, &peer));
		peer.flags = 0;
		assert_false(comes_up(end, &peer));
		peer.flags = LZR_PEER_SERVICE;
	}
	peer.label.level++;
	assert_false(comes_up(ATTESTOR, &peer));
	assert_int_equal(plane.sw.ports[ATTESTOR].state, LZR_PORT_DOWN);
	assert_true(comes_up(CONTROL, &peer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_admission_and_frames, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_uplinks, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_instances, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_peer_stays_down, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_offload, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_receiver_that_stalls, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_bursts, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_console_is_bounded, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup_teardown(test_interrupts, plane_rig_setup, plane_rig_teardown),
		cmocka_unit_test_setup(test_broken_device_ends_it, plane_rig_setup),
		cmocka_unit_test_setup(test_open_refusals, plane_rig_setup),
		cmocka_unit_test_setup(test_forged_uplinks, plane_rig_setup),
		cmocka_unit_test_setup_teardown(test_forged_peers, plane_rig_setup, plane_rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
