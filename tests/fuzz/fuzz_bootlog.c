/* SPDX-License-Identifier: Apache-2.0 */
/* The event log's parser, replay and grammar on any bytes, with the registers that the bytes themselves replay to. */
#include <string.h>

#include "bootlog.h"
#include "eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX], quoted[EVIDENCE_PCR_COUNT][SHA384_SIZE];
	struct fault f = { 0 };
	struct eventlog log;
	struct bootlog boot;
	uint32_t extended = 0;
	size_t at = 0;

	memset(pcrs, 0, sizeof(pcrs));
	if (eventlog_open(&log, data, size) == EVENTLOG_OK)
		eventlog_replay(&log, EVENTLOG_ALG_SHA384, pcrs, &extended, &at);
	for (size_t i = 0; i < EVIDENCE_PCR_COUNT; i++)
		memcpy(quoted[i], pcrs[evidence_pcr[i]], SHA384_SIZE);
	bootlog_check((struct bytes){ data, size }, quoted, &boot, &f);
	return 0;
}
