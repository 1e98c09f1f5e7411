/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-policy's diff says every change of every property of the language.  Each row changes one property of a good
 * policy (tests/policy/properties.dts) and has what diff must say forth and back, its mark with it.  Every property
 * that the tables of docs/policy.md list must have a row, and whatever changes in the compiled policy and in the
 * switch's configuration must be said when those are compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

#include "fabric.h"

#define BASE "tests/policy/properties.dts"
#define KEYS "tests/policy/keys"

static const struct row {
	const char *section, *property; /* in the manual; NULL: one more change of the property before */
	const char *scope;              /* `from` is looked for behind this text */
	const char *from, *to;
	const char *forth, *back;       /* what a line begins with; several: each its own line */
} rows[] = {
	{ "The root", "version", "version", "<7>", "<8>", "- policy: version raised", "! policy: version lowered" },
	{ "The root", "levels", "levels", "\"HIGH\"", "\"HIGH\", \"TOP\"", "! policy: levels", "! policy: levels" },
	{ "The root", "categories", "categories", "\"beta\"", "\"beta\", \"gamma\"", "  policy: categories",
	  "  policy: categories" },
	{ "labels", "top", "top =", "\"alpha\", ", "", "! VM switch: trusted from LOW to HIGH alpha beta -> from LOW",
	  "! VM switch: trusted" },
	{ "machine", "memory", "machine", "1G", "2G", "! machine: memory", "- machine: memory" },
	{ "machine", "cpus", "machine", "<2>", "<3>", "! machine: cpus", "- machine: cpus" },
	{ "machine", "allow-without-iommu", "machine", "cpus", "allow-without-iommu; cpus",
	  "! machine: now allow-without-iommu", "- machine: no longer allow-without-iommu" },
	{ "platform", "iommu", "platform", "secure", "iommu; secure", "- platform: now iommu",
	  "! platform: no longer iommu" },
	{ "platform", "interrupt-remapping", "platform", "secure", "interrupt-remapping; secure",
	  "- platform: now interrupt-remapping", "! platform: no longer interrupt-remapping" },
	{ "platform", "secure-boot", "platform", "secure-boot;", "", "! platform: no longer secure-boot",
	  "- platform: now secure-boot" },
	{ "platform", "measured-boot", "platform", "secure", "measured-boot; secure", "- platform: now measured-boot",
	  "! platform: no longer measured-boot" },
	{ "platform", "signer", "platform", "secure", "signer = \"verifier.lzrkey\"; secure",
	  "! platform: now signer",
	  "! platform: no longer signer" },
	{ "platform", "next-signer", "platform", "other.lzrkey", "signer.lzrkey", "! platform: next-signer",
	  "! platform: next-signer" },
	{ NULL, NULL, "platform", "next-signer = \"other.lzrkey\";", "", "! platform: no longer next-signer",
	  "! platform: now next-signer" },
	{ "vms", "image", "red {", "red-image", "red", "! VM red: image", "! VM red: image" },
	{ "vms", "measurement", "blue {", "00000000", "10000000", "! measurement of VM blue",
	  "! measurement of VM blue" },
	{ NULL, NULL, "blue {",
	  "measurement = \"0000000000000000000000000000000000000000000000000000000000000000000000000000"
	  "00000000000000000003\"", "measure-only", "! VM blue: no longer measurement",
	  "- VM blue: now measurement" },
	{ "vms", "measure-only", "green {", "measure-only;",
	  "measurement = \"00000000000000000000000000000000000000000000"
	  "0000000000000000000000000000000000000000000000000003\";", "- VM green: no longer measure-only",
	  "! VM green: now measure-only" },
	{ "vms", "label", "green {", "\"LOW\"", "\"LOW\", \"alpha\"", "! VM green: label", "! VM green: label" },
	{ "vms", "trusted-low", "attestor {", "trusted-low = \"LOW\"", "trusted-low = \"HIGH\"",
	  "! VM attestor: trusted",
	  "! VM attestor: trusted" },
	{ "vms", "trusted-high", "attestor {", "trusted-high = \"HIGH\"", "trusted-high = \"top\"",
	  "! VM attestor: trusted", "! VM attestor: trusted" },
	{ NULL, NULL, "attestor {", "trusted-low = \"LOW\";\n\t\t\ttrusted-high = \"HIGH\";", "",
	  "- VM attestor: no longer trusted", "! VM attestor: now trusted" },
	{ "vms", "memory", "red {", "128M", "256M", "! VM red: memory", "- VM red: memory" },
	{ "vms", "vcpus", "red {", "<2>;\n\t\t\tcpus = <0 1>", "<1>;\n\t\t\tcpus = <0>",
	  "- VM red: vcpus\n! VM red: cpus",
	  "! VM red: vcpus" },
	{ "vms", "cpus", "red {", "<0 1>", "<1 0>", "! VM red: cpus", "! VM red: cpus" },
	{ "vms", "period-us", "red {", "<10000>", "<20000>", "! VM red: period", "! VM red: period" },
	{ "vms", "budget-us", "red {", "<1000>", "<2000>", "! VM red: budget", "- VM red: budget" },
	{ NULL, NULL, "red {", "budget-us = <1000>;", "", "! VM red: now shares what is left",
	  "! VM red: now budget" },
	{ "vms", "max-restarts", "red {", "<3>", "<4>", "! VM red: max-restarts", "- VM red: max-restarts" },
	{ "vms", "service", "blue {", "memory", "service; memory", "! VM blue: now service",
	  "- VM blue: no longer service" },
	{ "vms", "introspects", "red {", "label", "introspects = \"blue\"; label",
	  "! red may now read the memory of blue",
	  "- red may no longer read the memory of blue" },
	{ "vms", "controls", "attestor {", "\"blue\";\n\t\t};", "\"blue\", \"green\"; };",
	  "! attestor may now stop and restart green", "- attestor may no longer stop and restart green" },
	{ "vms", "reads-audit", "attestor {", "reads-audit = \"red\"", "reads-audit = \"*\"",
	  "! attestor may now read the audit log of the hypervisor",
	  "- attestor may no longer read the audit log of the hypervisor" },
	{ "vms", "attests", "attestor {", "\"red\", \"blue\", \"green\"", "\"red\", \"blue\"",
	  "- attestor may no longer attest green", "! attestor may now attest green" },
	{ "guard", "from", "guard {", "\"reports\"", "\"secret\"", "! VM release: guard", "! VM release: guard" },
	{ "guard", "to", "guard {", "\"released\"", "\"outside\"", "! VM release: guard", "! VM release: guard" },
	{ "devices", "vm", "nic1 {", "\"green\"", "\"blue\"", "! device nic1 moves from green to blue",
	  "! device nic1 moves from blue to green" },
	{ "devices", "place", "nic1 {", "\"card\"", "\"slot\"", "! device nic1: place", "! device nic1: place" },
	{ "devices", "label", "nic1 {", "\"LOW\"", "\"HIGH\"", "! device nic1: label", "! device nic1: label" },
	{ "devices", "pci", "nic1 {", "02:00.0", "03:00.0", "! device nic1: at", "! device nic1: at" },
	{ "devices", "location", "nic1 {", "pci = \"02:00.0\"", "location = \"02.0/00.0\"", "! device nic1: at",
	  "! device nic1: at" },
	{ "devices", "id", "nic1 {", "0x10d4", "0x10d5", "! device nic1: id", "! device nic1: id" },
	{ "devices", "reset", "nic1 {", "\"flr\"", "\"bus\"", "! device nic1: reset", "! device nic1: reset" },
	{ "devices", "slot", "nic0 {", "<2>", "<3>", "! device nic0: slot", "! device nic0: slot" },
	{ "devices", "iommu-group", "nic1 {", "<5>", "<6>", "! device nic1: iommu-group",
	  "! device nic1: iommu-group" },
	{ "devices", "interrupt-line", "nic1 {", "<6>", "<7>", "! device nic1: interrupt-line",
	  "! device nic1: interrupt-line" },
	{ "devices", "bypasses-firewall", "nic1 {", "bypasses-firewall;", "",
	  "- device nic1: no longer bypasses-firewall",
	  "! device nic1: now bypasses-firewall" },
	{ "devices", "mmio", "tpm {", "0xfed40000", "0xfed50000", "! device tpm: at", "! device tpm: at" },
	{ "services", "tcp", "web {", "<80>", "<80 81>", "! blue may now send, without answers, to",
	  "- blue may no longer reach" },
	{ "services", "udp", "web {", "8099", "8098", "- blue may no longer reach",
	  "! blue may now send, without answers, to" },
	{ "services", "icmp", "ping {", "icmp;", "", "- blue may no longer reach green icmp echo",
	  "! blue may now reach green icmp echo" },
	{ "networks", "label", "outside {", "\"LOW\"", "\"HIGH\"", "! network outside: label",
	  "! network outside: label" },
	{ "networks", "uplink", "outside {", "\"nic0\"", "\"nic1\"", "! network outside: uplink",
	  "! network outside: uplink" },
	{ "networks", "gateway", "outside {", "10.0.2.2", "10.0.2.4", "! network outside: gateway",
	  "! network outside: gateway" },
	{ "networks", "frame-rate", "outside {", "<1000>", "<2000>", "! network outside: frame-rate raised",
	  "- network outside: frame-rate lowered" },
	{ NULL, NULL, "outside {", "frame-rate = <1000>;", "", "! network outside: no longer frame-rate",
	  "- network outside: now frame-rate" },
	{ "networks", "bandwidth", "outside {", "10Mbit", "20Mbit", "! network outside: bandwidth raised",
	  "- network outside: bandwidth lowered" },
	{ "networks", "ports", "secret {", "ports {", "ports { more { vm = \"release\"; device = \"net1\"; "
	  "mac = \"02:00:00:00:00:05\"; ip = \"10.0.1.12\"; };", "! new port more",
	  "- port more\n! gray may now reach 10.0.1.12" },
	{ "networks", "sets", "sets {", "10.0.9.0/24", "10.0.8.0/23",
	  "! blue may now send, without answers, to 10.0.8.0/24",
	  "- blue may no longer reach 10.0.8.0/24" },
	{ "networks", "allow", "secret {", "allow = \"all\";", "", "- network secret: no longer allow all",
	  "! network secret: now allow all" },
	{ "networks", "rules", "outside {", "rules {", "rules { zeroth { allow; from = \"*\"; to = \"blue\"; };",
	  "! everything behind the uplink of outside may now reach blue",
	  "- everything behind the uplink of outside may no longer reach blue" },
	{ "Ports", "vm", "\tblue {\n\t\t\t\t\tvm", "\"blue\"", "\"release\"",
	  "! port blue on network outside moves from",
	  "! port blue on network outside moves from" },
	{ "Ports", "device", "\tblue {\n\t\t\t\t\tvm", "\"net0\"", "\"net1\"",
	  "! port blue on network outside: device",
	  "! port blue on network outside: device" },
	{ "Ports", "mac", "\tblue {\n\t\t\t\t\tvm", "00:02", "00:22", "! port blue on network outside: mac",
	  "! port blue on network outside: mac" },
	{ "Ports", "ip", "\tblue {\n\t\t\t\t\tvm", "10.0.2.10", "10.0.2.20", "! port blue on network outside: ip",
	  "! port blue on network outside: ip" },
	{ "Ports", "frame-rate", "\tblue {\n\t\t\t\t\tvm", "<500>", "<600>",
	  "! port blue on network outside: frame-rate",
	  "- port blue on network outside: frame-rate" },
	{ "Ports", "bandwidth", "\tblue {\n\t\t\t\t\tvm", "bandwidth = \"5Mbit\";", "",
	  "! port blue on network outside: no longer bandwidth", "- port blue on network outside: now bandwidth" },
	{ "Ports", "queue-size", "\tblue {\n\t\t\t\t\tvm", "<256>", "<128>",
	  "! port blue on network outside: queue-size",
	  "! port blue on network outside: queue-size" },
	{ "Ports", "quarantine", "\tblue {\n\t\t\t\t\tvm", "30s", "40s", "! port blue on network outside: lease-max",
	  "- port blue on network outside: lease-max" },
	{ "Ports", "verifier", "\tblue {\n\t\t\t\t\tvm", "lease-max", "verifier = \"other.lzrkey\"; lease-max",
	  "! port blue on network outside: verifier", "! port blue on network outside: verifier" },
	{ "Ports", "lease-max", "\tblue {\n\t\t\t\t\tvm", "lease-max = \"30s\";", "",
	  "! port blue on network outside: lease-max", "- port blue on network outside: lease-max" },
	{ "Ports", "lease-end", "\tblue {\n\t\t\t\t\tvm", "lease-max", "lease-end = \"block\"; lease-max",
	  "- port blue on network outside: lease-end", "! port blue on network outside: lease-end" },
	{ "quarantine", "inspection", "\tblue {\n\t\t\t\t\tvm",
	  "inspection = \"green\";\n\t\t\t\t\t\tinspection-rate = <20>;", "",
	  "- port blue on network outside: no longer inspection", "! port blue on network outside: now inspection" },
	{ "quarantine", "inspection-rate", "\tblue {\n\t\t\t\t\tvm", "<20>", "<21>",
	  "! port blue on network outside: inspection-rate", "- port blue on network outside: inspection-rate" },
	{ "Rules", "allow", "second {", "deny", "allow", "! blue may now reach", "- blue may no longer reach" },
	{ "Rules", "deny", "third {", "allow", "deny", "- blue may no longer reach green",
	  "! blue may now reach green" },
	{ "Rules", "from", "third {", "\"*\"", "\"blue\"",
	  "- everything behind the uplink of outside may no longer reach green",
	  "! everything behind the uplink of outside may now reach green" },
	{ "Rules", "to", "third {", "\"green\"", "\"*\"", "! green may now reach blue",
	  "- green may no longer reach blue" },
	{ "Rules", "service", "third {", "service = \"ping\";", "", "! blue may now reach green",
	  "- blue may no longer reach green" },
	{ "Rules", "stateless", "first {", "stateless;", "", "! blue may now get answers from gateway",
	  "- blue may no longer get answers from gateway" },
	{ "switch", "vm", "\tswitch {\n\t\tvm", "\"switch\"", "\"release\"", "! switch: vm", "! switch: vm" },
	{ "switch", "device", "\tswitch {\n\t\tvm", "\"ports\"", "\"port\"", "! switch: device", "! switch: device" },
	{ "switch", "quarantine", "\tswitch {\n\t\tvm", "60s", "70s", "! switch: lease-max raised",
	  "- switch: lease-max lowered" },
	{ "Infrastructure", "endpoints", "endpoints {", "verifier {",
	  "more { ip = \"10.0.2.101\"; protocol = \"udp\"; "
	  "port = <53>; }; verifier {", "! attestor may now reach, before anything is proved, 10.0.2.101 udp/53",
	  "- attestor may no longer reach, before anything is proved, 10.0.2.101 udp/53" },
	{ "Endpoints", "ip", "endpoints {", "10.0.2.100", "10.0.2.101",
	  "! attestor may now reach, before anything is proved,",
	  "! attestor may now reach, before anything is proved," },
	{ "Endpoints", "protocol", "endpoints {", "tcp", "udp",
	  "! attestor may now reach, before anything is proved,",
	  "! attestor may now reach, before anything is proved," },
	{ "Endpoints", "port", "endpoints {", "<4433>", "<4434>",
	  "! attestor may now reach, before anything is proved,",
	  "! attestor may now reach, before anything is proved," },
	{ "Infrastructure", "vm", "infrastructure {", "vm = \"attestor\"", "vm = \"release\"",
	  "! infrastructure port attestor on network outside moves",
	  "! infrastructure port attestor on network outside moves" },
	{ "Infrastructure", "device", "infrastructure {", "\"net0\"", "\"net1\"",
	  "! infrastructure port attestor on network outside: device",
	  "! infrastructure port attestor on network outside: device" },
	{ "Infrastructure", "network", "infrastructure {", "\"outside\"", "\"other\"",
	  "! new infrastructure port attestor on network other",
	  "! new infrastructure port attestor on network outside" },
	{ "Infrastructure", "mac", "infrastructure {", "00:03", "00:33",
	  "! infrastructure port attestor on network outside: mac",
	  "! infrastructure port attestor on network outside: mac" },
	{ "Infrastructure", "ip", "infrastructure {", "10.0.2.3", "10.0.2.33",
	  "! infrastructure port attestor on network outside: ip",
	  "! infrastructure port attestor on network outside: ip" },
	{ "Infrastructure", "frame-rate", "infrastructure {", "endpoints", "frame-rate = <9>; endpoints",
	  "- infrastructure port attestor on network outside: now frame-rate",
	  "! infrastructure port attestor on network outside: no longer frame-rate" },
	{ "Infrastructure", "bandwidth", "infrastructure {", "endpoints", "bandwidth = \"9Mbit\"; endpoints",
	  "- infrastructure port attestor on network outside: now bandwidth",
	  "! infrastructure port attestor on network outside: no longer bandwidth" },
	{ "Infrastructure", "queue-size", "infrastructure {", "endpoints", "queue-size = <64>; endpoints",
	  "! infrastructure port attestor on network outside: now queue-size",
	  "! infrastructure port attestor on network outside: no longer queue-size" },
	{ "control", "vm", "\tcontrol {", "\"attestor\"", "\"red\"", "! switch: control", "! switch: control" },
	{ "control", "device", "\tcontrol {", "\"control\"", "\"other\"", "! switch: control", "! switch: control" },
	{ "quarantine", "verifier", "\tswitch {\n\t\tvm", "\"verifier.lzrkey\"",
	  "\"verifier.lzrkey\", \"other.lzrkey\"",
	  "! switch: verifier", "! switch: verifier" },
	{ "quarantine", "lease-max", "\tswitch {\n\t\tvm", "60s", "50s", "- switch: lease-max lowered",
	  "! switch: lease-max raised" },
	{ "quarantine", "lease-end", "\tswitch {\n\t\tvm", "lease-max", "lease-end = \"block\"; lease-max",
	  "- switch: lease-end", "! switch: lease-end" },
	{ "quarantine", "nonce-interval", "\tswitch {\n\t\tvm", "500ms", "400ms", "! switch: nonce-interval lowered",
	  "- switch: nonce-interval raised" },
	{ "channels", "vm", "\tred {\n\t\t\tvm", "\"red\"", "\"green\"", "! channel red: between",
	  "! channel red: between" },
	{ "channels", "device", "\tred {\n\t\t\tvm", "\"chan0\"", "\"chan1\"", "! channel red: between",
	  "! channel red: between" },
	{ "channels", "service", "\tred {\n\t\t\tvm", "\"attestor\"", "\"release\"", "! channel red: between",
	  "! channel red: between" },
	{ "channels", "service-device", "\tred {\n\t\t\tvm", "service-device = \"red\"", "service-device = \"pink\"",
	  "! channel red: between", "! channel red: between" },
	{ "channels", "label", "\tours {", "\"LOW\"", "\"HIGH\"", "! channel ours: label LOW -> HIGH",
	  "! channel ours: label HIGH -> LOW" },
	{ NULL, NULL, "reports {", "device =", "label = \"HIGH\", \"alpha\"; device =",
	  "! channel reports: label HIGH -> HIGH alpha", "! channel reports: label HIGH alpha -> HIGH" },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static char source[] = "/tmp/lzr-properties-XXXXXX";
static char *base;

struct side {
	struct report report;
	struct node *root;
	struct policy policy, decompiled;
	struct outline outline, compiled;
	void *dtb, *block;
	size_t dtb_size, block_size;
};

/* False after telling why not. */
static bool side_read(struct side *side, const char *text)
{
	*side = (struct side){ 0 };
	assert_true(file_store(source, text, strlen(text), 0600));
	side->root = source_read(source, &side->report);
	if (side->root)
		model_read(&side->policy, side->root, KEYS, &side->report);
	if (side->report.errors) {
		print_error("%s", side->report.text);
		return false;
	}
	outline_source(&side->outline, &side->policy);
	side->dtb = emit_policy(&side->policy, &side->dtb_size);
	side->block = emit_switch(&side->policy, &side->block_size);
	assert_true(side->dtb && side->block);
	assert_true(outline_dtb(&side->compiled, side->dtb, side->dtb_size));
	const char *wrong = switch_read(&side->decompiled, side->block, side->block_size, side->dtb);
	if (wrong)
		fail_msg("%s", wrong);
	outline_fabric(&side->compiled, &side->decompiled);
	return true;
}

static void side_free(struct side *side)
{
	free(side->dtb);
	free(side->block);
	outline_free(&side->outline);
	outline_free(&side->compiled);
	policy_free(&side->policy);
	policy_free(&side->decompiled);
	source_free(side->root);
	report_free(&side->report);
}

static char *said(const struct outline *from, const struct outline *to, const struct policy *from_policy,
		  const struct policy *to_policy, struct diff *diff)
{
	size_t size;
	char *text = NULL;

	*diff = (struct diff){ .out = open_memstream(&text, &size) };
	diff_outlines(diff, from, to);
	diff_flows(diff, from_policy, to_policy);
	fclose(diff->out);
	return text;
}

static bool same(const void *a, size_t a_size, const void *b, size_t b_size)
{
	return a_size == b_size && !memcmp(a, b, a_size);
}

/* Each line of `expected` is the beginning of one in `text`. */
static bool says(const char *text, const char *expected)
{
	while (expected) {
		size_t length = strcspn(expected, "\n");
		const char *line = text;
		while (line && strncmp(line, expected, length))
			line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
		if (!line)
			return false;
		expected = expected[length] ? expected + length + 1 : NULL;
	}
	return true;
}

/* 1: it does not say what it must. */
static unsigned compare(const struct row *row, const struct side *from, const struct side *to, const char *expected)
{
	struct diff diff, compiled;
	char *text = said(&from->outline, &to->outline, &from->policy, &to->policy, &diff);
	unsigned failed = 0;

	if (!says(text, expected) || (strchr(expected, '!') != NULL) != (diff.widening != 0)) {
		print_error("%s -> %s: expected \"%s\", found:\n%s", row->from, row->to, expected, text);
		failed = 1;
	}
	free(text);
	text = said(&from->compiled, &to->compiled, &from->decompiled, &to->decompiled, &compiled);
	bool unchanged = same(from->dtb, from->dtb_size, to->dtb, to->dtb_size) &&
			 same(from->block, from->block_size, to->block, to->block_size);
	if (unchanged != !compiled.changes || (!unchanged && diff.widening && !compiled.widening)) {
		print_error("%s -> %s: compiled, %s; found:\n%s", row->from, row->to,
			    unchanged ? "the same bytes" : "other bytes", text);
		failed = 1;
	}
	free(text);
	return failed;
}

static void test_rows(void **state)
{
	unsigned failed = 0;
	struct side old, new;

	(void)state;
	assert_true(side_read(&old, base));
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		const char *scope = strstr(base, row->scope), *at = scope ? strstr(scope, row->from) : NULL;
		if (!at)
			fail_msg("\"%s\" is not behind \"%s\"", row->from, row->scope);
		char *text = text_of("%.*s%s%s", (int)(at - base), base, row->to, at + strlen(row->from));
		if (!side_read(&new, text))
			failed++;
		else
			failed += compare(row, &old, &new, row->forth) + compare(row, &new, &old, row->back);
		side_free(&new);
		free(text);
	}
	side_free(&old);
	print_message("%zu changes of properties, forth and back\n", ROWS);
	assert_int_equal(failed, 0);
}

/* No bit of a switch's configuration can change without a refusal or a line. */
static void test_switch_bits(void **state)
{
	struct side side;
	unsigned refused = 0, told = 0;

	(void)state;
	assert_true(side_read(&side, base));
	uint8_t *block = side.block;
	for (size_t i = 0; i < 8 * side.block_size; i += 3) {
		struct outline outline = { 0 };
		struct policy policy;
		struct diff diff;
		block[i / 8] ^= (uint8_t)(1u << i % 8);
		if (switch_read(&policy, block, side.block_size, side.dtb)) {
			refused++;
		} else {
			assert_true(outline_dtb(&outline, side.dtb, side.dtb_size));
			outline_fabric(&outline, &policy);
			free(said(&side.compiled, &outline, &side.decompiled, &policy, &diff));
			if (!diff.changes)
				fail_msg("bit %zu of byte %zu: not told", i % 8, i / 8);
			told++;
		}
		policy_free(&policy);
		outline_free(&outline);
		block[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	side_free(&side);
	print_message("bits of a configuration: %u changes refused, %u told\n", refused, told);
	assert_true(refused > 100 && told > 100);
}

/* --- every property of the manual has a row ----------------------------------------------------------------------- */

/* Or of a node's own section. */
static bool has_row(const char *heading, const char *property)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (rows[i].section && (!strcasecmp(rows[i].section, property) ||
					(strstr(heading, rows[i].section) && !strcmp(rows[i].property, property))))
			return true;
	return false;
}

static void test_complete(void **state)
{
	char why[200], heading[200] = "";
	unsigned missing = 0, found = 0;
	bool table = false;
	size_t size;
	char *text = file_load("docs/policy.md", 1 << 20, &size, why, sizeof(why)), *rest = text, *line;

	(void)state;
	assert_non_null(text);
	text[size] = 0;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '#')
			snprintf(heading, sizeof(heading), "%s", line);
		table = *line == '|' && (table || !strncmp(line, "| property ", 11));
		if (!table || strstr(heading, "refused"))
			continue;
		/* All names of the first cell. */
		char *end = strchr(line + 1, '|'), *name = strchr(line, '`');
		while (name && name < end) {
			char *close = strchr(name + 1, '`');
			assert_non_null(close);
			*close = 0;
			found++;
			/* Of these, there is only one that is accepted. */
			if (strcmp(name + 1, "compatible") && !has_row(heading, name + 1)) {
				print_error("%s: no row changes %s\n", heading, name + 1);
				missing++;
			}
			name = strchr(close + 1, '`');
		}
	}
	free(text);
	print_message("%u properties in the manual\n", found);
	assert_int_equal(missing, 0);
	assert_true(found > 70);
}

static int begin(void **state)
{
	char why[200];
	size_t size;
	int fd = mkstemp(source);

	(void)state;
	base = file_load(BASE, 1 << 20, &size, why, sizeof(why));
	if (!base || fd < 0)
		return -1;
	base[size] = 0;
	close(fd);
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(base);
	return unlink(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_switch_bits),
					    cmocka_unit_test(test_complete) };

	return cmocka_run_group_tests(tests, begin, end);
}
