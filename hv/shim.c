/* SPDX-License-Identifier: Apache-2.0 */
/* What the static mbedTLS and libfdt need of a C library.  Boot only. */
#include <string.h>

#include "plat.h"

#define HEAP_SIZE (64u << 10)           /* the signature check has been seen to use 11 KiB */

void *calloc(size_t count, size_t size);
void free(void *pointer);
void *__memset_chk(void *to, int value, size_t length, size_t room);
void __stack_chk_fail(void) __attribute__((noreturn));
int pthread_mutex_init(void *mutex, const void *attributes);
int pthread_mutex_destroy(void *mutex);
int pthread_mutex_lock(void *mutex);
int pthread_mutex_unlock(void *mutex);

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

void *__memset_chk(void *to, int value, size_t length, size_t room)
{
	CHECK(length <= room);
	return memset(to, value, length);
}

void __stack_chk_fail(void)
{
	panic("stack overrun in a library");
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

/* mbedTLS is built for threads; there is one here. */
int pthread_mutex_init(void *mutex, const void *attributes)
{
	(void)mutex;
	(void)attributes;
	return 0;
}

int pthread_mutex_destroy(void *mutex)
{
	(void)mutex;
	return 0;
}

int pthread_mutex_lock(void *mutex)
{
	(void)mutex;
	return 0;
}

int pthread_mutex_unlock(void *mutex)
{
	(void)mutex;
	return 0;
}

/* Referred to by self tests and file input in the archives, never called. */
#define NEVER_CALLED(name) \
	void name(void); \
	void name(void) { panic("library function called: " #name); }
NEVER_CALLED(__printf_chk)
NEVER_CALLED(fclose)
NEVER_CALLED(ferror)
NEVER_CALLED(fgets)
NEVER_CALLED(fopen)
NEVER_CALLED(fread)
NEVER_CALLED(fwrite)
NEVER_CALLED(gmtime_r)
NEVER_CALLED(putchar)
NEVER_CALLED(puts)
