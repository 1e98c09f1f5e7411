/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boots that the loader or the hypervisor must refuse, on the volume of tests/policies/refused.dts: each says file,
 * place, what was expected and what was found, and starts nothing.  usage: refused [PART OF A NAME]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/sha512.h>

#include <lazaret/boot.h>
#include <lazaret/policy.h>

#include "refuse.h"
#include "refused_manifest.h"
#include "rollback_index.h"
#include "run.h"

#define SIGNATURE "refused.sig"

/* --- signature ------------------------------------------------------------------------------------------------ */

static bool signature_of_zeros(const struct refuse_volume *v, const struct refuse_case *c)
{
	static const uint8_t zeros[LZR_POLICY_SIGNATURE_SIZE];

	(void)c;
	return refuse_put(v, SIGNATURE, zeros, sizeof(zeros));
}

static bool signature_by_another(const struct refuse_volume *v, const struct refuse_case *c)
{
	char prefix[160], key[176], output[512];
	char *make[] = { "build/bin/lzr-policy", "keygen", "--development", "--out", prefix, NULL };

	(void)c;
	snprintf(prefix, sizeof(prefix), "%s/other", v->dir);
	snprintf(key, sizeof(key), "%s.pem", prefix);
	return run_program(make, 30, output, sizeof(output)) && refuse_sign(v, "refused.dtb", SIGNATURE, key);
}

/* A signature that is good, for another policy. */
static bool signature_of_another_policy(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return refuse_sign(v, "hello", SIGNATURE, "keys/signer.pem");
}

/* --- rollback --- ---------------------------------------------------------------------------------------------- */

/* A TPM that has recorded policy version c->offset and, with c->file, the signer; else another one. */
static bool recorded(const struct refuse_volume *v, const struct refuse_case *c)
{
	struct rollback_nv nv = { .magic = ROLLBACK_NV_MAGIC, .floor = (uint64_t)c->offset };
	uint8_t digest[64];
	size_t length;
	uint8_t *key = refuse_get(v, "signer.lzrkey", &length);

	if (!key || mbedtls_sha512_ret(key, length, digest, 1))
		return false;
	free(key);
	if (c->file)
		memcpy(nv.signer, digest, sizeof(nv.signer));
	return rollback_index_define(v->dir, &nv, NULL);
}

/* --- the lists ------------------------------------------------------------------------------------------------ */

static struct lzr_boot_list_entry *entries(uint8_t *list)
{
	return (struct lzr_boot_list_entry *)(void *)(list + sizeof(struct lzr_boot_list_header));
}

static uint32_t count_of(size_t length)
{
	return (uint32_t)((length - sizeof(struct lzr_boot_list_header)) / sizeof(struct lzr_boot_list_entry));
}

/* The place of the first entry whose name starts so; the count if there is none. */
static uint32_t find(uint8_t *list, size_t length, const char *name)
{
	uint32_t i = 0;

	while (i < count_of(length) && strncmp(entries(list)[i].name, name, strlen(name)))
		i++;
	return i;
}

/* A list in memory, and the entry of a file in it. */
struct opened {
	const char *name;
	uint8_t *list;
	size_t length;
	struct lzr_boot_list_entry *at;
};

/* The list that has a file whose name starts so; with room for another entry. */
static bool open_list(const struct refuse_volume *v, const char *file, struct opened *o)
{
	static const char *const names[] = { LZR_BOOT_LIST_NAME, LZR_SEGMENT_LIST_NAME };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		o->name = names[i];
		o->list = refuse_get(v, o->name, &o->length);
		if (!o->list)
			return false;
		o->at = &entries(o->list)[find(o->list, o->length, file)];
		if ((uint8_t *)o->at < o->list + o->length)
			return true;
		free(o->list);
	}
	fprintf(stderr, "%s is in no list\n", file);
	return false;
}

static bool put_list(const struct refuse_volume *v, struct opened *o)
{
	uint32_t count = count_of(o->length);
	bool ok;

	memcpy(o->list + offsetof(struct lzr_boot_list_header, count), &count, sizeof(count));
	ok = refuse_put(v, o->name, o->list, o->length);
	free(o->list);
	return ok;
}

/* Takes the entry of c->file out. */
static bool list_without(const struct refuse_volume *v, const struct refuse_case *c)
{
	struct opened o;

	if (!open_list(v, c->file, &o))
		return false;
	memmove(o.at, o.at + 1, (size_t)(o.list + o.length - (uint8_t *)(o.at + 1)));
	o.length -= sizeof(*o.at);
	return put_list(v, &o);
}

/* Puts a copy of the entry of c->file behind it, under the name "extra". */
static bool list_with_extra(const struct refuse_volume *v, const struct refuse_case *c)
{
	size_t file_length;
	struct opened o;
	uint8_t *content;
	bool ok;

	if (!open_list(v, c->file, &o))
		return false;
	content = refuse_get(v, o.at->name, &file_length);
	memmove(o.at + 1, o.at, (size_t)(o.list + o.length - (uint8_t *)o.at));
	memset(o.at[1].name, 0, LZR_NAME_MAX);
	strcpy(o.at[1].name, "extra");
	o.length += sizeof(*o.at);
	if (content && o.at->kind == LZR_FILE_MANIFEST) {       /* it calls itself "extra" */
		uint8_t *name = content;

		while (name < content + file_length - 6 && memcmp(name, "hello", 6))
			name++;
		memcpy(name, "extra", 5);
	}
	ok = content && refuse_put(v, "extra", content, file_length);
	free(content);
	return put_list(v, &o) && ok;
}

/* The policy behind the manifest c->file. */
static bool list_in_wrong_order(const struct refuse_volume *v, const struct refuse_case *c)
{
	struct lzr_boot_list_entry *policy, kept;
	struct opened o;

	if (!open_list(v, c->file, &o))
		return false;
	policy = &entries(o.list)[find(o.list, o.length, "refused.dtb")];
	kept = *o.at;
	*o.at = *policy;
	*policy = kept;
	return put_list(v, &o);
}

/* The entry of c->file, moved from its list to the end of the other. */
static bool listed_in_the_other(const struct refuse_volume *v, const struct refuse_case *c)
{
	struct lzr_boot_list_entry moved;
	struct opened o;

	if (!open_list(v, c->file, &o))
		return false;
	moved = *o.at;
	free(o.list);
	if (!list_without(v, c) || !open_list(v, moved.kind == LZR_FILE_SEGMENT ? "hello" : "hello-", &o))
		return false;
	memcpy(o.list + o.length, &moved, sizeof(moved));
	o.length += sizeof(moved);
	return put_list(v, &o);
}

/* The entry of c->file as a second one of the segment list: loaded twice, once measured. */
static bool listed_in_both(const struct refuse_volume *v, const struct refuse_case *c)
{
	struct lzr_boot_list_entry again = { .kind = LZR_FILE_SEGMENT };
	struct opened o;

	strcpy(again.name, c->file);
	if (!open_list(v, "hello-", &o))
		return false;
	memcpy(o.list + o.length, &again, sizeof(again));
	o.length += sizeof(again);
	return put_list(v, &o);
}

static bool no_segments(const struct refuse_volume *v, const struct refuse_case *c)
{
	struct opened o;

	(void)c;
	if (!open_list(v, "hello-", &o))
		return false;
	o.length = sizeof(struct lzr_boot_list_header);
	return put_list(v, &o);
}

/* One segment's file has another's bytes: right in name, wrong in digest. */
static bool segments_swapped(const struct refuse_volume *v, const struct refuse_case *c)
{
	char a[LZR_NAME_MAX + 16], b[LZR_NAME_MAX + 16];
	size_t length;
	uint8_t *data;
	bool ok;

	if (!refuse_find(v, c->file, a) || !refuse_find(v, "spin-", b) || !(data = refuse_get(v, b, &length)))
		return false;
	ok = refuse_put(v, a, data, length);
	free(data);
	return ok;
}

/* --- segments ------------------------------------------------------------------------------------------------- */

/* c->offset bytes more (zeros) or less than it had. */
static bool segment_of_another_length(const struct refuse_volume *v, const struct refuse_case *c)
{
	char name[LZR_NAME_MAX + 16];
	size_t length, wanted;
	uint8_t *data;
	bool ok;

	if (!refuse_find(v, c->file, name) || !(data = refuse_get(v, name, &length)))
		return false;
	wanted = (size_t)((int64_t)length + c->offset);
	if (wanted > length)
		memset(data + length, 0, wanted - length);
	ok = refuse_put(v, name, data, wanted);
	free(data);
	return ok;
}

#define ON_ALL .volume = "refused"

static const struct refuse_case cases[] = {
	{ "unsigned", ON_ALL, .damage = signature_of_zeros,
	  .says = { "policy refused.dtb: expected a signature by signer.lzrkey in refused.sig over sha384 " } },
	{ "no_signature_listed", ON_ALL, .damage = list_without, .file = SIGNATURE,
	  .says = { "boot.list: no policy signature" } },
	{ "signed_by_another_key", ON_ALL, .damage = signature_by_another,
	  .says = { "policy refused.dtb: expected a signature by signer.lzrkey in refused.sig over sha384 " } },
	{ "signature_of_another_file", ON_ALL, .damage = signature_of_another_policy,
	  .says = { "policy refused.dtb: expected a signature by signer.lzrkey in refused.sig over sha384 " } },
	{ "policy_below_the_recorded_version", ON_ALL, .damage = recorded, .file = "this signer", .offset = 2,
	  .says = { "policy refused.dtb: / version: its version is below the floor in this machine's TPM: expected 2 "
		    "or more, found 1" } },
	{ "policy_of_another_signer_than_recorded", ON_ALL, .damage = recorded, .offset = 1,
	  .says = { "signer key signer.lzrkey: signed by another key than this machine's TPM has recorded: expected "
		    "sha384 0000.., found " } },
	{ "policy_that_names_another_signer", ON_ALL, .damage = policy_of_another_named_signer,
	  .says = { "policy refused.dtb: / signer: expected a signer key of sha384 0100.., found signer.lzrkey of " } },
	{ "policy_of_another_version", ON_ALL, .damage = policy_of_another_version,
	  .says = { "policy refused.dtb: / compatible: expected \"lazaret,policy-1\", found \"lazaret,policy-2\"" } },
	{ "policy_with_an_unknown_word", ON_ALL, .damage = policy_with_an_unknown_word,
	  .says = { "policy refused.dtb: /vms/hello@0 trust-me: unknown property" } },
	{ "policy_with_a_card_past_the_switch", ON_ALL, .damage = policy_with_a_hidden_card,
	  .says = { "policy refused.dtb: / devices: nic0: a network card that is no network's uplink: expected "
		    "bypasses-firewall, found none" } },
	{ "policy_names_an_absent_image", ON_ALL, .damage = policy_of_another_image,
	  .says = { "policy refused.dtb: /vms/hello@0 image: expected manifest absent in the boot list, found none" } },
	{ "image_missing", ON_ALL, .damage = list_without, .file = "spin",
	  .says = { "policy refused.dtb: /vms/spin@1 image: expected manifest spin in the boot list, found none" } },
	{ "extra_manifest", ON_ALL, .damage = list_with_extra, .file = "hello",
	  .says = { "policy refused.dtb: / vms: expected a VM for manifest extra of the boot list, found none" } },
	{ "extra_segment", ON_ALL, .damage = list_with_extra, .file = "hello-",
	  .says = { "segment extra: expected in one of 3 manifests, found in none" } },
	{ "segment_missing", ON_ALL, .damage = list_without, .file = "spin-",
	  .says = { "manifest spin: /segments: expected segment spin-", " in the segment list, found none" } },
	{ "wrong_order", ON_ALL, .damage = list_in_wrong_order, .file = "switch",
	  .says = { "boot.list: entry 2 (refused.sig): a policy signature after a manifest; the order is key, policy, "
		    "signature, manifests" } },
	{ "segment_in_the_measured_list", ON_ALL, .damage = listed_in_the_other, .file = "spin-",
	  .says = { "boot.list: entry 6 (spin-", "): kind 7 is not one that this list may name" } },
	{ "manifest_in_the_list_of_segments", ON_ALL, .damage = listed_in_the_other, .file = "spin",
	  .says = { "segment.list: entry ", " (spin): kind 6 is not one that this list may name" } },
	{ "measured_file_as_a_segment", ON_ALL, .damage = listed_in_both, .file = "refused.dtb",
	  .says = { "segment.list: entry ", ": refused.dtb is in boot.list, too" } },
	{ "no_segments", ON_ALL, .damage = no_segments,
	  .says = { "manifest hello: /segments: expected segment hello-", " in the segment list, found none" } },
	{ "segment_with_the_bytes_of_another", ON_ALL, .damage = segments_swapped, .file = "hello-",
	  .says = { "segment hello-", "manifest hello expects 32818 bytes, sha384 " } },
	{ "manifest_of_another_version", ON_ALL, .damage = manifest_of_another_version,
	  .says = { "manifest hello: / compatible: expected \"lazaret,manifest-1\", found \"lazaret,manifest-2\"" } },
	{ "manifest_truncated", ON_ALL, .damage = manifest_truncated,
	  .says = { "manifest hello: header: expected a flattened device tree of 1654 bytes, found " } },
	{ "manifest_of_other_memory", ON_ALL, .damage = manifest_other_memory,
	  .says = { "/vms/hello@0 memory: expected 0x400000 bytes and 1 vCPUs, manifest hello has 0x800000 and 1" } },
	{ "segments_overlap", ON_ALL, .damage = manifest_overlap,
	  .says = { "manifest hello: /segments/segment@200000 gpa: found [0x200000, +0x8032), overlaps segment hello-",
		    "expected nothing of [0x207000, +0x8032)" } },
	{ "segment_wraps", ON_ALL, .damage = manifest_wrap,
	  .says = { "manifest hello: /segments/segment@200000 length: expected within RAM of 0x400000 bytes, found "
		    "[0xfffffffffffff000, +0x8032)" } },
	{ "segment_too_long_for_its_ram", ON_ALL, .damage = manifest_oversized,
	  .says = { "manifest hello: /segments/segment@200000 length: expected within RAM of 0x400000 bytes, found "
		    "[0x200000, +0x200001)" } },
	{ "segment_that_is_not_listed", ON_ALL, .damage = manifest_unlisted_segment,
	  .says = { "manifest hello: /segments: expected segment nowhere.seg in the segment list, found none" } },
	{ "segment_truncated", ON_ALL, .damage = segment_of_another_length, .file = "hello-", .offset = -1,
	  .says = { "segment hello-", "manifest hello expects 32818 bytes", "found 32817, " } },
	{ "segment_longer_than_its_manifest_says", ON_ALL, .damage = segment_of_another_length, .file = "hello-",
	  .offset = 1, .says = { "segment hello-", "manifest hello expects 32818 bytes", "found 32819, " } },
	{ "no_iommu", ON_ALL, .no_iommu = true, .line = "hv: refused: ",
	  .says = { "expected an IOMMU with interrupt remapping, found none" } },
	{ "no_interrupt_remapping", ON_ALL, .no_intremap = true, .line = "hv: refused: ",
	  .says = { "expected an IOMMU with interrupt remapping, found one without" } },
};

int main(int argc, char **argv)
{
	return refuse_run("refused", cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
}
