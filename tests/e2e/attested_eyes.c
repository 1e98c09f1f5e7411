/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quote's signature and the event log, judged by programs that share nothing with ours: OpenSSL and tpm2-tools.
 * Ours only cuts the bundle into its parts.
 */
#define _GNU_SOURCE
#include "attested.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evidence.h"
#include "run.h"
#include "store.h"
#include "tpmwire.h"

static const char *put(const struct attested *a, const char *name, const void *data, size_t length, char path[256])
{
	FILE *f;

	snprintf(path, 256, "%s/%s", a->dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, length, f), length);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* The bundle's parts point into the report, which the caller frees. */
static void open_bundle(const struct attested *a, struct store_report *report, struct bundle *b)
{
	struct fault f = { 0 };

	assert_true(attested_report(a, report));
	assert_true(bundle_decode(report->bundle, b, &f));
}

/* INTEGER of a signature in DER (X.690, "Encoding of an integer value"); returns its length. */
static size_t der_integer(uint8_t *out, struct bytes n)
{
	size_t pad;

	while (n.length > 1 && n.data[0] == 0) {
		n.data++;
		n.length--;
	}
	pad = n.data[0] >> 7;
	out[0] = 2;
	out[1] = (uint8_t)(n.length + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, n.data, n.length);
	return 2 + pad + n.length;
}

/* TPMT_SIGNATURE as OpenSSL wants it: SEQUENCE of r and s. */
static size_t der_signature(uint8_t out[128], struct bytes signature, const char **hash)
{
	struct ecdsa_signature s;
	struct fault f = { 0 };
	size_t length;

	assert_true(signature_parse(signature, &s, &f));
	*hash = s.hash == TPM_ALG_SHA384_ID ? "-sha384" : "-sha256";
	length = der_integer(out + 2, s.r);
	length += der_integer(out + 2 + length, s.s);
	assert_true(length < 0x80);
	out[0] = 0x30;
	out[1] = (uint8_t)length;
	return length + 2;
}

/* The enrolled key as TPM2B_PUBLIC and, by tpm2_print, as PEM. */
static void write_key(const struct attested *a, const struct bundle *b, char tss[256], char pem[256])
{
	char directory[256], output[4096];
	char *print[] = { "tpm2_print", "-t", "TPM2B_PUBLIC", "-f", "pem", tss, NULL };
	uint8_t area[2 + TPM_PUBLIC_MAX];
	struct fault f = { 0 };
	struct ak_record ak;
	struct store store;

	snprintf(directory, sizeof(directory), "%s/" ATTESTED_STATE, a->dir);
	assert_true(store_open(&store, directory, &f));
	assert_true(store_load_ak(&store, b->ak_name, &ak, &f));
	store_close(&store);
	area[0] = (uint8_t)(ak.area_length >> 8);
	area[1] = (uint8_t)ak.area_length;
	memcpy(area + 2, ak.area, ak.area_length);
	put(a, "ak.tss", area, ak.area_length + 2, tss);
	if (!run_program(print, 30, output, sizeof(output)))
		fail_msg("tpm2_print: %s", output);
	put(a, "ak.pem", output, strlen(output), pem);
}

static bool openssl_verifies(const char *hash, const char *pem, const char *signature, const char *data)
{
	char *verify[] = { "openssl", "dgst", (char *)hash, "-verify", (char *)pem, "-signature", (char *)signature,
			   (char *)data, NULL };
	char output[512];

	return run_program(verify, 30, output, sizeof(output)) && strstr(output, "Verified OK");
}

void eyes_on_signature(const struct attested *a)
{
	char tss[256], pem[256], der[256], quote[256], raw[256], changed[256], output[4096];
	char *check[] = { "tpm2_checkquote", "-u", tss, "-m", quote, "-s", raw, "-g", "sha384", "-q", NULL, NULL };
	static struct bundle b;
	char extra[2 * SHA384_SIZE + 1];
	struct store_report report;
	uint8_t signature[128], copy[EVIDENCE_QUOTE_MAX];
	struct fault f = { 0 };
	const char *hash;
	struct quote q;

	open_bundle(a, &report, &b);
	write_key(a, &b, tss, pem);
	put(a, "quote.der", signature, der_signature(signature, b.signature, &hash), der);
	put(a, "quote.sig", b.signature.data, b.signature.length, raw);
	put(a, "quote", b.quote.data, b.quote.length, quote);
	assert_true(openssl_verifies(hash, pem, der, quote));
	memcpy(copy, b.quote.data, b.quote.length);
	copy[b.quote.length - 1] ^= 1;
	put(a, "quote.changed", copy, b.quote.length, changed);
	assert_false(openssl_verifies(hash, pem, der, changed));

	assert_true(quote_parse(b.quote, &q, &f));
	hex_encode(extra, q.extra_data.data, q.extra_data.length);
	check[10] = extra;
	if (!run_program(check, 30, output, sizeof(output)))
		fail_msg("tpm2_checkquote: %s", output);
	extra[0] = extra[0] == '0' ? '1' : '0';
	assert_false(run_program(check, 30, output, sizeof(output)));
	store_free_report(&report);
}

/* "  N  : 0x..." under "  sha384:" of what tpm2_eventlog prints. */
static bool replayed(const char *output, unsigned pcr, uint8_t value[SHA384_SIZE])
{
	const char *bank = strstr(output, "\npcrs:");
	char head[16], digits[2 * SHA384_SIZE + 1];

	bank = bank ? strstr(bank, "sha384:") : NULL;
	snprintf(head, sizeof(head), "\n    %-3u:", pcr);
	bank = bank ? strstr(bank, head) : NULL;
	if (!bank || sscanf(bank + strlen(head), " 0x%96s", digits) != 1)
		return false;
	for (char *c = digits; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
	return hex_decode(value, SHA384_SIZE, digits);
}

/* What tpm2_eventlog replays is what the TPM signed: the digest over the selected registers is in the quote. */
void eyes_on_log(const struct attested *a)
{
	static char output[4 << 20];
	static struct bundle b;
	char path[256], digest[512];
	struct store_report report;
	char *eventlog[] = { "tpm2_eventlog", path, NULL };
	char *sum[] = { "openssl", "dgst", "-sha384", "-r", path, NULL };
	uint8_t pcrs[EVIDENCE_PCR_COUNT][SHA384_SIZE], expected[SHA384_SIZE];

	open_bundle(a, &report, &b);
	put(a, "log", b.log.data, b.log.length, path);
	if (!run_program(eventlog, 60, output, sizeof(output)))
		fail_msg("tpm2_eventlog: %.2000s", output);
	for (size_t i = 0; i < EVIDENCE_PCR_COUNT; i++) {
		if (!replayed(output, evidence_pcr[i], pcrs[i]))
			fail_msg("tpm2_eventlog has no PCR %u", evidence_pcr[i]);
		assert_memory_equal(pcrs[i], b.pcr[i], SHA384_SIZE);
	}
	put(a, "pcrs", pcrs, sizeof(pcrs), path);
	assert_true(run_program(sum, 30, digest, sizeof(digest)));
	digest[2 * SHA384_SIZE] = 0;
	assert_true(hex_decode(expected, SHA384_SIZE, digest));
	assert_non_null(memmem(b.quote.data, b.quote.length, expected, SHA384_SIZE));
	store_free_report(&report);
}
