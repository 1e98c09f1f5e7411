/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and growing arrays. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

void *memory_resize(void *memory, size_t size)
{
	void *bigger = realloc(memory, size ? size : 1);

	if (!bigger) {
		fprintf(stderr, "lzr-policy: out of memory\n");
		exit(2);
	}
	return bigger;
}

void *memory_get(size_t size)
{
	return memset(memory_resize(NULL, size), 0, size);
}

char *memory_text(const char *from, size_t length)
{
	char *copy = memory_resize(NULL, length + 1);

	memcpy(copy, from, length);
	copy[length] = 0;
	return copy;
}

void *array_add(void *array, unsigned *count, unsigned *room, size_t element)
{
	if (*count == *room) {
		*room = *room ? 2 * *room : 4;
		array = memory_resize(array, *room * element);
	}
	memset((char *)array + *count * element, 0, element);
	++*count;
	return array;
}
