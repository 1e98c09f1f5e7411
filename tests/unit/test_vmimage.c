/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of vmimage: Linux kernels, ACPI tables, PCI templates, manifests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "vmimage_rig.h"

#define KERNEL_SECTORS 2u
#define KERNEL_CODE 0x1000u
#define KERNEL_SIZE ((KERNEL_SECTORS + 1) * 512 + KERNEL_CODE)

/* A bzImage with nothing in it but a header that is right. */
static struct blob kernel_new(void)
{
	struct blob kernel;

	assert_true(blob_alloc(&kernel, KERNEL_SIZE));
	uint8_t *d = kernel.data;
	d[0x1f1] = KERNEL_SECTORS;
	put32(d + 0x1f4, KERNEL_CODE / 16);
	put16(d + 0x1fe, 0xaa55);
	d[0x200] = 0xeb;
	d[0x201] = 0x6a;
	memcpy(d + 0x202, "HdrS", 4);
	put16(d + 0x206, 0x020f);
	d[0x211] = 1;
	put16(d + 0x236, 0x7f);
	put32(d + 0x238, 2047);
	put64(d + 0x258, 0x1000000);
	put32(d + 0x260, 0x100000);
	memset(d + (KERNEL_SECTORS + 1) * 512, 0x5a, KERNEL_CODE);
	return kernel;
}

static void test_linux_boot_data(void **state)
{
	struct blob kernel = kernel_new(), initrd;
	struct image *image = rig_image("linux");
	(void)state;

	assert_true(blob_alloc(&initrd, 10000));
	memset(initrd.data, 7, initrd.size);
	assert_true(linux_build(image, &kernel, &initrd, "console=ttyS0 quiet"));
	assert_true(image_check(image));
	assert_int_equal(image->rip, 0x1000200);
	assert_int_equal(image->rsi, BOOT_PARAMS_GPA);
	assert_int_equal(image->cr3, LOW_TABLES_GPA);
	assert_true(image->long64);

	const struct segment *code = rig_segment(image, 0x1000000);
	assert_int_equal(code->blob.size, KERNEL_CODE);
	assert_int_equal(code->blob.data[0], 0x5a);
	const uint8_t *params = rig_segment(image, BOOT_PARAMS_GPA)->blob.data;
	assert_string_equal(params + (CMDLINE_GPA - BOOT_PARAMS_GPA), "console=ttyS0 quiet");
	assert_int_equal(get32(params + 0x228), CMDLINE_GPA);
	assert_int_equal(get64(params + 0x70), ACPI_GPA);
	uint32_t at = get32(params + 0x218);
	assert_int_equal(get32(params + 0x21c), initrd.size);
	assert_int_equal(at % PAGE, 0);
	assert_int_equal(rig_segment(image, at)->blob.data[0], 7);
	assert_int_equal(params[0x1e8], 3);
	assert_int_equal(get64(params + 0x2d0 + 8), LOW_RAM_END);
	assert_int_equal(get32(params + 0x2d0 + 20 + 16), 3);
	assert_int_equal(get64(params + 0x2d0 + 40 + 8), RIG_MEMORY - HIGH_RAM);

	const uint8_t *tables = rig_segment(image, LOW_TABLES_GPA)->blob.data;
	assert_int_equal(get64(tables), 0x2003);
	assert_int_equal(get64(tables + PAGE + 24), 0x6003);
	assert_int_equal(get64(tables + 6 * PAGE - 8), (2047ull << 21) | 0x83);
	assert_int_equal(rig_segment(image, RESET_GPA)->blob.data[0xff0], 0xba);
	blob_free(&kernel);
	blob_free(&initrd);
	rig_image_end(image);
}

static void kernel_refused(unsigned offset, unsigned size, uint64_t value, const char *text)
{
	struct blob kernel = kernel_new();
	struct image *image = rig_image("linux");

	for (unsigned i = 0; i < size; i++)
		kernel.data[offset + i] = (uint8_t)(value >> (8 * i));
	rig_refused(linux_build(image, &kernel, &rig_no_initrd, ""), text);
	blob_free(&kernel);
	rig_image_end(image);
}

static void test_linux_refusals(void **state)
{
	(void)state;
	kernel_refused(0x1fe, 2, 0, "expected a bzImage");
	kernel_refused(0x202, 1, 'X', "expected a bzImage");
	kernel_refused(0x206, 2, 0x020b, "expected boot protocol 2.12");
	kernel_refused(0x201, 1, 0x20, "setup header to end");
	kernel_refused(0x201, 1, 0xff, "setup header to end");
	kernel_refused(0x236, 2, 0, "64-bit entry");
	kernel_refused(0x211, 1, 0, "64-bit entry");
	kernel_refused(0x1f4, 4, 0xffffffff, "truncated");
	kernel_refused(0x1f4, 4, 1, "truncated");
	kernel_refused(0x258, 8, 0x1000, "impossible preferred address");
	kernel_refused(0x258, 8, 0x1000001, "impossible preferred address");
	kernel_refused(0x260, 4, 1, "impossible preferred address");
	kernel_refused(0x260, 4, 0x7fffffff, "give more --memory");
	kernel_refused(0x258, 8, 0xfffffffffffff000, "give more --memory");
}

static void test_linux_refuses_lengths(void **state)
{
	struct blob kernel = kernel_new(), big = { kernel.data, 1000 };
	struct image *image = rig_image("linux");
	char cmdline[3000];
	(void)state;

	rig_refused(linux_build(image, &big, &rig_no_initrd, ""), "expected a bzImage");
	memset(cmdline, 'a', sizeof(cmdline));
	cmdline[2048] = 0;
	rig_refused(linux_build(image, &kernel, &rig_no_initrd, cmdline), "--cmdline");
	assert_true(blob_alloc(&big, RIG_MEMORY - 0x1100000 + 1));
	rig_refused(linux_build(image, &kernel, &big, ""), "give more --memory");
	blob_free(&big);
	blob_free(&kernel);
	rig_image_end(image);
}

static uint8_t sum(const uint8_t *at, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + at[i]);
	return total;
}

static void acpi_checked(unsigned vcpus, bool tpm)
{
	static const char *const signatures[] = { "FACP", "APIC", "TPM2" };
	struct image *image = rig_image("linux");
	struct blob blob;

	image->vcpus = vcpus;
	image->tpm = tpm;
	assert_true(acpi_build(image, &blob));
	assert_memory_equal(blob.data, "RSD PTR ", 8);
	assert_int_equal(sum(blob.data, 20), 0);
	assert_int_equal(sum(blob.data, 36), 0);
	const uint8_t *xsdt = blob.data + (get64(blob.data + 24) - ACPI_GPA);
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_int_equal(sum(xsdt, get32(xsdt + 4)), 0);
	assert_int_equal(get32(xsdt + 4), 36 + 8 * (tpm ? 3 : 2));
	for (unsigned i = 0; i < (tpm ? 3u : 2u); i++) {
		uint64_t offset = get64(xsdt + 36 + 8 * i) - ACPI_GPA;
		assert_true(offset < blob.size);
		const uint8_t *table = blob.data + offset;
		assert_memory_equal(table, signatures[i], 4);
		assert_true(offset + get32(table + 4) <= blob.size);
		assert_int_equal(sum(table, get32(table + 4)), 0);
		if (i == 0) {
			assert_int_equal(get32(table + 112) & 1u << 20, 1u << 20);
			const uint8_t *dsdt = blob.data + (get64(table + 140) - ACPI_GPA);
			assert_memory_equal(dsdt, "DSDT", 4);
			assert_int_equal(dsdt + get32(dsdt + 4) - blob.data, blob.size);
			assert_int_equal(sum(dsdt, get32(dsdt + 4)), 0);
		}
		if (i == 1) {
			assert_int_equal(get32(table + 4), 44 + 16 * vcpus);
			assert_int_equal(table[44], 9);
			assert_int_equal(get32(table + 44 + 16 * (vcpus - 1) + 4), vcpus - 1);
		}
	}
	blob_free(&blob);
	rig_image_end(image);
}

static void test_acpi(void **state)
{
	(void)state;
	acpi_checked(1, false);
	acpi_checked(2, true);
	acpi_checked(LZR_VCPU_MAX, true);
}

static void test_pci_template(void **state)
{
	static const struct { unsigned type; uint32_t offset, length; } expected[] = {
		{ 1, LZR_VIRTIO_COMMON, 0x38 }, { 3, LZR_VIRTIO_ISR, 1 },
		{ 4, LZR_VIRTIO_DEVICE, LZR_VIRTIO_DEVICE_MAX }, { 2, LZR_VIRTIO_NOTIFY, 4 },
	};
	struct vdev vdev = { .name = "net0", .type = VDEV_NET, .slot = 5, .queues = 2, .queue_size = 128 };
	uint8_t config[256], writable[256];
	(void)state;

	pci_virtio(&vdev, config, writable);
	assert_int_equal(get16(config), 0x1af4);
	assert_int_equal(get16(config + 2), LZR_VIRTIO_PCI_NET);
	assert_int_equal(config[8], 1);
	assert_int_equal(config[11], 0x02);
	assert_int_equal(get32(config + 0x10), (LZR_VDEV_IO_BASE + 5 * 128) | 1);
	assert_int_equal(get32(config + 0x14), LZR_VDEV_MSIX_BASE + 5 * 4096);
	assert_int_equal(get32(writable + 0x10), 0xffffff80);
	assert_int_equal(get32(writable + 0x14), 0xfffff000);
	assert_int_equal(config[0x3d], 0);
	unsigned at = config[0x34];
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(config[at], 9);
		assert_int_equal(config[at + 3], expected[i].type);
		assert_int_equal(config[at + 4], 0);
		assert_int_equal(get32(config + at + 8), expected[i].offset);
		assert_int_equal(get32(config + at + 12), expected[i].length);
		at = config[at + 1];
	}
	assert_int_equal(at, PCI_MSIX_CAP);
	assert_int_equal(config[at], 0x11);
	assert_int_equal(config[at + 1], 0);
	assert_int_equal(get16(config + at + 2), 2);
	assert_int_equal(get32(config + at + 4), 1);
	assert_int_equal(get32(config + at + 8), 0x801);
	assert_int_equal(get16(writable + at + 2), 0xc000);
	for (unsigned i = 0x40; i < 256; i++)
		assert_true(i == PCI_MSIX_CAP + 3 || writable[i] == 0);
}

static void test_link_device(void **state)
{
	struct vdev vdev;
	uint8_t config[256], writable[256], prefix[32], device[LZR_VIRTIO_DEVICE_MAX];
	(void)state;

	assert_true(options_vdev("ports:link,slot=1,queues=130", &vdev));
	assert_true(vdev.service);
	pci_virtio(&vdev, config, writable);
	assert_int_equal(get16(config + 2), LZR_VIRTIO_PCI_LINK);
	assert_int_equal(pci_msix_vectors(&vdev), 128);
	assert_int_equal(virtio_prefix(&vdev, prefix), 0);
	assert_int_equal(virtio_device_config(&vdev, device), 0);
	assert_true(options_vdev("red:net,slot=4,service", &vdev));
	assert_int_equal(virtio_prefix(&vdev, prefix), 26);
	assert_int_equal(prefix[24], 0x88);
	assert_int_equal(prefix[25], 0xb5);
	assert_int_equal(virtio_device_config(&vdev, device), 12);
	assert_int_equal(device[5], 4);
	assert_int_equal(get16(device + 10), 40 + 4096);
	assert_true(virtio_features(&vdev) & 1ull << 32);
}

static uint64_t property_number(const void *fdt, int node, const char *name)
{
	int length;
	const void *value = fdt_getprop(fdt, node, name, &length);

	assert_non_null(value);
	return length == 8 ? fdt64_ld(value) : fdt32_ld(value);
}

static void test_manifest(void **state)
{
	struct blob kernel = kernel_new(), first, second;
	struct image *image = rig_image("red");
	uint8_t digest[LZR_DIGEST_SIZE];
	int length;
	(void)state;

	rig_add_vdev(image, "net0:net,slot=2,mac=02:4c:5a:00:00:01");
	assert_true(options_assign("nvme0,slot=4,class=010802", &image->assigns[image->assign_count++]));
	assert_true(linux_build(image, &kernel, &rig_no_initrd, "quiet"));
	assert_true(image_check(image));
	assert_true(image_manifest(image, &first) && image_manifest(image, &second));
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);

	const void *fdt = first.data;
	assert_int_equal(fdt_check_full(fdt, first.size), 0);
	assert_string_equal(fdt_getprop(fdt, 0, "compatible", NULL), LZR_MANIFEST_COMPATIBLE);
	assert_string_equal(fdt_getprop(fdt, 0, "image", NULL), "red");
	assert_int_equal(property_number(fdt, 0, "memory"), RIG_MEMORY);
	assert_int_equal(property_number(fdt, 0, "vcpus"), 1);
	assert_non_null(fdt_getprop(fdt, 0, "cpuid", &length));
	assert_int_equal(length % sizeof(struct lzr_manifest_cpuid), 0);
	assert_non_null(fdt_getprop(fdt, 0, "msr", &length));
	assert_int_equal(length % sizeof(struct lzr_manifest_msr), 0);
	int cpu_state = fdt_path_offset(fdt, "/state");
	assert_string_equal(fdt_getprop(fdt, cpu_state, "mode", NULL), "long64");
	assert_int_equal(property_number(fdt, cpu_state, "rip"), 0x1000200);
	int segment = fdt_path_offset(fdt, "/segments/segment@1000000");
	assert_true(segment > 0);
	assert_int_equal(property_number(fdt, segment, "length"), KERNEL_CODE);
	assert_true(sha384(kernel.data + KERNEL_SIZE - KERNEL_CODE, KERNEL_CODE, digest));
	assert_memory_equal(fdt_getprop(fdt, segment, "sha384", NULL), digest, LZR_DIGEST_SIZE);
	int vdev = fdt_path_offset(fdt, "/vdev@2");
	assert_int_equal(property_number(fdt, vdev, "io-base"), LZR_VDEV_IO_BASE + 2 * LZR_VIRTIO_BAR_SIZE);
	assert_int_equal(property_number(fdt, vdev, "queues"), 2);
	assert_null(fdt_getprop(fdt, vdev, "service", NULL));
	assert_int_equal(property_number(fdt, fdt_path_offset(fdt, "/assign@4"), "class"), 0x010802);
	assert_true(fdt_path_offset(fdt, "/host-bridge") > 0);

	/* One bit of an input is another measurement. */
	image->segments[0].sha384[0] ^= 1;
	blob_free(&second);
	assert_true(image_manifest(image, &second));
	assert_memory_not_equal(first.data, second.data, first.size);
	blob_free(&first);
	blob_free(&second);
	blob_free(&kernel);
	rig_image_end(image);
}

static void test_cpu_rules(void **state)
{
	struct lzr_manifest_cpuid cpuid[CPUID_ROWS_MAX];
	struct lzr_manifest_msr msr[MSR_ROWS_MAX];
	struct image *image = rig_image("a");
	(void)state;

	image->vcpus = 5;
	unsigned count = cpu_cpuid_rows(image, cpuid);
	for (unsigned i = 1; i < count; i++)
		assert_true(cpuid[i - 1].leaf < cpuid[i].leaf);
	for (unsigned i = 0; i < count; i++) {
		if (cpuid[i].leaf == 1) {
			assert_int_equal((cpuid[i].fixed[2] | cpuid[i].mask[2]) & (1u << 26 | 1u << 27 | 1u << 28), 0);
			assert_int_equal(cpuid[i].fixed[2] & (1u << 21 | 1u << 24 | 1u << 31),
					 1u << 21 | 1u << 24 | 1u << 31);
		}
		if (cpuid[i].leaf == 0x80000001)
			assert_int_equal((cpuid[i].fixed[2] | cpuid[i].mask[2]) & 1u << 2, 0);
		if (cpuid[i].leaf == 0x80000008)
			assert_int_equal(cpuid[i].fixed[2], 3u << 12 | 4);
		for (unsigned r = 0; r < 4; r++)
			assert_int_equal(cpuid[i].fixed[r] & cpuid[i].mask[r], 0);
	}
	/* Asked for, XSAVE and AVX are what the CPU has of them, and the state is x87, SSE and AVX. */
	image->avx = true;
	unsigned with = cpu_cpuid_rows(image, cpuid), state_rows = 0;
	assert_int_equal(with, count + 2);
	for (unsigned i = 1; i < with; i++)
		assert_true(cpuid[i - 1].leaf < cpuid[i].leaf ||
			    (cpuid[i - 1].leaf == cpuid[i].leaf && cpuid[i - 1].subleaf < cpuid[i].subleaf));
	for (unsigned i = 0; i < with; i++) {
		if (cpuid[i].leaf == 0)
			assert_int_equal(cpuid[i].fixed[0], 0xd);
		if (cpuid[i].leaf == 1) {
			assert_int_equal(cpuid[i].fixed[2] & (1u << 26 | 1u << 28), 0);
			assert_int_equal(cpuid[i].mask[2] & (1u << 26 | 1u << 28), 1u << 26 | 1u << 28);
		}
		if (cpuid[i].leaf == 0xd) {
			assert_int_equal(cpuid[i].mask[0], cpuid[i].subleaf ? 0xffffffff : 7);
			assert_int_equal(cpuid[i].computed, cpuid[i].subleaf ? LZR_CPUID_NONE : LZR_CPUID_XSAVE);
			state_rows++;
		}
		if (cpuid[i].leaf == 0x80000008)
			assert_int_equal(cpuid[i].fixed[2], 3u << 12 | 4);
		for (unsigned r = 0; r < 4; r++)
			assert_int_equal(cpuid[i].fixed[r] & cpuid[i].mask[r], 0);
	}
	assert_int_equal(state_rows, 2);
	count = cpu_msr_rows(msr);
	assert_true(count < MSR_ROWS_MAX);
	for (unsigned i = 1; i < count; i++)
		assert_true(msr[i - 1].msr < msr[i].msr);
	rig_image_end(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linux_boot_data), cmocka_unit_test(test_linux_refusals),
		cmocka_unit_test(test_linux_refuses_lengths), cmocka_unit_test(test_acpi),
		cmocka_unit_test(test_pci_template), cmocka_unit_test(test_link_device),
		cmocka_unit_test(test_manifest), cmocka_unit_test(test_cpu_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
