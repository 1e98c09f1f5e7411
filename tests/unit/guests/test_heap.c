/* SPDX-License-Identifier: Apache-2.0 */
/* The libraries' heap: a long random life against what malloc would do, and its refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "heap.h"
#include "rt.h"

static jmp_buf panicked;

void rt_panic(const char *format, ...)
{
	(void)format;
	longjmp(panicked, 1);
}

static uint64_t random_state = 7;

static unsigned roll(unsigned sides)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(random_state >> 33) % sides;
}

static void check_filled(const uint8_t *p, uint8_t value, size_t size)
{
	while (size-- != 0)
		assert_int_equal(p[size], value);
}

static void test_random_life(void **state)
{
	struct {
		uint8_t *p;
		size_t size;
	} live[64] = { 0 };
	unsigned round, i;

	(void)state;
	for (round = 0; round < 50000; round++) {
		i = roll(64);
		if (live[i].p != NULL) {
			check_filled(live[i].p, (uint8_t)i, live[i].size);
			heap_free(live[i].p);
			live[i].p = NULL;
			continue;
		}
		live[i].size = roll(1200);
		live[i].p = heap_calloc(1, live[i].size);
		if (live[i].p == NULL)
			continue;
		assert_int_equal((uintptr_t)live[i].p % 16, 0);
		check_filled(live[i].p, 0, live[i].size);
		memset(live[i].p, (int)i, live[i].size);
	}
	for (i = 0; i < 64; i++)
		heap_free(live[i].p);
	assert_int_equal(heap_used(), 0);
	/* All of it is one piece again. */
	live[0].p = heap_calloc(1, HEAP_SIZE - 16);
	assert_non_null(live[0].p);
	assert_null(heap_calloc(1, 1));
	heap_free(live[0].p);
}

static void test_refusals(void **state)
{
	uint8_t *p = heap_calloc(4, 4);
	volatile unsigned caught = 0;

	(void)state;
	assert_null(heap_calloc(1, HEAP_SIZE));
	assert_null(heap_calloc(SIZE_MAX / 2, 4));
	assert_null(heap_calloc(2, SIZE_MAX));
	heap_free(NULL);
	if (setjmp(panicked) == 0)
		heap_free(p + 16);
	else
		caught++;
	heap_free(p);
	if (setjmp(panicked) == 0)
		heap_free(p);
	else
		caught++;
	assert_int_equal(caught, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_life), cmocka_unit_test(test_refusals) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
