/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's ELF64.  It is part of the loader's own PE, so a bad one is a bad build, said as such. */
#include <string.h>

#include "loader.h"

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF header");

struct elf_program {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_program) == 56, "program header");

#define ET_EXEC 2u
#define EM_X86_64 62u
#define PT_LOAD 1u
#define IMAGE_MAX HUGE_PAGE     /* one page directory maps it */

static struct elf_program program_at(const uint8_t *elf, const struct elf_header *h, unsigned index)
{
	struct elf_program p;

	memcpy(&p, elf + h->phoff + index * sizeof(p), sizeof(p));
	return p;
}

void elf_check(const uint8_t *elf, uint64_t length, struct elf_image *out)
{
	static const uint8_t ident[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	struct elf_header h;

	if (length < sizeof(h))
		refuse("the hypervisor inside this loader has %llu bytes, too few for an ELF",
		       (unsigned long long)length);
	memcpy(&h, elf, sizeof(h));
	if (memcmp(h.ident, ident, sizeof(ident)) || h.type != ET_EXEC || h.machine != EM_X86_64 ||
	    h.phentsize != sizeof(struct elf_program) || h.phnum == 0 || h.phoff > length ||
	    h.phnum * sizeof(struct elf_program) > length - h.phoff)
		refuse("the hypervisor inside this loader is not a static x86-64 ELF64");
	out->entry = h.entry;
	out->span = 0;
	for (unsigned i = 0; i < h.phnum; i++) {
		struct elf_program p = program_at(elf, &h, i);

		if (p.type != PT_LOAD || p.memsz == 0)
			continue;
		if (p.offset > length || p.filesz > length - p.offset || p.filesz > p.memsz || p.vaddr < LZR_HV_BASE ||
		    p.vaddr - LZR_HV_BASE > IMAGE_MAX || p.memsz > IMAGE_MAX - (p.vaddr - LZR_HV_BASE))
			refuse("the hypervisor inside this loader: segment %u lies outside the file or its place", i);
		if (p.vaddr - LZR_HV_BASE + p.memsz > out->span)
			out->span = p.vaddr - LZR_HV_BASE + p.memsz;
	}
	if (h.entry < LZR_HV_BASE || h.entry - LZR_HV_BASE >= out->span)
		refuse("the hypervisor inside this loader: entry point %llx lies outside its segments",
		       (unsigned long long)h.entry);
}

void elf_load(const uint8_t *elf, uint8_t *base)
{
	struct elf_header h;

	memcpy(&h, elf, sizeof(h));
	for (unsigned i = 0; i < h.phnum; i++) {
		struct elf_program p = program_at(elf, &h, i);

		if (p.type == PT_LOAD)
			memcpy(base + (p.vaddr - LZR_HV_BASE), elf + p.offset, p.filesz);
	}
}
