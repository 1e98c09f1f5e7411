/* SPDX-License-Identifier: Apache-2.0 */
/* The replayer: see eventlog.h.  It knows SHA-256 and SHA-384. */
#include <string.h>

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

#include "eventlog.h"

#define EV_NO_ACTION 3u
#define STARTUP_LOCALITY "StartupLocality"

static size_t digest_size(uint16_t algorithm)
{
	switch (algorithm) {
	case EVENTLOG_ALG_SHA256:
		return 32;
	case EVENTLOG_ALG_SHA384:
		return 48;
	default:
		return 0;
	}
}

static void hash(uint16_t algorithm, const uint8_t *data, size_t length, uint8_t *out)
{
	if (algorithm == EVENTLOG_ALG_SHA384)
		mbedtls_sha512_ret(data, length, out, 1);
	else
		mbedtls_sha256_ret(data, length, out, 0);
}

static void extend(uint16_t algorithm, uint8_t *pcr, const uint8_t *digest)
{
	uint8_t both[2 * EVENTLOG_DIGEST_MAX];
	size_t size = digest_size(algorithm);

	memcpy(both, pcr, size);
	memcpy(both + size, digest, size);
	hash(algorithm, both, 2 * size, pcr);
}

/* TCG PC Client Platform Firmware Profile, "Startup Locality Event": sets what PCR 0 started with. */
static enum eventlog_error start_locality(const struct eventlog_event *event, uint8_t *pcr0, size_t size, bool *found,
					  uint32_t extended)
{
	uint8_t locality;

	if (event->length < sizeof(STARTUP_LOCALITY) || memcmp(event->data, STARTUP_LOCALITY, sizeof(STARTUP_LOCALITY)))
		return EVENTLOG_OK;
	if (event->length != sizeof(STARTUP_LOCALITY) + 1 || event->pcr != 0 || *found || (extended & 1))
		return EVENTLOG_BAD_STARTUP;
	locality = event->data[sizeof(STARTUP_LOCALITY)];
	if (locality != 0 && locality != 3 && locality != 4)
		return EVENTLOG_BAD_STARTUP;
	*found = true;
	pcr0[size - 1] = locality;
	return EVENTLOG_OK;
}

enum eventlog_error eventlog_replay(const struct eventlog *log, uint16_t algorithm,
				    uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX], uint32_t *extended, size_t *at)
{
	size_t size = digest_size(algorithm), offset = log->first;
	struct eventlog_event event;
	enum eventlog_error error = EVENTLOG_OK;
	bool locality_found = false;

	if (!size || !eventlog_has_bank(log, algorithm))
		return EVENTLOG_NO_BANK;
	*extended = 0;
	*at = offset;
	memset(pcrs, 0, EVENTLOG_PCRS * EVENTLOG_DIGEST_MAX);
	for (unsigned i = 17; i <= 22; i++)     /* of the dynamic root of trust: all ones until one starts */
		memset(pcrs[i], 0xff, size);
	while (!(error = eventlog_next(log, &offset, &event))) {
		const uint8_t *digest = eventlog_digest(log, &event, algorithm);

		if (event.type == EV_NO_ACTION) {
			error = start_locality(&event, pcrs[0], size, &locality_found, *extended);
			if (error)
				return error;
		} else if (!digest) {
			return EVENTLOG_NO_BANK;
		} else {
			extend(algorithm, pcrs[event.pcr], digest);
			*extended |= 1u << event.pcr;
		}
		*at = offset;
	}
	return error == EVENTLOG_END ? EVENTLOG_OK : error;
}

bool eventlog_data_matches(const struct eventlog *log, const struct eventlog_event *event, uint16_t algorithm)
{
	const uint8_t *digest = eventlog_digest(log, event, algorithm);
	uint8_t own[EVENTLOG_DIGEST_MAX];

	if (!digest || !digest_size(algorithm))
		return false;
	hash(algorithm, event->data, event->length, own);
	return memcmp(own, digest, digest_size(algorithm)) == 0;
}
