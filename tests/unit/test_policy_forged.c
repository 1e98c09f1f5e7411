/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies as a compiler would write them that lies: signed, labels as the author gave them, and somewhere one thing
 * that would let data flow down, or that its readers could take in two ways.  One row per trick, done to one good
 * policy; the hypervisor must refuse each and say why.
 */
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "images.h"
#include "plat_fake.h"
#include "policy_rig.h"
#include "tree.h"

/* In the order of their numbers.  Labels: low is (0), secret (1, A). */
#define RED "/vms/red@0"                /* secret */
#define SW "/vms/switch@1"              /* low to (1, A B), service */
#define VISITOR "/vms/visitor@2"        /* low */
#define GUARD "/vms/guard@3"            /* low to secret */
#define NIC0 "/devices/nic@0"           /* the switch's, secret */
#define NIC1 "/devices/nic@1"           /* the switch's, low */
#define TPM "/devices/tpm@2"            /* red's */
#define SECRET "/networks/secret@0"     /* uplink nic@0 */
#define GUEST "/networks/guest@1"       /* uplink nic@1 */
#define PORT0 "/links/link@0"           /* red to switch, secret */
#define PORT1 "/links/link@1"           /* visitor to switch, guest */
#define CHANNEL2 "/links/link@2"        /* red to guard */
#define CHANNEL3 "/links/link@3"        /* visitor to guard */

static const unsigned low[] = { 0, 0 }, secret[] = { 1, 1 }, all[] = { 1, 3 };
static const uint8_t pinned[LZR_DIGEST_SIZE] = { 0x11 };

static void images(void)
{
	policy_rig_images();
	memset(policy_rig_image[0].measurement, 0, LZR_DIGEST_SIZE);
	policy_rig_image[0].measurement[0] = policy_rig_image[1].measurement[0] = 0x11;
	policy_rig_image[0].vdevs[0].queues = 8;
	policy_rig_image[0].assigns[0].class_code = policy_rig_image[1].assigns[0].class_code = 0x020000;
	policy_rig_image[1].assigns[1].class_code = 0x028000;
	policy_rig_image[1].assign_count = 2;
	strcpy(policy_rig_image[1].assigns[1].name, "nic1");
}

static void vm(const char *path, const char *image, const unsigned from[2], const unsigned to[2])
{
	bool is_switch = !strcmp(image, "switch");

	policy_rig_vm(path, image, is_switch ? 0x2000000 : 0x4000000, is_switch ? 1 : 2, 0);
	tree_bytes(path, "measurement", pinned, sizeof(pinned));
	tree_cells(path, "label", 3, to[0], 0, to[1]);
	if (from != to)
		tree_cells(path, "trusted-range", 6, from[0], 0, from[1], to[0], 0, to[1]);
}

static void link(const char *path, unsigned a, unsigned a_pair, unsigned b, unsigned b_pair, const unsigned label[2])
{
	tree_node(path);
	tree_cells(path, "a", 1, a);
	tree_text(path, "a-device", "net0");
	tree_cells(path, "a-pair", 1, a_pair);
	tree_cells(path, "b", 1, b);
	tree_text(path, "b-device", b == 1 ? "ports" : "net0");
	tree_cells(path, "b-pair", 1, b_pair);
	tree_cells(path, "label", 3, label[0], 0, label[1]);
}

static void nic(const char *path, const char *place, unsigned number, const unsigned label[2])
{
	tree_node(path);
	tree_cells(path, "pci", 3, number + 1, 0, 0);
	tree_cells(path, "id", 2, 0x8086, 0x10d3);
	tree_cells(path, "vm", 1, 1);
	tree_text(path, "name", place);
	tree_text(path, "reset", "bus");
	tree_cells(path, "label", 3, label[0], 0, label[1]);
}

static void network(const char *path, unsigned uplink, const unsigned label[2])
{
	tree_node(path);
	tree_cells(path, "label", 3, label[0], 0, label[1]);
	tree_cells(path, "uplink", 1, uplink);
}

/* A new node comes first among its siblings: what is number 0 is made last. */
static void build(void)
{
	images();
	tree_start();
	tree_text("/", "compatible", LZR_POLICY_COMPATIBLE);
	tree_cells("/", "version", 2, 0, 7);
	tree_bytes("/", "levels", "LOW\0HIGH", 9);
	tree_bytes("/", "categories", "A\0B", 4);
	tree_node("/links");
	link(CHANNEL3, 2, 1, 3, 1, low);
	link(CHANNEL2, 0, 1, 3, 0, secret);
	link(PORT1, 2, 0, 1, 3, low);
	tree_cells(PORT1, "network", 1, 1);
	link(PORT0, 0, 0, 1, 2, secret);
	tree_cells(PORT0, "network", 1, 0);
	tree_node("/networks");
	network(GUEST, 1, low);
	network(SECRET, 0, secret);
	tree_node("/devices");
	tree_node(TPM);
	tree_cells(TPM, "mmio", 4, 0, 0xfed40000, 0, 0x1000);
	tree_cells(TPM, "vm", 1, 0);
	tree_text(TPM, "name", "tpm");
	tree_cells(TPM, "label", 3, 1, 0, 1);
	nic(NIC1, "nic1", 1, low);
	nic(NIC0, "nic0", 0, secret);
	tree_node("/vms");
	vm(GUARD, "linux", low, secret);
	vm(VISITOR, "linux", low, low);
	vm(SW, "switch", low, all);
	tree_flag(SW, "service");
	vm(RED, "linux", secret, secret);
}

struct change {
	const char *path, *name;
	enum { NOTHING, CELLS, BYTES, FLAG, DROP, NODE } kind;
	unsigned count;
	uint32_t cells[6];
	const char *bytes;
};

#define ARGUMENTS(...) (sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
#define SET(path, name, ...) { path, name, CELLS, ARGUMENTS(__VA_ARGS__), { __VA_ARGS__ }, NULL }
#define TEXT(path, name, text) { path, name, BYTES, sizeof(text), { 0 }, text }
#define MARK(path, name) { path, name, FLAG, 0, { 0 }, NULL }
#define CUT(path, name) { path, name, DROP, 0, { 0 }, NULL }
#define ADD(path) { path, NULL, NODE, 0, { 0 }, NULL }

static const struct {
	const char *trick;
	struct change changes[4];
	const char *said;
} rows[] = {
	/* links */
	{ "a channel leads to another VM", { SET(CHANNEL2, "b", 2), SET(CHANNEL2, "b-pair", 2) },
	  "channel: would flow down from link with red (level 1, categories 1) to VM visitor (level 0" },
	{ "the same, at the lower label", { SET(CHANNEL2, "b", 2), SET(CHANNEL2, "b-pair", 2),
	  SET(CHANNEL2, "label", 0, 0, 0) }, "channel: would flow down from VM red (level 1, categories 1) to link" },
	{ "a port of a low label", { SET(PORT0, "label", 0, 0, 0) }, "port: would flow down from VM red" },
	{ "a port on a low network", { SET(PORT0, "network", 1), MARK(NIC0, "bypasses-firewall") },
	  "port: would flow down from link with switch" },
	{ "a low VM on a secret network", { SET(PORT1, "network", 0), MARK(NIC1, "bypasses-firewall") },
	  "would flow down from network secret" },
	{ "port and label of the network below", { SET(PORT0, "network", 1), SET(PORT0, "label", 0, 0, 0),
	  MARK(NIC0, "bypasses-firewall") },
	  "port: would flow down from VM red" },
	{ "a channel that is a port of a low network", { SET(CHANNEL2, "network", 1) },
	  "port: would flow down from link with guard" },
	{ "a port that is a channel, for the visitor's pair", { CUT(PORT1, "network"), SET(PORT1, "a", 0),
	  SET(PORT1, "a-pair", 2), MARK(NIC1, "bypasses-firewall") }, "channel: would flow down from VM red" },
	{ "a port above the switch", { SET(PORT0, "label", 1, 1u << 31, 1) }, "label: categories 0x8000000000000001" },
	{ "a pair shared by two ports", { SET(PORT1, "b-pair", 2) }, "queue pair is that of link 0" },
	{ "a pair shared from the other side", { SET(PORT1, "a", 1), TEXT(PORT1, "a-device", "ports"),
	  SET(PORT1, "a-pair", 2), SET(PORT1, "b", 3) }, "queue pair is that of link 0" },
	{ "both ends on one pair", { SET(CHANNEL2, "b", 0) }, "queue pair is that of link" },
	{ "a VM with itself", { SET(CHANNEL2, "b", 0), SET(CHANNEL2, "b-pair", 3) }, "both ends are VM 0" },
	{ "a pair that is not there", { SET(PORT0, "b-pair", 0x80000002) }, "pair 2147483650 of 4" },
	{ "a service end for whom no reviewer sees it", { CUT(SW, "service") }, "is no service VM" },
	{ "a network that is not there", { SET(PORT0, "network", 2) }, "network 2 of 2" },
	{ "a channel by the number that means none", { SET(PORT0, "network", ~0u) }, "network 4294967295 of 2" },
	/* networks and devices; a function given twice is found when it is located: test_assign.c */
	{ "a network of a low label", { SET(SECRET, "label", 0, 0, 0) }, "uplink: would flow down from device nic0" },
	{ "a low network with a secret card", { SET(GUEST, "uplink", 0), MARK(NIC1, "bypasses-firewall") },
	  "uplink: would flow down from device nic0" },
	{ "a secret network with a low card", { SET(SECRET, "uplink", 1), MARK(NIC0, "bypasses-firewall") },
	  "uplink: would flow down from network" },
	{ "two networks on one card", { SET(GUEST, "label", 1, 0, 1), SET(GUEST, "uplink", 0),
	  CUT(PORT1, "network"), MARK(NIC1, "bypasses-firewall") }, NULL },
	{ "a network and its card a label lower", { SET(SECRET, "label", 0, 0, 0), SET(NIC0, "label", 0, 0, 0) },
	  "port: would flow down from link with switch" },
	{ "a low card for red", { SET(NIC1, "vm", 0), TEXT(NIC1, "name", "nvme0"), MARK(NIC1, "bypasses-firewall") },
	  "assigned device: would flow" },
	{ "red's own card, called an uplink", { SET(NIC0, "vm", 0), TEXT(NIC0, "name", "nvme0") },
	  "nvme0: a network card that is no network's uplink" },
	{ "the visitor's, called an uplink", { SET(NIC1, "vm", 2), TEXT(NIC1, "name", "nvme0") },
	  "nvme0: a network card that is no network's uplink" },
	{ "a service VM's that is not the switch", { SET(NIC1, "vm", 2), TEXT(NIC1, "name", "nvme0"),
	  MARK(VISITOR, "service") }, "nvme0: a network card that is no network's uplink" },
	{ "the switch's, of a network that it does not serve", { CUT(PORT1, "network") },
	  "nic1: a network card that is no network's uplink" },
	{ "red's device of a low label", { SET(TPM, "label", 0, 0, 0) }, "assigned device: would flow down from VM" },
	{ "red's device for the visitor", { SET(TPM, "vm", 2) }, "assigned device: would flow down from device tpm" },
	{ "a bus whose low bits are another's", { SET(NIC1, "pci", 257, 0, 0) }, "out of range" },
	{ "a device number that runs into the bus", { SET(NIC1, "pci", 0, 32, 0) }, "out of range" },
	{ "one page for two VMs", { ADD("/devices/more@3"), SET("/devices/more@3", "vm", 2) }, "missing" },
	{ "registers across the end of the address space", { SET(TPM, "mmio", ~0u, 0xfffff000, 0, 0x2000) },
	  "is not whole pages" },
	{ "registers that are everything", { SET(TPM, "mmio", 0, 0x1000, ~0u, 0xfffff000) }, "is not whole pages" },
	{ "more registers than the image says", { SET(TPM, "mmio", 0, 0xfed40000, 0, 0x5000) },
	  "5000 bytes, the place" },
	{ "two ways to a function", { { NIC1, "location", BYTES, 2, { 0 }, "\x10\0" } }, "either pci or location" },
	{ "no way to it", { CUT(NIC1, "pci"), MARK(NIC1, "location") },
	  "location: expected up to 8 steps, found none" },
	{ "two devices in one place", { TEXT(NIC1, "name", "nic0") }, "two devices for place nic0" },
	{ "a function in a place for registers", { SET(NIC1, "vm", 2), TEXT(NIC1, "name", "tpm") }, "has no place" },
	{ "an uplink that is not there", { SET(SECRET, "uplink", 3) }, "uplink: device 3 of 3" },
	/* rights */
	{ "the visitor introspects red", { SET(VISITOR, "introspects", 0) },
	  "introspects: would flow down from VM red" },
	{ "behind a harmless one", { SET(VISITOR, "introspects", 2, 2, 0) }, "introspects: would flow down" },
	{ "it attests red", { SET(VISITOR, "attests", 0) }, "attests: would flow down from VM red" },
	{ "it reads red's audit", { SET(VISITOR, "reads-audit", 0) }, "reads-audit: would flow down from VM red" },
	{ "it introspects the guard", { SET(VISITOR, "introspects", 3) },
	  "introspects: would flow down from VM guard" },
	{ "it reads the switch's audit", { SET(VISITOR, "reads-audit", 1) }, "reads-audit: would flow down" },
	{ "red stops it", { SET(RED, "controls", 2) }, "controls: would flow down from VM red" },
	{ "red stops the guard, which it sees", { SET(RED, "controls", 3) }, "controls: would flow down from VM red" },
	{ "it stops red", { SET(VISITOR, "controls", 0) }, "controls: would flow down" },
	{ "a right over a VM to come", { SET(VISITOR, "attests", 4) }, "attests a VM that is not there" },
	{ "a number that wraps to red's", { SET(VISITOR, "attests", 64) }, "attests: VM 64" },
	{ "a number that wraps to red's in 32 bits", { SET(VISITOR, "attests", 0x80000000) }, "VM 2147483648" },
	/* labels */
	{ "a level beyond the names", { SET(RED, "label", 2, 0, 1) }, "label: level 2 of 2" },
	{ "a level that wraps to low", { SET(RED, "label", 256, 0, 1) }, "expected a level up to 255, found 256" },
	{ "a category beyond the names", { SET(RED, "label", 1, 0, 5) }, "label: categories 0x5 of 2" },
	{ "a category of the upper word", { SET(RED, "label", 1, 1, 1) }, "label: categories 0x100000001 of 2" },
	{ "a range that wraps", { SET(SW, "trusted-range", 256, 0, 0, 1, 0, 3) }, "level above 255" },
	{ "a range backwards", { SET(SW, "trusted-range", 1, 0, 3, 0, 0, 0) }, "does not include the label" },
	{ "a range beside the label", { SET(GUARD, "trusted-range", 0, 0, 2, 1, 0, 3) }, "does not include the label" },
	{ "a range with categories of nobody", { SET(SW, "trusted-range", 0, 0, 0, 1, 1u << 31, 3) }, "of 2" },
	{ "no names of levels", { TEXT("/", "levels", "") }, "label: level 1 of 1" },
	{ "names that do not end", { { "/", "levels", BYTES, 8, { 0 }, "LOW\0HIGH" } }, "with its terminating zero" },
	{ "trust without a known image", { CUT(GUARD, "measurement"), MARK(GUARD, "measure-only") },
	  "VM guard: trusted over a range of labels: expected a pinned measurement" },
	{ "a known image and none", { MARK(GUARD, "measure-only") }, "expected either measurement or measure-only" },
	/* names, numbers, shapes */
	{ "a name that writes on the console", { ADD("/vms/re\x1b[2Jd@4") }, "expected a node name" },
	{ "a name that ends a line", { ADD("/vms/red\n@4") }, "expected a node name" },
	{ "a name that looks like another", { ADD("/vms/r\xd0\xb5" "d@4") }, "expected a node name" },
	{ "a second list of VMs", { ADD("/vms@1") }, "given twice" },
	{ "a VM within a VM", { ADD("/vms/red@0/visitor@2") }, "unknown node" },
	{ "a list of its own", { ADD("/channels") }, "/channels: unknown node" },
	{ "a word of its own", { MARK(RED, "trusted") }, "unknown property" },
	{ "a CPU that is not there", { SET(RED, "cpus", 0, 2) }, "CPU 2 of 2" },
	{ "memory that wraps", { SET(RED, "memory", ~0u, 0xffe00000) }, "expected 0xffffffffffe00000 bytes" },
	{ "another manifest", { TEXT(VISITOR, "image", "switch") }, "manifest switch has 0x2000000 and 1" },
	{ "a budget above the period", { SET(RED, "budget-us", ~0u) }, "budget-us: expected 1..10000" },
	{ "starts without end", { SET(SW, "max-restarts", ~0u) }, "start up to 4294967296 times" },
	/* what a reviewer sees and no flow changes */
	{ "the highest version", { SET("/", "version", ~0u, ~0u) }, NULL },
	{ "version 0", { SET("/", "version", 0, 0) }, NULL },
	{ "a level more", { TEXT("/", "levels", "LOW\0HIGH\0TOP") }, NULL },
};

static void apply(const struct change *c)
{
	uint8_t bytes[24];

	for (unsigned i = 0; c->kind == CELLS && i < c->count; i++)
		fdt32_st(bytes + 4 * i, c->cells[i]);
	switch (c->kind) {
	case NOTHING: break;
	case CELLS: tree_bytes(c->path, c->name, bytes, 4 * c->count); break;
	case BYTES: tree_bytes(c->path, c->name, c->bytes, c->count); break;
	case FLAG: tree_flag(c->path, c->name); break;
	case DROP: tree_drop(c->path, c->name); break;
	case NODE: tree_node(c->path); break;
	}
}

static bool taken(uint32_t length)
{
	return policy_read("p.dtb", tree, length) && flow_check();
}

static int set_up(void **state)
{
	fake_reset(state);
	build();
	return 0;
}

static void test_tricks(void **state)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
		set_up(state);
		for (unsigned n = 0; n < ARRAY_LENGTH(rows[i].changes); n++)
			apply(&rows[i].changes[n]);
		bool good = taken(tree_end()), told = rows[i].said && fake_has_said(rows[i].said) &&
			    fake_has_said("refused: policy");

		if (rows[i].said ? good || !told : !good) {
			print_error("%s: %s: %s\n", rows[i].trick, good ? "taken" : "refused", fake_said);
			wrong++;
		}
		if (good)
			assert_true(policy_rig_holds());
	}
	assert_int_equal(wrong, 0);
}

static void test_good(void **state)
{
	(void)state;
	assert_true(taken(tree_end()));
	assert_string_equal(fake_said, "");
	assert_int_equal(machine.vm_count, 4);
	assert_string_equal(machine.vms[3].name, "guard");
	assert_string_equal(machine.devices[1].name, "nic1");
	assert_int_equal(machine.links[3].end[0].vm, 2);
}

/* Numbers are the order's: what stands behind the @ is nobody's, and no reader may take it for one. */
static void test_addresses_mean_nothing(void **state)
{
	(void)state;
	tree_drop(VISITOR, NULL);
	tree_drop(RED, NULL);
	vm("/vms/red@2", "linux", secret, secret);
	assert_false(taken(tree_end()));                        /* the guard is number 2 now, 3 is gone */
	assert_said("VM 3 of 3");
}

static void test_two_vms_two_pages(void **state)
{
	(void)state;
	tree_node("/devices/tpm@3");
	tree_cells("/devices/tpm@3", "mmio", 4, 0, 0xfed40000, 0, 0x1000);
	tree_cells("/devices/tpm@3", "vm", 1, 2);
	tree_text("/devices/tpm@3", "name", "tpm");
	tree_cells("/devices/tpm@3", "label", 3, 0, 0, 0);
	tree_cells(SECRET, "uplink", 1, 1);                     /* it came first */
	tree_cells(GUEST, "uplink", 1, 2);
	assert_false(taken(tree_end()));
	assert_said("tpm and tpm are the same device");
}

/* The signature is over the file; the tree must be all of it. */
static void test_more_than_the_tree(void **state)
{
	uint32_t length = tree_end();

	(void)state;
	memset((uint8_t *)tree + length, 0, 64);
	for (uint32_t more = 1; more <= 64; more++) {
		fake_said[0] = 0;
		assert_false(taken(length + more));
		assert_said("expected a flattened device tree of ");
	}
	fdt_set_totalsize(tree, length - 4);
	assert_false(taken(length));
	fdt_set_totalsize(tree, length + 4);
	assert_false(taken(length));
	fdt_set_totalsize(tree, length);
	assert_true(taken(length));
}

/* As many VMs as a mask has bits, and a right over the last. */
static void test_all_bits(void **state)
{
	char path[32];

	(void)state;
	tree_start();
	tree_text("/", "compatible", LZR_POLICY_COMPATIBLE);
	tree_cells("/", "version", 2, 0, 7);
	tree_bytes("/", "levels", "LOW\0HIGH", 9);
	tree_bytes("/", "categories", "A\0B", 4);
	tree_node("/vms");
	vm("/vms/other@64", "switch", low, low);
	for (unsigned i = 0; i < LZR_VM_MAX - 1; i++) {
		snprintf(path, sizeof(path), "/vms/vm%u@%u", i, i);
		vm(path, "linux", low, low);
	}
	tree_cells("/vms/vm0@0", "introspects", 1, 63);
	assert_true(taken(tree_end()));
	assert_int_equal(machine.vms[62].rights[RIGHT_INTROSPECTS], 1ull << 63);
	images();
	assert_int_equal(fdt_open_into(tree, tree, TREE_MAX), 0);
	tree_cells("/vms/other@64", "label", 3, 1, 0, 1);
	assert_false(taken(tree_end()));
	assert_said("introspects: would flow down from VM other ");
	images();
	assert_int_equal(fdt_open_into(tree, tree, TREE_MAX), 0);
	vm("/vms/one-more@65", "linux", low, low);
	assert_false(taken(tree_end()));
	assert_said("more than 64 VMs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, set_up), cmocka_unit_test_setup(test_tricks, set_up),
		cmocka_unit_test_setup(test_addresses_mean_nothing, set_up),
		cmocka_unit_test_setup(test_two_vms_two_pages, set_up),
		cmocka_unit_test_setup(test_more_than_the_tree, set_up), cmocka_unit_test_setup(test_all_bits, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
