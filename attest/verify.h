/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appraisal of a bundle.  There is no way to verify without the nonce that was sent: verify_bundle refuses a request
 * that has none.  Checks run in a fixed order, each with its own error; the first refusal is the platform's verdict,
 * and then no VM gets a good one.
 *
 * The question decides which statements there are: by the network one about each VM of the measured policy, in its
 * order; by a VM's own channel one, about that VM.  Any other number or order refuses the platform.
 */
#ifndef ATTEST_VERIFY_H
#define ATTEST_VERIFY_H

#include "bootlog.h"
#include "evidence.h"
#include "policyview.h"
#include "reference.h"
#include "tpmwire.h"

/* An attestation key that was enrolled: bound to an EK certificate by credential activation. */
struct ak_record {
	uint8_t name[TPM_NAME_MAX];
	size_t name_length;
	uint8_t area[TPM_PUBLIC_MAX];           /* TPMT_PUBLIC */
	size_t area_length;
	uint8_t ek[SHA384_SIZE];                /* digest of the EK's SubjectPublicKeyInfo (ekid.h) */
	uint8_t ek_certificate[SHA384_SIZE];    /* digest of the certificate that came with it */
	uint64_t clock_ms;                      /* of the newest good quote; a quote must not go back behind it */
	uint32_t reset_count, restart_count;
};

struct verify_request {
	struct bytes bundle;
	struct bytes nonce;                     /* what was sent to this attestor, for this bundle */
	enum evidence_release release;          /* the way it came */
	const char *vm;                         /* RELEASE_CHANNEL: whose channel that was, by name; else NULL */
	struct bytes vm_key;                    /* RELEASE_CHANNEL: what it must bind; data NULL: not asked */
	const struct reference *reference;
	const struct ak_record *ak;             /* the enrolled key of that name, NULL: none */
	bool allow_development_key;
};

struct vm_report {
	struct fault fault;
	uint32_t number;                        /* in the policy, and the name there: whatever the statement says */
	char name[LZR_NAME_MAX];
	char label[128];
	struct evidence evidence;               /* valid once the signature was good: `decoded` */
	bool decoded;
};

struct verify_report {
	struct fault platform;
	bool development_key;
	uint32_t differing;                     /* bit n: firmware register n is not a reference value */
	uint8_t pcr[REFERENCE_PCRS][SHA384_SIZE];       /* what was found in them */
	struct quote quote;                     /* spans into the request's bundle */
	struct bootlog log;
	struct policyview policy;
	uint8_t flow[SHA384_SIZE];              /* the flow digest that follows from the policy */
	size_t vm_count;
	struct vm_report vm[LZR_VM_MAX];        /* in the policy's order; RELEASE_CHANNEL: the one VM */
};

/* True when the platform is good; each VM's own verdict is in its report. */
bool verify_bundle(const struct verify_request *request, struct verify_report *report);
/* What was said about the VM of that name; NULL: nothing. */
const struct vm_report *verify_find(const struct verify_report *report, const char *name);
/* The platform and every VM in the report are good. */
bool verify_all_good(const struct verify_report *report);
/* The AK name in a bundle, to look the record up; an empty span for bytes that are no bundle. */
struct bytes verify_ak_name(struct bytes bundle);

#endif
