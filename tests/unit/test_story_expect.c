/* SPDX-License-Identifier: Apache-2.0 */
/* What the story expects of a policy, for policies of many kinds; tests/story has some whole.  dtc really runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "story_rig.h"

/* All that story_set_up expects, a line for each VM and each group of protocols that are alike. */
static void print_expected(char *text, size_t size)
{
	text[0] = 0;
	if (s.unverified)
		add_text(text, size, "nobody admitted: %s\n", s.unverified);
	for (unsigned n = 0; n < s.view.vm_count; n++) {
		const struct story_vm *vm = &s.vm[n];
		const char *verdict = story_expected_verdict(&s, vm);

		add_text(text, size, "%s: %s, %s%s%s\n", vm->policy->name, vm->state, verdict ? verdict : "no verdict",
			 vm->expect_admitted ? ", admitted" : "", story_expects_ask(vm) ? ", asks" : "");
	}
	for (unsigned i = 0; i < s.flow_count; i++) {
		const struct story_flow *f = &s.flow[i], *last = i ? &s.flow[i - 1] : NULL;

		if (last && !strcmp(f->from, last->from) && !strcmp(f->to, last->to) &&
		    !strcmp(f->untried, last->untried) && f->expected.first == last->expected.first &&
		    f->expected.now == last->expected.now && f->expected.arrives == last->expected.arrives &&
		    !strcmp(f->expected.rule, last->expected.rule)) {
			text[strlen(text) - 1] = 0;
			add_text(text, size, " %s\n", story_protos[f->proto]);
			continue;
		}
		add_text(text, size, "%s -> %s: ", f->from, f->to);
		if (f->untried[0])
			add_text(text, size, "(%s) ", f->untried);
		add_text(text, size, "%s, then %s, %s, by %s: %s\n", f->expected.first ? "allowed" : "denied",
			 f->expected.now ? "allowed" : "denied", f->expected.arrives ? "may arrive" : "never arrives",
			 f->expected.rule, story_protos[f->proto]);
	}
}

/* The file without its comments; empty if there is none. */
static void read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	char line[512];

	text[0] = 0;
	while (file && fgets(line, sizeof(line), file))
		if (line[0] != '#')
			add_text(text, size, "%s", line);
	if (file)
		fclose(file);
}

static void expect_as_in(const char *name, const char *untrusted)
{
	static char found[65536], wanted[65536];
	char path[128];

	snprintf(path, sizeof(path), "tests/story/%s.dts", name);
	story_rig_load(path, untrusted);
	assert_true(story_set_up(&s));
	print_expected(found, sizeof(found));
	snprintf(path, sizeof(path), "tests/story/%s.expected", name);
	read_text(path, wanted, sizeof(wanted));
	if (strcmp(found, wanted) != 0)
		fail_msg("%s: expected what is written there, found\n%s", path, found);
}

static void test_a_multi_level_workstation(void **state)
{
	(void)state;
	expect_as_in("mls", "vault");
}

static void test_a_quarantine_gateway(void **state)
{
	(void)state;
	expect_as_in("gateway", "guest2");
}

static void test_a_farm(void **state)
{
	(void)state;
	expect_as_in("farm", "batch");
}

static const struct expected *expected(const char *from, const char *to, unsigned proto)
{
	const struct story_flow *f = find_flow(from, to, proto);

	assert_non_null(f);
	return &f->expected;
}

static void test_the_workstation(void **state)
{
	(void)state;
	assert_true(expected("red", "archive", 3)->now);
	assert_string_equal(expected("red", "archive", 3)->rule, "allow all");
	assert_false(expected("red", "archive", 3)->first);
	assert_false(expected("red", "blue", 3)->now);
	assert_false(expected("red", "blue", 3)->arrives);
	assert_string_equal(expected("red", "blue", 3)->rule, "network");
	assert_false(expected("visitor", "blue", 3)->arrives);
	assert_true(expected("blue", "gateway", 1)->now);
	assert_null(find_flow("blue", "gateway", 3));        /* the emulated gateway answers neither UDP nor TCP */
	assert_false(expected("visitor", "gateway", 1)->now);
	assert_string_equal(expected("visitor", "gateway", 1)->rule, "quarantine");
	assert_null(find_flow("red", "gateway", 1));         /* its network has none */
	assert_true(s.vm[vm_number("red")].expect_admitted);
	assert_false(s.vm[vm_number("visitor")].expect_admitted);
	/* From a wire: the verifier to the attestor, and nobody else. */
	story_console(&s, "[attestor] LZR-ARRIVED at=attestor from=10.0.3.100 proto=tcp frames=4");
	assert_true(story_flow_good(find_flow("10.0.3.100", "attestor", 3)));
	story_console(&s, "[attestor] LZR-ARRIVED at=attestor from=10.0.3.101 proto=tcp frames=4");
	assert_false(story_flow_good(find_flow("10.0.3.101", "attestor", 3)));
}

/* A withdrawn reference value moves what is expected of both ends. */
static void test_an_end_without_reference(void **state)
{
	(void)state;
	story_rig_load("policy/examples/workstation.dts", "archive");
	assert_true(story_set_up(&s));
	assert_false(expected("red", "archive", 3)->now);
	assert_string_equal(expected("red", "archive", 3)->rule, "quarantine");
	assert_string_equal(story_expected_verdict(&s, &s.vm[vm_number("archive")]), "refused reference-missing");
}

/* Whatever keeps the verifier away is said, and nobody is expected to be admitted then. */
static void test_nobody_can_be_admitted(void **state)
{
	static const struct { const char *name; int what; const char *why; } cases[] = {
		{ "control", 0, "the attestor has no control channel to the switch" },
		{ "attests", 1, "the attestor may not attest every VM, so that each of its bundles is refused" },
		{ "endpoint", 2, "the attestor's port has no endpoint of TCP" },
		{ "elsewhere", 3, "the verifier's endpoint is not on that uplink's network of the emulated machine" },
		{ "card", 4, "the attestor's network has no uplink that the emulated machine has" },
		{ "nobody", 5, "no VM attests" },
		{ "itself", 6, "the attestor may not attest every VM, so that each of its bundles is refused" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_right *attests;

		story_rig_load("policy/examples/workstation.dts", "visitor");
		attests = &s.policy.vms[vm_number("attestor")].rights[RIGHT_ATTESTS];
		switch (cases[i].what) {
		case 0: s.policy.fabric.has_control = false; break;
		case 1: attests->all = false; attests->count = 1; break;
		case 6: attests->all = false; attests->vms[vm_number("attestor")] = vm_number("switch"); break;
		case 2: s.policy.endpoints[0].protocol = PROTOCOL_UDP; break;
		case 3: s.policy.endpoints[0].ip[2] = 9; break;
		case 4: s.policy.devices[find_device(&s.policy, "nic0")].pci[0] = 7; break;
		case 5: s.view.attestor = POLICYVIEW_NONE; break;
		}
		assert_true(story_set_up(&s));
		assert_string_equal(s.unverified, cases[i].why);
		assert_false(s.vm[vm_number("red")].expect_admitted);
		assert_null(story_expected_verdict(&s, &s.vm[vm_number("red")]));
		assert_false(expected("red", "archive", 3)->now);
		story_rig_end(state);
	}
}

/* The port takes other keys' results: its VM is good, and stays where it is. */
static void test_a_port_of_another_verifier(void **state)
{
	(void)state;
	story_rig_load("policy/examples/workstation.dts", "visitor");
	s.verifier_key = NONE;
	assert_true(story_set_up(&s));
	assert_false(s.vm[vm_number("red")].expect_admitted);
	assert_string_equal(story_expected_verdict(&s, &s.vm[vm_number("red")]), "good");
}

static void untried_because(const char *words, const char *why)
{
	struct story_vm *red;
	char *at;

	story_rig_load("policy/examples/workstation.dts", "visitor");
	red = &s.vm[vm_number("red")];
	if (!words[0])
		red->words[0] = 0;
	else if ((at = strstr(red->words, words)))
		at[strlen(words) - 1] = '7';
	assert_true(story_set_up(&s));
	assert_string_equal(find_flow("red", "archive", 3)->untried, why);
	story_rig_end(NULL);
}

/* What an image cannot be asked for is not waited for, and the row says why. */
static void test_what_is_not_tried(void **state)
{
	char wait[STORY_WAIT];

	(void)state;
	untried_because("", "its image has no words lzr.*, so it tries what it likes");
	untried_because("lzr.ip=10.0.1.1", "lzr.ip on its command line is not its address in the policy");
	untried_because("=archive", "not in lzr.peers on its command line");
	untried_because("archive=10.0.1.2", "lzr.peers on its command line has another address");
	story_rig_load("policy/examples/workstation.dts", "visitor");
	for (unsigned n = 0; n < s.view.vm_count; n++)
		s.vm[n].words[0] = 0;
	assert_true(story_set_up(&s));
	assert_false(story_tries_any(&s));
	assert_true(story_all_tried(&s, wait));
	/* Still nothing must be seen that the policy does not allow. */
	story_console(&s, "[blue] LZR-ARRIVED at=blue from=red proto=udp frames=1");
	assert_false(story_flow_good(find_flow("red", "blue", 2)));
	story_console(&s, "[red] LZR-FLOW from=red to=visitor proto=udp result=allowed attempts=1");
	assert_false(story_flow_good(find_flow("red", "visitor", 2)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_workstation, story_rig_workstation, story_rig_end),
		cmocka_unit_test_teardown(test_a_multi_level_workstation, story_rig_end),
		cmocka_unit_test_teardown(test_a_quarantine_gateway, story_rig_end),
		cmocka_unit_test_teardown(test_a_farm, story_rig_end),
		cmocka_unit_test_teardown(test_an_end_without_reference, story_rig_end),
		cmocka_unit_test_teardown(test_nobody_can_be_admitted, story_rig_end),
		cmocka_unit_test_teardown(test_a_port_of_another_verifier, story_rig_end),
		cmocka_unit_test_teardown(test_what_is_not_tried, story_rig_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
