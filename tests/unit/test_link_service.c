/* SPDX-License-Identifier: Apache-2.0 */
/* The router and services: who is there, what they say to whom, and messages that are stale or false. */
#include "link_channel.h"

static struct driver blue_chan, peer, ctl;

/* --- raw and service ---------------------------------------------------------------------------------------------- */

static void up_says_who(void **state)
{
	struct lzr_peer who;

	(void)state;
	channel_start(0);
	assert_int_equal(got.length, sizeof(who));
	assert_int_equal(got.link, 1);
	assert_int_equal(got.peer, RED);
	assert_int_equal(got.instance, 100);
	assert_int_equal(got.generation, 1);
	memcpy(&who, got_payload, sizeof(who));
	assert_int_equal(who.vm, RED);
	assert_int_equal(who.flags, 0);
	assert_int_equal(who.instance, 100);
	assert_string_equal(who.name, "red");
	assert_int_equal(who.measurement[47], 0x10);
	assert_int_equal(who.policy[0], 0x77);
	assert_int_equal(who.label.level, 0x31);        /* the link's, whatever range its VM has */
	assert_int_equal(who.vm_label.level, 0);
}

static void raw_to_service_and_back(void **state)
{
	uint64_t at;
	uint32_t length;

	(void)state;
	channel_start(1);
	driver_send(&red_chan.queues[1], "ask", 3);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_true(service_receive(&ports.queues[0], spare_buffer[0], 0));
	assert_int_equal(got.type, LZR_MSG_DATA);
	assert_int_equal(got.length, 3);
	assert_int_equal(got.token, 0);
	assert_memory_equal(got_payload, "ask", 3);
	at = driver_post(&red_chan.queues[0], 4096);
	service_send(&ports.queues[1], 0, channel_answer(LZR_MSG_DATA, 6), "answer", 6);
	assert_true(driver_used(&ports.queues[1], NULL, NULL));
	assert_true(driver_used(&red_chan.queues[0], NULL, &length));
	assert_int_equal(length, 6);
	assert_memory_equal(rig_ram[RED] + at, "answer", 6);
	assert_int_equal(rig_drops(1), 0);
}

static void service_never_waits_for_a_guest(void **state)
{
	(void)state;
	channel_start(0);
	service_send(&ports.queues[1], 0, channel_answer(LZR_MSG_DATA, 1), "x", 1);
	assert_true(driver_used(&ports.queues[1], NULL, NULL));
	assert_int_equal(rig_drops(1), 1);
}

static void guest_waits_for_a_service(void **state)
{
	(void)state;
	channel_start(0);
	driver_send(&red_chan.queues[1], "one", 3);
	driver_send(&red_chan.queues[1], "two", 3);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	spare_buffer[0] = driver_post(&ports.queues[0], 5000);
	assert_true(service_receive(&ports.queues[0], spare_buffer[0], 0));
	assert_memory_equal(got_payload, "one", 3);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(rig_drops(1), 0);
}

static void up_comes_before_anything_else(void **state)
{
	uint64_t at;

	(void)state;
	driver_start(&ports, rig_vdev(SVC, 0), QUEUE_SIZE);
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	driver_send(&red_chan.queues[1], "early", 5);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	at = driver_post(&ports.queues[0], 5000);
	assert_true(service_receive(&ports.queues[0], at, 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	at = driver_post(&ports.queues[0], 5000);
	assert_true(service_receive(&ports.queues[0], at, 0));
	assert_memory_equal(got_payload, "early", 5);
}

static void reset_and_restart_are_told(void **state)
{
	(void)state;
	channel_start(4);
	io_write(red_chan.vdev, 0x14, 1, 0);
	assert_true(service_receive(&ports.queues[0], spare_buffer[0], 0));
	assert_int_equal(got.type, LZR_MSG_DOWN);
	assert_int_equal(got.generation, 1);
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	assert_true(service_receive(&ports.queues[0], spare_buffer[1], 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	assert_int_equal(got.generation, 2);
	links_vm_stopped(&vms[RED]);
	assert_true(service_receive(&ports.queues[0], spare_buffer[2], 0));
	assert_int_equal(got.type, LZR_MSG_DOWN);
	assert_int_equal(got.instance, 100);
	vms[RED].instance = 200;
	links_vm_started(&vms[RED]);
	assert_false(service_receive(&ports.queues[0], spare_buffer[3], 0));
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	assert_true(service_receive(&ports.queues[0], spare_buffer[3], 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	assert_int_equal(got.instance, 200);
	assert_int_equal(got.generation, 3);
}

static void resets_without_buffers_become_one_change(void **state)
{
	uint64_t at;

	(void)state;
	channel_start(0);
	for (unsigned i = 0; i < 100; i++)
		driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	at = driver_post(&ports.queues[0], 5000);
	assert_true(service_receive(&ports.queues[0], at, 0));
	assert_int_equal(got.type, LZR_MSG_DOWN);
	assert_int_equal(got.generation, 1);
	at = driver_post(&ports.queues[0], 5000);
	assert_true(service_receive(&ports.queues[0], at, 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	assert_int_equal(got.generation, 101);
	driver_post(&ports.queues[0], 5000);
	assert_false(driver_used(&ports.queues[0], NULL, NULL));
}

static void broken_guest_is_down(void **state)
{
	(void)state;
	channel_start(1);
	red_chan.queues[1].avail[1] = 1000;
	driver_kick(&red_chan.queues[1]);
	assert_true(service_receive(&ports.queues[0], spare_buffer[0], 0));
	assert_int_equal(got.type, LZR_MSG_DOWN);
}

static void service_restart_hears_up_again(void **state)
{
	uint64_t at;

	(void)state;
	channel_start(0);
	driver_start(&ports, rig_vdev(SVC, 0), QUEUE_SIZE);
	at = driver_post(&ports.queues[0], 5000);
	assert_true(service_receive(&ports.queues[0], at, 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	assert_int_equal(got.generation, 1);
	/* While it is away, what guests send is dropped. */
	links_vm_stopped(&vms[SVC]);
	driver_send(&red_chan.queues[1], "x", 1);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(rig_drops(1), 1);
}

static void stale_or_false_messages_are_dropped(void **state)
{
	struct lzr_msg good, bad;

	(void)state;
	channel_start(0);
	driver_post(&red_chan.queues[0], 8192);
	good = channel_answer(LZR_MSG_DATA, 4);
#define WITH(field, value) (bad = good, bad.field = (value), bad)
	channel_refuses(WITH(magic, 0), 4);
	channel_refuses(WITH(type, 0), 4);
	channel_refuses(WITH(type, LZR_MSG_UP), 4);
	channel_refuses(WITH(type, LZR_MSG_DOWN), 4);
	channel_refuses(WITH(type, LZR_MSG_REQUEST), 4);
	channel_refuses(WITH(type, 77), 4);
	channel_refuses(WITH(reserved, 1), 4);
	channel_refuses(WITH(link, 2), 4);
	channel_refuses(WITH(peer, BLUE), 4);
	channel_refuses(WITH(instance, 101), 4);
	channel_refuses(WITH(instance, 0), 4);
	channel_refuses(WITH(generation, 0), 4);
	channel_refuses(WITH(generation, 2), 4);
	channel_refuses(WITH(length, 5), 4);
	channel_refuses(WITH(length, 0), 4);
	channel_refuses(WITH(length, 0xffffffff), 4);
	channel_refuses(WITH(length, LZR_MSG_PAYLOAD_MAX + 1), 8000);
	channel_refuses(WITH(type, LZR_MSG_COMPLETE), 4);
	channel_refuses(WITH(token, 0), 3);
	driver_send(&ports.queues[1], &good, sizeof(good) - 1);
	assert_int_equal(rig_drops(1), 20);
	/* The same message, right, still counts; not after the guest's reset. */
	service_send(&ports.queues[1], 0, good, "good", 4);
	assert_true(driver_used(&red_chan.queues[0], NULL, NULL));
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	driver_post(&red_chan.queues[0], 8192);
	while (driver_used(&ports.queues[1], NULL, NULL))
		;
	channel_refuses(good, 4);
	/* Nor with the present generation before the service was told of it. */
	channel_refuses(WITH(generation, 2), 4);
#undef WITH
}

static void oversized_payload_to_a_service_drops(void **state)
{
	static uint8_t bytes[LZR_MSG_PAYLOAD_MAX + 1];

	(void)state;
	channel_start(1);
	driver_send(&red_chan.queues[1], bytes, sizeof(bytes));
	assert_int_equal(rig_drops(1), 1);
	driver_send(&red_chan.queues[1], bytes, sizeof(bytes) - 1);
	assert_true(service_receive(&ports.queues[0], spare_buffer[0], 0));
	assert_int_equal(got.length, LZR_MSG_PAYLOAD_MAX);
}

/* --- service to service, several pairs ---------------------------------------------------------------------------- */

static void service_to_service(void **state)
{
	struct lzr_msg to_peer, to_ctl;
	uint64_t at_peer, at_ctl;

	(void)state;
	driver_start(&peer, rig_vdev(SVC, 1), QUEUE_SIZE);
	driver_start(&ctl, rig_vdev(SVC2, 0), QUEUE_SIZE);
	at_peer = driver_post(&peer.queues[0], 5000);
	assert_true(service_receive(&peer.queues[0], at_peer, 0));
	assert_int_equal(got.peer, SVC2);
	to_ctl = channel_answer(LZR_MSG_DATA, 4);
	at_ctl = driver_post(&ctl.queues[0], 5000);
	assert_true(service_receive(&ctl.queues[0], at_ctl, PREFIX));
	assert_int_equal(got.peer, SVC);
	assert_string_equal((char *)got_payload + offsetof(struct lzr_peer, name), "svc");
	assert_int_equal(got_payload[offsetof(struct lzr_peer, flags)], LZR_PEER_SERVICE);
	to_peer = channel_answer(LZR_MSG_DATA, 3);

	at_ctl = driver_post(&ctl.queues[0], 5000);
	service_send(&peer.queues[1], 0, to_ctl, "ping", 4);
	assert_true(service_receive(&ctl.queues[0], at_ctl, PREFIX));
	assert_int_equal(got.type, LZR_MSG_DATA);
	assert_int_equal(got.instance, 100 + SVC);
	assert_memory_equal(got_payload, "ping", 4);
	/* Services wait for each other. */
	service_send(&ctl.queues[1], PREFIX, to_peer, "abc", 3);
	assert_false(driver_used(&ctl.queues[1], NULL, NULL));
	at_peer = driver_post(&peer.queues[0], 5000);
	assert_true(service_receive(&peer.queues[0], at_peer, 0));
	assert_memory_equal(got_payload, "abc", 3);
	assert_true(driver_used(&ctl.queues[1], NULL, NULL));
	/* No requests between services. */
	to_peer.type = LZR_MSG_COMPLETE;
	service_send(&ctl.queues[1], PREFIX, to_peer, "abc", 3);
	assert_int_equal(rig_drops(3), 1);
}

static void pairs_are_separate(void **state)
{
	uint64_t at0, at1;

	(void)state;
	driver_start(&ports, rig_vdev(SVC, 0), QUEUE_SIZE);
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	driver_start(&blue_chan, rig_vdev(BLUE, 1), QUEUE_SIZE);
	at1 = driver_post(&ports.queues[2], 5000);
	assert_true(service_receive(&ports.queues[2], at1, 0));
	assert_int_equal(got.peer, BLUE);
	assert_int_equal(got.link, 2);
	at0 = driver_post(&ports.queues[0], 5000);
	assert_true(service_receive(&ports.queues[0], at0, 0));
	assert_int_equal(got.peer, RED);
	/* Red's identity does not open blue's pair. */
	driver_post(&blue_chan.queues[0], 100);
	driver_post(&red_chan.queues[0], 100);
	service_send(&ports.queues[3], 0, channel_answer(LZR_MSG_DATA, 1), "x", 1);
	assert_int_equal(rig_drops(2), 1);
	assert_false(driver_used(&blue_chan.queues[0], NULL, NULL));
	/* A flood on one pair leaves the other alone. */
	for (unsigned i = 0; i < 40; i++)
		driver_send(&red_chan.queues[1], "flood", 5);
	at1 = driver_post(&ports.queues[2], 5000);
	driver_send(&blue_chan.queues[1], "calm", 4);
	assert_true(service_receive(&ports.queues[2], at1, 0));
	assert_memory_equal(got_payload, "calm", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(up_says_who), RIG_TEST(raw_to_service_and_back), RIG_TEST(service_never_waits_for_a_guest),
		RIG_TEST(guest_waits_for_a_service), RIG_TEST(up_comes_before_anything_else),
		RIG_TEST(reset_and_restart_are_told), RIG_TEST(resets_without_buffers_become_one_change),
		RIG_TEST(broken_guest_is_down), RIG_TEST(service_restart_hears_up_again),
		RIG_TEST(stale_or_false_messages_are_dropped), RIG_TEST(oversized_payload_to_a_service_drops),
		RIG_TEST(service_to_service), RIG_TEST(pairs_are_separate),
	};

	return cmocka_run_group_tests_name("link_service", tests, NULL, NULL);
}
