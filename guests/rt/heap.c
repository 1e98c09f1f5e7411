/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "rt.h"

struct block {
	size_t size;            /* with this header */
	size_t used;            /* 0 or USED */
};
_Static_assert(sizeof(struct block) == 16, "alignment of what follows");
#define USED 0x75736564u

static struct {
	_Alignas(16) uint8_t bytes[HEAP_SIZE];
	bool ready;
} heap;

static struct block *first(void)
{
	struct block *b = (struct block *)heap.bytes;

	if (!heap.ready) {
		*b = (struct block){ .size = HEAP_SIZE };
		heap.ready = true;
	}
	return b;
}

static struct block *next(struct block *b)
{
	uint8_t *end = (uint8_t *)b + b->size;

	return end < heap.bytes + HEAP_SIZE ? (struct block *)end : NULL;
}

static void join_free(struct block *b)
{
	struct block *n;

	while ((n = next(b)) != NULL && n->used == 0)
		b->size += n->size;
}

void *heap_calloc(size_t count, size_t size)
{
	struct block *b, *rest;
	size_t need;

	if (size != 0 && count > HEAP_SIZE / size)
		return NULL;
	need = (count * size + sizeof(*b) + 15) & ~(size_t)15;
	for (b = first(); b != NULL; b = next(b)) {
		if (b->used != 0)
			continue;
		join_free(b);
		if (b->size < need)
			continue;
		if (b->size - need >= 2 * sizeof(*b)) {
			rest = (struct block *)((uint8_t *)b + need);
			*rest = (struct block){ .size = b->size - need };
			b->size = need;
		}
		b->used = USED;
		return memset(b + 1, 0, b->size - sizeof(*b));
	}
	return NULL;
}

void heap_free(void *pointer)
{
	struct block *b;

	if (pointer == NULL)
		return;
	for (b = first(); b != NULL; b = next(b)) {
		if (b + 1 == pointer && b->used == USED) {
			b->used = 0;
			return;
		}
	}
	rt_panic("free of what was not allocated: %lx", (uint64_t)(uintptr_t)pointer);
}

size_t heap_used(void)
{
	struct block *b;
	size_t sum = 0;

	for (b = first(); b != NULL; b = next(b))
		sum += b->used != 0 ? b->size : 0;
	return sum;
}
