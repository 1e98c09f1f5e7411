/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate of a TPM's endorsement key (TCG EK Credential Profile): chain to a root, purpose, key. */
#ifndef ATTEST_EKCERT_H
#define ATTEST_EKCERT_H

#include <mbedtls/x509_crt.h>

#include "tpmwire.h"

#define EKCERT_MAX 4096u

/*
 * The certificate's own bytes: some TPMs' NV has it in an OCTET STRING.  What is no such string is given back as it is.
 */
struct bytes ekcert_unwrap(struct bytes given);
/* Into `crt`, which is initialised and is the caller's to free; what cannot be read is named. */
bool ekcert_parse(struct bytes given, mbedtls_x509_crt *crt, struct fault *f);
/* `roots`: a PEM file of the TPM makers' certificates that are trusted, intermediate ones included. */
bool ekcert_check(struct bytes der, const char *roots, const struct tpm_public *ek, struct fault *f);

#endif
