/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of lzr-policy.  A small good policy is changed in one place at a time; each change must be refused at its
 * own line with its own words.  dtc really runs; manifests are facts made up here.
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

#include <lazaret/link.h>

#include "key_folder.h"
#include "policy.h"

static const char base[] =
	"/dts-v1/;\n"
	"/ {\n"
	"	compatible = \"lazaret,policy-source-1\";\n"
	"	version = <7>;\n"
	"	levels = \"LOW\", \"HIGH\";\n"
	"	categories = \"alpha\", \"beta\";\n"
	"	machine { memory = \"512M\"; cpus = <2>; };\n"
	"	vms {\n"
	"		switch {\n"
	"			label = \"HIGH\"; trusted-low = \"LOW\"; "
	"trusted-high = \"HIGH\", \"alpha\", \"beta\";\n"
	"			memory = \"64M\"; cpus = <0>; service;\n"
	"		};\n"
	"		attestor {\n"
	"		label = \"HIGH\"; trusted-low = \"LOW\"; trusted-high = \"HIGH\", \"alpha\", \"beta\";\n"
	"			memory = \"64M\"; cpus = <1>; service; attests = \"*\"; controls = \"switch\";\n"
	"		};\n"
	"		red {\n"
	"			label = \"HIGH\";\n"
	"			memory = \"64M\"; cpus = <0>;\n"
	"		};\n"
	"		blue {\n"
	"			label = \"LOW\";\n"
	"			memory = \"64M\"; cpus = <1>;\n"
	"		};\n"
	"	};\n"
	"	devices {\n"
	"		nic0 {\n"
	"			pci = \"01:00.0\"; id = <0x8086 0x10d3>; reset = \"bus\"; vm = \"switch\"; slot = "
	"<2>;\n"
	"			label = \"LOW\";\n"
	"		};\n"
	"		tpm {\n"
	"			mmio = <0 0xfed40000 0 0x1000>; vm = \"attestor\";\n"
	"			label = \"HIGH\";\n"
	"		};\n"
	"	};\n"
	"	networks {\n"
	"		secret {\n"
	"			label = \"HIGH\";\n"
	"			ports {\n"
	"				red { vm = \"red\"; device = \"net0\"; mac = \"02:00:00:00:00:01\"; ip = "
	"\"10.0.1.1\"; };\n"
	"			};\n"
	"		};\n"
	"		outside {\n"
	"			label = \"LOW\";\n"
	"			uplink = \"nic0\";\n"
	"			gateway = \"10.0.2.2\";\n"
	"			ports {\n"
	"				blue { vm = \"blue\"; device = \"net0\"; mac = \"02:00:00:00:00:02\"; ip = "
	"\"10.0.2.1\"; };\n"
	"			};\n"
	"		};\n"
	"	};\n"
	"	switch {\n"
	"		vm = \"switch\"; device = \"ports\";\n"
	"		quarantine { verifier = \"v.lzrkey\"; lease-max = \"60s\"; nonce-interval = \"500ms\"; };\n"
	"		infrastructure {\n"
	"			attestor {\n"
	"				vm = \"attestor\"; device = \"net0\"; network = \"outside\";\n"
	"				mac = \"02:00:00:00:00:03\"; ip = \"10.0.2.3\";\n"
	"				endpoints { verifier { ip = \"10.0.2.100\"; protocol = \"tcp\"; port = <4433>; "
	"}; };\n"
	"			};\n"
	"		};\n"
	"		control { vm = \"attestor\"; device = \"control\"; };\n"
	"	};\n"
	"	channels {\n"
	"		red { vm = \"red\"; device = \"chan0\"; service = \"attestor\"; service-device = \"red\"; };\n"
	"	};\n"
	"};\n";

struct rig {
	struct node *root;
	struct policy policy;
	struct report report;
};

static void add_device(struct facts *facts, const char *name, unsigned id, unsigned pairs, bool service, int mac)
{
	struct fact_device *device = &facts->devices[facts->device_count++];

	strcpy(device->name, name);
	device->kind = FACT_VDEV;
	device->virtio_id = id;
	device->pairs = pairs;
	device->service = service;
	device->has_mac = mac >= 0;
	device->mac[0] = 2;
	device->mac[5] = (uint8_t)mac;
}

static void add_place(struct facts *facts, const char *name, unsigned slot, uint64_t gpa)
{
	struct fact_device *device = &facts->devices[facts->device_count++];

	strcpy(device->name, name);
	device->kind = gpa ? FACT_MMIO : FACT_ASSIGN;
	device->slot = slot;
	device->gpa = gpa;
	device->length = 0x1000;
}

static void make_facts(struct policy_vm *vm)
{
	struct facts *facts = calloc(1, sizeof(*facts));

	assert_non_null(facts);
	vm->facts = facts;
	strcpy(facts->image, vm->image);
	facts->memory = 64u << 20;
	facts->vcpus = 1;
	memset(facts->measurement, vm->name[0], LZR_DIGEST_SIZE);
	if (!strcmp(vm->name, "switch")) {
		add_device(facts, "ports", LZR_VIRTIO_PCI_LINK, 4, true, -1);
		add_place(facts, "nic0", 2, 0);
	} else if (!strcmp(vm->name, "attestor")) {
		add_device(facts, "net0", LZR_VIRTIO_PCI_NET, 1, false, 3);
		add_device(facts, "control", LZR_VIRTIO_PCI_NET, 1, true, 100);
		add_device(facts, "red", LZR_VIRTIO_PCI_NET, 1, true, 101);
		add_place(facts, "tpm", 0, 0xfed40000);
	} else {
		add_device(facts, "net0", LZR_VIRTIO_PCI_NET, 1, false, vm->name[0] == 'r' ? 1 : 2);
		add_device(facts, "chan0", LZR_VIRTIO_PCI_CONSOLE, 1, false, -1);
	}
}

static void write_source(const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/p.dts", key_folder);
	assert_true(file_store(path, text, strlen(text), 0600));
}

/* Everything that lzr-policy does with a source and manifests. */
static struct rig *compile(const char *text)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char path[64];

	assert_non_null(rig);
	write_source(text);
	snprintf(path, sizeof(path), "%s/p.dts", key_folder);
	rig->root = source_read(path, &rig->report);
	if (!rig->root)
		return rig;
	model_read(&rig->policy, rig->root, key_folder, &rig->report);
	if (rig->report.errors)
		return rig;
	for (unsigned i = 0; i < rig->policy.vm_count; i++)
		make_facts(&rig->policy.vms[i]);
	check_policy(&rig->policy, &rig->report);
	return rig;
}

static void rig_end(struct rig *rig)
{
	for (unsigned i = 0; i < rig->policy.vm_count; i++)
		free((void *)(uintptr_t)rig->policy.vms[i].facts);
	policy_free(&rig->policy);
	source_free(rig->root);
	report_free(&rig->report);
	free(rig);
}

struct change {
	const char *from, *to;          /* the first `from` in the base becomes `to` */
	const char *message;            /* must be reported at that line */
};

static void expect_change(const struct change *change)
{
	char text[8192], place[64], expected[600];
	const char *at = strstr(base, change->from);
	unsigned line = 1;

	if (!at)
		fail_msg("\"%s\" is not in the base", change->from);
	for (const char *p = base; p < at; p++)
		line += *p == '\n';
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base, change->to, at + strlen(change->from));
	struct rig *rig = compile(text);
	snprintf(place, sizeof(place), "/p.dts:%u:", line);
	snprintf(expected, sizeof(expected), ": error: %s", change->message);
	const char *found = rig->report.errors ? rig->report.text : "";
	while ((found = strstr(found, place)) != NULL &&
	       strncmp(strstr(found, ": error: "), expected, strlen(expected)))
		found++;
	if (!found)
		fail_msg("expected \"%s..%s\" in:\n%s", place, expected, rig->report.text);
	rig_end(rig);
}

static void expect_changes(const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_change(&changes[i]);
}

static void test_good(void **state)
{
	size_t size, again;
	(void)state;

	struct rig *rig = compile(base), *twin = compile(base);
	if (rig->report.errors)
		fail_msg("%s", rig->report.text);
	void *dtb = emit_policy(&rig->policy, &size), *other = emit_policy(&twin->policy, &again);
	assert_non_null(dtb);
	assert_non_null(other);
	assert_int_equal(size, again);
	assert_memory_equal(dtb, other, size);
	assert_int_equal(fdt_check_full(dtb, size), 0);
	assert_string_equal(fdt_getprop(dtb, 0, "compatible", NULL), LZR_POLICY_COMPATIBLE);
	int red = fdt_path_offset(dtb, "/vms/red@2"), link = fdt_path_offset(dtb, "/links/link@3");
	assert_true(red > 0 && link > 0);
	assert_memory_equal(fdt_getprop(dtb, red, "measurement", NULL), rig->policy.vms[2].facts->measurement, 48);
	assert_string_equal(fdt_getprop(dtb, link, "a-device", NULL), "control");
	assert_int_equal(fdt32_ld(fdt_getprop(dtb, link, "b-pair", NULL)), 3);
	assert_true(fdt_path_offset(dtb, "/links/link@4") > 0);
	assert_true(fdt_path_offset(dtb, "/links/link@5") < 0);
	assert_int_equal(fdt32_ld(fdt_getprop(dtb, fdt_path_offset(dtb, "/networks/outside@1"), "uplink", NULL)), 0);
	free(dtb);
	free(other);
	rig_end(rig);
	rig_end(twin);
}

static void test_switch_configuration(void **state)
{
	struct lzr_switch_header header;
	struct lzr_switch_uplink uplink;
	struct lzr_switch_port ports[3];
	struct lzr_switch_endpoint endpoint;
	size_t size;
	(void)state;

	struct rig *rig = compile(base);
	uint8_t *block = emit_switch(&rig->policy, &size);
	assert_non_null(block);
	memcpy(&header, block, sizeof(header));
	assert_string_equal(header.magic, LZR_SWITCH_MAGIC);
	assert_int_equal(header.size, size);
	assert_int_equal(header.network_count, 2);
	assert_int_equal(header.uplink_count, 1);
	assert_int_equal(header.port_count, 3);
	assert_int_equal(header.endpoint_count, 1);
	assert_int_equal(header.control_pair, 3);
	assert_int_equal(header.nonce_interval_ns, 500000000);
	assert_memory_equal(header.verifiers[0].x, rig->policy.keys[0].x, 48);
	uint8_t *at = block + sizeof(header) + 2 * sizeof(struct lzr_switch_network);
	memcpy(&uplink, at, sizeof(uplink));
	assert_int_equal(uplink.slot, 2);
	assert_int_equal(uplink.network, 1);
	memcpy(ports, at + sizeof(uplink), sizeof(ports));
	assert_int_equal(ports[2].kind, LZR_PORT_ATTESTOR);
	assert_int_equal(ports[1].vm, 3);
	assert_int_equal(ports[1].gateway[3], 2);
	assert_int_equal(ports[0].gateway[3], 0);
	memcpy(&endpoint, at + sizeof(uplink) + sizeof(ports), sizeof(endpoint));
	assert_int_equal(endpoint.port, 2);
	assert_int_equal(endpoint.protocol, 6);
	assert_int_equal(endpoint.l4port, 4433);
	assert_int_equal(at + sizeof(uplink) + sizeof(ports) + sizeof(endpoint) - block, size);
	free(block);
	rig_end(rig);
}

static void test_source(void **state)
{
	static const struct change changes[] = {
		{ "version = <7>", "colour = \"red\"; version = <7>", "unknown property \"colour\" in node \"/\"" },
		{ "	channels {", "	tunnels { }; channels {", "unknown node \"tunnels\" in node \"/\"" },
		{ "attests = \"*\";", "atests = \"*\";", "unknown property \"atests\" in node \"attestor\"" },
		{ "lazaret,policy-source-1", "lazaret,policy-source-2",
		  "compatible: expected \"lazaret,policy-source-1\"" },
		{ "attests = \"*\";", "attests = <1>;", "attests: expected one or more texts in \"\", found numbers" },
		{ "cpus = <2>;", "cpus = \"two\";", "cpus: expected a number in <>, found \"two\"" },
		{ "\"alpha\", \"beta\"", "\"alpha\", \"alpha\"", "categories: \"alpha\" is listed twice" },
		{ "memory = \"512M\"", "memory = \"512T\"", "memory: expected a size such as \"64M\"" },
		{ "pci = \"01:00.0\"", "pci = \"1:0.0\"", "pci: expected bus:device.function" },
		{ "reset = \"bus\"", "reset = \"none\"", "reset: expected \"flr\" or \"bus\", found \"none\"" },
		{ "ip = \"10.0.1.1\"", "ip = \"10.0.1\"", "ip: expected an IPv4 address" },
		{ "ip = \"10.0.1.1\"", "ip = \"10.0.1.256\"", "ip: expected an IPv4 address" },
		{ "02:00:00:00:00:01", "03:00:00:00:00:01", "mac: expected a unicast MAC address" },
		{ "protocol = \"tcp\"", "protocol = \"sctp\"", "protocol: expected \"tcp\" or \"udp\"" },
		{ "port = <4433>", "port = <70000>", "port: expected 1 to 65535, found 70000" },
		{ "lease-max = \"60s\"", "lease-max = <0>", "lease-max: expected 1 to 720h, found 0" },
		{ "v.lzrkey", "w.lzrkey", "verifier: expected a public key file" },
		{ "v.lzrkey", "../v.lzrkey", "verifier: expected a public key file" },
		{ "0 0x1000>", "0 0x1001>", "mmio: expected whole 4 KiB pages" },
	};
	(void)state;

	expect_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

static void test_names(void **state)
{
	static const struct change changes[] = {
		{ "label = \"HIGH\";\n			memory = \"64M\"; cpus = <0>;",
		  "label = \"MIDDLE\"; memory = \"64M\"; cpus = <0>;",
		  "label: expected a level or a named label of this policy, found \"MIDDLE\"" },
		{ "label = \"LOW\";\n			memory", "label = \"LOW\", \"gamma\"; memory",
		  "label: expected a category of this policy, found \"gamma\"" },
		{ "controls = \"switch\"", "controls = \"swich\"",
		  "controls: expected a VM of this policy, or \"*\" alone for all, found \"swich\" "
		  "(did you mean \"switch\"?)" },
		{ "vm = \"red\"; device = \"net0\"", "vm = \"rot\"; device = \"net0\"",
		  "vm: expected a VM of this policy" },
		{ "uplink = \"nic0\"", "uplink = \"nic7\"",
		  "uplink: expected a device of this policy, found \"nic7\"" },
		{ "network = \"outside\"", "network = \"inside\"", "network: expected a network of this policy" },
	};
	(void)state;

	expect_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

static void test_machine(void **state)
{
	static const struct change changes[] = {
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"512M\"; cpus = <1>;\n",
		  "VM \"blue\": memory does not fit" },
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"63M\"; cpus = <1>;\n",
		  "VM \"blue\": memory: expected a multiple of 2 MiB" },
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"62M\"; cpus = <1>;\n",
		  "VM \"blue\": memory: expected its manifest's 67108864 bytes, found 65011712" },
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"64M\"; cpus = <1 0>; vcpus = <2>;\n",
		  "VM \"blue\": vcpus: expected its manifest's 1, found 2" },
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"64M\"; cpus = <1 0>;\n",
		  "cpus: expected one CPU for each of 1" },
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"64M\"; cpus = <2>;\n",
		  "VM \"blue\": cpus: expected CPUs below 2, found 2" },
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"64M\"; cpus = <1>; budget-us = <20000>;\n",
		  "VM \"blue\": CPU 1: expected budgets of at most 100%" },
		{ "memory = \"64M\"; cpus = <1>;\n", "memory = \"64M\"; cpus = <1>; budget-us = <30000>;\n",
		  "VM \"blue\": budget-us: expected at most period-us, 20000, found 30000" },
	};
	(void)state;

	expect_changes(changes, sizeof(changes) / sizeof(changes[0]));
	struct rig *rig =
		compile("/dts-v1/;\n/ {\n\tcompatible = \"lazaret,policy-source-1\";\n\tversion = <1>;\n"
			"\tlevels = \"L\", \"H\";\n\tmachine { memory = \"64M\"; cpus = <1>; };\n\tvms {\n"
			"\t\ta { label = \"H\"; trusted-low = \"L\"; memory = \"64M\"; cpus = <0>; };\n\t};\n};\n");
	assert_non_null(
		strstr(rig->report.text, "p.dts:8:34: error: VM \"a\": expected both trusted-low and trusted-high"));
	rig_end(rig);
}

static void test_devices(void **state)
{
	static const struct change changes[] = {
		{ "		tpm {",
		  "		nic1 { pci = \"01:00.0\"; id = <1 2>; reset = \"bus\"; vm = \"red\"; label = \"HIGH\"; "
		  "}; tpm {",
		  "device \"nic1\" is assigned twice: it is also device \"nic0\"" },
		{ "		tpm {",
		  "		t2 { mmio = <0 0xfed40000 0 0x1000>; vm = \"red\"; label = \"HIGH\"; }; tpm {",
		  "device \"t2\": expected a place \"t2\" for a platform device" },
		{ "slot = <2>", "slot = <3>",
		  "device \"nic0\": expected slot 2 as in the manifest of VM \"switch\", found 3" },
		{ "mmio = <0 0xfed40000 0 0x1000>", "mmio = <0 0xfed41000 0 0x1000>",
		  "device \"tpm\": expected the place's 0xfed40000" },
	};
	(void)state;

	expect_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

static void test_links(void **state)
{
	static const struct change changes[] = {
		{ "02:00:00:00:00:01", "02:00:00:00:00:09",
		  "port \"red\": expected the MAC address of \"net0\" in the manifest" },
		{ "02:00:00:00:00:02", "02:00:00:00:00:01", "port \"blue\": MAC address is also port \"red\"'s" },
		{ "ip = \"10.0.2.3\"", "ip = \"10.0.2.1\"", "port \"attestor\": IP address is also port \"blue\"'s" },
		{ "ip = \"10.0.2.1\"", "ip = \"10.0.2.2\"",
		  "port \"blue\": IP address is that of network \"outside\"'s gateway" },
		{ "vm = \"red\"; device = \"net0\"", "vm = \"red\"; device = \"chan0\"",
		  "port \"red\": expected a network device" },
		{ "gateway = \"10.0.2.2\";", "gateway = \"10.0.2.2\"; colour;",
		  "unknown property \"colour\" in node \"outside\"" },
		{ "service-device = \"red\"", "service-device = \"pink\"",
		  "link \"red\": expected a virtual device \"pink\"" },
		{ "service-device = \"red\"", "service-device = \"net0\"",
		  "link \"red\": device \"net0\" of VM \"attestor\" is already used" },
		{ "service = \"attestor\"; service-device = \"red\"", "service = \"red\"; service-device = \"net0\"",
		  "link \"red\": expected two VMs, found both ends at \"red\"" },
		{ "device = \"chan0\"; service = \"attestor\"; service-device = \"red\"",
		  "device = \"chan0\"; service = \"red\"; service-device = \"chan0\"", "link \"red\" has no backend" },
		{ "network = \"outside\"", "network = \"secret\"",
		  "infrastructure port \"attestor\": expected a network with an uplink, found \"secret\"" },
	};
	(void)state;

	expect_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

static void test_backend(void **state)
{
	char text[8192];
	const char *at = strstr(base, "	switch {\n		vm"), *end = strstr(base, "	channels {");
	(void)state;

	snprintf(text, sizeof(text), "%.*s%s", (int)(at - base), base, end);
	struct rig *rig = compile(text);
	assert_non_null(
		strstr(rig->report.text, "port \"red\": expected node \"switch\" that names its backend, found none"));
	rig_end(rig);
	at = strstr(base, " service; attests = \"*\";");
	snprintf(text, sizeof(text), "%.*s attests = \"*\";%s", (int)(at - base), base,
		 at + strlen(" service; attests = \"*\";"));
	rig = compile(text);
	assert_non_null(strstr(rig->report.text, "VM \"attestor\" serves it, expected flag \"service\" in that VM"));
	rig_end(rig);
	at = strstr(base, " attests = \"*\";");
	snprintf(text, sizeof(text), "%.*s%s", (int)(at - base), base, at + strlen(" attests = \"*\";"));
	rig = compile(text);
	assert_non_null(strstr(rig->report.text, "infrastructure port \"attestor\": expected a VM that attests"));
	rig_end(rig);
}

static void test_dtc_output(void **state)
{
	static const char *const bad[] = {
		"",
		"nonsense\n",
		"/ { /* a:1 */\n",
		"/ { /* a:1 */\n}; /* a:2 */\n}; /* a:3 */\n",
		"}; /* a:1 */\n",
		"x = <1>; /* a:1 */\n",
		"/ { /* a:1 */\nx = <1>\n}; /* a:2 */\n",
		"/ { /* a:1 */\n}; /* a:2 */\n/ { /* a:3 */\n}; /* a:4 */\n",
		"/ { /* 1 */\na { /* 1 */\na { /* 1 */\na { /* 1 */\na { /* 1 */\na { /* 1 */\na { /* 1 */\na { /* 1 "
		"*/\na { /* 1 */\n",
	};
	static const char *const odd[] = { "<1",   "<1 x>",	 "<0x100000000>", "\"a", "\"a\\n\"",
					   "[01]", "\"a\", <1>", "\"a\" \"b\"",	  "" };
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct report report = { 0 };
		char *copy = strdup(bad[i]);
		assert_null(source_parse(copy, &report));
		assert_int_equal(report.errors, 1);
		report_free(&report);
		free(copy);
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct report report = { 0 };
		char text[128];
		snprintf(text, sizeof(text), "/ { /* a:1 */\nx = %s; /* a:2:3-2:9 */\n}; /* a:3 */\n", odd[i]);
		struct node *root = source_parse(text, &report);
		assert_non_null(root);
		assert_int_equal(root->properties[0].kind, KIND_MIXED);
		assert_string_equal(place_file(root->properties[0].where), "a");
		assert_int_equal(root->properties[0].where.line, 2);
		assert_int_equal(root->properties[0].where.column, 3);
		source_free(root);
		report_free(&report);
	}
}

static void test_keys(void **state)
{
	char pem[64], pub[64], other[64];
	uint8_t signature[LZR_POLICY_SIGNATURE_SIZE], again[LZR_POLICY_SIGNATURE_SIZE], x[48], y[48];
	const char data[] = "policy";
	struct lzr_key_header header;
	char why[256];
	size_t size;
	(void)state;

	snprintf(pem, sizeof(pem), "%s/v.pem", key_folder);
	snprintf(pub, sizeof(pub), "%s/v.lzrkey", key_folder);
	snprintf(other, sizeof(other), "%s/o", key_folder);
	assert_true(key_sign(pem, NULL, NULL, data, sizeof(data), signature));
	assert_true(key_sign(pem, NULL, NULL, data, sizeof(data), again));
	assert_memory_equal(signature, again, sizeof(signature));
	assert_true(key_verify(pub, data, sizeof(data), signature));
	assert_false(key_verify(pub, data, sizeof(data) - 1, signature));
	signature[95] ^= 1;
	assert_false(key_verify(pub, data, sizeof(data), signature));
	memset(signature, 0, sizeof(signature));
	assert_false(key_verify(pub, data, sizeof(data), signature));
	assert_true(key_file_generate(other, false));
	snprintf(other, sizeof(other), "%s/o.lzrkey", key_folder);
	assert_false(key_verify(other, data, sizeof(data), again));
	uint8_t *file = file_load(pub, 4096, &size, why, sizeof(why));
	assert_non_null(file);
	memcpy(&header, file, sizeof(header));
	assert_int_equal(header.flags, LZR_KEY_DEVELOPMENT);
	assert_int_equal(header.der_length, size - sizeof(header));
	file[8] = 2;
	assert_true(file_store(other, file, size, 0600));
	assert_false(key_file_point(other, x, y));
	file[8] = 1;
	assert_true(file_store(other, file, size - 1, 0600));
	assert_false(key_file_point(other, x, y));
	file[size - 1] ^= 1;
	assert_true(file_store(other, file, size, 0600));
	assert_false(key_file_point(other, x, y));
	free(file);
}

static void test_manifest_facts(void **state)
{
	struct facts facts;
	char why[256];
	uint8_t junk[64] = { 0xd0, 0x0d, 0xfe, 0xed };
	(void)state;

	assert_false(facts_parse("", 0, &facts, why, sizeof(why)));
	assert_false(facts_parse(junk, sizeof(junk), &facts, why, sizeof(why)));
	assert_non_null(strstr(why, "expected a manifest"));
	assert_false(facts_read("none", (const char *const[]){ key_folder }, 1, &facts, why, sizeof(why)));
	assert_non_null(strstr(why, "none.manifest is in none of the 1 folder(s)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_switch_configuration), cmocka_unit_test(test_source),
		cmocka_unit_test(test_names), cmocka_unit_test(test_machine), cmocka_unit_test(test_devices),
		cmocka_unit_test(test_links), cmocka_unit_test(test_backend),
		cmocka_unit_test(test_dtc_output), cmocka_unit_test(test_keys), cmocka_unit_test(test_manifest_facts),
	};

	return cmocka_run_group_tests(tests, key_folder_make, key_folder_remove);
}
