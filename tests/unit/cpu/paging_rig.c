/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "paging_rig.h"

#define SYMBOL(name, offset) ".globl " name "\n.set " name ", 0xffffffff80000000 + " #offset "\n"
__asm__(SYMBOL("image_start", 0) SYMBOL("boot_text_end", 0x3000) SYMBOL("boot_rodata_end", 0x5000)
	SYMBOL("boot_end", 0x8000) SYMBOL("text_end", 0xc000) SYMBOL("rodata_end", 0xe000)
	SYMBOL("sealed_start", 0xf000) SYMBOL("sealed_end", 0x11000) SYMBOL("image_end", 0x14000));

struct handoff rig_handoff;
struct cpu cpus[LZR_CPU_MAX];
jmp_buf rig_panic;
const char *rig_panic_expected;
uint64_t rig_pool_at;
unsigned rig_stacks;

static uint64_t next_stack;
static struct walk walk;

/* --- platform ----------------------------------------------------------------------------------------------------- */

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!strcmp(format, "refused: %s"))
		format = va_arg(args, const char *);
	va_end(args);
	if (rig_panic_expected && strstr(format, rig_panic_expected))
		longjmp(rig_panic, 1);
	fprintf(stderr, "panic: %s\n", format);
	abort();
}

void refuse(const char *format, ...)
{
	panic("refused: %s", format);
}

void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	uint64_t at = 0;

	if (length == LARGE_PAGE_SIZE && align == LARGE_PAGE_SIZE) {
		at = rig_pool_at;
	} else {
		assert_true(length == STACK_SIZE && align == PAGE_SIZE);
		if (next_stack < STACKS + rig_stacks * STACK_SIZE) {
			at = next_stack;
			next_stack += STACK_SIZE;
		}
	}
	return at && at < RAM ? memset(hpa_ptr(hpa(at)), 0, length) : at ? hpa_ptr(hpa(at)) : NULL;
}

void mem_owner_array(hpa_t *base, uint64_t *length)
{
	*base = hpa(OWNERS);
	*length = OWNERS_LENGTH;
}

bool mem_is_ram(uint64_t base, uint64_t length)
{
	for (unsigned i = 0; i < rig_handoff.info.memory_count; i++) {
		const struct lzr_boot_memory *m = &rig_handoff.memory[i];

		if ((m->kind == LZR_MEMORY_USABLE || m->kind == LZR_MEMORY_LOADER) && base < m->base + m->length &&
		    m->base < base + length)
			return true;
	}
	return false;
}

/* --- for the tests ------------------------------------------------------------------------------------------------ */

void rig_memory(const struct lzr_boot_memory *map, unsigned count)
{
	memcpy(rig_handoff.memory, map, count * sizeof(*map));
	rig_handoff.info.memory_count = count;
}

int rig_setup(void **state)
{
	static const struct lzr_boot_memory map[] = {
		{ 0x0, 0x8000, LZR_MEMORY_USABLE, 0 }, { 0x8000, 0x1000, LZR_MEMORY_LOADER, 0 },
		{ 0x9000, 0x97000, LZR_MEMORY_USABLE, 0 }, { 0xa0000, 0x60000, LZR_MEMORY_RESERVED, 0 },
		{ 1 * MIB, 2 * MIB, LZR_MEMORY_USABLE, 0 }, { 3 * MIB, 4 * MIB, LZR_MEMORY_LOADER, 0 },
		{ 7 * MIB, 8 * MIB, LZR_MEMORY_USABLE, 0 }, { 15 * MIB, 0x20000, LZR_MEMORY_ACPI, 0 },
		{ 15 * MIB + 0x20000, MIB - 0x20000, LZR_MEMORY_RESERVED, 0 },
		{ 0xfec00000, 0x400000, LZR_MEMORY_MMIO, 0 }, { 4 * GIB, 64 * MIB, LZR_MEMORY_USABLE, 0 },
	};
	static bool mapped;

	cpu_fake_reset(state);
	if (!mapped) {
		void *p = mmap((void *)DIRECT_BASE, RAM, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		assert_ptr_equal(p, (void *)DIRECT_BASE);
		mapped = true;
	}
	memset(hpa_ptr(hpa(0)), 0xcc, RAM);
	memset(&rig_handoff, 0, sizeof(rig_handoff));
	rig_handoff.info.image_base = IMAGE;
	rig_handoff.info.image_length = IMAGE_LENGTH;
	rig_memory(map, ARRAY_LENGTH(map));
	rig_pool_at = POOL;
	rig_stacks = LZR_CPU_MAX;
	next_stack = STACKS;
	image_base_set(IMAGE);
	model_clear();
	return 0;
}

/* --- the model: pages in the order in which they were said, looked up by bisection once sorted -------------------- */

static struct page {
	uint64_t virtual, physical, bits;
} pages[200000];
static unsigned page_count;

static int by_virtual(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return x->virtual < y->virtual ? -1 : x->virtual > y->virtual;
}

static int by_physical(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return x->physical < y->physical ? -1 : x->physical > y->physical;
}

void model_clear(void)
{
	page_count = 0;
}

void model_map(uint64_t virtual, uint64_t physical, uint64_t length, uint64_t bits)
{
	for (uint64_t i = 0; i < length; i += PAGE_SIZE) {
		assert_true(page_count < ARRAY_LENGTH(pages));
		pages[page_count++] = (struct page){ virtual + i, physical + i, bits };
	}
}

static bool is_within(uint64_t at, uint64_t base, uint64_t length)
{
	return at >= base && at - base < length;
}

void model_change(uint64_t virtual, uint64_t length, uint64_t bits)
{
	unsigned changed = 0, kept = 0;

	for (unsigned i = 0; i < page_count; i++) {
		if (is_within(pages[i].virtual, virtual, length)) {
			pages[i].bits = bits;
			changed++;
		}
		if (pages[i].bits)
			pages[kept++] = pages[i];
	}
	page_count = kept;
	assert_int_equal(changed, length / PAGE_SIZE);
}

void model_after_init(void)
{
	const uint64_t image = rig_handoff.info.image_base;
	const struct { unsigned from, to; uint64_t bits; } parts[] = {
		{ 0, BOOT_TEXT_END, RX }, { BOOT_TEXT_END, BOOT_RODATA_END, RO }, { BOOT_RODATA_END, BOOT_END, RW },
		{ BOOT_END, TEXT_END, RX }, { TEXT_END, RODATA_END, RO }, { RODATA_END, IMAGE_END, RW },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(parts); i++)
		model_map(0xffffffff80000000 + parts[i].from, image + parts[i].from, parts[i].to - parts[i].from,
			  parts[i].bits);
	for (uint64_t i = 0; i < LZR_CPU_MAX; i++)
		model_map(0xffffff0000000000 + (i + 1) * 0x10000 - 0x4000, STACKS + i * 0x4000, 0x4000, RW);
	for (unsigned i = 0; i < rig_handoff.info.memory_count; i++) {
		const struct lzr_boot_memory *m = &rig_handoff.memory[i];

		if (m->kind == LZR_MEMORY_RESERVED || m->kind == LZR_MEMORY_MMIO)
			continue;
		for (uint64_t at = m->base; at < m->base + m->length; at += PAGE_SIZE)
			if (!is_within(at, image, rig_handoff.info.image_length))
				model_map(DIRECT_BASE + at, at, PAGE_SIZE, m->kind == LZR_MEMORY_ACPI ? RO : RW);
	}
}

/* Neighbours in the order of physical addresses: mappings of the same page. */
static void check_write_or_execute(uint64_t start_page)
{
	qsort(pages, page_count, sizeof(pages[0]), by_physical);
	for (unsigned i = 0; i < page_count;) {
		uint64_t physical = pages[i].physical;
		bool writable = false, executable = false;

		for (; i < page_count && pages[i].physical == physical; i++) {
			writable |= pages[i].bits & BIT_WRITE;
			executable |= !(pages[i].bits & BIT_NX);
		}
		assert_true((start_page && physical == start_page) || !writable || !executable);
	}
}

void model_check(uint64_t start_page)
{
	uint64_t there = 0;

	assert_int_equal(host_cr3(), rig_pool_at);
	walk_tree(&walk, hpa_ptr(hpa(host_cr3())), BIT_PRESENT | BIT_WRITE);
	qsort(pages, page_count, sizeof(pages[0]), by_virtual);
	for (unsigned i = 0; i < walk.count; i++) {
		const struct leaf *leaf = &walk.leaves[i];

		for (uint64_t offset = 0; offset < leaf->length; offset += PAGE_SIZE) {
			struct page key = { .virtual = leaf->virtual + offset };
			const struct page *page = bsearch(&key, pages, page_count, sizeof(key), by_virtual);

			if (!page)
				fail_msg("%lx is mapped", key.virtual);
			assert_int_equal(leaf->physical + offset, page->physical);
			if (leaf->bits != page->bits)
				fail_msg("%lx: bits %lx, expected %lx", key.virtual, leaf->bits, page->bits);
			there++;
		}
	}
	assert_int_equal(there, page_count);
	check_write_or_execute(start_page);
}
