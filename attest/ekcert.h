/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate of a TPM's endorsement key (TCG EK Credential Profile): chain to a root, purpose, key. */
#ifndef ATTEST_EKCERT_H
#define ATTEST_EKCERT_H

#include "tpmwire.h"

#define EKCERT_MAX 4096u

/* `roots`: a PEM file of the TPM makers' certificates that are trusted, intermediate ones included. */
bool ekcert_check(struct bytes der, const char *roots, const struct tpm_public *ek, struct fault *f);

#endif
