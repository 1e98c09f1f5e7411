/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's part of an appraisal: quote, key, log, reference values, policy, records.  verify_vm.c does the VMs.
 */
#include "verify.h"
#include "verify_boot.h"
#include "verify_vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes verify_ak_name(struct bytes bundle)
{
	struct bundle *b = malloc(sizeof(*b));
	struct fault ignored = { 0 };
	struct bytes name = { NULL, 0 };

	if (b && bundle_decode(bundle, b, &ignored))
		name = b->ak_name;
	free(b);
	return name;
}

/* The digest that the TPM took over the selected registers, in the hash of its signing scheme. */
static bool check_pcr_digest(const struct bundle *b, const struct quote *q, uint16_t hash, struct fault *f)
{
	uint8_t digest[SHA384_SIZE];
	size_t size = hash == TPM_ALG_SHA384_ID ? SHA384_SIZE : SHA256_SIZE;

	if (hash == TPM_ALG_SHA384_ID)
		sha384(digest, b->pcr, sizeof(b->pcr));
	else
		sha256(digest, b->pcr, sizeof(b->pcr));
	if (q->pcr_digest.length != size)
		return fault_set_number(f, FAULT_QUOTE_DIGEST, "length of the quote's PCR digest", size,
					q->pcr_digest.length);
	if (memcmp(q->pcr_digest.data, digest, size) != 0)
		return fault_set_digest(f, FAULT_QUOTE_DIGEST, "quote's PCR digest", digest, q->pcr_digest.data, size);
	return true;
}

/* The nonce that was sent, the attestor's key, the list and the attestor's instance: all in what the TPM signed. */
static bool check_extra_data(const struct verify_request *request, const struct bundle *b, const struct quote *q,
			     struct fault *f)
{
	uint8_t leaf[SHA384_SIZE], root[SHA384_SIZE], head[SHA384_SIZE], expected[SHA384_SIZE];
	struct evidence first;
	struct cose_message m;

	if (!cose_open(b->eat[0], &m, f) || !evidence_decode(m.payload, &first, f))
		return false;
	merkle_leaf(leaf, request->nonce);
	if (!merkle_path_root(&b->path, leaf, root))
		return fault_set(f, FAULT_FORMAT, "Merkle path", "the shape that index and count give", "another");
	evidence_list_head(&b->platform, b->vms, b->vm_count, head);
	evidence_extra_data(root, b->key, head, first.attestor_instance, expected);
	if (q->extra_data.length != SHA384_SIZE)
		return fault_set_number(f, FAULT_QUOTE_NONCE, "length of the quote's extraData", SHA384_SIZE,
					q->extra_data.length);
	if (memcmp(q->extra_data.data, expected, SHA384_SIZE) != 0)
		return fault_set_digest(
			f, FAULT_QUOTE_NONCE,
			"quote's extraData (nonces, attestor's key, measurement list, attestor's instance)", expected,
			q->extra_data.data, SHA384_SIZE);
	return true;
}

static bool check_clock(const struct ak_record *ak, const struct quote *q, struct fault *f)
{
	if (q->reset_count < ak->reset_count)
		return fault_set_number(f, FAULT_QUOTE_CLOCK, "TPM reset counter, at least", ak->reset_count,
					q->reset_count);
	if (q->reset_count == ak->reset_count && q->restart_count < ak->restart_count)
		return fault_set_number(f, FAULT_QUOTE_CLOCK, "TPM restart counter, at least", ak->restart_count,
					q->restart_count);
	if (q->reset_count == ak->reset_count && q->restart_count == ak->restart_count && q->clock_ms < ak->clock_ms)
		return fault_set_number(f, FAULT_QUOTE_CLOCK, "TPM clock in ms, at least", ak->clock_ms, q->clock_ms);
	return true;
}

/* The enrolled key: the one the bundle names, with the attributes of an attestation key, and the quote is its own. */
static bool check_ak(const struct verify_request *request, const struct bundle *b, const struct ecdsa_signature *s,
		     struct fault *f)
{
	const struct ak_record *ak = request->ak;
	struct tpm_public public;
	char hex[2 * TPM_NAME_MAX + 1] = "";
	uint8_t name[TPM_NAME_MAX];
	size_t length;

	if (b->ak_name.length <= TPM_NAME_MAX)
		hex_encode(hex, b->ak_name.data, b->ak_name.length);
	if (!ak)
		return fault_set(f, FAULT_AK_UNKNOWN, "attestation key", "an enrolled one", hex);
	if (!bytes_equal(b->ak_name, (struct bytes){ ak->name, ak->name_length }))
		return fault_set_digest(f, FAULT_AK_NAME, "attestation key's Name", ak->name, b->ak_name.data,
					ak->name_length < b->ak_name.length ? ak->name_length : b->ak_name.length);
	if (!public_parse((struct bytes){ ak->area, ak->area_length }, &public, f) || !public_check_ak(&public, f))
		return false;
	length = public_name((struct bytes){ ak->area, ak->area_length }, public.name_alg, name);
	if (length != ak->name_length || memcmp(name, ak->name, length) != 0)
		return fault_set_digest(f, FAULT_AK_NAME, "attestation key's record", ak->name, name, ak->name_length);
	return quote_verify(&public, b->quote, s, f);
}

static bool check_quote(const struct verify_request *request, const struct bundle *b, struct quote *q, struct fault *f)
{
	struct ecdsa_signature s;

	return quote_parse(b->quote, q, f) && signature_parse(b->signature, &s, f) &&
	       check_pcr_digest(b, q, s.hash, f) && check_extra_data(request, b, q, f) && check_ak(request, b, &s, f) &&
	       check_clock(request->ak, q, f);
}

/* Registers that hold something on every measured machine hold something here. */
static bool check_not_empty(const struct bundle *b, struct fault *f)
{
	for (size_t i = 0; i < EVIDENCE_PCR_COUNT; i++) {
		char component[16];

		snprintf(component, sizeof(component), "PCR %u", evidence_pcr[i]);
		if (bytes_all(b->pcr[i], SHA384_SIZE, 0))
			return fault_set(f, FAULT_PCR_EMPTY, component, "a measurement", "all zero");
		if (bytes_all(b->pcr[i], SHA384_SIZE, 0xff))
			return fault_set(f, FAULT_PCR_EMPTY, component, "a measurement", "all ones");
	}
	return true;
}

/* The first register that differs is the fault; it names the others, and the report has what was found in each. */
static bool check_registers(const struct reference *r, const struct bundle *b, struct verify_report *report)
{
	static const char *const what[REFERENCE_PCRS] = {
		"PCR 0 (firmware)",
		"PCR 1 (firmware configuration)",
		"PCR 2 (option ROMs)",
		"PCR 3 (option ROM data)",
		"PCR 4 (loader and hypervisor PE)",
		"PCR 5 (boot configuration)",
		"PCR 6 (platform)",
		"PCR 7 (Secure Boot)",
	};
	struct fault *f = &report->platform;

	for (unsigned int i = 0; i < REFERENCE_PCRS; i++) {
		struct fault own = { 0 };
		size_t used = strlen(f->component);

		memcpy(report->pcr[i], b->pcr[i], SHA384_SIZE);
		if (r->pcr[i].unchecked || reference_match(&r->pcr[i], what[i], b->pcr[i], &own))
			continue;
		if (report->differing)
			snprintf(f->component + used, sizeof(f->component) - used, "%s %u",
				 strstr(f->component, ", also PCR") ? "," : ", also PCR", i);
		else
			*f = own;
		report->differing |= 1u << i;
	}
	return !report->differing;
}

static bool check_reference(const struct reference *r, const struct bundle *b, struct verify_report *report)
{
	const struct bootlog *log = &report->log;
	struct fault *f = &report->platform;

	if (!check_registers(r, b, report))
		return false;
	return reference_match(&r->hypervisor, "hypervisor", log->hypervisor, f) &&
	       reference_match(&r->signer, "signer key file", log->signer, f) &&
	       reference_match(&r->boot_list, "boot list", log->boot_list, f);
}

/* The signer key file in the bundle is the measured one; its mark tells a development key. */
static bool check_signer(const struct verify_request *request, const struct bundle *b, const struct bootlog *log,
			 bool *development, struct fault *f)
{
	static const char magic[8] = LZR_KEY_MAGIC;
	struct lzr_key_header header;
	uint8_t digest[SHA384_SIZE];

	sha384(digest, b->signer_key.data, b->signer_key.length);
	if (memcmp(digest, log->signer, SHA384_SIZE) != 0)
		return fault_set_digest(f, FAULT_REFERENCE, "signer key file in the bundle", log->signer, digest,
					SHA384_SIZE);
	if (b->signer_key.length < sizeof(header))
		return fault_set(f, FAULT_FORMAT, "signer key file", "a key header", "too few bytes");
	memcpy(&header, b->signer_key.data, sizeof(header));
	if (memcmp(header.magic, magic, sizeof(magic)) != 0 || (header.flags & ~LZR_KEY_DEVELOPMENT) ||
	    header.der_length != b->signer_key.length - sizeof(header))
		return fault_set(f, FAULT_FORMAT, "signer key file", "LZRKEY1, known flags, exact length",
				 "something else");
	*development = header.flags & LZR_KEY_DEVELOPMENT;
	if (*development && !request->allow_development_key)
		return fault_set(f, FAULT_DEVELOPMENT_KEY, "signer key file",
				 "a production key, or --allow-development-key", "a development key");
	return true;
}

static bool check_policy(const struct bundle *b, struct verify_report *report, struct fault *f)
{
	uint8_t digest[SHA384_SIZE];
	struct bytes policy;
	void *aligned;
	bool ok;

	sha384(digest, b->policy.data, b->policy.length);
	if (memcmp(digest, report->log.policy, SHA384_SIZE) != 0)
		return fault_set_digest(f, FAULT_POLICY, "policy in the bundle", report->log.policy, digest,
					SHA384_SIZE);
	aligned = malloc(b->policy.length);
	if (!aligned)
		return fault_set(f, FAULT_INPUT, "policy", "memory", "none");
	memcpy(aligned, b->policy.data, b->policy.length);
	policy = (struct bytes){ aligned, b->policy.length };
	ok = policyview_read(policy, &report->policy, f) && policyview_flow(policy, report->flow, f);
	free(aligned);
	return ok;
}

/*
 * Everything else rests on the images of the attestor, of the service VMs, and of those that read others' memory, keys
 * and all: they must be named by reference values.
 */
static bool check_services(const struct verify_request *request, const struct verify_report *report, struct fault *f)
{
	const struct policyview *view = &report->policy;

	if (view->attestor == POLICYVIEW_NONE)
		return fault_set(f, FAULT_POLICY, "policy", "a VM that attests", "none");
	for (size_t i = 0; i < view->vm_count; i++) {
		const struct policyview_vm *vm = &view->vm[i];
		const struct bootlog_manifest *m = bootlog_find(&report->log, vm->image);

		if (!vm->service && !vm->attests && !vm->introspects)
			continue;
		if (!m)
			return fault_set(f, FAULT_LOG_GRAMMAR, vm->name, "a manifest event for its image", "none");
		if (!reference_match_image(request->reference, vm->image, m->digest, f))
			return false;
	}
	return true;
}

static bool check_all(const struct verify_request *request, struct bundle *b, struct verify_report *report)
{
	struct fault *f = &report->platform;

	if (request->release == RELEASE_CHANNEL ? !request->vm : request->vm || request->vm_key.data)
		return fault_set(f, FAULT_USAGE, "request",
				 "the name of the VM whose channel it came by; by the network, none and no key",
				 request->vm ? request->vm : "none");
	if (request->nonce.length < NONCE_MIN || request->nonce.length > NONCE_MAX || !request->reference)
		return fault_set(f, FAULT_USAGE, "request", "the nonce that was sent and the reference values", "none");
	return bundle_decode(request->bundle, b, f) && check_quote(request, b, &report->quote, f) &&
	       check_not_empty(b, f) && bootlog_check(b->log, b->pcr, &report->log, f) &&
	       check_reference(request->reference, b, report) &&
	       check_signer(request, b, &report->log, &report->development_key, f) &&
	       check_policy(b, report, f) &&
	       verify_policy_value(request->reference, &report->policy, &report->log, f) &&
	       verify_manifests(&report->policy, &report->log, f) && verify_records(request, b, report) &&
	       check_services(request, report, f);
}

bool verify_bundle(const struct verify_request *request, struct verify_report *report)
{
	struct bundle *b = malloc(sizeof(*b));
	struct key key;
	bool ok;

	memset(report, 0, sizeof(*report));
	if (!b)
		return fault_set(&report->platform, FAULT_INPUT, "bundle", "memory", "none");
	key_init(&key);
	ok = check_all(request, b, report) && key_from_point(&key, b->key, &report->platform) &&
	     verify_statements(request, b, &key, report);
	if (ok) {
		report->platform.code = FAULT_GOOD;
	} else {
		report->vm_count = 0;
		memset(report->vm, 0, sizeof(report->vm));
	}
	key_free(&key);
	free(b);
	return ok;
}

const struct vm_report *verify_find(const struct verify_report *report, const char *name)
{
	for (size_t i = 0; i < report->vm_count; i++)
		if (strcmp(report->vm[i].name, name) == 0)
			return &report->vm[i];
	return NULL;
}

bool verify_all_good(const struct verify_report *report)
{
	bool good = report->platform.code == FAULT_GOOD;

	for (size_t i = 0; i < report->vm_count; i++)
		good = good && report->vm[i].fault.code == FAULT_GOOD;
	return good;
}
