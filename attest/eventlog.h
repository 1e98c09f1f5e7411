/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parser and replayer of TCG crypto-agile event logs (TCG PC Client Platform Firmware Profile, "Event Logging").
 *
 * The bytes are hostile: nothing outside [data, data + length) is read, nothing is allocated, every size is checked
 * before use, and anything that the format does not allow is an error.  eventlog.c needs only memcpy and memcmp and
 * is linked into the loader too; eventlog_replay.c needs mbedTLS.  Neither touches a file.
 *
 * Note that an event's type is not part of its digest: a caller that gives a type a meaning must either check the
 * digest against the event's data (eventlog_data_matches) or allow-list (PCR, type, digest).
 */
#ifndef EVENTLOG_H
#define EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTLOG_ALG_SHA1 0x0004u
#define EVENTLOG_ALG_SHA256 0x000bu
#define EVENTLOG_ALG_SHA384 0x000cu
#define EVENTLOG_ALG_SHA512 0x000du

#define EVENTLOG_ALGS_MAX 8u
#define EVENTLOG_DIGEST_MAX 64u
#define EVENTLOG_PCRS 24u
#define EVENTLOG_EVENT_DATA_MAX (1u << 20)

enum eventlog_error {
	EVENTLOG_OK = 0,
	EVENTLOG_END, /* eventlog_next: no more events; exactly at the end of the bytes */
	EVENTLOG_TRUNCATED, /* an event does not fit into what is left */
	EVENTLOG_BAD_HEADER, /* the first event is not a Spec ID Event03 */
	EVENTLOG_BAD_ALGORITHMS, /* none, too many, one twice, or one with a wrong digest size */
	EVENTLOG_BAD_PCR, /* PCR number out of range, and no NV index that an event of no action tells of */
	EVENTLOG_BAD_DIGESTS, /* no digest, one twice, or one of an algorithm that the header does not list */
	EVENTLOG_OVERSIZED, /* event data larger than EVENTLOG_EVENT_DATA_MAX */
	EVENTLOG_BAD_STARTUP, /* StartupLocality event in a wrong place or with a wrong locality */
	EVENTLOG_NO_BANK, /* eventlog_replay: the log, or an event to replay, has no digest of that algorithm */
};

struct eventlog_algorithm {
	uint16_t id, size;
};

struct eventlog {
	const uint8_t *data;            /* borrowed */
	size_t length;
	size_t first;                   /* offset of the first event after the header */
	uint32_t algorithm_count;
	struct eventlog_algorithm algorithms[EVENTLOG_ALGS_MAX];
};

struct eventlog_event {
	size_t offset, size;            /* of the whole record */
	/*
	 * A register below EVENTLOG_PCRS; or an NV index, in an event of type EV_NO_ACTION only, which is extended into
	 * no register (TCG PC Client Platform Firmware Profile, "NvIndexInstance").
	 */
	uint32_t pcr;
	uint32_t type;
	/*
	 * In the order of eventlog.algorithms; NULL: the event has none of that algorithm.  The profile wants one for
	 * each bank that is on; firmwares list in the header what they could do.
	 */
	const uint8_t *digests[EVENTLOG_ALGS_MAX];
	const uint8_t *data;
	uint32_t length;
};

/* Checks the header and the algorithm list. */
enum eventlog_error eventlog_open(struct eventlog *log, const uint8_t *data, size_t length);
/* Parses the event at *offset (start with log->first) and moves *offset behind it. */
enum eventlog_error eventlog_next(const struct eventlog *log, size_t *offset, struct eventlog_event *event);
bool eventlog_has_bank(const struct eventlog *log, uint16_t algorithm);
/* The event's digest for an algorithm, NULL when the log has none. */
const uint8_t *eventlog_digest(const struct eventlog *log, const struct eventlog_event *event, uint16_t algorithm);
const char *eventlog_error_text(enum eventlog_error error);

/* --- eventlog_replay.c -------------------------------------------------------------------------------------------- */

/*
 * Replays the whole log in one bank.  pcrs[n] gets the value of PCR n, of the bank's digest size.  *extended gets a
 * bit for each PCR that an event extended.  EV_NO_ACTION events extend nothing; a StartupLocality event sets PCR
 * 0's start value. On error *at holds the offset of the event.
 */
enum eventlog_error eventlog_replay(const struct eventlog *log, uint16_t algorithm,
				    uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX], uint32_t *extended, size_t *at);
/* True when the event's digest in that bank is the digest of the event's own data. */
bool eventlog_data_matches(const struct eventlog *log, const struct eventlog_event *event, uint16_t algorithm);

#endif
