/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signer's and verifier's keys: ECDSA on P-384.  The public key file is struct lzr_key_header and the DER of the key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha512.h>

#include "policy.h"

#define KEY_FILE_MAX 4096u

static char why[512];

const char *key_error(void)
{
	return why;
}

static bool wrong(const char *path, const char *what, int code)
{
	char text[128] = "";

	if (code)
		mbedtls_strerror(code, text, sizeof(text));
	snprintf(why, sizeof(why), "%.300s: %.80s%s%s", path, what, code ? ": " : "", text);
	return false;
}

bool digest(const void *data, size_t size, uint8_t out[LZR_DIGEST_SIZE])
{
	uint8_t full[64];

	if (mbedtls_sha512_ret(data, size, full, 1) != 0)
		return false;
	memcpy(out, full, LZR_DIGEST_SIZE);
	return true;
}

static bool store(const char *prefix, const char *suffix, const void *data, size_t size, unsigned mode)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", prefix, suffix);
	return file_store(path, data, size, mode) || wrong(path, "cannot write", 0);
}

static bool write_key(mbedtls_pk_context *key, const char *prefix, bool development)
{
	uint8_t buffer[KEY_FILE_MAX], file[KEY_FILE_MAX];
	struct lzr_key_header header = { .magic = LZR_KEY_MAGIC, .flags = development ? LZR_KEY_DEVELOPMENT : 0 };

	int length = mbedtls_pk_write_pubkey_der(key, buffer, sizeof(buffer));
	if (length <= 0 || (size_t)length + sizeof(header) > sizeof(file))
		return wrong(prefix, "cannot encode the key", length);
	header.der_length = (uint32_t)length;
	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), buffer + sizeof(buffer) - length, (size_t)length);
	if (!store(prefix, ".lzrkey", file, sizeof(header) + (size_t)length, 0644))
		return false;
	int code = mbedtls_pk_write_pubkey_pem(key, buffer, sizeof(buffer));
	if (code || !store(prefix, ".pub.pem", buffer, strlen((char *)buffer), 0644))
		return wrong(prefix, "cannot write the public key", code);
	code = mbedtls_pk_write_key_pem(key, buffer, sizeof(buffer));
	bool good = !code && store(prefix, ".pem", buffer, strlen((char *)buffer), 0600);
	mbedtls_platform_zeroize(buffer, sizeof(buffer));
	return good || wrong(prefix, "cannot write the private key", code);
}

struct random {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context generator;
};

static int random_open(struct random *random)
{
	mbedtls_entropy_init(&random->entropy);
	mbedtls_ctr_drbg_init(&random->generator);
	return mbedtls_ctr_drbg_seed(&random->generator, mbedtls_entropy_func, &random->entropy, NULL, 0);
}

static void random_close(struct random *random)
{
	mbedtls_ctr_drbg_free(&random->generator);
	mbedtls_entropy_free(&random->entropy);
}

bool key_generate(const char *prefix, bool development)
{
	mbedtls_pk_context key;
	struct random random;

	mbedtls_pk_init(&key);
	int code = random_open(&random);
	if (!code)
		code = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (!code)
		code = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, mbedtls_pk_ec(key), mbedtls_ctr_drbg_random,
					   &random.generator);
	bool good = code ? wrong(prefix, "cannot make a key", code) : write_key(&key, prefix, development);
	mbedtls_pk_free(&key);
	random_close(&random);
	return good;
}

/* Deterministic (RFC 6979), so the same policy and key give the same signature. */
bool key_sign(const char *pem, const void *data, size_t size, uint8_t signature[LZR_POLICY_SIGNATURE_SIZE])
{
	uint8_t hash[LZR_DIGEST_SIZE];
	mbedtls_pk_context key;
	struct random random;           /* blinds the computation only */
	mbedtls_mpi r, s;

	mbedtls_pk_init(&key);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	int code = random_open(&random);
	if (!code)
		code = mbedtls_pk_parse_keyfile(&key, pem, NULL);
	bool good = code ? wrong(pem, "expected a private key in PEM", code) : true;
	if (good &&
	    (!mbedtls_pk_can_do(&key, MBEDTLS_PK_ECDSA) || mbedtls_pk_ec(key)->grp.id != MBEDTLS_ECP_DP_SECP384R1))
		good = wrong(pem, "expected a key on P-384", 0);
	if (good) {
		mbedtls_ecp_keypair *pair = mbedtls_pk_ec(key);
		good = digest(data, size, hash);
		code = mbedtls_ecdsa_sign_det_ext(&pair->grp, &r, &s, &pair->d, hash, sizeof(hash), MBEDTLS_MD_SHA384,
						  mbedtls_ctr_drbg_random, &random.generator);
		if (!code)
			code = mbedtls_mpi_write_binary(&r, signature, 48);
		if (!code)
			code = mbedtls_mpi_write_binary(&s, signature + 48, 48);
		good = good && !code ? true : wrong(pem, "cannot sign", code);
	}
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	mbedtls_pk_free(&key);
	random_close(&random);
	return good;
}

/* Header, length, DER, curve: all of them right, nothing behind. */
static bool parse_public(const char *path, const uint8_t *file, size_t size, mbedtls_pk_context *key)
{
	struct lzr_key_header header;

	if (size < sizeof(header))
		return wrong(path, "expected a key file (LZRKEY1), found too few bytes", 0);
	memcpy(&header, file, sizeof(header));
	if (memcmp(header.magic, LZR_KEY_MAGIC, sizeof(header.magic)) || header.flags & ~LZR_KEY_DEVELOPMENT ||
	    header.der_length != size - sizeof(header))
		return wrong(path, "expected a key file (LZRKEY1 and the length of the key), found something else", 0);
	int code = mbedtls_pk_parse_public_key(key, file + sizeof(header), header.der_length);
	if (code)
		return wrong(path, "expected a public key in DER", code);
	if (!mbedtls_pk_can_do(key, MBEDTLS_PK_ECDSA) || mbedtls_pk_ec(*key)->grp.id != MBEDTLS_ECP_DP_SECP384R1)
		return wrong(path, "expected a key on P-384", 0);
	return true;
}

static bool load_public(const char *path, mbedtls_pk_context *key)
{
	char reason[256];
	size_t size;
	uint8_t *file = file_load(path, KEY_FILE_MAX, &size, reason, sizeof(reason));
	bool good = file ? parse_public(path, file, size, key) : wrong("key file", reason, 0);

	free(file);
	return good;
}

bool key_verify(const char *pub, const void *data, size_t size, const uint8_t signature[LZR_POLICY_SIGNATURE_SIZE])
{
	uint8_t hash[LZR_DIGEST_SIZE];
	mbedtls_pk_context key;
	mbedtls_mpi r, s;

	mbedtls_pk_init(&key);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	bool good = load_public(pub, &key) && digest(data, size, hash);
	if (good) {
		mbedtls_ecp_keypair *pair = mbedtls_pk_ec(key);
		int code = mbedtls_mpi_read_binary(&r, signature, 48);
		if (!code)
			code = mbedtls_mpi_read_binary(&s, signature + 48, 48);
		if (!code)
			code = mbedtls_ecdsa_verify(&pair->grp, hash, sizeof(hash), &pair->Q, &r, &s);
		good = code ? wrong(pub, "the signature is not this key's over these bytes", code) : true;
	}
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	mbedtls_pk_free(&key);
	return good;
}

bool key_point(const char *pub, uint8_t x[48], uint8_t y[48])
{
	mbedtls_pk_context key;

	mbedtls_pk_init(&key);
	bool good = load_public(pub, &key);
	if (good) {
		mbedtls_ecp_keypair *pair = mbedtls_pk_ec(key);
		int code = mbedtls_ecp_check_pubkey(&pair->grp, &pair->Q);
		if (!code)
			code = mbedtls_mpi_write_binary(&pair->Q.X, x, 48);
		if (!code)
			code = mbedtls_mpi_write_binary(&pair->Q.Y, y, 48);
		good = code ? wrong(pub, "not a point of P-384", code) : true;
	}
	mbedtls_pk_free(&key);
	return good;
}

bool key_digest(const char *pub, uint8_t out[LZR_DIGEST_SIZE])
{
	uint8_t x[48], y[48];
	char reason[256];
	size_t size;

	if (!key_point(pub, x, y))
		return false;
	uint8_t *file = file_load(pub, KEY_FILE_MAX, &size, reason, sizeof(reason));
	bool good = file && digest(file, size, out);
	free(file);
	return good || wrong(pub, "cannot read it again", 0);
}
