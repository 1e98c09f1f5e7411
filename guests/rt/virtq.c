/* SPDX-License-Identifier: Apache-2.0 */
#include "virtq.h"

#include <string.h>

#include "io.h"

#define DESCRIPTOR_WRITE 2u
#define AVAILABLE_NO_INTERRUPT 1u
#define USED_NO_NOTIFY 1u

void virtq_init(struct virtq *q, uint16_t size)
{
	uint16_t i;

	memset(q, 0, sizeof(*q));
	q->size = size;
	q->free_count = size;
	for (i = 0; i < size; i++)
		q->next_free[i] = (uint16_t)(i + 1);
	q->available.flags = AVAILABLE_NO_INTERRUPT;
}

bool virtq_add(struct virtq *q, uint64_t address, uint32_t length, bool device_writes, void *cookie)
{
	uint16_t id = q->free_head;

	if (q->free_count == 0 || q->broken)
		return false;
	q->free_head = q->next_free[id];
	q->free_count--;
	q->cookies[id] = cookie;
	q->lengths[id] = device_writes ? length : 0;
	q->descriptors[id].address = address;
	q->descriptors[id].length = length;
	q->descriptors[id].flags = device_writes ? DESCRIPTOR_WRITE : 0;
	q->descriptors[id].next = 0;
	q->available.ring[q->index % q->size] = id;
	q->index++;
	return true;
}

bool virtq_publish(struct virtq *q)
{
	if (q->published == q->index)
		return false;
	io_barrier();
	q->available.index = q->index;
	q->published = q->index;
	io_barrier();
	return (q->used.flags & USED_NO_NOTIFY) == 0;
}

bool virtq_has_used(const struct virtq *q)
{
	return q->used.index != q->seen && !q->broken;
}

void *virtq_take(struct virtq *q, uint32_t *length)
{
	uint32_t id;
	void *cookie;

	if (!virtq_has_used(q))
		return NULL;
	io_barrier();
	id = q->used.ring[q->seen % q->size].id;
	*length = q->used.ring[q->seen % q->size].length;
	if (id >= q->size || q->cookies[id] == NULL || *length > q->lengths[id]) {
		q->broken = true;
		return NULL;
	}
	q->seen++;
	cookie = q->cookies[id];
	q->cookies[id] = NULL;
	q->next_free[id] = q->free_head;
	q->free_head = (uint16_t)id;
	q->free_count++;
	return cookie;
}

void virtq_interrupts(struct virtq *q, bool on)
{
	q->available.flags = on ? 0 : AVAILABLE_NO_INTERRUPT;
}
