/* SPDX-License-Identifier: Apache-2.0 */
/* The router between raw ends, and rings that break the rules. */
#include "link_rig.h"

static struct driver red, blue;

static void net_start(void)
{
	driver_start(&red, rig_vdev(RED, 0), QUEUE_SIZE);
	driver_start(&blue, rig_vdev(BLUE, 0), QUEUE_SIZE);
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
	assert_int_equal(rig_drops(0), 0);
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
	assert_int_equal(links[0].end[0].drops, 5);
	assert_int_equal(links[0].end[1].drops, 0);     /* each end's own are told of it */
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
	assert_int_equal(rig_drops(0), 0);
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
	assert_int_equal(rig_drops(0), 1);
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
	assert_int_equal(rig_drops(0), 1);
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
	assert_int_equal(rig_drops(0), 0);
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
	assert_int_equal(rig_drops(0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(raw_to_raw), RIG_TEST(scattered_chains), RIG_TEST(no_peer_drops),
		RIG_TEST(no_receive_buffer_waits), RIG_TEST(small_receive_buffer_drops),
		RIG_TEST(full_ring_is_worked_off_in_turns), RIG_TEST(bytes_are_bounded_too),
		RIG_TEST(mixed_chain_to_raw_peer_drops), RIG_TEST(broken_rings), RIG_TEST(longest_chain_passes),
		RIG_TEST(loop_in_a_tiny_queue), RIG_TEST(indices_wrap),
		RIG_TEST(readable_receive_chain_breaks_the_receiver),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
