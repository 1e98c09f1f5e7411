/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <lazaret/link.h>

#include "io.h"
#include "vdev.h"
#include "warden.h"

#define ANSWER_TIME 5000000000ull
#define BUFFER 1024u
#define RX 0u
#define TX 1u
#define RX_BUFFERS 8u

static struct vdev device;
static struct virtq rx, tx;
static uint8_t rx_buffers[RX_BUFFERS][BUFFER], tx_buffer[BUFFER];
static struct lzr_msg present;          /* link, peer, instance, generation of the switch */
static bool up;
static uint32_t sequence;
static bool answered;
static struct lzr_control_message last;

static void post(uint8_t *buffer)
{
	if (!virtq_add(&rx, io_address(buffer), BUFFER, true, buffer))
		rt_panic("warden: receive queue is full");
}

void control_open(void)
{
	const char *wrong = vdev_open(&device, LZR_VIRTIO_PCI_LINK);
	unsigned i;

	if (wrong == NULL)
		wrong = vdev_queue(&device, RX, &rx);
	if (wrong == NULL)
		wrong = vdev_queue(&device, TX, &tx);
	if (wrong != NULL)
		rt_panic("warden: control device: %s", wrong);
	for (i = 0; i < RX_BUFFERS; i++)
		post(rx_buffers[i]);
	wrong = vdev_start(&device);
	if (wrong != NULL)
		rt_panic("warden: control device: %s", wrong);
	vdev_kick(&device, RX, &rx);
}

static void take_message(const uint8_t *bytes)
{
	struct lzr_msg msg;

	memcpy(&msg, bytes, sizeof(msg));
	if (msg.type == LZR_MSG_UP) {
		present = msg;
		up = true;
		rt_printf("WARDEN switch up instance=%lu\n", msg.instance);
	} else if (msg.type == LZR_MSG_DOWN) {
		up = false;
		rt_printf("WARDEN switch down\n");
	} else if (msg.type == LZR_MSG_DATA && msg.length == sizeof(last)) {
		memcpy(&last, bytes + sizeof(msg), sizeof(last));
		answered = last.seq == sequence;
	}
}

static void poll(void)
{
	uint8_t *buffer;
	uint32_t length;

	while (virtq_take(&tx, &length) != NULL)
		;
	while ((buffer = virtq_take(&rx, &length)) != NULL) {
		take_message(buffer);
		post(buffer);
	}
	vdev_kick(&device, RX, &rx);
}

bool control_is_up(void)
{
	poll();
	return up;
}

void control_wait(uint64_t ns)
{
	uint64_t end = rt_clock() + ns;

	while (rt_clock() < end) {
		poll();
		rt_sleep(2000000);
	}
}

bool control_ask(uint32_t op, uint32_t port, const uint8_t *result, struct lzr_control_message *answer)
{
	struct lzr_control_message ask = { .op = op, .seq = ++sequence, .port = port };
	struct lzr_msg msg = present;
	uint64_t end = rt_clock() + ANSWER_TIME;

	msg.type = LZR_MSG_DATA;
	msg.length = sizeof(ask) + (result != NULL ? LZR_RESULT_SIZE : 0);
	memcpy(tx_buffer, &msg, sizeof(msg));
	memcpy(tx_buffer + sizeof(msg), &ask, sizeof(ask));
	if (result != NULL)
		memcpy(tx_buffer + sizeof(msg) + sizeof(ask), result, LZR_RESULT_SIZE);
	answered = false;
	if (!control_is_up() || !virtq_add(&tx, io_address(tx_buffer), sizeof(msg) + msg.length, false, tx_buffer))
		return false;
	vdev_kick(&device, TX, &tx);
	while (!answered && up && rt_clock() < end) {
		poll();
		rt_sleep(500000);
	}
	*answer = last;
	return answered;
}
