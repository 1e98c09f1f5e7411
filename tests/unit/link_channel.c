/* SPDX-License-Identifier: Apache-2.0 */
#include "link_channel.h"

struct driver red_chan, ports;
struct lzr_msg got;
uint8_t got_payload[8192];
uint64_t spare_buffer[QUEUE_SIZE];

bool service_receive(struct driver_queue *queue, uint64_t buffer, unsigned prefix)
{
	const uint8_t *at = rig_ram[queue->driver->vdev->vm->number] + buffer;
	uint32_t length;

	if (!driver_used(queue, NULL, &length))
		return false;
	assert_true(length >= prefix + sizeof(got));
	for (unsigned i = 0; i < prefix; i++)
		assert_int_equal(at[i], 0xee);
	memcpy(&got, at + prefix, sizeof(got));
	assert_int_equal(got.magic, LZR_MSG_MAGIC);
	assert_int_equal(got.reserved, 0);
	assert_int_equal(length, prefix + sizeof(got) + got.length);
	memcpy(got_payload, at + prefix + sizeof(got), got.length);
	return true;
}

void service_send(struct driver_queue *queue, unsigned prefix, struct lzr_msg msg, const void *payload,
	uint32_t length)
{
	static uint8_t bytes[PREFIX + sizeof(msg) + 8192];

	memset(bytes, 0x99, prefix);
	memcpy(bytes + prefix, &msg, sizeof(msg));
	memcpy(bytes + prefix + sizeof(msg), payload, length);
	driver_send(queue, bytes, (uint32_t)(prefix + sizeof(msg) + length));
}

void channel_start(unsigned spare)
{
	uint64_t first;

	driver_start(&ports, rig_vdev(SVC, 0), QUEUE_SIZE);
	first = driver_post(&ports.queues[0], 5000);
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	assert_true(service_receive(&ports.queues[0], first, 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	for (unsigned i = 0; i < spare; i++)
		spare_buffer[i] = driver_post(&ports.queues[0], 5000);
}

struct lzr_msg channel_answer(enum lzr_msg_type type, uint32_t length)
{
	struct lzr_msg msg = got;

	msg.type = (uint16_t)type;
	msg.length = length;
	msg.capacity = 0;
	return msg;
}

void channel_refuses(struct lzr_msg msg, uint32_t bytes)
{
	static uint8_t zeros[8192];
	uint64_t drops = rig_drops(1);

	service_send(&ports.queues[1], 0, msg, zeros, bytes);
	assert_true(driver_used(&ports.queues[1], NULL, NULL));
	assert_false(driver_used(&red_chan.queues[0], NULL, NULL));
	assert_int_equal(rig_drops(1), drops + 1);
}
