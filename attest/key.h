/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA P-384 signing keys (the attestor's, the verifier's) and COSE_Sign1 with ES384 (RFC 9052, section 4). */
#ifndef ATTEST_KEY_H
#define ATTEST_KEY_H

#include "digest.h"
#include "fault.h"

#include <mbedtls/ecdsa.h>

#define KEY_COORDINATE 48u
#define KEY_POINT_SIZE 97u      /* 0x04 || x || y */
#define KEY_SIGNATURE_SIZE 96u  /* r || s */

struct key {
	mbedtls_ecdsa_context ec;
	bool secret;            /* the private part is there */
};

void key_init(struct key *k);
void key_free(struct key *k);

/* A fresh pair; the private part never leaves this process. */
bool key_generate(struct key *k, struct fault *f);
/* An uncompressed point, checked to be on the curve. */
bool key_from_point(struct key *k, const uint8_t point[KEY_POINT_SIZE], struct fault *f);
bool key_point(const struct key *k, uint8_t point[KEY_POINT_SIZE]);

bool key_sign_digest(struct key *k, const uint8_t digest[SHA384_SIZE], uint8_t signature[KEY_SIGNATURE_SIZE]);
bool key_verify_digest(struct key *k, const uint8_t digest[SHA384_SIZE], const uint8_t signature[KEY_SIGNATURE_SIZE]);

/* The message's bytes into `out`, their number returned; 0 if they do not fit or signing failed. */
size_t cose_sign1(struct key *k, struct bytes payload, uint8_t *out, size_t size);

struct cose_message {           /* spans of the message that was taken apart */
	struct bytes payload;
	const uint8_t *signature;
};
/* Takes a message of exactly this form apart, without a look at the signature. */
bool cose_open(struct bytes message, struct cose_message *out, struct fault *f);
bool cose_verify(struct key *k, const struct cose_message *m);

#endif
