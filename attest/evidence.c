/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence.h"
#include "dcbor.h"

#include <stdlib.h>
#include <string.h>

/* Claim keys: EAT's own (RFC 9711), then ours from the private range. */
enum claim {
	CLAIM_NONCE = 10,
	CLAIM_PROFILE = 265,
	CLAIM_RELEASE = -70001,
	CLAIM_VM = -70002,
	CLAIM_NAME = -70003,
	CLAIM_INSTANCE = -70004,
	CLAIM_STATE = -70005,
	CLAIM_MEASUREMENT = -70006,
	CLAIM_LABEL = -70007,
	CLAIM_CONFINEMENT = -70008,
	CLAIM_PORT = -70009,
	CLAIM_EPOCH = -70010,
	CLAIM_LINEAGE = -70011,
	CLAIM_AUDIT = -70012,
	CLAIM_POLICY = -70013,
	CLAIM_PLATFORM = -70014,
	CLAIM_ATTESTOR = -70015,
	CLAIM_VM_KEY = -70016,
};
#define CLAIM_COUNT 16u         /* without CLAIM_PORT and CLAIM_VM_KEY */

const uint8_t evidence_pcr[EVIDENCE_PCR_COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11 };

static void put_confinement(struct dcbor_writer *w, const struct evidence *e)
{
	dcbor_put_int(w, CLAIM_CONFINEMENT);
	dcbor_put_array(w, 4);
	dcbor_put_bytes(w, e->flow, LZR_DIGEST_SIZE);
	dcbor_put_bytes(w, e->dma, LZR_DIGEST_SIZE);
	dcbor_put_bytes(w, e->firewall, LZR_DIGEST_SIZE);
	dcbor_put_bool(w, e->firewall_bypassed);
}

static void put_port(struct dcbor_writer *w, const struct evidence_port *p)
{
	dcbor_put_int(w, CLAIM_PORT);
	dcbor_put_array(w, 4);
	dcbor_put_uint(w, p->number);
	dcbor_put_uint(w, p->state);
	dcbor_put_uint(w, p->lease_left_ns);
	dcbor_put_bytes(w, p->nonce, LZR_PORT_NONCE_SIZE);
}

static void put_identity(struct dcbor_writer *w, const struct evidence *e)
{
	dcbor_put_int(w, CLAIM_NONCE);
	dcbor_put_bytes(w, e->nonce, e->nonce_length);
	dcbor_put_int(w, CLAIM_PROFILE);
	dcbor_put_text(w, EVIDENCE_PROFILE);
	dcbor_put_int(w, CLAIM_RELEASE);
	dcbor_put_uint(w, e->release);
	dcbor_put_int(w, CLAIM_VM);
	dcbor_put_uint(w, e->vm);
	dcbor_put_int(w, CLAIM_NAME);
	dcbor_put_text(w, e->name);
	dcbor_put_int(w, CLAIM_INSTANCE);
	dcbor_put_uint(w, e->instance);
	dcbor_put_int(w, CLAIM_STATE);
	dcbor_put_uint(w, e->state);
	dcbor_put_int(w, CLAIM_MEASUREMENT);
	dcbor_put_bytes(w, e->measurement, LZR_DIGEST_SIZE);
	dcbor_put_int(w, CLAIM_LABEL);
	dcbor_put_array(w, 2);
	dcbor_put_uint(w, e->label.level);
	dcbor_put_uint(w, e->label.categories);
}

static void put_platform(struct dcbor_writer *w, const struct evidence *e)
{
	dcbor_put_int(w, CLAIM_EPOCH);
	dcbor_put_uint(w, e->epoch);
	dcbor_put_int(w, CLAIM_LINEAGE);
	dcbor_put_array(w, 2);
	dcbor_put_uint(w, e->starts);
	dcbor_put_uint(w, e->restores);
	dcbor_put_int(w, CLAIM_AUDIT);
	dcbor_put_array(w, 3);
	dcbor_put_uint(w, e->audit_size);
	dcbor_put_uint(w, e->audit_lost);
	dcbor_put_bytes(w, e->audit_root, LZR_DIGEST_SIZE);
	dcbor_put_int(w, CLAIM_POLICY);
	dcbor_put_array(w, 2);
	dcbor_put_uint(w, e->policy_version);
	dcbor_put_bytes(w, e->policy, LZR_DIGEST_SIZE);
	dcbor_put_int(w, CLAIM_PLATFORM);
	dcbor_put_uint(w, e->platform_flags);
	dcbor_put_int(w, CLAIM_ATTESTOR);
	dcbor_put_array(w, 2);
	dcbor_put_uint(w, e->attestor_instance);
	dcbor_put_bytes(w, e->list_head, LZR_DIGEST_SIZE);
}

size_t evidence_sign(struct key *k, const struct evidence *e, uint8_t *out, size_t size)
{
	uint8_t payload[EVIDENCE_EAT_MAX];
	struct dcbor_writer w = { .data = payload, .size = sizeof(payload) };

	dcbor_put_map(&w, CLAIM_COUNT + (e->has_port ? 1 : 0) + (e->vm_key_length ? 1 : 0));
	put_identity(&w, e);
	put_confinement(&w, e);
	if (e->has_port)
		put_port(&w, &e->port);
	put_platform(&w, e);
	if (e->vm_key_length) {
		dcbor_put_int(&w, CLAIM_VM_KEY);
		dcbor_put_bytes(&w, e->vm_key, e->vm_key_length);
	}
	return w.overflow ? 0 : cose_sign1(k, (struct bytes){ payload, w.used }, out, size);
}

static void get_identity(struct dcbor_reader *r, struct evidence *e)
{
	char profile[sizeof(EVIDENCE_PROFILE)];
	struct bytes nonce;

	dcbor_get_key(r, CLAIM_NONCE);
	nonce = dcbor_get_bytes(r, NONCE_MIN, NONCE_MAX);
	if (!r->bad)
		memcpy(e->nonce, nonce.data, nonce.length);
	e->nonce_length = nonce.length;
	dcbor_get_key(r, CLAIM_PROFILE);
	dcbor_get_text(r, profile, sizeof(profile));
	if (strcmp(profile, EVIDENCE_PROFILE) != 0)
		r->bad = true;
	dcbor_get_key(r, CLAIM_RELEASE);
	e->release = (uint32_t)dcbor_get_uint(r, RELEASE_CHANNEL);
	dcbor_get_key(r, CLAIM_VM);
	e->vm = (uint32_t)dcbor_get_uint(r, LZR_VM_MAX - 1);
	dcbor_get_key(r, CLAIM_NAME);
	dcbor_get_text(r, e->name, sizeof(e->name));
	dcbor_get_key(r, CLAIM_INSTANCE);
	e->instance = dcbor_get_uint(r, UINT64_MAX);
	dcbor_get_key(r, CLAIM_STATE);
	e->state = (uint32_t)dcbor_get_uint(r, LZR_VM_DEAD);
	dcbor_get_key(r, CLAIM_MEASUREMENT);
	dcbor_get_fixed(r, e->measurement, LZR_DIGEST_SIZE);
	dcbor_get_key(r, CLAIM_LABEL);
	dcbor_get_array(r, 2, 2);
	e->label.level = (uint8_t)dcbor_get_uint(r, UINT8_MAX);
	e->label.categories = dcbor_get_uint(r, UINT64_MAX);
}

static void get_confinement(struct dcbor_reader *r, struct evidence *e)
{
	dcbor_get_key(r, CLAIM_CONFINEMENT);
	dcbor_get_array(r, 4, 4);
	dcbor_get_fixed(r, e->flow, LZR_DIGEST_SIZE);
	dcbor_get_fixed(r, e->dma, LZR_DIGEST_SIZE);
	dcbor_get_fixed(r, e->firewall, LZR_DIGEST_SIZE);
	e->firewall_bypassed = dcbor_get_bool(r);
	e->has_port = dcbor_get_key_if(r, CLAIM_PORT);
	if (!e->has_port)
		return;
	dcbor_get_array(r, 4, 4);
	e->port.number = (uint32_t)dcbor_get_uint(r, UINT32_MAX);
	e->port.state = (uint32_t)dcbor_get_uint(r, LZR_PORT_INFRASTRUCTURE);
	e->port.lease_left_ns = dcbor_get_uint(r, UINT64_MAX);
	dcbor_get_fixed(r, e->port.nonce, LZR_PORT_NONCE_SIZE);
}

static void get_platform(struct dcbor_reader *r, struct evidence *e)
{
	dcbor_get_key(r, CLAIM_EPOCH);
	e->epoch = dcbor_get_uint(r, UINT64_MAX);
	dcbor_get_key(r, CLAIM_LINEAGE);
	dcbor_get_array(r, 2, 2);
	e->starts = (uint32_t)dcbor_get_uint(r, UINT32_MAX);
	e->restores = (uint32_t)dcbor_get_uint(r, UINT32_MAX);
	dcbor_get_key(r, CLAIM_AUDIT);
	dcbor_get_array(r, 3, 3);
	e->audit_size = dcbor_get_uint(r, UINT64_MAX);
	e->audit_lost = dcbor_get_uint(r, UINT64_MAX);
	dcbor_get_fixed(r, e->audit_root, LZR_DIGEST_SIZE);
	dcbor_get_key(r, CLAIM_POLICY);
	dcbor_get_array(r, 2, 2);
	e->policy_version = dcbor_get_uint(r, UINT64_MAX);
	dcbor_get_fixed(r, e->policy, LZR_DIGEST_SIZE);
	dcbor_get_key(r, CLAIM_PLATFORM);
	e->platform_flags = (uint32_t)dcbor_get_uint(r, UINT32_MAX);
	dcbor_get_key(r, CLAIM_ATTESTOR);
	dcbor_get_array(r, 2, 2);
	e->attestor_instance = dcbor_get_uint(r, UINT64_MAX);
	dcbor_get_fixed(r, e->list_head, LZR_DIGEST_SIZE);
}

bool evidence_decode(struct bytes payload, struct evidence *e, struct fault *f)
{
	struct dcbor_reader r = { .data = payload.data, .left = payload.length };
	size_t count;

	memset(e, 0, sizeof(*e));
	count = dcbor_get_map(&r, CLAIM_COUNT, CLAIM_COUNT + 2);
	get_identity(&r, e);
	get_confinement(&r, e);
	get_platform(&r, e);
	if (dcbor_get_key_if(&r, CLAIM_VM_KEY)) {
		struct bytes key = dcbor_get_bytes(&r, 1, EVIDENCE_VM_KEY_MAX);

		if (!r.bad)
			memcpy(e->vm_key, key.data, key.length);
		e->vm_key_length = key.length;
	}
	if (r.bad || e->release == 0 || count != CLAIM_COUNT + (e->has_port ? 1u : 0u) + (e->vm_key_length ? 1u : 0u))
		return fault_set(f, FAULT_FORMAT, "EAT claims", EVIDENCE_PROFILE, "another form");
	if (r.left)
		return fault_set_text(f, FAULT_TRAILING, "EAT claims", "nothing after the map", "%zu bytes", r.left);
	return true;
}

void evidence_list_head(const struct lzr_platform_record *platform, const struct lzr_vm_record *vms, size_t count,
			uint8_t head[SHA384_SIZE])
{
	memset(head, 0, SHA384_SIZE);
	sha384_parts(head, (struct bytes[]){ { head, SHA384_SIZE }, { (const uint8_t *)platform, sizeof(*platform) } },
		     2);
	for (size_t i = 0; i < count; i++)
		sha384_parts(head,
			     (struct bytes[]){ { head, SHA384_SIZE }, { (const uint8_t *)&vms[i], sizeof(vms[i]) } },
			     2);
}

void evidence_extra_data(const uint8_t root[SHA384_SIZE], const uint8_t key[KEY_POINT_SIZE],
			 const uint8_t list_head[SHA384_SIZE], uint64_t attestor_instance, uint8_t out[SHA384_SIZE])
{
	static const uint8_t tag[16] = "lazaret quote 1";
	uint8_t key_digest[SHA384_SIZE], instance[8];

	sha384(key_digest, key, KEY_POINT_SIZE);
	for (int i = 0; i < 8; i++)
		instance[i] = (uint8_t)(attestor_instance >> (8 * i));
	sha384_parts(out,
		     (struct bytes[]){ { tag, sizeof(tag) },
				       { root, SHA384_SIZE },
				       { key_digest, SHA384_SIZE },
				       { list_head, SHA384_SIZE },
				       { instance, sizeof(instance) } },
		     5);
}
