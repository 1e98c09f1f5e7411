/* SPDX-License-Identifier: Apache-2.0 */
/* The bundle's bytes: see docs/evidence.md, "Bundle". */
#include "dcbor.h"
#include "evidence.h"

#include <string.h>

enum bundle_key {
	BUNDLE_VERSION = 1,
	BUNDLE_EATS = 2,
	BUNDLE_QUOTE = 3,
	BUNDLE_SIGNATURE = 4,
	BUNDLE_PCRS = 5,
	BUNDLE_LOG = 6,
	BUNDLE_AK_NAME = 7,
	BUNDLE_KEY = 8,
	BUNDLE_PATH = 9,
	BUNDLE_PLATFORM = 10,
	BUNDLE_VMS = 11,
	BUNDLE_POLICY = 12,
	BUNDLE_SIGNER_KEY = 13,
};
#define BUNDLE_KEYS 13u
#define BUNDLE_FORMAT 1u
#define AK_NAME_MAX 66u

static void put_span(struct dcbor_writer *w, enum bundle_key key, struct bytes b)
{
	dcbor_put_int(w, key);
	dcbor_put_bytes(w, b.data, b.length);
}

size_t bundle_encode(const struct bundle *b, uint8_t *out, size_t size)
{
	struct dcbor_writer w = { .data = out, .size = size };

	dcbor_put_map(&w, BUNDLE_KEYS);
	dcbor_put_int(&w, BUNDLE_VERSION);
	dcbor_put_uint(&w, BUNDLE_FORMAT);
	dcbor_put_int(&w, BUNDLE_EATS);
	dcbor_put_array(&w, b->eat_count);
	for (size_t i = 0; i < b->eat_count; i++)
		dcbor_put_bytes(&w, b->eat[i].data, b->eat[i].length);
	put_span(&w, BUNDLE_QUOTE, b->quote);
	put_span(&w, BUNDLE_SIGNATURE, b->signature);
	put_span(&w, BUNDLE_PCRS, (struct bytes){ &b->pcr[0][0], sizeof(b->pcr) });
	put_span(&w, BUNDLE_LOG, b->log);
	put_span(&w, BUNDLE_AK_NAME, b->ak_name);
	put_span(&w, BUNDLE_KEY, (struct bytes){ b->key, sizeof(b->key) });
	dcbor_put_int(&w, BUNDLE_PATH);
	dcbor_put_array(&w, 3);
	dcbor_put_uint(&w, b->path.index);
	dcbor_put_uint(&w, b->path.count);
	dcbor_put_array(&w, b->path.depth);
	for (uint32_t i = 0; i < b->path.depth; i++)
		dcbor_put_bytes(&w, b->path.sibling[i], SHA384_SIZE);
	put_span(&w, BUNDLE_PLATFORM, (struct bytes){ (const uint8_t *)&b->platform, sizeof(b->platform) });
	put_span(&w, BUNDLE_VMS, (struct bytes){ (const uint8_t *)b->vms, b->vm_count * sizeof(b->vms[0]) });
	put_span(&w, BUNDLE_POLICY, b->policy);
	put_span(&w, BUNDLE_SIGNER_KEY, b->signer_key);
	return w.overflow ? 0 : w.used;
}

/* What a part is called, and what it may have at most: a size of another kind is no form that nobody knows. */
static struct bytes get_span(struct dcbor_reader *r, enum bundle_key key, const char *name, size_t max, struct fault *f)
{
	struct bytes b;

	dcbor_get_key(r, key);
	b = dcbor_get_bytes(r, 0, SIZE_MAX);
	if (r->bad || (b.length >= 1 && b.length <= max))
		return b;
	fault_set_text(f, FAULT_FORMAT, name, "1 byte to the limit", "%zu bytes, the limit is %zu", b.length, max);
	r->bad = true;
	return (struct bytes){ NULL, 0 };
}

static void get_path(struct dcbor_reader *r, struct merkle_path *path)
{
	dcbor_get_key(r, BUNDLE_PATH);
	dcbor_get_array(r, 3, 3);
	path->index = (uint32_t)dcbor_get_uint(r, MERKLE_LEAVES_MAX - 1);
	path->count = (uint32_t)dcbor_get_uint(r, MERKLE_LEAVES_MAX);
	path->depth = (uint32_t)dcbor_get_array(r, 0, MERKLE_DEPTH_MAX);
	for (uint32_t i = 0; i < path->depth; i++)
		dcbor_get_fixed(r, path->sibling[i], SHA384_SIZE);
}

static void get_records(struct dcbor_reader *r, struct bundle *b, struct fault *f)
{
	struct bytes vms;

	dcbor_get_key(r, BUNDLE_PLATFORM);
	dcbor_get_fixed(r, &b->platform, sizeof(b->platform));
	vms = get_span(r, BUNDLE_VMS, "VM records in the bundle", sizeof(b->vms), f);
	if (!r->bad)
		memcpy(b->vms, vms.data, vms.length);
	b->vm_count = vms.length / sizeof(b->vms[0]);
	if (vms.length % sizeof(b->vms[0]) != 0)
		r->bad = true;
}

bool bundle_decode(struct bytes in, struct bundle *b, struct fault *f)
{
	struct dcbor_reader r = { .data = in.data, .left = in.length };

	memset(b, 0, sizeof(*b));
	if (in.length > EVIDENCE_BUNDLE_MAX)
		return fault_set_text(f, FAULT_FORMAT, "bundle", "at most 1 MiB", "%zu bytes", in.length);
	dcbor_get_map(&r, BUNDLE_KEYS, BUNDLE_KEYS);
	dcbor_get_key(&r, BUNDLE_VERSION);
	if (dcbor_get_uint(&r, UINT32_MAX) != BUNDLE_FORMAT && !r.bad)
		return fault_set(f, FAULT_FORMAT, "bundle", "format version 1", "another version");
	dcbor_get_key(&r, BUNDLE_EATS);
	b->eat_count = dcbor_get_array(&r, 1, LZR_VM_MAX);
	for (size_t i = 0; i < b->eat_count; i++)
		b->eat[i] = dcbor_get_bytes(&r, 1, EVIDENCE_EAT_MAX);
	b->quote = get_span(&r, BUNDLE_QUOTE, "quote in the bundle", EVIDENCE_QUOTE_MAX, f);
	b->signature = get_span(&r, BUNDLE_SIGNATURE, "quote's signature in the bundle", EVIDENCE_QUOTE_MAX, f);
	dcbor_get_key(&r, BUNDLE_PCRS);
	dcbor_get_fixed(&r, b->pcr, sizeof(b->pcr));
	b->log = get_span(&r, BUNDLE_LOG, "event log in the bundle", EVIDENCE_LOG_MAX, f);
	b->ak_name = get_span(&r, BUNDLE_AK_NAME, "attestation key's Name in the bundle", AK_NAME_MAX, f);
	dcbor_get_key(&r, BUNDLE_KEY);
	dcbor_get_fixed(&r, b->key, sizeof(b->key));
	get_path(&r, &b->path);
	get_records(&r, b, f);
	b->policy = get_span(&r, BUNDLE_POLICY, "policy in the bundle", LZR_POLICY_MAX, f);
	b->signer_key = get_span(&r, BUNDLE_SIGNER_KEY, "signer key file in the bundle", EVIDENCE_KEY_FILE_MAX, f);
	if (r.bad)
		return fault_set_text(f, FAULT_FORMAT, "bundle", "the documented map in deterministic CBOR",
				      "something else at byte %zu", in.length - r.left);
	if (r.left)
		return fault_set_text(f, FAULT_TRAILING, "bundle", "nothing after the map", "%zu bytes", r.left);
	return true;
}
