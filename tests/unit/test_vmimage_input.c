/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of vmimage: options, what an image may not be, and ELF files for bare metal and PVH. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmimage_rig.h"

static void test_options_refused(void **state)
{
	struct assign assign;
	struct vdev vdev;
	uint64_t number;
	(void)state;

	rig_refused(options_vdev("net0", &vdev), "NAME:TYPE");
	rig_refused(options_vdev("net0:disk,slot=1", &vdev), "net, console or link");
	rig_refused(options_vdev("net0:net", &vdev), "slot=1");
	rig_refused(options_vdev("net0:net,slot=32", &vdev), "at most 31");
	rig_refused(options_vdev("net0:net,slot=1,mac=02:00", &vdev), "six bytes");
	rig_refused(options_vdev("net0:net,slot=1,colour=red", &vdev), "unknown option");
	rig_refused(options_vdev("../x:net,slot=1", &vdev), "expected a name");
	rig_refused(options_vdev("c:console,slot=1,service", &vdev), "cannot be a service");
	rig_refused(options_assign("nvme0,slot=4", &assign), "class=");
	rig_refused(options_assign("nvme0,slot=4,class=zz0802", &assign), "class=");
	assert_true(options_assign("nvme0,slot=4,class=010802", &assign));
	assert_int_equal(assign.class_code, 0x010802);
	assert_true(parse_number("192M", UINT64_MAX, &number) && number == 192u << 20);
	assert_true(parse_number("0x1000", UINT64_MAX, &number) && number == 4096);
	rig_refused(parse_number("12x", UINT64_MAX, &number), "expected a number");
	rig_refused(parse_number("", UINT64_MAX, &number), "expected a number");
	rig_refused(parse_number("99999999999999999999", UINT64_MAX, &number), "too large");
	rig_refused(parse_number("17179869184G", UINT64_MAX, &number), "too large");
}

static bool parse_options(int argc, char **argv)
{
	struct image *image = rig_image("x");
	struct options options;
	bool good = options_parse(argc, argv, &options, image);

	rig_image_end(image);
	return good;
}

static void test_command_line(void **state)
{
	char *good[] = { "linux", "--name", "a", "--memory", "64M", "--kernel", "k", "--tpm" };
	char *twice[] = { "linux", "--name", "a", "--memory", "64M", "--kernel", "k", "--tpm", "--tpm" };
	char *unknown[] = { "linux", "--name", "a", "--memory", "64M", "--kernel", "k", "--colour", "red" };
	char *missing[] = { "elf", "--name", "a", "--memory" };
	char *nothing[] = { "elf", "--name", "a", "--memory", "64M" };
	char *other[] = { "bzimage" };
	(void)state;

	assert_true(parse_options(8, good));
	rig_refused(parse_options(9, twice), "given twice");
	rig_refused(parse_options(9, unknown), "unknown option --colour");
	rig_refused(parse_options(4, missing), "value is missing");
	rig_refused(parse_options(5, nothing), "expected --elf");
	rig_refused(parse_options(1, other), "expected linux, pvh or elf");
}

static void test_image_refusals(void **state)
{
	struct image *image = rig_image("a");
	uint8_t bytes[4096] = { 1 };
	(void)state;

	image->memory = RIG_MEMORY + 4096;
	rig_refused(image_check(image), "multiple of 2 MiB");
	image->memory = 4ull << 30;
	rig_refused(image_check(image), "up to 2 GiB");
	image->memory = RIG_MEMORY;
	image->vcpus = LZR_VCPU_MAX + 1;
	rig_refused(image_check(image), "--vcpus");
	image->vcpus = 1;
	rig_add_vdev(image, "net0:net,slot=2");
	rig_refused(image_check(image), "needs mac=");
	image->vdev_count = 0;
	rig_add_vdev(image, "net0:net,slot=2,mac=03:00:00:00:00:01");
	rig_refused(image_check(image), "group address");
	image->vdev_count = 0;
	rig_add_vdev(image, "net0:net,slot=2,mac=02:00:00:00:00:01");
	rig_add_vdev(image, "chan0:console,slot=2");
	rig_refused(image_check(image), "slot 2 is used twice");
	image->vdev_count = 1;
	rig_add_vdev(image, "net0:console,slot=3");
	rig_refused(image_check(image), "two devices are named net0");
	image->vdev_count = 0;
	rig_add_vdev(image, "p:link,slot=3,queues=3");
	rig_refused(image_check(image), "even number of queues");
	image->vdev_count = 0;
	rig_add_vdev(image, "p:link,slot=3,size=100");
	rig_refused(image_check(image), "power of two");
	image->vdev_count = 0;
	assert_true(image_add_segment(image, "a", 0x1000, bytes, sizeof(bytes)));
	assert_true(image_add_segment(image, "b", 0x1fff, bytes, sizeof(bytes)));
	rig_refused(image_check(image), "overlaps segment");
	image->segments[1].gpa = RIG_MEMORY - 1;
	rig_refused(image_check(image), "not inside RAM");
	image->segments[1].gpa = UINT64_MAX - 100;
	rig_refused(image_check(image), "not inside RAM");
	rig_refused(image_add_segment(image, "no/slash", 0, bytes, 1), "expected letters");
	rig_refused(image_add_segment(image, "empty", 0, bytes, 0), "is empty");
	rig_image_end(image);
}

/* An ELF64 with one PT_LOAD at 1 MiB, a PT_NOTE with a PVH entry, and a symbol boot_pml4. */
struct elf_file {
	Elf64_Ehdr header;
	Elf64_Phdr loads[3];
	Elf64_Shdr sections[3];
	Elf64_Sym symbols[2];
	char names[16];
	uint32_t note[5];
	uint8_t code[32];
};

static struct elf_file elf_new(void)
{
	struct elf_file f = { 0 };

	memcpy(f.header.e_ident, ELFMAG, SELFMAG);
	f.header.e_ident[EI_CLASS] = ELFCLASS64;
	f.header.e_ident[EI_DATA] = ELFDATA2LSB;
	f.header.e_machine = EM_X86_64;
	f.header.e_entry = 0x100010;
	f.header.e_phoff = offsetof(struct elf_file, loads);
	f.header.e_phentsize = sizeof(Elf64_Phdr);
	f.header.e_phnum = 3;
	f.header.e_shoff = offsetof(struct elf_file, sections);
	f.header.e_shentsize = sizeof(Elf64_Shdr);
	f.header.e_shnum = 3;
	f.loads[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = offsetof(struct elf_file, code), .p_paddr = 0x100010,
				   .p_filesz = sizeof(f.code), .p_memsz = 0x2000 };
	f.loads[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = offsetof(struct elf_file, note), .p_filesz = 20 };
	f.sections[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
				      .sh_link = 2,
				      .sh_offset = offsetof(struct elf_file, symbols),
				      .sh_size = sizeof(f.symbols) };
	f.sections[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct elf_file, names),
				      .sh_size = sizeof(f.names) };
	f.symbols[1] = (Elf64_Sym){ .st_name = 1, .st_shndx = 1, .st_value = 0x101000 };
	memcpy(f.names + 1, "boot_pml4", 10);
	memcpy(f.note, (uint32_t[]){ 4, 4, 18, 0x006e6558, 0x100020 }, 20);
	memset(f.code, 0x90, sizeof(f.code));
	return f;
}

static bool build_elf(struct elf_file *f, size_t size, struct image *image)
{
	struct blob blob;

	assert_true(blob_alloc(&blob, size));   /* exact size, so that a read past it is seen */
	memcpy(blob.data, f, size);
	bool good = elf_build(image, &blob, "t.elf");
	blob_free(&blob);
	return good;
}

static void test_elf(void **state)
{
	struct image *image = rig_image("bare");
	struct elf_file f = elf_new();
	(void)state;

	assert_true(build_elf(&f, sizeof(f), image));
	assert_int_equal(image->rip, 0x100010);
	assert_int_equal(image->cr3, 0x101000);
	const struct segment *segment = rig_segment(image, 0x100000);
	assert_int_equal(segment->blob.size, 0x10 + sizeof(f.code));
	assert_int_equal(segment->blob.data[0xf], 0);
	assert_int_equal(segment->blob.data[0x10], 0x90);
	assert_memory_equal(segment->file, "bare-", 5);
	rig_image_end(image);
	image = rig_image("first-of-many");
	strcpy(image->program, "shared");
	assert_true(build_elf(&f, sizeof(f), image));
	assert_memory_equal(rig_segment(image, 0x100000)->file, "shared-", 7);
	rig_image_end(image);
}

static void elf_refused(struct elf_file f, size_t size, const char *text)
{
	struct image *image = rig_image("bare");

	rig_refused(build_elf(&f, size, image), text);
	rig_image_end(image);
}

static void test_elf_refusals(void **state)
{
	struct elf_file f = elf_new();
	(void)state;

	elf_refused(f, 10, "expected an ELF64 file");
	f.header.e_machine = EM_386;
	elf_refused(f, sizeof(f), "for x86-64");
	f = elf_new();
	f.header.e_phoff = UINT64_MAX - 8;
	elf_refused(f, sizeof(f), "program headers lie outside");
	f = elf_new();
	f.loads[0].p_offset = UINT64_MAX;
	elf_refused(f, sizeof(f), "program header 0 lies outside");
	f = elf_new();
	f.loads[0].p_filesz = 0x3000;
	elf_refused(f, sizeof(f), "lies outside");
	f = elf_new();
	f.loads[0].p_memsz = UINT64_MAX;
	elf_refused(f, sizeof(f), "give more --memory");
	f = elf_new();
	f.loads[2] = f.loads[0];
	f.loads[2].p_paddr += 0x1000;
	elf_refused(f, sizeof(f), "overlap");
	f = elf_new();
	f.loads[0].p_type = PT_NULL;
	elf_refused(f, sizeof(f), "at least one PT_LOAD");
	f = elf_new();
	f.names[1] = 'x';
	elf_refused(f, sizeof(f), "symbol boot_pml4");
	f = elf_new();
	f.symbols[1].st_name = UINT32_MAX;
	elf_refused(f, sizeof(f), "symbol boot_pml4");
	f = elf_new();
	f.symbols[1].st_value = 0x101008;
	elf_refused(f, sizeof(f), "expected a page inside RAM");
	f = elf_new();
	f.header.e_entry = RIG_MEMORY;
	elf_refused(f, sizeof(f), "lies outside RAM");
}

static void test_pvh(void **state)
{
	struct image *image = rig_image("pvh");
	struct elf_file f = elf_new();
	struct blob blob;
	(void)state;

	assert_true(blob_alloc(&blob, sizeof(f)));
	memcpy(blob.data, &f, sizeof(f));
	assert_true(pvh_build(image, &blob, "vmlinux", &rig_no_initrd, "quiet"));
	assert_false(image->long64);
	assert_int_equal(image->rip, 0x100020);
	assert_int_equal(image->rbx, BOOT_PARAMS_GPA);
	assert_int_equal(get32(rig_segment(image, BOOT_PARAMS_GPA)->blob.data), 0x336ec578);
	rig_image_end(image);
	image = rig_image("pvh");
	f.note[0] = UINT32_MAX;         /* a name longer than the note */
	memcpy(blob.data, &f, sizeof(f));
	rig_refused(pvh_build(image, &blob, "vmlinux", &rig_no_initrd, ""), "Xen note 18");
	blob_free(&blob);
	rig_image_end(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_refused), cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_image_refusals), cmocka_unit_test(test_elf),
		cmocka_unit_test(test_elf_refusals), cmocka_unit_test(test_pvh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
