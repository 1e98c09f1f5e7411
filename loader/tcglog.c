/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log that the hypervisor gets: a copy of what the firmware has logged when the caps are in, and behind
 * it the events that came later, taken from the final events table.
 *
 * The firmware adds to that table from the first GetEventLog on, so it may hold events that the copy already has
 * (someone before us asked for the log) and it holds those of a failed ExitBootServices.  What counts is where the
 * table stood at the copy: everything behind that mark, and nothing before it, is appended.
 */
#include <string.h>

#include "../attest/eventlog.h"
#include "loader.h"

#define LOG_MAX (4ull << 20)
#define FINAL_MAX (256u << 10)          /* room for final events */
#define FINAL_EVENTS_MAX 4096u
#define COPY_ATTEMPTS 8u

static uint8_t *copy;
static uint64_t copy_length, copy_capacity;
static const struct tcg2_final_events *final;
static uint64_t final_mark;             /* events in the table that the copy already has */

uint64_t tcglog_address(void)
{
	return (uint64_t)copy;
}

uint64_t tcglog_length(void)
{
	return copy_length;
}

static uint64_t firmware_log(struct tcg2_protocol *tcg2, const uint8_t **data)
{
	uint64_t location = 0, last = 0;
	uint8_t truncated = 1;
	efi_status status = tcg2->get_event_log(tcg2, TCG2_LOG_CRYPTO_AGILE, &location, &last, &truncated);
	struct eventlog log;
	struct eventlog_event event;
	enum eventlog_error error;
	size_t at;

	if (status != EFI_SUCCESS || !location || truncated)
		refuse("the firmware's event log is %s (status %llx)", truncated ? "truncated" : "not there",
		       (unsigned long long)status);
	if (last < location || last - location > LOG_MAX - 2 * EVENTLOG_EVENT_DATA_MAX)
		refuse("the firmware's event log ends before it starts, or is larger than 2 MiB");
	at = last - location;
	error = eventlog_open(&log, (const uint8_t *)location, LOG_MAX);
	if (!error)
		error = at ? eventlog_next(&log, &at, &event) : EVENTLOG_BAD_HEADER;
	if (error)
		refuse("the firmware's event log: %s", eventlog_error_text(error));
	*data = (const uint8_t *)location;
	return at;
}

static uint64_t final_count(void)
{
	return final ? final->count : 0;
}

void tcglog_copy(struct tcg2_protocol *tcg2)
{
	const struct efi_guid guid = TCG2_FINAL_EVENTS_GUID;
	const uint8_t *data;
	uint64_t length = firmware_log(tcg2, &data);

	copy_capacity = round_up(length + FINAL_MAX, PAGE);
	copy = alloc_pages(copy_capacity, PAGE);
	final = platform_table(&guid);
	for (unsigned i = 0; i < COPY_ATTEMPTS; i++) {
		final_mark = final_count();
		copy_length = firmware_log(tcg2, &data);
		if (copy_length > copy_capacity)
			break;
		memcpy(copy, data, copy_length);
		if (final_count() == final_mark)
			return;
	}
	refuse("the firmware's event log does not stand still");
}

void tcglog_finish(void)
{
	struct eventlog log;
	struct eventlog_event event;
	uint64_t count = final_count();
	size_t at = 0;

	if (!copy || !final || count == final_mark)
		return;
	if (eventlog_open(&log, copy, copy_length) || count < final_mark || count > FINAL_EVENTS_MAX)
		refuse("the firmware's final events table holds %llu events", (unsigned long long)count);
	log.data = final->events;
	log.length = LOG_MAX;
	for (uint64_t i = 0; i < count; i++) {
		enum eventlog_error error = eventlog_next(&log, &at, &event);

		if (error)
			refuse("the firmware's final events table: event %llu: %s", (unsigned long long)i,
			       eventlog_error_text(error));
		if (i < final_mark)
			continue;
		if (event.size > copy_capacity - copy_length)
			refuse("the firmware's final events do not fit into %u bytes", FINAL_MAX);
		memcpy(copy + copy_length, final->events + event.offset, event.size);
		copy_length += event.size;
	}
}
