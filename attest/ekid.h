/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM's identity for approvals: SHA-384 of its endorsement key's SubjectPublicKeyInfo in DER, which stays the same
 * when the maker certifies the key again.  From a certificate, OpenSSL gives it as well:
 *     openssl x509 -in EK -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha384
 */
#ifndef ATTEST_EKID_H
#define ATTEST_EKID_H

#include "digest.h"
#include "fault.h"
#include "tpmwire.h"

#define EKID_SUBJECT_MAX 160u

/* Of the key itself, as the TPM describes it. */
bool ekid_of_key(const struct tpm_public *ek, uint8_t out[SHA384_SIZE], struct fault *f);
/*
 * In all of these an EK certificate may lie in an OCTET STRING, as some TPMs hand it out (ekcert_unwrap).
 *
 * Of the first certificate in a file, PEM or DER; who it is about, in words.
 */
bool ekid_of_file(const char *path, uint8_t out[SHA384_SIZE], char subject[EKID_SUBJECT_MAX], struct fault *f);

/* Hands each certificate of a file, PEM or DER, to `each`, until one of them returns false. */
bool ekid_certificates(const char *path,
		       bool (*each)(void *context, struct bytes der, const char *subject, struct fault *f),
		       void *context, struct fault *f);
/* Whether `der` leads to the certificate `anchor`, by way of those in the PEM file `between`. */
bool ekid_leads_to(struct bytes der, const char *between, struct bytes anchor);
/* Who an EK certificate is about, in words; the issuer where it names no subject, as most do. */
void ekid_subject(struct bytes der, char subject[EKID_SUBJECT_MAX]);

#endif
