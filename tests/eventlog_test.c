/* SPDX-License-Identifier: Apache-2.0 */
/* The event-log parser and replayer against good and crafted logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

#include "eventlog.h"

static uint8_t bytes[1 << 16];
static size_t used;
static size_t algorithms_at;            /* offset of the header's algorithm count */

static void put(uint32_t value, unsigned size)
{
	while (size--) {
		bytes[used++] = (uint8_t)value;
		value >>= 8;
	}
}

static void put_bytes(const void *data, size_t length)
{
	memcpy(bytes + used, data, length);
	used += length;
}

/* SHA-256 and SHA-384, as the rig's firmware logs. */
static void put_header(void)
{
	static const uint8_t zero[20];

	used = 0;
	put(0, 4);
	put(3, 4);
	put_bytes(zero, 20);
	put(16 + 8 + 4 + 8 + 1, 4);
	put_bytes("Spec ID Event03", 16);
	put(0, 4);
	put(0x02000200, 4);
	algorithms_at = used;
	put(2, 4);
	put(EVENTLOG_ALG_SHA256, 2);
	put(32, 2);
	put(EVENTLOG_ALG_SHA384, 2);
	put(48, 2);
	put(0, 1);
}

static void put_event(uint32_t pcr, uint32_t type, const void *data, uint32_t length)
{
	uint8_t digest[64];

	put(pcr, 4);
	put(type, 4);
	put(2, 4);
	put(EVENTLOG_ALG_SHA256, 2);
	mbedtls_sha256_ret(data, length, digest, 0);
	put_bytes(digest, 32);
	put(EVENTLOG_ALG_SHA384, 2);
	mbedtls_sha512_ret(data, length, digest, 1);
	put_bytes(digest, 48);
	put(length, 4);
	put_bytes(data, length);
}

/* Works on a copy of exact size, so that the sanitizer sees any read behind it. */
static enum eventlog_error replay(uint16_t algorithm, uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX])
{
	uint8_t *copy = malloc(used ? used : 1);
	enum eventlog_error error;
	struct eventlog log;
	uint32_t extended;
	size_t at;

	memcpy(copy, bytes, used);
	error = eventlog_open(&log, copy, used);
	if (!error)
		error = eventlog_replay(&log, algorithm, pcrs, &extended, &at);
	free(copy);
	return error;
}

static enum eventlog_error check(void)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX];

	return replay(EVENTLOG_ALG_SHA384, pcrs);
}

static void good_log_replays(void **state)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX], expected[48 + EVENTLOG_DIGEST_MAX] = { 0 }, zero[48] = { 0 };

	(void)state;
	put_header();
	put_event(8, 6, "abc", 3);
	put_event(8, 4, "\0\0\0", 4);
	assert_int_equal(replay(EVENTLOG_ALG_SHA384, pcrs), EVENTLOG_OK);
	mbedtls_sha512_ret((const uint8_t *)"abc", 3, expected + 48, 1);
	mbedtls_sha512_ret(expected, 96, expected, 1);
	mbedtls_sha512_ret((const uint8_t *)"\0\0\0", 4, expected + 48, 1);
	mbedtls_sha512_ret(expected, 96, expected, 1);
	assert_memory_equal(pcrs[8], expected, 48);
	assert_memory_equal(pcrs[9], zero, 48);
	assert_int_equal(pcrs[17][0], 0xff);
	memset(expected, 0, sizeof(expected));
	assert_int_equal(replay(EVENTLOG_ALG_SHA256, pcrs), EVENTLOG_OK);
	mbedtls_sha256_ret((const uint8_t *)"abc", 3, expected + 32, 0);
	mbedtls_sha256_ret(expected, 64, expected, 0);
	mbedtls_sha256_ret((const uint8_t *)"\0\0\0", 4, expected + 32, 0);
	mbedtls_sha256_ret(expected, 64, expected, 0);
	assert_memory_equal(pcrs[8], expected, 32);
	assert_int_equal(replay(EVENTLOG_ALG_SHA1, pcrs), EVENTLOG_NO_BANK);
}

static void every_truncation_is_refused(void **state)
{
	size_t whole, header;

	(void)state;
	put_header();
	header = used;
	put_event(8, 6, "abc", 3);
	whole = used;
	for (used = 0; used < whole; used++) {
		enum eventlog_error error = check();

		if (used == header)
			assert_int_equal(error, EVENTLOG_OK);
		else
			assert_int_not_equal(error, EVENTLOG_OK);
	}
}

static void bad_headers_are_refused(void **state)
{
	(void)state;
	put_header();
	bytes[32] ^= 1;
	assert_int_equal(check(), EVENTLOG_BAD_HEADER);         /* "Spec ID Event03" */
	put_header();
	bytes[0] = 1;
	assert_int_equal(check(), EVENTLOG_BAD_HEADER);         /* PCR 1 */
	put_header();
	bytes[4] = 4;
	assert_int_equal(check(), EVENTLOG_BAD_HEADER);         /* not EV_NO_ACTION */
	put_header();
	bytes[8] = 1;
	assert_int_equal(check(), EVENTLOG_BAD_HEADER);         /* a digest */
	put_header();
	bytes[28]++;
	put(0, 1);
	assert_int_equal(check(), EVENTLOG_BAD_HEADER);         /* a byte too many */
	put_header();
	memset(bytes + 28, 0xff, 4);
	assert_int_equal(check(), EVENTLOG_TRUNCATED);          /* 4 GiB of header */
}

static void bad_algorithm_lists_are_refused(void **state)
{
	(void)state;
	put_header();
	bytes[algorithms_at] = 0;
	assert_int_equal(check(), EVENTLOG_BAD_ALGORITHMS);
	put_header();
	bytes[algorithms_at] = 9;
	assert_int_equal(check(), EVENTLOG_BAD_ALGORITHMS);
	put_header();
	bytes[algorithms_at + 6] = 20;
	assert_int_equal(check(), EVENTLOG_BAD_ALGORITHMS);     /* SHA-256 of 20 bytes */
	put_header();
	memcpy(bytes + algorithms_at + 8, bytes + algorithms_at + 4, 4);
	assert_int_equal(check(), EVENTLOG_BAD_ALGORITHMS);     /* SHA-256 twice */
	put_header();
	bytes[algorithms_at] = 3;
	assert_int_equal(check(), EVENTLOG_TRUNCATED);
}

static void bad_events_are_refused(void **state)
{
	size_t event;

	(void)state;
	put_header();
	event = used;
	put_event(24, 6, "abc", 3);
	assert_int_equal(check(), EVENTLOG_BAD_PCR);
	used = event;
	put_event(8, 6, "abc", 3);
	bytes[event + 8] = 1;
	assert_int_not_equal(check(), EVENTLOG_OK);             /* one digest; no data follow */
	bytes[event + 8] = 0;
	assert_int_equal(check(), EVENTLOG_BAD_DIGESTS);
	bytes[event + 8] = 3;
	assert_int_equal(check(), EVENTLOG_BAD_DIGESTS);        /* more than the header lists */
	bytes[event + 8] = 2;
	bytes[event + 12] = EVENTLOG_ALG_SHA384;
	assert_int_not_equal(check(), EVENTLOG_OK);             /* SHA-384 twice */
	bytes[event + 12] = 0x77;
	assert_int_equal(check(), EVENTLOG_BAD_DIGESTS);        /* an algorithm that the header lacks */
	used = event;
	put_event(8, 6, "abc", 3);
	memset(bytes + used - 7, 0xff, 4);
	assert_int_equal(check(), EVENTLOG_OVERSIZED);
	memcpy(bytes + used - 7, "\4\0\0", 4);
	assert_int_equal(check(), EVENTLOG_TRUNCATED);
}

/* Firmware lists in the header what it could do; the events have the banks that are on. */
static void banks_that_are_off(void **state)
{
	/* SHA-1, SHA-256 and SHA-384 in the header, the last two in its only event: a separator in PCR 0. */
	static const uint8_t one_bank_more[] = {
		0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 41, 0, 0, 0,
		'S', 'p', 'e', 'c', ' ', 'I', 'D', ' ', 'E', 'v', 'e', 'n', 't', '0', '3', 0, 0, 0, 0, 0, 0, 2, 0, 2,
		3, 0, 0, 0, 4, 0, 20, 0, 11, 0, 32, 0, 12, 0, 48, 0, 0,
	};
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX], expected[48 + EVENTLOG_DIGEST_MAX] = { 0 };

	(void)state;
	used = 0;
	put_bytes(one_bank_more, sizeof(one_bank_more));
	put_event(0, 4, "\0\0\0", 4);
	assert_int_equal(replay(EVENTLOG_ALG_SHA384, pcrs), EVENTLOG_OK);
	mbedtls_sha512_ret((const uint8_t *)"\0\0\0", 4, expected + 48, 1);
	mbedtls_sha512_ret(expected, 96, expected, 1);
	assert_memory_equal(pcrs[0], expected, 48);
	/* The bank that is asked for is in each event that was extended, or nothing is replayed. */
	put(0, 4);
	put(4, 4);
	put(1, 4);
	put(EVENTLOG_ALG_SHA256, 2);
	put_bytes(expected, 32);
	put(0, 4);
	assert_int_equal(replay(EVENTLOG_ALG_SHA256, pcrs), EVENTLOG_OK);
	assert_int_equal(check(), EVENTLOG_NO_BANK);
}

/* What was extended into an NV index is told in events of no action (TCG PC Client Platform Firmware Profile). */
static void nv_indices(void **state)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX], other[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX];

	(void)state;
	put_header();
	put_event(0, 4, "\0\0\0", 4);
	assert_int_equal(replay(EVENTLOG_ALG_SHA384, pcrs), EVENTLOG_OK);
	put_event(0x01c40200, 3, "NvIndexInstance\0\1\0\0\0\0\0\0", 24);
	assert_int_equal(replay(EVENTLOG_ALG_SHA384, other), EVENTLOG_OK);
	assert_memory_equal(pcrs, other, sizeof(pcrs));
	put_event(0x01c40200, 4, "\0\0\0", 4);
	assert_int_equal(check(), EVENTLOG_BAD_PCR);            /* extended, and into no register */
	put_header();
	put_event(0x02c40200, 3, "abc", 3);
	assert_int_equal(check(), EVENTLOG_BAD_PCR);            /* no NV index either */
	put_header();
	put_event(24, 3, "abc", 3);
	assert_int_equal(check(), EVENTLOG_BAD_PCR);
}

static void retyped_events_show(void **state)
{
	struct eventlog_event event;
	struct eventlog log;
	size_t at, start;

	(void)state;
	put_header();
	start = used;
	put_event(8, 6, "abc", 3);
	assert_int_equal(eventlog_open(&log, bytes, used), EVENTLOG_OK);
	at = log.first;
	assert_int_equal(eventlog_next(&log, &at, &event), EVENTLOG_OK);
	assert_true(eventlog_data_matches(&log, &event, EVENTLOG_ALG_SHA384));
	assert_true(eventlog_data_matches(&log, &event, EVENTLOG_ALG_SHA256));
	assert_false(eventlog_data_matches(&log, &event, EVENTLOG_ALG_SHA1));
	/* Another type replays to the same PCR, so the type alone says nothing ... */
	bytes[start + 4] = 13;
	assert_int_equal(check(), EVENTLOG_OK);
	/* ... but other data no longer match the digest. */
	bytes[used - 1] ^= 1;
	at = log.first;
	assert_int_equal(eventlog_next(&log, &at, &event), EVENTLOG_OK);
	assert_false(eventlog_data_matches(&log, &event, EVENTLOG_ALG_SHA384));
	assert_false(eventlog_data_matches(&log, &event, EVENTLOG_ALG_SHA256));
	assert_int_equal(eventlog_next(&log, &at, &event), EVENTLOG_END);
}

static void no_action_extends_nothing(void **state)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX], zero[48] = { 0 };

	(void)state;
	put_header();
	put_event(8, 3, "abc", 3);
	assert_int_equal(replay(EVENTLOG_ALG_SHA384, pcrs), EVENTLOG_OK);
	assert_memory_equal(pcrs[8], zero, 48);
}

static void startup_locality(void **state)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX];

	(void)state;
	put_header();
	put_event(0, 3, "StartupLocality\0\3", 17);
	assert_int_equal(replay(EVENTLOG_ALG_SHA384, pcrs), EVENTLOG_OK);
	assert_int_equal(pcrs[0][47], 3);
	put_event(0, 3, "StartupLocality\0\3", 17);
	assert_int_equal(check(), EVENTLOG_BAD_STARTUP);        /* twice */
	put_header();
	put_event(0, 3, "StartupLocality\0\1", 17);
	assert_int_equal(check(), EVENTLOG_BAD_STARTUP);
	put_header();
	put_event(1, 3, "StartupLocality\0\3", 17);
	assert_int_equal(check(), EVENTLOG_BAD_STARTUP);
	put_header();
	put_event(0, 6, "abc", 3);
	put_event(0, 3, "StartupLocality\0\3", 17);
	assert_int_equal(check(), EVENTLOG_BAD_STARTUP);        /* after an extend */
}

static void errors_have_texts(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= EVENTLOG_NO_BANK; i++)
		assert_non_null(eventlog_error_text(i));
	assert_string_equal(eventlog_error_text(1000), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_log_replays), cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bad_headers_are_refused), cmocka_unit_test(bad_algorithm_lists_are_refused),
		cmocka_unit_test(bad_events_are_refused),
		cmocka_unit_test(banks_that_are_off), cmocka_unit_test(nv_indices),
		cmocka_unit_test(retyped_events_show),
		cmocka_unit_test(no_action_extends_nothing), cmocka_unit_test(startup_locality),
		cmocka_unit_test(errors_have_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
