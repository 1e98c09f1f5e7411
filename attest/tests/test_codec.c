/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes: CBOR, COSE, claims, bundle, results, frames, TPM structures; and the vectors of docs/evidence.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../authenticode.h"
#include "../credential.h"
#include "../dcbor.h"
#include "../file.h"
#include "../merkle.h"
#include "../result.h"
#include "../session.h"
#include "fixture.h"

#define VECTORS "attest/tests/vectors/"

/* A key that is no secret: d = SHA-384("lazaret test vector"), as any reader can compute. */
static void vector_key(struct key *k)
{
	uint8_t d[48];

	key_init(k);
	sha384(d, "lazaret test vector", 19);
	assert_int_equal(mbedtls_ecp_group_load(&k->ec.grp, MBEDTLS_ECP_DP_SECP384R1), 0);
	assert_int_equal(mbedtls_mpi_read_binary(&k->ec.d, d, sizeof(d)), 0);
	assert_int_equal(mbedtls_ecp_mul(&k->ec.grp, &k->ec.Q, &k->ec.d, &k->ec.grp.G, random_mbedtls, NULL), 0);
	k->secret = true;
}

static void fill(uint8_t *out, size_t n, uint8_t value)
{
	memset(out, value, n);
}

static void vector_claims(struct evidence *e)
{
	memset(e, 0, sizeof(*e));
	fill(e->nonce, 32, 0x01);
	e->nonce_length = 32;
	e->release = RELEASE_NETWORK;
	e->vm = 2;
	strcpy(e->name, "blue");
	e->instance = 300;
	e->state = LZR_VM_RUNNING;
	fill(e->measurement, 48, 0x02);
	e->label = (struct lzr_label){ .level = 1, .categories = 5 };
	fill(e->flow, 48, 0x03);
	fill(e->firewall, 48, 0x04);
	e->has_port = true;
	e->port = (struct evidence_port){ .number = 1, .state = LZR_PORT_QUARANTINED };
	fill(e->port.nonce, 32, 0x05);
	e->epoch = 70000;
	e->starts = 1;
	e->audit_size = 9;
	fill(e->audit_root, 48, 0x06);
	e->policy_version = 7;
	fill(e->policy, 48, 0x07);
	e->platform_flags = LZR_PLATFORM_MEASURED | LZR_PLATFORM_IOMMU | LZR_PLATFORM_IRQ_REMAP;
	e->attestor_instance = 5;
	fill(e->list_head, 48, 0x08);
}

static void expect_vector(const char *name, struct bytes found)
{
	char path[128], *hex = malloc(2 * found.length + 2);
	struct fault f = { 0 };
	struct bytes text;

	hex_encode(hex, found.data, found.length);
	snprintf(path, sizeof(path), VECTORS "%s.hex", name);
	if (!file_read(path, 1 << 20, &text, &f))
		fail_msg("%s is missing; found %s", path, hex);
	while (text.length && text.data[text.length - 1] == '\n')
		text.length--;
	if (text.length != 2 * found.length || memcmp(text.data, hex, text.length) != 0)
		fail_msg("%s differs; found %s", path, hex);
	file_free(&text);
	free(hex);
}

static void vectors(void **state)
{
	uint8_t eat[EVIDENCE_EAT_MAX], signed_result[LZR_RESULT_SIZE], extra[48], leaf[3][48];
	struct lzr_result lease;
	struct evidence e, back;
	struct cose_message m;
	struct fault f = { 0 };
	struct key k;
	size_t n;

	(void)state;
	vector_key(&k);
	vector_claims(&e);
	n = evidence_sign(&k, &e, eat, sizeof(eat));
	expect_vector("eat", (struct bytes){ eat, n });
	assert_true(cose_open((struct bytes){ eat, n }, &m, &f));
	expect_vector("claims", m.payload);
	assert_true(cose_verify(&k, &m));
	assert_true(evidence_decode(m.payload, &back, &f));
	assert_memory_equal(&back, &e, sizeof(e));
	result_lease(&e, 30000000000u, 12, &lease);
	assert_true(result_sign(&k, &lease, signed_result, &f));
	expect_vector("lease", (struct bytes){ signed_result, sizeof(signed_result) });
	for (int i = 0; i < 3; i++)
		merkle_leaf(leaf[i], (struct bytes){ e.nonce, 32 });
	merkle_fold(leaf, 3, NULL);
	expect_vector("merkle-root", (struct bytes){ leaf[0], 48 });
	uint8_t point[KEY_POINT_SIZE];

	assert_true(key_point(&k, point));
	evidence_extra_data(leaf[0], point, e.list_head, e.attestor_instance, extra);
	expect_vector("extra-data", (struct bytes){ extra, 48 });
	key_free(&k);
}

/* The header shared with the switch and our encoder give the same bytes. */
static void result_bytes(void **state)
{
	static const uint8_t head[] = LZR_RESULT_HEAD, tail[] = LZR_RESULT_TAIL, tbs[] = LZR_RESULT_TBS;
	uint8_t message[LZR_RESULT_SIZE], digest[48], payload[LZR_RESULT_TBS_SIZE + 232];
	struct lzr_result lease, back;
	struct evidence e;
	struct fault f = { 0 };
	struct key k, other;

	(void)state;
	vector_key(&k);
	vector_claims(&e);
	result_lease(&e, 1000, 1, &lease);
	assert_true(result_sign(&k, &lease, message, &f));
	assert_memory_equal(message, head, sizeof(head));
	assert_memory_equal(message + 10 + 232, tail, sizeof(tail));
	memcpy(payload, tbs, sizeof(tbs));
	memcpy(payload + sizeof(tbs), &lease, sizeof(lease));
	sha384(digest, payload, sizeof(payload));
	assert_true(key_verify_digest(&k, digest, message + LZR_RESULT_SIZE - 96));
	assert_true(result_open(&k, (struct bytes){ message, sizeof(message) }, &back, &f));
	assert_memory_equal(&back, &lease, sizeof(lease));
	for (size_t i = 0; i < sizeof(message); i += 7) {
		f = (struct fault){ 0 };
		message[i] ^= 1;
		assert_false(result_open(&k, (struct bytes){ message, sizeof(message) }, &back, &f));
		assert_int_not_equal(f.code, FAULT_UNCHECKED);
		message[i] ^= 1;
	}
	f = (struct fault){ 0 };
	assert_false(result_open(&k, (struct bytes){ message, sizeof(message) - 1 }, &back, &f));
	key_init(&other);
	assert_true(key_generate(&other, &f));
	assert_false(result_open(&other, (struct bytes){ message, sizeof(message) }, &back, &f));
	key_free(&other);
	key_free(&k);
}

static void cbor_refuses(void **state)
{
	static const struct {
		const char *hex;
		const char *why;
	} bad[] = {
		{ "1800", "0 in two bytes" },
		{ "190017", "23 in three bytes" },
		{ "1a0000ffff", "two bytes in four" },
		{ "1b00000000ffffffff", "long" },
		{ "5f4101ff", "indefinite bytes" },
		{ "580100", "length 1 in two bytes" },
		{ "9fff", "indefinite array" },
		{ "bfff", "indefinite map" },
		{ "f97e00", "half float" },
		{ "f6", "null" },
		{ "f7", "undefined" },
		{ "43aabb", "truncated" },
		{ "", "nothing" },
		{ "5bffffffffffffffff00", "huge length" },
		{ "1c", "reserved" },
		{ "ff", "break" },
		{ "7f6161ff", "indefinite text" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t bytes[32];
		size_t n = strlen(bad[i].hex) / 2;

		assert_true(hex_decode(bytes, n, bad[i].hex));
		for (int kind = 0; kind < 7; kind++) {
			struct dcbor_reader r = { .data = bytes, .left = n };
			char text[8];

			switch (kind) {
			case 0: dcbor_get_uint(&r, UINT64_MAX); break;
			case 1: dcbor_get_int(&r); break;
			case 2: dcbor_get_bool(&r); break;
			case 3: dcbor_get_bytes(&r, 0, SIZE_MAX); break;
			case 4: dcbor_get_text(&r, text, sizeof(text)); break;
			case 5: dcbor_get_array(&r, 0, SIZE_MAX); break;
			default: dcbor_get_map(&r, 0, SIZE_MAX); break;
			}
			assert_true(r.bad);
		}
	}
}

static void cbor_round_trip(void **state)
{
	static const int64_t numbers[] = { 0,	       23,	   24, 255, 256, 65535, 65536,
					   4294967295, 4294967296, -1, -24, -25, -70001 };
	uint8_t bytes[256];
	struct dcbor_writer w = { .data = bytes, .size = sizeof(bytes) };
	struct dcbor_reader r;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		dcbor_put_int(&w, numbers[i]);
	dcbor_put_tag(&w, 18);
	dcbor_put_bool(&w, true);
	dcbor_put_text(&w, "red");
	assert_false(w.overflow);
	r = (struct dcbor_reader){ .data = bytes, .left = w.used };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_true(dcbor_get_int(&r) == numbers[i]);
	dcbor_get_tag(&r, 18);
	assert_true(dcbor_get_bool(&r));
	char text[4];

	dcbor_get_text(&r, text, sizeof(text));
	assert_string_equal(text, "red");
	assert_true(dcbor_end(&r));
	w = (struct dcbor_writer){ .data = bytes, .size = 3 };
	dcbor_put_text(&w, "red");
	assert_true(w.overflow);
}

/* Truncated, extended, with a key twice, unknown, missing, out of order, out of range. */
static void claims_refused(void **state)
{
	uint8_t eat[EVIDENCE_EAT_MAX], copy[EVIDENCE_EAT_MAX];
	struct evidence e, back;
	struct cose_message m;
	struct fault f = { 0 };
	struct key k;
	size_t n;

	(void)state;
	vector_key(&k);
	vector_claims(&e);
	n = evidence_sign(&k, &e, eat, sizeof(eat));
	assert_true(cose_open((struct bytes){ eat, n }, &m, &f));
	for (size_t cut = 0; cut < m.payload.length; cut++) {
		f = (struct fault){ 0 };
		assert_false(evidence_decode((struct bytes){ m.payload.data, cut }, &back, &f));
	}
	for (size_t cut = 0; cut < n; cut += 3) {
		struct cose_message ignored;

		f = (struct fault){ 0 };
		assert_false(cose_open((struct bytes){ eat, cut }, &ignored, &f));
	}
	memcpy(copy, m.payload.data, m.payload.length);
	copy[m.payload.length] = 0;
	f = (struct fault){ 0 };
	assert_false(evidence_decode((struct bytes){ copy, m.payload.length + 1 }, &back, &f));
	assert_int_equal(f.code, FAULT_TRAILING);
	/* Each claim's key, one up: unknown, or a duplicate of the next. */
	for (size_t i = 0; i + 4 < m.payload.length; i++)
		if (copy[i] == 0x3a && copy[i + 1] == 0 && copy[i + 2] == 1 && copy[i + 3] == 0x11) {
			f = (struct fault){ 0 };
			copy[i + 4]++;
			assert_false(evidence_decode((struct bytes){ copy, m.payload.length }, &back, &f));
			assert_int_equal(f.code, FAULT_FORMAT);
			copy[i + 4]--;
		}
	copy[0]--;
	assert_false(evidence_decode((struct bytes){ copy, m.payload.length }, &back, &f));
	copy[0] += 2;
	assert_false(evidence_decode((struct bytes){ copy, m.payload.length }, &back, &f));
	e.nonce_length = 31;
	n = evidence_sign(&k, &e, eat, sizeof(eat));
	assert_true(cose_open((struct bytes){ eat, n }, &m, &f) || f.code);
	assert_false(evidence_decode(m.payload, &back, &f));
	key_free(&k);
}

static void frames(void **state)
{
	uint8_t bytes[64] = { 0 };
	struct session_input in = { .data = bytes, .size = sizeof(bytes) };
	struct fault f = { 0 };
	struct bytes payload;
	uint16_t type;

	(void)state;
	session_put_header(bytes, SESSION_HELLO, 4);
	for (in.used = 0; in.used < 16; in.used++)
		assert_int_equal(session_frame(&in, &type, &payload, &f), SESSION_MORE);
	assert_int_equal(session_frame(&in, &type, &payload, &f), SESSION_FRAME);
	assert_int_equal(type, SESSION_HELLO);
	assert_int_equal(payload.length, 4);
	in.used = 20;
	session_drop(&in);
	assert_int_equal(in.used, 4);
	in.used = 12;
	session_put_header(bytes, SESSION_HELLO, 53);
	assert_int_equal(session_frame(&in, &type, &payload, &f), SESSION_BAD);
	session_put_header(bytes, SESSION_HELLO, 0);
	bytes[0] ^= 1;
	assert_int_equal(session_frame(&in, &type, &payload, &f), SESSION_BAD);
	bytes[0] ^= 1;
	bytes[4] = 2;
	assert_int_equal(session_frame(&in, &type, &payload, &f), SESSION_BAD);
}

/* SP 800-108 in the TPM's form, against values computed with Python's hmac and hashlib. */
static void key_derivation(void **state)
{
	uint8_t key[32], out[48];

	(void)state;
	memset(key, 0x11, sizeof(key));
	assert_true(kdfa(TPM_ALG_SHA256_ID, (struct bytes){ key, 32 }, "STORAGE", (struct bytes){ key, 4 },
			 (struct bytes){ NULL, 0 }, 128, out));
	expect_vector("kdfa-sha256", (struct bytes){ out, 16 });
	assert_true(kdfa(TPM_ALG_SHA384_ID, (struct bytes){ key, 32 }, "INTEGRITY", (struct bytes){ NULL, 0 },
			 (struct bytes){ NULL, 0 }, 384, out));
	expect_vector("kdfa-sha384", (struct bytes){ out, 48 });
	assert_true(kdfe(TPM_ALG_SHA384_ID, (struct bytes){ key, 32 }, "IDENTITY", (struct bytes){ key, 8 },
			 (struct bytes){ key, 9 }, 384, out));
	expect_vector("kdfe-sha384", (struct bytes){ out, 48 });
	assert_false(kdfa(0x0004, (struct bytes){ key, 32 }, "STORAGE", (struct bytes){ key, 4 },
			  (struct bytes){ NULL, 0 }, 128, out));
}

static void audit_log(void **state)
{
	struct merkle_log *log = calloc(1, sizeof(*log));
	uint8_t root[48], leaves[13][48];

	(void)state;
	/* The log's root and the nonce tree's agree, since an odd node moves up in both. */
	for (uint32_t n = 1; n <= 13; n++) {
		uint8_t entry = (uint8_t)n;

		merkle_log_append(log, (struct bytes){ &entry, 1 });
		merkle_log_root(log, root);
		for (uint32_t i = 0; i < n; i++) {
			uint8_t value = (uint8_t)(i + 1);

			merkle_leaf(leaves[i], (struct bytes){ &value, 1 });
		}
		merkle_fold(leaves, n, NULL);
		assert_memory_equal(root, leaves[0], 48);
	}
	free(log);
}

static void portable_executable(void **state)
{
	uint8_t pe[1024] = { 0 }, first[48], second[48];
	struct fault f = { 0 };

	(void)state;
	fixture_pe(pe);
	assert_true(authenticode_sha384((struct bytes){ pe, 0x300 }, "test", first, &f));
	pe[0x98 + 64] = 1;      /* checksum: not hashed */
	pe[0x98 + 144] = 1;     /* certificate directory: not hashed */
	assert_true(authenticode_sha384((struct bytes){ pe, 0x300 }, "test", second, &f));
	assert_memory_equal(first, second, 48);
	pe[0x200] = 1;
	assert_true(authenticode_sha384((struct bytes){ pe, 0x300 }, "test", second, &f));
	assert_memory_not_equal(first, second, 48);
	assert_false(authenticode_sha384((struct bytes){ pe, 0x2ff }, "test", second, &f));
	assert_false(authenticode_sha384((struct bytes){ pe, 0x90 }, "test", second, &f));
	pe[0x3f] = 0xff;
	assert_false(authenticode_sha384((struct bytes){ pe, 0x300 }, "test", second, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),	    cmocka_unit_test(result_bytes), cmocka_unit_test(cbor_refuses),
		cmocka_unit_test(cbor_round_trip),  cmocka_unit_test(claims_refused), cmocka_unit_test(frames),
		   cmocka_unit_test(key_derivation), cmocka_unit_test(audit_log),
		cmocka_unit_test(portable_executable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
