/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The string functions of root mode and of bare-metal guests against the C library's, on random input, at the edge of
 * mapped memory: one byte too many faults, also where assembly reads or writes it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* Included under other names, not linked: the sanitizer needs its own. */
#define memcpy hv_memcpy
#define memmove hv_memmove
#define memset hv_memset
#define memcmp hv_memcmp
#define strlen hv_strlen
#define strcmp hv_strcmp
#include "../../hv/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#define memcpy rt_memcpy
#define memmove rt_memmove
#define memset rt_memset
#define memcmp rt_memcmp
#define memchr rt_memchr
#define strlen rt_strlen
#define strnlen rt_strnlen
#define strcmp rt_strcmp
#define strrchr rt_strrchr
#include "../../guests/rt/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strrchr

static const struct library {
	void *(*copy)(void *restrict, const void *restrict, size_t);
	void *(*move)(void *, const void *, size_t);
	void *(*set)(void *, int, size_t);
	int (*compare)(const void *, const void *, size_t);
	size_t (*length)(const char *);
	int (*compare_text)(const char *, const char *);
} libraries[] = {
	{ hv_memcpy, hv_memmove, hv_memset, hv_memcmp, hv_strlen, hv_strcmp },
	{ rt_memcpy, rt_memmove, rt_memset, rt_memcmp, rt_strlen, rt_strcmp },
};

#define LIBRARIES (sizeof(libraries) / sizeof(libraries[0]))
#define PAGE 4096u
#define AREA (2 * PAGE)

/* Two areas with unmapped pages on both sides. */
static uint8_t *area_a, *area_b;

static uint8_t *area_new(void)
{
	uint8_t *p = mmap(NULL, AREA + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + PAGE, AREA, PROT_READ | PROT_WRITE), 0);
	return p + PAGE;
}

static int set_up(void **state)
{
	(void)state;
	area_a = area_new();
	area_b = area_new();
	srandom(20261121);
	return 0;
}

static void scramble(uint8_t *area, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		area[i] = (uint8_t)random();
}

/* `length` bytes of an area: at its start, at its end, or anywhere. */
static uint8_t *place(uint8_t *area, size_t length)
{
	switch (random() % 3) {
	case 0: return area;
	case 1: return area + AREA - length;
	}
	return area + (size_t)random() % (AREA - length + 1);
}

static size_t some_length(void)
{
	return random() % 2 ? (size_t)random() % 40 : (size_t)random() % AREA;
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

/* All of the area: what lies beside the destination must stay. */
static void copied_and_set(void **state)
{
	static uint8_t expected[AREA];

	(void)state;
	for (unsigned round = 0; round < 4000; round++) {
		const struct library *library = &libraries[round % LIBRARIES];
		size_t length = some_length();
		uint8_t *to = place(area_a, length), *from = place(area_b, length);
		int value = (int)random();

		if (round % 64 < 2) {
			scramble(area_a, AREA);
			scramble(area_b, AREA);
		}
		memcpy(expected, area_a, AREA);
		memcpy(expected + (to - area_a), from, length);
		assert_ptr_equal(library->copy(to, from, length), to);
		assert_memory_equal(area_a, expected, AREA);
		to = place(area_a, length);
		memset(expected + (to - area_a), value, length);
		assert_ptr_equal(library->set(to, value, length), to);
		assert_memory_equal(area_a, expected, AREA);
	}
}

/* Each overlap of short moves, then random ones of any length. */
static void moved(void **state)
{
	static uint8_t expected[AREA];

	(void)state;
	for (unsigned library = 0; library < LIBRARIES; library++)
		for (size_t length = 0; length < 20; length++)
			for (unsigned to = 0; to < 48; to++) {
				scramble(area_a, 128);
				memcpy(expected, area_a, 128);
				memmove(expected + to, expected + 24, length);
				assert_ptr_equal(libraries[library].move(area_a + to, area_a + 24, length),
						 area_a + to);
				assert_memory_equal(area_a, expected, 128);
			}
	for (unsigned round = 0; round < 4000; round++) {
		size_t length = some_length();
		uint8_t *to = place(area_a, length), *from = place(area_a, length);

		if (round % 8 < 2)
			scramble(area_a, AREA);
		memcpy(expected, area_a, AREA);
		memmove(expected + (to - area_a), expected + (from - area_a), length);
		assert_ptr_equal(libraries[round % LIBRARIES].move(to, from, length), to);
		assert_memory_equal(area_a, expected, AREA);
	}
}

static void compared(void **state)
{
	(void)state;
	scramble(area_a, AREA);
	for (unsigned round = 0; round < 8000; round++) {
		const struct library *library = &libraries[round % LIBRARIES];
		size_t length = (size_t)random() % 70;
		uint8_t *a = place(area_a, length), *b = place(area_b, length);

		memcpy(b, a, length);
		if (length && random() % 4)
			b[(size_t)random() % length] = (uint8_t)random();
		assert_int_equal(sign(library->compare(a, b, length)), sign(memcmp(a, b, length)));
	}
}

static char *text(uint8_t *area)
{
	size_t length = (size_t)random() % 30;
	char *s = (char *)place(area, length + 1);

	for (size_t i = 0; i < length; i++)
		s[i] = random() % 8 ? 'a' : (char)(random() % 255 + 1);
	s[length] = 0;
	return s;
}

static void texts(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		const struct library *library = &libraries[round % LIBRARIES];
		const char *a = text(area_a), *b = text(area_b);

		if (random() % 3 == 0)
			b = strcpy((char *)place(area_b, strlen(a) + 1), a);
		assert_int_equal(library->length(a), strlen(a));
		assert_int_equal(sign(library->compare_text(a, b)), sign(strcmp(a, b)));
	}
}

/* What only the guests' library has. */
static void searched(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		const char *s = text(area_a);
		size_t length = strlen(s), most = (size_t)random() % 40;
		int wanted = random() % 4 ? 'a' : (int)(random() % 600) - 300;

		assert_int_equal(rt_strnlen(s, most), strnlen(s, most));
		assert_ptr_equal(rt_memchr(s, wanted, length), memchr(s, wanted, length));
		assert_ptr_equal(rt_strrchr(s, wanted), strrchr(s, wanted));
		assert_ptr_equal(rt_strrchr(s, 0), s + length);
		memset(area_b + AREA - most, 'a', most);        /* not terminated */
		assert_int_equal(rt_strnlen((char *)area_b + AREA - most, most), most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copied_and_set), cmocka_unit_test(moved), cmocka_unit_test(compared),
		cmocka_unit_test(texts), cmocka_unit_test(searched),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
