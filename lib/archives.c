/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the static mbedTLS and libfdt refer to beyond memory and strings, for one thread and no files.  Freestanding;
 * the hypervisor keeps it in its boot part.
 */
#include "archives.h"

#include <stddef.h>
#include <string.h>

void *__memset_chk(void *to, int value, size_t length, size_t room);
void *__memcpy_chk(void *to, const void *from, size_t length, size_t room);
void __stack_chk_fail(void);
int pthread_mutex_init(void *mutex, const void *attributes);
int pthread_mutex_destroy(void *mutex);
int pthread_mutex_lock(void *mutex);
int pthread_mutex_unlock(void *mutex);

void *__memset_chk(void *to, int value, size_t length, size_t room)
{
	if (length > room)
		archives_panic("memset beyond its object");
	return memset(to, value, length);
}

void *__memcpy_chk(void *to, const void *from, size_t length, size_t room)
{
	if (length > room)
		archives_panic("memcpy beyond its object");
	return memcpy(to, from, length);
}

void __stack_chk_fail(void)
{
	archives_panic("stack overrun");
}

/* mbedTLS is built for threads; there is one here, and its lock is always free. */
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

/* Self-tests, files and time: linked because the archives have no function sections, never reached. */
#define NEVER_CALLED(name) \
	void name(void); \
	void name(void) { archives_panic("library function called: " #name); }
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
