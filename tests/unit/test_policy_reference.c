/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/policy.md against the compiler: its tables have the properties and nodes that the compiler asks a node of each
 * kind for, no others, each with type, default and an example; and the limits that it gives are the headers'.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lazaret/manifest.h>
#include <lazaret/switch.h>

#include "place.c"      /* what nodes were asked for is its own affair */

#define REFERENCE "docs/policy.md"
#define NAMES 64u

/* Together these ask for everything. */
static const char *const policies[] = { "tests/policy/good/base.dts", "tests/policy/good/platform.dts",
					"tests/policy/good/rules.dts", "tests/policy/bad/device-location.dts",
					"tests/policy/bad/inspection-inspected.dts" };

static struct chapter {
	const char *heading, *type;     /* of the table; of the nodes that it is about */
	unsigned row_count;
	char rows[NAMES][LZR_NAME_MAX];
} chapters[] = {
	{ .heading = "## The root", .type = "/" },
	{ .heading = "### `machine`", .type = "machine" },
	{ .heading = "### `platform`", .type = "platform" },
	{ .heading = "## `vms`", .type = "VM" },
	{ .heading = "### `guard`", .type = "guard" },
	{ .heading = "## `devices`", .type = "device" },
	{ .heading = "## `services`", .type = "service" },
	{ .heading = "## `networks`", .type = "network" },
	{ .heading = "### Ports", .type = "port" },
	{ .heading = "### `quarantine` of a port", .type = "quarantine" },
	{ .heading = "### `quarantine` of the switch", .type = "quarantine" },
	{ .heading = "### Rules", .type = "rule" },
	{ .heading = "## `switch`", .type = "switch" },
	{ .heading = "### Infrastructure ports", .type = "infrastructure port" },
	{ .heading = "### Endpoints", .type = "endpoint" },
	{ .heading = "### `control`", .type = "control" },
	{ .heading = "## `channels`", .type = "channel" },
};
#define CHAPTERS (sizeof(chapters) / sizeof(chapters[0]))

static const struct {
	const char *row;
	unsigned most;
} limits[] = {
	{ "VMs", LZR_VM_MAX }, { "physical CPUs", LZR_CPU_MAX }, { "devices", LZR_DEVICE_MAX },
	{ "interrupts of PCI devices on one CPU; each device counts for 16", LZR_CPU_VECTORS },
	{ "links: ports, the control channel, channels", LZR_LINK_MAX }, { "networks", LZR_NETWORK_MAX },
	{ "networks with an uplink", LZR_SWITCH_UPLINK_MAX }, { "ports", LZR_SWITCH_PORT_MAX },
	{ "endpoints", LZR_SWITCH_ENDPOINT_MAX }, { "rules", LZR_SWITCH_RULE_MAX },
	{ "different lists of ends in rules", LZR_SWITCH_SET_MAX },
	{ "ends in those lists", LZR_SWITCH_MEMBER_MAX },
	{ "different lists of services in rules", LZR_SWITCH_SERVICE_MAX },
	{ "ranges in those lists", LZR_SWITCH_MATCH_MAX }, { "different verifier keys", LZR_SWITCH_VERIFIER_MAX },
	{ "starts of service VMs: each `max-restarts` and one", LZR_SERVICE_STARTS_MAX },
	{ "files to boot: key, policy, signature, manifests, segments", LZR_BOOT_LIST_MAX },
	{ "bytes of the compiled policy", LZR_POLICY_MAX },
};
#define LIMITS (sizeof(limits) / sizeof(limits[0]))
_Static_assert(LZR_DEVICE_VECTORS == 16 && LZR_NETWORK_MAX <= LZR_SWITCH_NETWORK_MAX, "as " REFERENCE " says");

static struct chapter *chapter_of(const char *line)
{
	for (unsigned i = 0; i < CHAPTERS; i++) {
		size_t length = strlen(chapters[i].heading);
		if (!strncmp(line, chapters[i].heading, length) && strchr("\n:", line[length]))
			return &chapters[i];
	}
	return NULL;
}

/* "| `name` | type | default | `name = ..;` | meaning |" */
static void take_row(struct chapter *chapter, char *line)
{
	char *cells[6] = { NULL }, start[LZR_NAME_MAX + 2];
	char name[LZR_NAME_MAX];
	unsigned count = 0;

	if (sscanf(line, "| `%47[a-z-]`", name) != 1)
		return;
	for (char *at = line + 2, *next; count < 6 && (next = strstr(at, " |")) != NULL; at = next + 3) {
		*next = 0;
		cells[count++] = at;
	}
	snprintf(start, sizeof(start), "`%s", name);
	if (count != 5 || !*cells[1] || !*cells[2] || strncmp(cells[3], start, strlen(start)) || !*cells[4])
		fail_msg("%s, %s: expected type, default, an example and a meaning", chapter->heading, name);
	assert_true(chapter->row_count < NAMES);
	strcpy(chapter->rows[chapter->row_count++], name);
}

static bool is_documented(const char *type, const char *name)
{
	for (unsigned i = 0; i < CHAPTERS; i++)
		for (unsigned row = 0; !strcmp(chapters[i].type, type) && row < chapters[i].row_count; row++)
			if (!strcmp(chapters[i].rows[row], name))
				return true;
	return false;
}

static struct table known;      /* "TYPE NAME": asked for in some policy */

static void ask(const char *path)
{
	struct report report = { 0 };
	struct policy policy;
	struct node *root = source_read(path, &report);

	assert_non_null(root);
	model_read(&policy, root, "tests/policy/keys", &report);
	for (unsigned i = 0; i < source_of(root)->asked_count; i++) {
		const struct asked *asked = &source_of(root)->asked[i];
		for (unsigned j = 0; j < asked->count; j++) {
			char *text = malloc(200);
			snprintf(text, 200, "%s %s", asked->type, asked->names[j]);
			if (table_add_text(&known, text, 0) != NONE)
				free(text);
			if (!is_documented(asked->type, asked->names[j]))
				fail_msg(REFERENCE ": %s \"%s\": expected a row, found none", asked->type,
					 asked->names[j]);
		}
	}
	policy_free(&policy);
	source_free(root);
	report_free(&report);
}

static void test_properties(void **state)
{
	struct chapter *chapter = NULL;
	char line[2000];
	FILE *file = fopen(REFERENCE, "r");
	(void)state;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (*line == '#')
			chapter = chapter_of(line);
		else if (chapter)
			take_row(chapter, line);
	fclose(file);
	for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		ask(policies[i]);
	for (unsigned i = 0; i < CHAPTERS; i++) {
		assert_int_not_equal(chapters[i].row_count, 0);
		for (unsigned row = 0; row < chapters[i].row_count; row++) {
			snprintf(line, sizeof(line), "%s %s", chapters[i].type, chapters[i].rows[row]);
			if (table_find_text(&known, line) == NONE)
				fail_msg(REFERENCE ": %s: the compiler asks for no such thing", line);
		}
	}
}

static void test_limits(void **state)
{
	char line[2000], expected[200];
	bool seen[LIMITS] = { false };
	FILE *file = fopen(REFERENCE, "r");
	(void)state;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		for (unsigned i = 0; i < LIMITS; i++) {
			snprintf(expected, sizeof(expected), "| %s | %u |\n", limits[i].row, limits[i].most);
			seen[i] = seen[i] || !strcmp(line, expected);
		}
	fclose(file);
	for (unsigned i = 0; i < LIMITS; i++)
		if (!seen[i])
			fail_msg(REFERENCE ": expected a row \"%s\" with %u", limits[i].row, limits[i].most);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_properties), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
