/* SPDX-License-Identifier: Apache-2.0 */
#include "plane.h"

#include <string.h>

#include "rt.h"

/* Console lines: this many at once, then one in so many nanoseconds, so that no guest can keep the switch printing. */
#define LINES_MAX 64u
#define LINE_INTERVAL 100000000ull

static bool may_tell(struct plane *plane)
{
	uint64_t more = (plane->now - plane->line_time) / LINE_INTERVAL;

	if (more != 0) {
		plane->lines = more >= LINES_MAX - plane->lines ? LINES_MAX : plane->lines + (uint32_t)more;
		plane->line_time += more * LINE_INTERVAL;
	}
	if (plane->lines == 0)
		return false;
	plane->lines--;
	return true;
}

static void tell_port(struct plane *plane, const struct plane_end *end, const char *what)
{
	static const char *const states[] = {
		[LZR_PORT_DOWN] = "down",         [LZR_PORT_QUARANTINED] = "quarantined",
		[LZR_PORT_ADMITTED] = "admitted", [LZR_PORT_BLOCKED] = "blocked",
		[LZR_PORT_INFRASTRUCTURE] = "infrastructure",
	};
	struct port *port = &plane->sw.ports[end->port];

	if (may_tell(plane))
		rt_printf("port %u: %s: vm %u instance %lu %s\n", end->port, what, end->peer, end->instance,
			  states[port_state(port, plane->now)]);
}

/* --- queue pairs -------------------------------------------------------------------------------------------------- */

static uint16_t rx_number(const struct plane_end *end)
{
	return (uint16_t)(end->pair * 2);
}

static uint16_t tx_number(const struct plane_end *end)
{
	return (uint16_t)(end->pair * 2 + 1);
}

static void refill(struct plane_end *end)
{
	struct buffer *buffer;

	while (end->posted < PLANE_POSTED && (buffer = pool_get()) != NULL) {
		if (!virtq_add(&end->rx, io_address(buffer->bytes), BUFFER_SIZE, true, buffer)) {
			pool_put(buffer);
			return;
		}
		end->posted++;
	}
}

static bool take_back(struct plane_end *end)
{
	struct buffer *buffer;
	uint32_t length;
	bool any = false;

	while ((buffer = virtq_take(&end->tx, &length)) != NULL) {
		if (!end->is_control)
			fair_give(&end->room, pool_source(buffer));
		pool_put(buffer);
		any = true;
	}
	return any;
}

static void take_back_from_card(struct plane *plane, uint8_t uplink)
{
	struct buffer *buffer;

	while ((buffer = e1000e_sent(&plane->uplinks[uplink])) != NULL) {
		fair_give(&plane->uplink_room[uplink], pool_source(buffer));
		pool_put(buffer);
	}
}

/*
 * Writes the header in front of `length` bytes of payload and queues the buffer; false, and still the caller's:
 * full.
 */
static bool send(struct plane_end *end, struct buffer *buffer, uint32_t length)
{
	const struct lzr_msg msg = {
		.magic = LZR_MSG_MAGIC,
		.type = LZR_MSG_DATA,
		.link = end->link,
		.peer = end->peer,
		.instance = end->instance,
		.generation = end->generation,
		.length = length,
	};

	if (!end->up)
		return false;
	memcpy(buffer->bytes, &msg, sizeof(msg));
	return virtq_add(&end->tx, io_address(buffer->bytes), (uint32_t)sizeof(msg) + length, false, buffer);
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static unsigned source_of(struct switch_end from)
{
	return from.kind == SWITCH_PORT ? from.index : LZR_SWITCH_PORT_MAX + from.index;
}

static bool find_room(struct plane *plane, unsigned source, struct switch_end to)
{
	struct fair *room = to.kind == SWITCH_PORT ? &plane->ends[to.index].room : &plane->uplink_room[to.index];

	if (fair_take(room, source))
		return true;
	if (to.kind == SWITCH_PORT)
		take_back(&plane->ends[to.index]);
	else
		take_back_from_card(plane, to.index);
	return fair_take(room, source);
}

/* The buffer goes to a ring, or back to the pool. */
static void queue(struct plane *plane, struct switch_end from, struct switch_end to, struct buffer *buffer,
		  uint32_t length)
{
	unsigned source = source_of(from);
	bool queued, has_room = find_room(plane, source, to);

	pool_set_source(buffer, source);
	if (!has_room) {
		queued = false;
	} else if (to.kind == SWITCH_PORT) {
		memset(buffer->bytes + BUFFER_PAYLOAD, 0, NET_HEADER);
		queued = send(&plane->ends[to.index], buffer, NET_HEADER + length);
	} else {
		queued = e1000e_send(&plane->uplinks[to.index], buffer, length);
	}
	if (queued) {
		switch_delivered(&plane->sw, from, to);
		return;
	}
	if (has_room)
		fair_give(to.kind == SWITCH_PORT ? &plane->ends[to.index].room : &plane->uplink_room[to.index],
			  source);
	switch_dropped(&plane->sw, from, NF_FULL);
	pool_put(buffer);
}

/* A copy for each port that hears it. */
static void announce(struct plane *plane, struct switch_end from, struct switch_end to, const struct buffer *news,
		     uint32_t length)
{
	struct buffer *buffer;
	unsigned heard = 0;
	uint32_t i;

	for (i = 0; i < plane->sw.config.header.port_count; i++) {
		if (!switch_hears(&plane->sw, to, i, plane->now) || (buffer = pool_get()) == NULL)
			continue;
		memcpy(buffer->bytes + BUFFER_FRAME, news->bytes + BUFFER_FRAME, length);
		queue(plane, from, (struct switch_end){ SWITCH_PORT, (uint8_t)i }, buffer, length);
		heard++;
	}
	if (heard == 0)
		switch_dropped(&plane->sw, from, NF_PEER_CLOSED);
}

/* A frame of `length` bytes at BUFFER_FRAME; the buffer is this function's. */
static void forward(struct plane *plane, struct switch_end from, struct buffer *buffer, uint32_t length)
{
	struct switch_end to;

	if (switch_forward(&plane->sw, from, buffer->bytes + BUFFER_FRAME, length, plane->now, &to) != NF_PASS) {
		pool_put(buffer);
	} else if (to.kind == SWITCH_GATEWAY_OF) {
		announce(plane, from, to, buffer, length);
		pool_put(buffer);
	} else {
		queue(plane, from, to, buffer, length);
	}
}

/*
 * No offload was offered, so flags, segmentation and checksum fields are zero (Virtual I/O Device Version 1.1, "Network
 * Device").  num_buffers behind them means nothing on transmit, and Linux leaves it as it was.
 */
static bool has_offload(const uint8_t *header)
{
	uint8_t all = 0;
	unsigned i;

	for (i = 0; i < NET_HEADER - 2; i++)
		all |= header[i];
	return all != 0;
}

static void frame_from_port(struct plane *plane, const struct plane_end *end, struct buffer *buffer, uint32_t length)
{
	struct switch_end from = { SWITCH_PORT, end->port };

	if (length < NET_HEADER)
		switch_dropped(&plane->sw, from, NF_SHORT);
	else if (has_offload(buffer->bytes + BUFFER_PAYLOAD))
		switch_dropped(&plane->sw, from, NF_OFFLOAD);
	else {
		forward(plane, from, buffer, length - NET_HEADER);
		return;
	}
	pool_put(buffer);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void peer_up(struct plane *plane, struct plane_end *end, const struct lzr_msg *msg, const uint8_t *payload)
{
	struct lzr_peer peer;

	memcpy(&peer, payload, sizeof(peer));
	end->up = false;
	end->link = msg->link;
	end->peer = msg->peer;
	end->instance = msg->instance;
	end->generation = msg->generation;
	if (end->is_control) {
		end->up = peer.vm == msg->peer && peer.instance == msg->instance && peer.flags & LZR_PEER_SERVICE;
		return;
	}
	if (peer.vm == msg->peer && peer.instance == msg->instance)
		end->up = port_up(&plane->sw.ports[end->port], &peer, msg->generation, plane->now);
	else
		port_down(&plane->sw.ports[end->port]);
	tell_port(plane, end, end->up ? "up" : "refused");
}

static void peer_down(struct plane *plane, struct plane_end *end)
{
	end->up = false;
	if (end->is_control)
		return;
	port_down(&plane->sw.ports[end->port]);
	tell_port(plane, end, "down");
}

/* The answer goes back in the request's buffer. */
static void control_message(struct plane *plane, struct plane_end *end, struct buffer *buffer, uint32_t length)
{
	struct lzr_control_message answer;

	if (!control_handle(&plane->sw, buffer->bytes + BUFFER_PAYLOAD, length, rt_clock, &answer)) {
		end->bad++;
		pool_put(buffer);
		return;
	}
	plane->now = rt_clock();        /* a signature takes its time */
	if (answer.op == LZR_CONTROL_RESULT && answer.port < plane->sw.config.header.port_count) {
		if (answer.status == LZR_CTL_OK)
			tell_port(plane, &plane->ends[answer.port], "result taken");
		else if (may_tell(plane))
			rt_printf("port %u: result refused, status %u\n", answer.port, answer.status);
	}
	memcpy(buffer->bytes + BUFFER_PAYLOAD, &answer, sizeof(answer));
	if (!send(end, buffer, sizeof(answer)))
		pool_put(buffer);
}

static bool is_present(const struct plane_end *end, const struct lzr_msg *msg)
{
	return end->up && msg->link == end->link && msg->peer == end->peer && msg->instance == end->instance &&
	       msg->generation == end->generation;
}

/* One element of a receive queue, `used` bytes; the buffer is this function's. */
static void message(struct plane *plane, struct plane_end *end, struct buffer *buffer, uint32_t used)
{
	struct lzr_msg msg;

	memcpy(&msg, buffer->bytes, sizeof(msg));
	if (used < sizeof(msg) || msg.magic != LZR_MSG_MAGIC || msg.length != used - sizeof(msg)) {
		end->bad++;
	} else if (msg.type == LZR_MSG_DATA && !is_present(end, &msg)) {
		if (end->is_control)
			end->bad++;
		else
			switch_dropped(&plane->sw, (struct switch_end){ SWITCH_PORT, end->port }, NF_STALE);
	} else if (msg.type == LZR_MSG_DATA) {
		if (end->is_control)
			control_message(plane, end, buffer, msg.length);
		else
			frame_from_port(plane, end, buffer, msg.length);
		return;
	} else if (msg.type == LZR_MSG_UP && msg.length == sizeof(struct lzr_peer)) {
		peer_up(plane, end, &msg, buffer->bytes + BUFFER_PAYLOAD);
	} else if (msg.type == LZR_MSG_DOWN) {
		peer_down(plane, end);
	} else {
		end->bad++;
	}
	pool_put(buffer);
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

static bool poll_end(struct plane *plane, struct plane_end *end)
{
	uint32_t left = end->is_control ? 1 : PLANE_BURST, used;
	bool any = take_back(end);
	struct buffer *buffer;

	while (left != 0 && (buffer = virtq_take(&end->rx, &used)) != NULL) {
		left--;
		end->posted--;
		any = true;
		message(plane, end, buffer, used);
	}
	if (left == 0)
		plane->now = rt_clock();
	refill(end);
	return any;
}

static bool poll_uplink(struct plane *plane, uint8_t index)
{
	struct e1000e *nic = &plane->uplinks[index];
	uint32_t left = PLANE_BURST, length;
	struct buffer *buffer;
	bool any = false;

	take_back_from_card(plane, index);
	while (left != 0 && (buffer = e1000e_receive(nic, &length)) != NULL) {
		left--;
		forward(plane, (struct switch_end){ SWITCH_UPLINK, index }, buffer, length);
		any = true;
	}
	if (left == 0)
		plane->now = rt_clock();
	e1000e_refill(nic);
	return any;
}

static void flush(struct plane *plane)
{
	struct plane_end *end;
	uint32_t i;

	for (i = 0; i < plane->end_count; i++) {
		end = &plane->ends[i];
		if (end->rx.broken || end->tx.broken)
			rt_panic("queue pair %u: the device returned what it was not given", end->pair);
		vdev_kick(&plane->device, tx_number(end), &end->tx);
		vdev_kick(&plane->device, rx_number(end), &end->rx);
	}
}

/* The cards send while the next ends have their turns. */
static void tell_cards(struct plane *plane)
{
	uint32_t i;

	for (i = 0; i < plane->sw.config.header.uplink_count; i++)
		e1000e_tell(&plane->uplinks[i]);
}

bool plane_round(struct plane *plane)
{
	uint32_t turns = plane->end_count + plane->sw.config.header.uplink_count, i, turn, start = plane->first;
	bool any = false, has;

	plane->now = rt_clock();
	for (i = 0; i < turns; i++) {
		turn = (start + i) % turns;
		if (turn < plane->end_count)
			has = poll_end(plane, &plane->ends[turn]);
		else
			has = poll_uplink(plane, (uint8_t)(turn - plane->end_count));
		tell_cards(plane);
		if (has && !any)        /* of those that have something, another one begins the next round */
			plane->first = (turn + 1) % turns;
		any |= has;
	}
	flush(plane);
	return any;
}

void plane_interrupts(struct plane *plane, bool on)
{
	uint32_t i;

	for (i = 0; i < plane->end_count; i++)
		virtq_interrupts(&plane->ends[i].rx, on);
	for (i = 0; i < plane->sw.config.header.uplink_count; i++)
		e1000e_interrupts(&plane->uplinks[i], on);
	io_barrier();
}

bool plane_has_work(const struct plane *plane)
{
	uint32_t i;

	for (i = 0; i < plane->end_count; i++) {
		if (virtq_has_used(&plane->ends[i].rx))
			return true;
	}
	for (i = 0; i < plane->sw.config.header.uplink_count; i++) {
		if (e1000e_has_work(&plane->uplinks[i]))
			return true;
	}
	return false;
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static const char *open_end(struct plane *plane, struct plane_end *end, uint32_t pair)
{
	const char *wrong;

	memset(end, 0, sizeof(*end));
	end->pair = (uint16_t)pair;
	wrong = vdev_queue(&plane->device, rx_number(end), &end->rx);
	if (wrong == NULL)
		wrong = vdev_queue(&plane->device, tx_number(end), &end->tx);
	if (wrong == NULL)
		refill(end);
	return wrong;
}

/* The configuration is the compiler's word; what may leave by the card is the policy's. */
static const char *check_uplink(const struct swconf *config, const struct lzr_switch_uplink *uplink)
{
	const struct lzr_label *label = &config->networks[uplink->network].label;
	struct rt_result device = rt_call(LZR_CALL_DEVICE, uplink->slot, 0);

	if (device.status != LZR_OK)
		return "the policy gives no card to the uplink's slot";
	if (device.value[0] != label->level || device.value[1] != label->categories)
		return "the policy gives the uplink's card another label than its network has";
	return NULL;
}

/* A card's ring is for its network's ports, a port's for the others and the uplink. */
static void share_rings(struct plane *plane)
{
	const struct swconf *config = &plane->sw.config;
	uint16_t ports[LZR_SWITCH_NETWORK_MAX] = { 0 };
	uint32_t i, network;

	for (i = 0; i < config->header.port_count; i++)
		ports[config->ports[i].network]++;
	for (i = 0; i < config->header.port_count; i++) {
		network = config->ports[i].network;
		fair_init(&plane->ends[i].room, plane->ends[i].tx.size,
			  (uint16_t)(ports[network] - (config->networks[network].uplink == LZR_SWITCH_NONE)));
	}
	for (i = 0; i < config->header.uplink_count; i++)
		fair_init(&plane->uplink_room[i], E1000E_TX_RING - 1, ports[config->uplinks[i].network]);
}

const char *plane_open(struct plane *plane, uint32_t *where)
{
	const struct swconf *config = &plane->sw.config;
	const char *wrong;
	uint32_t i;

	*where = 0;
	plane->lines = LINES_MAX;
	plane->end_count = config->header.port_count + (config->header.control_pair != LZR_SWITCH_NONE);
	wrong = vdev_open(&plane->device, LZR_VIRTIO_PCI_LINK);
	for (i = 0; wrong == NULL && i < plane->end_count; i++) {
		bool is_control = i == config->header.port_count;

		*where = is_control ? config->header.control_pair : config->ports[i].pair;
		wrong = open_end(plane, &plane->ends[i], *where);
		plane->ends[i].is_control = is_control;
		plane->ends[i].port = (uint8_t)(is_control ? 0 : i);
	}
	for (i = 0; wrong == NULL && i < config->header.uplink_count; i++) {
		*where = config->uplinks[i].slot;
		wrong = check_uplink(config, &config->uplinks[i]);
		if (wrong == NULL)
			wrong = e1000e_open(&plane->uplinks[i], config->uplinks[i].slot);
		if (wrong == NULL)
			e1000e_refill(&plane->uplinks[i]);
	}
	if (wrong == NULL)
		wrong = vdev_start(&plane->device);
	if (wrong == NULL) {
		share_rings(plane);
		flush(plane);
	}
	return wrong;
}
