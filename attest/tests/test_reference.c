/* SPDX-License-Identifier: Apache-2.0 */
/* Files of reference values: what is taken, and what is said about the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../reference.h"

/* Each mistake in a file of reference values has a sentence of its own, and its line. */
static void reference_mistakes(void **state)
{
#define A12 "aaaaaaaaaaaa"
#define A96 A12 A12 A12 A12 A12 A12 A12 A12
#define BOTH "either values or unchecked for a register, not both"
#define HEAD "lazaret-reference 1\n# two\n"
	static const struct {
		const char *text, *expected, *found;
	} bad[] = {
		{ "# none\nlazaret-reference 2\n", "'lazaret-reference 1' first", "line 2: lazaret-reference 2" },
		{ HEAD "hypervizor " A96 "\n",
		  "a line that begins with pcr, hypervisor, signer, boot-list, policy or image",
		  "line 3: hypervizor" },
		{ HEAD "hypervisor 00\n", "a digest of 96 hexadecimal digits (SHA-384)", "line 3: hypervisor 00" },
		{ HEAD "pcr 0 unchcked\n", "a digest of 96 hexadecimal digits (SHA-384)", "line 3: pcr 0 unchcked" },
		{ HEAD "hypervisor\n", "one digest behind the word, and nothing else", "line 3" },
		{ HEAD "signer " A96 " x\n", "one digest behind the word, and nothing else", "line 3" },
		{ HEAD "image red\n", "'image NAME DIGEST'", "line 3: image red" },
		{ HEAD "pcr 0\n", "'pcr NUMBER DIGEST' or 'pcr NUMBER unchecked'", "line 3: pcr 0" },
		{ HEAD "pcr 8 unchecked\n", "a firmware register from 0 to 7", "line 3: pcr 8 unchecked" },
		{ HEAD "pcr 4 unchecked\n", "a value for PCR 4: it cannot be unchecked, all else rests on the loader",
		  "line 3: pcr 4 unchecked" },
		{ HEAD "pcr 0 unchecked\npcr 0 " A96 "\n", BOTH, "line 4" },
		{ HEAD "pcr 0 " A96 "\npcr 0 unchecked\n", BOTH, "line 4" },
		{ HEAD "pcr 0 unchecked\npcr 0 unchecked\n", "unchecked once for a register", "line 4" },
		{ HEAD "policy " A96 "\npolicy " A96 "\n", "each value of a kind once", "line 4" },
		{ HEAD "image red " A96 "\nimage red " A96 "\n", "each value of an image once", "line 4" },
		{ HEAD "image " A12 A12 A12 A12 " " A96 "\n", "an image name of at most 47 characters", "line 3" },
	};
	struct reference *r = malloc(sizeof(*r));
	char long_line[700], many[2048] = HEAD;
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f = (struct fault){ 0 };
		assert_false(reference_parse((struct bytes){ (const uint8_t *)bad[i].text, strlen(bad[i].text) },
					     "test", r, &f));
		assert_string_equal(f.expected, bad[i].expected);
		assert_memory_equal(f.found, bad[i].found, strlen(bad[i].found));
	}
	memset(long_line, 'x', sizeof(long_line));
	f = (struct fault){ 0 };
	assert_false(reference_parse((struct bytes){ (const uint8_t *)long_line, sizeof(long_line) }, "test", r, &f));
	assert_string_equal(f.expected, "lines of at most 511 characters");
	assert_string_equal(f.found, "line 1");
	f = (struct fault){ 0 };
	assert_false(reference_parse((struct bytes){ (const uint8_t *)"a\0b", 3 }, "test", r, &f));
	assert_string_equal(f.expected, "text without zero bytes");
	for (unsigned i = 0; i < 9; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "signer %.95s%u\n", A96, i);
	f = (struct fault){ 0 };
	assert_false(reference_parse((struct bytes){ (const uint8_t *)many, strlen(many) }, "test", r, &f));
	assert_string_equal(f.expected, "at most 8 values of a kind");
	assert_memory_equal(f.found, "line 11", 7);
	free(r);
}

static void reference_text(void **state)
{
	static const char *const bad[] = { "",
					   "lazaret-reference 2\n",
					   "hello\n",
					   "lazaret-reference 1\npcr 8 unchecked\n",
					   "lazaret-reference 1\npcr 0 unchcked\n",
					   "lazaret-reference 1\nhypervizor 00\n",
					   "lazaret-reference 1\nhypervisor 00\n",
					   "lazaret-reference 1\npcr 0 unchecked\n" };
	static const char loader[] = "lazaret-reference 1\npcr 4 unchecked\n";
	char digest[97], *good, *text = NULL;
	struct reference *r = malloc(sizeof(*r));
	struct fault f = { 0 };
	size_t length;
	FILE *out;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f = (struct fault){ 0 };
		assert_false(reference_parse((struct bytes){ (const uint8_t *)bad[i], strlen(bad[i]) }, "test", r, &f));
		assert_true(f.code == FAULT_FORMAT || f.code == FAULT_REFERENCE_MISSING);
	}
	f = (struct fault){ 0 };
	assert_false(reference_parse((struct bytes){ (const uint8_t *)loader, strlen(loader) }, "test", r, &f));
	assert_int_equal(f.code, FAULT_FORMAT);
	memset(digest, 'a', 96);
	digest[96] = 0;
	out = open_memstream(&text, &length);
	fprintf(out, "# values\nlazaret-reference 1\n");
	for (int i = 0; i < 8; i++)
		fprintf(out, "pcr %d %s\n", i, i == 4 ? digest : "unchecked");
	fprintf(out, "hypervisor %s\nsigner %s\nboot-list %s\npolicy %s\nimage red %s # ours\n", digest, digest, digest,
		digest, digest);
	fclose(out);
	good = text;
	f = (struct fault){ 0 };
	assert_true(reference_parse((struct bytes){ (const uint8_t *)good, length }, "test", r, &f));
	assert_true(r->pcr[0].unchecked && r->pcr[4].count == 1 && r->image_count == 1);
	/* Without any of its lines it is incomplete; the last one twice is refused. */
	for (char *line = strchr(strchr(good, '\n') + 1, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
		size_t n = (size_t)(strchr(line, '\n') + 1 - line), before = (size_t)(line - good);
		char *without = malloc(length);

		memcpy(without, good, before);
		memcpy(without + before, line + n, length - before - n);
		f = (struct fault){ 0 };
		assert_false(reference_parse((struct bytes){ (const uint8_t *)without, length - n }, "test", r, &f));
		assert_int_equal(f.code, FAULT_REFERENCE_MISSING);
		/* It says which: "a line 'KIND" is what is missing. */
		assert_memory_equal(f.expected, "a line '", 8);
		assert_memory_equal(f.expected + 8, line, strcspn(line, " "));
		free(without);
	}
	free(text);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_text),
		cmocka_unit_test(reference_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
