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

bool verify_asked(const struct verify_request *request, const struct policyview *view, size_t *first, size_t *count,
		  struct fault *f)
{
	*first = 0;
	*count = view->vm_count;
	if (request->release != RELEASE_CHANNEL)
		return true;
	*count = 1;
	while (*first < view->vm_count && strcmp(view->vm[*first].name, request->vm) != 0)
		++*first;
	return *first < view->vm_count ||
	       fault_set(f, FAULT_STATEMENTS, "VM in the question", "a VM of the measured policy", request->vm);
}

static void name_digest(char out[2 * SHA384_SIZE + 1], const uint8_t *key, size_t length)
{
	uint8_t digest[SHA384_SIZE];

	sha384(digest, key, length);
	hex_encode(out, digest, sizeof(digest));
}

/* The key that the question names is the one that the attestor got from that VM. */
static bool check_key(const struct verify_request *request, const struct evidence *e, struct fault *f)
{
	char component[120], expected[2 * SHA384_SIZE + 1], found[2 * SHA384_SIZE + 1] = "no key";

	if (!request->vm_key.data ||
	    (e->vm_key_length && bytes_equal(request->vm_key, (struct bytes){ e->vm_key, e->vm_key_length })))
		return true;
	snprintf(component, sizeof(component), "VM %s, SHA-384 of its key", request->vm);
	name_digest(expected, request->vm_key.data, request->vm_key.length);
	if (e->vm_key_length)
		name_digest(found, e->vm_key, e->vm_key_length);
	return fault_set(f, FAULT_VM_KEY, component, expected, found);
}

static bool check_statement(const struct verify_request *request, struct bytes eat, struct key *key,
			    struct evidence *e, struct fault *f)
{
	struct cose_message m;

	if (!cose_open(eat, &m, f))
		return false;
	if (!cose_verify(key, &m))
		return fault_set(f, FAULT_EAT_SIGNATURE, "EAT", "a signature by the key that the quote vouches for",
				 "it does not verify");
	if (!evidence_decode(m.payload, e, f))
		return false;
	if (!bytes_equal(request->nonce, (struct bytes){ e->nonce, e->nonce_length }))
		return fault_set_digest(f, FAULT_EAT_NONCE, "EAT nonce", request->nonce.data, e->nonce, NONCE_MIN);
	if (e->release == RELEASE_NETWORK && e->vm_key_length)
		return fault_set(f, FAULT_RELEASE, "EAT", "no VM key in evidence for the network", "one");
	return true;
}

/* The statement and the hypervisor's record of that VM tell the same. */
static bool check_record(const struct bundle *b, const struct verify_report *report, const struct evidence *e,
			 struct fault *f)
{
	const struct lzr_vm_record *r = &b->vms[e->vm];
	const char *name = report->policy.vm[e->vm].name;
	const uint32_t attestor = report->policy.attestor;
	uint8_t head[SHA384_SIZE];

	evidence_list_head(&b->platform, b->vms, b->vm_count, head);
	return compare_number(f, name, "number in its record", e->vm, r->vm) &&
	       compare(f, name, "name", r->name, e->name, LZR_NAME_MAX) &&
	       compare_number(f, name, "instance", r->instance, e->instance) &&
	       compare_number(f, name, "state", r->state, e->state) &&
	       compare_number(f, name, "starts", r->starts, e->starts) &&
	       compare_number(f, name, "restores", r->restores, e->restores) &&
	       compare(f, name, "measurement in its record", r->measurement, e->measurement, SHA384_SIZE) &&
	       compare(f, name, "label in its record", &r->label, &e->label, sizeof(e->label)) &&
	       compare(f, name, "DMA map", r->dma, e->dma, SHA384_SIZE) &&
	       compare(f, name, "flow policy", b->platform.flow, e->flow, SHA384_SIZE) &&
	       compare(f, name, "policy", b->platform.policy, e->policy, SHA384_SIZE) &&
	       compare_number(f, name, "policy version", b->platform.policy_version, e->policy_version) &&
	       compare_number(f, name, "platform flags", b->platform.flags, e->platform_flags) &&
	       compare_number(f, name, "epoch", r->epoch, e->epoch) &&
	       compare_number(f, name, "attestor's instance", b->vms[attestor].instance, e->attestor_instance) &&
	       compare(f, name, "measurement list", head, e->list_head, SHA384_SIZE) &&
	       compare_number(f, name, "firewall bypassed", (r->flags & LZR_VM_FIREWALL_BYPASS) != 0,
			      e->firewall_bypassed);
}

/* The switch's measurement by its manifest event, whoever is stated about; zero: no switch. */
static bool check_firewall(const struct verify_report *report, const struct evidence *e, struct fault *f)
{
	static const uint8_t none[SHA384_SIZE];
	const struct policyview *view = &report->policy;
	const char *name = view->vm[e->vm].name;
	const struct bootlog_manifest *m =
		view->firewall == POLICYVIEW_NONE ? NULL : bootlog_find(&report->log, view->vm[view->firewall].image);

	return compare(f, name, "firewall (the switch's measurement)", m ? m->digest : none, e->firewall,
		       SHA384_SIZE);
}

/* A port claim is there exactly if the policy gives a port, and says nothing that no switch would. */
static bool check_port(const struct policyview_vm *vm, const struct evidence *e, struct fault *f)
{
	const struct evidence_port *p = &e->port;
	const bool silent = p->state == LZR_PORT_DOWN || p->state == LZR_PORT_INFRASTRUCTURE;
	char component[120];

	if (!compare_number(f, vm->name, "ports in its claims", vm->port != POLICYVIEW_NONE, e->has_port) ||
	    (e->has_port && !compare_number(f, vm->name, "port's number", vm->port, p->number)))
		return false;
	if (!e->has_port ||
	    ((p->state == LZR_PORT_ADMITTED || !p->lease_left_ns) &&
	     (p->state != LZR_PORT_INFRASTRUCTURE || vm->service) &&
	     (!silent || bytes_all(p->nonce, sizeof(p->nonce), 0))))
		return true;
	snprintf(component, sizeof(component), "VM %s, port", vm->name);
	return fault_set_text(f, FAULT_CLAIM, component,
			      "a lease only if admitted, no nonce if down or infrastructure, infrastructure for a "
			      "service only", "state %u, lease %llu ns", p->state,
			      (unsigned long long)p->lease_left_ns);
}

/* The same again with what the TPM vouches for: the measured policy and the manifest events. */
static bool check_measured(const struct verify_request *request, const struct verify_report *report,
			   const struct evidence *e, struct fault *f)
{
	const struct policyview_vm *vm = &report->policy.vm[e->vm];
	const struct bootlog_manifest *m = bootlog_find(&report->log, vm->image);
	const char *name = vm->name;
	char component[120];

	if (!compare(f, name, "name in the policy", vm->name, e->name, LZR_NAME_MAX) ||
	    !compare(f, name, "label in the policy", &vm->label, &e->label, sizeof(e->label)))
		return false;
	snprintf(component, sizeof(component), "VM %s, image %s", name, vm->image);
	if (!m)
		return fault_set(f, FAULT_LOG_GRAMMAR, component, "a manifest event", "none");
	if (!compare(f, name, "measurement in the manifest event", m->digest, e->measurement, SHA384_SIZE))
		return false;
	if (vm->has_measurement && memcmp(vm->measurement, m->digest, SHA384_SIZE) != 0)
		return fault_set_digest(f, FAULT_POLICY, component, vm->measurement, m->digest, SHA384_SIZE);
	return reference_match_image(request->reference, vm->image, m->digest, f);
}

static bool check_confinement(const struct verify_report *report, const struct evidence *e, struct fault *f)
{
	const struct policyview_vm *vm = &report->policy.vm[e->vm];
	const char *name = vm->name;

	if (e->state != LZR_VM_RUNNING)
		return fault_set_number(f, FAULT_VM_STATE, name, LZR_VM_RUNNING, e->state);
	if (e->firewall_bypassed && !vm->bypasses_firewall)
		return fault_set(f, FAULT_CONFINEMENT, name, "the firewall on its path", "firewall not on path");
	return true;
}

static void verify_vm(const struct verify_request *request, const struct bundle *b, struct key *key, size_t index,
		      struct verify_report *report)
{
	struct vm_report *vm = &report->vm[index];
	const struct policyview_vm *policy = &report->policy.vm[vm->number];
	struct evidence *e = &vm->evidence;
	struct fault *f = &vm->fault;

	vm->decoded = check_statement(request, b->eat[index], key, e, f);
	if (vm->decoded && check_record(b, report, e, f) && check_firewall(report, e, f) && check_port(policy, e, f) &&
	    check_measured(request, report, e, f) && check_confinement(report, e, f) && check_key(request, e, f))
		f->code = FAULT_GOOD;
}

/* What a statement says of itself, signed or not: one that says the wrong thing has no place in this bundle. */
static bool says(const struct bundle *b, size_t index, struct evidence *e)
{
	struct fault unreadable = { 0 };
	struct cose_message m;

	return cose_open(b->eat[index], &m, &unreadable) && evidence_decode(m.payload, e, &unreadable);
}

/* Each VM once, in the policy's order; one that cannot be read counts for the VM in whose place it stands. */
static bool check_places(const struct verify_request *request, const struct bundle *b, const struct policyview *view,
			 size_t first, size_t count, struct fault *f)
{
	size_t number[LZR_VM_MAX], times[LZR_VM_MAX] = { 0 };
	struct evidence e;
	char component[120];

	for (size_t i = 0; i < b->eat_count; i++) {
		number[i] = first + i;
		if (says(b, i, &e)) {
			if (e.release != request->release)
				return fault_set_number(f, FAULT_RELEASE,
							"EAT release (1: network, 2: the VM's own channel)",
							request->release, e.release);
			number[i] = e.vm;
		}
		if (number[i] < first || number[i] - first >= count)
			return fault_set_text(f, FAULT_STATEMENTS, "statements in the bundle",
					      "about VMs that were asked about", "one about VM %zu", number[i]);
		times[number[i] - first]++;
	}
	for (size_t i = 0; i < count; i++) {
		snprintf(component, sizeof(component), "VM %s, statements in the bundle", view->vm[first + i].name);
		if (times[i] != 1)
			return fault_set_number(f, FAULT_STATEMENTS, component, 1, times[i]);
	}
	for (size_t i = 0; i < count; i++)
		if (number[i] != first + i)
			return fault_set_text(f, FAULT_STATEMENTS, "statements in the bundle", "in the policy's order",
					      "VM %zu as number %zu", number[i], i);
	return true;
}

bool verify_statements(const struct verify_request *request, const struct bundle *b, struct key *key,
		       struct verify_report *report)
{
	const struct policyview *view = &report->policy;
	size_t first, count;

	if (!verify_asked(request, view, &first, &count, &report->platform) ||
	    !check_places(request, b, view, first, count, &report->platform))
		return false;
	report->vm_count = count;
	for (size_t i = 0; i < count; i++) {
		struct vm_report *vm = &report->vm[i];

		vm->number = (uint32_t)(first + i);
		memcpy(vm->name, view->vm[vm->number].name, sizeof(vm->name));
		policyview_label(view, &view->vm[vm->number].label, vm->label, sizeof(vm->label));
		verify_vm(request, b, key, i, report);
	}
	return true;
}
