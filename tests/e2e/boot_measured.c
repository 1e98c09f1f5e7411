/* SPDX-License-Identifier: Apache-2.0 */
/* Measured boot: what the log says, what the TPM says, and that a failed ExitBootServices changes neither. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lazaret/boot.h>

#include "boot.h"
#include "eventlog.h"
#include "machine.h"
#include "run.h"

#define LOG_MAX (1u << 20)

static uint8_t log_bytes[LOG_MAX];
static struct eventlog events;

/* Boots, waits for the probe's end, and takes the log out of the machine's memory. */
static struct rig *boot(const char *loader, const struct rig_config *changes)
{
	struct rig *rig;
	uint64_t length;

	boot_make_volume(loader);
	rig = boot_start(changes);
	if (!rig_wait_line(rig, "probe: end", BOOT_SECONDS, NULL, 0))
		machine_fail(rig, "the probe did not come to its end");
	if (rig_seen(rig, "probe: BAD"))
		machine_fail(rig, "the probe found the hand-off wrong");
	length = boot_field(rig, "length");
	assert_in_range(length, 1, LOG_MAX);
	assert_true(rig_memory_read(rig, boot_field(rig, "log"), log_bytes, length));
	assert_int_equal(eventlog_open(&events, log_bytes, length), EVENTLOG_OK);
	return rig;
}

static void hex(const uint8_t *bytes, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

/* The TPM's own PCR values must be what the log replays to. */
static void check_replay(struct rig *rig, uint16_t algorithm, size_t size)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX];
	uint32_t extended;
	size_t at;

	assert_int_equal(eventlog_replay(&events, algorithm, pcrs, &extended, &at), EVENTLOG_OK);
	assert_int_equal(extended & (1u << 8 | 1u << 9 | 1u << 10 | 1u << 11), 1u << 8 | 1u << 9 | 1u << 11);
	for (unsigned pcr = 0; pcr <= 11; pcr++) {
		char line[256], digest[2 * EVENTLOG_DIGEST_MAX + 1];

		hex(pcrs[pcr], size, digest);
		snprintf(line, sizeof(line), "probe: pcr %04x %02x %s", algorithm, pcr, digest);
		if (!rig_seen(rig, line))
			machine_fail(rig, "PCR %u replays to %s, the TPM has another value", pcr, digest);
	}
}

/* Another reader of the same log must come to the same values. */
static void check_by_other_eyes(void)
{
	char *eventlog[] = { "tpm2_eventlog", BOOT_DIR "/log", NULL };
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX];
	static char output[1 << 20];
	static const unsigned ours[] = { 8, 9, 11 };
	char digest[2 * 48 + 1];
	uint32_t extended;
	size_t at;
	FILE *f = fopen(BOOT_DIR "/log", "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(log_bytes, 1, events.length, f), events.length);
	fclose(f);
	assert_true(run_program(eventlog, 30, output, sizeof(output)));
	assert_int_equal(eventlog_replay(&events, EVENTLOG_ALG_SHA384, pcrs, &extended, &at), EVENTLOG_OK);
	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		hex(pcrs[ours[i]], 48, digest);
		assert_non_null(strstr(output, digest));
	}
}

static bool next_in(size_t *at, uint32_t pcr, struct eventlog_event *event)
{
	while (eventlog_next(&events, at, event) == EVENTLOG_OK) {
		if (event->pcr == pcr)
			return true;
	}
	return false;
}

static void expect_file(size_t *at, uint32_t pcr, uint32_t kind, const char *name, uint64_t length)
{
	struct lzr_event_descriptor descriptor;
	struct eventlog_event event;
	char padded[LZR_NAME_MAX] = { 0 };

	strncpy(padded, name, sizeof(padded) - 1);
	assert_true(next_in(at, pcr, &event));
	assert_int_equal(event.type, LZR_EV_EVENT_TAG);
	assert_int_equal(event.length, sizeof(descriptor));
	assert_true(eventlog_data_matches(&events, &event, EVENTLOG_ALG_SHA384));
	memcpy(&descriptor, event.data, sizeof(descriptor));
	assert_int_equal(descriptor.tag_id, LZR_EVENT_TAG_ID);
	assert_int_equal(descriptor.tag_size, 72);
	assert_string_equal(descriptor.magic, LZR_EVENT_MAGIC);
	assert_int_equal(descriptor.kind, kind);
	assert_int_equal(descriptor.reserved, 0);
	if (length)
		assert_int_equal(descriptor.length, length);
	assert_memory_equal(descriptor.name, padded, LZR_NAME_MAX);
	assert_true(next_in(at, pcr, &event));
	assert_int_equal(event.type, LZR_EV_IPL);
	assert_int_equal(event.length, LZR_NAME_MAX);
	assert_memory_equal(event.data, padded, LZR_NAME_MAX);
}

static void expect_cap(size_t *at, uint32_t pcr)
{
	struct eventlog_event event;

	assert_true(next_in(at, pcr, &event));
	assert_int_equal(event.type, LZR_EV_SEPARATOR);
	assert_int_equal(event.length, 4);
	assert_memory_equal(event.data, "\0\0\0\0", 4);
	assert_true(eventlog_data_matches(&events, &event, EVENTLOG_ALG_SHA384));
	assert_false(next_in(at, pcr, &event));
}

static void check_grammar(void)
{
	size_t at = events.first;

	expect_file(&at, 8, LZR_FILE_HYPERVISOR, "hypervisor", 0);
	expect_cap(&at, 8);
	at = events.first;
	expect_file(&at, 9, LZR_FILE_SIGNER_KEY, "signer.lzrkey", 20);
	expect_file(&at, 9, LZR_FILE_BOOT_LIST, "boot.list", 16 + 5 * 56);
	expect_file(&at, 9, LZR_FILE_POLICY, "policy.dtb", 10);
	expect_cap(&at, 9);
	at = events.first;
	expect_file(&at, 11, LZR_FILE_MANIFEST, "red", 19);
	expect_file(&at, 11, LZR_FILE_MANIFEST, "blue", 16);
	expect_cap(&at, 11);
}

static unsigned count_action(const char *text)
{
	struct eventlog_event event;
	size_t at = events.first;
	unsigned found = 0;

	while (next_in(&at, 5, &event)) {
		if (event.length == strlen(text) && !memcmp(event.data, text, event.length))
			found++;
	}
	return found;
}

static void log_replays_to_the_tpms_values(void **state)
{
	struct rig *rig = boot("lazaret-probe", NULL);

	(void)state;
	check_replay(rig, EVENTLOG_ALG_SHA256, 32);
	check_replay(rig, EVENTLOG_ALG_SHA384, 48);
	check_by_other_eyes();
	check_grammar();
	assert_int_equal(boot_field(rig, "flags"), LZR_BOOT_MEASURED);
	assert_int_equal(boot_field(rig, "entropy"), 64);
	assert_int_not_equal(boot_field(rig, "rsdp"), 0);
	assert_int_not_equal(boot_field(rig, "clock"), 0);
	assert_int_equal(count_action("Exit Boot Services Invocation"), 1);
	assert_int_equal(count_action("Exit Boot Services Returned with Success"), 1);
	assert_int_equal(count_action("Exit Boot Services Returned with Failure"), 0);
	rig_stop(rig);
}

static void log_survives_a_failed_exit(void **state)
{
	struct rig *rig = boot("lazaret-probe-exit", NULL);

	(void)state;
	check_replay(rig, EVENTLOG_ALG_SHA256, 32);
	check_replay(rig, EVENTLOG_ALG_SHA384, 48);
	check_by_other_eyes();
	check_grammar();
	assert_int_equal(count_action("Exit Boot Services Returned with Failure"), 1);
	assert_int_equal(count_action("Exit Boot Services Returned with Success"), 1);
	rig_stop(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_replays_to_the_tpms_values), cmocka_unit_test(log_survives_a_failed_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
