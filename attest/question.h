/* SPDX-License-Identifier: Apache-2.0 */
/* What `lzr-verify check` is asked, and whether the report answers it. */
#ifndef ATTEST_QUESTION_H
#define ATTEST_QUESTION_H

#include <stdio.h>

#include "command.h"
#include "verify.h"

struct question {
	const char *vm;                         /* --vm: whom the exit status speaks of; NULL: of everybody */
	uint8_t key[EVIDENCE_VM_KEY_MAX];       /* --vm-key as SubjectPublicKeyInfo */
};

/*
 * Release, VM and key of the request, which points into `q` then.  --release channel needs --vm, for a bundle from a
 * channel is about one VM; --vm-key needs --release channel, for only there a key is bound.
 */
bool question_read(const struct options *o, struct question *q, struct verify_request *request, struct fault *f);
/* A public key file, PEM or DER, as SubjectPublicKeyInfo. */
bool question_read_key(const char *path, uint8_t out[EVIDENCE_VM_KEY_MAX], size_t *length, struct fault *f);
/* Proved or not: the VM that was asked about, or all; and the words for it, text or JSON. */
bool question_is_proved(const struct question *q, const struct verify_report *report);
void question_print(FILE *out, const struct question *q, const struct verify_report *report);

#endif
