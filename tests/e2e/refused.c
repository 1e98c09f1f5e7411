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

/* --- boot list ------------------------------------------------------------------------------------------------ */

static struct lzr_boot_list_entry *entries(uint8_t *list)
{
	return (struct lzr_boot_list_entry *)(void *)(list + sizeof(struct lzr_boot_list_header));
}

static uint32_t count_of(size_t length)
{
	return (uint32_t)((length - sizeof(struct lzr_boot_list_header)) / sizeof(struct lzr_boot_list_entry));
}

static uint32_t find(uint8_t *list, size_t length, const char *name)
{
	uint32_t i = 0, count = count_of(length);

	while (i < count && strncmp(entries(list)[i].name, name, strlen(name)))
		i++;
	if (i < count)
		return i;
	fprintf(stderr, "%s is not in the boot list\n", name);
	exit(1);
}

static bool put_list(const struct refuse_volume *v, uint8_t *list, size_t length)
{
	uint32_t count = count_of(length);
	bool ok;

	memcpy(list + offsetof(struct lzr_boot_list_header, count), &count, sizeof(count));
	ok = refuse_put(v, "boot.list", list, length);
	free(list);
	return ok;
}

/* Takes the entry of c->file out. */
static bool list_without(const struct refuse_volume *v, const struct refuse_case *c)
{
	size_t length;
	uint8_t *list = refuse_get(v, "boot.list", &length);
	struct lzr_boot_list_entry *at;

	if (!list)
		return false;
	at = &entries(list)[find(list, length, c->file)];
	memmove(at, at + 1, (size_t)(list + length - (uint8_t *)(at + 1)));
	return put_list(v, list, length - sizeof(*at));
}

/* Puts a copy of the entry of c->file behind it, under the name "extra". */
static bool list_with_extra(const struct refuse_volume *v, const struct refuse_case *c)
{
	size_t length, file_length;
	uint8_t *list = refuse_get(v, "boot.list", &length), *content;
	struct lzr_boot_list_entry *at;
	bool ok;

	if (!list)
		return false;
	at = &entries(list)[find(list, length, c->file)];
	content = refuse_get(v, at->name, &file_length);
	memmove(at + 1, at, (size_t)(list + length - (uint8_t *)at));
	memset(at[1].name, 0, LZR_NAME_MAX);
	strcpy(at[1].name, "extra");
	if (content && at->kind == LZR_FILE_MANIFEST) {         /* of the same length, and it calls itself "extra" */
		uint8_t *name = content;

		while (name < content + file_length - 6 && memcmp(name, "hello", 6))
			name++;
		memcpy(name, "extra", 5);
	}
	ok = content && refuse_put(v, "extra", content, file_length);
	free(content);
	return put_list(v, list, length + sizeof(*at)) && ok;
}

static bool list_in_wrong_order(const struct refuse_volume *v, const struct refuse_case *c)
{
	size_t length;
	uint8_t *list = refuse_get(v, "boot.list", &length);
	struct lzr_boot_list_entry *a, *b, kept;

	if (!list)
		return false;
	a = &entries(list)[find(list, length, c->file)];
	b = &entries(list)[find(list, length, "hello-")];
	kept = *a;
	*a = *b;
	*b = kept;
	return put_list(v, list, length);
}

/* --- segments ------------------------------------------------------------------------------------------------- */

/* c->offset bytes more (zeros) or less than it had, with a boot list that agrees. */
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
	ok = refuse_put(v, name, data, wanted) && refuse_relist(v, name, wanted);
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
	  .says = { "manifest spin: /segments: expected segment spin-", " in the boot list, found none" } },
	{ "wrong_order", ON_ALL, .damage = list_in_wrong_order, .file = "switch",
	  .says = { "boot.list: entry ", " (switch): a manifest after a segment; the order is key, policy, signature, "
		    "manifests, segments" } },
	{ "manifest_of_another_version", ON_ALL, .damage = manifest_of_another_version,
	  .says = { "manifest hello: / compatible: expected \"lazaret,manifest-1\", found \"lazaret,manifest-2\"" } },
	{ "manifest_truncated", ON_ALL, .damage = manifest_truncated,
	  .says = { "manifest hello: header: expected a flattened device tree of 1654 bytes, found " } },
	{ "manifest_of_other_memory", ON_ALL, .damage = manifest_other_memory,
	  .says = { "/vms/hello@0 memory: expected 400000 bytes and 1 vCPUs, manifest hello has 800000 and 1" } },
	{ "segments_overlap", ON_ALL, .damage = manifest_overlap,
	  .says = { "manifest hello: /segments/segment@200000 gpa: found [200000, +8032), overlaps segment hello-",
		    "expected nothing of [207000, +8032)" } },
	{ "segment_wraps", ON_ALL, .damage = manifest_wrap,
	  .says = { "manifest hello: /segments/segment@200000 length: expected within RAM of 400000 bytes, found "
		    "[fffffffffffff000, +8032)" } },
	{ "segment_too_long_for_its_ram", ON_ALL, .damage = manifest_oversized,
	  .says = { "manifest hello: /segments/segment@200000 length: expected within RAM of 400000 bytes, found "
		    "[200000, +200001)" } },
	{ "segment_that_is_not_listed", ON_ALL, .damage = manifest_unlisted_segment,
	  .says = { "manifest hello: /segments: expected segment nowhere.seg in the boot list, found none" } },
	{ "segment_truncated", ON_ALL, .damage = segment_of_another_length, .file = "hello-", .offset = -1,
	  .says = { "segment hello-", "manifest hello expects 32818 bytes", "found 32817, " } },
	{ "segment_longer_than_its_manifest_says", ON_ALL, .damage = segment_of_another_length, .file = "hello-",
	  .offset = 1, .says = { "segment hello-", "manifest hello expects 32818 bytes", "found 32819, " } },
	{ "no_iommu", ON_ALL, .no_iommu = true, .line = "hv: PANIC: refused: ",
	  .says = { "expected an IOMMU with interrupt remapping, found none" } },
	{ "no_interrupt_remapping", ON_ALL, .no_intremap = true, .line = "hv: PANIC: refused: ",
	  .says = { "expected an IOMMU with interrupt remapping, found one without" } },
};

int main(int argc, char **argv)
{
	return refuse_run("refused", cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
}
