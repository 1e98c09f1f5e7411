/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stranger sends to the verifier or a guest to the attestor: bundles, statements, quotes, public areas,
 * policies, frames.  The first byte picks the decoder.  What decodes must encode to the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "evidence.h"
#include "policyview.h"
#include "session.h"
#include "tpmwire.h"

static void try_bundle(struct bytes in)
{
	struct bundle *b = malloc(sizeof(*b));
	uint8_t *out = malloc(EVIDENCE_BUNDLE_MAX);
	struct fault f = { 0 };

	if (b && out && bundle_decode(in, b, &f)) {
		size_t n = bundle_encode(b, out, EVIDENCE_BUNDLE_MAX);

		if (n != in.length || memcmp(out, in.data, n) != 0)
			abort();
	}
	free(out);
	free(b);
}

static void try_statement(struct bytes in)
{
	struct cose_message m;
	struct fault f = { 0 };
	struct evidence e;

	evidence_decode(in, &e, &f);
	f = (struct fault){ 0 };
	if (cose_open(in, &m, &f))
		evidence_decode(m.payload, &e, &f);
}

static void try_tpm(struct bytes in)
{
	struct ecdsa_signature s;
	struct tpm_public p;
	struct fault f = { 0 };
	struct quote q;

	quote_parse(in, &q, &f);
	signature_parse(in, &s, &f);
	if (public_parse(in, &p, &f))
		public_check_ak(&p, &f);
}

static void try_policy(struct bytes in)
{
	struct policyview *v = malloc(sizeof(*v));
	void *aligned = malloc(in.length + 1);
	struct fault f = { 0 };

	if (v && aligned) {
		memcpy(aligned, in.data, in.length);
		policyview_read((struct bytes){ aligned, in.length }, v, &f);
	}
	free(aligned);
	free(v);
}

static void try_frames(struct bytes in)
{
	struct session_input input = { .data = malloc(in.length + 1), .size = in.length, .used = in.length };
	struct fault f = { 0 };
	struct bytes payload, part[3];
	uint64_t numbers[5];
	uint16_t type;

	memcpy(input.data, in.data, in.length);
	while (session_frame(&input, &type, &payload, &f) == SESSION_FRAME) {
		const size_t max[3] = { 64, 64, 64 };

		session_get_strings(payload, part, max, 3, &f);
		session_get_numbers(payload, numbers, 5, &f);
		session_drop(&input);
	}
	free(input.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(struct bytes) = { try_bundle, try_statement, try_tpm, try_policy, try_frames };

	if (size > 0)
		targets[data[0] % 5]((struct bytes){ data + 1, size - 1 });
	return 0;
}
