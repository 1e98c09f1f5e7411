/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a quoted event log says about the boot: replayed against the quoted registers, and in PCR 8, 9 and 11 exactly
 * the loader's grammar (lazaret/boot.h): descriptor, file, descriptor, file .., one cap, nothing else, nothing after
 * it.  The names of the files, in their order, are exactly those of the measured boot list.
 */
#ifndef ATTEST_BOOTLOG_H
#define ATTEST_BOOTLOG_H

#include <lazaret/boot.h>

#include "evidence.h"

struct bootlog_manifest {
	char image[LZR_NAME_MAX];
	uint64_t length;
	uint8_t digest[SHA384_SIZE];
};

/* Key, policy and signature are entries of the boot list, too. */
#define BOOTLOG_MANIFESTS_MAX (LZR_BOOT_LIST_MAX - 3u)

struct bootlog {
	char signer_name[LZR_NAME_MAX], policy_name[LZR_NAME_MAX];
	uint8_t hypervisor[SHA384_SIZE];
	uint8_t signer[SHA384_SIZE];
	uint8_t boot_list[SHA384_SIZE];
	uint64_t boot_list_length;
	uint8_t policy[SHA384_SIZE];
	uint64_t signer_length, policy_length;  /* what their descriptors say */
	size_t manifest_count;
	struct bootlog_manifest manifest[BOOTLOG_MANIFESTS_MAX];
};

/* `pcr`: the values that the quote vouches for, in the order of evidence_pcr. */
bool bootlog_check(struct bytes log, const uint8_t pcr[EVIDENCE_PCR_COUNT][SHA384_SIZE], struct bootlog *out,
		   struct fault *f);
#define BOOTLOG_LIST_MAX \
	(sizeof(struct lzr_boot_list_header) + LZR_BOOT_LIST_MAX * sizeof(struct lzr_boot_list_entry))
/* The boot list of just these files in this order, as the loader would have to have read it; its length. */
size_t bootlog_list(const struct bootlog *b, uint8_t out[BOOTLOG_LIST_MAX]);
const struct bootlog_manifest *bootlog_find(const struct bootlog *b, const char *image);

#endif
