/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of guests to services: completed once, by the right one, or failed. */
#include "link_channel.h"

static const struct rig_part request_parts[] = { { 8, false }, { 10, true }, { 100, true } };

/* Red sends a request; the service gets it.  Returns its head; at[] are the buffers. */
static uint16_t request_send(uint64_t at[3], unsigned spare)
{
	uint16_t head = driver_add(&red_chan.queues[1], request_parts, 3, at);

	memcpy(rig_ram[RED] + at[0], "question", 8);
	driver_publish(&red_chan.queues[1], head);
	driver_kick(&red_chan.queues[1]);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_true(service_receive(&ports.queues[0], spare_buffer[spare], 0));
	assert_int_equal(got.type, LZR_MSG_REQUEST);
	assert_int_equal(got.length, 8);
	assert_int_equal(got.capacity, 110);
	assert_memory_equal(got_payload, "question", 8);
	return head;
}

static void request_and_complete(void **state)
{
	uint64_t at[3];
	uint32_t id, length;
	uint16_t head;

	(void)state;
	channel_start(2);
	head = request_send(at, 0);
	service_send(&ports.queues[1], 0, channel_answer(LZR_MSG_COMPLETE, 12), "0123456789ab", 12);
	assert_true(driver_used(&red_chan.queues[1], &id, &length));
	assert_int_equal(id, head);
	assert_int_equal(length, 12);
	assert_memory_equal(rig_ram[RED] + at[1], "0123456789", 10);
	assert_memory_equal(rig_ram[RED] + at[2], "ab", 2);
	/* once */
	service_send(&ports.queues[1], 0, channel_answer(LZR_MSG_COMPLETE, 1), "x", 1);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(rig_drops(1), 1);
	/* and not for a later chain with the same head */
	red_chan.queues[1].next_desc = head;
	{
		struct lzr_msg old = channel_answer(LZR_MSG_COMPLETE, 1);

		assert_int_equal(request_send(at, 1), head);
		assert_int_not_equal(got.token, old.token);
		service_send(&ports.queues[1], 0, old, "x", 1);
		assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
		assert_int_equal(rig_drops(1), 2);
	}
}

static void false_completions_are_dropped(void **state)
{
	struct lzr_msg good, bad;
	uint64_t at[3];

	(void)state;
	channel_start(1);
	request_send(at, 0);
	good = channel_answer(LZR_MSG_COMPLETE, 4);
#define WITH(field, value) (bad = good, bad.field = (value), bad)
	channel_refuses(WITH(token, good.token + 1), 4);
	channel_refuses(WITH(token, good.token | 0xffff), 4);
	channel_refuses(WITH(token, good.token ^ 0x10000), 4);
	channel_refuses(WITH(token, QUEUE_SIZE), 4);
	channel_refuses(WITH(length, 111), 200);
	channel_refuses(WITH(instance, 1), 4);
	channel_refuses(WITH(generation, 9), 4);
#undef WITH
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	service_send(&ports.queues[1], 0, good, "good", 4);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(red_chan.vdev->ends[0]->outstanding, 0);
}

static void changed_chain_breaks_the_guest_only(void **state)
{
	uint64_t at[3];
	uint16_t head;

	(void)state;
	channel_start(1);
	head = request_send(at, 0);
	red_chan.queues[1].desc[head + 2].length = 5;
	service_send(&ports.queues[1], 0, channel_answer(LZR_MSG_COMPLETE, 110), got_payload, 110);
	assert_int_equal(rig_fault, LZR_RING_CHANGED);
	assert_false(vdev_is_live(red_chan.vdev));
	assert_true(vdev_is_live(ports.vdev));

	channel_start(1);
	head = request_send(at, 0);
	red_chan.queues[1].desc[head + 1].address = 0xffffffff00000000;
	service_send(&ports.queues[1], 0, channel_answer(LZR_MSG_COMPLETE, 110), got_payload, 110);
	assert_int_equal(rig_fault, LZR_RING_ADDRESS);
	assert_false(vdev_is_live(red_chan.vdev));
}

static void repeated_head_breaks_the_guest(void **state)
{
	uint64_t at[3];
	uint16_t head;

	(void)state;
	channel_start(2);
	head = request_send(at, 0);
	driver_publish(&red_chan.queues[1], head);
	driver_kick(&red_chan.queues[1]);
	assert_int_equal(rig_fault, LZR_RING_DUPLICATE);
	assert_false(vdev_is_live(red_chan.vdev));
}

static void reset_voids_requests(void **state)
{
	struct lzr_msg old;
	uint64_t at[3];

	(void)state;
	channel_start(4);
	request_send(at, 0);
	old = channel_answer(LZR_MSG_COMPLETE, 4);
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	service_send(&ports.queues[1], 0, old, "late", 4);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(rig_drops(1), 1);
	old.generation++;
	service_send(&ports.queues[1], 0, old, "late", 4);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(rig_drops(1), 2);
}

static void service_reset_fails_requests(void **state)
{
	uint64_t at[3];
	uint32_t id, length;
	uint16_t head;

	(void)state;
	channel_start(1);
	head = request_send(at, 0);
	io_write(ports.vdev, 0x14, 1, 0);
	assert_true(driver_used(&red_chan.queues[1], &id, &length));
	assert_int_equal(id, head);
	assert_int_equal(length, 0);
	assert_int_equal(red_chan.vdev->ends[0]->outstanding, 0);
}

static void service_reset_and_return_at_once_fails_requests(void **state)
{
	uint64_t at[3];

	(void)state;
	channel_start(1);
	request_send(at, 0);
	/* Even when the service is back and told before anyone looks at the link. */
	driver_start(&ports, rig_vdev(SVC, 0), QUEUE_SIZE);
	driver_post(&ports.queues[0], 5000);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
}

static void writable_only_request_and_capacity_cap(void **state)
{
	static const struct rig_part part = { 100000, true };
	uint64_t at;

	(void)state;
	channel_start(1);
	driver_publish(&red_chan.queues[1], driver_add(&red_chan.queues[1], &part, 1, &at));
	driver_kick(&red_chan.queues[1]);
	assert_true(service_receive(&ports.queues[0], spare_buffer[0], 0));
	assert_int_equal(got.type, LZR_MSG_REQUEST);
	assert_int_equal(got.length, 0);
	assert_int_equal(got.capacity, LZR_MSG_PAYLOAD_MAX);
	service_send(&ports.queues[1], 0, channel_answer(LZR_MSG_COMPLETE, LZR_MSG_PAYLOAD_MAX), got_payload,
		     LZR_MSG_PAYLOAD_MAX);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
}

static void hello_brings_up_again(void **state)
{
	const struct lzr_msg hello = { .magic = LZR_MSG_MAGIC, .type = LZR_MSG_HELLO };
	struct lzr_msg bad = hello, old;
	uint64_t at[3];

	(void)state;
	channel_start(3);
	request_send(at, 0);
	old = channel_answer(LZR_MSG_COMPLETE, 1);
	bad.token = 1;
	service_send(&ports.queues[1], 0, bad, "", 0);
	assert_int_equal(rig_drops(1), 1);
	service_send(&ports.queues[1], 0, hello, "", 0);
	assert_int_equal(rig_drops(1), 1);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_true(service_receive(&ports.queues[0], spare_buffer[1], 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	assert_int_equal(got.generation, 1);
	service_send(&ports.queues[1], 0, old, "x", 1);
	assert_int_equal(rig_drops(1), 2);
	driver_send(&red_chan.queues[1], "on", 2);
	assert_true(service_receive(&ports.queues[0], spare_buffer[2], 0));
	assert_int_equal(got.type, LZR_MSG_DATA);
	/* Before the peer is up it changes nothing. */
	io_write(red_chan.vdev, 0x14, 1, 0);
	service_send(&ports.queues[1], 0, hello, "", 0);
	assert_int_equal(rig_drops(1), 2);
}

static void broken_service_fails_its_guests_requests(void **state)
{
	uint64_t at[3];

	(void)state;
	channel_start(1);
	request_send(at, 0);
	ports.queues[1].avail[1] = 500;
	driver_kick(&ports.queues[1]);
	assert_false(vdev_is_live(ports.vdev));
	links_poll(&vms[SVC]);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
	driver_send(&red_chan.queues[1], "x", 1);
	assert_int_equal(rig_drops(1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(request_and_complete), RIG_TEST(false_completions_are_dropped),
		RIG_TEST(changed_chain_breaks_the_guest_only), RIG_TEST(repeated_head_breaks_the_guest),
		RIG_TEST(reset_voids_requests), RIG_TEST(service_reset_fails_requests),
		RIG_TEST(service_reset_and_return_at_once_fails_requests),
		RIG_TEST(writable_only_request_and_capacity_cap), RIG_TEST(hello_brings_up_again),
		RIG_TEST(broken_service_fails_its_guests_requests),
	};

	return cmocka_run_group_tests_name("link_request", tests, NULL, NULL);
}
