/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard VM: moves lines (form.h) from the channel at its device "high" down to the channel at its device "low".
 *
 * Upwards there is nothing: the transmit queue towards HIGH is never set up, and whatever LOW sends is counted and
 * forgotten.  A line that LOW cannot take now is dropped, so HIGH never waits for LOW.  The counters go to the console
 * when they change, once a second at most.
 */
#include <string.h>

#include <lazaret/link.h>

#include "form.h"
#include "io.h"
#include "rt.h"
#include "vdev.h"

#define SLOT_HIGH 1u                    /* as the image is built: guests/guard/Makefile */
#define SLOT_LOW 2u
#define RX 0u
#define TX 1u
#define POSTED 16u
#define BUFFER_SIZE (sizeof(struct lzr_msg) + LZR_MSG_PAYLOAD_MAX)
#define TELL_NS 1000000000ull

struct side {
	const char *name;
	struct vdev device;
	struct virtq rx;
	bool up;
	struct lzr_msg address;         /* of the peer's present generation */
	uint8_t buffers[POSTED][BUFFER_SIZE];
};

static struct side high = { .name = "high" }, low = { .name = "low" };
static struct virtq low_tx;
static uint8_t line_buffer[sizeof(struct lzr_msg) + FORM_MAX];
static bool line_free = true;           /* the one line on its way down was taken */
static struct form_state state;

static struct {
	uint64_t verdicts[FORM_VERDICTS];
	uint64_t undelivered;           /* of the right form, but LOW was not there or not done with the last one */
	uint64_t from_low;
	uint64_t other;                 /* messages that are neither data nor coming and going */
} counts;
static bool changed = true;
static uint64_t told_ns;

static void tell(uint64_t now)
{
	if (!changed || now - told_ns < TELL_NS)
		return;
	changed = false;
	told_ns = now;
	rt_printf("GUARD passed=%lu oversized=%lu malformed=%lu repeated=%lu early=%lu undelivered=%lu from-low=%lu "
		  "other=%lu\n",
		  counts.verdicts[FORM_PASS], counts.verdicts[FORM_OVERSIZED], counts.verdicts[FORM_MALFORMED],
		  counts.verdicts[FORM_REPEATED], counts.verdicts[FORM_EARLY], counts.undelivered, counts.from_low,
		  counts.other);
}

static void open_side(struct side *side, unsigned slot, struct virtq *tx)
{
	const char *wrong = vdev_open_at(&side->device, LZR_VIRTIO_PCI_LINK, slot);

	if (wrong == NULL)
		wrong = vdev_queue(&side->device, RX, &side->rx);
	if (wrong == NULL && tx != NULL)
		wrong = vdev_queue(&side->device, TX, tx);
	for (unsigned i = 0; wrong == NULL && i < POSTED; i++)
		if (!virtq_add(&side->rx, io_address(side->buffers[i]), BUFFER_SIZE, true, side->buffers[i]))
			wrong = "receive queue is too small";
	if (wrong == NULL)
		wrong = vdev_start(&side->device);
	if (wrong != NULL)
		rt_panic("guard: device %s: %s", side->name, wrong);
	vdev_kick(&side->device, RX, &side->rx);
}

static void send_down(const struct form_line *line)
{
	struct lzr_msg msg = low.address;
	size_t length = form_write(line, line_buffer + sizeof(msg));

	msg.type = LZR_MSG_DATA;
	msg.token = msg.capacity = 0;
	msg.length = (uint32_t)length;
	memcpy(line_buffer, &msg, sizeof(msg));
	if (!virtq_add(&low_tx, io_address(line_buffer), (uint32_t)(sizeof(msg) + length), false, line_buffer))
		rt_panic("guard: transmit queue is full");
	line_free = false;
	vdev_kick(&low.device, TX, &low_tx);
}

static void data_from_high(const uint8_t *payload, uint32_t length, uint64_t now)
{
	struct form_state before = state;
	struct form_line line;
	enum form_verdict verdict = form_judge(&state, payload, length, now, &line);

	if (verdict == FORM_PASS && (!low.up || !line_free)) {
		state = before;
		counts.undelivered++;
		return;
	}
	counts.verdicts[verdict]++;
	if (verdict == FORM_PASS)
		send_down(&line);
}

static bool is_present(const struct side *side, const struct lzr_msg *msg)
{
	return side->up && msg->link == side->address.link && msg->instance == side->address.instance &&
	       msg->generation == side->address.generation;
}

static void message(struct side *side, const uint8_t *bytes, uint32_t used, uint64_t now)
{
	struct lzr_peer peer;
	struct lzr_msg msg;

	memcpy(&msg, bytes, sizeof(msg));
	changed = true;
	if (used < sizeof(msg) || msg.magic != LZR_MSG_MAGIC || msg.length != used - sizeof(msg)) {
		counts.other++;
	} else if (msg.type == LZR_MSG_UP && msg.length == sizeof(peer)) {
		memcpy(&peer, bytes + sizeof(msg), sizeof(peer));
		side->up = true;
		side->address = msg;
		peer.name[sizeof(peer.name) - 1] = 0;
		rt_printf("GUARD %s is %s, level %u\n", side->name, peer.name, peer.label.level);
	} else if (msg.type == LZR_MSG_DOWN) {
		side->up = false;
		rt_printf("GUARD %s is gone\n", side->name);
	} else if (side == &low) {
		counts.from_low++;
	} else if (msg.type == LZR_MSG_DATA && is_present(side, &msg)) {
		data_from_high(bytes + sizeof(msg), msg.length, now);
	} else {
		counts.other++;
	}
}

static bool poll(struct side *side, uint64_t now)
{
	uint8_t *buffer;
	uint32_t used;
	bool any = false;

	for (unsigned i = 0; i < POSTED && (buffer = virtq_take(&side->rx, &used)) != NULL; i++) {
		any = true;
		message(side, buffer, used, now);
		if (!virtq_add(&side->rx, io_address(buffer), BUFFER_SIZE, true, buffer))
			rt_panic("guard: device %s: receive queue is full", side->name);
	}
	if (side->rx.broken)
		rt_panic("guard: device %s returned what it was not given", side->name);
	vdev_kick(&side->device, RX, &side->rx);
	return any;
}

static bool round(uint64_t now)
{
	uint32_t used;
	bool any = false;

	if (virtq_take(&low_tx, &used) != NULL)
		line_free = true;
	any |= poll(&high, now);
	any |= poll(&low, now);
	tell(now);
	return any;
}

static void interrupts(bool on)
{
	virtq_interrupts(&high.rx, on);
	virtq_interrupts(&low.rx, on);
	io_barrier();
}

void rt_main(void)
{
	trap_init();
	open_side(&high, SLOT_HIGH, NULL);
	open_side(&low, SLOT_LOW, &low_tx);
	rt_printf("GUARD ready\n");
	for (;;) {
		if (round(rt_clock()))
			continue;
		interrupts(true);
		if (changed)
			rt_sleep(TELL_NS / 4);
		else if (!virtq_has_used(&high.rx) && !virtq_has_used(&low.rx))
			cpu_idle();
		interrupts(false);
	}
}
