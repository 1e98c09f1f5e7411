/* SPDX-License-Identifier: Apache-2.0 */
#include "tpmwire.h"

#include <stdio.h>
#include <string.h>

struct bytes wire_take(struct wire *w, size_t length)
{
	struct bytes b = { w->data, length };

	if (w->bad || length > w->left) {
		w->bad = true;
		return (struct bytes){ NULL, 0 };
	}
	w->data += length;
	w->left -= length;
	return b;
}

static uint64_t take_number(struct wire *w, size_t size)
{
	struct bytes b = wire_take(w, size);
	uint64_t value = 0;

	for (size_t i = 0; i < b.length; i++)
		value = value << 8 | b.data[i];
	return value;
}

uint8_t wire_u8(struct wire *w) { return (uint8_t)take_number(w, 1); }
uint16_t wire_u16(struct wire *w) { return (uint16_t)take_number(w, 2); }
uint32_t wire_u32(struct wire *w) { return (uint32_t)take_number(w, 4); }
uint64_t wire_u64(struct wire *w) { return take_number(w, 8); }

struct bytes wire_sized(struct wire *w, size_t max)
{
	size_t length = wire_u16(w);

	if (length > max)
		w->bad = true;
	return wire_take(w, length);
}

/* PCR 0-9 and 11 of the SHA-384 bank, nothing else. */
static bool parse_selection(struct wire *w, struct fault *f)
{
	static const uint8_t expected[3] = { 0xff, 0x0b, 0x00 };
	uint32_t count = wire_u32(w);
	uint16_t bank = wire_u16(w);
	struct bytes map = wire_take(w, wire_u8(w));
	char hex[2 * 16 + 1] = "";

	if (!w->bad && count == 1 && bank == TPM_ALG_SHA384_ID && map.length == 3 && memcmp(map.data, expected, 3) == 0)
		return true;
	if (!w->bad)
		hex_encode(hex, map.data, map.length < 16 ? map.length : 16);
	return fault_set_text(f, FAULT_QUOTE_SELECTION, "quote", "one selection, bank 0x000c, bitmap ff0b00",
			      "%u selections, bank 0x%04x, bitmap %s", count, bank, hex);
}

bool quote_parse(struct bytes in, struct quote *q, struct fault *f)
{
	struct wire w = { .data = in.data, .left = in.length };
	uint32_t magic = wire_u32(&w);
	uint16_t type = wire_u16(&w);
	uint8_t safe;

	memset(q, 0, sizeof(*q));
	if (w.bad)
		return fault_set(f, FAULT_FORMAT, "quote", "TPMS_ATTEST", "too few bytes");
	if (magic != TPM_MAGIC_GENERATED)
		return fault_set_text(f, FAULT_QUOTE_MAGIC, "quote", "ff544347 (TPM_GENERATED)", "%08x", magic);
	if (type != TPM_ST_QUOTE)
		return fault_set_text(f, FAULT_QUOTE_TYPE, "quote", "8018 (TPM_ST_ATTEST_QUOTE)", "%04x", type);
	q->signer = wire_sized(&w, 66);
	q->extra_data = wire_sized(&w, 66);
	q->clock_ms = wire_u64(&w);
	q->reset_count = wire_u32(&w);
	q->restart_count = wire_u32(&w);
	safe = wire_u8(&w);
	q->clock_safe = safe == 1;
	q->firmware = wire_u64(&w);
	if (w.bad || safe > 1)
		return fault_set(f, FAULT_FORMAT, "quote", "TPMS_ATTEST", "truncated or malformed");
	if (!parse_selection(&w, f))
		return false;
	q->pcr_digest = wire_sized(&w, 64);
	if (w.bad)
		return fault_set(f, FAULT_FORMAT, "quote", "a PCR digest", "truncated");
	if (w.left)
		return fault_set_text(f, FAULT_TRAILING, "quote", "nothing after the PCR digest", "%zu bytes", w.left);
	return true;
}

bool signature_parse(struct bytes in, struct ecdsa_signature *s, struct fault *f)
{
	struct wire w = { .data = in.data, .left = in.length };
	uint16_t alg = wire_u16(&w);

	s->hash = wire_u16(&w);
	s->r = wire_sized(&w, 48);
	s->s = wire_sized(&w, 48);
	if (w.bad || alg != TPM_ALG_ECDSA_ID)
		return fault_set(f, FAULT_FORMAT, "quote signature", "TPMT_SIGNATURE with ECDSA", "another form");
	if (w.left)
		return fault_set_text(f, FAULT_TRAILING, "quote signature", "nothing after it", "%zu bytes", w.left);
	return true;
}

static void parse_symmetric(struct wire *w, struct tpm_public *p)
{
	p->symmetric = wire_u16(w);
	if (p->symmetric == TPM_ALG_NULL_ID)
		return;
	if (p->symmetric != TPM_ALG_AES_ID)
		w->bad = true;
	p->symmetric_bits = wire_u16(w);
	p->symmetric_mode = wire_u16(w);
}

static void parse_scheme(struct wire *w, struct tpm_public *p)
{
	p->scheme = wire_u16(w);
	if (p->scheme == TPM_ALG_NULL_ID)
		return;
	if (p->scheme != TPM_ALG_ECDSA_ID)
		w->bad = true;
	p->scheme_hash = wire_u16(w);
}

bool public_parse(struct bytes in, struct tpm_public *p, struct fault *f)
{
	struct wire w = { .data = in.data, .left = in.length };

	memset(p, 0, sizeof(*p));
	p->type = wire_u16(&w);
	p->name_alg = wire_u16(&w);
	p->attributes = wire_u32(&w);
	p->policy = wire_sized(&w, 64);
	parse_symmetric(&w, p);
	parse_scheme(&w, p);
	if (p->type == TPM_ALG_ECC_ID) {
		p->curve = wire_u16(&w);
		if (wire_u16(&w) != TPM_ALG_NULL_ID)    /* key derivation scheme */
			w.bad = true;
		p->x = wire_sized(&w, 48);
		p->y = wire_sized(&w, 48);
	} else if (p->type == TPM_ALG_RSA_ID) {
		p->rsa_bits = wire_u16(&w);
		p->rsa_exponent = wire_u32(&w);
		p->modulus = wire_sized(&w, 512);
	} else {
		w.bad = true;
	}
	if (w.bad)
		return fault_set(f, FAULT_FORMAT, "TPM public area", "TPMT_PUBLIC of an ECC or RSA key",
				 "another form");
	if (w.left)
		return fault_set_text(f, FAULT_TRAILING, "TPM public area", "nothing after it", "%zu bytes", w.left);
	return true;
}

size_t public_name(struct bytes area, uint16_t name_alg, uint8_t name[TPM_NAME_MAX])
{
	name[0] = (uint8_t)(name_alg >> 8);
	name[1] = (uint8_t)name_alg;
	if (name_alg == TPM_ALG_SHA384_ID) {
		sha384(name + 2, area.data, area.length);
		return 2 + SHA384_SIZE;
	}
	if (name_alg == TPM_ALG_SHA256_ID) {
		sha256(name + 2, area.data, area.length);
		return 2 + SHA256_SIZE;
	}
	return 0;
}

bool public_check_ak(const struct tpm_public *p, struct fault *f)
{
	const uint32_t must = TPM_ATTR_FIXED_TPM | TPM_ATTR_FIXED_PARENT | TPM_ATTR_SENSITIVE_DATA_ORIGIN |
			      TPM_ATTR_RESTRICTED | TPM_ATTR_SIGN;
	bool p384 = p->curve == TPM_CURVE_P384 && p->scheme_hash == TPM_ALG_SHA384_ID && p->x.length == 48 &&
		    p->y.length == 48;
	bool p256 = p->curve == TPM_CURVE_P256 && p->scheme_hash == TPM_ALG_SHA256_ID && p->x.length == 32 &&
		    p->y.length == 32;

	if ((p->attributes & (must | TPM_ATTR_DECRYPT | TPM_ATTR_ST_CLEAR)) != must)
		return fault_set_text(
			f, FAULT_AK_ATTRIBUTES, "attestation key",
			"fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign; not decrypt, stClear",
			"attributes %08x", p->attributes);
	if (p->type != TPM_ALG_ECC_ID || p->scheme != TPM_ALG_ECDSA_ID || (!p384 && !p256))
		return fault_set_text(f, FAULT_AK_ATTRIBUTES, "attestation key",
				      "ECDSA on P-384 with SHA-384 or on P-256 with SHA-256",
				      "type %04x scheme %04x hash %04x curve %04x", p->type, p->scheme, p->scheme_hash,
				      p->curve);
	return true;
}
