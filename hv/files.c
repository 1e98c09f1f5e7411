/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifies what the loader handed over, on the hypervisor's own pages with all DMA blocked: the policy's signature over
 * its exact bytes, every manifest's digest, every segment's digest, and that files and policy name the same things.
 */
#include <stdarg.h>
#include <string.h>

#include "images.h"

static HV_SEALED struct image_config images[LZR_VM_MAX];

static bool refuse_file(const char *kind, const char *file, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static bool refuse_file(const char *kind, const char *file, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	print_format(text, sizeof(text), format, args);
	va_end(args);
	say("refused: %s%s%s: %s", kind, *file ? " " : "", file, text);
	return false;
}

static bool check_key(const struct lzr_boot_file *file, const struct lzr_key_header *key)
{
	static const char kind[] = "signer key";

	if (file->length < sizeof(*key))
		return refuse_file(kind, file->name, "header: expected %lu bytes, found %lu", sizeof(*key),
			file->length);
	if (memcmp(key->magic, LZR_KEY_MAGIC, sizeof(key->magic))) {
		const uint8_t *m = (const uint8_t *)key->magic;

		return refuse_file(kind, file->name, "magic: expected " LZR_KEY_MAGIC ", found bytes %02x %02x %02x "
			"%02x..", m[0], m[1], m[2], m[3]);
	}
	if (key->flags & ~LZR_KEY_DEVELOPMENT)
		return refuse_file(kind, file->name, "flags: expected 0 or %x, found %x", LZR_KEY_DEVELOPMENT,
			key->flags);
	if (key->der_length != file->length - sizeof(*key))
		return refuse_file(kind, file->name, "key length: expected %lu, found %u", file->length - sizeof(*key),
			key->der_length);
	return true;
}

/*
 * Booted and signed as the policy demands; not older than what this machine has accepted before, and of the same signer
 * or of the one that the policy before it named as the next.
 */
static bool check_boot(const struct lzr_boot_info *info, const struct lzr_boot_file *key,
	const struct lzr_boot_file *policy)
{
	static const uint8_t none[LZR_DIGEST_SIZE];
	const uint8_t *e = info->accepted_signer;
	const uint8_t *s = machine.signer;
	uint8_t d[LZR_DIGEST_SIZE];

	crypto_sha384(hpa_ptr(hpa(key->address)), key->length, d);
	if (memcmp(s, none, LZR_DIGEST_SIZE) && memcmp(s, d, LZR_DIGEST_SIZE))
		return refuse_file("policy", policy->name, "/ signer: expected a signer key of sha384 %02x%02x.., "
			"found %s of %02x%02x..", s[0], s[1], key->name, d[0], d[1]);
	if (machine.required & ~info->flags)
		return refuse_file("policy", policy->name, "/: expected a machine with %s, found one without",
			machine.required & ~info->flags & LZR_BOOT_SECURE_BOOT ? "Secure Boot" : "measured boot");
	if (!(info->flags & LZR_BOOT_ROLLBACK))
		return true;
	if (memcmp(e, d, LZR_DIGEST_SIZE) && (!memcmp(info->next_signer, none, LZR_DIGEST_SIZE) ||
	    memcmp(info->next_signer, d, LZR_DIGEST_SIZE)))
		return refuse_file("signer key", key->name, "signed by another key than this machine's TPM has recorded"
			": expected sha384 %02x%02x.., found %02x%02x..", e[0], e[1], d[0], d[1]);
	if (machine.policy_version < info->policy_floor)
		return refuse_file("policy", policy->name, "/ version: its version is below the floor in this "
			"machine's TPM: expected %lu or more, found %lu", info->policy_floor, machine.policy_version);
	return true;
}

static bool verify_policy(const struct handoff *handoff, const struct lzr_boot_file *policy)
{
	const struct lzr_boot_file *key_file = handoff_file(handoff, LZR_FILE_SIGNER_KEY, NULL);
	const struct lzr_boot_file *signature = handoff_file(handoff, LZR_FILE_POLICY_SIGNATURE, NULL);

	if (!key_file || !policy || !signature)
		return refuse_file("boot list", "", "expected signer key, policy and its signature, found %s, %s, %s",
			key_file ? key_file->name : "none", policy ? policy->name : "none",
			signature ? signature->name : "none");
	if (policy->length > LZR_POLICY_MAX)
		return refuse_file("policy", policy->name, "expected at most %u bytes, found %lu", LZR_POLICY_MAX,
			policy->length);
	if (signature->length != LZR_POLICY_SIGNATURE_SIZE)
		return refuse_file("policy signature", signature->name, "expected %u bytes, found %lu",
			LZR_POLICY_SIGNATURE_SIZE, signature->length);
	const struct lzr_key_header *key = hpa_ptr(hpa(key_file->address));

	if (!check_key(key_file, key))
		return false;
	crypto_sha384(hpa_ptr(hpa(policy->address)), policy->length, machine.policy_digest);
	const char *wrong = crypto_verify((const uint8_t *)(key + 1), key->der_length, machine.policy_digest,
		hpa_ptr(hpa(signature->address)));

	if (wrong) {
		const uint8_t *d = machine.policy_digest;

		return refuse_file("policy", policy->name, "expected a signature by %s in %s over sha384 "
			"%02x%02x%02x%02x..: %s", key_file->name, signature->name, d[0], d[1], d[2], d[3], wrong);
	}
	say("policy %s: signature is good%s", policy->name,
		key->flags & LZR_KEY_DEVELOPMENT ? " (development key)" : "");
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
			return refuse_file("manifest", file->name, "expected up to %u manifests of up to %u bytes, "
				"found number %u with %lu", LZR_VM_MAX, LZR_MANIFEST_MAX, machine.image_count + 1,
				file->length);
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
				say("refused: segment %s: manifest %s expects %lu bytes, sha384 %02x%02x.., found %lu, "
					"%02x%02x..", file->name, images[i].name, s->length, s->sha384[0],
					s->sha384[1], file->length, digest[0], digest[1]);
				return false;
			}
			s->source = hpa(file->address);
			used = true;
		}
	return used || refuse_file("segment", file->name, "expected in one of %u manifests, found in none",
		machine.image_count);
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
			if (!images[i].segments[j].source.a)
				return refuse_file("manifest", images[i].name, "/segments: expected segment %s in the "
					"segment list, found none", images[i].segments[j].file);
	return true;
}

static bool check_memory(void)
{
	uint64_t wanted = 0, free_bytes = mem_free_bytes();

	for (uint32_t i = 0; i < machine.vm_count; i++)
		wanted += machine.vms[i].image->memory;
	if (wanted <= free_bytes)
		return true;
	return refuse_file("policy", "", "/vms memory: expected together at most %lu MiB that are free, found %lu MiB",
		free_bytes >> 20, wanted >> 20);
}

bool files_verify(const struct handoff *handoff)
{
	const struct lzr_boot_file *policy = handoff_file(handoff, LZR_FILE_POLICY, NULL);

	return verify_policy(handoff, policy) && read_manifests(handoff) &&
		policy_read(policy->name, hpa_ptr(hpa(policy->address)), policy->length) &&
		check_boot(&handoff->info, handoff_file(handoff, LZR_FILE_SIGNER_KEY, NULL), policy) &&
		flow_check() && check_memory() && verify_segments(handoff);
}
