/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestor's TPM through tpm2-tss ESAPI, without a resource manager: locality 0 is this VM's alone.  The TPM has no
 * reset, so whatever an earlier instance left in it (transient objects, sessions) is flushed first.
 */
#ifndef ATTEST_TPM_H
#define ATTEST_TPM_H

#include <tss2/tss2_esys.h>

#include "ekcert.h"
#include "evidence.h"

struct tpm {
	ESYS_CONTEXT *esys;
	ESYS_TR ak;                             /* restricted signing key, primary under the endorsement hierarchy */
	uint8_t ak_area[TPM_PUBLIC_MAX];        /* TPMT_PUBLIC */
	size_t ak_area_length;
	uint8_t ak_name[TPM_NAME_MAX];
	size_t ak_name_length;
};

/* Flushes, then makes the AK (P-384, or P-256 where the TPM has no P-384).  The TCTI stays the caller's. */
bool tpm_open(struct tpm *t, TSS2_TCTI_CONTEXT *tcti, struct fault *f);
void tpm_close(struct tpm *t);

struct tpm_endorsement {
	uint8_t certificate[EKCERT_MAX];
	size_t certificate_length;
	uint8_t area[TPM_PUBLIC_MAX];
	size_t area_length;
	TPM2_HANDLE handle;             /* persistent */
};
/* The EK certificate (ECC P-384 first, then RSA) and the public area of the persistent key it belongs to. */
bool tpm_endorsement(struct tpm *t, struct tpm_endorsement *e, struct fault *f);

/* TPM2_ActivateCredential with that EK; `blob` and `seed` are credential.h's. */
bool tpm_activate(struct tpm *t, const struct tpm_endorsement *e, struct bytes blob, struct bytes seed, uint8_t *secret,
		  size_t *secret_length, struct fault *f);

/* A whole NV index that has an empty password; *length 0: there is no such index. */
bool tpm_nv_read(struct tpm *t, TPM2_HANDLE index, uint8_t *out, size_t size, size_t *length, struct fault *f);
/* Writes one whose policy is "PCR 4 and 8 of the SHA-384 bank are as now": the loader's and the hypervisor's. */
bool tpm_nv_write(struct tpm *t, TPM2_HANDLE index, const uint8_t *data, size_t length, struct fault *f);

struct tpm_quote {
	uint8_t attest[EVIDENCE_QUOTE_MAX];
	size_t attest_length;
	uint8_t signature[EVIDENCE_QUOTE_MAX];
	size_t signature_length;
	uint8_t pcr[EVIDENCE_PCR_COUNT][SHA384_SIZE];
};
/* Quote over PCR 0-9 and 11 of the SHA-384 bank, and the values it covers. */
bool tpm_quote(struct tpm *t, const uint8_t extra_data[SHA384_SIZE], struct tpm_quote *q, struct fault *f);

#endif
