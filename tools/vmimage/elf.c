/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF64 images: bare-metal guests, entered in long mode on the page tables that their symbol boot_pml4 names, and PVH
 * kernels, entered in 32-bit mode at the address of Xen note 18 (Xen documentation, "x86/HVM direct boot ABI").
 */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmimage.h"

#define NOTE_PVH_ENTRY 18u
#define GAP_MAX 0x10000u        /* PT_LOADs closer than this become one segment, zeros between them */

#define START_MAGIC 0x336ec578u
#define START_SIZE 56u
#define START_MEMMAP 0x100u     /* offsets in the start info segment */
#define START_MODULES 0x200u

static bool within(const struct blob *elf, uint64_t offset, uint64_t size)
{
	return offset <= elf->size && size <= elf->size - offset;
}

static bool elf_header(const struct blob *elf, const char *path, Elf64_Ehdr *header)
{
	if (elf->size < sizeof(*header))
		return refuse("%s: expected an ELF64 file, found %zu bytes", path, elf->size);
	memcpy(header, elf->data, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64)
		return refuse("%s: expected an ELF64 file for x86-64", path);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    !within(elf, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr)))
		return refuse("%s: truncated: program headers lie outside the file", path);
	return true;
}

static Elf64_Phdr program_header(const struct blob *elf, const Elf64_Ehdr *header, unsigned index)
{
	Elf64_Phdr ph;

	memcpy(&ph, elf->data + header->e_phoff + (uint64_t)index * sizeof(ph), sizeof(ph));
	return ph;
}

static int compare_loads(const void *a, const void *b)
{
	const Elf64_Phdr *x = a, *y = b;

	return x->p_paddr < y->p_paddr ? -1 : x->p_paddr > y->p_paddr;
}

/* The PT_LOADs by physical address, checked against the file and against each other; caller frees *out. */
static bool collect_loads(const struct image *image, const struct blob *elf, const char *path, const Elf64_Ehdr *header,
			  Elf64_Phdr **out, unsigned *count)
{
	Elf64_Phdr *loads = calloc(header->e_phnum, sizeof(*loads));

	*out = loads;
	*count = 0;
	if (!loads)
		return refuse("out of memory");
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr ph = program_header(elf, header, i);
		if (ph.p_type != PT_LOAD || ph.p_memsz == 0)
			continue;
		if (ph.p_filesz > ph.p_memsz || !within(elf, ph.p_offset, ph.p_filesz))
			return refuse("%s: truncated: program header %u lies outside the file", path, i);
		if (ph.p_paddr > image->memory || ph.p_memsz > image->memory - ph.p_paddr)
			return refuse("%s: program header %u needs RAM up to 0x%" PRIx64 ", found 0x%" PRIx64
				    "; give more --memory",
				    path, i, ph.p_paddr + ph.p_memsz, image->memory);
		loads[(*count)++] = ph;
	}
	qsort(loads, *count, sizeof(*loads), compare_loads);
	for (unsigned i = 1; i < *count; i++)
		if (loads[i - 1].p_paddr + loads[i - 1].p_memsz > loads[i].p_paddr)
			return refuse("%s: two program headers overlap at 0x%" PRIx64, path, loads[i].p_paddr);
	return *count ? true : refuse("%s: expected at least one PT_LOAD program header", path);
}

/* One segment from loads[first] as far as the gaps stay small; returns the index behind the last, 0 on failure. */
static unsigned add_run(struct image *image, const struct blob *elf, const Elf64_Phdr *loads, unsigned first,
			unsigned count)
{
	uint64_t base = loads[first].p_paddr & ~(PAGE - 1), end = loads[first].p_paddr + loads[first].p_filesz;
	unsigned next = first + 1;
	struct blob bytes;

	for (; next < count && (loads[next].p_filesz == 0 || loads[next].p_paddr <= end + GAP_MAX); next++)
		if (loads[next].p_filesz)
			end = loads[next].p_paddr + loads[next].p_filesz;
	if (end <= loads[first].p_paddr)
		return next;                    /* zeros only */
	if (!blob_alloc(&bytes, (size_t)(end - base)))
		return 0;
	for (unsigned i = first; i < next; i++)
		if (loads[i].p_filesz)
			memcpy(bytes.data + (loads[i].p_paddr - base), elf->data + loads[i].p_offset,
			       loads[i].p_filesz);
	const char *stem = image->program[0] ? image->program : image->name;
	bool good = image_add_segment(image, stem, base, bytes.data, bytes.size);
	blob_free(&bytes);
	return good ? next : 0;
}

static bool add_loads(struct image *image, const struct blob *elf, const char *path, const Elf64_Ehdr *header,
		      uint64_t *end)
{
	Elf64_Phdr *loads = NULL;
	unsigned count = 0, next = 0;
	bool good = collect_loads(image, elf, path, header, &loads, &count);

	while (good && next < count) {
		next = add_run(image, elf, loads, next, count);
		good = next != 0;
	}
	if (good)
		*end = loads[count - 1].p_paddr + loads[count - 1].p_memsz;
	free(loads);
	return good;
}

static bool find_symbol(const struct blob *elf, const Elf64_Ehdr *header, const char *name, uint64_t *value)
{
	if (header->e_shentsize != sizeof(Elf64_Shdr) ||
	    !within(elf, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr)))
		return false;
	for (unsigned i = 0; i < header->e_shnum; i++) {
		Elf64_Shdr table, strings;
		memcpy(&table, elf->data + header->e_shoff + (uint64_t)i * sizeof(table), sizeof(table));
		if (table.sh_type != SHT_SYMTAB || table.sh_link >= header->e_shnum ||
		    !within(elf, table.sh_offset, table.sh_size))
			continue;
		memcpy(&strings, elf->data + header->e_shoff + (uint64_t)table.sh_link * sizeof(strings),
		       sizeof(strings));
		if (!within(elf, strings.sh_offset, strings.sh_size))
			continue;
		for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
			Elf64_Sym symbol;
			memcpy(&symbol, elf->data + table.sh_offset + at, sizeof(symbol));
			size_t length = strlen(name) + 1;
			if (symbol.st_shndx == SHN_UNDEF || symbol.st_name > strings.sh_size ||
			    length > strings.sh_size - symbol.st_name ||
			    memcmp(elf->data + strings.sh_offset + symbol.st_name, name, length))
				continue;
			*value = symbol.st_value;
			return true;
		}
	}
	return false;
}

bool elf_build(struct image *image, const struct blob *elf, const char *path)
{
	Elf64_Ehdr header;
	uint64_t end;

	if (!elf_header(elf, path, &header) || !add_loads(image, elf, path, &header, &end))
		return false;
	if (!find_symbol(elf, &header, "boot_pml4", &image->cr3))
		return refuse("%s: expected a symbol boot_pml4: the page tables that the guest starts on", path);
	if (image->cr3 % PAGE || image->cr3 >= image->memory)
		return refuse("%s: boot_pml4 at 0x%" PRIx64 ": expected a page inside RAM", path, image->cr3);
	if (header.e_entry >= image->memory)
		return refuse("%s: entry 0x%" PRIx64 " lies outside RAM", path, header.e_entry);
	image->long64 = true;
	image->rip = header.e_entry;
	image->uart = UART_PORT;
	image->power = POWER_PORT;
	image->debug = DEBUG_PORT;
	return true;
}

static bool find_pvh_entry(const struct blob *elf, const Elf64_Ehdr *header, uint64_t *entry)
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr ph = program_header(elf, header, i);
		if (ph.p_type != PT_NOTE || !within(elf, ph.p_offset, ph.p_filesz))
			continue;
		uint64_t at = ph.p_offset, end = ph.p_offset + ph.p_filesz;
		while (end - at >= 12) {
			uint64_t name = get32(elf->data + at), size = get32(elf->data + at + 4);
			uint32_t type = get32(elf->data + at + 8);
			uint64_t body = at + 12 + ((name + 3) & ~3ull), next = body + ((size + 3) & ~3ull);
			if (next > end)
				break;
			if (type == NOTE_PVH_ENTRY && name == 4 && !memcmp(elf->data + at + 12, "Xen", 4) &&
			    (size == 4 || size == 8)) {
				*entry = size == 4 ? get32(elf->data + body) : get64(elf->data + body);
				return true;
			}
			at = next;
		}
	}
	return false;
}

static void memory_map_entry(uint8_t *at, uint64_t base, uint64_t size, uint32_t type)
{
	put64(at, base);
	put64(at + 8, size);
	put32(at + 16, type);
}

/* struct hvm_start_info version 1 with one module and three memory map entries, the command line behind it. */
static bool add_start_info(struct image *image, uint64_t initrd_gpa, size_t initrd_size, const char *cmdline)
{
	uint8_t info[CMDLINE_GPA - BOOT_PARAMS_GPA + CMDLINE_MAX] = { 0 };
	size_t length = strlen(cmdline);

	if (length >= CMDLINE_MAX)
		return refuse("%s: --cmdline: expected at most %u characters, found %zu", image->name, CMDLINE_MAX - 1,
			      length);
	put32(info, START_MAGIC);
	put32(info + 4, 1);                             /* version */
	put32(info + 12, initrd_size ? 1 : 0);          /* modules */
	put64(info + 16, initrd_size ? BOOT_PARAMS_GPA + START_MODULES : 0);
	put64(info + 24, CMDLINE_GPA);
	put64(info + 32, ACPI_GPA);
	put64(info + 40, BOOT_PARAMS_GPA + START_MEMMAP);
	put32(info + 48, 3);
	memory_map_entry(info + START_MEMMAP, 0, LOW_RAM_END, 1);
	memory_map_entry(info + START_MEMMAP + 24, ACPI_GPA, ACPI_MAX, 3);
	memory_map_entry(info + START_MEMMAP + 48, HIGH_RAM, image->memory - HIGH_RAM, 1);
	put64(info + START_MODULES, initrd_gpa);
	put64(info + START_MODULES + 8, initrd_size);
	memcpy(info + (CMDLINE_GPA - BOOT_PARAMS_GPA), cmdline, length);
	return image_add_segment(image, "start", BOOT_PARAMS_GPA, info, CMDLINE_GPA - BOOT_PARAMS_GPA + length + 1);
}

bool pvh_build(struct image *image, const struct blob *elf, const char *path, const struct blob *initrd,
	       const char *cmdline)
{
	uint64_t initrd_gpa, end;
	Elf64_Ehdr header;

	if (!elf_header(elf, path, &header))
		return false;
	if (!find_pvh_entry(elf, &header, &image->rip))
		return refuse("%s: expected a PVH entry (Xen note 18); a bzImage hides it, unpack the kernel first",
			      path);
	if (image->rip >= image->memory)
		return refuse("%s: PVH entry 0x%" PRIx64 " lies outside RAM", path, image->rip);
	if (!add_loads(image, elf, path, &header, &end) || !platform_add_initrd(image, initrd, end, &initrd_gpa) ||
	    !add_start_info(image, initrd_gpa, initrd->size, cmdline) || !platform_add_acpi(image) ||
	    !platform_add_reset(image))
		return false;
	image->rbx = BOOT_PARAMS_GPA;
	image->uart = UART_PORT;
	image->power = POWER_PORT;
	return true;
}

_Static_assert(START_SIZE <= START_MEMMAP, "start info before its memory map");
