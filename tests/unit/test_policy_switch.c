/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a policy's source to the switch's decisions: networks with rules, limits and quarantine are compiled, loaded as
 * the switch loads them, and asked.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "key_folder.h"
#include "policy.h"
#include "rules.h"

static struct swconf config;
static struct nf_rules rules;
static struct policy policy;
static struct report report;
static struct node *root;

#define ADDRESS(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define RED ADDRESS(10, 0, 1, 1)
#define BLUE ADDRESS(10, 0, 1, 2)
#define GREEN ADDRESS(10, 0, 1, 3)
#define GATEWAY ADDRESS(10, 0, 1, 254)
#define ELSEWHERE ADDRESS(192, 0, 2, 7)

static const char before[] =
	"/dts-v1/;\n"
	"/ {\n"
	"	compatible = \"lazaret,policy-source-1\";\n"
	"	version = <1>;\n"
	"	levels = \"LOW\";\n"
	"	machine { memory = \"1G\"; cpus = <2>; };\n"
	"	vms {\n"
	"		switch { label = \"LOW\"; memory = \"64M\"; cpus = <1>; service; };\n"
	"		red { label = \"LOW\"; memory = \"64M\"; cpus = <1>; };\n"
	"		blue { label = \"LOW\"; memory = \"64M\"; cpus = <1>; };\n"
	"		green { label = \"LOW\"; memory = \"64M\"; cpus = <1>; };\n"
	"		grey { label = \"LOW\"; memory = \"64M\"; cpus = <1>; };\n"
	"	};\n"
	"	devices {\n"
	"		nic0 { pci = \"01:00.0\"; id = <0x8086 0x10d3>; reset = \"bus\"; vm = \"switch\"; slot = <2>;\n"
	"			label = \"LOW\"; };\n"
	"	};\n"
	"	services {\n"
	"		web { tcp = <80 443>; };\n"
	"		high { udp = \"8000-8099\"; };\n"
	"		ping { icmp; };\n"
	"	};\n"
	"	networks {\n"
	"		office {\n"
	"			label = \"LOW\"; uplink = \"nic0\"; gateway = \"10.0.1.254\"; bandwidth = \"10Mbit\";\n"
	"			ports {\n"
	"				red { vm = \"red\"; device = \"net0\"; mac = \"02:00:00:00:00:01\";\n"
	"					ip = \"10.0.1.1\"; frame-rate = <500>; quarantine { ";
static const char between[] = " }; };\n"
	"				blue { vm = \"blue\"; device = \"net0\"; mac = \"02:00:00:00:00:02\";\n"
	"					ip = \"10.0.1.2\";\n"
	"					quarantine { lease-end = \"block\"; lease-max = \"5s\";\n"
	"						verifier = \"second.lzrkey\"; }; };\n"
	"				green { vm = \"green\"; device = \"net0\"; mac = \"02:00:00:00:00:03\";\n"
	"					ip = \"10.0.1.3\"; bandwidth = \"1Mbit\"; };\n"
	"			};\n"
	"			sets { pair = \"red\", \"blue\"; };\n"
	"			rules {\n";
static const char after[] =
	"			};\n"
	"		};\n"
	"		plain {\n			";
static const char *allow_plain = "allow = \"all\";";
static const char after_allow[] =
	"\n"
	"			label = \"LOW\"; frame-rate = <900>;\n"
	"			ports {\n"
	"				grey { vm = \"grey\"; device = \"net0\"; mac = \"02:00:00:00:00:04\";\n"
	"					ip = \"10.0.2.1\"; };\n"
	"			};\n"
	"		};\n"
	"	};\n"
	"	switch {\n"
	"		vm = \"switch\"; device = \"ports\";\n"
	"		quarantine { verifier = \"v.lzrkey\"; lease-max = \"60s\"; nonce-interval = \"500ms\"; };\n"
	"	};\n"
	"};\n";

static const char some_rules[] =
	"no-high { deny; from = \"red\"; to = \"*\"; service = \"high\"; };\n"
	"web { allow; from = \"pair\"; to = \"green\", \"gateway\"; service = \"web\", \"ping\"; };\n"
	"out { allow; stateless; from = \"green\"; to = \"uplink\"; };\n"
	"back { allow; stateless; from = \"uplink\"; to = \"green\"; service = \"high\"; };\n"
	"test-net { allow; from = \"*\"; to = \"192.0.2.0/24\"; service = \"high\"; };\n";

enum { NO_HIGH, WEB, OUT, BACK, TEST_NET, RULES };

static void close_all(void)
{
	policy_free(&policy);
	source_free(root);
	report_free(&report);
}

static void read_policy(const char *quarantine, const char *text)
{
	size_t size = sizeof(before) + sizeof(between) + sizeof(after) + strlen(allow_plain) + sizeof(after_allow) +
		      strlen(quarantine) + strlen(text);
	char path[64], *source = malloc(size);

	assert_non_null(source);
	snprintf(source, size, "%s%s%s%s%s%s%s", before, quarantine, between, text, after, allow_plain, after_allow);
	snprintf(path, sizeof(path), "%s/p.dts", key_folder);
	assert_true(file_store(path, source, strlen(source), 0600));
	free(source);
	memset(&policy, 0, sizeof(policy));
	memset(&report, 0, sizeof(report));
	root = source_read(path, &report);
	assert_non_null(root);
	model_read(&policy, root, key_folder, &report);
	if (report.errors)
		fail_msg("%s", report.text);
	check_limits(&policy, &report);
}

static void load(void)
{
	uint32_t where;
	const char *wrong;
	size_t size;
	void *block;

	if (report.errors)
		fail_msg("%s", report.text);
	block = emit_switch(&policy, &size);
	assert_non_null(block);
	wrong = swconf_load(&config, block, size, &where);
	if (wrong)
		fail_msg("entry %u: %s", where, wrong);
	free(block);
	nf_rules_build(&rules, &config);
}

static struct nf_decision ask(uint32_t from, uint32_t to, uint8_t protocol, uint16_t target)
{
	struct nf_tuple tuple = { from, to, protocol, target };

	return nf_rules_decide(&rules, 0, &tuple);
}

static void decides(uint32_t from, uint32_t to, uint8_t protocol, uint16_t target, uint32_t rule, bool allow)
{
	struct nf_decision d = ask(from, to, protocol, target);

	if (d.rule != rule || d.allow != allow)
		fail_msg("%08x to %08x protocol %u target %u: rule %d, %s", from, to, protocol, target, (int)d.rule,
			 d.allow ? "allowed" : "denied");
}

static void test_rules(void **state)
{
	(void)state;
	read_policy("", some_rules);
	load();
	assert_int_equal(config.header.rule_count, RULES);
	assert_false(rules.all[0]);
	assert_true(rules.all[1]);
	decides(RED, GREEN, 17, 8000, NO_HIGH, false);
	decides(RED, ELSEWHERE, 17, 8099, NO_HIGH, false);
	decides(BLUE, ELSEWHERE, 17, 8099, TEST_NET, true);
	decides(BLUE, ELSEWHERE, 17, 8100, LZR_SWITCH_NONE, false);
	decides(RED, GREEN, 6, 80, WEB, true);
	decides(BLUE, GATEWAY, 6, 443, WEB, true);
	decides(BLUE, GATEWAY, 6, 444, LZR_SWITCH_NONE, false);
	decides(BLUE, RED, 6, 80, LZR_SWITCH_NONE, false);
	decides(GREEN, BLUE, 6, 80, LZR_SWITCH_NONE, false);
	decides(RED, GREEN, 1, 8, WEB, true);
	decides(RED, GREEN, 1, 5, LZR_SWITCH_NONE, false);
	/* Behind the uplink is what no port has; the gateway is there. */
	decides(GREEN, GATEWAY, 1, 5, OUT, true);
	decides(GREEN, ELSEWHERE, 6, 1, OUT, true);
	decides(GREEN, RED, 6, 1, LZR_SWITCH_NONE, false);
	assert_true(ask(GREEN, ELSEWHERE, 6, 1).stateless);
	assert_false(ask(RED, GREEN, 6, 80).stateless);
	decides(ELSEWHERE, GREEN, 17, 8005, BACK, true);
	decides(ELSEWHERE, GREEN, 17, 80, LZR_SWITCH_NONE, false);
	close_all();
}

/* A network without rules denies everything; that it allows all has to be said, and is nothing beside rules. */
static void test_silence_denies(void **state)
{
	struct nf_tuple tuple = { ADDRESS(10, 0, 2, 1), ADDRESS(10, 0, 2, 2), 6, 80 };
	(void)state;

	allow_plain = "";
	read_policy("", some_rules);
	load();
	assert_int_equal(config.networks[1].flags, 0);
	assert_false(rules.all[1]);
	assert_true(rules.nothing[1]);
	assert_false(nf_rules_decide(&rules, 1, &tuple).allow);
	close_all();
	allow_plain = "allow = \"all\";";
	read_policy("", some_rules);
	load();
	assert_int_equal(config.networks[1].flags, LZR_NETWORK_ALLOW_ALL);
	assert_true(rules.all[1]);
	close_all();
}

static void test_ports_and_networks(void **state)
{
	(void)state;
	read_policy("inspection = \"green\"; inspection-rate = <20>;", "");
	load();
	assert_false(rules.all[0]);
	assert_true(rules.nothing[0]);
	decides(RED, GREEN, 6, 80, LZR_SWITCH_NONE, false);
	assert_int_equal(config.networks[1].frame_rate, 900);
	assert_int_equal(config.networks[0].bandwidth, 10000000);
	assert_int_equal(config.ports[0].frame_rate, 500);
	assert_int_equal(config.ports[2].bandwidth, 1000000);
	assert_int_equal(config.ports[0].inspection, 2);
	assert_int_equal(config.ports[0].inspection_rate, 20);
	assert_int_equal(config.ports[1].inspection, LZR_SWITCH_NONE);
	assert_int_equal(config.ports[0].lease_end, LZR_LEASE_END_QUARANTINE);
	assert_int_equal(config.ports[1].lease_end, LZR_LEASE_END_BLOCK);
	assert_int_equal(config.ports[0].lease_max_ns, 60000000000);
	assert_int_equal(config.ports[1].lease_max_ns, 5000000000);
	/* Each its own key. */
	assert_int_equal(config.header.verifier_count, 2);
	assert_int_equal(config.ports[0].verifiers & config.ports[1].verifiers, 0);
	assert_int_equal(config.ports[0].verifiers | config.ports[1].verifiers, 3);
	assert_memory_not_equal(&config.header.verifiers[0], &config.header.verifiers[1],
				sizeof(struct lzr_switch_key));
	close_all();
}

/* One list of ends or of services is written once, however many rules have it. */
static void test_lists_once(void **state)
{
	char text[32768] = "";

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "r%u { %s; from = \"pair\"; to = \"green\"; service = \"%s\"; };\n", i,
			 i % 2 ? "allow" : "deny", i % 3 ? "web" : "ping");
	read_policy("", text);
	load();
	assert_int_equal(config.header.rule_count, 200);
	assert_int_equal(config.header.set_count, 2);
	assert_int_equal(config.header.member_count, 3);
	assert_int_equal(config.header.service_count, 2);
	close_all();
}

/* The same source gives the same bytes. */
static void test_same_bytes(void **state)
{
	size_t size, again;
	void *block, *other;

	(void)state;
	read_policy("", some_rules);
	block = emit_switch(&policy, &size);
	close_all();
	read_policy("", some_rules);
	other = emit_switch(&policy, &again);
	close_all();
	assert_int_equal(size, again);
	assert_memory_equal(block, other, size);
	free(block);
	free(other);
}

static void refused(const char *expected)
{
	if (!report.errors || !strstr(report.text, expected))
		fail_msg("expected \"%s\", found: %s", expected, report.errors ? report.text : "no error");
	close_all();
}

static void test_what_does_not_fit(void **state)
{
	static char text[400000];
	size_t used = 0;

	(void)state;
	for (unsigned i = 0; i <= LZR_SWITCH_RULE_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "r%u { allow; from = \"red\"; to = \"10.%u.%u.0/24\"; };\n", i, i / 256,
					 i % 256);
	read_policy("", text);
	refused("rules: expected at most 1024, which the hypervisor has room for, found 1025");
	used = 0;
	for (unsigned i = 0; i < 256; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "r%u { allow; from = \"red\"; to = ", i);
		for (unsigned j = 0; j < 17; j++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\"10.%u.%u.0/24\"",
						 j ? ", " : "", i, j);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "; };\n");
	}
	read_policy("", text);
	refused("ends in the rules' different lists: expected at most 4096, which the hypervisor has room for, "
		"found 4353");
}

/* What comes out of emit_switch; nothing does when a list of a rule is empty, since no list means "any". */
static void aborts(void)
{
	int status;
	size_t size;
	pid_t child = fork();

	if (child == 0) {
		fclose(stderr);
		emit_switch(&policy, &size);
		_exit(0);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_empty_lists(void **state)
{
	unsigned kept;

	(void)state;
	read_policy("", some_rules);
	struct policy_rule *rule = &policy.rules[WEB];
	struct policy_service *service = &policy.services[rule->services[0]];
	unsigned *const counts[] = { &rule->from_count, &rule->to_count, &rule->service_count };
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		kept = *counts[i];
		*counts[i] = 0;
		aborts();
		*counts[i] = kept;
	}
	kept = policy.sets[0].member_count;
	policy.sets[0].member_count = 0;
	aborts();
	policy.sets[0].member_count = kept;
	rule->service_count = 1;
	kept = service->item_count;
	service->item_count = 0;
	aborts();
	service->item_count = kept;
	load();
	close_all();
}

/* A second verifier beside "v". */
static int begin(void **state)
{
	char path[64];

	if (key_folder_make(state))
		return -1;
	snprintf(path, sizeof(path), "%s/second", key_folder);
	return key_file_generate(path, true) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_silence_denies),
		cmocka_unit_test(test_ports_and_networks),
		cmocka_unit_test(test_lists_once),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_empty_lists),
	};

	return cmocka_run_group_tests(tests, begin, key_folder_remove);
}
