/* SPDX-License-Identifier: Apache-2.0 */
/* What the static mbedTLS and libfdt need of a C library, with lib/archives.c.  Boot only. */
#include <string.h>

#include "archives.h"
#include "plat.h"

#define HEAP_SIZE (64u << 10)           /* the signature check has been seen to use 11 KiB */

void *calloc(size_t count, size_t size);
void free(void *pointer);

/* First fit over blocks that lie one after the other; a freed block is joined with free ones behind it when met. */
struct block {
	size_t size;                    /* with this header, multiple of 16 */
	size_t used;
};

static uint8_t heap[HEAP_SIZE] __attribute__((aligned(16)));

void *calloc(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > HEAP_SIZE)
		return NULL;
	bytes = ((bytes + 15) & ~15ul) + sizeof(struct block);
	if (!((struct block *)heap)->size)
		((struct block *)heap)->size = HEAP_SIZE;
	for (size_t at = 0; at < HEAP_SIZE;) {
		struct block *b = (struct block *)(heap + at);

		while (!b->used && at + b->size < HEAP_SIZE) {
			struct block *next = (struct block *)(heap + at + b->size);

			if (next->used)
				break;
			b->size += next->size;
		}
		if (!b->used && b->size >= bytes) {
			if (b->size > bytes) {
				struct block *rest = (struct block *)(heap + at + bytes);

				*rest = (struct block){ b->size - bytes, 0 };
				b->size = bytes;
			}
			b->used = 1;
			return memset(b + 1, 0, bytes - sizeof(*b));
		}
		at += b->size;
	}
	return NULL;
}

void free(void *pointer)
{
	if (pointer)
		((struct block *)pointer - 1)->used = 0;
}

void archives_panic(const char *what)
{
	panic("library: %s", what);
}

void *memchr(const void *bytes, int value, size_t length)
{
	for (const uint8_t *at = bytes; length--; at++)
		if (*at == (uint8_t)value)
			return (void *)(uintptr_t)at;
	return NULL;
}

size_t strnlen(const char *text, size_t limit)
{
	const char *end = memchr(text, 0, limit);

	return end ? (size_t)(end - text) : limit;
}

char *strrchr(const char *text, int c)
{
	const char *found = NULL;

	do {
		if (*text == (char)c)
			found = text;
	} while (*text++);
	return (char *)(uintptr_t)found;
}

int strncmp(const char *a, const char *b, size_t limit)
{
	while (limit && *a && *a == *b) {
		a++;
		b++;
		limit--;
	}
	return limit ? (unsigned char)*a - (unsigned char)*b : 0;
}
