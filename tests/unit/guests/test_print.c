/* SPDX-License-Identifier: Apache-2.0 */
/* What a bare-metal guest says: every conversion, against the C library's where it has the same. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io.h"
#include "rt.h"

static char said[1024];
static size_t length;
static sigjmp_buf halted;

void io_out8(uint16_t port, uint8_t value)
{
	assert_int_equal(port, 0xe9);
	assert_true(length < sizeof(said) - 1);
	said[length++] = (char)value;
	said[length] = 0;
}

static void assert_says(const char *expected)
{
	assert_string_equal(said, expected);
	length = 0;
	said[0] = 0;
}

static void every_conversion(void **state)
{
	(void)state;
	rt_printf("plain");
	assert_says("plain");
	rt_printf("%s,%s", "one", "");
	assert_says("one,");
	rt_printf("%c%c", 'x', '%');
	assert_says("x%");
	rt_printf("%u %u %u", 0, 7, UINT32_MAX);
	assert_says("0 7 4294967295");
	rt_printf("%x %x %x", 0, 0xabc, UINT32_MAX);
	assert_says("0 abc ffffffff");
	rt_printf("%lu %lx", UINT64_MAX, UINT64_MAX);
	assert_says("18446744073709551615 ffffffffffffffff");
	rt_printf("%08x %02x %04u %02x", 0xbeef, 5, 12, 0x123);
	assert_says("0000beef 05 0012 123");
	rt_printf("%04lx|%u", 0xful, 3);
	assert_says("000f|3");
	rt_printf("100%%");
	assert_says("100%");
}

/* Not what the compiler lets through, so through a pointer: nothing is read behind the format's end. */
static void cut_short(void **state)
{
	void (*volatile print)(const char *, ...) = rt_printf;
	char *format = strdup("x%");

	(void)state;
	print(format);
	assert_says("x");
	strcpy(format, "%l");
	print(format);
	assert_says("");
	free(format);
	format = strdup("%08");
	print(format);
	assert_says("");
	free(format);
}

static void as_the_library_says(void **state)
{
	(void)state;
	srandom(20261121);
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t value = ((uint64_t)random() << 33 ^ (uint64_t)random()) >> random() % 64;
		char expected[160];

		snprintf(expected, sizeof(expected), "%u %x %lu %lx %09u %06lx", (unsigned)value, (unsigned)value,
			 value, value, (unsigned)value, value);
		rt_printf("%u %x %lu %lx %09u %06lx", (unsigned)value, (unsigned)value, value, value, (unsigned)value,
			  value);
		assert_says(expected);
	}
}

static void on_fault(int number)
{
	(void)number;
	siglongjmp(halted, 1);
}

/* It ends in an instruction that a process may not execute. */
static void panic_says_why_and_halts(void **state)
{
	struct sigaction action = { .sa_handler = on_fault }, before;

	(void)state;
	sigaction(SIGSEGV, &action, &before);
	if (!sigsetjmp(halted, 1))
		rt_panic("queue %u is gone", 3);
	sigaction(SIGSEGV, &before, NULL);
	assert_says("queue 3 is gone\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_conversion), cmocka_unit_test(cut_short), cmocka_unit_test(as_the_library_says),
		cmocka_unit_test(panic_says_why_and_halts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
