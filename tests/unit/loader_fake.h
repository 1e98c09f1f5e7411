/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware for the loader's unit tests, and a refuse() that comes back. */
#ifndef TESTS_LOADER_FAKE_H
#define TESTS_LOADER_FAKE_H

#include <setjmp.h>

#include "loader.h"

extern jmp_buf fake_refused;
extern char fake_reason[512];

/* What the firmware does; fake_reset() puts everything back. */
extern uint64_t fake_pages_left;                /* allocate_pages fails when it is 0 */
extern struct tcg2_protocol fake_tcg2;
extern struct tcg2_capability fake_capability;
extern bool fake_has_tcg2;
extern struct efi_configuration_table fake_tables[4];
extern struct efi_system_table fake_system;
extern struct efi_boot_services fake_boot;
extern struct efi_runtime_services fake_runtime;
extern struct efi_graphics *fake_graphics;

void fake_reset(void);
/* The same for cmocka. */
int fake_setup(void **state);

/* True when the statement refused; the reason is in fake_reason. */
#define REFUSED(statement) (setjmp(fake_refused) ? 1 : ((statement), 0))
#define assert_refused(statement, text) \
	do { \
		fake_reason[0] = 0; \
		assert_true(REFUSED(statement)); \
		if (!strstr(fake_reason, text)) \
			fail_msg("refused with \"%s\", expected \"%s\"", fake_reason, text); \
	} while (0)

#endif
