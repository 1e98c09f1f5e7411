/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real machine's evidence, damaged on its way: cut, prolonged, answered to another nonce, and with one byte changed
 * in each of its parts.  `lzr-verify check` refuses each and names the reason.
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

#define BUNDLE_MAX (1u << 20)

struct damaged {
	const struct attested *a;
	char path[256], nonce[2 * NONCE_MAX + 1];
};

/* A quote's end: count, hash, size and bits of the selection, then the digest (TPM 2.0 Library, "TPMS_QUOTE_INFO"). */
#define QUOTE_TYPE 4u
#define QUOTE_EXTRA (6u + 52u + 2u)
#define QUOTE_DIGEST_END 1u
#define QUOTE_SELECT_END (2u + SHA384_SIZE + 3u)

static void expect(const struct damaged *d, const uint8_t *data, size_t length, const char *reason)
{
	char state[256], output[4096], refused[64];
	char *check[] = { "build/bin/lzr-verify", "check", "--bundle", (char *)d->path, "--nonce", (char *)d->nonce,
			  "--reference", ATTESTED_REFERENCE, "--state", state, "--allow-development-key", NULL };
	FILE *f = fopen(d->path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, length, f), length);
	assert_int_equal(fclose(f), 0);
	snprintf(state, sizeof(state), "%s/" ATTESTED_STATE, d->a->dir);
	snprintf(refused, sizeof(refused), "REFUSED (%s", reason);
	if (run_program(check, 30, output, sizeof(output)) || !strstr(output, refused))
		fail_msg("expected \"%s\", found:\n%s", refused, output);
}

static void expect_flip(const struct damaged *d, uint8_t *data, size_t length, const uint8_t *at, const char *reason)
{
	uint8_t *byte = data + (at - data);

	assert_in_range(at - data, 0, length - 1);
	*byte ^= 0x10;
	expect(d, data, length, reason);
	*byte ^= 0x10;
}

static const uint8_t *find(const uint8_t *data, size_t length, const void *part, size_t size)
{
	const uint8_t *at = memmem(data, length, part, size);

	assert_non_null(at);
	return at;
}

static void flip_parts(const struct damaged *d, uint8_t *data, size_t length, const struct bundle *b)
{
	const struct bytes q = b->quote;
	const struct { const uint8_t *at; const char *reason; } flips[] = {
		{ q.data, "quote-magic)" },
		{ q.data + QUOTE_TYPE, "quote-type)" },
		{ q.data + QUOTE_EXTRA, "quote-extra-data)" },
		{ q.data + q.length - QUOTE_SELECT_END, "quote-selection)" },
		{ q.data + q.length - QUOTE_DIGEST_END, "quote-pcr-digest)" },
		{ b->signature.data + b->signature.length - 1, "quote-signature)" },
		{ find(data, length, b->pcr, sizeof(b->pcr)), "quote-pcr-digest)" },
		{ find(data, length, b->key, sizeof(b->key)) + 5, "quote-extra-data)" },
		{ find(data, length, &b->platform, sizeof(b->platform)), "quote-extra-data)" },
		{ find(data, length, b->vms, b->vm_count * sizeof(b->vms[0])), "quote-extra-data)" },
		{ b->ak_name.data + b->ak_name.length - 1, "ak-" },
		{ b->log.data, "log-" },
		{ find(b->log.data, b->log.length, LZR_EVENT_MAGIC, sizeof(LZR_EVENT_MAGIC) - 1), "log-" },
		{ b->policy.data + b->policy.length - 1, "policy)" },
		{ b->signer_key.data + b->signer_key.length - 1, "reference)" },
		{ b->eat[0].data + b->eat[0].length - 1, "eat-signature)" },
		{ b->eat[b->eat_count - 1].data + b->eat[b->eat_count - 1].length - 1, "eat-signature)" },
	};

	for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++)
		expect_flip(d, data, length, flips[i].at, flips[i].reason);
}

void bundle_damaged(const struct attested *a)
{
	struct damaged d = { .a = a };
	static struct bundle b;
	struct fault f = { 0 };
	struct store_report report;
	size_t length;
	uint8_t *bytes = malloc(BUNDLE_MAX);

	assert_true(attested_report(a, &report));
	length = report.bundle.length;
	assert_true(bytes && length > 0 && length < BUNDLE_MAX && report.nonce_length <= NONCE_MAX);
	memcpy(bytes, report.bundle.data, length);
	bytes[length] = 0;
	assert_true(bundle_decode((struct bytes){ bytes, length }, &b, &f));
	snprintf(d.path, sizeof(d.path), "%s/damaged", a->dir);
	hex_encode(d.nonce, report.nonce, report.nonce_length);
	flip_parts(&d, bytes, length, &b);
	for (size_t cut = 1; cut < length; cut += length / 16)
		expect(&d, bytes, length - cut, "format)");
	expect(&d, bytes, length + 1, "trailing-bytes)");
	expect(&d, (const uint8_t *)d.nonce, strlen(d.nonce), "format)");
	d.nonce[0] = d.nonce[0] == '0' ? '1' : '0';
	expect(&d, bytes, length, "quote-extra-data)");
	free(bytes);
	store_free_report(&report);
}
