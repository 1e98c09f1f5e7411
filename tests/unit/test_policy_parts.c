/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's tools one by one: tables, arrays, the report, suggestions, places of values, rights, guards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy.h"

#define KEYS 100000u

static void test_table(void **state)
{
	struct table table = { 0 };
	unsigned *keys = memory_get(KEYS * sizeof(*keys));
	(void)state;

	assert_int_equal(table_find_text(&table, "absent"), NONE);
	for (unsigned i = 0; i < KEYS; i++) {
		keys[i] = i * 2654435761u;
		assert_int_equal(table_add(&table, &keys[i], sizeof(keys[i]), i), NONE);
	}
	for (unsigned i = 0; i < KEYS; i++) {
		assert_int_equal(table_find(&table, &keys[i], sizeof(keys[i])), i);
		assert_int_equal(table_add(&table, &keys[i], sizeof(keys[i]), 7), i);
	}
	assert_int_equal(table.count, KEYS);
	assert_int_equal(table_find(&table, keys, 2), NONE);
	table_free(&table);
	free(keys);
}

static void test_array(void **state)
{
	unsigned count = 0, room = 0, *numbers = NULL;
	(void)state;

	for (unsigned i = 0; i < 1000; i++) {
		unsigned *added = ARRAY_ADD(numbers, count, room);
		assert_int_equal(*added, 0);
		*added = i;
	}
	assert_int_equal(count, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(numbers[i], i);
	free(numbers);
}

static void test_report(void **state)
{
	struct report report = { 0 };
	char *printed = NULL;
	size_t size;
	(void)state;

	for (unsigned i = 0; i < REPORT_SHOWN + 50; i++)
		complain(&report, (struct place){ 0 }, "number %u", i);
	assert_int_equal(report.errors, REPORT_SHOWN + 50);
	FILE *out = open_memstream(&printed, &size);
	assert_non_null(out);
	report_print(&report, out);
	fclose(out);
	assert_non_null(strstr(printed, "lzr-policy: error: number 199\n"));
	assert_null(strstr(printed, "number 200\n"));
	assert_non_null(strstr(printed, "\nlzr-policy: and 50 more error(s)\n"));
	free(printed);
	report_free(&report);
	report_print(&report, stdout);
}

static const char *suggest(const char *wanted, const char *const *candidates, char out[NEAREST_TEXT])
{
	struct nearest nearest;

	nearest_begin(&nearest, wanted);
	for (unsigned i = 0; candidates[i]; i++)
		nearest_try(&nearest, candidates[i]);
	return nearest_text(&nearest, out);
}

static void test_nearest(void **state)
{
	static const char *const names[] = { "red", "blue", "attestor", "switch", NULL };
	static const struct { const char *wanted, *hint; } cases[] = {
		{ "rde", " (did you mean \"red\"?)" }, { "re", " (did you mean \"red\"?)" },
		{ "reed", " (did you mean \"red\"?)" }, { "atestor", " (did you mean \"attestor\"?)" },
		{ "SWITCH", "" }, { "green", "" }, { "x", "" }, { "", "" },
	};
	char out[NEAREST_TEXT], longest[300];
	(void)state;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(suggest(cases[i].wanted, names, out), cases[i].hint);
	memset(longest, 'r', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	assert_string_equal(suggest(longest, names, out), "");
}

static char file[] = "/tmp/lzr-parts-XXXXXX";

static struct node *read_text(const char *text, struct report *report)
{
	assert_true(file_store(file, text, strlen(text), 0600));
	return source_read(file, report);
}

static void expect_place(struct place place, unsigned line, unsigned column)
{
	assert_string_equal(place_file(place), file);
	assert_int_equal(place.line, line);
	assert_int_equal(place.column, column);
}

static void test_places(void **state)
{
	struct report report = { 0 };
	struct node *root = read_text("/dts-v1/;\n/ {\n\ta = \"one\", /* \"no\" */ \"two\",\n\t\t\"three\"; // \"no\"\n"
				      "\tb = <1 (2 + 3)\n\t\t4>;\n\tlabelled: c  {\n\t\tflag;\n\t};\n};\n", &report);
	(void)state;

	assert_non_null(root);
	assert_int_equal(root->property_count, 2);
	const struct property *a = &root->properties[0], *b = &root->properties[1];
	expect_place(root->where, 2, 1);
	expect_place(a->where, 3, 2);
	expect_place(value_place(a, 0), 3, 6);
	expect_place(value_place(a, 1), 3, 24);
	expect_place(value_place(a, 2), 4, 3);
	expect_place(value_place(a, 3), 3, 2);
	expect_place(value_place(b, 0), 5, 7);
	assert_int_equal(b->cells[1], 5);
	expect_place(root->children[0]->where, 7, 12);
	assert_string_equal(root->children[0]->name, "c");
	expect_place(value_place(&root->children[0]->properties[0], 0), 8, 3);
	source_free(root);
	report_free(&report);
}

static const char small[] =
	"/dts-v1/;\n/ {\n\tcompatible = \"lazaret,policy-source-1\";\n\tversion = <3 4>;\n"
	"\tlevels = \"LOW\", \"HIGH\";\n"
	"\tcategories = \"a\";\n\tlabels { top = \"HIGH\", \"a\"; };\n\tmachine { memory = \"1G\"; cpus = <1>; };\n"
	"\tvms {\n\t\thigh { label = \"top\"; memory = \"2M\"; cpus = <0>; reads-audit = \"*\"; };\n"
	"\t\tguard { memory = \"2M\"; cpus = <0>; service; guard { from = \"up\"; to = \"down\"; }; };\n"
	"\t\tlow { label = \"LOW\"; memory = \"2M\"; cpus = <0>; controls = \"low\", \"guard\"; };\n\t};\n"
	"\tchannels {\n\t\tup { vm = \"high\"; device = \"d\"; service = \"guard\"; service-device = \"u\"; };\n"
	"\t\tdown { vm = \"low\"; device = \"d\"; service = \"guard\"; service-device = \"l\"; };\n\t};\n};\n";

static void test_model(void **state)
{
	struct report report = { 0 };
	struct policy policy;
	char text[LABEL_TEXT];
	struct node *root = read_text(small, &report);
	(void)state;

	assert_non_null(root);
	model_read(&policy, root, ".", &report);
	if (report.errors)
		fail_msg("%s", report.text);
	assert_int_equal(policy.version, 3ull << 32 | 4);
	const struct policy_vm *guard = &policy.vms[find_vm(&policy, "guard")];
	label_text(&policy, &guard->high, text, sizeof(text));
	assert_string_equal(text, "HIGH a");
	label_text(&policy, &guard->low, text, sizeof(text));
	assert_string_equal(text, "LOW");
	assert_true(guard->trusted);
	assert_int_equal(guard->from.kind, CONDUIT_CHANNEL);
	assert_int_equal(guard->from.index, find_channel(&policy, "up"));
	const struct policy_right *all = &policy.vms[0].rights[RIGHT_READS_AUDIT];
	assert_true(all->all);
	assert_int_equal(all->count, 3);
	assert_int_equal(all->vms[2], 2);
	expect_place(right_place(all, 2), 10, 66);
	const struct policy_right *some = &policy.vms[2].rights[RIGHT_CONTROLS];
	assert_int_equal(some->count, 2);
	assert_int_equal(some->vms[0], 2);
	assert_int_equal(some->vms[1], 1);
	expect_place(right_place(some, 1), 12, 69);
	assert_null(policy.vms[1].rights[RIGHT_ATTESTS].property);
	policy_free(&policy);
	source_free(root);
	report_free(&report);
}

static int make_file(void **state)
{
	int fd = mkstemp(file);
	(void)state;

	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_array), cmocka_unit_test(test_report),
		cmocka_unit_test(test_nearest), cmocka_unit_test(test_places), cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
