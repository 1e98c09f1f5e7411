/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VMs with the right to may read about the machine (LZR_CALL_READ), and the seeds of service VMs: platform.h has
 * the reading side.
 */
#ifndef HV_RECORDS_H
#define HV_RECORDS_H

#include "handoff.h"

#define SEED_MAX LZR_SERVICE_STARTS_MAX  /* starts of service VMs, together */

/* Before the seal. */
void records_files(const struct handoff *handoff, const struct lzr_boot_file *policy, const struct lzr_boot_file *key,
	bool development_key);
void records_platform(uint32_t flags);          /* adds LZR_PLATFORM_* */
void records_dma(unsigned vm, const uint8_t digest[LZR_DIGEST_SIZE]);
void records_add_seed(const uint8_t seed[32]);
void records_sealed(uint64_t ns);

/* audit.c: for the streams. */
void audit_read(uint64_t readable, uint64_t offset, uint64_t out[4]);

#endif
