/* SPDX-License-Identifier: Apache-2.0 */
#include "ekcert.h"

#include <stdio.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#define EKCERT_WHY 160u

static const char oid_ek_certificate[] = "\x67\x81\x05\x08\x01";        /* 2.23.133.8.1, tcg-kp-EKCertificate */

static bool same_number(const mbedtls_mpi *certified, struct bytes given)
{
	mbedtls_mpi n;
	bool same;

	mbedtls_mpi_init(&n);
	same = mbedtls_mpi_read_binary(&n, given.data, given.length) == 0 && mbedtls_mpi_cmp_mpi(certified, &n) == 0;
	mbedtls_mpi_free(&n);
	return same;
}

/* The key in the certificate is the key of the public area that the credential will be made for. */
static bool same_key(mbedtls_pk_context *pk, const struct tpm_public *ek)
{
	if (ek->type == TPM_ALG_ECC_ID && mbedtls_pk_get_type(pk) == MBEDTLS_PK_ECKEY) {
		const mbedtls_ecp_keypair *ec = mbedtls_pk_ec(*pk);
		mbedtls_ecp_group_id id = ek->curve == TPM_CURVE_P384 ? MBEDTLS_ECP_DP_SECP384R1
								       : MBEDTLS_ECP_DP_SECP256R1;

		return ec->grp.id == id && same_number(&ec->Q.X, ek->x) && same_number(&ec->Q.Y, ek->y);
	}
	if (ek->type == TPM_ALG_RSA_ID && mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA) {
		const mbedtls_rsa_context *rsa = mbedtls_pk_rsa(*pk);
		uint32_t exponent = ek->rsa_exponent ? ek->rsa_exponent : 65537;

		return same_number(&rsa->N, ek->modulus) &&
		       mbedtls_mpi_cmp_int(&rsa->E, (mbedtls_mpi_sint)exponent) == 0;
	}
	return false;
}

#define TAG_OCTET_STRING 0x04u
#define LENGTH_IN_TWO 0x82u

struct bytes ekcert_unwrap(struct bytes given)
{
	const uint8_t *p = given.data;

	if (given.length > 4 && p[0] == TAG_OCTET_STRING && p[1] == LENGTH_IN_TWO &&
	    ((size_t)p[2] << 8 | p[3]) == given.length - 4)
		return (struct bytes){ p + 4, given.length - 4 };
	return given;
}

/* Called for an extension that mbedTLS does not know, or for policies that it cannot judge. */
static int unknown_extension(void *context, mbedtls_x509_crt const *crt, mbedtls_x509_buf const *oid, int critical,
			     const unsigned char *p, const unsigned char *end)
{
	char *why = context, number[80] = "?";

	(void)crt;
	(void)p;
	(void)end;
	if (!critical)
		return 0;
	mbedtls_oid_get_numeric_string(number, sizeof(number), oid);
	if (MBEDTLS_OID_CMP(MBEDTLS_OID_CERTIFICATE_POLICIES, oid) == 0)
		snprintf(why, EKCERT_WHY, "critical certificate policies, which nobody here judges");
	else
		snprintf(why, EKCERT_WHY, "an unknown critical extension, %s", number);
	return MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE;
}

bool ekcert_parse(struct bytes given, mbedtls_x509_crt *crt, struct fault *f)
{
	const struct bytes der = ekcert_unwrap(given);
	char why[EKCERT_WHY] = "";
	int error;

	if (der.length == 0 || given.length > EKCERT_MAX)
		return fault_set_text(f, FAULT_EK_CERTIFICATE, "EK certificate", "one X.509 certificate in DER",
				      "%zu bytes, the limit is %u", given.length, EKCERT_MAX);
	error = mbedtls_x509_crt_parse_der_with_ext_cb(crt, der.data, der.length, 1, unknown_extension, why);
	if (error != 0 && !why[0])
		snprintf(why, sizeof(why), "other bytes (mbedTLS error -%#x)", (unsigned int)-error);
	if (error == 0 && crt->raw.len != der.length)
		snprintf(why, sizeof(why), "%zu bytes behind it", der.length - crt->raw.len);
	return !why[0] ||
	       fault_set(f, FAULT_EK_CERTIFICATE, "EK certificate", "one X.509 certificate in DER", why);
}

static bool check_chain(mbedtls_x509_crt *crt, mbedtls_x509_crt *trusted, struct fault *f)
{
	uint32_t flags = 0;
	char why[200];

	if (mbedtls_x509_crt_verify(crt, trusted, NULL, NULL, &flags, NULL, NULL) == 0)
		return true;
	mbedtls_x509_crt_verify_info(why, sizeof(why), "", flags);
	why[strcspn(why, "\n")] = 0;
	return fault_set(f, FAULT_EK_CERTIFICATE, "EK certificate", "a chain to a trusted TPM maker's root", why);
}

bool ekcert_check(struct bytes der, const char *roots, const struct tpm_public *ek, struct fault *f)
{
	mbedtls_x509_crt crt, trusted;
	bool ok = false;

	mbedtls_x509_crt_init(&crt);
	mbedtls_x509_crt_init(&trusted);
	if (mbedtls_x509_crt_parse_file(&trusted, roots) != 0) {
		fault_set(f, FAULT_INPUT, roots, "a PEM file of certificates, all readable", "something else");
		goto out;
	}
	if (!ekcert_parse(der, &crt, f) || !check_chain(&crt, &trusted, f))
		goto out;
	if (mbedtls_x509_crt_check_extended_key_usage(&crt, oid_ek_certificate, sizeof(oid_ek_certificate) - 1) != 0 ||
	    !crt.ext_key_usage.buf.len) {
		fault_set(f, FAULT_EK_CERTIFICATE, "EK certificate", "extended key usage 2.23.133.8.1",
			  "another purpose");
		goto out;
	}
	if (!same_key(&crt.pk, ek)) {
		fault_set(f, FAULT_EK_KEY, "endorsement key", "the key of its certificate", "another key");
		goto out;
	}
	ok = true;
out:
	mbedtls_x509_crt_free(&trusted);
	mbedtls_x509_crt_free(&crt);
	return ok;
}
