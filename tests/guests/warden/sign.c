/* SPDX-License-Identifier: Apache-2.0 */
#include <mbedtls/ecdsa.h>
#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>
#include <string.h>

#include <lazaret/switch.h>

#include "warden.h"

static mbedtls_ecdsa_context key;
static mbedtls_hmac_drbg_context blinding;

void sign_init(void)
{
	/* 48 bytes, the private scalar (the Makefile takes it out of the key file). */
	const uint8_t *scalar = (const uint8_t *)LZR_SWITCH_CONFIG_GPA;
	struct rt_result seed = rt_call(LZR_CALL_SEED, 0, 0);

	mbedtls_hmac_drbg_init(&blinding);
	if (seed.status != LZR_OK || mbedtls_hmac_drbg_seed_buf(&blinding, mbedtls_md_info_from_type(MBEDTLS_MD_SHA384),
								(const uint8_t *)seed.value, sizeof(seed.value)) != 0)
		rt_panic("warden: no seed");
	mbedtls_ecdsa_init(&key);
	if (mbedtls_ecp_group_load(&key.grp, MBEDTLS_ECP_DP_SECP384R1) != 0 ||
	    mbedtls_mpi_read_binary(&key.d, scalar, 48) != 0 || mbedtls_ecp_check_privkey(&key.grp, &key.d) != 0)
		rt_panic("warden: no private key");
}

struct lzr_vm_record sign_record(uint32_t vm)
{
	union {
		struct lzr_vm_record record;
		uint64_t words[sizeof(struct lzr_vm_record) / 8];
	} out;
	uint64_t first = (uint64_t)vm * sizeof(out.record), at;
	struct rt_result r;

	for (at = first; at < first + sizeof(out.record); at += 8) {
		r = rt_call(LZR_CALL_READ, LZR_STREAM_VMS, at & ~31ull);
		if (r.status != LZR_OK)
			rt_panic("warden: no VM records: status %lu", r.status);
		out.words[(at - first) / 8] = r.value[at % 32 / 8];
	}
	return out.record;
}

struct lzr_result sign_result(enum lzr_result_type type, uint32_t vm, const uint8_t nonce[LZR_PORT_NONCE_SIZE],
			      uint64_t duration)
{
	struct lzr_vm_record record = sign_record(vm);
	struct lzr_result result = { .type = type, .vm = vm, .instance = record.instance, .label = record.label };
	struct lzr_platform_record platform;
	struct rt_result r;
	uint64_t at;

	for (at = 0; at < sizeof(platform); at += 32) {
		r = rt_call(LZR_CALL_READ, LZR_STREAM_PLATFORM, at);
		memcpy((uint8_t *)&platform + at, r.value, 32);
	}
	memcpy(result.magic, LZR_RESULT_MAGIC, sizeof(result.magic));
	memcpy(result.name, record.name, sizeof(result.name));
	memcpy(result.measurement, record.measurement, sizeof(result.measurement));
	memcpy(result.policy, platform.policy, sizeof(result.policy));
	memcpy(result.port_nonce, nonce, sizeof(result.port_nonce));
	result.duration_ns = duration;
	return result;
}

void sign_message(const struct lzr_result *result, uint8_t out[LZR_RESULT_SIZE])
{
	static const uint8_t head[] = LZR_RESULT_HEAD, tail[] = LZR_RESULT_TAIL, tbs[] = LZR_RESULT_TBS;
	uint8_t message[sizeof(tbs) + sizeof(*result)], digest[48];
	mbedtls_mpi r, s;

	memcpy(message, tbs, sizeof(tbs));
	memcpy(message + sizeof(tbs), result, sizeof(*result));
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA384), message, sizeof(message), digest) != 0 ||
	    mbedtls_ecdsa_sign_det_ext(&key.grp, &r, &s, &key.d, digest, sizeof(digest), MBEDTLS_MD_SHA384,
				       mbedtls_hmac_drbg_random, &blinding) != 0)
		rt_panic("warden: cannot sign");
	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), result, sizeof(*result));
	memcpy(out + sizeof(head) + sizeof(*result), tail, sizeof(tail));
	if (mbedtls_mpi_write_binary(&r, out + LZR_RESULT_SIZE - 96, 48) != 0 ||
	    mbedtls_mpi_write_binary(&s, out + LZR_RESULT_SIZE - 48, 48) != 0)
		rt_panic("warden: cannot write the signature");
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
}
