/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's flow graph: for every kind of edge a policy in which something flows down along it, with the exact hops,
 * their places and their words; what is allowed stays clean; the certificate's labels; the picture.  dtc really runs.
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
#include "graph.h"
#include "key_folder.h"
#include "policy.h"

#define HOPS_MAX 3u


/* $V, $D, $N and $C are where a case adds to it. */
static const char base[] =
	"/dts-v1/;\n"
	"/ {\n"
	"	compatible = \"lazaret,policy-source-1\";\n"
	"	version = <1>;\n"
	"	levels = \"L\", \"M\", \"H\";\n"
	"	categories = \"a\", \"b\";\n"
	"	machine { memory = \"1G\"; cpus = <1>; };\n"
	"	vms {\n"
	"		high { label = \"H\"; memory = \"64M\"; cpus = <0>; };\n"
	"		middle { label = \"M\"; memory = \"64M\"; cpus = <0>; };\n"
	"		low { label = \"L\"; memory = \"64M\"; cpus = <0>; };\n"
	"		alpha { label = \"M\", \"a\"; memory = \"64M\"; cpus = <0>; };\n"
	"		beta { label = \"M\", \"b\"; memory = \"64M\"; cpus = <0>; };\n"
	"		multi {\n"
	"			label = \"H\"; trusted-low = \"L\"; trusted-high = \"H\"; memory = \"64M\"; cpus = "
	"<0>;\n"
	"		};\n"
	"		sw {\n"
	"			label = \"H\"; trusted-low = \"L\"; trusted-high = \"H\"; memory = \"64M\"; cpus = "
	"<0>;\n"
	"		};\n"
	"$V	};\n"
	"	devices {\n"
	"$D	};\n"
	"	networks {\n"
	"		up { label = \"H\"; ports { high { vm = \"high\"; device = \"net0\"; mac = "
	"\"02:00:00:00:00:01\";\n"
	"			ip = \"10.0.1.1\"; }; }; };\n"
	"$N	};\n"
	"	switch {\n"
	"		vm = \"sw\"; device = \"ports\";\n"
	"		quarantine { verifier = \"v.lzrkey\"; lease-max = \"60s\"; nonce-interval = \"1s\"; };\n"
	"$S	};\n"
	"	channels {\n"
	"		fine { vm = \"middle\"; device = \"c0\"; service = \"multi\"; service-device = \"c0\"; };\n"
	"$C	};\n"
	"};\n";

#define PORT(vm) "p { vm = \"" vm "\"; device = \"net1\"; mac = \"02:00:00:00:00:09\"; ip = \"10.0.9.1\"; };"
#define VM(name, rest) "\t\t" name " { memory = \"64M\"; cpus = <0>; " rest " };\n"
#define PCI(name, place, rest) "\t\t" name " { pci = \"" place "\"; id = <1 2>; reset = \"bus\"; " rest " };\n"

struct rig {
	char source[8192];
	struct node *root;
	struct policy policy;
	struct report report;
};

static const char *source_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/p.dts", key_folder);
	return path;
}

/* Up to two places of the base get text: { 'V', text }, .. */
struct insertion {
	char mark;
	const char *text;
};

static void fill(char *out, size_t size, const struct insertion insertions[2])
{
	size_t at = 0;

	for (const char *p = base; *p && at + 1 < size; p++) {
		if (*p != '$') {
			out[at++] = *p;
			continue;
		}
		p++;
		for (unsigned i = 0; i < 2; i++)
			if (insertions[i].mark == *p)
				at += (size_t)snprintf(out + at, size - at, "%s", insertions[i].text);
	}
	out[at] = 0;
}

static struct rig *rig_begin(const struct insertion insertions[2])
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	fill(rig->source, sizeof(rig->source), insertions);
	assert_true(file_store(source_path(), rig->source, strlen(rig->source), 0600));
	rig->root = source_read(source_path(), &rig->report);
	assert_non_null(rig->root);
	model_read(&rig->policy, rig->root, key_folder, &rig->report);
	if (rig->report.errors)
		fail_msg("%s", rig->report.text);
	check_flows(&rig->policy, &rig->report);
	return rig;
}

static void rig_end(struct rig *rig)
{
	policy_free(&rig->policy);
	source_free(rig->root);
	report_free(&rig->report);
	free(rig);
}

struct expected_hop {
	const char *at; /* what stands in the source where the hop is made possible */
	const char *text;
};

struct leak {
	struct insertion insertions[2];
	const char *verdict;
	struct expected_hop hops[HOPS_MAX];
};

static size_t put_place(char *out, size_t size, const char *source, const char *at)
{
	const char *found = strstr(source, at);
	unsigned line = 1, column = 1;

	if (!found)
		fail_msg("\"%s\" is not in the source", at);
	for (const char *p = source; p < found; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return (size_t)snprintf(out, size, "%s:%u:%u: ", source_path(), line, column);
}

static void expect_leak(const struct leak *leak)
{
	struct rig *rig = rig_begin(leak->insertions);
	char expected[2048];

	size_t at = put_place(expected, sizeof(expected), rig->source, leak->hops[0].at);
	at += (size_t)snprintf(expected + at, sizeof(expected) - at, "error: %s:\n", leak->verdict);
	for (unsigned i = 0; i < HOPS_MAX && leak->hops[i].at; i++) {
		at += put_place(expected + at, sizeof(expected) - at, rig->source, leak->hops[i].at);
		at += (size_t)snprintf(expected + at, sizeof(expected) - at, "hop %u: %s\n", i + 1, leak->hops[i].text);
	}
	if (!rig->report.errors)
		fail_msg("expected:\n%sfound nothing in:\n%s", expected, rig->source);
	assert_string_equal(rig->report.text, expected);
	rig_end(rig);
}

static void expect_leaks(const struct leak *leaks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_leak(&leaks[i]);
}

static void networks(void **unused)
{
	static const struct leak leaks[] = {
		{ { { 'N', "\t\tn { label = \"L\"; ports { " PORT("high") " }; };\n" } },
		  "H flows down to L",
		  { { "\"high\"; device = \"net1\"", "high (H) -> network n (L): port \"p\"" } } },
		{ { { 'N', "\t\tn { label = \"H\"; ports { " PORT("low") " }; };\n" } },
		  "H flows down to L",
		  { { "\"low\"; device", "network n (H) -> low (L): port \"p\"" } } },
		{ { { 'N', "\t\tn { label = \"M\", \"a\"; ports { " PORT("alpha") " }; };\n" } },
		  "M a flows across to H",
		  { { "\"sw\"; device",
		      "network n (M a) -> sw (trusted from L to H): the switch serves the network's ports" } } },
		{ { { 'N', "\t\tn { label = \"H\"; uplink = \"nic\"; };\n" },
		    { 'D', PCI("nic", "01:00.0", "vm = \"sw\"; slot = <2>; label = \"L\";") } },
		  "H flows down to L",
		  { { "\"nic\"", "network n (H) -> device nic (L): uplink of network \"n\"" } } },
		{ { { 'S',
		      "\t\tinfrastructure { i { vm = \"middle\"; device = \"n\"; network = \"up\"; ip = \"10.0.1.8\";\n"
		      "\t\t\tmac = \"02:00:00:00:00:08\"; endpoints { e { ip = \"10.0.0.9\"; protocol = \"tcp\";"
		      " port = <1>; }; }; }; };\n" } },
		  "H flows down to M",
		  { { "\"middle\"; device = \"n\"", "network up (H) -> middle (M): infrastructure port \"i\"" } } },
		{ { { 'S', "\t\tcontrol { vm = \"alpha\"; device = \"ctl\"; };\n" } },
		  "M a flows across to H",
		  { { "\"alpha\"; device",
		      "alpha (M a) -> control channel (M a): \"alpha\" has the switch's control channel" },
		    { "\"sw\"; device", "control channel (M a) -> sw (trusted from L to H): \"sw\" is the switch" } } },
	};
	(void)unused;

	expect_leaks(leaks, sizeof(leaks) / sizeof(leaks[0]));
}

static void devices(void **unused)
{
	static const struct leak leaks[] = {
		{ { { 'D', PCI("d", "01:00.0", "vm = \"low\"; label = \"M\";") } },
		  "M flows down to L",
		  { { "\"low\"; label = \"M\"", "device d (M) -> low (L): the device is assigned to \"low\"" } } },
		{ { { 'D', PCI("d", "01:00.0", "vm = \"high\"; label = \"H\"; iommu-group = <3>;")
				   PCI("e", "01:00.1", "vm = \"low\"; label = \"L\"; iommu-group = < 3>;") } },
		  "H flows down to L",
		  { { "3>;",
		      "device d (H) -> IOMMU group 3 (H): device \"d\" is in the group: its devices reach each other "
		      "past the IOMMU" },
		    { "3>; };\n	};",
		      "IOMMU group 3 (H) -> device e (L): device \"e\" is in the group: its devices reach each "
		      "other past the IOMMU" } } },
		{ { { 'D', PCI("d", "01:00.0", "vm = \"alpha\"; label = \"M\", \"a\"; interrupt-line = <11>;") PCI(
				   "e", "02:00.0", "vm = \"beta\"; label = \"M\", \"b\"; interrupt-line = < 11>;") } },
		  "M a flows across to M b",
		  { { "11>;",
		      "device d (M a) -> interrupt line 11 (M a b): device \"d\" shares the line: each of its devices' "
		      "VMs sees when it is raised" },
		    { "11>; };\n	};",
		      "interrupt line 11 (M a b) -> device e (M b): device \"e\" shares the line: each of its "
		      "devices' VMs sees when it is raised" } } },
	};
	(void)unused;

	expect_leaks(leaks, sizeof(leaks) / sizeof(leaks[0]));
}

static void channels(void **unused)
{
	static const struct leak leaks[] = {
		{ { { 'C', "\t\tc { vm = \"high\"; device = \"x\"; service = \"low\"; service-device = \"y\"; };\n" } },
		  "H flows down to L",
		  { { "\"high\"; device = \"x\"", "high (H) -> channel c (H): \"high\" is the channel's client" },
		    { "\"low\"; service-device", "channel c (H) -> low (L): \"low\" is the channel's service" } } },
		{ { { 'C', "\t\tc { vm = \"low\"; device = \"x\"; service = \"multi\"; service-device = \"y\"; "
			   "label = \"M\"; };\n" } },
		  "M flows down to L",
		  { { "\"low\"; device = \"x\"", "channel c (M) -> low (L): \"low\" is the channel's client" } } },
		{ { { 'V', VM("two", "label = \"M\"; trusted-low = \"M\"; trusted-high = \"M\", \"b\";") },
		    { 'C', "\t\tc { vm = \"two\"; device = \"x\"; service = \"low\"; service-device = \"y\"; };\n" } },
		  "M flows down to L",
		  { { "\"two\"; device = \"x\"",
		      "two (trusted from M to M b) -> channel c (M): \"two\" is the channel's client" },
		    { "\"low\"; service-device", "channel c (M) -> low (L): \"low\" is the channel's service" } } },
	};
	(void)unused;

	expect_leaks(leaks, sizeof(leaks) / sizeof(leaks[0]));
}

static void rights(void **unused)
{
	static const struct leak leaks[] = {
		{ { { 'V', VM("v", "label = \"M\"; introspects = \"low\", \"high\";") } },
		  "H flows down to M",
		  { { "\"high\";", "high (H) -> v (M): \"v\" introspects \"high\"" } } },
		{ { { 'V', VM("v", "label = \"M\"; introspects = \"multi\";") } },
		  "H flows down to M",
		  { { "\"multi\"; };", "inside of multi (H) -> v (M): \"v\" introspects \"multi\"" } } },
		{ { { 'V', VM("v", "label = \"H\"; controls = \"high\", \"low\";") } },
		  "H flows down to L",
		  { { "\"low\"; };", "v (H) -> low (L): \"v\" controls \"low\": stops and starts it" } } },
		{ { { 'V', VM("v", "label = \"L\"; controls = \"high\";") } },
		  "H flows down to L",
		  { { "\"high\"; };", "high (H) -> v (L): \"v\" controls \"high\" and learns whether it runs" } } },
		{ { { 'V', VM("v", "label = \"H\"; reads-audit = \"*\";") } },
		  "M a flows across to H",
		  { { "\"*\"", "alpha (M a) -> v (H): \"v\" reads the audit records of \"alpha\"" } } },
		{ { { 'V', VM("v", "label = \"M\"; attests = \"middle\", \"beta\";") } },
		  "M b flows down to M",
		  { { "\"beta\"; };", "beta (M b) -> v (M): \"v\" attests \"beta\"" } } },
	};
	(void)unused;

	expect_leaks(leaks, sizeof(leaks) / sizeof(leaks[0]));
}

static void what_does_not_flow_down_is_allowed(void **unused)
{
	static const struct insertion good[][2] = {
		{ { 'V',
		    VM("v",
		       "label = \"H\", \"a\", \"b\"; introspects = \"*\"; reads-audit = \"*\"; attests = \"*\";") } },
		{ { 'V', VM("v", "label = \"L\"; reads-audit = \"low\"; attests = \"low\"; controls = \"multi\";") } },
		{ { 'V', VM("v", "label = \"H\"; trusted-low = \"L\"; trusted-high = \"H\"; introspects = \"sw\"; "
			       "reads-audit = \"multi\"; attests = \"sw\"; controls = \"multi\", \"sw\";") } },
		{ { 'V', VM("v", "guard { from = \"in\"; to = \"out\"; };") },
		  { 'C', "\t\tin { vm = \"high\"; device = \"x\"; service = \"v\"; service-device = \"y\"; };\n"
			 "\t\tout { vm = \"v\"; device = \"x\"; service = \"low\"; service-device = \"y\"; };\n" } },
		{ { 'V', VM("v", "guard { from = \"up\"; to = \"n\"; };") },
		  { 'N',
		    "\t\tn { label = \"L\"; ports { v { vm = \"v\"; device = \"net1\"; mac = \"02:00:00:00:00:09\"; "
		    "ip = \"10.0.9.1\"; }; }; };\n" } },
		{ { 'D', PCI("d", "01:00.0", "vm = \"high\"; label = \"H\"; iommu-group = <3>; interrupt-line = <3>;")
				 PCI("e", "01:00.1", "vm = \"high\"; label = \"H\"; iommu-group = <3>;")
					 PCI("f", "02:00.0", "vm = \"multi\"; label = \"M\"; iommu-group = <4>;") } },
		{ { 'S', "\t\tcontrol { vm = \"multi\"; device = \"ctl\"; };\n" } },
	};
	(void)unused;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct rig *rig = rig_begin(good[i]);
		if (rig->report.errors)
			fail_msg("%s", rig->report.text);
		rig_end(rig);
	}
}

/* A channel gets the join of what its ends send, the control channel too; a declared label stays. */
static void links_get_the_labels_of_the_certificate(void **unused)
{
	static const struct insertion insertions[2] = {
		{ 'S', "\t\tcontrol { vm = \"multi\"; device = \"ctl\"; };\n" },
		{ 'C', "\t\tc { vm = \"high\"; device = \"x\"; service = \"multi\"; service-device = \"y\"; };\n"
		       "\t\td { vm = \"sw\"; device = \"x\"; service = \"multi\"; service-device = \"z\"; label = "
		       "\"M\"; };\n" },
	};
	struct rig *rig = rig_begin(insertions);
	const struct policy_link *links = rig->policy.links;
	(void)unused;

	if (rig->report.errors)
		fail_msg("%s", rig->report.text);
	assert_int_equal(rig->policy.link_count, 5);
	assert_int_equal(links[0].label.level, 2); /* the port on "up" */
	assert_int_equal(links[1].label.level, 0); /* the control channel */
	assert_int_equal(links[2].label.level, 1); /* "fine" */
	assert_int_equal(links[3].label.level, 2);
	assert_int_equal(links[4].label.level, 1);
	rig_end(rig);
}

/* --- the picture -------------------------------------------------------------------------------------------------- */

static char *picture_of(const struct insertion insertions[2])
{
	struct rig *rig = rig_begin(insertions);
	char path[64], why[512];
	size_t size;

	snprintf(path, sizeof(path), "%s/p.dot", key_folder);
	assert_true(graph_write(&rig->policy, "p.dts", path));
	char *bytes = file_load(path, 1u << 20, &size, why, sizeof(why));
	assert_non_null(bytes);
	char *text = memory_text(bytes, size);
	free(bytes);
	rig_end(rig);
	return text;
}

static void the_picture_shows_the_path(void **unused)
{
	static const struct insertion leak[2] = {
		{ 'C', "\t\tc { vm = \"high\"; device = \"x\"; service = \"low\"; service-device = \"y\"; };\n" }
	};
	static const struct insertion none[2] = { { 0, NULL }, { 0, NULL } };
	char *red = picture_of(leak), *again = picture_of(leak), *clean = picture_of(none);
	(void)unused;

	assert_string_equal(red, again);
	assert_non_null(strstr(red, "H flows down to L"));
	assert_non_null(strstr(red, "hop 1-2"));
	assert_non_null(strstr(clean, "nothing flows down"));
	assert_null(strstr(clean, "hop"));
	assert_non_null(strstr(clean, "<b>high</b>"));
	assert_non_null(strstr(clean, "network <b>up</b>"));
	free(red);
	free(again);
	free(clean);
}

/* Six VMs with one port each on one network are one shape, unless one of them is on the path. */
static void vms_that_differ_only_by_name_are_one_shape(void **unused)
{
	char vms[1024] = "", ports[2048] = "\t\tn { label = \"L\"; ports {\n";
	(void)unused;

	for (unsigned i = 0; i < 6; i++) {
		sprintf(vms + strlen(vms), "\t\tv%u { label = \"L\"; memory = \"2M\"; cpus = <0>; };\n", i);
		sprintf(ports + strlen(ports),
			"\t\tv%u { vm = \"v%u\"; device = \"n\"; mac = \"02:00:00:00:01:0%u\"; ip = \"10.0.9.%u\"; "
			"};\n",
			i, i, i, i);
	}
	strcat(ports, "\t\t}; };\n");
	struct insertion insertions[2] = { { 'V', vms }, { 'N', ports } };
	char *text = picture_of(insertions);
	assert_non_null(strstr(text, "<b>v0</b> .. <b>v5</b><br/><font point-size=\"10\">6 VMs alike</font>"));
	free(text);
	strcpy(strstr(vms, "v5 { label = \"L\""), "v5 { label = \"M\"; memory = \"2M\"; cpus = <0>; };\n");
	text = picture_of(insertions);
	assert_non_null(strstr(text, "<b>v0</b> .. <b>v4</b><br/><font point-size=\"10\">5 VMs alike</font>"));
	assert_non_null(strstr(text, "<b>v5</b>>"));
	free(text);
}

static const char head[] = "// SPDX-License-Identifier: Apache-2.0\n";

static void write_golden(const char *path, const char *bytes, size_t size)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(head, out);
	fwrite(bytes, 1, size, out);
	assert_int_equal(fclose(out), 0);
}

/* The corpus's good policies: their pictures are those beside them; POLICY_CORPUS=write writes them instead. */
static void pictures_are_as_they_were(void **unused)
{
	static const char *const names[] = { "base", "least", "platform", "rules" };
	char source[64], golden[64], path[64], why[512];
	size_t size, golden_size;
	(void)unused;

	snprintf(path, sizeof(path), "%s/p.dot", key_folder);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct policy policy = { 0 };
		struct report report = { 0 };
		snprintf(source, sizeof(source), "tests/policy/good/%s.dts", names[i]);
		snprintf(golden, sizeof(golden), "tests/policy/good/%s.dot", names[i]);
		struct node *root = source_read(source, &report);
		assert_non_null(root);
		model_read(&policy, root, "tests/policy/keys", &report);
		assert_int_equal(report.errors, 0);
		assert_true(graph_write(&policy, source, path));
		char *bytes = file_load(path, 1u << 20, &size, why, sizeof(why));
		assert_non_null(bytes);
		if (getenv("POLICY_CORPUS"))
			write_golden(golden, bytes, size);
		char *expected = file_load(golden, 1u << 20, &golden_size, why, sizeof(why));
		if (!expected || golden_size != size + sizeof(head) - 1 ||
		    memcmp(bytes, expected + sizeof(head) - 1, size))
			fail_msg("%s: expected the picture as it was; look at it, then POLICY_CORPUS=write", golden);
		free(bytes);
		free(expected);
		policy_free(&policy);
		source_free(root);
		report_free(&report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(devices),
		cmocka_unit_test(channels),
		cmocka_unit_test(rights),
		cmocka_unit_test(what_does_not_flow_down_is_allowed),
		cmocka_unit_test(links_get_the_labels_of_the_certificate),
		cmocka_unit_test(the_picture_shows_the_path),
		cmocka_unit_test(vms_that_differ_only_by_name_are_one_shape),
		cmocka_unit_test(pictures_are_as_they_were),
	};

	return cmocka_run_group_tests(tests, key_folder_make, key_folder_remove);
}
