/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's heap and panic, by the names that lib/archives.c and the static libraries use. */
#include <stddef.h>

#include "archives.h"
#include "heap.h"
#include "rt.h"

void *calloc(size_t count, size_t size);
void free(void *pointer);

void *calloc(size_t count, size_t size)
{
	return heap_calloc(count, size);
}

void free(void *pointer)
{
	heap_free(pointer);
}

void archives_panic(const char *what)
{
	rt_panic("library: %s", what);
}
