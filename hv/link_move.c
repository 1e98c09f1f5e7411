/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes along a link: one transmit chain of one end into one receive chain of the other, with struct lzr_msg in
 * front at service ends.  Every function here runs with the device locks of both VMs held (link.c) and for a bounded
 * time.
 */
#include "link.h"

#define CHAINS_PER_RUN 64u
#define BYTES_PER_RUN (256u << 10)

enum outcome {
	MOVED,          /* give the transmit chain back */
	HELD,           /* the chain waits for the service's answer */
	DROPPED,        /* give it back, count it */
	WAIT,           /* leave it on the ring: the peer has no receive chain */
};

enum receive {
	RECEIVE_READY,
	RECEIVE_EMPTY,  /* no chain now */
	RECEIVE_SMALL,  /* the next chain cannot hold it */
	RECEIVE_DOWN,   /* nobody there */
};

static uint32_t header_length(const struct link_end *end)
{
	return link_end_is_service(end) ? end->vdev->config->prefix_length + (uint32_t)sizeof(struct lzr_msg) : 0;
}

/* Audited at each power of two: complete enough to notice, too rare to fill the log. */
static void link_drop(struct link_end *from)
{
	uint64_t drops = ++from->drops;

	if ((drops & (drops - 1)) == 0)
		audit(from->vdev->vm->number, LZR_AUDIT_LINK_DROP, from->link->number, drops);
}

/* The next receive chain of `end`, if it has room for `length` payload bytes behind the end's header. */
static enum receive receive_open(struct link_end *end, uint32_t length, struct chain *in)
{
	struct virtqueue *queue = link_end_receive(end);
	enum lzr_ring_fault fault;

	if (!vdev_is_live(end->vdev) || !queue->enabled)
		return RECEIVE_DOWN;
	switch (virtqueue_peek(queue, in, &fault)) {
	case QUEUE_EMPTY:
		return RECEIVE_EMPTY;
	case QUEUE_BROKEN:
		vdev_break(end->vdev, queue, fault);
		return RECEIVE_DOWN;
	case QUEUE_CHAIN:
		break;
	}
	if (in->read_bytes) {
		vdev_break(end->vdev, queue, LZR_RING_DIRECTION);
		return RECEIVE_DOWN;
	}
	return in->write_bytes >= header_length(end) + length ? RECEIVE_READY : RECEIVE_SMALL;
}

/* Writes the header of a service end; what the message is about comes from its peer. */
static void receive_header(struct link_end *end, const struct chain *in, struct lzr_msg *msg)
{
	const struct vdev_config *config = end->vdev->config;

	if (!link_end_is_service(end))
		return;
	msg->magic = LZR_MSG_MAGIC;
	msg->link = end->link->number;
	msg->peer = end->peer->vdev->vm->number;
	chain_write(in, 0, config->prefix, config->prefix_length);
	chain_write(in, config->prefix_length, msg, sizeof(*msg));
}

static void receive_close(struct link_end *end, const struct chain *in, uint32_t length)
{
	virtqueue_pop(link_end_receive(end));
	virtqueue_push_used(link_end_receive(end), in->head, header_length(end) + length);
}

static enum receive tell_down(struct link_end *end)
{
	struct lzr_msg msg = { .type = LZR_MSG_DOWN, .instance = end->told_instance, .generation = end->told };
	struct chain in;
	enum receive state = receive_open(end, 0, &in);

	if (state != RECEIVE_READY)
		return state;
	receive_header(end, &in, &msg);
	receive_close(end, &in, 0);
	end->told = 0;
	return RECEIVE_READY;
}

static enum receive tell_up(struct link_end *end)
{
	const struct vdev *peer = end->peer->vdev;
	struct lzr_msg msg = {
		.type = LZR_MSG_UP, .instance = __atomic_load_n(&peer->vm->instance, __ATOMIC_SEQ_CST),
		.generation = peer->generation, .length = sizeof(struct lzr_peer),
	};
	struct lzr_peer who = {
		.vm = peer->vm->number, .instance = msg.instance, .label = machine.links[end->link->number].label,
		.vm_label = peer->vm->config->label,
		.flags = peer->vm->config->flags & VM_SERVICE ? LZR_PEER_SERVICE : 0,
	};
	struct chain in;
	enum receive state = receive_open(end, sizeof(who), &in);

	if (state != RECEIVE_READY)
		return state;
	__builtin_memcpy(who.name, peer->vm->config->name, sizeof(who.name));
	__builtin_memcpy(who.measurement, peer->vm->image->measurement, sizeof(who.measurement));
	__builtin_memcpy(who.policy, machine.policy_digest, sizeof(who.policy));
	receive_header(end, &in, &msg);
	chain_write(&in, header_length(end), &who, sizeof(who));
	receive_close(end, &in, sizeof(who));
	end->told = msg.generation;
	end->told_instance = msg.instance;
	return RECEIVE_READY;
}

/* Brings a service's knowledge of its peer up to date; RECEIVE_READY when it is. */
static enum receive tell(struct link_end *end)
{
	uint32_t present = vdev_is_live(end->peer->vdev) ? end->peer->vdev->generation : 0;
	enum receive state = RECEIVE_READY;

	if (!link_end_is_service(end) || end->told == present)
		return RECEIVE_READY;
	if (end->told)
		state = tell_down(end);
	if (state == RECEIVE_READY && present)
		state = tell_up(end);
	if (state == RECEIVE_EMPTY)
		end->awaited = true;
	return state;
}

/*
 * A service that was reset or broke leaves requests unanswered: answer them with nothing, so that the driver goes on.
 */
void link_requests_fail(struct link_end *end)
{
	bool knows = vdev_is_live(end->peer->vdev) && end->peer->told == end->vdev->generation;

	if (end->outstanding == 0 || knows || !vdev_is_live(end->vdev))
		return;
	for (unsigned head = 0; head < LZR_VIRTIO_QUEUE_MAX; head++) {
		if (end->slots[head].capacity) {
			end->slots[head].capacity = 0;
			virtqueue_push_used(link_end_transmit(end), (uint16_t)head, 0);
		}
	}
	end->outstanding = 0;
}

static enum outcome outcome_of(struct link_end *to, enum receive state, bool wait)
{
	if (state != RECEIVE_EMPTY || !wait)
		return DROPPED;
	to->awaited = true;
	return WAIT;
}

/*
 * Copies `length` bytes from `at` on of a transmit chain into a receive chain of `to`, with `msg` in front at a
 * service.
 */
static enum outcome send(struct link_end *to, struct lzr_msg *msg, const struct chain *out, uint32_t at, bool wait)
{
	struct chain in;
	enum receive state = tell(to);

	if (state == RECEIVE_READY)
		state = receive_open(to, msg->length, &in);
	if (state != RECEIVE_READY)
		return outcome_of(to, state, wait);
	receive_header(to, &in, msg);
	chain_copy(&in, header_length(to), out, at, msg->length);
	receive_close(to, &in, msg->length);
	return MOVED;
}

static struct lzr_msg message_from(const struct link_end *from, enum lzr_msg_type type, uint32_t length)
{
	return (struct lzr_msg){
		.type = (uint16_t)type, .instance = __atomic_load_n(&from->vdev->vm->instance, __ATOMIC_SEQ_CST),
		.generation = from->vdev->generation, .length = length,
	};
}

/* A chain with writable bytes: the service gets its readable part and answers later. */
static enum outcome send_request(struct link_end *from, const struct chain *out)
{
	struct link_slot *slot = &from->slots[out->head];
	struct lzr_msg msg = message_from(from, LZR_MSG_REQUEST, out->read_bytes);
	enum outcome outcome;

	if (slot->capacity) {
		vdev_break(from->vdev, link_end_transmit(from), LZR_RING_DUPLICATE);
		return WAIT;
	}
	msg.capacity = out->write_bytes < LZR_MSG_PAYLOAD_MAX ? out->write_bytes : LZR_MSG_PAYLOAD_MAX;
	msg.token = (uint32_t)(uint16_t)(slot->sequence + 1) << 16 | out->head;
	outcome = send(from->peer, &msg, out, 0, true);
	if (outcome != MOVED)
		return outcome;
	slot->sequence++;
	slot->capacity = (uint16_t)msg.capacity;
	from->outstanding++;
	return HELD;
}

static enum outcome send_raw(struct link_end *from, const struct chain *out)
{
	struct lzr_msg msg = message_from(from, LZR_MSG_DATA, out->read_bytes);

	if (link_end_is_service(from->peer) && out->read_bytes > LZR_MSG_PAYLOAD_MAX)
		return DROPPED;
	if (out->write_bytes)
		return link_end_is_service(from->peer) ? send_request(from, out) : DROPPED;
	return send(from->peer, &msg, out, 0, true);
}

/* The answer to a request: into the writable part of the chain, which is walked and checked anew. */
static enum outcome complete_request(struct link_end *to, const struct lzr_msg *msg, const struct chain *out,
				     uint32_t at)
{
	guest_number_t first = guest_number(msg->token & 0xffff);
	struct virtqueue *queue = link_end_transmit(to);
	uint16_t head = (uint16_t)guest_index(first, queue->size);
	struct link_slot *slot;
	enum lzr_ring_fault fault;
	struct chain in;

	if (link_end_is_service(to) || !guest_below(first, queue->size))
		return DROPPED;
	slot = &to->slots[head];
	if (slot->capacity == 0 || slot->sequence != msg->token >> 16 || msg->length > slot->capacity)
		return DROPPED;
	fault = virtqueue_walk(queue, first, &in);
	if (fault == LZR_RING_GOOD && in.write_bytes < slot->capacity)
		fault = LZR_RING_CHANGED;
	if (fault != LZR_RING_GOOD) {
		vdev_break(to->vdev, queue, fault);
		return DROPPED;
	}
	chain_copy(&in, 0, out, at, msg->length);
	slot->capacity = 0;
	to->outstanding--;
	virtqueue_push_used(queue, head, msg->length);
	return MOVED;
}

/* A message from a service counts only for the peer that it was told of. */
static bool message_is_current(const struct link_end *from, const struct lzr_msg *msg, uint32_t room)
{
	const struct vdev *peer = from->peer->vdev;

	return msg->magic == LZR_MSG_MAGIC && msg->reserved == 0 && msg->link == from->link->number &&
		msg->peer == peer->vm->number && vdev_is_live(peer) && from->told == peer->generation &&
		msg->generation == from->told && msg->instance == from->told_instance &&
		msg->length <= room && msg->length <= LZR_MSG_PAYLOAD_MAX;
}

/* A service starts anew without a reset of its device: it is told again who is there. */
static bool is_hello(const struct lzr_msg *msg)
{
	static const struct lzr_msg hello = { .magic = LZR_MSG_MAGIC, .type = LZR_MSG_HELLO };

	return !__builtin_memcmp(msg, &hello, sizeof(hello));
}

static enum outcome send_service(struct link_end *from, const struct chain *out)
{
	uint32_t at = header_length(from);
	struct link_end *to = from->peer;
	struct lzr_msg msg, forward;

	if (out->write_bytes || out->read_bytes < at)
		return DROPPED;
	chain_read(out, at - sizeof(msg), &msg, sizeof(msg));
	if (is_hello(&msg)) {
		from->told = 0;
		link_requests_fail(to);
		return MOVED;
	}
	if (!message_is_current(from, &msg, out->read_bytes - at))
		return DROPPED;
	if (msg.type == LZR_MSG_COMPLETE)
		return complete_request(to, &msg, out, at);
	if (msg.type != LZR_MSG_DATA || (msg.length == 0 && !link_end_is_service(to)))
		return DROPPED;
	forward = message_from(from, LZR_MSG_DATA, msg.length);
	return send(to, &forward, out, at, link_end_is_service(to));
}

bool link_move(struct link_end *from)
{
	struct virtqueue *queue = link_end_transmit(from);
	uint32_t bytes = 0;

	from->peer->awaited = false;
	for (unsigned chains = 0; vdev_is_live(from->vdev); chains++) {
		enum lzr_ring_fault fault = LZR_RING_GOOD;
		enum virtqueue_state state;
		struct chain out;
		enum outcome outcome;

		if (chains == CHAINS_PER_RUN || bytes >= BYTES_PER_RUN)
			return virtqueue_has_chain(queue);
		state = virtqueue_peek(queue, &out, &fault);
		if (state == QUEUE_BROKEN)
			vdev_break(from->vdev, queue, fault);
		if (state != QUEUE_CHAIN)
			return false;
		outcome = link_end_is_service(from) ? send_service(from, &out) : send_raw(from, &out);
		if (outcome == WAIT)
			return false;
		bytes += out.read_bytes;
		virtqueue_pop(queue);
		if (outcome != HELD)
			virtqueue_push_used(queue, out.head, 0);
		if (outcome == DROPPED)
			link_drop(from);
	}
	return false;
}

void link_tell(struct link_end *end)
{
	(void)tell(end);
}
