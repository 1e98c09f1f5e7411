/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifies what the loader handed over, on the hypervisor's own pages with all DMA blocked: the policy's signature over
 * its exact bytes, every manifest's digest, every segment's digest, and that files and policy name the same things.
 */
#include <string.h>

#include "images.h"

static HV_SEALED struct image_config images[LZR_VM_MAX];

static bool refuse_file(const char *file, const char *what)
{
	say("refused: %s: %s", file, what);
	return false;
}

static const char *check_key(const struct lzr_boot_file *file, const struct lzr_key_header *key)
{
	if (file->length < sizeof(*key) || memcmp(key->magic, LZR_KEY_MAGIC, sizeof(key->magic)))
		return "expected a key file with magic " LZR_KEY_MAGIC;
	if (key->flags & ~LZR_KEY_DEVELOPMENT)
		return "unknown flags";
	if (key->der_length != file->length - sizeof(*key))
		return "its key has another length than the file";
	return NULL;
}

/* Not older than what this machine has accepted before, and of the same signer. */
static const char *check_rollback(const struct lzr_boot_info *info, const uint8_t key_digest[LZR_DIGEST_SIZE])
{
	if (!(info->flags & LZR_BOOT_ROLLBACK))
		return NULL;
	if (memcmp(info->accepted_signer, key_digest, LZR_DIGEST_SIZE))
		return "signed by another key than this machine's TPM has recorded";
	if (machine.policy_version < info->policy_floor)
		return "its version is below the floor in this machine's TPM";
	return NULL;
}

static bool verify_policy(const struct handoff *handoff, const struct lzr_boot_file *policy)
{
	const struct lzr_boot_file *key_file = handoff_file(handoff, LZR_FILE_SIGNER_KEY, NULL);
	const struct lzr_boot_file *signature = handoff_file(handoff, LZR_FILE_POLICY_SIGNATURE, NULL);

	if (!key_file)
		return refuse_file("signer key", "not in the boot list");
	if (!policy || policy->length > LZR_POLICY_MAX)
		return refuse_file("policy", "not in the boot list, or too long");
	if (!signature || signature->length != LZR_POLICY_SIGNATURE_SIZE)
		return refuse_file("policy signature", "not in the boot list, or not 96 bytes");
	const struct lzr_key_header *key = hpa_ptr(hpa(key_file->address));
	const char *wrong = check_key(key_file, key);

	if (wrong)
		return refuse_file(key_file->name, wrong);
	crypto_sha384(hpa_ptr(hpa(policy->address)), policy->length, machine.policy_digest);
	wrong = crypto_verify((const uint8_t *)(key + 1), key->der_length, machine.policy_digest,
		hpa_ptr(hpa(signature->address)));
	if (wrong)
		return refuse_file(policy->name, wrong);
	say("policy %s: signature is good%s", policy->name, key->flags & LZR_KEY_DEVELOPMENT ? " (development key)" : "");
	records_files(handoff, policy, key_file, key->flags & LZR_KEY_DEVELOPMENT);
	return true;
}

static bool read_manifests(const struct handoff *handoff)
{
	machine.images = images;
	for (uint32_t i = 0; i < handoff->info.file_count; i++) {
		const struct lzr_boot_file *file = &handoff->files[i];

		if (file->kind != LZR_FILE_MANIFEST)
			continue;
		if (machine.image_count == LZR_VM_MAX || file->length > LZR_MANIFEST_MAX)
			return refuse_file(file->name, "one manifest too many, or too long");
		uint8_t measurement[LZR_DIGEST_SIZE];
		struct image_config *image = &images[machine.image_count++];

		crypto_sha384(hpa_ptr(hpa(file->address)), file->length, measurement);
		if (!manifest_read(image, file->name, hpa_ptr(hpa(file->address)), file->length))
			return false;
		memcpy(image->measurement, measurement, LZR_DIGEST_SIZE);
	}
	return true;
}

/* Points every manifest segment of this file at its bytes, if length and digest are the manifest's. */
static bool bind_segment(const struct lzr_boot_file *file, const uint8_t digest[LZR_DIGEST_SIZE])
{
	bool used = false;

	for (uint32_t i = 0; i < machine.image_count; i++)
		for (uint32_t j = 0; j < images[i].segment_count; j++) {
			struct segment_config *s = &images[i].segments[j];

			if (strcmp(s->file, file->name))
				continue;
			if (s->length != file->length || memcmp(s->sha384, digest, LZR_DIGEST_SIZE)) {
				say("refused: segment %s: manifest %s expects %lu bytes, sha384 %x%x.., found %lu, %x%x..",
					file->name, images[i].name, s->length, s->sha384[0], s->sha384[1], file->length,
					digest[0], digest[1]);
				return false;
			}
			s->source = hpa(file->address);
			used = true;
		}
	return used || refuse_file(file->name, "no manifest uses this segment");
}

static bool verify_segments(const struct handoff *handoff)
{
	for (uint32_t i = 0; i < handoff->info.file_count; i++) {
		const struct lzr_boot_file *file = &handoff->files[i];
		uint8_t digest[LZR_DIGEST_SIZE];
		uint64_t start = time_ns();

		if (file->kind != LZR_FILE_SEGMENT)
			continue;
		crypto_sha384(hpa_ptr(hpa(file->address)), file->length, digest);
		if (!bind_segment(file, digest))
			return false;
		say("segment %s: %lu KiB, digest is good, %lu ms", file->name, file->length >> 10,
			(time_ns() - start) / 1000000);
	}
	for (uint32_t i = 0; i < machine.image_count; i++)
		for (uint32_t j = 0; j < images[i].segment_count; j++)
			if (!images[i].segments[j].source.a) {
				say("refused: manifest %s: segment %s is not in the boot list", images[i].name,
					images[i].segments[j].file);
				return false;
			}
	return true;
}

static bool check_memory(void)
{
	uint64_t wanted = 0, free_bytes = mem_free_bytes();

	for (uint32_t i = 0; i < machine.vm_count; i++)
		wanted += machine.vms[i].image->memory;
	if (wanted <= free_bytes)
		return true;
	say("refused: policy: its VMs have %lu MiB, free are %lu MiB", wanted >> 20, free_bytes >> 20);
	return false;
}

bool files_verify(const struct handoff *handoff)
{
	const struct lzr_boot_file *policy = handoff_file(handoff, LZR_FILE_POLICY, NULL);
	const struct lzr_boot_file *key = handoff_file(handoff, LZR_FILE_SIGNER_KEY, NULL);
	uint8_t key_digest[LZR_DIGEST_SIZE];

	if (!verify_policy(handoff, policy) || !read_manifests(handoff) ||
	    !policy_read(hpa_ptr(hpa(policy->address)), policy->length))
		return false;
	crypto_sha384(hpa_ptr(hpa(key->address)), key->length, key_digest);
	const char *wrong = check_rollback(&handoff->info, key_digest);

	if (wrong)
		return refuse_file(policy->name, wrong);
	return check_memory() && verify_segments(handoff);
}
