/* SPDX-License-Identifier: Apache-2.0 */
/* From files to struct machine_config: signature, digests, policy, manifests.  Boot only. */
#ifndef HV_IMAGES_H
#define HV_IMAGES_H

#include "config.h"
#include "dt.h"
#include "handoff.h"
#include "plat.h"
#include "records.h"

/* Each returns false after it said what it refuses. */

/* files.c: the whole of it, from the hand-off's files to `machine`. */
HV_MUST_CHECK bool files_verify(const struct handoff *handoff);

/* manifest.c: one manifest; its cpuid and msr rows are turned to host byte order in place and stay there. */
HV_MUST_CHECK bool manifest_read(struct image_config *image, const char *name, void *fdt, uint64_t length);

HV_MUST_CHECK bool policy_read(const char *name, void *fdt, uint64_t length);

/* flow.c: nothing in `machine` lets anything flow down. */
HV_MUST_CHECK bool flow_check(void);

/* crypto.c */
void crypto_init(void);
void crypto_sha384(const void *data, uint64_t length, uint8_t out[LZR_DIGEST_SIZE]);
/* NULL, or what is wrong.  `der`: SubjectPublicKeyInfo with an uncompressed P-384 point. */
const char *crypto_verify(const uint8_t *der, uint32_t der_length, const uint8_t digest[LZR_DIGEST_SIZE],
	const uint8_t signature[LZR_POLICY_SIGNATURE_SIZE]);

#endif
