/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "../eventlog.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fixture_name[VM_COUNT] = { "red", "blue", "visitor", "switch", "attestor" };
const uint8_t fixture_level[VM_COUNT] = { 2, 1, 0, 2, 2 };

void fixture_event_hash(struct fixture_event *e)
{
	sha384(e->sha384, e->data, e->length);
	sha256(e->sha256, e->data, e->length);
}

static struct fixture_event *add_event(struct fixture *x, uint32_t pcr, uint32_t type, const void *data,
				       uint32_t length)
{
	struct fixture_event *e = &x->event[x->event_count++];

	assert(x->event_count <= FIXTURE_EVENTS && length <= sizeof(e->data));
	*e = (struct fixture_event){ .pcr = pcr, .type = type, .length = length };
	memcpy(e->data, data, length);
	fixture_event_hash(e);
	return e;
}

static void add_file(struct fixture *x, uint32_t pcr, uint32_t kind, const char *name, uint64_t length,
		     const uint8_t digest[48])
{
	struct lzr_event_descriptor d = {
		.tag_id = LZR_EVENT_TAG_ID,
		.tag_size = sizeof(d) - 8,
		.magic = LZR_EVENT_MAGIC,
		.kind = kind,
		.length = length,
	};
	struct fixture_event *e;

	snprintf(d.name, sizeof(d.name), "%s", name);
	add_event(x, pcr, LZR_EV_EVENT_TAG, &d, sizeof(d));
	e = add_event(x, pcr, LZR_EV_IPL, d.name, sizeof(d.name));
	memcpy(e->sha384, digest, 48);
	memcpy(e->sha256, digest, 32);
}

void fixture_relist(struct fixture *x)
{
	struct lzr_boot_list_header header = { .magic = LZR_BOOT_LIST_MAGIC, .version = LZR_BOOT_LIST_VERSION };
	static struct lzr_boot_list_entry entries[FIXTURE_EVENTS];
	uint32_t n = 3;

	memset(entries, 0, sizeof(entries));
	for (uint32_t i = 0; i < 3; i++)
		entries[i].kind = (uint32_t[]){ LZR_FILE_SIGNER_KEY, LZR_FILE_POLICY, LZR_FILE_POLICY_SIGNATURE }[i];
	memcpy(entries[0].name, x->event[FIXTURE_KEY + 1].data, LZR_NAME_MAX);
	memcpy(entries[1].name, x->event[FIXTURE_POLICY + 1].data, LZR_NAME_MAX);
	strcpy(entries[2].name, "policy.sig");
	for (size_t i = FIXTURE_MANIFESTS; i < x->event_count; i++)
		if (x->event[i].pcr == 11 && x->event[i].type == LZR_EV_IPL) {
			entries[n].kind = LZR_FILE_MANIFEST;
			memcpy(entries[n++].name, x->event[i].data, LZR_NAME_MAX);
		}
	header.count = n;
	struct lzr_event_descriptor *d = (void *)x->event[FIXTURE_LIST].data;

	d->length = sizeof(header) + n * sizeof(entries[0]);
	fixture_event_hash(&x->event[FIXTURE_LIST]);
	sha384_parts(x->event[FIXTURE_LIST + 1].sha384,
		     (struct bytes[]){ { (const uint8_t *)&header, sizeof(header) },
				       { (const uint8_t *)entries, n * sizeof(entries[0]) } },
		     2);
}

static void add_boot(struct fixture *x)
{
	static const uint8_t cap[4];
	uint8_t digest[48];

	for (uint32_t pcr = 0; pcr < 8; pcr++)
		add_event(x, pcr, LZR_EV_SEPARATOR, cap, sizeof(cap));
	sha384(digest, "hypervisor", 10);
	add_file(x, 8, LZR_FILE_HYPERVISOR, "hypervisor", 10, digest);
	sha384(digest, x->signer, x->signer_length);
	add_file(x, 9, LZR_FILE_SIGNER_KEY, "signer.lzrkey", x->signer_length, digest);
	add_file(x, 9, LZR_FILE_BOOT_LIST, "boot.list", 4, digest);
	sha384(digest, x->policy, x->policy_length);
	add_file(x, 9, LZR_FILE_POLICY, "policy.dtb", x->policy_length, digest);
	for (int vm = 0; vm < VM_COUNT; vm++)
		add_file(x, 11, LZR_FILE_MANIFEST, fixture_name[vm], 1000, x->manifest[vm]);
	fixture_relist(x);
	add_event(x, 8, LZR_EV_SEPARATOR, cap, sizeof(cap));
	add_event(x, 9, LZR_EV_SEPARATOR, cap, sizeof(cap));
	add_event(x, 11, LZR_EV_SEPARATOR, cap, sizeof(cap));
}

static void put(struct fixture *x, const void *data, size_t length)
{
	assert(x->log_length + length <= sizeof(x->log));
	memcpy(x->log + x->log_length, data, length);
	x->log_length += length;
}

static void put32(struct fixture *x, uint32_t value) { put(x, &value, 4); }
static void put16(struct fixture *x, uint16_t value) { put(x, &value, 2); }

void fixture_write_log(struct fixture *x)
{
	static const uint8_t zero[20], tail[8] = { 0, 2, 0, 2 };

	x->log_length = 0;
	put32(x, 0);
	put32(x, 3);
	put(x, zero, 20);
	put32(x, 37);
	put(x, "Spec ID Event03", 16);
	put32(x, 0);
	put(x, tail, 4);
	put32(x, 2);
	put16(x, EVENTLOG_ALG_SHA256);
	put16(x, 32);
	put16(x, EVENTLOG_ALG_SHA384);
	put16(x, 48);
	put(x, zero, 1);
	for (size_t i = 0; i < x->event_count; i++) {
		const struct fixture_event *e = &x->event[i];

		put32(x, e->pcr);
		put32(x, e->type);
		put32(x, 2);
		put16(x, EVENTLOG_ALG_SHA256);
		put(x, e->sha256, 32);
		put16(x, EVENTLOG_ALG_SHA384);
		put(x, e->sha384, 48);
		put32(x, e->length);
		put(x, e->data, e->length);
	}
}

void fixture_replay(struct fixture *x)
{
	memset(x->pcr, 0, sizeof(x->pcr));
	for (size_t i = 0; i < x->event_count; i++)
		for (size_t p = 0; p < EVIDENCE_PCR_COUNT; p++)
			if (evidence_pcr[p] == x->event[i].pcr)
				sha384_parts(x->pcr[p],
					     (struct bytes[]){ { x->pcr[p], 48 }, { x->event[i].sha384, 48 } }, 2);
}

static void fill_records(struct fixture *x)
{
	struct lzr_platform_record *p = &x->now.platform;

	*p = (struct lzr_platform_record){
		.version = LZR_ABI_VERSION,
		.flags = LZR_PLATFORM_MEASURED | LZR_PLATFORM_IOMMU | LZR_PLATFORM_IRQ_REMAP,
		.vm_count = VM_COUNT,
		.policy_version = 7,
	};
	for (uint32_t vm = 0; vm < VM_COUNT; vm++) {
		struct lzr_vm_record *r = &x->now.vms[vm];

		*r = (struct lzr_vm_record){
			.vm = vm, .state = LZR_VM_RUNNING, .instance = vm + 1, .starts = 1, .epoch = 2 + vm,
		};
		r->flags = (vm >= VM_SWITCH ? LZR_VM_SERVICE : 0) | (vm == VM_RED ? LZR_VM_HAS_DEVICE : 0);
		r->label.level = fixture_level[vm];
		memcpy(r->name, fixture_name[vm], strlen(fixture_name[vm]));
		memcpy(r->measurement, x->manifest[vm], 48);
	}
	sha384(x->now.vms[VM_RED].dma, "nvme", 4);
}

void fixture_fill_claims(struct fixture *x)
{
	for (uint32_t vm = 0; vm < VM_COUNT; vm++) {
		struct evidence *e = &x->claim[vm];
		const struct lzr_vm_record *r = &x->now.vms[vm];

		memset(e, 0, sizeof(*e));
		memcpy(e->nonce, x->nonce, sizeof(x->nonce));
		e->nonce_length = sizeof(x->nonce);
		e->release = RELEASE_NETWORK;
		e->vm = vm;
		memcpy(e->name, r->name, sizeof(e->name));
		e->instance = r->instance;
		e->state = r->state;
		memcpy(e->measurement, r->measurement, 48);
		e->label = r->label;
		memcpy(e->flow, x->now.platform.flow, 48);
		memcpy(e->dma, r->dma, 48);
		memcpy(e->firewall, x->now.vms[VM_SWITCH].measurement, 48);
		e->has_port = vm != VM_SWITCH;
		if (vm < VM_SWITCH) {
			e->port = (struct evidence_port){ .number = vm, .state = LZR_PORT_QUARANTINED };
			memset(e->port.nonce, 0xa0 + (int)vm, sizeof(e->port.nonce));
		} else if (e->has_port) {
			e->port = (struct evidence_port){ .number = 3, .state = LZR_PORT_INFRASTRUCTURE };
		}
		e->epoch = r->epoch;
		e->starts = r->starts;
		sha384(e->audit_root, NULL, 0);
		e->policy_version = x->now.platform.policy_version;
		memcpy(e->policy, x->now.platform.policy, 48);
		e->platform_flags = x->now.platform.flags;
		e->attestor_instance = x->now.vms[VM_ATTESTOR].instance;
		evidence_list_head(&x->now.platform, x->now.vms, VM_COUNT, e->list_head);
	}
}

void fixture_sign_claims(struct fixture *x)
{
	for (int vm = 0; vm < VM_COUNT; vm++) {
		x->eat_length[vm] = evidence_sign(&x->attestor, &x->claim[vm], x->eat[vm], EVIDENCE_EAT_MAX);
		assert(x->eat_length[vm] > 0);
	}
}

void fixture_fill_quote(struct fixture *x)
{
	static const uint8_t selection[10] = { 0, 0, 0, 1, 0x00, 0x0c, 3, 0xff, 0x0b, 0x00 };
	uint8_t leaf[1][48], head[48];

	x->magic = TPM_MAGIC_GENERATED;
	x->type = TPM_ST_QUOTE;
	memcpy(x->selection, selection, sizeof(selection));
	sha384(x->pcr_digest, x->pcr, sizeof(x->pcr));
	merkle_leaf(leaf[0], (struct bytes){ x->nonce, sizeof(x->nonce) });
	memset(&x->path, 0, sizeof(x->path));
	merkle_fold(leaf, 1, &x->path);
	memcpy(x->root, leaf[0], 48);
	evidence_list_head(&x->now.platform, x->now.vms, VM_COUNT, head);
	evidence_extra_data(x->root, x->point, head, x->now.vms[VM_ATTESTOR].instance, x->extra);
}

static void quote_be(struct fixture *x, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		x->quote[x->quote_length++] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static void quote_bytes(struct fixture *x, const void *data, size_t length, bool sized)
{
	if (sized)
		quote_be(x, length, 2);
	memcpy(x->quote + x->quote_length, data, length);
	x->quote_length += length;
}

void fixture_sign_quote(struct fixture *x)
{
	static const uint8_t head[] = { 0x00, 0x18, 0x00, 0x0c, 0x00, 48 }, middle[] = { 0x00, 48 };
	uint8_t digest[48], rs[96];

	x->quote_length = 0;
	quote_be(x, x->magic, 4);
	quote_be(x, x->type, 2);
	quote_bytes(x, x->ak.name, x->ak.name_length, true);
	quote_bytes(x, x->extra, 48, true);
	quote_be(x, x->clock, 8);
	quote_be(x, x->resets, 4);
	quote_be(x, x->restarts, 4);
	quote_be(x, 1, 1);
	quote_be(x, 0x20240101, 8);
	quote_bytes(x, x->selection, sizeof(x->selection), false);
	quote_bytes(x, x->pcr_digest, 48, true);
	x->quote_length += x->quote_extra_bytes;
	sha384(digest, x->quote, x->quote_length);
	assert(key_sign_digest(&x->ak_key, digest, rs));
	memcpy(x->signature, head, 6);
	memcpy(x->signature + 6, rs, 48);
	memcpy(x->signature + 54, middle, 2);
	memcpy(x->signature + 56, rs + 48, 48);
	x->signature_length = 104;
}

void fixture_pack(struct fixture *x)
{
	struct bundle b = { .vm_count = VM_COUNT };

	for (size_t i = 0; i < x->stated_count; i++)
		b.eat[b.eat_count++] = (struct bytes){ x->eat[x->stated[i]], x->eat_length[x->stated[i]] };
	b.quote = (struct bytes){ x->quote, x->quote_length };
	b.signature = (struct bytes){ x->signature, x->signature_length };
	memcpy(b.pcr, x->pcr, sizeof(b.pcr));
	b.log = (struct bytes){ x->log, x->log_length };
	b.ak_name = (struct bytes){ x->ak.name, x->ak.name_length };
	memcpy(b.key, x->point, sizeof(b.key));
	b.path = x->path;
	b.platform = x->now.platform;
	memcpy(b.vms, x->now.vms, sizeof(b.vms));
	b.policy = (struct bytes){ x->policy, x->policy_length };
	b.signer_key = (struct bytes){ x->signer, x->signer_length };
	x->bundle_length = bundle_encode(&b, x->bundle, sizeof(x->bundle));
	assert(x->bundle_length > 0);
}

void fixture_fill_platform(struct fixture *x)
{
	struct lzr_platform_record *p = &x->now.platform;
	struct fault f = { 0 };

	p->log_length = x->log_length;
	p->policy_length = x->policy_length;
	p->key_length = x->signer_length;
	sha384(p->policy, x->policy, x->policy_length);
	assert(policyview_flow((struct bytes){ x->policy, x->policy_length }, p->flow, &f));
}

void fixture_state_all(struct fixture *x)
{
	x->stated_count = VM_COUNT;
	for (int vm = 0; vm < VM_COUNT; vm++)
		x->stated[vm] = vm;
}

void fixture_state_one(struct fixture *x, int vm)
{
	x->release = RELEASE_CHANNEL;
	x->vm = fixture_name[vm];
	x->claim[vm].release = RELEASE_CHANNEL;
	x->stated_count = 1;
	x->stated[0] = vm;
	fixture_sign_claims(x);
	fixture_pack(x);
}

void fixture_rebuild(struct fixture *x)
{
	fixture_write_log(x);
	fixture_replay(x);
	fixture_fill_platform(x);
	fixture_fill_quote(x);
	fixture_sign_quote(x);
	fixture_fill_claims(x);
	fixture_sign_claims(x);
	fixture_pack(x);
}

static void make_ak(struct fixture *x)
{
	static const uint8_t head[] = { 0x00, 0x23, 0x00, 0x0c, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00, 0x00, 0x10,
					0x00, 0x18, 0x00, 0x0c, 0x00, 0x04, 0x00, 0x10, 0x00, 48 };
	uint8_t point[KEY_POINT_SIZE];
	struct fault f = { 0 };

	key_init(&x->ak_key);
	assert(key_generate(&x->ak_key, &f) && key_point(&x->ak_key, point));
	memcpy(x->ak.area, head, sizeof(head));
	memcpy(x->ak.area + sizeof(head), point + 1, 48);
	x->ak.area[sizeof(head) + 48] = 0;
	x->ak.area[sizeof(head) + 49] = 48;
	memcpy(x->ak.area + sizeof(head) + 50, point + 49, 48);
	x->ak.area_length = sizeof(head) + 98;
	x->ak.name_length = public_name((struct bytes){ x->ak.area, x->ak.area_length }, TPM_ALG_SHA384_ID, x->ak.name);
}

void fixture_refer(struct fixture *x)
{
	struct reference *r = &x->reference;

	memset(r, 0, sizeof(*r));
	for (unsigned int i = 0; i < REFERENCE_PCRS; i++) {
		r->pcr[i].count = 1;
		memcpy(r->pcr[i].value[0], x->pcr[i], 48);
	}
	r->hypervisor.count = r->signer.count = r->boot_list.count = r->policy.count = 1;
	sha384(r->hypervisor.value[0], "hypervisor", 10);
	sha384(r->signer.value[0], x->signer, x->signer_length);
	memcpy(r->boot_list.value[0], x->event[FIXTURE_LIST + 1].sha384, 48);
	sha384(r->policy.value[0], x->policy, x->policy_length);
	for (int vm = 0; vm < VM_COUNT; vm++) {
		if (vm == VM_VISITOR)
			continue;
		snprintf(r->image[r->image_count].name, LZR_NAME_MAX, "%s", fixture_name[vm]);
		memcpy(r->image[r->image_count++].digest, x->manifest[vm], 48);
	}
}

struct fixture *fixture_new(uint8_t seed)
{
	struct fixture *x = calloc(1, sizeof(*x));
	struct lzr_key_header header = { .magic = LZR_KEY_MAGIC, .der_length = 32 };
	struct fault f = { 0 };

	assert(x);
	memcpy(x->signer, &header, sizeof(header));
	memset(x->signer + sizeof(header), 0x5a, 32);
	x->signer_length = sizeof(header) + 32;
	for (uint8_t vm = 0; vm < VM_COUNT; vm++)
		sha384(x->manifest[vm], &vm, 1);
	memset(x->nonce, 0x40 + seed, sizeof(x->nonce));
	x->clock = 1000;
	x->resets = 3;
	x->release = RELEASE_NETWORK;
	fixture_state_all(x);
	x->policy_length = fixture_write_policy(x->policy, sizeof(x->policy), x->manifest);
	key_init(&x->attestor);
	assert(key_generate(&x->attestor, &f) && key_point(&x->attestor, x->point));
	make_ak(x);
	add_boot(x);
	fixture_write_log(x);
	fill_records(x);
	fixture_rebuild(x);
	fixture_refer(x);
	return x;
}

void fixture_free(struct fixture *x)
{
	key_free(&x->attestor);
	key_free(&x->ak_key);
	free(x);
}

int fixture_setup(void **state)
{
	*state = fixture_new(1);
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

enum fault_code fixture_verify(struct fixture *x)
{
	const struct verify_request request = {
		.bundle = { x->bundle, x->bundle_length },
		.nonce = { x->nonce, sizeof(x->nonce) },
		.release = x->release,
		.vm = x->vm,
		.vm_key = x->vm_key,
		.reference = &x->reference,
		.ak = &x->ak,
		.allow_development_key = x->allow_development_key,
	};

	verify_bundle(&request, &x->report);
	return x->report.platform.code;
}

void fixture_pe(uint8_t pe[FIXTURE_PE_SIZE])
{
	memset(pe, 0, FIXTURE_PE_SIZE);
	memcpy(pe, "MZ", 2);
	pe[0x3c] = 0x80;
	memcpy(pe + 0x80, "PE\0", 4);
	pe[0x86] = 1;                   /* sections */
	pe[0x94] = 0xf0;                /* optional header */
	pe[0x98] = 0x0b;
	pe[0x99] = 0x02;
	pe[0x98 + 61] = 0x02;           /* headers: 0x200 */
	pe[0x98 + 0xf0 + 17] = 0x01;    /* section: 0x100 bytes at 0x200 */
	pe[0x98 + 0xf0 + 21] = 0x02;
}
