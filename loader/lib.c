/* SPDX-License-Identifier: Apache-2.0 */
/* The memory functions that the compiler calls on its own; the loader links no library. */
#include <string.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t length)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	return start;
}

void *memset(void *to, int value, size_t length)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(value) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const uint8_t *p = a, *q = b;

	for (size_t i = 0; i < length; i++) {
		if (p[i] != q[i])
			return p[i] < q[i] ? -1 : 1;
	}
	return 0;
}
