/* SPDX-License-Identifier: Apache-2.0 */
#include "virtqueue.h"

/* Virtual I/O Device Version 1.2, "The Virtqueue Descriptor Table", "Available Ring", "Used Ring". */
struct ring_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct ring_descriptor) == 16, "descriptor layout");
#define DESCRIPTOR_NEXT 1u
#define DESCRIPTOR_WRITE 2u

struct ring_available {
	uint16_t flags;
	uint16_t index;
	uint16_t ring[];
};
_Static_assert(offsetof(struct ring_available, ring) == 4, "available ring layout");
#define AVAILABLE_NO_INTERRUPT 1u

struct ring_used_element {
	uint32_t id;
	uint32_t length;
};
struct ring_used {
	uint16_t flags;
	uint16_t index;
	struct ring_used_element ring[];
};
_Static_assert(offsetof(struct ring_used, ring) == 4, "used ring layout");
_Static_assert(sizeof(struct ring_used_element) == 8, "used ring layout");
#define USED_NO_NOTIFY 1u

#define RING_EVENT_SIZE 2u              /* the event field behind each ring, there whether it is negotiated or not */

void virtqueue_reset(struct virtqueue *queue)
{
	*queue = (struct virtqueue){
		.vm = queue->vm, .size_max = queue->size_max, .size = queue->size_max, .vector = 0xffff,
	};
}

enum lzr_ring_fault virtqueue_enable(struct virtqueue *queue)
{
	uint64_t size = queue->size;
	const volatile void *descriptors, *available;
	volatile void *used;

	if (size == 0 || size > queue->size_max || (size & (size - 1)))
		return LZR_RING_SIZE;
	if (queue->descriptors_gpa % 16 || queue->available_gpa % 2 || queue->used_gpa % 4)
		return LZR_RING_ALIGNMENT;
	descriptors = guest_ptr(queue->vm, gpa(queue->descriptors_gpa), size * sizeof(struct ring_descriptor));
	available = guest_ptr(queue->vm, gpa(queue->available_gpa),
		sizeof(struct ring_available) + size * sizeof(uint16_t) + RING_EVENT_SIZE);
	used = guest_ptr(queue->vm, gpa(queue->used_gpa),
		sizeof(struct ring_used) + size * sizeof(struct ring_used_element) + RING_EVENT_SIZE);
	if (!descriptors || !available || !used)
		return LZR_RING_ADDRESS;
	queue->descriptors = descriptors;
	queue->available = available;
	queue->used = used;
	queue->next_available = 0;
	queue->next_used = 0;
	queue->used_added = false;
	queue->enabled = true;
	return LZR_RING_GOOD;
}

static uint16_t available_index(const struct virtqueue *queue)
{
	return __atomic_load_n(&queue->available->index, __ATOMIC_ACQUIRE);
}

bool virtqueue_has_chain(const struct virtqueue *queue)
{
	return queue->enabled && available_index(queue) != queue->next_available;
}

/* Appends one descriptor's memory to the chain; refuses what no driver may write. */
static enum lzr_ring_fault chain_append(const struct virtqueue *queue, struct chain *chain,
	const struct ring_descriptor *descriptor)
{
	bool write = descriptor->flags & DESCRIPTOR_WRITE;
	uint8_t *bytes;

	if (descriptor->flags & ~(DESCRIPTOR_NEXT | DESCRIPTOR_WRITE))
		return LZR_RING_FLAGS;
	if (!write && chain->readable != chain->count)
		return LZR_RING_ORDER;
	if (descriptor->length == 0 || descriptor->length > CHAIN_BYTES_MAX - chain->read_bytes - chain->write_bytes)
		return LZR_RING_LENGTH;
	bytes = guest_ptr(queue->vm, gpa(descriptor->address), descriptor->length);
	if (!bytes)
		return LZR_RING_ADDRESS;
	chain->segments[chain->count++] = (struct chain_segment){ .bytes = bytes, .length = descriptor->length };
	if (write) {
		chain->write_bytes += descriptor->length;
	} else {
		chain->readable++;
		chain->read_bytes += descriptor->length;
	}
	return LZR_RING_GOOD;
}

enum lzr_ring_fault virtqueue_walk(const struct virtqueue *queue, guest_number_t head, struct chain *chain)
{
	unsigned limit = queue->size < CHAIN_SEGMENTS_MAX ? queue->size : CHAIN_SEGMENTS_MAX;
	guest_number_t index = head;

	chain->head = (uint16_t)guest_index(head, queue->size);
	chain->count = chain->readable = 0;
	chain->read_bytes = chain->write_bytes = 0;
	for (;;) {
		const volatile struct ring_descriptor *hostile;
		struct ring_descriptor copy;
		enum lzr_ring_fault fault;

		if (!guest_below(index, queue->size))
			return LZR_RING_INDEX;
		if (chain->count == limit)
			return LZR_RING_CHAIN;  /* a loop always ends here */
		hostile = &queue->descriptors[guest_index(index, queue->size)];
		copy = (struct ring_descriptor){
			.address = hostile->address, .length = hostile->length,
			.flags = hostile->flags, .next = hostile->next,
		};
		fault = chain_append(queue, chain, &copy);
		if (fault != LZR_RING_GOOD)
			return fault;
		if (!(copy.flags & DESCRIPTOR_NEXT))
			return LZR_RING_GOOD;
		index = guest_number(copy.next);
	}
}

enum virtqueue_state virtqueue_peek(const struct virtqueue *queue, struct chain *chain, enum lzr_ring_fault *fault)
{
	uint16_t waiting;

	if (!queue->enabled)
		return QUEUE_EMPTY;
	waiting = (uint16_t)(available_index(queue) - queue->next_available);
	if (waiting == 0)
		return QUEUE_EMPTY;
	if (waiting > queue->size) {
		*fault = LZR_RING_INDEX;
		return QUEUE_BROKEN;
	}
	*fault = virtqueue_walk(queue,
		guest_number(queue->available->ring[queue->next_available & (queue->size - 1)]), chain);
	return *fault == LZR_RING_GOOD ? QUEUE_CHAIN : QUEUE_BROKEN;
}

void virtqueue_pop(struct virtqueue *queue)
{
	queue->next_available++;
}

void virtqueue_push_used(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	volatile struct ring_used_element *element = &queue->used->ring[queue->next_used & (queue->size - 1)];

	element->id = head;
	element->length = written;
	queue->next_used++;
	__atomic_store_n(&queue->used->index, queue->next_used, __ATOMIC_RELEASE);
	queue->used_added = true;
}

bool virtqueue_interrupt_due(struct virtqueue *queue)
{
	if (!queue->enabled || !queue->used_added)
		return false;
	queue->used_added = false;
	/* The index must be visible before the flags are read, else both sides may miss each other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(queue->available->flags & AVAILABLE_NO_INTERRUPT);
}

bool virtqueue_want_notify(struct virtqueue *queue, bool wanted)
{
	if (!queue->enabled)
		return false;
	queue->used->flags = wanted ? 0 : USED_NO_NOTIFY;
	if (!wanted)
		return false;
	/* As above: a chain added before the driver could see the flag must be seen here. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return virtqueue_has_chain(queue);
}

/* A position in one part (readable or writable) of a chain. */
struct cursor {
	const struct chain_segment *segment;
	uint32_t offset;                /* within the segment */
};

static struct cursor cursor_at(const struct chain_segment *segment, uint32_t offset)
{
	while (offset >= segment->length)
		offset -= (segment++)->length;
	return (struct cursor){ .segment = segment, .offset = offset };
}

static uint32_t cursor_room(const struct cursor *cursor, uint32_t length)
{
	uint32_t room = cursor->segment->length - cursor->offset;

	return room < length ? room : length;
}

static void cursor_advance(struct cursor *cursor, uint32_t step)
{
	cursor->offset += step;
	if (cursor->offset == cursor->segment->length) {
		cursor->segment++;
		cursor->offset = 0;
	}
}

void chain_read(const struct chain *chain, uint32_t offset, void *out, uint32_t length)
{
	uint8_t *to = out;

	CHECK(offset <= chain->read_bytes && length <= chain->read_bytes - offset);
	if (length == 0)
		return;
	for (struct cursor from = cursor_at(chain->segments, offset); length; ) {
		uint32_t step = cursor_room(&from, length);

		__builtin_memcpy(to, from.segment->bytes + from.offset, step);
		to += step;
		length -= step;
		cursor_advance(&from, step);
	}
}

void chain_write(const struct chain *chain, uint32_t offset, const void *in, uint32_t length)
{
	const uint8_t *from = in;

	CHECK(offset <= chain->write_bytes && length <= chain->write_bytes - offset);
	if (length == 0)
		return;
	for (struct cursor to = cursor_at(chain->segments + chain->readable, offset); length; ) {
		uint32_t step = cursor_room(&to, length);

		__builtin_memcpy(to.segment->bytes + to.offset, from, step);
		from += step;
		length -= step;
		cursor_advance(&to, step);
	}
}

void chain_copy(const struct chain *to, uint32_t to_offset, const struct chain *from, uint32_t from_offset,
		uint32_t length)
{
	struct cursor out, in;

	CHECK(to_offset <= to->write_bytes && length <= to->write_bytes - to_offset);
	CHECK(from_offset <= from->read_bytes && length <= from->read_bytes - from_offset);
	if (length == 0)
		return;
	out = cursor_at(to->segments + to->readable, to_offset);
	in = cursor_at(from->segments, from_offset);
	while (length) {
		uint32_t step = cursor_room(&out, cursor_room(&in, length));

		__builtin_memcpy(out.segment->bytes + out.offset, in.segment->bytes + in.offset, step);
		length -= step;
		cursor_advance(&out, step);
		cursor_advance(&in, step);
	}
}
