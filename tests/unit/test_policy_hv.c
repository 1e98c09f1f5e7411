/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: a good one in full, and a refusal for each thing that isolation rests on. */
#include <limits.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "plat_fake.h"
#include "policy_rig.h"
#include "tree.h"

static uint8_t bytes[64];

static int set_up(void **state)
{
	fake_reset(state);
	memset(bytes, 0x11, sizeof(bytes));
	policy_rig_build();
	return 0;
}

static void test_good(void **state)
{
	(void)state;
	bool read = policy_read("p.dtb", tree, tree_end());

	assert_string_equal(fake_said, "");
	assert_true(read);
	assert_int_equal(machine.policy_version, 0x100000007);
	assert_false(machine.allow_without_iommu);
	assert_int_equal(machine.vm_count, 2);
	const struct vm_config *red = &machine.vms[0], *sw = &machine.vms[1];

	assert_string_equal(red->name, "red");
	assert_ptr_equal(red->image, &policy_rig_image[0]);
	assert_int_equal(red->label.level, 1);
	assert_int_equal(red->label.categories, 1);
	assert_true(lzr_label_equal(&red->label, &red->range_high));
	assert_int_equal(red->flags, 0);
	assert_int_equal(red->rights[RIGHT_ATTESTS], 3);
	assert_int_equal(red->rights[RIGHT_CONTROLS], 2);
	assert_int_equal(red->rights[RIGHT_READS_AUDIT], 0);
	assert_int_equal(red->cpus[0], 1);
	assert_int_equal(red->cpus[1], 0);
	assert_int_equal(red->budget_us, 5000);
	assert_int_equal(red->max_restarts, 2);
	assert_int_equal(sw->flags, VM_SERVICE | VM_MEASURE_ONLY);
	assert_int_equal(sw->range_high.categories, 3);
	assert_int_equal(machine.device_count, 2);
	assert_int_equal(machine.devices[0].function, 3);
	assert_int_equal(machine.devices[0].device_id, 0x10d3);
	assert_false(machine.devices[0].flr);
	assert_int_equal(machine.devices[0].place, 0);
	assert_int_equal(machine.devices[1].place, 1);
	assert_true(machine.devices[1].mmio);
	assert_int_equal(machine.devices[1].base, 0xfed40000);
	assert_int_equal(machine.link_count, 1);
	assert_int_equal(machine.network_count, 1);
	assert_string_equal(machine.networks[0].name, "secret");
	assert_int_equal(machine.networks[0].uplink, 0);
	assert_int_equal(machine.links[0].network, 0);
	assert_int_equal(machine.links[0].end[1].vm, 1);
	assert_int_equal(machine.links[0].end[1].pair, 2);
}

static void refused(const char *text)
{
	uint32_t length = tree_end();

	assert_false(policy_read("p.dtb", tree, length));
	assert_said(text);
	assert_said("refused: policy p.dtb: ");
	fake_said[0] = 0;
	policy_rig_build();
}

#define RED "/vms/red@0"
#define SW "/vms/switch@1"

static void test_root(void **state)
{
	(void)state;
	tree_text("/", "compatible", "lazaret,policy-2");
	refused("expected \"lazaret,policy-1\", found \"lazaret,policy-2\"");
	tree_cells("/", "version", 1, 1);
	refused("version: expected 8 bytes, found 4");
	tree_flag("/", "allow-without-iomu");
	refused("/ allow-without-iomu: unknown property");
	tree_node("/groups");
	refused("/groups: unknown node");
	tree_node("/links@1");
	refused("given twice");
	tree_drop("/vms", NULL);
	refused("VM 1 of 0");
	tree_drop("/links", NULL);
	tree_drop("/networks", NULL);
	tree_drop("/devices", NULL);
	tree_drop("/vms", NULL);
	refused("vms: no VM");
	tree_bytes("/", "next-signer", bytes, 47);
	refused("/ next-signer: expected 48 bytes, found 47");
	tree_flag("/", "allow-without-iommu");
	tree_bytes("/", "next-signer", bytes, 48);
	tree_flag("/", "secure-boot");
	assert_true(policy_read("p.dtb", tree, tree_end()));
	assert_true(machine.allow_without_iommu);
	assert_int_equal(machine.required, LZR_BOOT_SECURE_BOOT);
}

static void test_vms(void **state)
{
	(void)state;
	tree_text(RED, "image", "debian");
	refused("/vms/red@0 image: expected manifest debian in the boot list, found none");
	bytes[47] = 0x12;
	tree_bytes(RED, "measurement", bytes, 48);
	refused("/vms/red@0 measurement: expected 11");
	bytes[47] = 0x11;
	tree_flag(RED, "measure-only");
	refused("expected either measurement or measure-only");
	tree_drop(SW, "measure-only");
	refused("expected either measurement or measure-only");
	tree_cells(RED, "memory", 2, 0, 0x4200000);
	refused("expected 0x4200000 bytes and 2 vCPUs, manifest linux has 0x4000000 and 2");
	tree_cells(RED, "vcpus", 1, 1);
	refused("manifest linux has 0x4000000 and 2");
	tree_cells(RED, "cpus", 1, 0);
	refused("cpus: expected 2 cells, found 4 bytes");
	tree_cells(RED, "cpus", 2, 0, 2);
	refused("cpus: CPU 2 of 2");
	fake_cpu_left_out = 1;                  /* red's second */
	refused("/vms/red@0 cpus: CPU 1 of 2, which is left out");
	fake_cpu_left_out = UINT_MAX;
	tree_cells(RED, "cpus", 9, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	refused("cpus: expected at most 32 bytes, found 36");
	tree_cells(RED, "budget-us", 1, 0);
	refused("budget-us: expected 1..10000");
	tree_cells(RED, "budget-us", 1, 10001);
	refused("budget-us: expected 1..10000");
	tree_cells(RED, "label", 3, 2, 0, 0);
	refused("label: level 2 of 2");
	tree_cells(RED, "label", 3, 256, 0, 0);
	refused("label: expected a level up to 255, found 256");
	tree_cells(RED, "label", 3, 0, 0, 4);
	refused("label: categories 0x4 of 2");
	tree_cells(SW, "trusted-range", 6, 0, 0, 0, 1, 0, 0);
	refused("trusted-range: does not include the label");
	tree_cells(SW, "trusted-range", 6, 0, 0, 0, 257, 0, 1);
	refused("trusted-range: level above 255");
	tree_cells(SW, "trusted-range", 6, 0, 0, 0, 2, 0, 1);
	refused("trusted-range: level 2 of 2");
	tree_cells(RED, "controls", 1, 2);
	refused("red controls a VM that is not there");
	tree_cells(RED, "controls", 1, 64);
	refused("controls: VM 64");
	tree_bytes(RED, "controls", bytes, 3);
	refused("controls: expected numbers of VMs, found 3 bytes");
	tree_flag(RED, "attests");
	refused("attests: expected numbers of VMs, found 0 bytes");
	tree_cells(RED, "introspects", 2, 1, 63);
	refused("red introspects a VM that is not there");
	tree_cells(RED, "attests", 1, 2);
	refused("red attests a VM that is not there");
	tree_cells(RED, "reads-audit", 1, ~0u);
	refused("reads-audit: VM 4294967295");
	tree_cells(SW, "max-restarts", 1, 256);
	refused("service VMs start up to 257 times together");
	tree_cells(SW, "max-restarts", 1, ~0u);
	refused("service VMs start up to 4294967296 times");
	tree_node("/vms/red@0/x");
	refused("/vms/red@0/x: unknown node");
	policy_rig_vm("/vms/red@2", "linux", 0x4000000, 2, 1);
	tree_bytes("/vms/red@2", "measurement", bytes, 48);
	refused("two VMs have this name");
	policy_rig_vm("/vms/-green@2", "linux", 0x4000000, 2, 1);
	refused("expected a node name");
	machine.image_count = 3;
	strcpy(policy_rig_image[2].name, "extra");
	uint32_t length = tree_end();

	assert_false(policy_read("p.dtb", tree, length));
	assert_said("expected a VM for manifest extra of the boot list, found none");
}

#define NIC "/devices/nic@0"
#define TPM "/devices/tpm@1"

static void test_devices(void **state)
{
	(void)state;
	tree_cells(NIC, "vm", 1, 2);
	refused("/devices/nic@0 vm: VM 2 of 2");
	tree_cells(NIC, "pci", 3, 256, 0, 0);
	refused("out of range");
	tree_cells(NIC, "pci", 3, 0, 32, 0);
	refused("out of range");
	tree_cells(NIC, "pci", 3, 0, 0, 8);
	refused("out of range");
	tree_cells(NIC, "id", 2, 0x10000, 0);
	refused("out of range");
	tree_text(NIC, "reset", "pm");
	refused("reset: expected flr or bus, found pm");
	tree_drop(NIC, "reset");
	refused("expected either pci or location, id and reset, or mmio");
	tree_cells(NIC, "mmio", 4, 0, 0, 0, 0x1000);
	refused("expected either pci or location, id and reset, or mmio");
	tree_text(NIC, "name", "nvme0");
	refused("nvme0: image switch has no place for it");
	tree_cells(TPM, "vm", 1, 1);
	refused("tpm: image switch has no place for it");
	tree_cells(TPM, "mmio", 4, 0, 0xfed40000, 0, 0x2000);
	refused("tpm: 0x2000 bytes, the place in image linux has 0x1000");
	tree_cells(TPM, "mmio", 4, 0, 0xfed40001, 0, 0x1000);
	refused("is not whole pages");
	tree_cells(TPM, "mmio", 4, ~0u, 0xfffff000, 0, 0x2000);
	refused("is not whole pages");
	tree_cells(TPM, "label", 3, 5, 0, 0);
	refused("label: level 5 of 2");
	strcpy(policy_rig_image[1].assigns[1].name, "tpm");
	policy_rig_image[1].assigns[1] = policy_rig_image[0].assigns[1];
	policy_rig_image[1].assign_count = 2;
	tree_node("/devices/second@2");
	tree_cells("/devices/second@2", "mmio", 4, 0, 0xfed40000, 0, 0x1000);
	tree_cells("/devices/second@2", "vm", 1, 1);
	tree_text("/devices/second@2", "name", "tpm");
	tree_cells("/devices/second@2", "label", 3, 1, 0, 1);
	refused("tpm and tpm are the same device");
}

static void test_locations(void **state)
{
	static const uint8_t steps[] = { 0x10, 0xff, 0, 4, 5, 6, 7, 8, 9 };

	(void)state;
	tree_drop(NIC, "pci");
	tree_bytes(NIC, "location", steps, 8);
	assert_true(policy_read("p.dtb", tree, tree_end()));
	assert_int_equal(machine.devices[0].steps, 8);
	assert_memory_equal(machine.devices[0].location, steps, 8);
	assert_int_equal(machine.devices[0].bus | machine.devices[0].device | machine.devices[0].function, 0);
	assert_int_equal(machine.devices[0].vendor_id, 0x8086);
	policy_rig_build();
	tree_bytes(NIC, "location", steps, 1);
	refused("expected either pci or location, id and reset, or mmio");
	tree_drop(NIC, "pci");
	tree_bytes(NIC, "location", steps, 9);
	refused("location: expected at most 8 bytes, found 9");
	tree_drop(NIC, "pci");
	tree_flag(NIC, "location");
	refused("location: expected up to 8 steps, found none");
	tree_drop(NIC, "pci");
	tree_bytes(NIC, "location", steps, 2);
	tree_drop(NIC, "id");
	refused("expected either pci or location, id and reset, or mmio");
	tree_bytes(TPM, "location", steps, 2);
	refused("expected either pci or location, id and reset, or mmio");
}

static void test_rights(void **state)
{
	(void)state;
	tree_cells(RED, "reads-audit", 2, 1, 0);
	tree_cells(RED, "attests", 1, 0);
	tree_cells(SW, "introspects", 2, 0, 1);
	tree_cells(SW, "reads-audit", 1, 0);
	assert_true(policy_read("p.dtb", tree, tree_end()));
	assert_int_equal(machine.vms[0].rights[RIGHT_READS_AUDIT], 3);
	assert_int_equal(machine.vms[0].rights[RIGHT_ATTESTS], 1);
	assert_int_equal(machine.vms[1].rights[RIGHT_INTROSPECTS], 3);
	assert_int_equal(machine.vms[1].rights[RIGHT_READS_AUDIT], 1);
	assert_int_equal(machine.vms[1].rights[RIGHT_CONTROLS], 0);
}

static void test_bypass(void **state)
{
	(void)state;
	tree_flag(NIC, "bypasses-firewall");
	assert_true(policy_read("p.dtb", tree, tree_end()));
	assert_int_equal(machine.vms[1].flags, VM_SERVICE | VM_MEASURE_ONLY | VM_FIREWALL_BYPASS);
	assert_int_equal(machine.vms[0].flags, 0);
}

/* A network card has to be an uplink, or to be said to go round the firewall; evidence shows only what is said. */
static void test_bypass_by_class(void **state)
{
	static const struct {
		uint32_t class_code;
		bool uplink, said, good;
	} cases[] = {
		{ 0x020000, true, false, true }, { 0x020000, false, true, true }, { 0x020000, false, false, false },
		{ 0x028000, false, false, false }, { 0x010802, false, false, true }, { 0x030000, false, true, true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		policy_rig_build();
		policy_rig_image[1].assigns[0].class_code = cases[i].class_code;
		if (!cases[i].uplink)
			tree_drop("/networks/secret@0", "uplink");
		if (cases[i].said)
			tree_flag(NIC, "bypasses-firewall");
		if (!cases[i].good) {
			refused("/ devices: nic0: a network card that is no network's uplink: expected "
				"bypasses-firewall, found none");
			continue;
		}
		assert_true(policy_read("p.dtb", tree, tree_end()));
		assert_int_equal(machine.vms[1].flags & VM_FIREWALL_BYPASS, cases[i].said ? VM_FIREWALL_BYPASS : 0);
	}
}

#define LINK "/links/link@0"

static void second_link(unsigned a_pair, unsigned b_pair)
{
	tree_node("/links/link@1");
	tree_cells("/links/link@1", "a", 1, 1);
	tree_text("/links/link@1", "a-device", "ports");
	tree_cells("/links/link@1", "a-pair", 1, a_pair);
	tree_cells("/links/link@1", "b", 1, 0);
	tree_text("/links/link@1", "b-device", "net0");
	tree_cells("/links/link@1", "b-pair", 1, b_pair);
	tree_cells("/links/link@1", "label", 3, 1, 0, 1);
}

static void test_links(void **state)
{
	(void)state;
	tree_cells(LINK, "a", 1, 2);
	refused("/links/link@0 a: VM 2 of 2");
	tree_cells(LINK, "b", 1, ~0u);
	refused("VM 4294967295 of 2");
	tree_text(LINK, "a-device", "net1");
	refused("VM red has no virtual device net1");
	tree_cells(LINK, "a-pair", 1, 1);
	refused("pair 1 of 1 of red net0");
	tree_cells(LINK, "b-pair", 1, 4);
	refused("pair 4 of 4 of switch ports");
	tree_cells(LINK, "b", 1, 0);
	tree_text(LINK, "b-device", "net0");
	tree_cells(LINK, "b-pair", 1, 0);
	refused("both ends are VM 0");
	tree_drop(SW, "service");
	refused("ports is a service end, VM switch is no service VM");
	tree_cells(LINK, "network", 1, 1);
	refused("network 1 of 1");
	tree_cells("/networks/secret@0", "uplink", 1, 2);
	refused("uplink: device 2 of 2");
	second_link(2, 0);
	refused("queue pair is that of link 0");
	second_link(3, 0);
	refused("queue pair is that of link 0");
	policy_rig_image[0].vdevs[0].queues = 4;
	second_link(3, 1);
	assert_true(policy_read("p.dtb", tree, tree_end()));
	assert_int_equal(machine.links[0].network, LINK_CHANNEL);
}

static void test_flips(void **state)
{
	static uint8_t original[TREE_MAX];
	uint32_t length = tree_end();

	(void)state;
	memcpy(original, tree, length);
	for (uint32_t i = 0; i < length; i++) {
		memcpy(tree, original, length);
		((uint8_t *)tree)[i] ^= 0x81;
		policy_rig_images();
		(void)!policy_read("p.dtb", tree, length);
		fake_said[0] = 0;
	}
}

/* Of the first property: outside of the tree, and a sum that wraps back to where it was. */
static void test_lengths(void **state)
{
	static const uint32_t lengths[] = { 0xffffffff, 0xfffffff4, 0xffffff00, 0x7fffffff, TREE_MAX };

	(void)state;
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint32_t size = tree_end();
		uint8_t *length = (uint8_t *)tree + fdt_off_dt_struct(tree) + 12;

		*(fdt32_t *)(void *)length = cpu_to_fdt32(lengths[i]);
		assert_false(policy_read("p.dtb", tree, size));
		assert_said("refused: policy p.dtb: header: expected a flattened device tree of");
		fake_said[0] = 0;
		policy_rig_build();
	}
}

static void test_damaged(void **state)
{
	uint32_t length = tree_end(), damaged_length, taken = 0;
	uint64_t seed = 5;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		void *damaged = tree_damaged(length, &seed, &damaged_length);

		policy_rig_images();
		if (policy_read("p.dtb", damaged, damaged_length)) {
			if (!policy_rig_holds())
				fail_msg("round %u: a policy was taken that does not hold together", round);
			taken++;
		}
		free(damaged);
		fake_said[0] = 0;
	}
	assert_int_not_equal(taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, set_up), cmocka_unit_test_setup(test_root, set_up),
		cmocka_unit_test_setup(test_vms, set_up), cmocka_unit_test_setup(test_devices, set_up),
		cmocka_unit_test_setup(test_locations, set_up),
		cmocka_unit_test_setup(test_bypass, set_up), cmocka_unit_test_setup(test_bypass_by_class, set_up),
		cmocka_unit_test_setup(test_rights, set_up), cmocka_unit_test_setup(test_links, set_up),
		cmocka_unit_test_setup(test_flips, set_up), cmocka_unit_test_setup(test_lengths, set_up),
		cmocka_unit_test_setup(test_damaged, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
