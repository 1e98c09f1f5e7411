/* SPDX-License-Identifier: Apache-2.0 */
/* The router: what passes between raw and service ends, and every way to misuse it. */
#include "link_rig.h"

static struct driver red, blue, red_chan, blue_chan, ports, peer, ctl;

/* What a service received last. */
static struct lzr_msg got;
static uint8_t got_payload[8192];

static int setup(void **state)
{
	(void)state;
	rig_setup();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_teardown();
	return 0;
}

static void net_start(void)
{
	driver_start(&red, rig_vdev(RED, 0), QUEUE_SIZE);
	driver_start(&blue, rig_vdev(BLUE, 0), QUEUE_SIZE);
}

/* Posts a buffer of `size` bytes at a service, and reads the message that arrives (now or after `act`). */
static bool service_receive(struct driver_queue *queue, uint64_t buffer, unsigned prefix)
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

/* Sends a message from a service: prefix, header, payload. */
static void service_send(struct driver_queue *queue, unsigned prefix, struct lzr_msg msg, const void *payload,
	uint32_t length)
{
	static uint8_t bytes[PREFIX + sizeof(msg) + 8192];

	memset(bytes, 0x99, prefix);
	memcpy(bytes + prefix, &msg, sizeof(msg));
	memcpy(bytes + prefix + sizeof(msg), payload, length);
	driver_send(queue, bytes, (uint32_t)(prefix + sizeof(msg) + length));
}

/* Starts red's channel and the service, takes the UP message, leaves `spare` more receive buffers at the service. */
static uint64_t spare_buffer[QUEUE_SIZE];

static void channel_start(unsigned spare)
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

static struct lzr_msg answer(enum lzr_msg_type type, uint32_t length)
{
	struct lzr_msg msg = got;

	msg.type = (uint16_t)type;
	msg.length = length;
	msg.capacity = 0;
	return msg;
}

/* --- raw to raw --------------------------------------------------------------------------------------------------- */

static void raw_to_raw(void **state)
{
	uint64_t at;
	uint32_t id, length;
	uint16_t head;

	(void)state;
	net_start();
	at = driver_post(&blue.queues[0], 2048);
	head = driver_send(&red.queues[1], "hello blue", 10);
	assert_true(driver_used(&red.queues[1], &id, &length));
	assert_int_equal(id, head);
	assert_int_equal(length, 0);
	assert_true(driver_used(&blue.queues[0], NULL, &length));
	assert_int_equal(length, 10);
	assert_memory_equal(rig_ram[BLUE] + at, "hello blue", 10);
	assert_int_equal(rig_msis[RED], 1);
	assert_int_equal(rig_msis[BLUE], 1);
	assert_false(driver_used(&red.queues[1], NULL, NULL));
	/* and back */
	at = driver_post(&red.queues[0], 64);
	driver_send(&blue.queues[1], "hi", 2);
	assert_true(driver_used(&red.queues[0], NULL, &length));
	assert_memory_equal(rig_ram[RED] + at, "hi", 2);
	assert_int_equal(links[0].drops, 0);
}

static void scattered_chains(void **state)
{
	static const struct rig_part in[] = { { 3, true }, { 7, true }, { 1, true }, { 4000, true } };
	static const struct rig_part out[] = { { 1, false }, { 5, false }, { 2000, false }, { 9, false } };
	uint64_t to[4], from[4];
	uint8_t expected[2015], found[2015];
	uint32_t length, n = 0, m = 0;
	uint16_t head;

	(void)state;
	net_start();
	driver_publish(&blue.queues[0], driver_add(&blue.queues[0], in, 4, to));
	head = driver_add(&red.queues[1], out, 4, from);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < out[i].length; j++, n++)
			rig_ram[RED][from[i] + j] = expected[n] = (uint8_t)(n * 7 + 3);
	}
	driver_publish(&red.queues[1], head);
	driver_kick(&red.queues[1]);
	assert_true(driver_used(&blue.queues[0], NULL, &length));
	assert_int_equal(length, 2015);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < in[i].length && m < sizeof(found); j++)
			found[m++] = rig_ram[BLUE][to[i] + j];
	}
	assert_memory_equal(found, expected, sizeof(found));
}

static void no_peer_drops(void **state)
{
	(void)state;
	driver_start(&red, rig_vdev(RED, 0), QUEUE_SIZE);
	for (unsigned i = 0; i < 5; i++) {
		driver_send(&red.queues[1], "x", 1);
		assert_true(driver_used(&red.queues[1], NULL, NULL));
	}
	assert_int_equal(links[0].drops, 5);
	assert_int_equal(rig_audits[LZR_AUDIT_LINK_DROP], 3);
}

static void no_receive_buffer_waits(void **state)
{
	uint64_t at;

	(void)state;
	net_start();
	assert_int_equal(blue.queues[0].used[0], 1);    /* nobody waits: no notifications wanted */
	driver_send(&red.queues[1], "later", 5);
	assert_false(driver_used(&red.queues[1], NULL, NULL));
	assert_int_equal(blue.queues[0].used[0], 0);
	at = driver_post(&blue.queues[0], 100);
	assert_true(driver_used(&red.queues[1], NULL, NULL));
	assert_true(driver_used(&blue.queues[0], NULL, NULL));
	assert_memory_equal(rig_ram[BLUE] + at, "later", 5);
	assert_int_equal(links[0].drops, 0);
	driver_send(&red.queues[1], "more", 4);
	assert_false(driver_used(&red.queues[1], NULL, NULL));
}

static void small_receive_buffer_drops(void **state)
{
	(void)state;
	net_start();
	driver_post(&blue.queues[0], 4);
	driver_send(&red.queues[1], "12345", 5);
	assert_true(driver_used(&red.queues[1], NULL, NULL));
	assert_false(driver_used(&blue.queues[0], NULL, NULL));
	assert_int_equal(links[0].drops, 1);
	driver_send(&red.queues[1], "1234", 4);
	assert_true(driver_used(&blue.queues[0], NULL, NULL));
}

static void full_ring_is_worked_off_in_turns(void **state)
{
	struct driver_queue *tx, *rx;
	uint64_t at;
	unsigned sent = 0;

	(void)state;
	driver_start(&red, rig_vdev(RED, 0), 256);
	driver_start(&blue, rig_vdev(BLUE, 0), 256);
	tx = &red.queues[1];
	rx = &blue.queues[0];
	for (unsigned i = 0; i < 256; i++) {
		driver_publish(tx, driver_add(tx, &(struct rig_part){ 60, false }, 1, &at));
		driver_publish(rx, driver_add(rx, &(struct rig_part){ 100, true }, 1, &at));
	}
	driver_kick(tx);
	assert_int_equal(rx->used[1], 64);      /* a bounded share at a time */
	links_poll(&vms[BLUE]);                 /* not on the receiver's time */
	assert_int_equal(rx->used[1], 64);
	assert_false(links_pending(&vms[BLUE]));
	assert_true(links_pending(&vms[RED]));
	links_poll(&vms[RED]);
	while (links_pending(&vms[RED]))
		links_poll(&vms[RED]);
	while (driver_used(tx, NULL, NULL))
		sent++;
	assert_int_equal(sent, 256);
	assert_int_equal(rx->used[1], 256);
}

static void bytes_are_bounded_too(void **state)
{
	uint64_t at;

	(void)state;
	net_start();
	for (unsigned i = 0; i < 6; i++) {
		driver_publish(&red.queues[1], driver_add(&red.queues[1], &(struct rig_part){ 100000, false }, 1, &at));
		driver_publish(&blue.queues[0],
			       driver_add(&blue.queues[0], &(struct rig_part){ 100000, true }, 1, &at));
	}
	driver_kick(&red.queues[1]);
	assert_int_equal(blue.queues[0].used[1], 3);
	links_poll(&vms[RED]);
	assert_int_equal(blue.queues[0].used[1], 6);
}

static void mixed_chain_to_raw_peer_drops(void **state)
{
	static const struct rig_part parts[] = { { 8, false }, { 8, true } };
	uint64_t at[2];

	(void)state;
	net_start();
	driver_post(&blue.queues[0], 100);
	driver_publish(&red.queues[1], driver_add(&red.queues[1], parts, 2, at));
	driver_kick(&red.queues[1]);
	assert_true(driver_used(&red.queues[1], NULL, NULL));
	assert_false(driver_used(&blue.queues[0], NULL, NULL));
	assert_int_equal(links[0].drops, 1);
}

/* --- rings that break the rules ----------------------------------------------------------------------------------- */

/* Red's transmit queue with one chain whose descriptors are as given; must end in `fault` and nothing delivered. */
static void broken(const struct desc *descs, unsigned count, uint16_t head, enum lzr_ring_fault fault)
{
	unsigned faults = rig_audits[LZR_AUDIT_RING_FAULT];

	net_start();
	driver_post(&blue.queues[0], 4096);
	memcpy(red.queues[1].desc, descs, count * sizeof(*descs));
	driver_publish(&red.queues[1], head);
	driver_kick(&red.queues[1]);
	assert_int_equal(rig_audits[LZR_AUDIT_RING_FAULT], faults + 1);
	assert_int_equal(rig_fault, fault);
	assert_int_equal(io_read(red.vdev, 0x14, 1), 15 | VIRTIO_NEEDS_RESET);
	assert_false(driver_used(&red.queues[1], NULL, NULL));
	assert_false(driver_used(&blue.queues[0], NULL, NULL));
	/* Nothing more happens until the reset, and the peer goes on. */
	driver_kick(&red.queues[1]);
	links_poll(&vms[RED]);
	assert_int_equal(rig_audits[LZR_AUDIT_RING_FAULT], faults + 1);
	assert_true(vdev_is_live(blue.vdev));
}

static void broken_rings(void **state)
{
	struct desc chain[40];

	(void)state;
#define ONE(...) broken((struct desc[]){ __VA_ARGS__ }, sizeof((struct desc[]){ __VA_ARGS__ }) / sizeof(struct desc), 0,
	ONE({ RAM_SIZE, 1, 0, 0 }) LZR_RING_ADDRESS);
	ONE({ RAM_SIZE - 8, 9, 0, 0 }) LZR_RING_ADDRESS);
	ONE({ 0xfffffffffffffff8, 16, 0, 0 }) LZR_RING_ADDRESS);
	ONE({ 0xfe001000, 16, 0, 0 }) LZR_RING_ADDRESS);
	ONE({ 0x100000000, 16, 0, 0 }) LZR_RING_ADDRESS);
	ONE({ 0, 0, 0, 0 }) LZR_RING_LENGTH);
	ONE({ 0, CHAIN_BYTES_MAX + 1, 0, 0 }) LZR_RING_LENGTH);
	ONE({ 0, 0xffffffff, 0, 0 }) LZR_RING_LENGTH);
	ONE({ 0, CHAIN_BYTES_MAX, DESC_NEXT, 1 }, { 0, 1, 0, 0 }) LZR_RING_LENGTH);
	ONE({ 0, 16, DESC_INDIRECT, 0 }) LZR_RING_FLAGS);
	ONE({ 0, 16, 0x80, 0 }) LZR_RING_FLAGS);
	ONE({ 0, 16, DESC_WRITE | DESC_NEXT, 1 }, { 64, 16, 0, 0 }) LZR_RING_ORDER);
	ONE({ 0, 16, DESC_NEXT, 0 }) LZR_RING_CHAIN);
	ONE({ 0, 16, DESC_NEXT, 1 }, { 0, 16, DESC_NEXT, 0 }) LZR_RING_CHAIN);
	ONE({ 0, 16, DESC_NEXT, QUEUE_SIZE }) LZR_RING_INDEX);
	ONE({ 0, 16, DESC_NEXT, 0xffff }) LZR_RING_INDEX);
#undef ONE
	broken(chain, 0, QUEUE_SIZE, LZR_RING_INDEX);
	broken(chain, 0, 0xffff, LZR_RING_INDEX);
	for (unsigned i = 0; i < 40; i++)
		chain[i] = (struct desc){ 16 * i, 16, DESC_NEXT, (uint16_t)(i + 1) };
	chain[32].flags = 0;    /* 33 descriptors */
	broken(chain, 40, 0, LZR_RING_CHAIN);
}

static void longest_chain_passes(void **state)
{
	struct rig_part parts[32];
	uint64_t at[32];

	(void)state;
	net_start();
	for (unsigned i = 0; i < 32; i++)
		parts[i] = (struct rig_part){ 4, false };
	driver_post(&blue.queues[0], 128);
	driver_publish(&red.queues[1], driver_add(&red.queues[1], parts, 32, at));
	driver_kick(&red.queues[1]);
	assert_true(driver_used(&blue.queues[0], NULL, NULL));
}

static void loop_in_a_tiny_queue(void **state)
{
	(void)state;
	driver_start(&red, rig_vdev(RED, 0), 2);
	red.queues[1].desc[0] = (struct desc){ 0, 16, DESC_NEXT, 1 };
	red.queues[1].desc[1] = (struct desc){ 0, 16, DESC_NEXT, 0 };
	driver_publish(&red.queues[1], 0);
	driver_kick(&red.queues[1]);
	assert_int_equal(rig_fault, LZR_RING_CHAIN);
}

static void indices_wrap(void **state)
{
	(void)state;
	driver_start(&red, rig_vdev(RED, 0), 4);
	driver_start(&blue, rig_vdev(BLUE, 0), 4);
	for (unsigned i = 0; i < 70000; i++) {
		driver_post(&blue.queues[0], 16);
		driver_send(&red.queues[1], &i, sizeof(i));
		if (!driver_used(&blue.queues[0], NULL, NULL) || !driver_used(&red.queues[1], NULL, NULL))
			fail_msg("lost at %u", i);
	}
	assert_int_equal(links[0].drops, 0);
}

static void readable_receive_chain_breaks_the_receiver(void **state)
{
	uint64_t at;

	(void)state;
	net_start();
	driver_publish(&blue.queues[0], driver_add(&blue.queues[0], &(struct rig_part){ 16, false }, 1, &at));
	driver_send(&red.queues[1], "x", 1);
	assert_false(vdev_is_live(blue.vdev));
	assert_true(vdev_is_live(red.vdev));
	assert_int_equal(rig_fault, LZR_RING_DIRECTION);
	assert_true(driver_used(&red.queues[1], NULL, NULL));
	assert_int_equal(links[0].drops, 1);
}

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
	assert_int_equal(who.label.level, 0);
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
	service_send(&ports.queues[1], 0, answer(LZR_MSG_DATA, 6), "answer", 6);
	assert_true(driver_used(&ports.queues[1], NULL, NULL));
	assert_true(driver_used(&red_chan.queues[0], NULL, &length));
	assert_int_equal(length, 6);
	assert_memory_equal(rig_ram[RED] + at, "answer", 6);
	assert_int_equal(links[1].drops, 0);
}

static void service_never_waits_for_a_guest(void **state)
{
	(void)state;
	channel_start(0);
	service_send(&ports.queues[1], 0, answer(LZR_MSG_DATA, 1), "x", 1);
	assert_true(driver_used(&ports.queues[1], NULL, NULL));
	assert_int_equal(links[1].drops, 1);
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
	assert_int_equal(links[1].drops, 0);
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
	assert_int_equal(links[1].drops, 1);
}

static void message_refused(struct lzr_msg msg, uint32_t bytes)
{
	static uint8_t zeros[8192];
	uint64_t drops = links[1].drops;

	service_send(&ports.queues[1], 0, msg, zeros, bytes);
	assert_true(driver_used(&ports.queues[1], NULL, NULL));
	assert_false(driver_used(&red_chan.queues[0], NULL, NULL));
	assert_int_equal(links[1].drops, drops + 1);
}

static void stale_or_false_messages_are_dropped(void **state)
{
	struct lzr_msg good, bad;

	(void)state;
	channel_start(0);
	driver_post(&red_chan.queues[0], 8192);
	good = answer(LZR_MSG_DATA, 4);
#define WITH(field, value) (bad = good, bad.field = (value), bad)
	message_refused(WITH(magic, 0), 4);
	message_refused(WITH(type, 0), 4);
	message_refused(WITH(type, LZR_MSG_UP), 4);
	message_refused(WITH(type, LZR_MSG_DOWN), 4);
	message_refused(WITH(type, LZR_MSG_REQUEST), 4);
	message_refused(WITH(type, 77), 4);
	message_refused(WITH(reserved, 1), 4);
	message_refused(WITH(link, 2), 4);
	message_refused(WITH(peer, BLUE), 4);
	message_refused(WITH(instance, 101), 4);
	message_refused(WITH(instance, 0), 4);
	message_refused(WITH(generation, 0), 4);
	message_refused(WITH(generation, 2), 4);
	message_refused(WITH(length, 5), 4);
	message_refused(WITH(length, 0), 4);
	message_refused(WITH(length, 0xffffffff), 4);
	message_refused(WITH(length, LZR_MSG_PAYLOAD_MAX + 1), 8000);
	message_refused(WITH(type, LZR_MSG_COMPLETE), 4);
	message_refused(WITH(token, 0), 3);
	driver_send(&ports.queues[1], &good, sizeof(good) - 1);
	assert_int_equal(links[1].drops, 20);
	/* The same message, right, still counts; not after the guest's reset. */
	service_send(&ports.queues[1], 0, good, "good", 4);
	assert_true(driver_used(&red_chan.queues[0], NULL, NULL));
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	driver_post(&red_chan.queues[0], 8192);
	while (driver_used(&ports.queues[1], NULL, NULL))
		;
	message_refused(good, 4);
	/* Nor with the present generation before the service was told of it. */
	message_refused(WITH(generation, 2), 4);
#undef WITH
}

static void oversized_payload_to_a_service_drops(void **state)
{
	static uint8_t bytes[LZR_MSG_PAYLOAD_MAX + 1];

	(void)state;
	channel_start(1);
	driver_send(&red_chan.queues[1], bytes, sizeof(bytes));
	assert_int_equal(links[1].drops, 1);
	driver_send(&red_chan.queues[1], bytes, sizeof(bytes) - 1);
	assert_true(service_receive(&ports.queues[0], spare_buffer[0], 0));
	assert_int_equal(got.length, LZR_MSG_PAYLOAD_MAX);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

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
	service_send(&ports.queues[1], 0, answer(LZR_MSG_COMPLETE, 12), "0123456789ab", 12);
	assert_true(driver_used(&red_chan.queues[1], &id, &length));
	assert_int_equal(id, head);
	assert_int_equal(length, 12);
	assert_memory_equal(rig_ram[RED] + at[1], "0123456789", 10);
	assert_memory_equal(rig_ram[RED] + at[2], "ab", 2);
	/* once */
	service_send(&ports.queues[1], 0, answer(LZR_MSG_COMPLETE, 1), "x", 1);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(links[1].drops, 1);
	/* and not for a later chain with the same head */
	red_chan.queues[1].next_desc = head;
	{
		struct lzr_msg old = answer(LZR_MSG_COMPLETE, 1);

		assert_int_equal(request_send(at, 1), head);
		assert_int_not_equal(got.token, old.token);
		service_send(&ports.queues[1], 0, old, "x", 1);
		assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
		assert_int_equal(links[1].drops, 2);
	}
}

static void false_completions_are_dropped(void **state)
{
	struct lzr_msg good, bad;
	uint64_t at[3];

	(void)state;
	channel_start(1);
	request_send(at, 0);
	good = answer(LZR_MSG_COMPLETE, 4);
#define WITH(field, value) (bad = good, bad.field = (value), bad)
	message_refused(WITH(token, good.token + 1), 4);
	message_refused(WITH(token, good.token | 0xffff), 4);
	message_refused(WITH(token, good.token ^ 0x10000), 4);
	message_refused(WITH(token, QUEUE_SIZE), 4);
	message_refused(WITH(length, 111), 200);
	message_refused(WITH(instance, 1), 4);
	message_refused(WITH(generation, 9), 4);
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
	service_send(&ports.queues[1], 0, answer(LZR_MSG_COMPLETE, 110), got_payload, 110);
	assert_int_equal(rig_fault, LZR_RING_CHANGED);
	assert_false(vdev_is_live(red_chan.vdev));
	assert_true(vdev_is_live(ports.vdev));

	channel_start(1);
	head = request_send(at, 0);
	red_chan.queues[1].desc[head + 1].address = 0xffffffff00000000;
	service_send(&ports.queues[1], 0, answer(LZR_MSG_COMPLETE, 110), got_payload, 110);
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
	old = answer(LZR_MSG_COMPLETE, 4);
	driver_start(&red_chan, rig_vdev(RED, 1), QUEUE_SIZE);
	service_send(&ports.queues[1], 0, old, "late", 4);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(links[1].drops, 1);
	old.generation++;
	service_send(&ports.queues[1], 0, old, "late", 4);
	assert_false(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_int_equal(links[1].drops, 2);
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
	service_send(&ports.queues[1], 0, answer(LZR_MSG_COMPLETE, LZR_MSG_PAYLOAD_MAX), got_payload,
		     LZR_MSG_PAYLOAD_MAX);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
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
	to_ctl = answer(LZR_MSG_DATA, 4);
	at_ctl = driver_post(&ctl.queues[0], 5000);
	assert_true(service_receive(&ctl.queues[0], at_ctl, PREFIX));
	assert_int_equal(got.peer, SVC);
	assert_string_equal((char *)got_payload + offsetof(struct lzr_peer, name), "svc");
	to_peer = answer(LZR_MSG_DATA, 3);

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
	assert_int_equal(links[3].drops, 1);
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
	service_send(&ports.queues[3], 0, answer(LZR_MSG_DATA, 1), "x", 1);
	assert_int_equal(links[2].drops, 1);
	assert_false(driver_used(&blue_chan.queues[0], NULL, NULL));
	/* A flood on one pair leaves the other alone. */
	for (unsigned i = 0; i < 40; i++)
		driver_send(&red_chan.queues[1], "flood", 5);
	at1 = driver_post(&ports.queues[2], 5000);
	driver_send(&blue_chan.queues[1], "calm", 4);
	assert_true(service_receive(&ports.queues[2], at1, 0));
	assert_memory_equal(got_payload, "calm", 4);
}

static void hello_brings_up_again(void **state)
{
	const struct lzr_msg hello = { .magic = LZR_MSG_MAGIC, .type = LZR_MSG_HELLO };
	struct lzr_msg bad = hello, old;
	uint64_t at[3];

	(void)state;
	channel_start(3);
	request_send(at, 0);
	old = answer(LZR_MSG_COMPLETE, 1);
	bad.token = 1;
	service_send(&ports.queues[1], 0, bad, "", 0);
	assert_int_equal(links[1].drops, 1);
	service_send(&ports.queues[1], 0, hello, "", 0);
	assert_int_equal(links[1].drops, 1);
	assert_true(driver_used(&red_chan.queues[1], NULL, NULL));
	assert_true(service_receive(&ports.queues[0], spare_buffer[1], 0));
	assert_int_equal(got.type, LZR_MSG_UP);
	assert_int_equal(got.generation, 1);
	service_send(&ports.queues[1], 0, old, "x", 1);
	assert_int_equal(links[1].drops, 2);
	driver_send(&red_chan.queues[1], "on", 2);
	assert_true(service_receive(&ports.queues[0], spare_buffer[2], 0));
	assert_int_equal(got.type, LZR_MSG_DATA);
	/* Before the peer is up it changes nothing. */
	io_write(red_chan.vdev, 0x14, 1, 0);
	service_send(&ports.queues[1], 0, hello, "", 0);
	assert_int_equal(links[1].drops, 2);
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
	assert_int_equal(links[1].drops, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(raw_to_raw), TEST(scattered_chains), TEST(no_peer_drops), TEST(no_receive_buffer_waits),
		TEST(small_receive_buffer_drops), TEST(full_ring_is_worked_off_in_turns), TEST(bytes_are_bounded_too),
		TEST(mixed_chain_to_raw_peer_drops), TEST(broken_rings), TEST(longest_chain_passes),
		TEST(loop_in_a_tiny_queue), TEST(indices_wrap), TEST(readable_receive_chain_breaks_the_receiver),
		TEST(up_says_who), TEST(raw_to_service_and_back), TEST(service_never_waits_for_a_guest),
		TEST(guest_waits_for_a_service), TEST(up_comes_before_anything_else), TEST(reset_and_restart_are_told),
		TEST(resets_without_buffers_become_one_change), TEST(broken_guest_is_down),
		TEST(service_restart_hears_up_again), TEST(stale_or_false_messages_are_dropped),
		TEST(oversized_payload_to_a_service_drops), TEST(request_and_complete),
		TEST(false_completions_are_dropped), TEST(changed_chain_breaks_the_guest_only),
		TEST(repeated_head_breaks_the_guest), TEST(reset_voids_requests), TEST(service_reset_fails_requests),
		TEST(service_reset_and_return_at_once_fails_requests), TEST(writable_only_request_and_capacity_cap),
		TEST(service_to_service), TEST(pairs_are_separate), TEST(broken_service_fails_its_guests_requests),
		TEST(hello_brings_up_again),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
