/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signer's and verifier's keys: ECDSA on P-384.  The public key file is struct lzr_key_header and the DER of the key.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha512.h>

#include "check.h"
#include "secretkey.h"

#define KEY_FILE_MAX 4096u
#define KEY_PATH_MAX 4200u

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

/* --- a new key ---------------------------------------------------------------------------------------------------- */

enum { FILE_SECRET, FILE_PUBLIC, FILE_KEY, KEY_FILES };

static const struct key_file {
	const char *suffix;
	unsigned mode;
} key_files[KEY_FILES] = { { ".pem", 0600 }, { ".pub.pem", 0644 }, { ".lzrkey", 0644 } };

struct key_content {
	uint8_t bytes[KEY_FILE_MAX];
	size_t size;
};

/* The key file that the loader measures. */
static bool key_file_make(mbedtls_pk_context *key, bool development, struct key_content *out)
{
	struct lzr_key_header header = { .magic = LZR_KEY_MAGIC, .flags = development ? LZR_KEY_DEVELOPMENT : 0 };
	uint8_t buffer[KEY_FILE_MAX - sizeof(header)];
	int length = mbedtls_pk_write_pubkey_der(key, buffer, sizeof(buffer));

	if (length <= 0)
		return false;
	header.der_length = (uint32_t)length;
	memcpy(out->bytes, &header, sizeof(header));
	memcpy(out->bytes + sizeof(header), buffer + sizeof(buffer) - length, (size_t)length);
	out->size = sizeof(header) + (size_t)length;
	return true;
}

static bool key_contents_make(mbedtls_pk_context *key, bool development, struct key_content contents[KEY_FILES])
{
	if (!key_file_make(key, development, &contents[FILE_KEY]) ||
	    mbedtls_pk_write_pubkey_pem(key, contents[FILE_PUBLIC].bytes, KEY_FILE_MAX) ||
	    mbedtls_pk_write_key_pem(key, contents[FILE_SECRET].bytes, KEY_FILE_MAX))
		return false;
	contents[FILE_PUBLIC].size = strlen((char *)contents[FILE_PUBLIC].bytes);
	contents[FILE_SECRET].size = strlen((char *)contents[FILE_SECRET].bytes);
	return true;
}

static bool key_path(const char *prefix, unsigned file, char path[KEY_PATH_MAX])
{
	int length = snprintf(path, KEY_PATH_MAX, "%s%s", prefix, key_files[file].suffix);

	return length > 0 && (unsigned)length < KEY_PATH_MAX;
}

/* A link that leads nowhere is there, too. */
static bool key_paths_free(const char *prefix)
{
	char path[KEY_PATH_MAX];
	struct stat status;

	for (unsigned i = 0; i < KEY_FILES; i++) {
		if (!key_path(prefix, i, path))
			return wrong(prefix, "the name is too long", 0);
		if (lstat(path, &status) == 0)
			return wrong(path, "is there already; no key is written over another: give another --out", 0);
		if (errno != ENOENT) {
			snprintf(why, sizeof(why), "%.300s: cannot write: %s", path, strerror(errno));
			return false;
		}
	}
	return true;
}

/* All three files, or none: what this run made it takes away again, and nothing else. */
static bool key_contents_store(const char *prefix, const struct key_content contents[KEY_FILES])
{
	char path[KEY_PATH_MAX];
	unsigned made = 0;

	while (made < KEY_FILES && key_path(prefix, made, path) &&
	       file_create(path, contents[made].bytes, contents[made].size, key_files[made].mode))
		made++;
	if (made == KEY_FILES)
		return true;
	snprintf(why, sizeof(why), "%.300s: cannot write a new file: %s", path, strerror(errno));
	while (made-- > 0)
		if (key_path(prefix, made, path))
			unlink(path);
	return false;
}

static bool write_key(mbedtls_pk_context *key, const char *prefix, bool development)
{
	struct key_content contents[KEY_FILES];
	bool good = key_contents_make(key, development, contents) ? key_contents_store(prefix, contents)
								   : wrong(prefix, "cannot encode the key", 0);

	mbedtls_platform_zeroize(contents, sizeof(contents));
	return good;
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

bool key_file_generate(const char *prefix, bool development)
{
	mbedtls_pk_context key;
	struct random random;

	if (!key_paths_free(prefix))
		return false;
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

/* --- signing ------------------------------------------------------------------------------------------------------ */

/* Is the secret key that of the key file with this digest, be it a development key's or another's? */
static bool belongs_to(mbedtls_pk_context *key, const uint8_t signer[LZR_DIGEST_SIZE])
{
	struct key_content content;
	uint8_t hash[LZR_DIGEST_SIZE];

	for (unsigned development = 0; development < 2; development++)
		if (key_file_make(key, development, &content) && digest(content.bytes, content.size, hash) &&
		    !memcmp(hash, signer, sizeof(hash)))
			return true;
	return false;
}

bool key_is_signer(const uint8_t x[48], const uint8_t y[48], const uint8_t signer[LZR_DIGEST_SIZE])
{
	mbedtls_pk_context key;
	bool is = false;

	mbedtls_pk_init(&key);
	if (mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0) {
		mbedtls_ecp_keypair *pair = mbedtls_pk_ec(key);

		is = mbedtls_ecp_group_load(&pair->grp, MBEDTLS_ECP_DP_SECP384R1) == 0 &&
		     mbedtls_mpi_read_binary(&pair->Q.X, x, 48) == 0 &&
		     mbedtls_mpi_read_binary(&pair->Q.Y, y, 48) == 0 &&
		     mbedtls_mpi_lset(&pair->Q.Z, 1) == 0 && belongs_to(&key, signer);
	}
	mbedtls_pk_free(&key);
	return is;
}

static bool load_secret(const char *pem, const char *passphrase, const uint8_t *signer, mbedtls_pk_context *key)
{
	if (!secretkey_read(key, pem, passphrase, why, sizeof(why)))
		return false;
	if (!mbedtls_pk_can_do(key, MBEDTLS_PK_ECDSA) || mbedtls_pk_ec(*key)->grp.id != MBEDTLS_ECP_DP_SECP384R1)
		return wrong(pem, "expected a key on P-384", 0);
	if (signer && !belongs_to(key, signer))
		return wrong(pem, "is not the key that the policy names as its signer", 0);
	return true;
}

/* Deterministic (RFC 6979), so the same policy and key give the same signature. */
bool key_sign(const char *pem, const char *passphrase, const uint8_t *signer, const void *data, size_t size,
	      uint8_t signature[LZR_POLICY_SIGNATURE_SIZE])
{
	uint8_t hash[LZR_DIGEST_SIZE];
	mbedtls_pk_context key;
	struct random random;           /* blinds the computation only */
	mbedtls_mpi r, s;

	mbedtls_pk_init(&key);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	int code = random_open(&random);
	bool good = code ? wrong(pem, "no random numbers", code) : load_secret(pem, passphrase, signer, &key);
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

bool key_file_point(const char *pub, uint8_t x[48], uint8_t y[48])
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

	if (!key_file_point(pub, x, y))
		return false;
	uint8_t *file = file_load(pub, KEY_FILE_MAX, &size, reason, sizeof(reason));
	bool good = file && digest(file, size, out);
	free(file);
	return good || wrong(pub, "cannot read it again", 0);
}
