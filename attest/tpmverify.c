/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures of a TPM, checked with mbedTLS. */
#include "tpmwire.h"

#include <mbedtls/ecdsa.h>

static bool load_point(mbedtls_ecp_group *group, mbedtls_ecp_point *point, const struct tpm_public *p)
{
	mbedtls_ecp_group_id id = p->curve == TPM_CURVE_P384 ? MBEDTLS_ECP_DP_SECP384R1 : MBEDTLS_ECP_DP_SECP256R1;

	return mbedtls_ecp_group_load(group, id) == 0 &&
	       mbedtls_mpi_read_binary(&point->X, p->x.data, p->x.length) == 0 &&
	       mbedtls_mpi_read_binary(&point->Y, p->y.data, p->y.length) == 0 &&
	       mbedtls_mpi_lset(&point->Z, 1) == 0 && mbedtls_ecp_check_pubkey(group, point) == 0;
}

bool quote_verify(const struct tpm_public *ak, struct bytes attest, const struct ecdsa_signature *s, struct fault *f)
{
	uint8_t digest[SHA384_SIZE];
	size_t size = ak->scheme_hash == TPM_ALG_SHA384_ID ? SHA384_SIZE : SHA256_SIZE;
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_mpi r, t;
	bool ok;

	if (s->hash != ak->scheme_hash)
		return fault_set_number(f, FAULT_QUOTE_SIGNATURE, "quote signature's hash", ak->scheme_hash, s->hash);
	if (size == SHA384_SIZE)
		sha384(digest, attest.data, attest.length);
	else
		sha256(digest, attest.data, attest.length);
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&point);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&t);
	ok = load_point(&group, &point, ak) && mbedtls_mpi_read_binary(&r, s->r.data, s->r.length) == 0 &&
	     mbedtls_mpi_read_binary(&t, s->s.data, s->s.length) == 0 &&
	     mbedtls_ecdsa_verify(&group, digest, size, &point, &r, &t) == 0;
	mbedtls_mpi_free(&t);
	mbedtls_mpi_free(&r);
	mbedtls_ecp_point_free(&point);
	mbedtls_ecp_group_free(&group);
	return ok ||
	       fault_set(f, FAULT_QUOTE_SIGNATURE, "quote", "a signature by the enrolled AK", "it does not verify");
}
