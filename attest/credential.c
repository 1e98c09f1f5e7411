/* SPDX-License-Identifier: Apache-2.0 */
#include "credential.h"

#include <string.h>

#include <mbedtls/aes.h>
#include <mbedtls/ecdh.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>

#define HASH_MAX 48u

static const mbedtls_md_info_t *hash_info(uint16_t hash)
{
	switch (hash) {
	case TPM_ALG_SHA256_ID:
		return mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	case TPM_ALG_SHA384_ID:
		return mbedtls_md_info_from_type(MBEDTLS_MD_SHA384);
	default:
		return NULL;
	}
}

static void put_be32(uint8_t out[4], uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* One block of either function: counter and fixed fields are fed to a keyed or plain digest that was started. */
static int feed(mbedtls_md_context_t *c, int (*update)(mbedtls_md_context_t *, const unsigned char *, size_t),
		const struct bytes *parts, size_t count)
{
	int ret = 0;

	for (size_t i = 0; i < count && ret == 0; i++)
		if (parts[i].length)
			ret = update(c, parts[i].data, parts[i].length);
	return ret;
}

static bool derive(uint16_t hash, bool keyed, struct bytes key, const struct bytes *fields, size_t count,
		   unsigned int bits, uint8_t *out)
{
	const mbedtls_md_info_t *info = hash_info(hash);
	size_t left = bits / 8, size;
	uint8_t block[MBEDTLS_MD_MAX_SIZE], counter[4];
	mbedtls_md_context_t c;
	bool ok = true;

	if (!info)
		return false;
	size = mbedtls_md_get_size(info);
	mbedtls_md_init(&c);
	ok = mbedtls_md_setup(&c, info, keyed) == 0;
	for (uint32_t i = 1; ok && left > 0; i++) {
		size_t n = left < size ? left : size;

		put_be32(counter, i);
		if (keyed)
			ok = mbedtls_md_hmac_starts(&c, key.data, key.length) == 0 &&
			     mbedtls_md_hmac_update(&c, counter, 4) == 0 &&
			     feed(&c, mbedtls_md_hmac_update, fields, count) == 0 &&
			     mbedtls_md_hmac_finish(&c, block) == 0;
		else
			ok = mbedtls_md_starts(&c) == 0 && mbedtls_md_update(&c, counter, 4) == 0 &&
			     mbedtls_md_update(&c, key.data, key.length) == 0 &&
			     feed(&c, mbedtls_md_update, fields, count) == 0 && mbedtls_md_finish(&c, block) == 0;
		memcpy(out, block, n);
		out += n;
		left -= n;
	}
	mbedtls_md_free(&c);
	mbedtls_platform_zeroize(block, sizeof(block));
	return ok;
}

bool kdfa(uint16_t hash, struct bytes key, const char *label, struct bytes u, struct bytes v, unsigned int bits,
	  uint8_t *out)
{
	uint8_t size[4];
	struct bytes fields[] = { { (const uint8_t *)label, strlen(label) + 1 }, u, v, { size, 4 } };

	put_be32(size, bits);
	return derive(hash, true, key, fields, 4, bits, out);
}

bool kdfe(uint16_t hash, struct bytes z, const char *label, struct bytes u, struct bytes v, unsigned int bits,
	  uint8_t *out)
{
	struct bytes fields[] = { { (const uint8_t *)label, strlen(label) + 1 }, u, v };

	return derive(hash, false, z, fields, 3, bits, out);
}

static void put_sized(uint8_t *out, size_t *used, const void *data, size_t length)
{
	out[*used] = (uint8_t)(length >> 8);
	out[*used + 1] = (uint8_t)length;
	memcpy(out + *used + 2, data, length);
	*used += 2 + length;
}

/* Seed by one-pass Diffie-Hellman with the EK; the ephemeral point is what travels. */
static bool share_seed_ecc(const struct tpm_public *ek, uint8_t *seed, unsigned int bits, struct credential *out)
{
	mbedtls_ecp_group_id id = ek->curve == TPM_CURVE_P384 ? MBEDTLS_ECP_DP_SECP384R1 : MBEDTLS_ECP_DP_SECP256R1;
	size_t n = ek->curve == TPM_CURVE_P384 ? 48 : 32;
	uint8_t x[48], y[48], z[48], ek_x[48] = { 0 };
	mbedtls_ecp_group group;
	mbedtls_ecp_point peer, point;
	mbedtls_mpi d, shared;
	bool ok;

	if ((ek->curve != TPM_CURVE_P384 && ek->curve != TPM_CURVE_P256) || ek->x.length > n || ek->y.length > n)
		return false;
	memcpy(ek_x + n - ek->x.length, ek->x.data, ek->x.length);
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&peer);
	mbedtls_ecp_point_init(&point);
	mbedtls_mpi_init(&d);
	mbedtls_mpi_init(&shared);
	ok = mbedtls_ecp_group_load(&group, id) == 0 &&
	     mbedtls_mpi_read_binary(&peer.X, ek->x.data, ek->x.length) == 0 &&
	     mbedtls_mpi_read_binary(&peer.Y, ek->y.data, ek->y.length) == 0 && mbedtls_mpi_lset(&peer.Z, 1) == 0 &&
	     mbedtls_ecp_check_pubkey(&group, &peer) == 0 &&
	     mbedtls_ecdh_gen_public(&group, &d, &point, random_mbedtls, NULL) == 0 &&
	     mbedtls_ecdh_compute_shared(&group, &shared, &peer, &d, random_mbedtls, NULL) == 0 &&
	     mbedtls_mpi_write_binary(&point.X, x, n) == 0 && mbedtls_mpi_write_binary(&point.Y, y, n) == 0 &&
	     mbedtls_mpi_write_binary(&shared, z, n) == 0 &&
	     kdfe(ek->name_alg, (struct bytes){ z, n }, "IDENTITY", (struct bytes){ x, n }, (struct bytes){ ek_x, n },
		  bits, seed);
	if (ok) {
		out->seed_length = 0;
		put_sized(out->seed, &out->seed_length, x, n);
		put_sized(out->seed, &out->seed_length, y, n);
	}
	mbedtls_platform_zeroize(z, sizeof(z));
	mbedtls_mpi_free(&shared);
	mbedtls_mpi_free(&d);
	mbedtls_ecp_point_free(&point);
	mbedtls_ecp_point_free(&peer);
	mbedtls_ecp_group_free(&group);
	return ok;
}

/* Seed by OAEP under the EK, label "IDENTITY" with its zero. */
static bool share_seed_rsa(const struct tpm_public *ek, uint8_t *seed, size_t size, struct credential *out)
{
	static const uint8_t label[] = "IDENTITY";
	uint8_t exponent[4];
	mbedtls_rsa_context rsa;
	bool ok;

	put_be32(exponent, ek->rsa_exponent ? ek->rsa_exponent : 65537);
	random_fill(seed, size);
	mbedtls_rsa_init(&rsa, MBEDTLS_RSA_PKCS_V21,
			 ek->name_alg == TPM_ALG_SHA384_ID ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256);
	ok = ek->modulus.length >= 256 && ek->modulus.length <= CREDENTIAL_SEED_MAX &&
	     mbedtls_rsa_import_raw(&rsa, ek->modulus.data, ek->modulus.length, NULL, 0, NULL, 0, NULL, 0, exponent,
				    4) == 0 &&
	     mbedtls_rsa_complete(&rsa) == 0 && mbedtls_rsa_check_pubkey(&rsa) == 0 &&
	     mbedtls_rsa_rsaes_oaep_encrypt(&rsa, random_mbedtls, NULL, MBEDTLS_RSA_PUBLIC, label, sizeof(label), size,
					    seed, out->seed) == 0;
	out->seed_length = ok ? ek->modulus.length : 0;
	mbedtls_rsa_free(&rsa);
	return ok;
}

/* encIdentity = AES-CFB(key, IV 0, sized secret), then HMAC over encIdentity || name. */
static bool protect(const struct tpm_public *ek, struct bytes name, const uint8_t *seed, size_t size,
		    const uint8_t secret[CREDENTIAL_SECRET_SIZE], struct credential *out)
{
	const struct bytes none = { NULL, 0 }, key = { seed, size };
	uint8_t aes_key[32], mac_key[HASH_MAX], mac[HASH_MAX], iv[16] = { 0 };
	uint8_t plain[2 + CREDENTIAL_SECRET_SIZE], identity[sizeof(plain)];
	size_t used = 0, offset = 0;
	mbedtls_aes_context aes;
	mbedtls_md_context_t md;
	bool ok;

	put_sized(plain, &used, secret, CREDENTIAL_SECRET_SIZE);
	mbedtls_aes_init(&aes);
	mbedtls_md_init(&md);
	ok = kdfa(ek->name_alg, key, "STORAGE", name, none, ek->symmetric_bits, aes_key) &&
	     kdfa(ek->name_alg, key, "INTEGRITY", none, none, (unsigned int)size * 8, mac_key) &&
	     mbedtls_aes_setkey_enc(&aes, aes_key, ek->symmetric_bits) == 0 &&
	     mbedtls_aes_crypt_cfb128(&aes, MBEDTLS_AES_ENCRYPT, sizeof(plain), &offset, iv, plain, identity) == 0 &&
	     mbedtls_md_setup(&md, hash_info(ek->name_alg), 1) == 0 &&
	     mbedtls_md_hmac_starts(&md, mac_key, size) == 0 &&
	     mbedtls_md_hmac_update(&md, identity, sizeof(identity)) == 0 &&
	     mbedtls_md_hmac_update(&md, name.data, name.length) == 0 && mbedtls_md_hmac_finish(&md, mac) == 0;
	if (ok) {
		out->blob_length = 0;
		put_sized(out->blob, &out->blob_length, mac, size);
		memcpy(out->blob + out->blob_length, identity, sizeof(identity));
		out->blob_length += sizeof(identity);
	}
	mbedtls_md_free(&md);
	mbedtls_aes_free(&aes);
	mbedtls_platform_zeroize(plain, sizeof(plain));
	mbedtls_platform_zeroize(aes_key, sizeof(aes_key));
	mbedtls_platform_zeroize(mac_key, sizeof(mac_key));
	return ok;
}

bool credential_make(const struct tpm_public *ek, struct bytes ak_name, const uint8_t secret[CREDENTIAL_SECRET_SIZE],
		     struct credential *out, struct fault *f)
{
	const mbedtls_md_info_t *info = hash_info(ek->name_alg);
	uint8_t seed[HASH_MAX];
	size_t size;
	bool ok;

	if (!info || ek->symmetric != TPM_ALG_AES_ID || ek->symmetric_mode != TPM_ALG_CFB_ID ||
	    (ek->symmetric_bits != 128 && ek->symmetric_bits != 256))
		return fault_set(f, FAULT_EK_KEY, "endorsement key",
				 "SHA-256 or SHA-384, AES-128 or AES-256 in CFB mode", "another kind of storage key");
	size = mbedtls_md_get_size(info);
	ok = ek->type == TPM_ALG_ECC_ID ? share_seed_ecc(ek, seed, (unsigned int)size * 8, out)
					: share_seed_rsa(ek, seed, size, out);
	ok = ok && protect(ek, ak_name, seed, size, secret, out);
	mbedtls_platform_zeroize(seed, sizeof(seed));
	return ok || fault_set(f, FAULT_EK_KEY, "endorsement key", "a key that a secret can be shared with", "none");
}
