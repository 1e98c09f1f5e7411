/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guard whose lower end is a network: each number that comes by the channel at its device "high", larger than the one
 * before, goes down as the number of an echo request to blue.  Nothing else of it does (questions from below are
 * answered with what they brought), and upwards there is no queue.
 *
 *   RELEASE blue has N                    blue answered the one with number N
 *   RELEASE refused=N, RELEASE from-low=N messages that were none, frames that came up; as all three, at powers of two
 */
#include <string.h>

#include <lazaret/link.h>

#include "io.h"
#include "net.h"
#include "rt.h"
#include "vdev.h"

#define BLUE 15u
#define RX 0u
#define POSTED 8u
#define BUFFER_SIZE (sizeof(struct lzr_msg) + LZR_MSG_PAYLOAD_MAX)

static struct vdev device;
static struct virtq high;
static uint8_t buffers[POSTED][BUFFER_SIZE];
static uint16_t last;
static unsigned refused, answered, from_low;

static bool is_power_of_two(unsigned n)
{
	return (n & (n - 1)) == 0;
}

static void open_high(void)
{
	const char *wrong = vdev_open(&device, LZR_VIRTIO_PCI_LINK);

	if (wrong == NULL)
		wrong = vdev_queue(&device, RX, &high);
	for (unsigned i = 0; wrong == NULL && i < POSTED; i++)
		if (!virtq_add(&high, io_address(buffers[i]), BUFFER_SIZE, true, buffers[i]))
			wrong = "receive queue is too small";
	if (wrong == NULL)
		wrong = vdev_start(&device);
	if (wrong != NULL)
		rt_panic("release: device high: %s", wrong);
	vdev_kick(&device, RX, &high);
}

static void take_from_high(const uint8_t *bytes, uint32_t used)
{
	const uint8_t *payload = bytes + sizeof(struct lzr_msg);
	struct lzr_msg msg;
	uint16_t number;

	memcpy(&msg, bytes, sizeof(msg));
	if (used < sizeof(msg) || msg.type != LZR_MSG_DATA)
		return;
	number = (uint16_t)(payload[0] << 8 | payload[1]);
	if (used != sizeof(msg) + 2 || number <= last) {
		if (is_power_of_two(++refused))
			rt_printf("RELEASE refused=%u\n", refused);
		return;
	}
	last = number;
	net_ping_numbered(BLUE, number);
}

static void poll_high(void)
{
	uint8_t *buffer;
	uint32_t used;

	while ((buffer = virtq_take(&high, &used)) != NULL) {
		take_from_high(buffer, used);
		if (!virtq_add(&high, io_address(buffer), BUFFER_SIZE, true, buffer))
			rt_panic("release: receive queue is full");
	}
	vdev_kick(&device, RX, &high);
}

static void poll_low(void)
{
	struct net_heard heard;

	while ((heard = net_listen()).kind != NET_NOTHING) {
		if (heard.kind == NET_PONG && heard.from == BLUE && is_power_of_two(++answered))
			rt_printf("RELEASE blue has %u\n", heard.number);
		else if (heard.kind != NET_PONG && is_power_of_two(++from_low))
			rt_printf("RELEASE from-low=%u\n", from_low);
	}
}

void rt_main(void)
{
	static const uint8_t blue[6] = { 0x02, 0x4c, 0x5a, 0x00, 0x03, BLUE };

	trap_init();
	open_high();
	rt_printf("RELEASE 10.0.3.%u ready\n", net_open());
	net_tell(BLUE, blue);
	for (;;) {
		poll_high();
		poll_low();
		rt_sleep(20000000);
	}
}
