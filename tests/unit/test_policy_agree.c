/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler and the hypervisor ask the same of a policy: random policies go through the compiler's analysis, are
 * compiled with the labels that it found, and the hypervisor's own reader and flow check (hv/policy.c, hv/flow.c) must
 * come to the same answer.  What the compiler refuses is compiled all the same, as by a compiler that lies.
 *
 *   policy_agree [POLICIES [SEED]]
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
#include "policy_agree_hv.h"

#define VMS 6u
#define NETWORKS 3u
#define DEVICES 4u
#define TEXT 16384u
#define ZEROS "000000000000000000000000"

static unsigned long policies = 2000;
static uint64_t seed = 20261121, state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static void append(char *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *list, const char *format, ...)
{
	size_t at = strlen(list);
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(list + at, TEXT - at, format, arguments);
	va_end(arguments);
	assert_true(length >= 0 && (size_t)length < TEXT - at);
}

/* --- a random policy ---------------------------------------------------------------------------------------------- */

struct source {
	char vms[TEXT], devices[TEXT], networks[TEXT], infrastructure[TEXT], channels[TEXT], whole[TEXT];
	char ports[NETWORKS][TEXT];
	struct lzr_label labels[4]; /* that this policy uses: few, or nothing would be allowed */
	struct lzr_label vm_labels[VMS], network_labels[NETWORKS];
	unsigned label_count, vm_count, device_count, network_count, serial, taken_uplinks, trusted;
	bool groups; /* of devices: what they join, only the compiler is told */
};

static struct lzr_label some_label(const struct source *s)
{
	return s->labels[draw(s->label_count)];
}

static const char *label_source(const char *name, const struct lzr_label *label)
{
	static char texts[4][96];
	static unsigned next;
	char *text = texts[next++ % 4];

	snprintf(text, 96, "%s = \"l%u\"%s%s;", name, label->level, label->categories & 1 ? ", \"a\"" : "",
		 label->categories & 2 ? ", \"b\"" : "");
	return text;
}

/* Another VM or itself; now and then all. */
static void add_rights(struct source *s)
{
	for (unsigned right = 0; right < RIGHT_COUNT; right++)
		if (draw(48) == 0)
			append(s->vms, " %s = \"*\";", right_names[right]);
		else if (draw(12) == 0)
			append(s->vms, " %s = \"v%u\";", right_names[right], draw(s->vm_count));
}

static void add_vm(struct source *s, unsigned number)
{
	struct lzr_label label = some_label(s), low = some_label(s), high = some_label(s);

	s->vm_labels[number] = label;
	append(s->vms, "v%u { memory = \"2M\"; cpus = <0>; service; measurement = \"%s\"; %s", number,
	       ZEROS ZEROS ZEROS ZEROS, label_source("label", &label));
	if (draw(5) < (number ? 2 : 4)) {
		low.level = low.level < label.level ? low.level : label.level;
		low.categories &= label.categories;
		high = flow_join(&label, &high);
		append(s->vms, " %s", label_source("trusted-low", &low));
		append(s->vms, " %s", label_source("trusted-high", &high));
		s->trusted |= 1u << number;
	}
	add_rights(s);
	append(s->vms, " };\n");
}

/* A VM that is not the switch. */
static unsigned some_guest(const struct source *s)
{
	return 1 + draw(s->vm_count - 1);
}

static void add_port(struct source *s, char *list, const char *rest)
{
	unsigned n = ++s->serial;

	append(list, "p%u { vm = \"v%u\"; device = \"n%u\"; mac = \"02:00:00:00:00:%02x\"; ip = \"10.0.0.%u\"; %s};\n",
	       n, some_guest(s), n, n, n, rest);
}

static void add_channel(struct source *s)
{
	unsigned n = ++s->serial, vm = draw(s->vm_count), service = (vm + 1 + draw(s->vm_count - 1)) % s->vm_count;
	struct lzr_label label = some_label(s);

	append(s->channels, "c%u { vm = \"v%u\"; device = \"d%u\"; service = \"v%u\"; service-device = \"s%u\"; %s};\n",
	       n, vm, n, service, n,
	       draw(3) == 0 || (s->trusted >> vm & s->trusted >> service & 1) ? label_source("label", &label) : "");
}

static void add_guard_channel(struct source *s, unsigned n, unsigned guard, unsigned vm)
{
	append(s->channels,
	       "c%u { vm = \"v%u\"; device = \"d%u\"; service = \"g%u\"; service-device = \"s%u\"; %s};\n", n, vm, n,
	       guard, n, label_source("label", &s->vm_labels[vm]));
}

/* From a VM's channel to another's, or to a network, whose label is below; if these are found. */
static void add_guard(struct source *s)
{
	bool network = s->network_count && draw(3) == 0, below = false;
	unsigned n = ++s->serial, m = ++s->serial, from = 0, to = 0;

	for (unsigned i = 0; i < 16 && !below; i++) {
		from = draw(s->vm_count);
		to = draw(s->vm_count);
		const struct lzr_label *high = &s->vm_labels[from];
		const struct lzr_label *low = network ? &s->network_labels[0] : &s->vm_labels[to];
		below = lzr_label_dominates(high, low) && !lzr_label_equal(high, low);
	}
	if (!below)
		return;
	append(s->vms, "g%u { memory = \"2M\"; cpus = <0>; service; measurement = \"%s\"; ", n,
	       ZEROS ZEROS ZEROS ZEROS);
	append(s->vms, "guard { from = \"c%u\"; to = \"%s%u\"; }; };\n", n, network ? "n" : "c", network ? 0 : m);
	add_guard_channel(s, n, n, from);
	if (!network)
		add_guard_channel(s, m, n, to);
	else
		append(s->ports[0], "g%u { vm = \"g%u\"; device = \"n%u\"; mac = \"02:00:00:00:00:%02x\"; "
		       "ip = \"10.0.0.%u\"; };\n", m, n, m, m, m);
}

static void add_device(struct source *s)
{
	unsigned n = s->device_count++;
	struct lzr_label label = some_label(s);

	append(s->devices,
	       "d%u { pci = \"%02x:00.0\"; id = <1 2>; reset = \"bus\"; vm = \"v%u\"; %s%s%s };\n", n, n + 1,
	       draw(s->vm_count), label_source("label", &label), s->groups ? " iommu-group = <1>;" : "",
	       s->groups && draw(2) ? " interrupt-line = <9>;" : "");
}

static void add_network(struct source *s, unsigned number)
{
	unsigned uplink = draw(DEVICES);
	bool has = uplink < s->device_count && !(s->taken_uplinks & 1u << uplink);

	append(s->networks, "n%u { %s", number, label_source("label", &s->network_labels[number]));
	if (has)
		append(s->networks, " uplink = \"d%u\";", uplink);
	s->taken_uplinks |= has ? 1u << uplink : 0;
	append(s->networks, " ports {\n%s}; };\n", s->ports[number]);
	for (unsigned i = draw(8) == 0; i > 0; i--) {
		char rest[160];
		snprintf(rest, sizeof(rest), "network = \"n%u\"; endpoints { e { ip = \"10.9.9.9\"; protocol = "
			 "\"tcp\"; port = <1>; }; };", number);
		add_port(s, s->infrastructure, rest);
	}
}

static void make_source(struct source *s)
{
	memset(s, 0, sizeof(*s));
	s->groups = draw(8) == 0;
	s->label_count = 1 + draw(4);
	for (unsigned i = 0; i < s->label_count; i++)
		s->labels[i] = (struct lzr_label){ .level = (uint8_t)draw(3), .categories = draw(3) ? 0 : draw(4) };
	s->vm_count = 2 + draw(VMS - 1);
	for (unsigned i = 0; i < s->vm_count; i++)
		add_vm(s, i);
	for (unsigned i = draw(DEVICES); i > 0; i--)
		add_device(s);
	for (unsigned i = draw(4); i > 0; i--)
		add_channel(s);
	s->network_count = draw(2) ? draw(NETWORKS + 1) : 0;
	for (unsigned i = 0; i < s->network_count; i++)
		s->network_labels[i] = some_label(s);
	if (draw(4) == 0)
		add_guard(s);
	for (unsigned i = 0; i < s->network_count; i++) {
		for (unsigned j = draw(3); j > 0; j--)
			add_port(s, s->ports[i], "");
		add_network(s, i);
	}
	append(s->whole,
	       "/dts-v1/;\n/ {\ncompatible = \"lazaret,policy-source-1\";\nversion = <1>;\n"
	       "levels = \"l0\", \"l1\", \"l2\";\ncategories = \"a\", \"b\";\n"
	       "machine { memory = \"1G\"; cpus = <1>; };\nvms {\n%s};\ndevices {\n%s};\nnetworks {\n%s};\n",
	       s->vms, s->devices, s->networks);
	append(s->whole,
	       "switch { vm = \"v0\"; device = \"ports\"; quarantine { verifier = \"v.lzrkey\"; lease-max = \"60s\"; "
	       "nonce-interval = \"1s\"; };\ninfrastructure {\n%s};\n%s};\nchannels {\n%s};\n};\n",
	       s->infrastructure, draw(4) ? "" : "control { vm = \"v1\"; device = \"ctl\"; };\n", s->channels);
}

/* --- both sides --------------------------------------------------------------------------------------------------- */

/* What links without a label of their own carry, whether or not anything flows down. */
static void put_labels(struct policy *policy)
{
	struct flow_result result;
	struct flows flows;

	flows_make(&flows, policy);
	flow_analyse(&flows.graph, &result);
	for (uint32_t n = 0; n < flows.graph.node_count; n++)
		if (flows.things[n].kind == THING_CHANNEL)
			policy->links[policy->channels[flows.things[n].index].link].label = result.bounds[n].low;
		else if (flows.things[n].kind == THING_CONTROL)
			policy->links[policy->port_count].label = result.bounds[n].low;
	flow_result_free(&result);
	flows_free(&flows);
}

static enum agree hypervisor(const struct policy *policy, const char **why)
{
	size_t size;

	agree_images(policy->vm_count);
	for (unsigned i = 0; i < policy->vm_count; i++)
		agree_image(i, policy->vms[i].image);
	for (unsigned i = 0; i < policy->link_count; i++)
		for (unsigned end = 0; end < 2; end++)
			agree_device(policy->links[i].vm[end], policy->links[i].device[end],
				     policy->links[i].pair[end] + 1);
	for (unsigned i = 0; i < policy->device_count; i++)
		agree_place(policy->devices[i].vm, policy->devices[i].place);
	void *bytes = emit_policy(policy, &size);
	assert_non_null(bytes);
	enum agree answer = agree_boot(bytes, size, why);
	uint8_t recorded[48], expected[48];

	/* A verifier knows from the policy what the hypervisor's flow digest must be. */
	if (answer != AGREE_UNREADABLE) {
		assert_true(agree_flow(bytes, size, recorded, expected));
		assert_memory_equal(recorded, expected, sizeof(recorded));
	}
	free(bytes);
	return answer;
}

struct tally {
	unsigned long accepted, refused, skipped, stricter, guarded;
};

static void compare(const struct source *s, struct policy *policy, struct tally *tally)
{
	struct report report = { 0 };
	const char *why;

	check_flows(policy, &report);
	if (report.errors)
		put_labels(policy);
	enum agree answer = hypervisor(policy, &why);
	if (answer == AGREE_UNREADABLE)
		fail_msg("the hypervisor cannot read it: %s\n%s", why, s->whole);
	if (!report.errors && answer != AGREE_ACCEPTED)
		fail_msg("the compiler accepts what the hypervisor refuses: %s\n%s", why, s->whole);
	if (report.errors && answer == AGREE_ACCEPTED && !s->groups)
		fail_msg("the hypervisor accepts what the compiler refuses:\n%s\n%s", report.text, s->whole);
	tally->accepted += !report.errors;
	tally->guarded += !report.errors && policy->vms[policy->vm_count - 1].guard;
	tally->refused += answer == AGREE_REFUSED;
	tally->stricter += report.errors && answer == AGREE_ACCEPTED;
	report_free(&report);
}

static void both_come_to_the_same_answer(void **unused)
{
	struct source *s = calloc(1, sizeof(*s));
	struct tally tally = { 0 };
	char path[64];
	(void)unused;

	assert_non_null(s);
	snprintf(path, sizeof(path), "%s/p.dts", key_folder);
	state = seed * 0x9e3779b97f4a7c15ull | 1;
	for (unsigned long round = 0; round < policies; round++) {
		struct policy policy = { 0 };
		struct report report = { 0 };
		make_source(s);
		assert_true(file_store(path, s->whole, strlen(s->whole), 0600));
		struct node *root = source_read(path, &report);
		if (!root)
			fail_msg("%s\n%s", report.text, s->whole);
		model_read(&policy, root, key_folder, &report);
		if (report.errors)
			tally.skipped++;
		else
			compare(s, &policy, &tally);
		policy_free(&policy);
		source_free(root);
		report_free(&report);
	}
	printf("           accepted by both: %lu (%lu with a guard), refused by both: %lu, by the compiler alone: %lu; "
	       "no policies: %lu\n",
	       tally.accepted, tally.guarded, tally.refused, tally.stricter, tally.skipped);
	assert_true(tally.accepted > policies / 5);
	assert_true(tally.refused > policies / 5 && tally.guarded > policies / 100);
	agree_images(1);
	free(s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_come_to_the_same_answer),
	};

	policies = argc > 1 ? strtoul(argv[1], NULL, 0) : policies;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : seed;
	printf("           seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, key_folder_make, key_folder_remove);
}
