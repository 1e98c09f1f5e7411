/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM2_MakeCredential outside a TPM (TPM 2.0 Library, Part 1: "Credential Protection", "Secret Sharing", "Key
 * Derivation Function"): a secret that only the TPM holding the EK can open, and only if it holds an object of the
 * given Name too.
 */
#ifndef ATTEST_CREDENTIAL_H
#define ATTEST_CREDENTIAL_H

#include "tpmwire.h"

#define CREDENTIAL_SECRET_SIZE 32u
#define CREDENTIAL_BLOB_MAX 256u        /* TPMS_ID_OBJECT */
#define CREDENTIAL_SEED_MAX 600u        /* TPMU_ENCRYPTED_SECRET */

struct credential {
	uint8_t blob[CREDENTIAL_BLOB_MAX];
	size_t blob_length;
	uint8_t seed[CREDENTIAL_SEED_MAX];
	size_t seed_length;
};

bool credential_make(const struct tpm_public *ek, struct bytes ak_name, const uint8_t secret[CREDENTIAL_SECRET_SIZE],
		     struct credential *out, struct fault *f);

/* KDFa of the TPM with HMAC; `bits` a multiple of 8. */
bool kdfa(uint16_t hash, struct bytes key, const char *label, struct bytes u, struct bytes v, unsigned int bits,
	  uint8_t *out);
/* KDFe, for ECDH. */
bool kdfe(uint16_t hash, struct bytes z, const char *label, struct bytes u, struct bytes v, unsigned int bits,
	  uint8_t *out);

#endif
