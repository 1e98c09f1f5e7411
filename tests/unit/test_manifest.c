/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: a good one in full, and a refusal for every way a bad one may be bad. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "plat_fake.h"
#include "tree.h"

struct machine_config machine;
static struct image_config image;
static uint8_t bytes[LZR_MANIFEST_MAX];

static void build(void)
{
	tree_start();
	tree_text("/", "compatible", LZR_MANIFEST_COMPATIBLE);
	tree_text("/", "image", "red");
	tree_cells("/", "memory", 2, 0, 0x4000000);
	tree_cells("/", "vcpus", 1, 2);
	tree_cells("/", "cpuid", 22, 0, 0, 0, 0xd, 1, 2, 3, 0, 0, 0, 0, 1, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_FEATURES, 0,
		   0, 0, 0, ~0u, ~0u, ~0u, ~0u);
	tree_cells("/", "msr", 12, 0x1b, LZR_MSR_EMULATED, 0, 0, 0, 0, 0x277, LZR_MSR_SHADOW, 1, 2, 3, 4);
	tree_node("/segments");
	tree_node("/segments/segment@100000");
	tree_text("/segments/segment@100000", "file", "kernel");
	tree_cells("/segments/segment@100000", "gpa", 2, 0, 0x100000);
	tree_cells("/segments/segment@100000", "length", 2, 0, 0x2345);
	tree_bytes("/segments/segment@100000", "sha384", bytes, 48);
	tree_node("/segments/segment@200000");
	tree_text("/segments/segment@200000", "file", "initrd");
	tree_cells("/segments/segment@200000", "gpa", 2, 0, 0x200000);
	tree_cells("/segments/segment@200000", "length", 2, 0, 0x3e00000);
	tree_bytes("/segments/segment@200000", "sha384", bytes, 48);
	tree_node("/state");
	tree_text("/state", "mode", "long64");
	tree_cells("/state", "rip", 2, 0, 0x100200);
	tree_cells("/state", "rsp", 2, 0, 0x8000);
	tree_cells("/state", "rsi", 2, 0, 0x9000);
	tree_cells("/state", "rbx", 2, 1, 2);
	tree_cells("/state", "cr3", 2, 0, 0xa000);
	tree_node("/host-bridge");
	tree_bytes("/host-bridge", "config", bytes, 256);
	tree_node("/ports");
	tree_cells("/ports", "uart", 1, 0x3f8);
	tree_cells("/ports", "power", 1, 0x600);
	tree_node("/vdev@3");
	tree_text("/vdev@3", "name", "net0");
	tree_cells("/vdev@3", "slot", 1, 3);
	tree_bytes("/vdev@3", "config", bytes, 256);
	tree_bytes("/vdev@3", "writable", bytes, 256);
	tree_cells("/vdev@3", "io-base", 1, 0xc180);
	tree_cells("/vdev@3", "msix", 4, 0x40, 3, 0, 0xfe003000);
	tree_cells("/vdev@3", "features", 2, 1, 0x20);
	tree_cells("/vdev@3", "queues", 1, 2);
	tree_cells("/vdev@3", "queue-size", 1, 256);
	tree_bytes("/vdev@3", "device-config", bytes, 8);
	tree_bytes("/vdev@3", "prefix", bytes, 26);
	tree_flag("/vdev@3", "service");
	tree_node("/assign@4");
	tree_text("/assign@4", "name", "nvme0");
	tree_cells("/assign@4", "slot", 1, 4);
	tree_cells("/assign@4", "class", 1, 0x010802);
	tree_node("/mmio@fed40000");
	tree_text("/mmio@fed40000", "name", "tpm");
	tree_cells("/mmio@fed40000", "gpa", 2, 0, 0xfed40000);
	tree_cells("/mmio@fed40000", "length", 2, 0, 0x1000);
}

static int set_up(void **state)
{
	fake_reset(state);
	build();
	return 0;
}

static void test_good(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	build();
	memset(&image, 0x55, sizeof(image));
	assert_true(manifest_read(&image, "red", tree, tree_end()));
	assert_string_equal(fake_said, "");
	assert_string_equal(image.name, "red");
	assert_int_equal(image.memory, 0x4000000);
	assert_int_equal(image.vcpus, 2);
	assert_int_equal(image.cpuid_count, 2);
	assert_int_equal(image.cpuid[0].fixed[3], 3);
	assert_int_equal(image.cpuid[0].fixed[0], 0xd);
	assert_int_equal(image.cpuid[1].computed, LZR_CPUID_FEATURES);
	assert_int_equal(image.cpuid[1].mask[0], ~0u);
	assert_int_equal(image.msr_count, 2);
	assert_int_equal(image.msr[1].msr, 0x277);
	assert_int_equal(image.msr[1].mask_lo, 4);
	assert_int_equal(image.segment_count, 2);
	assert_string_equal(image.segments[0].file, "initrd");
	assert_int_equal(image.segments[1].gpa, 0x100000);
	assert_int_equal(image.segments[1].length, 0x2345);
	assert_memory_equal(image.segments[0].sha384, bytes, 48);
	assert_int_equal(image.segments[0].source.a, 0);
	assert_true(image.long64);
	assert_int_equal(image.rip, 0x100200);
	assert_int_equal(image.rbx, 0x100000002);
	assert_int_equal(image.cr3, 0xa000);
	assert_memory_equal(image.host_bridge, bytes, 256);
	assert_int_equal(image.uart, 0x3f8);
	assert_int_equal(image.power, 0x600);
	assert_int_equal(image.debug, 0);
	assert_int_equal(image.vdev_count, 1);
	const struct vdev_config *v = &image.vdevs[0];

	assert_string_equal(v->name, "net0");
	assert_int_equal(v->slot, 3);
	assert_int_equal(v->io_base, 0xc180);
	assert_int_equal(v->msix_cap, 0x40);
	assert_int_equal(v->msix_vectors, 3);
	assert_int_equal(v->msix_gpa, 0xfe003000);
	assert_int_equal(v->features, 0x100000020);
	assert_int_equal(v->queues, 2);
	assert_int_equal(v->queue_size, 256);
	assert_int_equal(v->device_config_length, 8);
	assert_int_equal(v->prefix_length, 26);
	assert_memory_equal(v->prefix, bytes, 26);
	assert_memory_equal(v->writable, bytes, 256);
	assert_true(v->service);
	assert_int_equal(image.assign_count, 2);
	assert_int_equal(image.assigns[1].class_code, 0x010802);
	assert_true(image.assigns[0].mmio);
	assert_int_equal(image.assigns[0].gpa, 0xfed40000);
}

static void refused(const char *text)
{
	uint32_t length = tree_end();

	assert_false(manifest_read(&image, "red", tree, length));
	assert_said(text);
	assert_said("refused: manifest red");
	fake_said[0] = 0;
	build();
}

static void test_file(void **state)
{
	uint32_t length = tree_end();

	(void)state;
	assert_false(manifest_read(&image, "red", tree, length - 1));
	assert_false(manifest_read(&image, "red", tree, length + 1));
	assert_false(manifest_read(&image, "red", tree, 3));
	assert_false(manifest_read(&image, "red", tree, 0));
	assert_false(manifest_read(&image, "blue", tree, length));
	assert_said("expected blue, found red");
	build();
	((uint8_t *)tree)[0]++;
	assert_false(manifest_read(&image, "red", tree, length));
	assert_said("expected a flattened device tree of");
}

/* No flipped byte in the structure crashes anything. */
static void test_flips(void **state)
{
	static uint8_t original[TREE_MAX];
	uint32_t length = tree_end();

	(void)state;
	memcpy(original, tree, length);
	for (uint32_t i = 0; i < length; i++) {
		static const uint8_t flips[] = { 0x01, 0x80, 0xff };

		for (unsigned j = 0; j < sizeof(flips); j++) {
			memcpy(tree, original, length);
			((uint8_t *)tree)[i] ^= flips[j];
			(void)!manifest_read(&image, "red", tree, length);
			fake_said[0] = 0;
		}
	}
}

/* What an accepted manifest promises to the code behind it. */
static void holds_together(unsigned round)
{
	bool good = image.vcpus >= 1 && image.vcpus <= LZR_VCPU_MAX && image.memory && image.memory % 4096 == 0 &&
		    image.segment_count <= LZR_SEGMENT_MAX && image.vdev_count <= LZR_VDEV_MAX &&
		    image.assign_count <= LZR_VDEV_MAX && !strcmp(image.name, "red");

	for (uint32_t i = 0; good && i < image.segment_count; i++) {
		const struct segment_config *s = &image.segments[i];

		good = s->length && s->gpa < image.memory && s->length <= image.memory - s->gpa &&
		       !s->file[LZR_NAME_MAX - 1];
		for (uint32_t j = 0; good && j < i; j++)
			good = s->gpa >= image.segments[j].gpa + image.segments[j].length ||
			       image.segments[j].gpa >= s->gpa + s->length;
	}
	for (uint32_t i = 0; good && i < image.vdev_count; i++) {
		const struct vdev_config *v = &image.vdevs[i];

		good = v->slot >= 1 && v->slot < 32 && !v->name[LZR_NAME_MAX - 1] && v->queues && v->queue_size &&
		       !(v->queue_size & (v->queue_size - 1)) && v->msix_cap >= 0x40 && v->msix_cap <= 256 - 12 &&
		       v->msix_gpa % 4096 == 0 && (v->msix_gpa >= image.memory || v->msix_gpa + 4096 <= v->msix_gpa) &&
		       v->prefix_length <= sizeof(v->prefix) &&
		       v->device_config_length <= sizeof(v->device_config);
	}
	for (uint32_t i = 1; good && i < image.msr_count; i++)
		good = image.msr[i - 1].msr < image.msr[i].msr;
	if (!good)
		fail_msg("round %u: a manifest was taken that does not hold together", round);
}

static void test_damaged(void **state)
{
	uint32_t length = tree_end(), damaged_length, taken = 0;
	uint64_t seed = 3;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		void *damaged = tree_damaged(length, &seed, &damaged_length);

		if (manifest_read(&image, "red", damaged, damaged_length)) {
			holds_together(round);
			taken++;
		}
		free(damaged);
		fake_said[0] = 0;
	}
	assert_int_not_equal(taken, 0);
}

static void test_root(void **state)
{
	(void)state;
	tree_text("/", "compatible", "lazaret,manifest-2");
	refused("expected \"lazaret,manifest-1\", found \"lazaret,manifest-2\"");
	tree_bytes("/", "compatible", "lazaret,manifest-1", 18);
	refused("compatible: expected text");
	tree_text("/", "colour", "x");
	refused("/ colour: unknown property");
	tree_drop("/", "memory");
	refused("/ memory: missing");
	tree_cells("/", "memory", 1, 0x4000000);
	refused("/ memory: expected 8 bytes, found 4");
	tree_cells("/", "memory", 2, 0, 0x4001000);
	refused("memory: expected a multiple of 2 MiB");
	tree_cells("/", "memory", 2, 0, 0);
	refused("memory: expected a multiple of 2 MiB");
	tree_cells("/", "memory", 2, 1, 0);
	refused("memory: expected a multiple of 2 MiB up to 0x80000000, found 0x100000000");
	tree_cells("/", "vcpus", 1, 0);
	refused("vcpus: expected 1..8, found 0");
	tree_cells("/", "vcpus", 1, 9);
	refused("vcpus: expected 1..8, found 9");
	tree_text("/", "image", "Red");
	refused("expected red, found Red");
	tree_text("/", "image", "red.");
	refused("image: expected a name of " LZR_NAME_RULE);
	tree_text("/", "image", "01234567890123456789012345678901234567890123456789");
	refused("image: expected a name");
	tree_node("/extra");
	refused("/extra: unknown node");
	tree_node("/host-bridge@1");
	tree_bytes("/host-bridge@1", "config", bytes, 256);
	refused("/host-bridge: given twice");
	tree_drop("/state", NULL);
	refused("state: missing");
	tree_drop("/segments", NULL);
	refused("segments: missing");
	tree_drop("/host-bridge", NULL);
	refused("host-bridge: missing");
	tree_bytes("/host-bridge", "config", bytes, 255);
	refused("/host-bridge config: expected 256 bytes, found 255");
	tree_cells("/ports", "uart", 1, 0xfff9);
	refused("/ports: a port above ffff");
	tree_node("/ports/x");
	refused("/ports/x: unknown node");
}

static void test_rows(void **state)
{
	(void)state;
	tree_cells("/", "cpuid", 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	refused("cpuid: expected rows of 44 bytes, found 40");
	tree_cells("/", "cpuid", 22, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	refused("cpuid: row 1 (leaf 0x0) is not in order");
	tree_cells("/", "cpuid", 22, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	refused("cpuid: row 1 (leaf 0x1) is not in order");
	tree_cells("/", "cpuid", 11, 1, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0);
	refused("cpuid: row 0 has unknown rule 6");
	tree_cells("/", "msr", 5, 1, 1, 0, 0, 0);
	refused("msr: expected rows of 24 bytes, found 20");
	tree_cells("/", "msr", 12, 2, 1, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0);
	refused("msr: row 1 (0x2) is not in order");
	tree_cells("/", "msr", 6, 2, 0, 0, 0, 0, 0);
	refused("msr: row 0 has unknown rule 0");
	tree_cells("/", "msr", 6, 2, 5, 0, 0, 0, 0);
	refused("msr: row 0 has unknown rule 5");
}

#define S1 "/segments/segment@100000"
#define S2 "/segments/segment@200000"

static void test_segments(void **state)
{
	char path[64];

	(void)state;
	tree_cells(S2, "length", 2, 0, 0x3e00001);
	refused("expected within RAM of 0x4000000 bytes, found [0x");
	tree_cells(S2, "length", 2, ~0u, 0xfff00000);
	refused("expected within RAM");
	tree_cells(S1, "length", 2, 0, 0);
	refused("expected within RAM");
	tree_cells(S1, "gpa", 2, ~0u, 0xfffffff0);
	refused("expected within RAM");
	tree_cells(S1, "gpa", 2, 0, 0x4000000);
	refused("expected within RAM");
	tree_cells(S1, "length", 2, 0, 0x100001);
	refused("overlaps segment initrd: expected");
	tree_cells(S2, "gpa", 2, 0, 0x102344);
	tree_cells(S2, "length", 2, 0, 0x1000);
	refused("overlaps segment initrd: expected");
	tree_bytes(S1, "sha384", bytes, 47);
	refused("sha384: expected 48 bytes, found 47");
	tree_drop(S1, "file");
	refused("file: missing");
	tree_text(S1, "file", "../kernel");
	refused("file: expected a name");
	tree_node(S1 "/x");
	refused("unknown node");
	tree_text("/segments", "x", "y");
	refused("/segments x: unknown property");
	tree_node("/segments/other");
	refused("/segments/other: unknown node");
	for (unsigned i = 0; i < LZR_SEGMENT_MAX - 1; i++) {
		snprintf(path, sizeof(path), "/segments/segment@%x", i);
		tree_node(path);
		tree_text(path, "file", "x");
		tree_cells(path, "gpa", 2, 0, i);
		tree_cells(path, "length", 2, 0, 1);
		tree_bytes(path, "sha384", bytes, 48);
	}
	refused("more than 16 segments");
}

static void test_state(void **state)
{
	(void)state;
	tree_text("/state", "mode", "real");
	refused("mode: expected long64 or protected32, found real");
	tree_drop("/state", "cr3");
	refused("cr3: expected in mode long64 and only there");
	tree_text("/state", "mode", "protected32");
	refused("cr3: expected in mode long64 and only there");
	tree_text("/state", "mode", "protected32");
	tree_drop("/state", "cr3");
	refused("expected 32-bit registers");
	tree_cells("/state", "cr3", 2, 0, 0xa001);
	refused("0xa001 is not a page in RAM");
	tree_cells("/state", "cr3", 2, 0, 0x4000000);
	refused("0x4000000 is not a page in RAM");
	tree_text("/state", "mode", "protected32");
	tree_drop("/state", "cr3");
	tree_cells("/state", "rbx", 2, 0, 1);
	assert_true(manifest_read(&image, "red", tree, tree_end()));
	assert_false(image.long64);
}

static void add_vdev(const char *path, const char *name, unsigned slot, unsigned io, unsigned msix)
{
	tree_node(path);
	tree_text(path, "name", name);
	tree_cells(path, "slot", 1, slot);
	tree_bytes(path, "config", bytes, 256);
	tree_bytes(path, "writable", bytes, 256);
	tree_cells(path, "io-base", 1, io);
	tree_cells(path, "msix", 4, 0x40, 3, 0, msix);
	tree_cells(path, "features", 2, 1, 0);
	tree_cells(path, "queues", 1, 2);
	tree_cells(path, "queue-size", 1, 16);
}

static void test_devices(void **state)
{
	(void)state;
	static const struct { const char *property; unsigned value;
	} cells[] = {
		{ "slot", 0 },	      { "slot", 32 },	      { "slot", ~0u },	    { "io-base", 0xc181 },
		{ "io-base", 0x380 }, { "io-base", 0x10000 }, { "queues", 0 },	    { "queues", 3 },
		{ "queues", 256 },    { "queue-size", 0 },    { "queue-size", 24 }, { "queue-size", 512 },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cells); i++) {
		tree_cells("/vdev@3", cells[i].property, 1, cells[i].value);
		refused(cells[i].property);
	}
	static const uint32_t msix[][4] = {
		{ 0x3c, 3, 0, 0xfe003000 },   { 0xf8, 3, 0, 0xfe003000 },
		{ 0x42, 3, 0, 0xfe003000 },   { 0x40, 0, 0, 0xfe003000 },
		{ 0x40, 129, 0, 0xfe003000 }, { 0x40, 3, 0, 0xfe003800 },
		{ 0x40, 3, 0, 0x3fff000 },    { 0x40, 3, 1, 0 },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(msix); i++) {
		tree_cells("/vdev@3", "msix", 4, msix[i][0], msix[i][1], msix[i][2], msix[i][3]);
		refused("/vdev@3 msix");
	}
	static const unsigned features[][2] = { { 0, 0x20 }, { 1, 1u << 28 }, { 5, 0 } };

	for (unsigned i = 0; i < ARRAY_LENGTH(features); i++) {
		tree_cells("/vdev@3", "features", 2, features[i][0], features[i][1]);
		refused("/vdev@3 features: expected VERSION_1 and no other transport feature");
	}
	tree_bytes("/vdev@3", "device-config", bytes, 33);
	refused("device-config: expected at most 32 bytes, found 33");
	tree_bytes("/vdev@3", "prefix", bytes, 33);
	refused("prefix: expected at most 32 bytes, found 33");
	tree_bytes("/vdev@3", "service", bytes, 1);
	refused("service: expected 0 bytes, found 1");
	add_vdev("/vdev@5", "net0", 5, 0xc280, 0xfe005000);
	refused("name or slot is taken by net0");
	add_vdev("/vdev@5", "net1", 3, 0xc280, 0xfe005000);
	refused("name or slot is taken by net1");
	add_vdev("/vdev@5", "net1", 5, 0xc180, 0xfe005000);
	refused("are those of net1");
	add_vdev("/vdev@5", "net1", 5, 0xc280, 0xfe003000);
	refused("are those of net1");
	tree_cells("/assign@4", "slot", 1, 3);
	refused("name or slot is taken by nvme0");
	tree_cells("/assign@4", "slot", 1, 0);
	refused("slot 0");
	tree_cells("/assign@4", "class", 1, 0x1000000);
	refused("class 0x1000000 is out of range");
	tree_text("/mmio@fed40000", "name", "nvme0");
	refused("/assign@4: name or slot is taken by nvme0");
	tree_cells("/mmio@fed40000", "gpa", 2, 0, 0x3fff000);
	refused("is not pages outside RAM");
	tree_cells("/mmio@fed40000", "length", 2, 0, 0);
	refused("is not pages outside RAM");
	tree_cells("/mmio@fed40000", "length", 2, ~0u, 0xfffff000);
	refused("is not pages outside RAM");
	tree_cells("/mmio@fed40000", "gpa", 2, 1, 0);
	refused("is not pages outside RAM");
}

static void test_many_devices(void **state)
{
	char path[32], name[32];

	(void)state;
	for (unsigned i = 5; i < 27; i++) {
		snprintf(path, sizeof(path), "/vdev@%x", i);
		snprintf(name, sizeof(name), "net%u", i);
		add_vdev(path, name, i, 0xc000 + 128 * i, 0xfe000000 + 4096 * i);
	}
	refused("more than 24 devices");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, set_up), cmocka_unit_test_setup(test_file, set_up),
		cmocka_unit_test_setup(test_flips, set_up), cmocka_unit_test_setup(test_damaged, set_up),
		cmocka_unit_test_setup(test_root, set_up),
		cmocka_unit_test_setup(test_rows, set_up), cmocka_unit_test_setup(test_segments, set_up),
		cmocka_unit_test_setup(test_state, set_up), cmocka_unit_test_setup(test_devices, set_up),
		cmocka_unit_test_setup(test_many_devices, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
