/* SPDX-License-Identifier: Apache-2.0 */
/* The loader against firmware and TPMs that misbehave: memory map, exit, event log, TPM answers, ACPI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader_fake.h"
#include "rollback.h"

static int setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

/* --- memory map --------------------------------------------------------------------------------------------------- */

#define DESCRIPTOR 48u          /* as real firmware has it: larger than the structure */
#define RANGES 16u

static uint8_t map[RANGES * DESCRIPTOR];
static unsigned ranges;
static struct lzr_boot_memory memory[RANGES];
static const char *error;

static void range(uint32_t type, uint64_t base, uint64_t pages, uint64_t attribute)
{
	struct efi_memory_descriptor d = { .type = type, .physical_start = base, .pages = pages,
					   .attribute = attribute };

	memcpy(map + ranges++ * DESCRIPTOR, &d, sizeof(d));
}

static uint32_t convert(void)
{
	return memmap_convert(map, ranges * DESCRIPTOR, DESCRIPTOR, memory, RANGES, &error);
}

static void expect_range(unsigned i, uint64_t base, uint64_t length, uint32_t kind)
{
	assert_int_equal(memory[i].base, base);
	assert_int_equal(memory[i].length, length);
	assert_int_equal(memory[i].kind, kind);
	assert_int_equal(memory[i].reserved, 0);
}

static void memory_map_is_sorted_and_merged(void **state)
{
	(void)state;
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x100000, 16, EFI_MEMORY_WB);
	range(EFI_LOADER_DATA, 0x110000, 1, EFI_MEMORY_WB);
	range(EFI_BOOT_SERVICES_DATA, 0, 0x9f, EFI_MEMORY_WB);
	range(EFI_MMIO, 0xfee00000, 1, 1);
	range(EFI_BOOT_SERVICES_CODE, 0x111000, 1, EFI_MEMORY_WB);
	range(EFI_LOADER_CODE, 0x112000, 1, EFI_MEMORY_WB);
	range(EFI_CONVENTIONAL_MEMORY, 0x200000, 1, 1);         /* cannot be cached */
	range(EFI_ACPI_NVS_MEMORY, 0x201000, 1, EFI_MEMORY_WB);
	range(EFI_ACPI_RECLAIM_MEMORY, 0x202000, 1, EFI_MEMORY_WB);
	range(EFI_RUNTIME_SERVICES_DATA, 0x203000, 1, EFI_MEMORY_WB);
	range(0x80000001, 0x204000, 1, EFI_MEMORY_WB);          /* somebody's own */
	range(EFI_CONVENTIONAL_MEMORY, 0x300000, 0, EFI_MEMORY_WB);     /* empty */
	assert_int_equal(convert(), 8);
	assert_null(error);
	expect_range(0, 0, 0x9f000, LZR_MEMORY_USABLE);
	expect_range(1, 0x100000, 0x10000, LZR_MEMORY_USABLE);
	expect_range(2, 0x110000, 0x1000, LZR_MEMORY_LOADER);
	expect_range(3, 0x111000, 0x2000, LZR_MEMORY_USABLE);
	expect_range(4, 0x200000, 0x1000, LZR_MEMORY_RESERVED);
	expect_range(5, 0x201000, 0x2000, LZR_MEMORY_ACPI);
	expect_range(6, 0x203000, 0x2000, LZR_MEMORY_RESERVED);
	expect_range(7, 0xfee00000, 0x1000, LZR_MEMORY_MMIO);
}

static void bad_memory_maps_are_refused(void **state)
{
	(void)state;
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1000, 2, EFI_MEMORY_WB);
	range(EFI_RUNTIME_SERVICES_DATA, 0x2000, 1, EFI_MEMORY_WB);
	convert();
	assert_string_equal(error, "ranges that overlap");
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1800, 2, EFI_MEMORY_WB);
	convert();
	assert_non_null(error);
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1000, ~0ull / PAGE, EFI_MEMORY_WB);    /* wraps */
	convert();
	assert_non_null(error);
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, ~0ull - 0xfff, 1, EFI_MEMORY_WB);
	convert();
	assert_non_null(error);
	ranges = 0;
	for (unsigned i = 0; i < RANGES; i++)
		range(EFI_CONVENTIONAL_MEMORY, i * 0x2000, 1, EFI_MEMORY_WB);
	assert_int_equal(convert(), RANGES);
	memmap_convert(map, ranges * DESCRIPTOR, DESCRIPTOR, memory, RANGES - 1, &error);
	assert_string_equal(error, "more ranges than there is room for");
	memmap_convert(map, ranges * DESCRIPTOR, 32, memory, RANGES, &error);
	assert_string_equal(error, "descriptors of a wrong size");
	memmap_convert(map, ranges * DESCRIPTOR - 8, DESCRIPTOR, memory, RANGES, &error);
	assert_string_equal(error, "descriptors of a wrong size");
}

/* --- tables that the hypervisor is entered with ------------------------------------------------------------------- */

static uint64_t walk(uint64_t root, uint64_t address)
{
	uint64_t *table = (uint64_t *)root, reach = 1ull << 39;

	for (unsigned level = 4; level > 1; level--, reach >>= 9) {
		uint64_t entry = table[address / reach & 511];

		if ((entry & 3) != 3)
			return ~0ull;
		if (level < 4 && (entry & 0x80))
			return (entry & ~0xfffull) + address % reach;
		table = (uint64_t *)(entry & ~0xfffull);
	}
	return ~0ull;
}

static void tables_map_what_is_promised(void **state)
{
	const uint64_t image = 0x40000000, length = 6 << 20;

	(void)state;
	for (unsigned huge = 0; huge < 2; huge++) {
		uint64_t top = (512ull << 30) + (huge ? 1 : 0), size = paging_bytes(top, huge), root;
		uint64_t *pool = aligned_alloc(PAGE, size);

		memset(pool, 0, size);
		root = paging_build(pool, top, huge, image, length);
		assert_int_equal(walk(root, 0), 0);
		assert_int_equal(walk(root, 0xfed40123), 0xfed40123);
		assert_int_equal(walk(root, (512ull << 30) - 1), (512ull << 30) - 1);
		assert_int_equal(walk(root, 512ull << 30), huge ? 512ull << 30 : ~0ull);
		assert_int_equal(walk(root, LZR_HV_BASE + 0x123), image + 0x123);
		assert_int_equal(walk(root, LZR_HV_BASE + length - 1), image + length - 1);
		assert_int_equal(walk(root, LZR_HV_BASE + length), ~0ull);
		free(pool);
	}
}

/* --- leaving boot services ---------------------------------------------------------------------------------------- */

static unsigned exits, exits_failing, maps_read;
static uint64_t map_key;

static efi_status EFIAPI get_memory_map(uint64_t *size, void *out, uint64_t *key, uint64_t *descriptor_size,
					uint32_t *version)
{
	uint64_t have = ranges * DESCRIPTOR;

	*descriptor_size = DESCRIPTOR;
	*version = 1;
	if (*size < have) {
		*size = have;
		return EFI_BUFFER_TOO_SMALL;
	}
	memcpy(out, map, have);
	*size = have;
	*key = ++map_key;
	maps_read++;
	return EFI_SUCCESS;
}

static efi_status EFIAPI exit_services(efi_handle image, uint64_t key)
{
	(void)image;
	exits++;
	return exits > exits_failing && key == map_key ? EFI_SUCCESS : EFI_INVALID_PARAMETER;
}

static void exit_is_tried_again(void **state)
{
	struct exit_map exit_map;

	(void)state;
	fake_boot.get_memory_map = get_memory_map;
	fake_boot.exit_boot_services = exit_services;
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1000, 2, EFI_MEMORY_WB);
	exit_map_alloc(&exit_map);
	assert_true(exit_map.capacity >= (1 + 32) * DESCRIPTOR);
	exits = maps_read = 0;
	exits_failing = 100;
	assert_refused(exit_boot_services(&exit_map), "did not end boot services");
	assert_false(exit_done());
	exits = maps_read = 0;
	exits_failing = 2;
	exit_boot_services(&exit_map);
	assert_true(exit_done());
	assert_int_equal(exits, 3);
	assert_int_equal(maps_read, 3);
	assert_int_equal(exit_map.size, DESCRIPTOR);
}

/* --- event log ---------------------------------------------------------------------------------------------------- */

static uint8_t firmware_log[4096], final_table[8192];
static uint64_t log_used, log_last, final_used;
static uint8_t log_truncated;
static bool log_moves;

static void put(uint8_t *to, uint64_t *used, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		to[(*used)++] = (uint8_t)(value >> 8 * i);
}

static void put_event(uint8_t *to, uint64_t *used, uint32_t pcr, uint8_t mark)
{
	put(to, used, pcr, 4);
	put(to, used, 4, 4);
	put(to, used, 1, 4);
	put(to, used, 0x0c, 2);
	memset(to + *used, mark, 48);
	*used += 48;
	put(to, used, 1, 4);
	put(to, used, mark, 1);
}
#define EVENT_SIZE (12u + 2 + 48 + 5)

static void log_event(uint8_t mark)
{
	log_last = log_used;
	put_event(firmware_log, &log_used, 8, mark);
}

static void final_event(uint8_t mark)
{
	struct tcg2_final_events *table = (void *)final_table;

	put_event(table->events, &final_used, 8, mark);
	table->count++;
}

static efi_status EFIAPI get_event_log(struct tcg2_protocol *this, uint32_t format, uint64_t *location, uint64_t *last,
				       uint8_t *truncated)
{
	(void)this;
	assert_int_equal(format, TCG2_LOG_CRYPTO_AGILE);
	*location = (uint64_t)firmware_log;
	*last = (uint64_t)firmware_log + log_last;
	*truncated = log_truncated;
	if (log_moves)
		final_event('m');
	return EFI_SUCCESS;
}

static int log_setup(void **state)
{
	const struct efi_guid guid = TCG2_FINAL_EVENTS_GUID;

	setup(state);
	fake_tcg2.get_event_log = get_event_log;
	memset(firmware_log, 0, sizeof(firmware_log));
	memset(final_table, 0, sizeof(final_table));
	final_table[0] = 1;
	log_used = log_last = final_used = 0;
	log_truncated = 0;
	log_moves = false;
	put(firmware_log, &log_used, 0, 4);
	put(firmware_log, &log_used, 3, 4);
	log_used += 20;
	put(firmware_log, &log_used, 16 + 8 + 4 + 4 + 1, 4);
	memcpy(firmware_log + log_used, "Spec ID Event03", 16);
	log_used += 24;
	put(firmware_log, &log_used, 1, 4);
	put(firmware_log, &log_used, 48 << 16 | 0x0c, 4);
	put(firmware_log, &log_used, 0, 1);
	log_event('a');
	log_event('b');
	fake_tables[1] = (struct efi_configuration_table){ guid, final_table };
	fake_system.table_count = 2;
	return 0;
}

/* The marks of the events that the hypervisor gets. */
static void expect_log(const char *marks)
{
	const uint8_t *log = (const uint8_t *)tcglog_address();
	uint64_t first = log_last - EVENT_SIZE, count = strlen(marks);

	assert_int_equal(tcglog_length(), first + count * EVENT_SIZE);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(log[first + (i + 1) * EVENT_SIZE - 1], marks[i]);
}

static void final_events_are_appended_once(void **state)
{
	(void)state;
	tcglog_copy(&fake_tcg2);
	expect_log("ab");
	tcglog_finish();
	expect_log("ab");
	final_event('c');               /* a failed ExitBootServices ... */
	final_event('d');               /* ... and the one that went well */
	tcglog_finish();
	expect_log("abcd");
}

static void events_that_the_copy_has_are_not_repeated(void **state)
{
	(void)state;
	final_event('b');               /* somebody before us called GetEventLog between a and b */
	tcglog_copy(&fake_tcg2);
	final_event('c');
	tcglog_finish();
	expect_log("abc");
}

static void no_final_events_table_is_fine(void **state)
{
	(void)state;
	fake_system.table_count = 1;
	tcglog_copy(&fake_tcg2);
	final_event('c');
	tcglog_finish();
	expect_log("ab");
}

static void bad_logs_are_refused(void **state)
{
	struct tcg2_final_events *table = (void *)final_table;

	log_truncated = 1;
	assert_refused(tcglog_copy(&fake_tcg2), "is truncated");
	log_setup(state);
	firmware_log[40] ^= 1;
	assert_refused(tcglog_copy(&fake_tcg2), "Spec ID Event03");
	log_setup(state);
	log_last = ~0ull - 4096;
	assert_refused(tcglog_copy(&fake_tcg2), "ends before it starts, or is larger");
	log_setup(state);
	log_last = 1ull << 30;
	assert_refused(tcglog_copy(&fake_tcg2), "larger than 2 MiB");
	log_setup(state);
	log_last += 1;
	assert_refused(tcglog_copy(&fake_tcg2), "event log: ");
	log_setup(state);
	log_last = 0;
	assert_refused(tcglog_copy(&fake_tcg2), "event log: ");
	log_setup(state);
	log_moves = true;
	assert_refused(tcglog_copy(&fake_tcg2), "does not stand still");
	log_setup(state);
	tcglog_copy(&fake_tcg2);
	table->count = 1ull << 40;
	assert_refused(tcglog_finish(), "holds 1099511627776 events");
	table->count = 1;
	assert_refused(tcglog_finish(), "event 0: ");
	log_setup(state);
	final_event('b');
	tcglog_copy(&fake_tcg2);
	table->count = 0;
	assert_refused(tcglog_finish(), "holds 0 events");
}

/* --- measuring ---------------------------------------------------------------------------------------------------- */

static struct { uint32_t pcr, type; uint64_t length; } seen[32];
static unsigned seen_count, extend_fails_at;

static efi_status EFIAPI hash_log_extend(struct tcg2_protocol *this, uint64_t flags, uint64_t data, uint64_t length,
					 struct tcg2_event *event)
{
	(void)this;
	(void)data;
	assert_int_equal(flags, 0);
	assert_int_equal(event->header_size, TCG2_EVENT_HEADER_SIZE);
	seen[seen_count].pcr = event->pcr;
	seen[seen_count].type = event->type;
	seen[seen_count].length = length;
	return ++seen_count == extend_fails_at ? EFI_DEVICE_ERROR : EFI_SUCCESS;
}

static void measuring_alternates_and_caps(void **state)
{
	static char name[LZR_NAME_MAX] = "red";
	const struct file file = { LZR_FILE_MANIFEST, name, "data", 4 };

	(void)state;
	seen_count = extend_fails_at = 0;
	fake_tcg2.hash_log_extend_event = hash_log_extend;
	assert_true(measure_init());
	measure_file(11, &file);
	measure_caps();
	assert_int_equal(seen_count, 5);
	assert_int_equal(seen[0].type, LZR_EV_EVENT_TAG);
	assert_int_equal(seen[0].length, sizeof(struct lzr_event_descriptor));
	assert_int_equal(seen[1].type, LZR_EV_IPL);
	assert_int_equal(seen[1].length, 4);
	assert_int_equal(seen[1].pcr, 11);
	assert_int_equal(seen[2].pcr, 8);
	assert_int_equal(seen[3].pcr, 9);
	assert_int_equal(seen[4].pcr, 11);
	for (unsigned i = 1; i <= 2; i++) {
		extend_fails_at = seen_count + i;
		assert_refused(measure_file(11, &file), "red: its measurement into PCR 11 failed");
		seen_count = 0;
		extend_fails_at = 0;
	}
	extend_fails_at = seen_count + 2;
	assert_refused(measure_caps(), "the cap of PCR 9 failed");
	seen_count = 0;
	extend_fails_at = 1;
	measure_error_caps();           /* goes on to the other registers */
	assert_int_equal(seen_count, 3);
}

static void unusable_tpms_are_refused(void **state)
{
	(void)state;
	fake_capability.tpm_present = 0;
	assert_refused(measure_init(), "no TPM 2.0");
	fake_has_tcg2 = false;
	assert_refused(measure_init(), "no TPM 2.0");
	fake_reset();
	fake_capability.active_banks = 2;
	assert_refused(measure_init(), "SHA-384 bank is not active");
	fake_reset();
	fake_capability.supported_logs = 1;
	assert_refused(measure_init(), "no crypto-agile event log");
}

/* --- TPM answers -------------------------------------------------------------------------------------------------- */

static uint8_t answers[4][256], sent[4][128];
static unsigned answer_sizes[4], answer_count, answer_next;
static efi_status submit_status;

static efi_status EFIAPI submit_command(struct tcg2_protocol *this, uint32_t in_size, uint8_t *in, uint32_t out_size,
					uint8_t *out)
{
	(void)this;
	assert_true(in_size <= sizeof(sent[0]) && in[5] == in_size);
	assert_true(answer_next < answer_count);
	memcpy(sent[answer_next], in, in_size);
	memcpy(out, answers[answer_next], answer_sizes[answer_next] < out_size ? answer_sizes[answer_next] : out_size);
	answer_next++;
	return submit_status;
}

/* `body` follows the response header, whose size field is right unless the test changes it. */
static void answer(uint32_t code, const void *body, unsigned length)
{
	uint8_t *a = answers[answer_count];

	memset(a, 0, sizeof(answers[0]));
	a[0] = 0x80;
	a[1] = 1;
	a[5] = (uint8_t)(10 + length);
	a[8] = (uint8_t)(code >> 8);
	a[9] = (uint8_t)code;
	if (length)
		memcpy(a + 10, body, length);
	answer_sizes[answer_count++] = 10 + length;
}

static int tpm_setup(void **state)
{
	setup(state);
	fake_tcg2.submit_command = submit_command;
	submit_status = EFI_SUCCESS;
	answer_count = answer_next = 0;
	assert_true(measure_init());
	return 0;
}

static void random_bytes_are_collected(void **state)
{
	uint8_t body[50] = { 0, 48 }, out[64] = { 0 };

	(void)state;
	memset(body + 2, 'r', 48);
	answer(0, body, 50);
	body[1] = 16;
	answer(0, body, 18);
	assert_int_equal(tpm_random(out, sizeof(out)), 64);
	assert_int_equal(out[63], 'r');
	assert_int_equal(sent[1][11], 16);
}

static void bad_random_answers_give_nothing(void **state)
{
	uint8_t body[50] = { 0, 48 }, out[64];

	answer(0, body, 20);            /* says 48, brings 18 */
	assert_int_equal(tpm_random(out, sizeof(out)), 0);
	tpm_setup(state);
	body[1] = 65;
	answer(0, body, 50);            /* more than asked for */
	assert_int_equal(tpm_random(out, sizeof(out)), 0);
	tpm_setup(state);
	answer(0x101, NULL, 0);
	assert_int_equal(tpm_random(out, sizeof(out)), 0);
	tpm_setup(state);
	body[1] = 48;
	answer(0, body, 50);
	answers[0][2] = 0xff;           /* 4 GiB of response */
	assert_int_equal(tpm_random(out, sizeof(out)), 0);
	tpm_setup(state);
	answer(0, body, 50);
	submit_status = EFI_DEVICE_ERROR;
	assert_int_equal(tpm_random(out, sizeof(out)), 0);
}

static void answer_public(uint32_t index, uint16_t size)
{
	uint8_t body[16] = { 0, 14, (uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8),
			     (uint8_t)index,
			     0, 0x0b, 0, 6, 0, 4, 0, 0, (uint8_t)(size >> 8), (uint8_t)size };

	answer(0, body, sizeof(body));
}

static void answer_data(const char *magic)
{
	uint8_t body[6 + 64] = { 0, 0, 0, 66, 0, 64 };
	struct rollback_nv nv = { .floor = 7 };

	memcpy(nv.magic, magic, 8);
	memset(nv.signer, 's', sizeof(nv.signer));
	memcpy(body + 6, &nv, sizeof(nv));
	answer(0, body, sizeof(body));
}

static void rollback_index_is_read(void **state)
{
	uint8_t signer[LZR_DIGEST_SIZE] = { 0 };
	uint64_t floor = 0;

	(void)state;
	answer(0x18b, NULL, 0);
	assert_false(tpm_read_rollback(&floor, signer));
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 64);
	answer_data(ROLLBACK_NV_MAGIC);
	assert_true(tpm_read_rollback(&floor, signer));
	assert_int_equal(floor, 7);
	assert_int_equal(signer[47], 's');
}

static void bad_rollback_indices_are_refused(void **state)
{
	uint8_t signer[LZR_DIGEST_SIZE];
	uint64_t floor;

	answer(0x101, NULL, 0);
	assert_refused(tpm_read_rollback(&floor, signer), "cannot be examined");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 63);
	assert_refused(tpm_read_rollback(&floor, signer), "does not hold 64 bytes");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX + 1, 64);
	assert_refused(tpm_read_rollback(&floor, signer), "does not hold 64 bytes");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 64);
	answer_data("LZRNVR2");
	assert_refused(tpm_read_rollback(&floor, signer), "does not start with");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 64);
	answer(0x14a, NULL, 0);
	assert_refused(tpm_read_rollback(&floor, signer), "cannot be read");
}

/* --- ACPI, clock, screen ------------------------------------------------------------------------------------------ */

static uint8_t rsdp[36];

static void fix_sum(unsigned at, unsigned length)
{
	uint8_t sum = 0;

	rsdp[at] = 0;
	for (unsigned i = 0; i < length; i++)
		sum = (uint8_t)(sum + rsdp[i]);
	rsdp[at] = (uint8_t)-sum;
}

static void rsdp_is_checked(void **state)
{
	const struct efi_guid guid = EFI_ACPI20_TABLE_GUID;

	(void)state;
	assert_refused(platform_rsdp(), "no ACPI 2.0 tables");
	fake_tables[0] = (struct efi_configuration_table){ guid, rsdp };
	fake_system.table_count = 1;
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	rsdp[20] = 36;
	rsdp[24] = 1;
	fix_sum(8, 20);
	fix_sum(32, 36);
	assert_int_equal(platform_rsdp(), (uint64_t)rsdp);
	rsdp[33] ^= 1;
	assert_refused(platform_rsdp(), "root pointer is damaged");
	rsdp[33] ^= 1;
	rsdp[24] = 0;
	fix_sum(32, 36);
	assert_refused(platform_rsdp(), "root pointer is damaged");
}

static struct efi_time now;

static efi_status EFIAPI get_time(struct efi_time *time, void *capabilities)
{
	(void)capabilities;
	*time = now;
	return EFI_SUCCESS;
}

static void clock_is_converted(void **state)
{
	(void)state;
	fake_runtime.get_time = get_time;
	now = (struct efi_time){ .year = 1970, .month = 1, .day = 1, .second = 1 };
	assert_int_equal(platform_wall_clock(), 1);
	now = (struct efi_time){ .year = 2024, .month = 2, .day = 29, .hour = 12,
				 .time_zone = EFI_UNSPECIFIED_TIMEZONE };
	assert_int_equal(platform_wall_clock(), 1709208000);
	now = (struct efi_time){ .year = 2026, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 59,
				 .time_zone = -60 };
	assert_int_equal(platform_wall_clock(), 1798761599 - 3600);
	now.month = 13;
	assert_int_equal(platform_wall_clock(), 0);
}

static void screens_that_lie_are_ignored(void **state)
{
	struct efi_graphics_info mode = { .width = 1280, .height = 800, .format = EFI_PIXEL_BGR,
					  .pixels_per_line = 1280 };
	struct efi_graphics_mode current = { .info = &mode, .framebuffer = 0x80000000,
					     .framebuffer_size = 1280 * 800 * 4 };
	struct efi_graphics graphics = { .mode = &current };
	struct lzr_boot_info info = { 0 };

	(void)state;
	fake_graphics = &graphics;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0x80000000);
	assert_int_equal(info.fb_stride, 1280);
	memset(&info, 0, sizeof(info));
	mode.pixels_per_line = 1281;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
	mode.pixels_per_line = 1000;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
	mode.pixels_per_line = 1280;
	mode.format = 3;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
	fake_graphics = NULL;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory_map_is_sorted_and_merged, setup),
		cmocka_unit_test_setup(bad_memory_maps_are_refused, setup),
		cmocka_unit_test_setup(tables_map_what_is_promised, setup),
		cmocka_unit_test_setup(exit_is_tried_again, setup),
		cmocka_unit_test_setup(final_events_are_appended_once, log_setup),
		cmocka_unit_test_setup(events_that_the_copy_has_are_not_repeated, log_setup),
		cmocka_unit_test_setup(no_final_events_table_is_fine, log_setup),
		cmocka_unit_test_setup(bad_logs_are_refused, log_setup),
		cmocka_unit_test_setup(unusable_tpms_are_refused, setup),
		cmocka_unit_test_setup(measuring_alternates_and_caps, setup),
		cmocka_unit_test_setup(random_bytes_are_collected, tpm_setup),
		cmocka_unit_test_setup(bad_random_answers_give_nothing, tpm_setup),
		cmocka_unit_test_setup(rollback_index_is_read, tpm_setup),
		cmocka_unit_test_setup(bad_rollback_indices_are_refused, tpm_setup),
		cmocka_unit_test_setup(rsdp_is_checked, setup),
		cmocka_unit_test_setup(clock_is_converted, setup),
		cmocka_unit_test_setup(screens_that_lie_are_ignored, setup),
	};

	return cmocka_run_group_tests(tests, NULL, setup);
}
