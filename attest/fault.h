/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was wrong, where, what was expected and what was found.  Every check of evidence, enrolment or results writes
 * one of these when it refuses.  A zeroed fault is FAULT_UNCHECKED: "not checked" is never the same value as "good".
 */
#ifndef ATTEST_FAULT_H
#define ATTEST_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_code {
	FAULT_UNCHECKED = 0,
	FAULT_GOOD,
	FAULT_USAGE,            /* the caller did not say what to check against */
	FAULT_INPUT,            /* a file cannot be read or written, or the system refused */
	FAULT_FORMAT,           /* not the documented bytes */
	FAULT_TRAILING,         /* bytes after the end */
	FAULT_EAT_SIGNATURE,
	FAULT_EAT_NONCE,
	FAULT_QUOTE_MAGIC,
	FAULT_QUOTE_TYPE,
	FAULT_QUOTE_SIGNER,
	FAULT_QUOTE_SELECTION,
	FAULT_QUOTE_DIGEST,
	FAULT_QUOTE_NONCE,      /* extraData: root of nonces, key, list head or attestor instance */
	FAULT_QUOTE_CLOCK,
	FAULT_QUOTE_SIGNATURE,
	FAULT_AK_UNKNOWN,
	FAULT_AK_NAME,
	FAULT_AK_ATTRIBUTES,
	FAULT_EK_CERTIFICATE,
	FAULT_EK_KEY,
	FAULT_CREDENTIAL,
	FAULT_NOT_APPROVED,     /* a good TPM, of which no operator has said that it may enrol */
	FAULT_LOG_FORMAT,
	FAULT_LOG_REPLAY,
	FAULT_LOG_GRAMMAR,
	FAULT_PCR_EMPTY,
	FAULT_REFERENCE,        /* differs from the reference value */
	FAULT_REFERENCE_MISSING,
	FAULT_DEVELOPMENT_KEY,
	FAULT_POLICY,
	FAULT_RECORDS,          /* platform and VM records: shape or list head */
	FAULT_STATEMENTS,       /* not one statement about each VM in the question */
	FAULT_CLAIM,            /* the attestor's claim differs from what was measured */
	FAULT_RELEASE,          /* evidence made for another channel */
	FAULT_PLATFORM,         /* unmeasured, lab, no IOMMU */
	FAULT_VM_STATE,
	FAULT_VM_KEY,           /* bound to another key than the one in the question, or to none */
	FAULT_CONFINEMENT,
	FAULT_REVOKED,
	FAULT_RESULT,
	FAULT_PROTOCOL,
	FAULT_TPM,
	FAULT_COUNT
};

struct fault {
	enum fault_code code;
	char component[120];    /* which file, register, VM */
	char expected[200];
	char found[200];
};

/* Short machine-readable name of a code, e.g. "quote-magic". */
const char *fault_name(enum fault_code code);

/* Records the first refusal (later ones are consequences) and returns false: a check reads `return fault_set(..)`. */
bool fault_set(struct fault *f, enum fault_code code, const char *component, const char *expected, const char *found);
bool fault_set_digest(struct fault *f, enum fault_code code, const char *component, const uint8_t *expected,
		      const uint8_t *found, size_t size);
bool fault_set_number(struct fault *f, enum fault_code code, const char *component, uint64_t expected, uint64_t found);
bool fault_set_text(struct fault *f, enum fault_code code, const char *component, const char *expected,
		    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* One readable sentence into `out`. */
void fault_print(const struct fault *f, char *out, size_t size);

#endif
