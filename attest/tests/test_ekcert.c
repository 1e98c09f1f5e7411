/* SPDX-License-Identifier: Apache-2.0 */
/* EK certificates as real TPMs have them, and what is said about those that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "../ekcert.h"
#include "../ekid.h"
#include "../file.h"

#define VECTORS "attest/tests/vectors/"

static struct bytes vector(const char *name, uint8_t *out, size_t size)
{
	struct fault f = { 0 };
	struct bytes text;
	char hex[2 * EKCERT_MAX + 1];
	size_t n = 0;

	assert_true(file_read(name, sizeof(hex) - 1, &text, &f));
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] > ' ')
			hex[n++] = (char)text.data[i];
	hex[n] = 0;
	file_free(&text);
	assert_true(n / 2 <= size && hex_decode(out, n / 2, hex));
	return (struct bytes){ out, n / 2 };
}

/* The public area of the key that a certificate of a P-256 key is about. */
static void ek_of(mbedtls_x509_crt *crt, uint8_t point[64], struct tpm_public *ek)
{
	mbedtls_ecp_keypair *ec = mbedtls_pk_ec(crt->pk);

	mbedtls_mpi_write_binary(&ec->Q.X, point, 32);
	mbedtls_mpi_write_binary(&ec->Q.Y, point + 32, 32);
	*ek = (struct tpm_public){ .type = TPM_ALG_ECC_ID, .curve = TPM_CURVE_P256, .x = { point, 32 },
				   .y = { point + 32, 32 } };
}

static void certificate_in_an_octet_string(void **state)
{
	static const char roots[] = VECTORS "ek-octet-string-root.pem";
	uint8_t bytes[EKCERT_MAX], point[64];
	struct bytes given = vector(VECTORS "ek-octet-string.hex", bytes, sizeof(bytes)), inner = ekcert_unwrap(given);
	mbedtls_x509_crt crt;
	struct fault f = { 0 };
	struct tpm_public ek;

	(void)state;
	assert_int_equal(inner.length, given.length - 4);
	mbedtls_x509_crt_init(&crt);
	assert_true(ekcert_parse(given, &crt, &f));
	ek_of(&crt, point, &ek);
	mbedtls_x509_crt_free(&crt);
	assert_true(ekcert_check(given, roots, &ek, &f));
	assert_true(ekcert_check(inner, roots, &ek, &f));
	/* A length that is not its own, or bytes behind it. */
	bytes[3] ^= 1;
	assert_false(ekcert_check(given, roots, &ek, &f));
	assert_int_equal(f.code, FAULT_EK_CERTIFICATE);
	bytes[3] ^= 1;
	f = (struct fault){ 0 };
	assert_false(ekcert_check((struct bytes){ given.data, given.length - 1 }, roots, &ek, &f));
	f = (struct fault){ 0 };
	assert_false(ekcert_check((struct bytes){ inner.data, inner.length - 1 }, roots, &ek, &f));
	f = (struct fault){ 0 };
	memset(bytes + given.length, 0, 2);
	assert_false(ekcert_check((struct bytes){ inner.data, inner.length + 2 }, roots, &ek, &f));
	assert_string_equal(f.found, "2 bytes behind it");
	f = (struct fault){ 0 };
	assert_false(ekcert_check((struct bytes){ NULL, 0 }, roots, &ek, &f));
	assert_string_equal(f.found, "0 bytes, the limit is 4096");
}

/* Approvals of every TPM below a certificate, and of one by a file, look into it as well. */
static void approvals_of_one_in_an_octet_string(void **state)
{
	static const char roots[] = VECTORS "ek-octet-string-root.pem";
	char path[] = "/tmp/lzr-ekcert-XXXXXX", subject[2][EKID_SUBJECT_MAX];
	uint8_t bytes[EKCERT_MAX], point[64], by_key[SHA384_SIZE], by_file[SHA384_SIZE];
	struct bytes given = vector(VECTORS "ek-octet-string.hex", bytes, sizeof(bytes)), inner = ekcert_unwrap(given);
	mbedtls_x509_crt root, crt;
	struct fault f = { 0 };
	struct tpm_public ek;

	(void)state;
	mbedtls_x509_crt_init(&root);
	mbedtls_x509_crt_init(&crt);
	assert_int_equal(mbedtls_x509_crt_parse_file(&root, roots), 0);
	assert_true(ekid_leads_to(given, roots, (struct bytes){ root.raw.p, root.raw.len }));
	assert_true(ekid_leads_to(inner, roots, (struct bytes){ root.raw.p, root.raw.len }));
	assert_false(ekid_leads_to((struct bytes){ given.data, given.length - 1 }, roots,
				   (struct bytes){ root.raw.p, root.raw.len }));
	ekid_subject(given, subject[0]);
	ekid_subject(inner, subject[1]);
	assert_string_equal(subject[0], subject[1]);
	assert_string_not_equal(subject[0], "?");
	assert_int_equal(close(mkstemp(path)), 0);
	assert_true(file_write(path, given, &f));
	assert_true(ekid_of_file(path, by_file, subject[1], &f));
	assert_string_equal(subject[0], subject[1]);
	assert_true(ekcert_parse(given, &crt, &f));
	ek_of(&crt, point, &ek);
	assert_true(ekid_of_key(&ek, by_key, &f));
	assert_memory_equal(by_file, by_key, sizeof(by_key));
	unlink(path);
	assert_false(ekid_of_file(path, by_file, subject[1], &f));
	assert_string_equal(f.found, "No such file or directory");
	mbedtls_x509_crt_free(&crt);
	mbedtls_x509_crt_free(&root);
}

/* A certificate signed by itself, with one more extension. */
static struct bytes make(const char *oid, size_t oid_length, bool critical, struct bytes value, uint8_t *out,
			 size_t size)
{
	mbedtls_x509write_cert w;
	mbedtls_pk_context key;
	mbedtls_mpi serial;
	int n;

	mbedtls_pk_init(&key);
	mbedtls_x509write_crt_init(&w);
	mbedtls_mpi_init(&serial);
	mbedtls_mpi_lset(&serial, 1);
	assert_int_equal(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
	assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random_mbedtls, NULL), 0);
	mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&w, &key);
	mbedtls_x509write_crt_set_issuer_key(&w, &key);
	mbedtls_x509write_crt_set_serial(&w, &serial);
	assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, "CN=EK"), 0);
	assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, "CN=EK"), 0);
	assert_int_equal(mbedtls_x509write_crt_set_validity(&w, "20260101000000", "20360101000000"), 0);
	assert_int_equal(mbedtls_x509write_crt_set_extension(&w, oid, oid_length, critical, value.data, value.length),
			 0);
	n = mbedtls_x509write_crt_der(&w, out, size, random_mbedtls, NULL);
	assert_true(n > 0);
	mbedtls_mpi_free(&serial);
	mbedtls_x509write_crt_free(&w);
	mbedtls_pk_free(&key);
	return (struct bytes){ out + size - (size_t)n, (size_t)n };
}

static void expect(struct bytes der, const char *found)
{
	mbedtls_x509_crt crt;
	struct fault f = { 0 };

	mbedtls_x509_crt_init(&crt);
	assert_int_equal(ekcert_parse(der, &crt, &f), !found);
	if (found)
		assert_string_equal(f.found, found);
	mbedtls_x509_crt_free(&crt);
}

static void extensions_are_named(void **state)
{
	static const char unknown[] = "\x2b\x06\x01\x04\x01\x82\x37\x63";       /* 1.3.6.1.4.1.311.99 */
	static const uint8_t null[] = { 5, 0 }, policies[] = { 0x30, 6, 0x30, 4, 6, 2, 0x2a, 3 };
	static const char oid_policies[] = MBEDTLS_OID_CERTIFICATE_POLICIES;
	struct bytes policy = { policies, sizeof(policies) };
	uint8_t out[1024];

	(void)state;
	expect(make(unknown, sizeof(unknown) - 1, false, (struct bytes){ null, 2 }, out, sizeof(out)), NULL);
	expect(make(unknown, sizeof(unknown) - 1, true, (struct bytes){ null, 2 }, out, sizeof(out)),
	       "an unknown critical extension, 1.3.6.1.4.1.311.99");
	expect(make(oid_policies, sizeof(oid_policies) - 1, false, policy, out, sizeof(out)), NULL);
	expect(make(oid_policies, sizeof(oid_policies) - 1, true, policy, out, sizeof(out)),
	       "critical certificate policies, which nobody here judges");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate_in_an_octet_string),
		cmocka_unit_test(approvals_of_one_in_an_octet_string),
		cmocka_unit_test(extensions_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
