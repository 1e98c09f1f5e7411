/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver side of a split virtqueue (Virtual I/O Device Version 1.1, "Split Virtqueues"), one buffer a chain.  The
 * device is the hypervisor; what it writes is still checked, and nonsense stops the queue for good.
 */
#ifndef RT_VIRTQ_H
#define RT_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_MAX 64u           /* descriptors we ask for at most; a power of two */

struct virtq_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct virtq_descriptor) == 16, "descriptor layout");

struct virtq_used_element {
	uint32_t id;
	uint32_t length;
};
_Static_assert(sizeof(struct virtq_used_element) == 8, "used element layout");

struct virtq_available {
	volatile uint16_t flags;
	volatile uint16_t index;
	volatile uint16_t ring[VIRTQ_MAX];
};

struct virtq_used {
	volatile uint16_t flags;
	volatile uint16_t index;
	volatile struct virtq_used_element ring[VIRTQ_MAX];
};

struct virtq {
	/* Shared with the device */
	_Alignas(16) volatile struct virtq_descriptor descriptors[VIRTQ_MAX];
	struct virtq_available available;
	_Alignas(4) struct virtq_used used;
	/* Ours */
	uint16_t size;
	uint16_t free_count;
	uint16_t free_head;
	uint16_t index;                 /* available index with what is not published yet */
	uint16_t published;
	uint16_t seen;                  /* used index up to which buffers were taken back */
	bool broken;
	uint16_t next_free[VIRTQ_MAX];
	void *cookies[VIRTQ_MAX];       /* NULL: descriptor is free */
	uint32_t lengths[VIRTQ_MAX];
};

/* Empties the queue; `size` is a power of two of at most VIRTQ_MAX. */
void virtq_init(struct virtq *q, uint16_t size);
/*
 * Adds `length` bytes at `address`, for the device to write or to read; `cookie` (not NULL) comes back.  False:
 * full.
 */
bool virtq_add(struct virtq *q, uint64_t address, uint32_t length, bool device_writes, void *cookie);
/* Shows the device what was added; true when it wants to be told. */
bool virtq_publish(struct virtq *q);
/* Takes back the next buffer that the device is done with and how many bytes it wrote; NULL when there is none. */
void *virtq_take(struct virtq *q, uint32_t *length);
/* Is there something for virtq_take? */
bool virtq_has_used(const struct virtq *q);
/* Asks for interrupts, or not. */
void virtq_interrupts(struct virtq *q, bool on);

#endif
