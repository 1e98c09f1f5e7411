/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues as the device sees them (Virtual I/O Device Version 1.2, "Split Virtqueues").
 *
 * Rings and descriptors lie in guest memory and change under our eyes: each field is loaded once, the copy is checked,
 * and only the copy is used.  A chain that passed holds pointers into guest RAM, which never moves, so it stays safe to
 * copy through however the guest changes the descriptors later.  All calls are under the device lock of the queue's VM.
 */
#ifndef HV_VIRTQUEUE_H
#define HV_VIRTQUEUE_H

#include "vm.h"

#define CHAIN_SEGMENTS_MAX 32u
#define CHAIN_BYTES_MAX (256u << 10)    /* of one chain, readable and writable together */

struct chain_segment {
	uint8_t *bytes;         /* in guest RAM, hostile */
	uint32_t length;
};

/* A validated copy of one descriptor chain: readable segments first, then writable ones. */
struct chain {
	uint16_t head;          /* clamped to the queue */
	uint16_t count;
	uint16_t readable;
	uint32_t read_bytes;
	uint32_t write_bytes;
	struct chain_segment segments[CHAIN_SEGMENTS_MAX];
};

struct virtqueue {
	struct vm *vm;                          /* [I] */
	uint16_t size_max;                      /* [I] */
	uint16_t size;                          /* [d] as the driver wrote them, checked when it enables the queue: */
	uint16_t vector;                        /* [d] */
	uint64_t descriptors_gpa, available_gpa, used_gpa;      /* [d] */
	bool enabled;                           /* [d] the pointers below are valid: */
	const volatile struct ring_descriptor *descriptors;
	const volatile struct ring_available *available;
	volatile struct ring_used *used;
	uint16_t next_available;                /* [d] our own copies: the guest's are never read back */
	uint16_t next_used;                     /* [d] */
	bool used_added;                        /* [d] since the last virtqueue_interrupt_due */
};

enum virtqueue_state { QUEUE_EMPTY, QUEUE_CHAIN, QUEUE_BROKEN };

/* Back to the state after a device reset. */
void virtqueue_reset(struct virtqueue *queue);
/* Checks size, alignment and place of the rings; the queue is usable if and only if this returns LZR_RING_GOOD. */
HV_MUST_CHECK enum lzr_ring_fault virtqueue_enable(struct virtqueue *queue);
/* True when the driver has made chains available that were not taken (or the ring is broken). */
bool virtqueue_has_chain(const struct virtqueue *queue);
/* The next available chain, left in place; *fault says why when the ring is broken. */
HV_MUST_CHECK enum virtqueue_state virtqueue_peek(const struct virtqueue *queue, struct chain *chain,
	enum lzr_ring_fault *fault);
/* Copies and checks the chain that starts at `head`. */
HV_MUST_CHECK enum lzr_ring_fault virtqueue_walk(const struct virtqueue *queue, guest_number_t head,
	struct chain *chain);
/* Takes the chain that virtqueue_peek showed. */
void virtqueue_pop(struct virtqueue *queue);
/* Gives a chain back with `written` bytes in its writable part. */
void virtqueue_push_used(struct virtqueue *queue, uint16_t head, uint32_t written);
/* True, once, when chains were given back and the driver wants to hear of it. */
bool virtqueue_interrupt_due(struct virtqueue *queue);
/* Tells the driver whether to notify us of new chains; true when wanted and there are some already. */
bool virtqueue_want_notify(struct virtqueue *queue, bool wanted);

/* Bounds are the caller's: offset + length within read_bytes or write_bytes. */
void chain_read(const struct chain *chain, uint32_t offset, void *out, uint32_t length);
void chain_write(const struct chain *chain, uint32_t offset, const void *in, uint32_t length);
void chain_copy(const struct chain *to, uint32_t to_offset, const struct chain *from, uint32_t from_offset,
		uint32_t length);

#endif
