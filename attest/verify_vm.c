/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's measurement comes from the manifest event of its image in the quoted log and its label from the measured
 * policy. What the attestor claims is only compared with them.
 */
#include "verify_vm.h"

#include <stdio.h>
#include <string.h>

/* Each claim that measured bytes or the hypervisor's records tell as well. */
static bool compare(struct fault *f, const char *vm, const char *what, const void *expected, const void *found,
		    size_t size)
{
	char component[120];

	if (memcmp(expected, found, size) == 0)
		return true;
	snprintf(component, sizeof(component), "VM %s, %s", vm, what);
	return fault_set_digest(f, FAULT_CLAIM, component, expected, found, size);
}

static bool compare_number(struct fault *f, const char *vm, const char *what, uint64_t expected, uint64_t found)
{
	char component[120];

	if (expected == found)
		return true;
	snprintf(component, sizeof(component), "VM %s, %s", vm, what);
	return fault_set_number(f, FAULT_CLAIM, component, expected, found);
}

static bool check_statement(const struct verify_request *request, const struct bundle *b, struct key *key, size_t index,
			    struct evidence *e, struct fault *f)
{
	struct cose_message m;

	if (!cose_open(b->eat[index], &m, f))
		return false;
	if (!cose_verify(key, &m))
		return fault_set(f, FAULT_EAT_SIGNATURE, "EAT", "a signature by the key that the quote vouches for",
				 "it does not verify");
	if (!evidence_decode(m.payload, e, f))
		return false;
	if (!bytes_equal(request->nonce, (struct bytes){ e->nonce, e->nonce_length }))
		return fault_set_digest(f, FAULT_EAT_NONCE, "EAT nonce", request->nonce.data, e->nonce, NONCE_MIN);
	if (e->release != request->release)
		return fault_set_number(f, FAULT_RELEASE, "EAT release (1: network, 2: the VM's own channel)",
					request->release, e->release);
	if (e->release == RELEASE_NETWORK && e->vm_key_length)
		return fault_set(f, FAULT_RELEASE, "EAT", "no VM key in evidence for the network", "one");
	return true;
}

/* The statement and the hypervisor's record of that VM tell the same. */
static bool check_record(const struct bundle *b, const struct verify_report *report, const struct evidence *e,
			 struct fault *f)
{
	const struct lzr_vm_record *r = &b->vms[e->vm];
	const uint32_t attestor = report->policy.attestor;
	const uint32_t firewall = report->policy.firewall;
	static const uint8_t none[SHA384_SIZE];
	uint8_t head[SHA384_SIZE];

	evidence_list_head(&b->platform, b->vms, b->vm_count, head);
	return compare_number(f, e->name, "number in its record", e->vm, r->vm) &&
	       compare(f, e->name, "name", r->name, e->name, LZR_NAME_MAX) &&
	       compare_number(f, e->name, "instance", r->instance, e->instance) &&
	       compare_number(f, e->name, "state", r->state, e->state) &&
	       compare_number(f, e->name, "starts", r->starts, e->starts) &&
	       compare_number(f, e->name, "restores", r->restores, e->restores) &&
	       compare(f, e->name, "measurement in its record", r->measurement, e->measurement, SHA384_SIZE) &&
	       compare(f, e->name, "label in its record", &r->label, &e->label, sizeof(e->label)) &&
	       compare(f, e->name, "DMA map", r->dma, e->dma, SHA384_SIZE) &&
	       compare(f, e->name, "flow policy", b->platform.flow, e->flow, SHA384_SIZE) &&
	       compare(f, e->name, "policy", b->platform.policy, e->policy, SHA384_SIZE) &&
	       compare_number(f, e->name, "policy version", b->platform.policy_version, e->policy_version) &&
	       compare_number(f, e->name, "platform flags", b->platform.flags, e->platform_flags) &&
	       compare_number(f, e->name, "epoch", r->epoch, e->epoch) &&
	       compare_number(f, e->name, "attestor's instance", b->vms[attestor].instance, e->attestor_instance) &&
	       compare(f, e->name, "measurement list", head, e->list_head, SHA384_SIZE) &&
	       compare_number(f, e->name, "firewall bypassed", (r->flags & LZR_VM_FIREWALL_BYPASS) != 0,
			      e->firewall_bypassed) &&
	       compare(f, e->name, "firewall (the switch's measurement)",
		       firewall == POLICYVIEW_NONE ? none : b->vms[firewall].measurement, e->firewall, SHA384_SIZE);
}

/* The same again with what the TPM vouches for: the measured policy and the manifest events. */
static bool check_measured(const struct verify_request *request, const struct verify_report *report,
			   const struct evidence *e, struct fault *f)
{
	const struct policyview_vm *vm = &report->policy.vm[e->vm];
	const struct bootlog_manifest *m = bootlog_find(&report->log, vm->image);
	char component[120];

	if (!compare(f, e->name, "name in the policy", vm->name, e->name, LZR_NAME_MAX) ||
	    !compare(f, e->name, "label in the policy", &vm->label, &e->label, sizeof(e->label)))
		return false;
	snprintf(component, sizeof(component), "VM %s, image %s", e->name, vm->image);
	if (!m)
		return fault_set(f, FAULT_LOG_GRAMMAR, component, "a manifest event", "none");
	if (!compare(f, e->name, "measurement in the manifest event", m->digest, e->measurement, SHA384_SIZE))
		return false;
	if (vm->has_measurement && memcmp(vm->measurement, m->digest, SHA384_SIZE) != 0)
		return fault_set_digest(f, FAULT_POLICY, component, vm->measurement, m->digest, SHA384_SIZE);
	return reference_match_image(request->reference, vm->image, m->digest, f);
}

static bool check_confinement(const struct verify_report *report, const struct evidence *e, struct fault *f)
{
	const struct policyview_vm *vm = &report->policy.vm[e->vm];

	if (e->state != LZR_VM_RUNNING)
		return fault_set_number(f, FAULT_VM_STATE, e->name, LZR_VM_RUNNING, e->state);
	if (e->firewall_bypassed && !vm->bypasses_firewall)
		return fault_set(f, FAULT_CONFINEMENT, e->name, "the firewall on its path", "firewall not on path");
	return true;
}

void verify_vm(const struct verify_request *request, const struct bundle *b, struct key *key, size_t index,
	       struct verify_report *report)
{
	struct vm_report *vm = &report->vm[index];
	struct evidence *e = &vm->evidence;
	struct fault *f = &vm->fault;

	vm->decoded = check_statement(request, b, key, index, e, f);
	if (!vm->decoded)
		return;
	if (e->vm >= report->policy.vm_count) {
		vm->decoded = false;
		fault_set_number(f, FAULT_CLAIM, "VM number, below", report->policy.vm_count, e->vm);
		return;
	}
	for (size_t i = 0; i < index; i++)
		if (report->vm[i].decoded && report->vm[i].evidence.vm == e->vm) {
			fault_set(f, FAULT_CLAIM, e->name, "one statement about each VM", "two");
			return;
		}
	policyview_label(&report->policy, &report->policy.vm[e->vm].label, vm->label, sizeof(vm->label));
	if (check_record(b, report, e, f) && check_measured(request, report, e, f) && check_confinement(report, e, f))
		f->code = FAULT_GOOD;
}
