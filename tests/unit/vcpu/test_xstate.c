/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values of XCR0 a guest may ask for: root mode executes XSETBV with them, and a fault there stops the machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Included, not linked: only what executes no privileged instruction is called. */
#include "../../../hv/xstate.c"

void say(const char *format, ...) { (void)format; }
void *mem_alloc_hv(uint64_t length, uint64_t align) { (void)length; (void)align; return NULL; }

#define MPX 0x18ull
#define AMX 0x60000ull

static void all_of_a_known_set_or_none(void **state)
{
	(void)state;
	host_xcr0 = 0x2e7;
	assert_true(is_xcr0(1) && is_xcr0(3) && is_xcr0(7) && is_xcr0(0xe7) && is_xcr0(0x207));
	assert_false(is_xcr0(0) || is_xcr0(2) || is_xcr0(5) || is_xcr0(0x27) || is_xcr0(0xe3) || is_xcr0(0x407));
	host_xcr0 = 7;
	assert_false(is_xcr0(0xe7) || is_xcr0(0x207));
}

static void half_of_a_set_that_the_cpu_has(void **state)
{
	(void)state;
	host_xcr0 = 0x2e7 | MPX | AMX | 1ull << 62;
	assert_true(is_xcr0(0x2e7));
	for (unsigned bit = 0; bit < 64; bit++)
		if (!((0x2e7ull) >> bit & 1))
			assert_false(is_xcr0(7 | 1ull << bit));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_a_known_set_or_none), cmocka_unit_test(half_of_a_set_that_the_cpu_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
