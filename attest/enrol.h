/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolment, the authority's side.  An EK cannot sign for an AK (it only decrypts), so the authority hides a secret
 * such that only the TPM with the certified EK can open it, and only if it holds an object of the AK's Name: whoever
 * brings the secret back has that AK in that TPM.
 */
#ifndef ATTEST_ENROL_H
#define ATTEST_ENROL_H

#include "credential.h"
#include "ekcert.h"
#include "verify.h"

struct enrolment {
	bool pending;
	struct ak_record ak;                    /* not enrolled before enrol_finish said so */
	uint8_t secret[CREDENTIAL_SECRET_SIZE];
};

/*
 * Checks the EK's certificate and key and the AK's attributes, and makes the credential.  That a TPM is a trusted
 * maker's says nothing about whose it is: who enrols it wants an approval as well (store.h).
 */
bool enrol_begin(const char *roots, struct bytes ek_certificate, struct bytes ek_area, struct bytes ak_area,
		 struct enrolment *e, struct credential *out, struct fault *f);
/* One try: whatever the answer, the enrolment is no longer pending. */
bool enrol_finish(struct enrolment *e, struct bytes secret, struct fault *f);

#endif
