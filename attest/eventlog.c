/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: see eventlog.h. */
#include <string.h>

#include "eventlog.h"

#define EV_NO_ACTION 3u
#define SPEC_ID "Spec ID Event03"
#define SHA1_SIZE 20u
#define NV_INDEX_TYPE 0x01u     /* TPM 2.0 Library, Part 2, "TPM_HT": first byte of an NV index's handle */

struct cursor {
	const uint8_t *data;
	size_t at, end;
	bool bad;               /* something did not fit; all later reads give zero */
};

static const uint8_t *take(struct cursor *c, size_t length)
{
	const uint8_t *p = c->data + c->at;

	if (c->bad || length > c->end - c->at) {
		c->bad = true;
		return NULL;
	}
	c->at += length;
	return p;
}

static uint32_t take_number(struct cursor *c, unsigned size)
{
	const uint8_t *p = take(c, size);
	uint32_t value = 0;

	for (unsigned i = 0; p && i < size; i++)
		value |= (uint32_t)p[i] << 8 * i;
	return value;
}

static uint16_t known_size(uint16_t algorithm)
{
	switch (algorithm) {
	case EVENTLOG_ALG_SHA1:
		return 20;
	case EVENTLOG_ALG_SHA256:
		return 32;
	case EVENTLOG_ALG_SHA384:
		return 48;
	case EVENTLOG_ALG_SHA512:
		return 64;
	default:
		return 0;
	}
}

static unsigned find_algorithm(const struct eventlog *log, uint32_t id)
{
	unsigned i = 0;

	while (i < log->algorithm_count && log->algorithms[i].id != id)
		i++;
	return i;
}

static enum eventlog_error open_algorithms(struct eventlog *log, struct cursor *c)
{
	uint32_t count = take_number(c, 4);

	if (count == 0 || count > EVENTLOG_ALGS_MAX)
		return EVENTLOG_BAD_ALGORITHMS;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t id = (uint16_t)take_number(c, 2), size = (uint16_t)take_number(c, 2);

		if (c->bad)
			return EVENTLOG_TRUNCATED;
		if (size == 0 || size > EVENTLOG_DIGEST_MAX || (known_size(id) && known_size(id) != size) ||
		    find_algorithm(log, id) < log->algorithm_count)
			return EVENTLOG_BAD_ALGORITHMS;
		log->algorithms[log->algorithm_count++] = (struct eventlog_algorithm){ id, size };
	}
	return EVENTLOG_OK;
}

enum eventlog_error eventlog_open(struct eventlog *log, const uint8_t *data, size_t length)
{
	struct cursor c = { data, 0, length, false };
	uint32_t pcr, type, size;
	const uint8_t *sha1, *signature;
	enum eventlog_error error;

	*log = (struct eventlog){ .data = data, .length = length };
	pcr = take_number(&c, 4);
	type = take_number(&c, 4);
	sha1 = take(&c, SHA1_SIZE);
	size = take_number(&c, 4);
	if (c.bad || size > c.end - c.at)
		return EVENTLOG_TRUNCATED;
	for (unsigned i = 0; i < SHA1_SIZE; i++) {
		if (sha1[i])
			return EVENTLOG_BAD_HEADER;
	}
	if (pcr != 0 || type != EV_NO_ACTION)
		return EVENTLOG_BAD_HEADER;
	c.end = c.at + size;
	signature = take(&c, sizeof(SPEC_ID));
	if (!signature || memcmp(signature, SPEC_ID, sizeof(SPEC_ID)))
		return EVENTLOG_BAD_HEADER;
	take(&c, 4 + 4);                /* platform class; minor, major, errata, size of a native integer */
	error = open_algorithms(log, &c);
	if (error)
		return c.bad ? EVENTLOG_TRUNCATED : error;
	take(&c, take_number(&c, 1));   /* vendor information */
	if (c.bad)
		return EVENTLOG_TRUNCATED;
	if (c.at != c.end)
		return EVENTLOG_BAD_HEADER;
	log->first = c.end;
	return EVENTLOG_OK;
}

static enum eventlog_error next_digests(const struct eventlog *log, struct cursor *c, struct eventlog_event *event)
{
	uint32_t count = take_number(c, 4);

	if (c->bad)
		return EVENTLOG_TRUNCATED;
	if (count == 0 || count > log->algorithm_count)
		return EVENTLOG_BAD_DIGESTS;
	for (uint32_t i = 0; i < count; i++) {
		unsigned index = find_algorithm(log, take_number(c, 2));

		if (c->bad)
			return EVENTLOG_TRUNCATED;
		if (index == log->algorithm_count || event->digests[index])
			return EVENTLOG_BAD_DIGESTS;
		event->digests[index] = take(c, log->algorithms[index].size);
	}
	return c->bad ? EVENTLOG_TRUNCATED : EVENTLOG_OK;
}

enum eventlog_error eventlog_next(const struct eventlog *log, size_t *offset, struct eventlog_event *event)
{
	struct cursor c = { log->data, *offset, log->length, *offset > log->length };
	enum eventlog_error error;

	if (*offset == log->length)
		return EVENTLOG_END;
	*event = (struct eventlog_event){ .offset = *offset };
	event->pcr = take_number(&c, 4);
	event->type = take_number(&c, 4);
	if (c.bad)
		return EVENTLOG_TRUNCATED;
	if (event->pcr >= EVENTLOG_PCRS && !(event->type == EV_NO_ACTION && event->pcr >> 24 == NV_INDEX_TYPE))
		return EVENTLOG_BAD_PCR;
	error = next_digests(log, &c, event);
	if (error)
		return error;
	event->length = take_number(&c, 4);
	if (event->length > EVENTLOG_EVENT_DATA_MAX)
		return EVENTLOG_OVERSIZED;
	event->data = take(&c, event->length);
	if (c.bad)
		return EVENTLOG_TRUNCATED;
	event->size = c.at - *offset;
	*offset = c.at;
	return EVENTLOG_OK;
}

bool eventlog_has_bank(const struct eventlog *log, uint16_t algorithm)
{
	return find_algorithm(log, algorithm) < log->algorithm_count;
}

const uint8_t *eventlog_digest(const struct eventlog *log, const struct eventlog_event *event, uint16_t algorithm)
{
	unsigned index = find_algorithm(log, algorithm);

	return index < log->algorithm_count ? event->digests[index] : NULL;
}

const char *eventlog_error_text(enum eventlog_error error)
{
	static const char *const texts[] = {
		[EVENTLOG_OK] = "no error",
		[EVENTLOG_END] = "end of the log",
		[EVENTLOG_TRUNCATED] = "an event does not fit into the log",
		[EVENTLOG_BAD_HEADER] = "the first event is not a Spec ID Event03",
		[EVENTLOG_BAD_ALGORITHMS] = "the header's list of hash algorithms is wrong",
		[EVENTLOG_BAD_PCR] = "an event names a PCR that does not exist",
		[EVENTLOG_BAD_DIGESTS] = "an event has no digest, one twice, or one that the header does not list",
		[EVENTLOG_OVERSIZED] = "an event's data are larger than any event's may be",
		[EVENTLOG_BAD_STARTUP] = "a StartupLocality event in a wrong place or with a wrong locality",
		[EVENTLOG_NO_BANK] = "the log, or an event that was extended, has no digest of the wanted algorithm",
	};

	return (unsigned)error < sizeof(texts) / sizeof(texts[0]) ? texts[error] : "unknown error";
}
