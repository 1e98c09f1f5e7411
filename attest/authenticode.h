/* SPDX-License-Identifier: Apache-2.0 */
/* What the firmware measures of a UEFI application into PCR 4, and the register that results. */
#ifndef ATTEST_AUTHENTICODE_H
#define ATTEST_AUTHENTICODE_H

#include "digest.h"
#include "fault.h"

/* Authenticode digest of a PE32+ image: without checksum, certificate directory entry and certificates. */
bool authenticode_sha384(struct bytes pe, const char *name, uint8_t out[SHA384_SIZE], struct fault *f);

/* PCR 4 after one boot attempt of that application: action, separator, application. */
void expected_pcr4(const uint8_t application[SHA384_SIZE], uint8_t pcr[SHA384_SIZE]);
/* PCR 7 of firmware in setup mode: Secure Boot off, no PK, KEK, db, dbx. */
void expected_pcr7_setup_mode(uint8_t pcr[SHA384_SIZE]);

#endif
