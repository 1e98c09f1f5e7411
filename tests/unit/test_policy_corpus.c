/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The corpus of tests/policy: each bad policy must be refused with exactly the messages beside it, each good one must
 * compile to the very bytes whose digests are beside it, one with warnings must have exactly those beside it, and no
 * message of the compiler may be without a policy that calls it forth.  "POLICY_CORPUS=write" in the environment writes
 * what there is instead of comparing.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"

#ifndef MANIFESTS
#define MANIFESTS "build/tests/policy"
#endif
#define KEYS "tests/policy/keys"
#define NAME_ROOM 300

static bool writing;
static char **said;             /* every line that some bad policy calls forth */
static unsigned said_count, said_room;

struct compiled {
	struct node *root;
	struct policy policy;
	struct report report;
};

static void compile(const char *path, bool with_images, struct compiled *c)
{
	static const char *const dirs[] = { MANIFESTS };

	*c = (struct compiled){ 0 };
	c->root = source_read(path, &c->report);
	if (!c->root)
		return;
	model_read(&c->policy, c->root, KEYS, &c->report);
	if (c->report.errors)
		return;
	if (with_images)
		facts_read_all(&c->policy, dirs, 1, &c->report);
	check_policy(&c->policy, &c->report);
	check_limits(&c->policy, &c->report);
	if (!c->report.errors)
		check_warnings(&c->policy, &c->report);
}

static void compiled_free(struct compiled *c)
{
	policy_free(&c->policy);
	source_free(c->root);
	report_free(&c->report);
}

static void remember(const char *text)
{
	const char *line = text, *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		const char *error = strstr(line, ": error: "), *warning = strstr(line, ": warning: ");
		const char *message = error && error < end ? error + 9 : warning && warning < end ? warning + 11 : NULL;
		if (message)
			*ARRAY_ADD(said, said_count, said_room) = memory_text(message, (size_t)(end - message));
	}
}

/* The file beside a policy, with another ending; compared with text or written. */
static unsigned compare(const char *path, const char *ending, const char *text)
{
	char expected[NAME_ROOM + 32], why[600];
	size_t size = 0;

	snprintf(expected, sizeof(expected), "%.*s%s", (int)(strrchr(path, '.') - path), path, ending);
	if (writing)
		return !file_store(expected, text, strlen(text), 0644);
	char *want = file_load(expected, 1 << 20, &size, why, sizeof(why));
	if (!want) {
		print_error("%s\n", why);
		return 1;
	}
	want[size] = 0;
	bool same = !strcmp(want, text);
	if (!same)
		print_error("%s: expected\n%s%s: found\n%s", expected, want, path, text);
	free(want);
	return !same;
}

static unsigned check_bad(const char *path)
{
	struct compiled c;
	unsigned failed = 0;

	compile(path, true, &c);
	if (c.report.errors) {
		remember(c.report.text);
		failed = compare(path, ".expected", c.report.text);
	} else {
		print_error("%s: expected messages, found none\n", path);
		failed = 1;
	}
	compiled_free(&c);
	return failed;
}

/* Legal, and with warnings. */
static unsigned check_warned(const char *path)
{
	struct compiled c;
	unsigned failed = 0;

	compile(path, true, &c);
	if (c.report.errors || !c.report.warnings) {
		print_error("%s: expected warnings only, found\n%s", path, c.report.text ? c.report.text : "nothing\n");
		failed = 1;
	} else {
		remember(c.report.text);
		failed = compare(path, ".expected", c.report.text);
	}
	compiled_free(&c);
	return failed;
}

/* What users start from. */
static unsigned check_silent(const char *path)
{
	struct compiled c;

	compile(path, false, &c);
	const bool silent = !c.report.errors && !c.report.warnings;
	if (!silent)
		print_error("%s: expected no word, found\n%s", path, c.report.text);
	compiled_free(&c);
	return !silent;
}

static size_t digest_line(const char *what, const void *bytes, size_t size, char *out, size_t room)
{
	uint8_t sha384[LZR_DIGEST_SIZE];
	size_t at = (size_t)snprintf(out, room, "%s ", what);

	assert_true(digest(bytes, size, sha384));
	for (unsigned i = 0; i < sizeof(sha384); i++)
		at += (size_t)snprintf(out + at, room - at, "%02x", sha384[i]);
	return at + (size_t)snprintf(out + at, room - at, " %zu\n", size);
}

/* Compiled twice, from the file up: the same bytes. */
static unsigned check_good(const char *path)
{
	char lines[2][600] = { "", "" };

	for (unsigned run = 0; run < 2; run++) {
		struct compiled c;
		size_t size, at = 0;
		compile(path, true, &c);
		if (c.report.errors) {
			print_error("%s", c.report.text);
			compiled_free(&c);
			return 1;
		}
		void *bytes = emit_policy(&c.policy, &size);
		assert_non_null(bytes);
		at = digest_line("policy", bytes, size, lines[run], sizeof(lines[run]));
		free(bytes);
		if (c.policy.fabric.node) {
			bytes = emit_switch(&c.policy, &size);
			assert_non_null(bytes);
			digest_line("switch", bytes, size, lines[run] + at, sizeof(lines[run]) - at);
			free(bytes);
		}
		compiled_free(&c);
	}
	assert_string_equal(lines[0], lines[1]);
	return compare(path, ".digests", lines[0]);
}

static int is_policy(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && !strcmp(entry->d_name + length - 4, ".dts");
}

static unsigned check_folder(const char *folder, unsigned (*check)(const char *path))
{
	struct dirent **entries;
	unsigned failed = 0;
	int count = scandir(folder, &entries, is_policy, alphasort);

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		char path[NAME_ROOM];
		snprintf(path, sizeof(path), "%.40s/%.200s", folder, entries[i]->d_name);
		failed += check(path);
		free(entries[i]);
	}
	free(entries);
	print_message("%s: %d policies\n", folder, count);
	return failed;
}

static void test_bad(void **state)
{
	(void)state;
	assert_int_equal(check_folder("tests/policy/bad", check_bad), 0);
}

static void test_warned(void **state)
{
	(void)state;
	assert_int_equal(check_folder("tests/policy/warned", check_warned), 0);
}

static void test_examples_are_silent(void **state)
{
	(void)state;
	assert_int_equal(check_folder("policy/examples", check_silent), 0);
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(check_folder("tests/policy/good", check_good), 0);
}

/* --- every message has a fixture ---------------------------------------------------------------------------------- */

/* Does text fit a format of printf, whatever its conversions stand for? */
static bool fits(const char *format, const char *text)
{
	for (; *format; format++, text++) {
		if (format[0] == '%' && format[1] == '%') {
			format++;
		} else if (format[0] == '%') {
			format += strspn(format + 1, "0123456789.*lz-") + 1;
			for (const char *rest = text;; rest++) {
				if (fits(format + 1, rest))
					return true;
				if (!*rest)
					return false;
			}
		}
		if (*format != *text)
			return false;
	}
	return !*text;
}

/* The string literal, of several parts perhaps, at `at`; its end, or NULL if there is none. */
static const char *read_literal(const char *at, char *out, size_t room)
{
	size_t length = 0;

	if (*at != '"')
		return NULL;
	while (*at == '"') {
		for (at++; *at != '"'; at++) {
			if (*at == '\\')
				at++;
			if (!*at || length + 1 == room)
				return NULL;
			out[length++] = *at;
		}
		at++;
		at += strspn(at, " \t\n");
	}
	out[length] = 0;
	return at;
}

/* Behind `count` arguments of a call. */
static const char *skip_arguments(const char *at, unsigned count)
{
	int depth = 0;

	for (; *at && count; at++) {
		if (*at == '"')
			while (*++at && *at != '"')
				at += *at == '\\';
		depth += *at == '(' || *at == '{' || *at == '[';
		depth -= *at == ')' || *at == '}' || *at == ']';
		count -= depth == 0 && *at == ',';
	}
	return at + strspn(at, " \t\n");
}

static bool is_said(const char *format)
{
	for (unsigned i = 0; i < said_count; i++)
		if (fits(format, said[i]))
			return true;
	return false;
}

/* Calls of one function in one file, whose literal is argument number `argument`. */
static unsigned check_calls(const char *file, const char *text, const char *call, unsigned argument, unsigned *found)
{
	char literal[1000], format[1100];
	unsigned missing = 0;

	for (const char *at = text; (at = strstr(at, call)) != NULL;) {
		at += strlen(call);
		if (!read_literal(skip_arguments(at, argument), literal, sizeof(literal)))
			continue;
		snprintf(format, sizeof(format), argument > 2 ? "%%s%s%%s" : "%s", literal);
		(*found)++;
		if (is_said(format))
			continue;
		print_error("%s: no policy in tests/policy/bad or warned calls forth: %s\n", file, literal);
		missing++;
	}
	return missing;
}

/* What only a broken dtc, disk or keys' folder could call forth, or a hole in the checks before. */
static const char *const not_by_policies[] = { "cannot start dtc", "line %u is not understood", "one complete tree",
					       "dtc does not accept", "cannot read it again",
					       "the switch would refuse" };

static void test_complete(void **state)
{
	static const char *const files[] = { "place.c", "source.c", "take.c", "model.c", "model_vm.c", "model_net.c",
					     "model_rules.c", "manifest.c", "check.c", "links.c", "limits.c",
					     "warn.c", "edges.c" };
	unsigned missing = 0, found = 0;
	(void)state;

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64], why[200];
		size_t size;
		snprintf(path, sizeof(path), "policy/%s", files[i]);
		char *text = file_load(path, 1 << 20, &size, why, sizeof(why));
		assert_non_null(text);
		text[size] = 0;
		for (unsigned j = 0; j < sizeof(not_by_policies) / sizeof(not_by_policies[0]); j++) {
			char *at = strstr(text, not_by_policies[j]);
			while (at && at > text && strncmp(at, "complain(", 9))
				at--;
			if (at)
				*at = '#';
		}
		missing += check_calls(path, text, "complain(", 2, &found);
		missing += check_calls(path, text, "cannot(", 3, &found);
		missing += check_calls(path, text, "\twarn(", 2, &found);
		free(text);
	}
	print_message("%u kinds of message\n", found);
	assert_int_equal(missing, 0);
}

static void test_fits(void **state)
{
	(void)state;
	assert_true(fits("a %s b", "a x y b"));
	assert_true(fits("%02x%02x..", "ab12.."));
	assert_true(fits("%llu%%%s", "12% and"));
	assert_true(fits("%.16s%s, %zu", "abc, 5"));
	assert_false(fits("a %s b", "a x y c"));
	assert_false(fits("a", "ab"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits), cmocka_unit_test(test_bad), cmocka_unit_test(test_good),
		cmocka_unit_test(test_warned), cmocka_unit_test(test_examples_are_silent),
		cmocka_unit_test(test_complete),
	};
	const char *mode = getenv("POLICY_CORPUS");

	writing = mode && !strcmp(mode, "write");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (unsigned i = 0; i < said_count; i++)
		free(said[i]);
	free(said);
	return failed;
}
