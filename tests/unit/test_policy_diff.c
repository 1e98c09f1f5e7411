/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of lzr-policy's diff and explain, on random rules: nothing differs from itself, a flow that a policy gains
 * is always marked, one that only loses flows is never, and explain answers as the rules say.  What the rules say is
 * told by a walk over them that is written here, as simply as possible.
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
#include <libfdt.h>

#include "explain.h"
#include "fabric.h"
#include "key_folder.h"

#define RULES_MAX 5u
#define PAIRS 150u
#define EXPLAINED 3u

static unsigned long long seed;
static FILE *nowhere;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % below;
}

/* What the rules of this test can name, and one of each kind of address that they tell apart. */
enum { ANY, UPLINK, PORT_A, PORT_B, PORT_C, GATEWAY, WIDE, NARROW, END_KINDS };
static const char *const end_words[END_KINDS] = { "*", "uplink", "a", "b", "c", "gateway", "10.9.0.0/16",
	"10.9.1.0/24" };
static const struct sample {
	const char *text;
	unsigned is;            /* bits of the kinds that cover it */
} samples[] = {
	{ "a", 1u << ANY | 1u << PORT_A },
	{ "b", 1u << ANY | 1u << PORT_B },
	{ "c", 1u << ANY | 1u << PORT_C },
	{ "10.0.0.254", 1u << ANY | 1u << UPLINK | 1u << GATEWAY },
	{ "10.9.2.1", 1u << ANY | 1u << UPLINK | 1u << WIDE },
	{ "10.9.1.1", 1u << ANY | 1u << UPLINK | 1u << WIDE | 1u << NARROW },
	{ "192.0.2.1", 1u << ANY | 1u << UPLINK },
};
#define SAMPLES 7u
#define PORTS 3u

enum { WEB, NAME, PING, SERVICES };
static const char *const service_words[SERVICES] = { "web", "name", "ping" };
static const struct {
	enum protocol protocol;
	uint16_t port;
	unsigned is;            /* bits of the services that cover it */
} packets[] = {
	{ PROTOCOL_TCP, 80, 1u << WEB }, { PROTOCOL_TCP, 443, 1u << WEB }, { PROTOCOL_TCP, 22, 0 },
	{ PROTOCOL_UDP, 53, 1u << NAME }, { PROTOCOL_UDP, 80, 0 }, { PROTOCOL_ICMP, 0, 1u << PING },
};
#define PACKETS 6u

struct rule {
	bool allow, stateless;
	unsigned from[2], to[2];        /* ends; the second may be the first again */
	unsigned services;              /* bits; 0: all */
};

struct site {
	unsigned count;
	struct rule rules[RULES_MAX + 1];
};

static struct rule random_rule(void)
{
	struct rule rule = { .allow = draw(3) != 0, .services = draw(1u << SERVICES) };

	rule.stateless = rule.allow && draw(4) == 0;
	for (unsigned i = 0; i < 2; i++) {
		rule.from[i] = draw(END_KINDS);
		rule.to[i] = draw(END_KINDS);
	}
	return rule;
}

static bool covers(const unsigned ends[2], const struct sample *sample)
{
	return (sample->is >> ends[0] & 1) || (sample->is >> ends[1] & 1);
}

/* 0: denied, 1: one way, 2: with answers. */
static unsigned walk(const struct site *site, unsigned from, unsigned to, unsigned packet)
{
	if (from == to || (from >= PORTS && to >= PORTS))
		return 0;
	for (unsigned i = 0; i < site->count; i++) {
		const struct rule *rule = &site->rules[i];
		if (covers(rule->from, &samples[from]) && covers(rule->to, &samples[to]) &&
		    (!rule->services || rule->services & packets[packet].is))
			return rule->allow ? rule->stateless ? 1 : 2 : 0;
	}
	return 0;
}

/* --- sources ------------------------------------------------------------------------------------------------------ */

static void write_ends(FILE *out, const char *name, const unsigned ends[2])
{
	fprintf(out, "%s = \"%s\"", name, end_words[ends[0]]);
	if (ends[1] != ends[0])
		fprintf(out, ", \"%s\"", end_words[ends[1]]);
	fprintf(out, ";\n");
}

static void write_rule(FILE *out, const struct rule *rule, unsigned number)
{
	const char *comma = "";

	fprintf(out, "rule%u {\n%s;\n%s", number, rule->allow ? "allow" : "deny", rule->stateless ? "stateless;\n"
		: "");
	write_ends(out, "from", rule->from);
	write_ends(out, "to", rule->to);
	for (unsigned i = 0; i < SERVICES; i++) {
		if (!(rule->services >> i & 1))
			continue;
		fprintf(out, "%s \"%s\"", *comma ? comma : "service =", service_words[i]);
		comma = ",";
	}
	fprintf(out, "%s};\n", rule->services ? ";\n" : "");
}

static void write_site(const struct site *site, const char *path)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs("/dts-v1/;\n/ {\ncompatible = \"lazaret,policy-source-1\";\nversion = <1>;\nlevels = \"LOW\";\n"
	      "machine { memory = \"1G\"; cpus = <1>; };\nvms {\n"
	      "switch { label = \"LOW\"; memory = \"64M\"; cpus = <0>; measure-only; service; };\n", out);
	for (unsigned i = 0; i < PORTS; i++)
		fprintf(out, "%s { label = \"LOW\"; memory = \"64M\"; cpus = <0>; measure-only; };\n", samples[i].text);
	fputs("};\ndevices { nic { pci = \"01:00.0\"; id = <1 2>; reset = \"flr\"; vm = \"switch\"; slot = <2>; "
	      "label = \"LOW\"; }; };\n"
	      "services { web { tcp = <80 443>; }; name { udp = <53>; }; ping { icmp; }; };\n"
	      "networks { n { label = \"LOW\"; uplink = \"nic\"; gateway = \"10.0.0.254\";\nports {\n", out);
	for (unsigned i = 0; i < PORTS; i++)
		fprintf(out,
			"%s { vm = \"%s\"; device = \"net0\"; mac = \"02:00:00:00:00:0%u\"; ip = \"10.0.0.%u\"; };\n",
			samples[i].text, samples[i].text, i + 1, i + 1);
	fputs("};\nrules {\n", out);
	for (unsigned i = 0; i < site->count; i++)
		write_rule(out, &site->rules[i], i);
	fputs("};\n}; };\nswitch { vm = \"switch\"; device = \"ports\";\n"
	      "quarantine { verifier = \"v.lzrkey\"; lease-max = \"60s\"; nonce-interval = \"1s\"; }; };\n};\n", out);
	assert_int_equal(fclose(out), 0);
}

struct compiled {
	struct report report;
	struct node *root;
	struct policy policy;
	struct outline outline;
};

static void compile(struct compiled *c, const struct site *site)
{
	char path[64];

	*c = (struct compiled){ 0 };
	snprintf(path, sizeof(path), "%s/p.dts", key_folder);
	write_site(site, path);
	c->root = source_read(path, &c->report);
	if (c->root)
		model_read(&c->policy, c->root, key_folder, &c->report);
	if (c->report.errors)
		fail_msg("seed %llu: %s", seed, c->report.text);
	outline_source(&c->outline, &c->policy);
}

static void release(struct compiled *c)
{
	outline_free(&c->outline);
	policy_free(&c->policy);
	source_free(c->root);
	report_free(&c->report);
}

static struct diff compare(const struct compiled *from, const struct compiled *to)
{
	struct diff diff = { .out = nowhere };

	diff_outlines(&diff, &from->outline, &to->outline);
	diff_flows(&diff, &from->policy, &to->policy);
	return diff;
}

/* --- properties --------------------------------------------------------------------------------------------------- */

/* One of: a rule more, a rule less, two rules swapped, one changed. */
static struct site edited(const struct site *from)
{
	struct site site = *from;
	unsigned at = draw(site.count + 1), kind = draw(4);

	if (kind == 0 || site.count == 0) {
		memmove(&site.rules[at + 1], &site.rules[at], (site.count - at) * sizeof(site.rules[0]));
		site.rules[at] = random_rule();
		site.count++;
		return site;
	}
	at = draw(site.count);
	if (kind == 1) {
		memmove(&site.rules[at], &site.rules[at + 1], (site.count - at - 1) * sizeof(site.rules[0]));
		site.count--;
	} else if (kind == 2) {
		unsigned other = draw(site.count);
		struct rule kept = site.rules[at];
		site.rules[at] = site.rules[other];
		site.rules[other] = kept;
	} else {
		site.rules[at] = random_rule();
	}
	return site;
}

static void expect_diff(const struct site *from, const struct site *to, const struct diff *diff)
{
	bool gains = false, loses = false;

	for (unsigned f = 0; f < SAMPLES; f++)
		for (unsigned t = 0; t < SAMPLES; t++)
			for (unsigned p = 0; p < PACKETS; p++) {
				unsigned before = walk(from, f, t, p), after = walk(to, f, t, p);
				gains = gains || after > before;
				loses = loses || after < before;
			}
	if ((diff->widening != 0) != gains || (diff->narrowing != 0) != loses)
		fail_msg("seed %llu: gains %d, loses %d; %u marked !, %u marked -", seed, gains, loses, diff->widening,
			 diff->narrowing);
}

static void test_diff(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PAIRS; i++) {
		struct site site = { .count = draw(RULES_MAX) }, other;
		struct compiled from, to;
		for (unsigned r = 0; r < site.count; r++)
			site.rules[r] = random_rule();
		other = edited(&site);
		compile(&from, &site);
		compile(&to, &other);
		struct diff same = compare(&from, &from), forth = compare(&from, &to), back = compare(&to, &from);
		assert_int_equal(same.changes, 0);
		expect_diff(&site, &other, &forth);
		expect_diff(&other, &site, &back);
		release(&from);
		release(&to);
	}
}

static void test_explain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < EXPLAINED; i++) {
		struct site site = { .count = RULES_MAX };
		struct compiled c;
		for (unsigned r = 0; r < site.count; r++)
			site.rules[r] = random_rule();
		compile(&c, &site);
		for (unsigned f = 0; f < SAMPLES; f++)
			for (unsigned t = 0; t < SAMPLES; t++)
				for (unsigned p = 0; p < PACKETS; p++) {
					struct explain_packet packet = { samples[f].text, samples[t].text,
									 packets[p].protocol, packets[p].port };
					if (f == t || (f >= PORTS && t >= PORTS))
						continue;
					int expected = walk(&site, f, t, p) ? EXPLAIN_YES : EXPLAIN_NO;
					if (explain_packet(nowhere, &c.policy, &packet) != expected)
						fail_msg("seed %llu: %s to %s, packet %u: expected %d", seed,
							 packet.from, packet.to, p, expected);
				}
		release(&c);
	}
}

/* A compiled policy with any byte changed is listed or refused, and nothing is read beyond it. */
static void test_bytes(void **state)
{
	const struct site site = { .count = 0 };
	struct outline outline = { 0 };
	struct compiled c;
	size_t size = 0;
	unsigned listed = 0;
	(void)state;

	compile(&c, &site);
	uint8_t *dtb = emit_policy(&c.policy, &size);
	assert_non_null(dtb);
	dtb = realloc(dtb, size);       /* so that the sanitizer sees its end */
	assert_true(outline_dtb(&outline, dtb, size));
	assert_string_equal(outline_line(&outline.subjects[0], "version")->value, "1");
	outline_free(&outline);
	assert_false(outline_dtb(&outline, dtb, 3));
	assert_false(outline_dtb(&outline, dtb, size - 1));
	for (size_t i = 0; i < size; i++) {
		uint8_t was = dtb[i];
		dtb[i] = (uint8_t)(was ^ (1u << draw(8)));
		if (outline_dtb(&outline, dtb, size)) {
			show_outline(nowhere, &outline);
			listed++;
		}
		outline_free(&outline);
		dtb[i] = was;
	}
	assert_true(listed > size / 4);
	/* The same property twice is no compiled policy: the second takes the name of the first. */
	size_t first = fdt_off_dt_struct(dtb) + 8, second = first + 12;
	second += (fdt32_ld((fdt32_t *)(void *)(dtb + first + 4)) + 3) & ~3u;
	memcpy(dtb + second + 8, dtb + first + 8, 4);
	assert_false(outline_dtb(&outline, dtb, size));
	free(dtb);
	release(&c);
}

/* None differs from itself. */
static char *shown(void *dtb)
{
	struct outline outline = { 0 }, again = { 0 };
	struct diff diff = { .out = nowhere };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_true(outline_dtb(&outline, dtb, fdt_totalsize(dtb)));
	show_outline(out, &outline);
	fclose(out);
	assert_true(outline_dtb(&again, dtb, fdt_totalsize(dtb)));
	diff_outlines(&diff, &outline, &again);
	assert_int_equal(diff_end(&diff), DIFF_SAME);
	outline_free(&outline);
	outline_free(&again);
	return text;
}

static void expect_shown(void *dtb, const char *part, const char *none)
{
	char *text = shown(dtb);

	if (!strstr(text, part) || (none && strstr(text, none)))
		fail_msg("expected \"%s\", not \"%s\", in: %s", part, none ? none : "", text);
	for (const char *c = text; *c; c++)
		assert_true(*c == '\n' || (*c >= ' ' && *c < 0x7f));
	free(text);
}

/* Who reads a compiled policy sees all of it, and takes nothing in it for something else. */
static void test_forged(void **state)
{
	static const char order[] = "SECRET < LOW\0SECRET", twice[] = "SECRET\0SECRET", control[] = "LOW\0\x1b[2J";
	static const uint8_t unnamed[12] = { [11] = 1 << 5 };
	static uint8_t dtb[64 << 10];
	const struct site site = { .count = 0 };
	struct compiled c;
	size_t size = 0;
	(void)state;

	compile(&c, &site);
	uint8_t *good = emit_policy(&c.policy, &size);
	assert_non_null(good);
	assert_int_equal(fdt_open_into(good, dtb, sizeof(dtb)), 0);
	free(good);
	char *before = shown(dtb);
	assert_null(strstr(before, "level #"));
	free(before);
	fdt_setprop(dtb, 0, "levels", order, sizeof(order));
	expect_shown(dtb, "level #0", "SECRET < LOW < SECRET");
	fdt_setprop(dtb, 0, "levels", twice, sizeof(twice));
	expect_shown(dtb, "level #0", NULL);
	fdt_setprop(dtb, 0, "levels", control, sizeof(control));
	expect_shown(dtb, "level #0", NULL);
	/* The name of one category is not what another without a name is called. */
	fdt_setprop(dtb, 0, "categories", "category-5", sizeof("category-5"));
	fdt_setprop(dtb, fdt_first_subnode(dtb, fdt_path_offset(dtb, "/vms")), "label", unnamed, sizeof(unnamed));
	expect_shown(dtb, "level #0 #5", "category-5 ");
	fdt_setprop(dtb, 0, "al\rlow", "x", 2);
	fdt_setprop(dtb, 0, "al\nlow", "yz", 3);
	expect_shown(dtb, "616c0d6c6f77 = 7800", NULL);
	expect_shown(dtb, "616c0a6c6f77 = 797a00", NULL);
	int devices = fdt_path_offset(dtb, "/devices");
	for (unsigned i = 0; i < 2; i++)
		assert_true(fdt_add_subnode(dtb, devices, i ? "nic\x1b[1A@1" : "nic\x1b[1A@0") > 0);
	expect_shown(dtb, "device nic??1A", NULL);
	fdt_setprop_u32(dtb, fdt_first_subnode(dtb, fdt_path_offset(dtb, "/networks")), "uplink", 1);
	expect_shown(dtb, "nic??1A (number 1, one of 2 with this name)", NULL);
	fdt_add_subnode(dtb, 0, "other\b@0");
	expect_shown(dtb, "node /other?@0", NULL);
	release(&c);
}

/* A site's compiled policy and switch's configuration, read again. */
static const char *read_back(struct policy *out, const struct policy *policy, void **dtb)
{
	size_t size;
	void *block = emit_switch(policy, &size);
	const char *wrong;

	assert_non_null(block);
	*dtb = emit_policy(policy, &(size_t){ 0 });
	assert_non_null(*dtb);
	wrong = switch_read(out, block, size, *dtb);
	free(block);
	return wrong;
}

/* What one port gains is not hidden behind another of the same name. */
static void test_names_twice(void **state)
{
	struct site sites[2] = { { .count = 0 }, { .count = 1, .rules = { {
		.allow = true, .from = { PORT_B, PORT_B }, .to = { PORT_A, PORT_A } } } } };
	struct policy read[2];
	struct compiled c;
	void *dtbs[2];
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		compile(&c, &sites[i]);
		unsigned c_vm = find_vm(&c.policy, "c");
		memcpy(c.policy.vms[find_vm(&c.policy, "b")].name, c.policy.vms[c_vm].name, LZR_NAME_MAX);
		assert_null(read_back(&read[i], &c.policy, &dtbs[i]));
		release(&c);
	}
	struct diff diff = { .out = nowhere };
	diff_flows(&diff, &read[0], &read[1]);
	assert_int_equal(diff.changes, 1);
	assert_int_equal(diff.widening, 1);
	for (unsigned i = 0; i < 2; i++) {
		policy_free(&read[i]);
		free(dtbs[i]);
	}
}

static int begin(void **state)
{
	nowhere = fopen("/dev/null", "w");
	return nowhere ? key_folder_make(state) : -1;
}

static int end(void **state)
{
	fclose(nowhere);
	return key_folder_remove(state);
}

/* An argument is the seed, so that a failure can be had again. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_names_twice),
	};

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261121;
	return cmocka_run_group_tests(tests, begin, end);
}
