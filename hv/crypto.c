/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-384 and ECDSA P-384 by Debian's static mbedTLS, on the boot CPU before the seal only.  That library is compiled
 * with SSE2 and with a stack protector whose canary lies at %fs:0x28, hence crypto_init.
 */
#include <arch_x86.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/sha512.h>
#include <string.h>

#include "images.h"

#define P384_SIZE 48u
#define CANARY_OFFSET 0x28

/* SEQUENCE { SEQUENCE { ecPublicKey, secp384r1 }, BIT STRING { 04 X Y } } up to the 04 (RFC 5480, section 2). */
static const uint8_t spki_p384[] = {
	0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
	0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
};
#define SPKI_SIZE (sizeof(spki_p384) + 1 + 2 * P384_SIZE)

void crypto_init(void)
{
	static uint8_t thread_area[128];
	uint64_t canary = arch_rdtsc() * 0x9e3779b97f4a7c15ul;

	memcpy(thread_area + CANARY_OFFSET, &canary, sizeof(canary));
	arch_wrmsr(MSR_FS_BASE, (uint64_t)thread_area);
	arch_write_cr0((arch_read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	arch_write_cr4(arch_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
}

void crypto_sha384(const void *data, uint64_t length, uint8_t out[LZR_DIGEST_SIZE])
{
	uint8_t digest[64];

	if (mbedtls_sha512_ret(data, length, digest, 1))
		panic("SHA-384 failed");
	memcpy(out, digest, LZR_DIGEST_SIZE);
	wipe(digest, sizeof(digest));   /* it may be a seed */
}

const char *crypto_verify(const uint8_t *der, uint32_t der_length, const uint8_t digest[LZR_DIGEST_SIZE],
	const uint8_t signature[LZR_POLICY_SIGNATURE_SIZE])
{
	if (der_length != SPKI_SIZE || memcmp(der, spki_p384, sizeof(spki_p384)))
		return "the key is not an uncompressed P-384 SubjectPublicKeyInfo";
	const char *wrong = "no memory for the signature check";
	mbedtls_ecp_group group;
	mbedtls_ecp_point key;
	mbedtls_mpi r, s;

	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&key);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	if (mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP384R1) ||
	    mbedtls_mpi_read_binary(&r, signature, P384_SIZE) ||
	    mbedtls_mpi_read_binary(&s, signature + P384_SIZE, P384_SIZE))
		goto out;
	wrong = "the key is not a point of P-384";
	if (mbedtls_ecp_point_read_binary(&group, &key, der + sizeof(spki_p384), der_length - sizeof(spki_p384)) ||
	    mbedtls_ecp_check_pubkey(&group, &key))
		goto out;
	wrong = "the signature is not the signer key's over these bytes";
	if (mbedtls_ecdsa_verify(&group, digest, LZR_DIGEST_SIZE, &key, &r, &s))
		goto out;
	wrong = NULL;
out:
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&r);
	mbedtls_ecp_point_free(&key);
	mbedtls_ecp_group_free(&group);
	return wrong;
}
