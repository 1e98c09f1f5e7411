/* SPDX-License-Identifier: Apache-2.0 */
/* The string functions that the compiler, mbedTLS and libfdt call. */
#include <stddef.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t length)
{
	char *t = to;
	const char *f = from;

	if (t <= f || t >= f + length)
		return memcpy(to, from, length);
	while (length-- != 0) {
		t[length] = f[length];
		__asm__ volatile("" : : : "memory");
	}
	return to;
}

void *memset(void *to, int value, size_t length)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(value) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const unsigned char *p = a, *q = b;

	for (; length != 0; length--, p++, q++) {
		if (*p != *q)
			return *p < *q ? -1 : 1;
	}
	return 0;
}

void *memchr(const void *in, int value, size_t length)
{
	const unsigned char *p = in;

	for (; length != 0; length--, p++) {
		if (*p == (unsigned char)value)
			return (void *)p;
	}
	return NULL;
}

size_t strnlen(const char *s, size_t most)
{
	size_t n = 0;

	while (n < most && s[n] != 0)
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, (size_t)-1);
}

int strcmp(const char *a, const char *b)
{
	while (*a != 0 && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c)
			last = s;
	} while (*s++ != 0);
	return (char *)last;
}
