/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY 0xffffffffu      /* an audit record's VM when it is the hypervisor's own */

static void init_audit(struct agent *a)
{
	a->network_audit.label = a->view.release;
	for (size_t i = 0; i < a->view.vm_count; i++)
		a->vm_audit[i].label = a->view.vm[i].label;
}

static bool read_files(struct agent *a, struct fault *f)
{
	const struct lzr_platform_record *p = &a->now.platform;

	return platform_file(LZR_STREAM_LOG, p->log_length, EVIDENCE_LOG_MAX, &a->log, f) &&
	       platform_file(LZR_STREAM_POLICY, p->policy_length, LZR_POLICY_MAX, &a->policy, f) &&
	       platform_file(LZR_STREAM_KEY, p->key_length, EVIDENCE_KEY_FILE_MAX, &a->signer, f) &&
	       policyview_read(a->policy, &a->view, f);
}

bool agent_open(struct agent *a, TSS2_TCTI_CONTEXT *tcti, struct fault *f)
{
	memset(a, 0, sizeof(*a));
	key_init(&a->key);
	if (!platform_self(&a->self, &a->instance, f) || !platform_snapshot(&a->now, f) || !read_files(a, f))
		return false;
	if (a->self != a->view.attestor || a->now.platform.vm_count != a->view.vm_count)
		return fault_set_number(f, FAULT_POLICY, "number of the VM that attests", a->view.attestor, a->self);
	init_audit(a);
	return tpm_open(&a->tpm, tcti, f) && key_generate(&a->key, f) && key_point(&a->key, a->point);
}

/* What a VM caused is in the log only of those whose label covers that VM's; the machine's own, every VM's. */
static bool may_see(const struct agent *a, const struct audit_view *view, uint32_t vm)
{
	for (size_t i = 0; i < a->view.vm_count; i++)
		if ((vm == i || vm == NOBODY) && !lzr_label_dominates(&view->label, &a->view.vm[i].label))
			return false;
	return vm == NOBODY || vm < a->view.vm_count;
}

static void log_record(struct agent *a, const struct lzr_audit_record *r)
{
	const struct bytes entry = { (const uint8_t *)r, sizeof(*r) };

	if (may_see(a, &a->network_audit, r->vm))
		merkle_log_append(&a->network_audit.log, entry);
	for (size_t i = 0; i < a->view.vm_count; i++)
		if (may_see(a, &a->vm_audit[i], r->vm))
			merkle_log_append(&a->vm_audit[i].log, entry);
}

static void log_lost(struct agent *a, uint32_t vm, uint64_t count)
{
	if (may_see(a, &a->network_audit, vm))
		a->network_audit.lost += count;
	for (size_t i = 0; i < a->view.vm_count; i++)
		if (may_see(a, &a->vm_audit[i], vm))
			a->vm_audit[i].lost += count;
}

/* Ring 0 is the hypervisor's own, ring n + 1 VM n's. */
static bool drain_ring(struct agent *a, uint32_t number, struct fault *f)
{
	const uint64_t at = number * sizeof(struct lzr_audit_ring);
	const uint32_t vm = number ? number - 1 : NOBODY;
	uint64_t *next = &a->audit_next[number], lost;
	struct lzr_audit_head head;

	if (!platform_read(LZR_STREAM_AUDIT, at, &head, sizeof(head), f))
		return false;
	lost = head.lost - a->audit_lost[number];
	a->audit_lost[number] = head.lost;
	if (head.next - *next > LZR_AUDIT_SLOTS) {
		lost += head.next - LZR_AUDIT_SLOTS - *next;
		*next = head.next - LZR_AUDIT_SLOTS;
	}
	for (; *next < head.next; ++*next) {
		const uint64_t slot = *next % LZR_AUDIT_SLOTS;
		struct lzr_audit_record r;

		if (!platform_read(LZR_STREAM_AUDIT, at + sizeof(head) + slot * sizeof(r), &r, sizeof(r), f))
			return false;
		if (r.sequence == *next)
			log_record(a, &r);
		else
			lost++;
	}
	log_lost(a, vm, lost);
	return true;
}

bool agent_drain_audit(struct agent *a, struct fault *f)
{
	for (uint32_t ring = 0; ring <= a->view.vm_count; ring++)
		if (!drain_ring(a, ring, f))
			return false;
	return true;
}

/*
 * The records as this release may see them.  Why a VM stopped is the VM's own choice of one among many: it goes to
 * labels that cover the VM's only.
 */
static void filter_records(const struct agent *a, const struct agent_request *request, struct bundle *b)
{
	b->platform = a->now.platform;
	b->vm_count = a->view.vm_count;
	memcpy(b->vms, a->now.vms, b->vm_count * sizeof(b->vms[0]));
	for (size_t i = 0; i < b->vm_count; i++) {
		const bool network = request->release == RELEASE_NETWORK;
		struct lzr_vm_record *r = &b->vms[i];

		if (lzr_label_dominates(network ? &a->view.release : &a->view.vm[request->vm].label,
					&a->view.vm[i].label))
			continue;
		r->reason = 0;
		if (network || i == a->self || i == a->view.firewall)
			continue;
		r->state = r->starts = r->restores = 0;
		r->instance = r->epoch = 0;
	}
}

static void state_vm(const struct agent *a, const struct agent_request *request, const struct bundle *b, uint32_t vm,
		     struct evidence *e)
{
	const struct lzr_vm_record *r = &b->vms[vm];
	const struct audit_view *audit = request->release == RELEASE_NETWORK ? &a->network_audit : &a->vm_audit[vm];
	const struct agent_port *port = &a->port[vm];

	memset(e, 0, sizeof(*e));
	memcpy(e->nonce, request->nonce.data, request->nonce.length);
	e->nonce_length = request->nonce.length;
	e->release = request->release;
	e->vm = vm;
	memcpy(e->name, r->name, sizeof(e->name));
	e->instance = r->instance;
	e->state = r->state;
	memcpy(e->measurement, r->measurement, sizeof(e->measurement));
	e->label = r->label;
	memcpy(e->flow, b->platform.flow, sizeof(e->flow));
	memcpy(e->dma, r->dma, sizeof(e->dma));
	if (a->view.firewall != POLICYVIEW_NONE)
		memcpy(e->firewall, b->vms[a->view.firewall].measurement, sizeof(e->firewall));
	e->firewall_bypassed = (r->flags & LZR_VM_FIREWALL_BYPASS) != 0;
	e->has_port = a->view.vm[vm].port != POLICYVIEW_NONE;
	e->port.number = e->has_port ? a->view.vm[vm].port : 0;
	if (e->has_port && port->known) {       /* else LZR_PORT_DOWN: the switch says so, or nothing */
		e->port.state = port->state.state;
		e->port.lease_left_ns = port->state.lease_left_ns;
		memcpy(e->port.nonce, port->state.nonce, sizeof(e->port.nonce));
	}
	e->epoch = r->epoch;
	e->starts = r->starts;
	e->restores = r->restores;
	e->audit_size = audit->log.size;
	e->audit_lost = audit->lost;
	merkle_log_root(&audit->log, e->audit_root);
	e->policy_version = b->platform.policy_version;
	memcpy(e->policy, b->platform.policy, sizeof(e->policy));
	e->platform_flags = b->platform.flags;
	e->attestor_instance = a->instance;
	evidence_list_head(&b->platform, b->vms, b->vm_count, e->list_head);
	if (request->release == RELEASE_CHANNEL && request->vm_key.length <= sizeof(e->vm_key)) {
		memcpy(e->vm_key, request->vm_key.data, request->vm_key.length);
		e->vm_key_length = request->vm_key.length;
	}
}

static bool quote_bundle(struct agent *a, const struct agent_request *request, struct bundle *b, struct tpm_quote *q,
			 struct fault *f)
{
	uint8_t leaf[1][SHA384_SIZE], head[SHA384_SIZE], extra[SHA384_SIZE];

	merkle_leaf(leaf[0], request->nonce);
	b->path.index = 0;
	merkle_fold(leaf, 1, &b->path);
	evidence_list_head(&b->platform, b->vms, b->vm_count, head);
	evidence_extra_data(leaf[0], a->point, head, a->instance, extra);
	if (!tpm_quote(&a->tpm, extra, q, f))
		return false;
	b->quote = (struct bytes){ q->attest, q->attest_length };
	b->signature = (struct bytes){ q->signature, q->signature_length };
	memcpy(b->pcr, q->pcr, sizeof(b->pcr));
	return true;
}

static bool sign_statements(struct agent *a, const struct agent_request *request, struct bundle *b,
			    uint8_t (*eat)[EVIDENCE_EAT_MAX], struct fault *f)
{
	struct evidence e;

	for (uint32_t vm = 0; vm < b->vm_count; vm++) {
		size_t n;

		if (request->release == RELEASE_CHANNEL && vm != request->vm)
			continue;
		state_vm(a, request, b, vm, &e);
		n = evidence_sign(&a->key, &e, eat[b->eat_count], EVIDENCE_EAT_MAX);
		if (n == 0)
			return fault_set(f, FAULT_INPUT, e.name, "a signed statement", "none");
		b->eat[b->eat_count] = (struct bytes){ eat[b->eat_count], n };
		b->eat_count++;
	}
	return b->eat_count > 0 || fault_set(f, FAULT_INPUT, "evidence", "a VM of that number", "none");
}

struct work {
	struct bundle bundle;
	struct tpm_quote quote;
	uint8_t eat[LZR_VM_MAX][EVIDENCE_EAT_MAX];
};

size_t agent_bundle(struct agent *a, const struct agent_request *request, uint8_t *out, size_t size, struct fault *f)
{
	struct work *w = calloc(1, sizeof(*w));
	struct bundle *b = w ? &w->bundle : NULL;
	size_t n = 0;

	if (!w) {
		fault_set(f, FAULT_INPUT, "evidence", "memory", "none");
		return 0;
	}
	if (!platform_snapshot(&a->now, f) || !agent_drain_audit(a, f))
		goto out;
	filter_records(a, request, b);
	b->log = a->log;
	b->policy = a->policy;
	b->signer_key = a->signer;
	b->ak_name = (struct bytes){ a->tpm.ak_name, a->tpm.ak_name_length };
	memcpy(b->key, a->point, sizeof(b->key));
	if (!quote_bundle(a, request, b, &w->quote, f) || !sign_statements(a, request, b, w->eat, f))
		goto out;
	n = bundle_encode(b, out, size);
	if (n == 0)
		fault_set(f, FAULT_INPUT, "evidence", "room for the bundle", "too little");
out:
	free(w);
	return n;
}
