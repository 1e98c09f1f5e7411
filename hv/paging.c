/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root mode's own tables: the direct map of RAM (never executable, without the image), device registers uncached, the
 * image's parts with their permissions, CPU stacks with guard pages.  All tables come from one 2 MiB page, so one entry
 * makes all of them read-only at the seal.
 */
#include <arch_x86.h>
#include <string.h>

#include "layout.h"
#include "paging.h"
#include "plat.h"

#define ENTRIES 512u
#define CACHE_LINE 64u
#define POOL_TABLES (LARGE_PAGE_SIZE / PAGE_SIZE)

extern char image_start[], boot_text_end[], boot_rodata_end[], boot_end[];
extern char text_end[], rodata_end[], sealed_start[], sealed_end[], image_end[];

static uint64_t *pool;
static uint64_t pool_used;

static uint64_t *table_new(void)
{
	if (pool_used == POOL_TABLES)
		refuse("page tables: more than %lu needed", (uint64_t)POOL_TABLES);
	return pool + ENTRIES * pool_used++;
}

static uint64_t *table_of(uint64_t entry)
{
	return hpa_ptr(hpa(entry & PTE_ADDRESS));
}

static unsigned index_of(uint64_t virtual, unsigned level)
{
	return (virtual >> (12 + 9 * level)) % ENTRIES;
}

/* A 2 MiB entry becomes a table of 4 KiB entries with the same meaning. */
static void split(uint64_t *entry)
{
	uint64_t *table = table_new();

	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = (*entry & ~PTE_LARGE) + i * PAGE_SIZE;
	*entry = ptr_hpa(table).a | PTE_PRESENT | PTE_WRITE;
}

/* The entry that maps `virtual` at `level` (0: 4 KiB, 1: 2 MiB); tables above are made, large pages above are split. */
static uint64_t *entry_at(uint64_t virtual, unsigned level)
{
	uint64_t *table = pool;

	for (unsigned at = 3; at > level; at--) {
		uint64_t *entry = &table[index_of(virtual, at)];

		if (!*entry)
			*entry = ptr_hpa(table_new()).a | PTE_PRESENT | PTE_WRITE;
		else if (*entry & PTE_LARGE)
			split(entry);
		table = table_of(*entry);
	}
	return &table[index_of(virtual, level)];
}

/* The entry that maps `virtual` now, whatever its size; NULL when nothing does. */
static uint64_t *entry_find(uint64_t virtual)
{
	uint64_t *table = pool;

	for (unsigned at = 3;; at--) {
		uint64_t *entry = &table[index_of(virtual, at)];

		if (!*entry)
			return NULL;
		if (at == 0 || *entry & PTE_LARGE)
			return entry;
		table = table_of(*entry);
	}
}

void paging_map(uint64_t virtual, uint64_t physical, uint64_t length, uint64_t flags)
{
	while (length) {
		bool large = !(virtual % LARGE_PAGE_SIZE) && !(physical % LARGE_PAGE_SIZE) && length >= LARGE_PAGE_SIZE;
		uint64_t step = large ? LARGE_PAGE_SIZE : PAGE_SIZE;
		uint64_t *entry = entry_at(virtual, large ? 1 : 0);

		if (*entry)
			panic("page tables: %lx is mapped twice", virtual);
		*entry = physical | flags | (large ? PTE_LARGE : 0);
		virtual += step;
		physical += step;
		length -= step;
	}
}

void paging_protect(hpa_t base, uint64_t length)
{
	for (uint64_t at = base.a; at < base.a + length; at += PAGE_SIZE) {
		uint64_t *entry = entry_at(DIRECT_BASE + at, 0);

		CHECK(*entry & PTE_PRESENT);
		*entry &= ~PTE_WRITE;
		arch_invlpg(DIRECT_BASE + at);
	}
}

void paging_uncache(hpa_t base, uint64_t length)
{
	for (uint64_t at = base.a; at < base.a + length; at += PAGE_SIZE) {
		uint64_t *entry = entry_at(DIRECT_BASE + at, 0);

		CHECK(*entry & PTE_PRESENT);
		*entry |= PTE_PCD | PTE_PWT;
		arch_invlpg(DIRECT_BASE + at);
		for (uint64_t line = 0; line < PAGE_SIZE; line += CACHE_LINE)
			arch_clflush((const uint8_t *)hpa_ptr(hpa(at)) + line);
	}
	arch_fence();
}

volatile void *mmio_map(hpa_t base, uint64_t length)
{
	uint64_t first = base.a & ~(PAGE_SIZE - 1);
	uint64_t end = (base.a + length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

	if (!length || length > DIRECT_LIMIT || base.a >= DIRECT_LIMIT - length || mem_is_ram(first, end - first))
		return NULL;
	for (uint64_t at = first; at < end;) {
		bool large = at % LARGE_PAGE_SIZE == 0 && end - at >= LARGE_PAGE_SIZE &&
			     !*entry_at(DIRECT_BASE + at, 1);
		uint64_t step = large ? LARGE_PAGE_SIZE : PAGE_SIZE;
		uint64_t *entry = entry_find(DIRECT_BASE + at);

		if (!entry)
			paging_map(DIRECT_BASE + at, at, step, PAGE_DEVICE);
		else if (*entry & PTE_PCD)
			step = PAGE_SIZE;
		else
			return NULL;
		at += step;
	}
	return hpa_ptr(base);
}

static void map_image(uint64_t physical)
{
	const struct { char *start, *end; uint64_t flags; } parts[] = {
		{ image_start, boot_text_end, PAGE_RX }, { boot_text_end, boot_rodata_end, PAGE_RO },
		{ boot_rodata_end, boot_end, PAGE_RW }, { boot_end, text_end, PAGE_RX },
		{ text_end, rodata_end, PAGE_RO }, { rodata_end, image_end, PAGE_RW },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(parts); i++)
		for (char *at = parts[i].start; at < parts[i].end; at += PAGE_SIZE)
			paging_map((uint64_t)at, physical + (uint64_t)(at - image_start), PAGE_SIZE, parts[i].flags);
}

/* RAM without the image; neighbours with the same permissions go together, so that most of it gets 2 MiB pages. */
static void map_ram(const struct handoff *handoff)
{
	uint64_t image = handoff->info.image_base, image_stop = image + handoff->info.image_length;
	uint64_t start = 0, end = 0, flags = 0;

	for (uint32_t i = 0; i <= handoff->info.memory_count; i++) {
		const struct lzr_boot_memory *m = &handoff->memory[i];
		bool last = i == handoff->info.memory_count;
		bool firmware = !last && m->kind == LZR_MEMORY_ACPI;

		if (!last && !firmware && m->kind != LZR_MEMORY_USABLE && m->kind != LZR_MEMORY_LOADER)
			continue;
		uint64_t wanted = firmware ? PAGE_RO : PAGE_RW;

		if (!last && m->base == end && wanted == flags) {
			end += m->length;
			continue;
		}
		if (start < image && end > image) {
			paging_map(DIRECT_BASE + start, start, image - start, flags);
			start = image_stop;
		} else if (start == image) {
			start = image_stop;
		}
		if (start < end)
			paging_map(DIRECT_BASE + start, start, end - start, flags);
		if (!last) {
			start = m->base;
			end = start + m->length;
			flags = wanted;
		}
	}
}

void paging_init(const struct handoff *handoff)
{
	if (image_end - image_start > (ptrdiff_t)handoff->info.image_length)
		refuse("image: %lu bytes do not fit in %lu", (uint64_t)(image_end - image_start),
		      handoff->info.image_length);
	pool = mem_alloc_hv(LARGE_PAGE_SIZE, LARGE_PAGE_SIZE);
	if (!pool || ptr_hpa(pool).a >> 32)
		refuse("no 2 MiB below 4 GiB for page tables");
	pool_used = 1;
	map_image(handoff->info.image_base);
	map_ram(handoff);
	for (unsigned i = 0; i < LZR_CPU_MAX; i++) {
		void *stack = mem_alloc_hv(STACK_SIZE, PAGE_SIZE);

		if (!stack)
			refuse("no memory for CPU stacks");
		cpus[i].stack_top = STACK_BASE + (i + 1) * STACK_STRIDE;
		paging_map(cpus[i].stack_top - STACK_SIZE, ptr_hpa(stack).a, STACK_SIZE, PAGE_RW);
	}
	host_cr3_set(ptr_hpa(pool).a);
	arch_wrmsr(MSR_EFER, arch_rdmsr(MSR_EFER) | EFER_NXE);
	arch_write_cr0(arch_read_cr0() | CR0_WP);
	arch_write_cr3(host_cr3());
}

void paging_map_start_page(uint64_t page)
{
	paging_map(page, page, PAGE_SIZE, PAGE_RX);
}

struct seal_plan paging_prepare_seal(void)
{
	hpa_t array;
	uint64_t length;

	mem_owner_array(&array, &length);
	paging_protect(array, length);
	for (char *at = sealed_start; at < sealed_end; at += PAGE_SIZE) {
		*entry_at((uint64_t)at, 0) &= ~PTE_WRITE;
		arch_invlpg((uint64_t)at);
	}
	pool[0] = 0;            /* the start-up page */
	struct seal_plan plan = {
		.boot_entries = entry_at((uint64_t)image_start, 0),
		.boot_count = (uint64_t)(boot_end - image_start) / PAGE_SIZE,
		.pool_entry = entry_find((uint64_t)pool),
	};
	CHECK(plan.boot_count <= ENTRIES && *plan.pool_entry & PTE_LARGE);
	return plan;
}
