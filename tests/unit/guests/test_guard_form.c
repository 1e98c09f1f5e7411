/* SPDX-License-Identifier: Apache-2.0 */
/* The guard's form: what passes, what does not and why, and that nothing but the form ever comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "form.h"

#define SECOND 1000000000ull
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* The message in memory of exactly its size, so that a sanitizer sees a read behind it. */
static enum form_verdict judge(struct form_state *state, const void *bytes, size_t length, uint64_t now,
			       struct form_line *line)
{
	uint8_t *copy = malloc(length ? length : 1);
	enum form_verdict verdict;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	verdict = form_judge(state, copy, length, now, line);
	free(copy);
	return verdict;
}

static enum form_verdict fresh(const void *bytes, size_t length)
{
	struct form_state state = { 0 };
	struct form_line line;

	return judge(&state, bytes, length, 5 * SECOND, &line);
}

static void good_lines_come_out_as_they_went_in(void **unused)
{
	static const char *const lines[] = {
		"STATUS 000001 A\n", "NOTICE 000002 0\n", "ALERT 999999 CONVOY 7, GATE-4. ON TIME\n",
		"STATUS 123456 ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKL\n",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct form_state state = { 0 };
		struct form_line line;
		uint8_t out[FORM_MAX];

		assert_int_equal(judge(&state, lines[i], strlen(lines[i]), 1, &line), FORM_PASS);
		assert_int_equal(form_write(&line, out), strlen(lines[i]));
		assert_memory_equal(out, lines[i], strlen(lines[i]));
	}
}

static void other_lines_are_refused(void **unused)
{
	(void)unused;
	assert_int_equal(fresh(BYTES("")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS ")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 \n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001  A\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A \n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A., B\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A ,B\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A,  B\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A- B\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 ,A\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 a\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A\nB\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A\n\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000001 A\0B\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 00001 A\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS +00001 A\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUSES 000001 A\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("REPORT 000001 A\n")), FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 123456 ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKLM\n")),
			 FORM_MALFORMED);
	assert_int_equal(fresh(BYTES("STATUS 000000 A\n")), FORM_REPEATED);
}

static void length_is_looked_at_first(void **unused)
{
	uint8_t bytes[FORM_MAX + 1];

	(void)unused;
	memset(bytes, 'A', sizeof(bytes));
	memcpy(bytes, "STATUS 000001 ", 14);
	assert_int_equal(fresh(bytes, FORM_MAX), FORM_MALFORMED);
	assert_int_equal(fresh(bytes, FORM_MAX + 1), FORM_OVERSIZED);
}

static void serials_rise_and_lines_keep_their_distance(void **unused)
{
	struct form_state state = { 0 };
	struct form_line line;
	uint64_t now = 7;

	(void)unused;
	assert_int_equal(judge(&state, BYTES("STATUS 000010 A\n"), now, &line), FORM_PASS);
	assert_int_equal(judge(&state, BYTES("STATUS 000011 B\n"), now + FORM_INTERVAL_NS - 1, &line), FORM_EARLY);
	assert_int_equal(judge(&state, BYTES("STATUS 000011 B\n"), now - 1, &line), FORM_EARLY);
	/* What was too early was not used up. */
	assert_int_equal(judge(&state, BYTES("STATUS 000011 B\n"), now + FORM_INTERVAL_NS, &line), FORM_PASS);
	now += 10 * SECOND;
	assert_int_equal(judge(&state, BYTES("STATUS 000011 B\n"), now, &line), FORM_REPEATED);
	assert_int_equal(judge(&state, BYTES("STATUS 000009 B\n"), now, &line), FORM_REPEATED);
	assert_int_equal(judge(&state, BYTES("nonsense"), now, &line), FORM_MALFORMED);
	assert_int_equal(judge(&state, BYTES("STATUS 999999 C\n"), now, &line), FORM_PASS);
	assert_int_equal(judge(&state, BYTES("STATUS 999999 C\n"), now + SECOND, &line), FORM_REPEATED);
}

/* Good lines with a few bytes changed, cut and prolonged: what passes is the form, written again it is the same. */
static void whatever_passes_is_of_the_form(void **unused)
{
	static const char good[] = "NOTICE 004711 THE BRIDGE, EAST-SIDE. IS OPEN 24 H\n";
	uint64_t random = 42, passed = 0;

	(void)unused;
	for (unsigned i = 0; i < 300000; i++) {
		struct form_state state = { 0 };
		uint8_t bytes[FORM_MAX + 8], out[FORM_MAX];
		size_t length = sizeof(good) - 1;
		struct form_line line;

		memset(bytes, '\n', sizeof(bytes));
		memcpy(bytes, good, length);
		for (unsigned changes = i % 4; changes != 0; changes--) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			bytes[(random >> 40) % sizeof(bytes)] = (uint8_t)(random >> 32) & (random >> 63 ? 0xff : 0x5f);
			if ((random >> 48) % 8 == 0)
				length = (random >> 52) % sizeof(bytes);
		}
		if (judge(&state, bytes, length, 1, &line) != FORM_PASS)
			continue;
		passed++;
		assert_true(length <= FORM_MAX);
		assert_int_equal(form_write(&line, out), length);
		assert_memory_equal(out, bytes, length);
		for (size_t at = 0; at < length; at++)
			assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-\n", out[at]));
		assert_ptr_equal(memchr(out, '\n', length), out + length - 1);
	}
	assert_true(passed > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines_come_out_as_they_went_in),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(length_is_looked_at_first),
		cmocka_unit_test(serials_rise_and_lines_keep_their_distance),
		cmocka_unit_test(whatever_passes_is_of_the_form),
	};

	return cmocka_run_group_tests_name("guard's form", tests, NULL, NULL);
}
