/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that answers on every queue pair of its device: data comes back as it is, a request is completed with its
 * payload's bytes in reverse, "die" ends it, and who comes and goes is printed.
 */
#include <string.h>

#include <lazaret/link.h>

#include "io.h"
#include "rt.h"
#include "vdev.h"

#define PAIRS 2u
#define POSTED 16u
#define BUFFER_SIZE (sizeof(struct lzr_msg) + LZR_MSG_PAYLOAD_MAX)
#define BUFFERS 64u
#define DEADLY "die"                   /* a message that ends this instance */

struct buffer { _Alignas(16) uint8_t bytes[BUFFER_SIZE]; struct buffer *next; };

static struct vdev device;
static struct virtq queues[2 * PAIRS];
static struct buffer buffers[BUFFERS], *free_buffers;
static uint64_t data[PAIRS], ups[PAIRS];

static void buffer_put(struct buffer *buffer)
{
	buffer->next = free_buffers;
	free_buffers = buffer;
}

static void post(unsigned pair)
{
	struct virtq *rx = &queues[2 * pair];

	while ((uint16_t)(rx->size - rx->free_count) < POSTED && free_buffers) {
		struct buffer *buffer = free_buffers;

		if (!virtq_add(rx, io_address(buffer->bytes), BUFFER_SIZE, true, buffer))
			break;
		free_buffers = buffer->next;
	}
	vdev_kick(&device, (uint16_t)(2 * pair), rx);
}

static void answer(unsigned pair, struct buffer *buffer, const struct lzr_msg *msg)
{
	uint8_t *payload = buffer->bytes + sizeof(*msg);
	struct lzr_msg back = *msg;

	back.type = msg->type == LZR_MSG_REQUEST ? LZR_MSG_COMPLETE : LZR_MSG_DATA;
	back.capacity = 0;
	for (uint32_t i = 0; msg->type == LZR_MSG_REQUEST && i < msg->length / 2; i++) {
		uint8_t byte = payload[i];

		payload[i] = payload[msg->length - 1 - i];
		payload[msg->length - 1 - i] = byte;
	}
	memcpy(buffer->bytes, &back, sizeof(back));
	if (!virtq_add(&queues[2 * pair + 1], io_address(buffer->bytes), (uint32_t)sizeof(back) + msg->length, false,
		       buffer))
		buffer_put(buffer);
	vdev_kick(&device, (uint16_t)(2 * pair + 1), &queues[2 * pair + 1]);
}

static void take(unsigned pair, struct buffer *buffer)
{
	const struct lzr_peer *peer = (const struct lzr_peer *)(buffer->bytes + sizeof(struct lzr_msg));
	struct lzr_msg msg;

	memcpy(&msg, buffer->bytes, sizeof(msg));
	if (msg.type == LZR_MSG_DATA && msg.length >= sizeof(DEADLY) - 1 &&
		!memcmp(buffer->bytes + sizeof(msg), DEADLY, sizeof(DEADLY) - 1))
		rt_panic("echo: told to die");
	if (msg.type == LZR_MSG_DATA || msg.type == LZR_MSG_REQUEST) {
		data[pair]++;
		answer(pair, buffer, &msg);
		return;
	}
	if (msg.type == LZR_MSG_UP && ups[pair]++ == 0)
		rt_printf("ECHO-UP pair=%u vm=%s number=%u\n", pair, peer->name, peer->vm);
	else if (msg.type == LZR_MSG_DOWN && ups[pair] < 20)
		rt_printf("ECHO-DOWN pair=%u generation=%u messages=%lu\n", pair, msg.generation, data[pair]);
	buffer_put(buffer);
}

static bool round(void)
{
	struct buffer *buffer;
	uint32_t length;
	bool any = false;

	for (unsigned pair = 0; pair < PAIRS; pair++) {
		while ((buffer = virtq_take(&queues[2 * pair + 1], &length)) != NULL)
			buffer_put(buffer);
		for (unsigned i = 0; i < POSTED && (buffer = virtq_take(&queues[2 * pair], &length)) != NULL; i++) {
			take(pair, buffer);
			any = true;
		}
		post(pair);
	}
	return any;
}

static void interrupts(bool on)
{
	for (unsigned i = 0; i < 2 * PAIRS; i += 2)
		virtq_interrupts(&queues[i], on);
	io_barrier();
}

void rt_main(void)
{
	const char *wrong;

	trap_init();
	for (unsigned i = 0; i < BUFFERS; i++)
		buffer_put(&buffers[i]);
	wrong = vdev_open(&device, LZR_VIRTIO_PCI_LINK);
	for (uint16_t i = 0; !wrong && i < 2 * PAIRS; i++)
		wrong = vdev_queue(&device, i, &queues[i]);
	if (!wrong)
		wrong = vdev_start(&device);
	if (wrong)
		rt_panic("echo: %s", wrong);
	for (;;) {
		if (round())
			continue;
		interrupts(true);
		if (!virtq_has_used(&queues[0]) && !virtq_has_used(&queues[2]))
			cpu_idle();
		interrupts(false);
	}
}
