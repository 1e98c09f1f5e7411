/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"
#include "dcbor.h"

#include <stdio.h>
#include <string.h>

#define COSE_TAG_SIGN1 18u
#define COSE_PAYLOAD_MAX (64u << 10)

static const uint8_t cose_protected[] = { 0xa1, 0x01, 0x38, 0x22 };     /* {1 (alg): -35 (ES384)} */

void key_init(struct key *k)
{
	mbedtls_ecdsa_init(&k->ec);
	k->secret = false;
}

void key_free(struct key *k)
{
	mbedtls_ecdsa_free(&k->ec);
	k->secret = false;
}

bool key_generate(struct key *k, struct fault *f)
{
	if (mbedtls_ecdsa_genkey(&k->ec, MBEDTLS_ECP_DP_SECP384R1, random_mbedtls, NULL) != 0)
		return fault_set(f, FAULT_INPUT, "signing key", "a fresh P-384 key", "mbedTLS refused");
	k->secret = true;
	return true;
}

bool key_from_point(struct key *k, const uint8_t point[KEY_POINT_SIZE], struct fault *f)
{
	k->secret = false;
	if (point[0] != 4 || mbedtls_ecp_group_load(&k->ec.grp, MBEDTLS_ECP_DP_SECP384R1) != 0 ||
	    mbedtls_ecp_point_read_binary(&k->ec.grp, &k->ec.Q, point, KEY_POINT_SIZE) != 0 ||
	    mbedtls_ecp_check_pubkey(&k->ec.grp, &k->ec.Q) != 0)
		return fault_set(f, FAULT_FORMAT, "attestor's signing key", "an uncompressed point on P-384", "none");
	return true;
}

bool key_point(const struct key *k, uint8_t point[KEY_POINT_SIZE])
{
	size_t used;

	return mbedtls_ecp_point_write_binary(&k->ec.grp, &k->ec.Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &used, point,
					      KEY_POINT_SIZE) == 0 && used == KEY_POINT_SIZE;
}

bool key_sign_digest(struct key *k, const uint8_t digest[SHA384_SIZE], uint8_t signature[KEY_SIGNATURE_SIZE])
{
	mbedtls_mpi r, s;
	bool ok;

	if (!k->secret)
		return false;
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	ok = mbedtls_ecdsa_sign_det_ext(&k->ec.grp, &r, &s, &k->ec.d, digest, SHA384_SIZE, MBEDTLS_MD_SHA384,
					random_mbedtls, NULL) == 0 &&
	     mbedtls_mpi_write_binary(&r, signature, KEY_COORDINATE) == 0 &&
	     mbedtls_mpi_write_binary(&s, signature + KEY_COORDINATE, KEY_COORDINATE) == 0;
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	return ok;
}

bool key_verify_digest(struct key *k, const uint8_t digest[SHA384_SIZE], const uint8_t signature[KEY_SIGNATURE_SIZE])
{
	mbedtls_mpi r, s;
	bool ok;

	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	ok = mbedtls_mpi_read_binary(&r, signature, KEY_COORDINATE) == 0 &&
	     mbedtls_mpi_read_binary(&s, signature + KEY_COORDINATE, KEY_COORDINATE) == 0 &&
	     mbedtls_ecdsa_verify(&k->ec.grp, digest, SHA384_SIZE, &k->ec.Q, &r, &s) == 0;
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	return ok;
}

/* Digest of the Sig_structure (RFC 9052, section 4.4) with empty external data. */
static void cose_digest(struct bytes payload, uint8_t digest[SHA384_SIZE])
{
	uint8_t head[32];
	struct dcbor_writer w = { .data = head, .size = sizeof(head) };
	uint8_t length[16];
	struct dcbor_writer l = { .data = length, .size = sizeof(length) };

	dcbor_put_array(&w, 4);
	dcbor_put_text(&w, "Signature1");
	dcbor_put_bytes(&w, cose_protected, sizeof(cose_protected));
	dcbor_put_bytes(&w, NULL, 0);
	/* A byte string's head is the unsigned integer's head with major type 2. */
	dcbor_put_uint(&l, payload.length);
	length[0] |= 0x40;
	dcbor_put_raw(&w, length, l.used);
	sha384_parts(digest, (struct bytes[]){ { head, w.used }, payload }, 2);
}

size_t cose_sign1(struct key *k, struct bytes payload, uint8_t *out, size_t size)
{
	struct dcbor_writer w = { .data = out, .size = size };
	uint8_t digest[SHA384_SIZE], signature[KEY_SIGNATURE_SIZE];

	if (payload.length > COSE_PAYLOAD_MAX)
		return 0;
	cose_digest(payload, digest);
	if (!key_sign_digest(k, digest, signature))
		return 0;
	dcbor_put_tag(&w, COSE_TAG_SIGN1);
	dcbor_put_array(&w, 4);
	dcbor_put_bytes(&w, cose_protected, sizeof(cose_protected));
	dcbor_put_map(&w, 0);
	dcbor_put_bytes(&w, payload.data, payload.length);
	dcbor_put_bytes(&w, signature, sizeof(signature));
	return w.overflow ? 0 : w.used;
}

bool cose_open(struct bytes message, struct cose_message *out, struct fault *f)
{
	struct dcbor_reader r = { .data = message.data, .left = message.length };
	struct bytes header;

	dcbor_get_tag(&r, COSE_TAG_SIGN1);
	dcbor_get_array(&r, 4, 4);
	header = dcbor_get_bytes(&r, sizeof(cose_protected), sizeof(cose_protected));
	dcbor_get_map(&r, 0, 0);
	out->payload = dcbor_get_bytes(&r, 1, COSE_PAYLOAD_MAX);
	out->signature = dcbor_get_bytes(&r, KEY_SIGNATURE_SIZE, KEY_SIGNATURE_SIZE).data;
	if (r.bad || memcmp(header.data, cose_protected, sizeof(cose_protected)) != 0)
		return fault_set(f, FAULT_FORMAT, "COSE_Sign1", "tag 18, {1: -35}, {}, payload, 96 bytes",
				 "something else");
	if (!dcbor_end(&r))
		return fault_set_text(f, FAULT_TRAILING, "COSE_Sign1", "nothing after the signature", "%zu bytes",
				      r.left);
	return true;
}

bool cose_verify(struct key *k, const struct cose_message *m)
{
	uint8_t digest[SHA384_SIZE];

	cose_digest(m->payload, digest);
	return key_verify_digest(k, digest, m->signature);
}
