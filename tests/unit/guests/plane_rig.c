/* SPDX-License-Identifier: Apache-2.0 */
#include "plane_rig.h"

#include <string.h>

#include "rt.h"

struct plane plane;
struct buffer buffers[POOL_MAX];
uint8_t element[BUFFER_SIZE], out[BUFFER_SIZE];
uint32_t all_buffers;

void run(void)
{
	do
		fake.clock++;
	while (plane_round(&plane));
}

/* The hypervisor's message to an end. */
bool deliver(unsigned end, unsigned type, uint64_t instance, uint32_t generation, const void *payload,
		    uint32_t length)
{
	struct lzr_msg msg = {.magic = LZR_MSG_MAGIC, .type = (uint16_t)type, .link = LINK(end), .instance = instance};

	msg.peer = end == CONTROL ? ATTESTOR_VM : plane.sw.config.ports[end].vm;
	msg.generation = generation;
	msg.length = length;
	memcpy(element, &msg, sizeof(msg));
	memcpy(element + sizeof(msg), payload, length);
	return fake_put(end * 2, element, (uint32_t)sizeof(msg) + length);
}

void up(unsigned end, uint64_t instance)
{
	struct lzr_peer peer = lab_peer(&plane.sw.config, end == CONTROL ? ATTESTOR : end, instance);

	assert_true(deliver(end, LZR_MSG_UP, instance, 1, &peer, sizeof(peer)));
	run();
}

void down(unsigned end, uint64_t instance)
{
	assert_true(deliver(end, LZR_MSG_DOWN, instance, 1, "", 0));
	run();
}

bool put_frame(unsigned end, uint64_t instance, const struct lab_frame *f)
{
	uint8_t payload[NET_HEADER + FRAME_MAX] = { 0 };
	uint32_t length = lab_bytes(f, payload + NET_HEADER);

	payload[10] = 0xee;     /* Linux leaves num_buffers as it was */
	return deliver(end, LZR_MSG_DATA, instance, 1, payload, NET_HEADER + length);
}

/* What the end gets next: the payload is in `out` behind the header, its length is returned; -1 for nothing. */
int collect(unsigned end, uint64_t instance)
{
	int length = fake_take(end * 2 + 1, out, sizeof(out));
	struct lzr_msg msg;

	if (length < 0)
		return -1;
	memcpy(&msg, out, sizeof(msg));
	assert_int_equal(msg.magic, LZR_MSG_MAGIC);
	assert_int_equal(msg.type, LZR_MSG_DATA);
	assert_int_equal(msg.reserved, 0);
	assert_int_equal(msg.link, LINK(end));
	assert_int_equal(msg.instance, instance);
	assert_int_equal(msg.generation, 1);
	assert_int_equal(msg.length, length - (int)sizeof(msg));
	return (int)msg.length;
}

struct lzr_control_message ask(uint32_t op, uint32_t port, const uint8_t *result)
{
	struct lzr_control_message message = { .op = op, .port = port, .seq = 77 };
	uint8_t payload[sizeof(message) + LZR_RESULT_SIZE];
	uint32_t length = sizeof(message);

	memcpy(payload, &message, sizeof(message));
	if (result != NULL) {
		memcpy(payload + length, result, LZR_RESULT_SIZE);
		length += LZR_RESULT_SIZE;
	}
	assert_true(deliver(CONTROL, LZR_MSG_DATA, 2, 1, payload, length));
	run();
	assert_int_equal(collect(CONTROL, 2), sizeof(message));
	memcpy(&message, out + sizeof(struct lzr_msg), sizeof(message));
	assert_int_equal(message.seq, 77);
	return message;
}

void admit(unsigned port)
{
	struct lzr_control_message state = ask(LZR_CONTROL_STATE, port, NULL);
	struct lzr_result lease = lab_lease(&plane.sw.ports[port], LEASE_MAX);
	uint8_t result[LZR_RESULT_SIZE];

	memcpy(lease.port_nonce, state.nonce, sizeof(lease.port_nonce));
	lab_sign(&lease, result);
	assert_int_equal(ask(LZR_CONTROL_RESULT, port, result).status, LZR_CTL_OK);
}

int plane_rig_setup(void **state)
{
	uint32_t where;

	(void)state;
	fake_reset();
	memset(&plane, 0, sizeof(plane));
	lab_switch(&plane.sw);
	pool_init(buffers, POOL_MAX);
	assert_null(plane_open(&plane, &where));
	assert_int_equal(fake.status, 15);
	fake.clock = 1;
	run();
	all_buffers = pool_count();
	up(CONTROL, 2);
	return 0;
}

/* Every buffer is where it was after start-up. */
int plane_rig_teardown(void **state)
{
	unsigned end;

	(void)state;
	for (end = 0; end <= CONTROL; end++) {
		while (fake_take(end * 2 + 1, out, sizeof(out)) >= 0)
			;
	}
	while (fake_depart(0, out, sizeof(out)) >= 0 || fake_depart(1, out, sizeof(out)) >= 0)
		;
	run();
	run();
	assert_int_equal(pool_count(), all_buffers);
	return 0;
}
