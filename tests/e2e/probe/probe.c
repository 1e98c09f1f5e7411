/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What boot tests put in the hypervisor's place: it checks how it was entered, tells the hand-off and the PCRs on
 * COM1, and halts, so that the host can look at memory.
 */
#include <lazaret/boot.h>

#include "probe.h"

static void put(char c)
{
	uint8_t status;

	do
		__asm__ volatile("inb %1, %0" : "=a"(status) : "Nd"((uint16_t)0x3fd));
	while (!(status & 0x20));
	__asm__ volatile("outb %0, %1" : : "a"(c), "Nd"((uint16_t)0x3f8));
}

static void text(const char *s)
{
	while (*s)
		put(*s++);
}

static void hex(uint64_t value, unsigned digits)
{
	while (digits--)
		put("0123456789abcdef"[value >> 4 * digits & 15]);
}

static void field(const char *name, uint64_t value)
{
	text("probe: ");
	text(name);
	put(' ');
	hex(value, 16);
	put('\n');
}

static void check(const char *what, bool good)
{
	text(good ? "probe: ok " : "probe: BAD ");
	text(what);
	put('\n');
}

static bool memory_is_sorted(const struct lzr_boot_memory *map, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (map[i].base % 4096 || map[i].length % 4096 || map[i].length == 0 || map[i].kind < 1 ||
		    map[i].kind > 5)
			return false;
		if (i > 0 && map[i - 1].base + map[i - 1].length > map[i].base)
			return false;
	}
	return count > 0;
}

/* True when [base, base + length) lies in one range of that kind. */
static bool lies_in(const struct lzr_boot_memory *map, uint32_t count, uint64_t base, uint64_t length, uint32_t kind)
{
	for (uint32_t i = 0; i < count; i++) {
		if (map[i].kind == kind && base >= map[i].base && base + length <= map[i].base + map[i].length)
			return true;
	}
	return false;
}

static void check_places(const struct lzr_boot_info *info)
{
	const uint8_t *block = (const uint8_t *)info;
	const struct lzr_boot_memory *map = (const void *)(block + info->memory_offset);
	const struct lzr_boot_file *files = (const void *)(block + info->file_offset);
	uint64_t stack;
	bool good = true;

	__asm__ volatile("mov %%rsp, %0" : "=r"(stack));
	check("memory map", memory_is_sorted(map, info->memory_count));
	check("hand-off place", lies_in(map, info->memory_count, (uint64_t)info, info->size, LZR_MEMORY_LOADER));
	check("image place", info->image_base % (2 << 20) == 0 &&
	      lies_in(map, info->memory_count, info->image_base, info->image_length, LZR_MEMORY_LOADER));
	check("stack place", lies_in(map, info->memory_count, stack - 1024, 1024, LZR_MEMORY_LOADER));
	check("start-up page", info->ap_page && info->ap_page < 0xa0000 &&
	      lies_in(map, info->memory_count, info->ap_page, 4096, LZR_MEMORY_LOADER));
	for (uint32_t i = 0; i < info->file_count; i++) {
		good = good && files[i].address % 4096 == 0 &&
		       lies_in(map, info->memory_count, files[i].address, files[i].length, LZR_MEMORY_LOADER);
	}
	check("files' places", good && info->file_count > 0 && files[0].kind == LZR_FILE_BOOT_LIST);
	if (info->log_length)
		check("log place", lies_in(map, info->memory_count, info->log_address, info->log_length,
					   LZR_MEMORY_LOADER));
}

static void check_entry(const struct lzr_boot_info *info)
{
	static const uint8_t marker[] = "image at both addresses";
	const uint8_t *low = (const uint8_t *)(info->image_base + ((uint64_t)marker - LZR_HV_BASE));
	uint64_t flags;
	bool same = true;

	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	check("interrupts off", !(flags & 0x200));
	for (unsigned i = 0; i < sizeof(marker); i++)
		same = same && low[i] == marker[i];
	check("image mapping", same);
}

static void tell_pcrs(uint16_t algorithm, unsigned size)
{
	for (unsigned pcr = 0; pcr <= 11; pcr++) {
		uint8_t digest[64];

		text("probe: pcr ");
		hex(algorithm, 4);
		put(' ');
		hex(pcr, 2);
		put(' ');
		if (tis_pcr_read(pcr, algorithm, digest, size)) {
			for (unsigned i = 0; i < size; i++)
				hex(digest[i], 2);
		} else {
			text("unreadable");
		}
		put('\n');
	}
}

void probe_main(const struct lzr_boot_info *info);

void probe_main(const struct lzr_boot_info *info)
{
	field("start", (uint64_t)info);
	check("magic", info->magic == LZR_BOOT_MAGIC && info->version == LZR_BOOT_VERSION);
	check_entry(info);
	check_places(info);
	field("flags", info->flags);
	field("size", info->size);
	field("entropy", info->entropy_length);
	field("rsdp", info->rsdp);
	field("clock", info->wall_clock);
	field("floor", info->policy_floor);
	field("screen", info->framebuffer);
	field("log", info->log_address);
	field("length", info->log_length);
	if (info->log_length) {
		tell_pcrs(0x000b, 32);
		tell_pcrs(0x000c, 48);
	}
	text("probe: end\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}
