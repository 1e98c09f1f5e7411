/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference values: what the verifier accepts.  A text file, one value a line, digests SHA-384 in hexadecimal:
 *
 *     lazaret-reference 1             first line
 *     pcr 4 DIGEST                    final value of a firmware register (0-7); more lines: any of them
 *     pcr 0 unchecked                 said aloud: this register is not compared, and every report repeats it; never PCR
 *                                     4, for what another loader extends the rest with is up to that loader
 *     hypervisor DIGEST               the measured files
 *     signer DIGEST
 *     boot-list DIGEST
 *     policy DIGEST
 *     image NAME DIGEST               a VM image's manifest
 *
 * '#' starts a comment.  Each of pcr 0..7, hypervisor, signer, boot-list, policy and image occurs at least once.  An
 * unknown word, a digest of another length, a line twice, anything missing: an error, never a default.
 */
#ifndef ATTEST_REFERENCE_H
#define ATTEST_REFERENCE_H

#include <lazaret/boot.h>

#include "digest.h"
#include "fault.h"

#define REFERENCE_PCRS 8u
#define REFERENCE_VALUES_MAX 8u
#define REFERENCE_IMAGES_MAX 512u        /* several versions of each */
#define REFERENCE_FILE_MAX (1u << 20)

struct reference_set {
	bool unchecked;         /* registers only */
	size_t count;
	uint8_t value[REFERENCE_VALUES_MAX][SHA384_SIZE];
};

struct reference_image {
	char name[LZR_NAME_MAX];
	uint8_t digest[SHA384_SIZE];
};

struct reference {
	struct reference_set pcr[REFERENCE_PCRS];
	struct reference_set hypervisor, signer, boot_list, policy;
	size_t image_count;
	struct reference_image image[REFERENCE_IMAGES_MAX];
};

/* `name` is what errors call the text. */
bool reference_parse(struct bytes text, const char *name, struct reference *r, struct fault *f);
bool reference_load(const char *path, struct reference *r, struct fault *f);

/* Is the value in the set?  Otherwise names `component` with the first expected value. */
bool reference_match(const struct reference_set *set, const char *component, const uint8_t value[SHA384_SIZE],
		     struct fault *f);
bool reference_match_image(const struct reference *r, const char *image, const uint8_t value[SHA384_SIZE],
			   struct fault *f);

#endif
