/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM 2.0 structures as the verifier takes them apart: attestation, signature, public area, Name.  No TPM library here;
 * the bytes are hostile.  (TPM 2.0 Library, Part 2: "Attestation Structures", "Signatures", "Public Area Structures".)
 */
#ifndef ATTEST_TPMWIRE_H
#define ATTEST_TPMWIRE_H

#include "digest.h"
#include "fault.h"

#define TPM_ALG_RSA_ID 0x0001u
#define TPM_ALG_AES_ID 0x0006u
#define TPM_ALG_SHA256_ID 0x000bu
#define TPM_ALG_SHA384_ID 0x000cu
#define TPM_ALG_NULL_ID 0x0010u
#define TPM_ALG_ECDSA_ID 0x0018u
#define TPM_ALG_ECC_ID 0x0023u
#define TPM_ALG_CFB_ID 0x0043u
#define TPM_CURVE_P256 0x0003u
#define TPM_CURVE_P384 0x0004u
#define TPM_MAGIC_GENERATED 0xff544347u
#define TPM_ST_QUOTE 0x8018u

/* TPMA_OBJECT bits. */
#define TPM_ATTR_FIXED_TPM (1u << 1)
#define TPM_ATTR_ST_CLEAR (1u << 2)
#define TPM_ATTR_FIXED_PARENT (1u << 4)
#define TPM_ATTR_SENSITIVE_DATA_ORIGIN (1u << 5)
#define TPM_ATTR_RESTRICTED (1u << 16)
#define TPM_ATTR_DECRYPT (1u << 17)
#define TPM_ATTR_SIGN (1u << 18)

#define TPM_NAME_MAX 50u        /* algorithm and SHA-384 */
#define TPM_PUBLIC_MAX 600u

/* Big-endian cursor with a sticky error. */
struct wire {
	const uint8_t *data;
	size_t left;
	bool bad;
};
uint8_t wire_u8(struct wire *w);
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
struct bytes wire_take(struct wire *w, size_t length);
struct bytes wire_sized(struct wire *w, size_t max);    /* TPM2B */

struct quote {
	struct bytes signer;            /* qualified name of the key */
	struct bytes extra_data;
	uint64_t clock_ms;
	uint32_t reset_count, restart_count;
	bool clock_safe;
	uint64_t firmware;
	struct bytes pcr_digest;
};

/* Checks in this order: magic, type, structure, selection (PCR 0-9 and 11 of the SHA-384 bank), trailing bytes. */
bool quote_parse(struct bytes in, struct quote *q, struct fault *f);

struct ecdsa_signature {
	uint16_t hash;
	struct bytes r, s;
};
bool signature_parse(struct bytes in, struct ecdsa_signature *s, struct fault *f);

struct tpm_public {
	uint16_t type, name_alg;
	uint32_t attributes;
	struct bytes policy;
	uint16_t symmetric, symmetric_bits, symmetric_mode;     /* storage keys */
	uint16_t scheme, scheme_hash;
	uint16_t curve;                 /* ECC */
	struct bytes x, y;
	uint16_t rsa_bits;              /* RSA */
	uint32_t rsa_exponent;
	struct bytes modulus;
};
/* TPMT_PUBLIC, whole. */
bool public_parse(struct bytes in, struct tpm_public *p, struct fault *f);
/* nameAlg || H(public area); returns its length, 0 for a hash that we do not do. */
size_t public_name(struct bytes area, uint16_t name_alg, uint8_t name[TPM_NAME_MAX]);

/* Restricted signing key made in one TPM that it cannot leave; ECDSA on P-384, SHA-384 or P-256, SHA-256. */
bool public_check_ak(const struct tpm_public *p, struct fault *f);

/* Signature by the AK over the attestation's bytes. */
bool quote_verify(const struct tpm_public *ak, struct bytes attest, const struct ecdsa_signature *s, struct fault *f);

#endif
