/* SPDX-License-Identifier: Apache-2.0 */
#include "ekid.h"
#include "ekcert.h"
#include "file.h"

#include <stdio.h>
#include <string.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#define SPKI_MAX 1024u
#define FILE_MAX (1u << 20)

static bool digest_of(mbedtls_pk_context *pk, uint8_t out[SHA384_SIZE])
{
	uint8_t der[SPKI_MAX];
	const int n = mbedtls_pk_write_pubkey_der(pk, der, sizeof(der));

	if (n > 0)
		sha384(out, der + sizeof(der) - n, (size_t)n);
	return n > 0;
}

static bool load_ec(mbedtls_pk_context *pk, const struct tpm_public *ek)
{
	mbedtls_ecp_keypair *ec;

	if (mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0)
		return false;
	ec = mbedtls_pk_ec(*pk);
	return mbedtls_ecp_group_load(&ec->grp, ek->curve == TPM_CURVE_P384 ? MBEDTLS_ECP_DP_SECP384R1
									    : MBEDTLS_ECP_DP_SECP256R1) == 0 &&
	       mbedtls_mpi_read_binary(&ec->Q.X, ek->x.data, ek->x.length) == 0 &&
	       mbedtls_mpi_read_binary(&ec->Q.Y, ek->y.data, ek->y.length) == 0 &&
	       mbedtls_mpi_lset(&ec->Q.Z, 1) == 0;
}

static bool load_rsa(mbedtls_pk_context *pk, const struct tpm_public *ek)
{
	const uint32_t e = ek->rsa_exponent ? ek->rsa_exponent : 65537;
	const uint8_t exponent[4] = { (uint8_t)(e >> 24), (uint8_t)(e >> 16), (uint8_t)(e >> 8), (uint8_t)e };
	mbedtls_rsa_context *rsa;

	if (mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) != 0)
		return false;
	rsa = mbedtls_pk_rsa(*pk);
	return mbedtls_rsa_import_raw(rsa, ek->modulus.data, ek->modulus.length, NULL, 0, NULL, 0, NULL, 0, exponent,
				      sizeof(exponent)) == 0 &&
	       mbedtls_rsa_complete(rsa) == 0;
}

bool ekid_of_key(const struct tpm_public *ek, uint8_t out[SHA384_SIZE], struct fault *f)
{
	mbedtls_pk_context pk;
	bool ok;

	mbedtls_pk_init(&pk);
	ok = (ek->type == TPM_ALG_ECC_ID ? load_ec(&pk, ek) : ek->type == TPM_ALG_RSA_ID && load_rsa(&pk, ek)) &&
	     digest_of(&pk, out);
	mbedtls_pk_free(&pk);
	return ok || fault_set(f, FAULT_EK_KEY, "endorsement key", "an RSA or NIST curve key", "another");
}

/* Certificates of TPM makers often have an empty subject. */
static void describe(const mbedtls_x509_crt *crt, char out[EKID_SUBJECT_MAX])
{
	char name[256] = "";
	const bool nameless = mbedtls_x509_dn_gets(name, sizeof(name), &crt->subject) <= 0 || !name[0];

	if (nameless && mbedtls_x509_dn_gets(name, sizeof(name), &crt->issuer) <= 0)
		name[0] = 0;
	snprintf(out, EKID_SUBJECT_MAX, "%s%.140s", nameless ? "issued by " : "", name);
	for (; *out; out++)
		if (*out < 0x20 || *out > 0x7e)
			*out = '?';
}

void ekid_subject(struct bytes der, char subject[EKID_SUBJECT_MAX])
{
	struct fault ignored = { 0 };
	mbedtls_x509_crt crt;

	mbedtls_x509_crt_init(&crt);
	if (ekcert_parse(der, &crt, &ignored))
		describe(&crt, subject);
	else
		snprintf(subject, EKID_SUBJECT_MAX, "?");
	mbedtls_x509_crt_free(&crt);
}

/* One as a TPM keeps it, in an OCTET STRING, is taken as well. */
static bool load_file(const char *path, mbedtls_x509_crt *crt, struct fault *f)
{
	struct fault ignored = { 0 };
	struct bytes content;
	bool ok;

	if (!file_read(path, FILE_MAX, &content, f))
		return false;
	ok = ekcert_unwrap(content).data != content.data ? ekcert_parse(content, crt, &ignored)
							 : mbedtls_x509_crt_parse_file(crt, path) == 0;
	file_free(&content);
	return ok || fault_set(f, FAULT_INPUT, path, "certificates, PEM or DER, all readable", "something else");
}

bool ekid_of_file(const char *path, uint8_t out[SHA384_SIZE], char subject[EKID_SUBJECT_MAX], struct fault *f)
{
	mbedtls_x509_crt crt;
	bool ok;

	mbedtls_x509_crt_init(&crt);
	ok = load_file(path, &crt, f) &&
	     (digest_of(&crt.pk, out) || fault_set(f, FAULT_INPUT, path, "a public key", "none that can be read"));
	if (ok)
		describe(&crt, subject);
	mbedtls_x509_crt_free(&crt);
	return ok;
}

bool ekid_certificates(const char *path,
		       bool (*each)(void *context, struct bytes der, const char *subject, struct fault *f),
		       void *context, struct fault *f)
{
	char subject[EKID_SUBJECT_MAX];
	mbedtls_x509_crt first;
	bool ok;

	mbedtls_x509_crt_init(&first);
	ok = load_file(path, &first, f);
	for (const mbedtls_x509_crt *crt = &first; ok && crt; crt = crt->next) {
		describe(crt, subject);
		ok = each(context, (struct bytes){ crt->raw.p, crt->raw.len }, subject, f);
	}
	mbedtls_x509_crt_free(&first);
	return ok;
}

bool ekid_leads_to(struct bytes der, const char *between, struct bytes anchor)
{
	mbedtls_x509_crt crt, trusted;
	struct fault ignored = { 0 };
	uint32_t flags = 0;
	bool ok;

	mbedtls_x509_crt_init(&crt);
	mbedtls_x509_crt_init(&trusted);
	ok = ekcert_parse(der, &crt, &ignored) && mbedtls_x509_crt_parse_file(&crt, between) == 0 &&
	     mbedtls_x509_crt_parse_der(&trusted, anchor.data, anchor.length) == 0 &&
	     mbedtls_x509_crt_verify(&crt, &trusted, NULL, NULL, &flags, NULL, NULL) == 0;
	mbedtls_x509_crt_free(&crt);
	mbedtls_x509_crt_free(&trusted);
	return ok;
}
