/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One hidden way down in an otherwise clean policy: random policies, each compiled once as it is, which must be clean,
 * and once with one port, channel, right, device, uplink, shared IOMMU group or interrupt line more that joins what
 * must stay apart.  The path told must lead over that very line, from the right node to the right one.
 *
 *   policy-hidden [POLICIES [SEED]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "edges.h"
#include "key_folder.h"
#include "policy.h"

#define VMS 10u
#define TEXT 16384u

static unsigned long policies = 150;
static uint64_t seed = 20261121, state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* Lines of the source's lists; a hidden one is a line of its own, which ends in a comment to find it by. */
struct source {
	char vms[TEXT], rights[VMS][512], devices[TEXT], uplinks[VMS][64], ports[VMS][2048], channels[TEXT];
	struct lzr_label labels[VMS]; /* of VM i, and of network i, which every VM of that label may join */
	unsigned vm_count, serial;
};

static void append(char *list, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *list, size_t size, const char *format, ...)
{
	size_t at = strlen(list);
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(list + at, size - at, format, arguments);
	va_end(arguments);
	assert_true(length >= 0 && (size_t)length < size - at);
}

static const char *label_source(const struct lzr_label *label)
{
	static char texts[4][64];
	static unsigned next;
	char *text = texts[next++ % 4];

	snprintf(text, 64, "label = \"l%u\"%s%s;", label->level, label->categories & 1 ? ", \"a\"" : "",
		 label->categories & 2 ? ", \"b\"" : "");
	return text;
}

static void add_port(struct source *s, unsigned vm, unsigned network, const char *mark)
{
	unsigned n = ++s->serial;

	append(s->ports[network], sizeof(s->ports[network]),
	       "p%u { vm = \"v%u\"; device = \"n%u\"; mac = \"02:00:00:00:00:%02x\"; ip = \"10.0.0.%u\"; };%s\n", n, vm,
	       n, n, n, mark);
}

static void add_channel(struct source *s, unsigned client, unsigned service, const char *mark)
{
	unsigned n = ++s->serial;

	append(s->channels, TEXT,
	       "c%u { vm = \"v%u\"; device = \"d%u\"; service = \"v%u\"; service-device = \"s%u\"; };%s\n", n, client,
	       n, service, n, mark);
}

static void add_device_of(struct source *s, const char *vm, const struct lzr_label *label, const char *rest,
			  const char *mark)
{
	unsigned n = ++s->serial;

	append(s->devices, TEXT, "d%u { pci = \"%02x:00.0\"; id = <1 2>; reset = \"bus\"; vm = \"%s\"; %s%s };%s\n", n,
	       n, vm, label_source(label), rest, mark);
}

static void add_device(struct source *s, unsigned vm, const struct lzr_label *label, const char *rest, const char *mark)
{
	char name[16];

	snprintf(name, sizeof(name), "v%u", vm);
	add_device_of(s, name, label, rest, mark);
}

static const char *const right_words[RIGHT_COUNT] = { "introspects", "controls", "reads-audit", "attests" };

/* Everything that this adds keeps labels apart. */
static void make_source(struct source *s)
{
	memset(s, 0, sizeof(*s));
	s->vm_count = 3 + draw(VMS - 2);
	for (unsigned i = 0; i < s->vm_count; i++)
		s->labels[i] = (struct lzr_label){ .level = (uint8_t)draw(3), .categories = draw(4) };
	for (unsigned i = 0; i < s->vm_count; i++)
		for (unsigned j = 0; j < s->vm_count; j++) {
			bool same = lzr_label_equal(&s->labels[i], &s->labels[j]);
			if (same && draw(2))
				add_port(s, i, j, "");
			if (same && i != j && draw(4) == 0)
				add_channel(s, i, j, "");
			if (i != j && lzr_label_dominates(&s->labels[i], &s->labels[j]) && draw(3) == 0 &&
			    !s->rights[i][0])
				append(s->rights[i], sizeof(s->rights[i]), "%s = \"v%u\";",
				       right_words[same ? draw(RIGHT_COUNT) : 2 * draw(2)], j);
		}
	for (unsigned i = 0; i < s->vm_count; i++)
		if (draw(3) == 0)
			add_device(s, i, &s->labels[i], "", "");
}

static void put_source(const struct source *s, char *out)
{
	out[0] = 0;
	append(out, 4 * TEXT,
	       "/dts-v1/;\n/ {\ncompatible = \"lazaret,policy-source-1\";\nversion = <1>;\n"
	       "levels = \"l0\", \"l1\", \"l2\";\ncategories = \"a\", \"b\";\n"
	       "machine { memory = \"1G\"; cpus = <1>; };\nvms {\n");
	for (unsigned i = 0; i < s->vm_count; i++)
		append(out, 4 * TEXT, "v%u { memory = \"2M\"; cpus = <0>; service; %s\n%s\n};\n", i,
		       label_source(&s->labels[i]), s->rights[i]);
	append(out, 4 * TEXT,
	       "sw { memory = \"2M\"; cpus = <0>; service; label = \"l0\"; trusted-low = \"l0\"; "
	       "trusted-high = \"l2\", \"a\", \"b\"; };\n};\ndevices {\n%s};\nnetworks {\n",
	       s->devices);
	for (unsigned i = 0; i < s->vm_count; i++)
		append(out, 4 * TEXT, "n%u { %s\n%s ports {\n%s}; };\n", i, label_source(&s->labels[i]),
		       s->uplinks[i], s->ports[i]);
	append(out, 4 * TEXT,
	       "};\nswitch { vm = \"sw\"; device = \"ports\"; quarantine { verifier = \"v.lzrkey\"; "
	       "lease-max = \"60s\"; nonce-interval = \"1s\"; }; };\nchannels {\n%s};\n};\n",
	       s->channels);
}

/* --- the hidden way ----------------------------------------------------------------------------------------------- */

#define MARK " /* hidden */"

/* What the path may be between: from one of the two to the other, whichever way is down. */
struct hidden {
	char x[32], y[32];
	struct lzr_label x_label, y_label;
	bool to_y, to_x; /* which ways it makes anything flow */
	unsigned hops;
};

/* The switch is trusted from lowest to highest: a right reaches past that, to one end. */
static void hide_right_over_switch(struct source *s, unsigned x, struct hidden *hidden)
{
	static const struct lzr_label lowest, highest = { .level = 2, .categories = 3 };
	unsigned right = draw(RIGHT_COUNT);

	if (lzr_label_equal(&s->labels[x], &highest))
		right = RIGHT_CONTROLS;
	else if (lzr_label_equal(&s->labels[x], &lowest) && right == RIGHT_CONTROLS)
		right = RIGHT_ATTESTS;
	hidden->to_y = right == RIGHT_CONTROLS;
	hidden->y_label = hidden->to_y ? lowest : highest;
	snprintf(hidden->y, sizeof(hidden->y), hidden->to_y ? "run state of sw" : "inside of sw");
	s->rights[x][0] = 0;
	append(s->rights[x], sizeof(s->rights[x]), "%s = \"sw\";%s", right_words[right], MARK);
}

/* One of seven kinds between two VMs of labels that differ; what flows must be down at least one way. */
static struct hidden hide(struct source *s, unsigned x, unsigned y)
{
	struct hidden hidden = {
		.x_label = s->labels[x], .y_label = s->labels[y], .to_x = true, .to_y = true, .hops = 1
	};
	unsigned kind = draw(7), right = draw(RIGHT_COUNT);

	snprintf(hidden.x, sizeof(hidden.x), "v%u", x);
	snprintf(hidden.y, sizeof(hidden.y), "v%u", y);
	if (kind == 0) {
		snprintf(hidden.y, sizeof(hidden.y), "network n%u", y);
		add_port(s, x, y, MARK);
	} else if (kind == 1) {
		hidden.hops = 2;
		add_channel(s, x, y, MARK);
	} else if (kind == 2) {
		snprintf(hidden.y, sizeof(hidden.y), "device d%u", s->serial + 1);
		add_device(s, x, &s->labels[y], "", MARK);
	} else if (kind == 3) {
		const char *shared = draw(2) ? " iommu-group = <7>;" : " interrupt-line = <7>;";

		hidden.hops = 2;
		snprintf(hidden.x, sizeof(hidden.x), "device d%u", s->serial + 1);
		add_device(s, x, &s->labels[x], shared, MARK);
		snprintf(hidden.y, sizeof(hidden.y), "device d%u", s->serial + 1);
		add_device(s, y, &s->labels[y], shared, MARK);
	} else if (kind == 4) {
		snprintf(hidden.x, sizeof(hidden.x), "network n%u", x);
		snprintf(hidden.y, sizeof(hidden.y), "device d%u", s->serial + 1);
		append(s->uplinks[x], sizeof(s->uplinks[x]), "uplink = \"d%u\";" MARK "\n", s->serial + 1);
		add_device_of(s, "sw", &s->labels[y], "", "");
	} else if (kind == 5) {
		hide_right_over_switch(s, x, &hidden);
	} else {
		bool down = !lzr_label_dominates(&s->labels[x], &s->labels[y]);
		hidden.to_y = right == RIGHT_CONTROLS;
		if (!down && !hidden.to_y)
			right = RIGHT_CONTROLS;
		hidden.to_y = right == RIGHT_CONTROLS;
		s->rights[x][0] = 0;
		append(s->rights[x], sizeof(s->rights[x]), "%s = \"v%u\";%s", right_words[right], y, MARK);
	}
	return hidden;
}

static void read_policy(const char *text, struct node **root, struct policy *policy, struct report *report)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/p.dts", key_folder);
	assert_true(file_store(path, text, strlen(text), 0600));
	*root = source_read(path, report);
	assert_non_null(*root);
	model_read(policy, *root, key_folder, report);
	if (report->errors)
		fail_msg("%s", report->text);
	check_flows(policy, report);
}

static bool ends_fit(const char *report, const char *from, const char *to, unsigned hops)
{
	char first[80], last[80];

	snprintf(first, sizeof(first), "hop 1: %s (", from);
	const char *hop = strrchr(report, '>');
	snprintf(last, sizeof(last), "> %s (", to);
	char number[16];
	snprintf(number, sizeof(number), "hop %u: ", hops + 1);
	return strstr(report, first) && hop && !strncmp(hop, last, strlen(last)) && !strstr(report, number);
}

/* Every place in the report must be on a line that was hidden. */
static void assert_places(const char *report, const char *source)
{
	for (const char *at = report; (at = strstr(at, "/p.dts:")) != NULL; at++) {
		unsigned line = (unsigned)strtoul(at + strlen("/p.dts:"), NULL, 10);
		const char *here = source;
		while (--line)
			here = strchr(here, '\n') + 1;
		const char *end = strchr(here, '\n'), *mark = strstr(here, MARK);
		if (!mark || mark > end)
			fail_msg("a place on another line than the hidden one:\n%s\n%s", report, source);
	}
}

static void a_hidden_way_down_is_told(void **unused)
{
	struct source *s = calloc(1, sizeof(*s));
	char *text = malloc(4 * TEXT);
	unsigned long told = 0;
	(void)unused;

	assert_non_null(s);
	assert_non_null(text);
	state = seed * 0x9e3779b97f4a7c15ull | 1;
	while (told < policies) {
		struct policy policy = { 0 };
		struct report report = { 0 };
		struct node *root;
		make_source(s);
		unsigned x = draw(s->vm_count), y = draw(s->vm_count);
		if (lzr_label_equal(&s->labels[x], &s->labels[y]))
			continue;
		put_source(s, text);
		read_policy(text, &root, &policy, &report);
		if (report.errors)
			fail_msg("expected nothing, found:\n%s\n%s", report.text, text);
		policy_free(&policy);
		source_free(root);
		report_free(&report);

		struct hidden h = hide(s, x, y);
		put_source(s, text);
		policy = (struct policy){ 0 };
		read_policy(text, &root, &policy, &report);
		bool x_to_y = h.to_y && !lzr_label_dominates(&h.y_label, &h.x_label);
		bool y_to_x = h.to_x && !lzr_label_dominates(&h.x_label, &h.y_label);
		if (report.errors != 1 || !((x_to_y && ends_fit(report.text, h.x, h.y, h.hops)) ||
					    (y_to_x && ends_fit(report.text, h.y, h.x, h.hops))))
			fail_msg("expected a path between %s and %s, found:\n%s\n%s", h.x, h.y, report.text, text);
		assert_places(report.text, text);
		policy_free(&policy);
		source_free(root);
		report_free(&report);
		told++;
	}
	printf("           %lu hidden ways told\n", told);
	free(text);
	free(s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hidden_way_down_is_told),
	};

	policies = argc > 1 ? strtoul(argv[1], NULL, 0) : policies;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : seed;
	printf("           seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, key_folder_make, key_folder_remove);
}
