/* SPDX-License-Identifier: Apache-2.0 */
/* The loader against TPMs and their event log: measuring, the log's copy, answers that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader_fake.h"
#include <lazaret/rollback.h>

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

	fake_setup(state);
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
	fake_setup(state);
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
	uint8_t body[6 + 112] = { 0, 0, 0, 114, 0, 112 };
	struct rollback_nv nv = { .floor = 7 };

	memcpy(nv.magic, magic, 8);
	memset(nv.signer, 's', sizeof(nv.signer));
	memset(nv.next_signer, 'n', sizeof(nv.next_signer));
	memcpy(body + 6, &nv, sizeof(nv));
	answer(0, body, sizeof(body));
}

static void rollback_index_is_read(void **state)
{
	struct rollback_nv nv = { 0 };

	(void)state;
	answer(0x18b, NULL, 0);
	assert_false(tpm_read_rollback(&nv));
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 112);
	answer_data(ROLLBACK_NV_MAGIC);
	assert_true(tpm_read_rollback(&nv));
	assert_int_equal(nv.floor, 7);
	assert_int_equal(nv.signer[47], 's');
	assert_int_equal(nv.next_signer[47], 'n');
}

static void bad_rollback_indices_are_refused(void **state)
{
	struct rollback_nv nv;

	answer(0x101, NULL, 0);
	assert_refused(tpm_read_rollback(&nv), "cannot be examined");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 111);
	assert_refused(tpm_read_rollback(&nv), "does not hold 112 bytes");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX + 1, 112);
	assert_refused(tpm_read_rollback(&nv), "does not hold 112 bytes");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 112);
	answer_data("LZRNVR1");
	assert_refused(tpm_read_rollback(&nv), "does not start with");
	tpm_setup(state);
	answer_public(ROLLBACK_NV_INDEX, 112);
	answer(0x14a, NULL, 0);
	assert_refused(tpm_read_rollback(&nv), "cannot be read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(final_events_are_appended_once, log_setup),
		cmocka_unit_test_setup(events_that_the_copy_has_are_not_repeated, log_setup),
		cmocka_unit_test_setup(no_final_events_table_is_fine, log_setup),
		cmocka_unit_test_setup(bad_logs_are_refused, log_setup),
		cmocka_unit_test_setup(unusable_tpms_are_refused, fake_setup),
		cmocka_unit_test_setup(measuring_alternates_and_caps, fake_setup),
		cmocka_unit_test_setup(random_bytes_are_collected, tpm_setup),
		cmocka_unit_test_setup(bad_random_answers_give_nothing, tpm_setup),
		cmocka_unit_test_setup(rollback_index_is_read, tpm_setup),
		cmocka_unit_test_setup(bad_rollback_indices_are_refused, tpm_setup),
	};

	return cmocka_run_group_tests(tests, NULL, fake_setup);
}
