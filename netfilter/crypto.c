/* SPDX-License-Identifier: Apache-2.0 */
/* The cryptography of the dataplane with mbedTLS: SEC 1 (ECDSA on P-384), NIST SP 800-90A (HMAC-DRBG). */
#include "crypto.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <string.h>

static mbedtls_ecp_group group;
static mbedtls_ecp_point verifiers[LZR_SWITCH_VERIFIER_MAX];
static unsigned verifier_count;
static mbedtls_hmac_drbg_context generator;
static bool ready;

static bool load_key(mbedtls_ecp_point *verifier, const struct lzr_switch_key *key)
{
	uint8_t point[97];

	point[0] = 4;
	memcpy(point + 1, key->x, 48);
	memcpy(point + 49, key->y, 48);
	return mbedtls_ecp_point_read_binary(&group, verifier, point, sizeof(point)) == 0 &&
	       mbedtls_ecp_check_pubkey(&group, verifier) == 0;
}

static bool load_keys(const struct lzr_switch_key *keys, unsigned count)
{
	if (count == 0 || count > LZR_SWITCH_VERIFIER_MAX ||
	    mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP384R1) != 0)
		return false;
	for (verifier_count = 0; verifier_count < count; verifier_count++) {
		if (!load_key(&verifiers[verifier_count], &keys[verifier_count]))
			return false;
	}
	return true;
}

static void release(void)
{
	mbedtls_ecp_group_free(&group);
	for (unsigned i = 0; i < LZR_SWITCH_VERIFIER_MAX; i++)
		mbedtls_ecp_point_free(&verifiers[i]);
	mbedtls_hmac_drbg_free(&generator);
}

bool crypto_init(const uint8_t seed[CRYPTO_SEED_SIZE], const struct lzr_switch_key *keys, unsigned count)
{
	static const char purpose[] = "Lazaret port nonces 1";
	uint8_t material[CRYPTO_SEED_SIZE + sizeof(purpose)];

	if (ready)
		release();
	mbedtls_ecp_group_init(&group);
	for (unsigned i = 0; i < LZR_SWITCH_VERIFIER_MAX; i++)
		mbedtls_ecp_point_init(&verifiers[i]);
	mbedtls_hmac_drbg_init(&generator);
	memcpy(material, seed, CRYPTO_SEED_SIZE);
	memcpy(material + CRYPTO_SEED_SIZE, purpose, sizeof(purpose));
	ready = load_keys(keys, count) &&
		mbedtls_hmac_drbg_seed_buf(&generator, mbedtls_md_info_from_type(MBEDTLS_MD_SHA384), material,
					   sizeof(material)) == 0;
	mbedtls_platform_zeroize(material, sizeof(material));
	if (!ready)
		release();
	return ready;
}

bool crypto_verify(const uint8_t *message, size_t length, const uint8_t signature[96], unsigned keys)
{
	uint8_t digest[48];
	mbedtls_mpi r, s;
	bool well_formed, good = false;

	if (!ready)
		return false;
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	well_formed = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA384), message, length, digest) == 0 &&
		      mbedtls_mpi_read_binary(&r, signature, 48) == 0 &&
		      mbedtls_mpi_read_binary(&s, signature + 48, 48) == 0;
	for (unsigned i = 0; well_formed && !good && i < verifier_count; i++)
		good = (keys >> i & 1) != 0 &&
		       mbedtls_ecdsa_verify(&group, digest, sizeof(digest), &verifiers[i], &r, &s) == 0;
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	return good;
}

bool crypto_random(uint8_t *out, size_t length)
{
	if (ready && length <= MBEDTLS_HMAC_DRBG_MAX_REQUEST && mbedtls_hmac_drbg_random(&generator, out, length) == 0)
		return true;
	memset(out, 0, length);
	return false;
}
