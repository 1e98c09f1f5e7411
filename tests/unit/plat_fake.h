/* SPDX-License-Identifier: Apache-2.0 */
/* Fakes of the platform for tests of the platform's own files: some physical memory, a clock, what was said. */
#ifndef PLAT_FAKE_H
#define PLAT_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FAKE_RAM (16u << 20)

extern uint8_t *fake_ram;               /* FAKE_RAM bytes: physical memory from 0 */
extern uint64_t fake_now;               /* time_ns() */
extern unsigned fake_cpus, fake_cpu_left_out;
extern char fake_said[16384];           /* all lines since fake_reset */
extern uint64_t fake_free_bytes;
extern jmp_buf fake_panic;
extern bool fake_panic_expected;

int fake_reset(void **state);           /* a cmocka setup function */
#define assert_said(text) assert_true(fake_has_said(text))
bool fake_has_said(const char *text);

#define assert_panics(statement) do { \
	fake_panic_expected = true; \
	if (!setjmp(fake_panic)) { \
		statement; \
		fail_msg("no panic"); \
	} \
	fake_panic_expected = false; \
} while (0)

#endif
