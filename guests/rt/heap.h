/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap behind calloc and free for libraries: first fit over a fixed array, free neighbours joined.  The program
 * itself allocates nothing.
 */
#ifndef RT_HEAP_H
#define RT_HEAP_H

#include <stddef.h>

#define HEAP_SIZE (64u << 10)

/* Zeroed memory aligned to 16, or NULL. */
void *heap_calloc(size_t count, size_t size);
/* Gives back what heap_calloc gave; NULL is fine, any other pointer stops the VM. */
void heap_free(void *pointer);
/* Bytes in use, for tests and for sizing. */
size_t heap_used(void);

#endif
