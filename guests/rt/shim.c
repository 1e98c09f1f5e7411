/* SPDX-License-Identifier: Apache-2.0 */
/* What Debian's static mbedTLS and libfdt ask of a C library beyond strings. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "heap.h"
#include "rt.h"

#define NEVER(name) \
	void name(void); \
	void name(void) { rt_panic("library called " #name); }

void *calloc(size_t count, size_t size);
void *calloc(size_t count, size_t size)
{
	return heap_calloc(count, size);
}

void free(void *pointer);
void free(void *pointer)
{
	heap_free(pointer);
}

void *__memset_chk(void *to, int value, size_t length, size_t room);
void *__memset_chk(void *to, int value, size_t length, size_t room)
{
	if (length > room)
		rt_panic("memset beyond its object");
	return memset(to, value, length);
}

void *__memcpy_chk(void *to, const void *from, size_t length, size_t room);
void *__memcpy_chk(void *to, const void *from, size_t length, size_t room)
{
	if (length > room)
		rt_panic("memcpy beyond its object");
	return memcpy(to, from, length);
}

NEVER(__stack_chk_fail)
/* Self-tests, files and time: linked because the archive has no function sections, never reached. */
NEVER(__printf_chk)
NEVER(puts)
NEVER(putchar)
NEVER(fopen)
NEVER(fclose)
NEVER(fread)
NEVER(fwrite)
NEVER(fgets)
NEVER(ferror)
NEVER(gmtime_r)

/* One thread: a lock is always free. */
int pthread_mutex_init(void *mutex, const void *attributes);
int pthread_mutex_destroy(void *mutex);
int pthread_mutex_lock(void *mutex);
int pthread_mutex_unlock(void *mutex);

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
