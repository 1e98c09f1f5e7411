/* SPDX-License-Identifier: Apache-2.0 */
/* The rule for names: what is one and what is not, as text and as a field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <lazaret/name.h>

#define LONGEST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU"

static const char *const good[] = { "a", "Z", "7", "_", "red", "Red", "RED-2.b_c", "a-", "a..b", "_.x", LONGEST };
static const char *const bad[] = {
	"", ".", "-", "..", ".red", "-red", "red.", "r/d", "r\\d", "r d", "red\n", "r\x1b[2J", "r\xc3\xa9", "\xff",
	"a:b", "a~1", "r\"d", "r?", LONGEST "V", LONGEST "VWX",
};

/* The field of a text that fits, whatever is in it. */
static void field_of(const char *text, char out[LZR_NAME_MAX])
{
	size_t length = strlen(text);

	memset(out, 0, LZR_NAME_MAX);
	memcpy(out, text, length < LZR_NAME_MAX ? length : LZR_NAME_MAX);
}

static void names(void **state)
{
	char field[LZR_NAME_MAX];

	(void)state;
	assert_int_equal(strlen(LONGEST), LZR_NAME_MAX - 1);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		field_of(good[i], field);
		if (!lzr_name_text_is_valid(good[i]) || !lzr_name_is_valid(field))
			fail_msg("\"%s\" is a name", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		field_of(bad[i], field);
		if (lzr_name_text_is_valid(bad[i]) || lzr_name_is_valid(field))
			fail_msg("\"%s\" is no name", bad[i]);
	}
}

/* Each byte alone, in the middle: exactly 65 of 256. */
static void characters(void **state)
{
	unsigned count = 0;

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char text[] = { 'a', (char)c, 'b', 0 };

		count += lzr_name_text_is_valid(text);
	}
	assert_int_equal(count, 26 + 26 + 10 + 3);
}

/* Nothing hides behind the zero, and no field without one is read beyond its end (the sanitizers look). */
static void fields(void **state)
{
	char *field = test_malloc(LZR_NAME_MAX);

	(void)state;
	for (size_t i = 4; i < LZR_NAME_MAX; i++) {
		field_of("red", field);
		assert_true(lzr_name_is_valid(field));
		field[i] = 'x';
		assert_false(lzr_name_is_valid(field));
	}
	memset(field, 'x', LZR_NAME_MAX);
	assert_false(lzr_name_is_valid(field));
	test_free(field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), cmocka_unit_test(characters), cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
