/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's records.  They come through the attestor, and what the measured policy, the log or the bundle itself
 * tells as well is compared; a flag that this verifier does not know, or a reserved byte that is set, is refused, for
 * it may mean something that had to be judged.
 */
#include "verify_vm.h"

#include <stdio.h>
#include <string.h>

#define PLATFORM_FLAGS \
	(LZR_PLATFORM_MEASURED | LZR_PLATFORM_LAB | LZR_PLATFORM_SECURE_BOOT | LZR_PLATFORM_IOMMU | \
	 LZR_PLATFORM_IRQ_REMAP | LZR_PLATFORM_DEVELOPMENT_KEY)

static bool same_length(struct fault *f, const char *what, uint64_t expected, uint64_t found)
{
	return expected == found || fault_set_number(f, FAULT_RECORDS, what, expected, found);
}

/* Each file's length stands in the record and, if the loader measured it, in its descriptor's event. */
static bool check_lengths(const struct bundle *b, const struct bootlog *log, struct fault *f)
{
	const struct lzr_platform_record *p = &b->platform;

	return same_length(f, "platform record, length of the event log", b->log.length, p->log_length) &&
	       same_length(f, "platform record, length of the policy", b->policy.length, p->policy_length) &&
	       same_length(f, "platform record, length of the signer key file", b->signer_key.length, p->key_length) &&
	       same_length(f, "event log, length in the policy's descriptor", b->policy.length, log->policy_length) &&
	       same_length(f, "event log, length in the signer key file's descriptor", b->signer_key.length,
			   log->signer_length);
}

static bool check_platform(const struct bundle *b, const struct verify_report *report, struct fault *f)
{
	const struct lzr_platform_record *p = &b->platform;
	const struct policyview *view = &report->policy;

	if (p->version != LZR_ABI_VERSION)
		return fault_set_number(f, FAULT_RECORDS, "platform record's version", LZR_ABI_VERSION, p->version);
	if (p->vm_count != view->vm_count || b->vm_count != view->vm_count)
		return fault_set_number(f, FAULT_RECORDS, "VM records", view->vm_count, b->vm_count);
	if (p->reserved0 || !bytes_all(p->reserved, sizeof(p->reserved), 0))
		return fault_set(f, FAULT_RECORDS, "platform record, reserved fields", "zeros", "something else");
	if (p->flags & ~PLATFORM_FLAGS)
		return fault_set_text(f, FAULT_RECORDS, "platform record, flags", "known ones", "%#x",
				      p->flags & ~PLATFORM_FLAGS);
	if (memcmp(p->policy, report->log.policy, SHA384_SIZE) != 0)
		return fault_set_digest(f, FAULT_CLAIM, "policy in the platform record", report->log.policy, p->policy,
					SHA384_SIZE);
	if (p->policy_version != view->version)
		return fault_set_number(f, FAULT_CLAIM, "policy version in the platform record", view->version,
					p->policy_version);
	if (memcmp(p->flow, report->flow, SHA384_SIZE) != 0)
		return fault_set_digest(f, FAULT_CLAIM, "flow digest in the platform record", report->flow, p->flow,
					SHA384_SIZE);
	if (!(p->flags & LZR_PLATFORM_DEVELOPMENT_KEY) == report->development_key)
		return fault_set_text(f, FAULT_RECORDS, "platform record, development key",
				      report->development_key ? "flagged, as in the key file" : "not flagged",
				      "flags %#x", p->flags);
	if (!(p->flags & LZR_PLATFORM_MEASURED) || (p->flags & LZR_PLATFORM_LAB))
		return fault_set_text(f, FAULT_PLATFORM, "boot", "measured, no lab build", "flags %#x", p->flags);
	if ((~p->flags & (LZR_PLATFORM_IOMMU | LZR_PLATFORM_IRQ_REMAP)) && !view->allow_without_iommu)
		return fault_set_text(f, FAULT_PLATFORM, "DMA and interrupts", "remapped or blocked", "flags %#x",
				      p->flags);
	return check_lengths(b, &report->log, f);
}

static bool refuse(struct fault *f, const struct policyview_vm *vm, const char *what, const char *expected,
		   uint64_t found)
{
	char component[120];

	snprintf(component, sizeof(component), "record of VM %s, %s", vm->name, what);
	return fault_set_text(f, FAULT_RECORDS, component, expected, "%#llx", (unsigned long long)found);
}

/* What no honest hypervisor writes, about whatever VM. */
static bool check_vm(const struct policyview_vm *vm, uint32_t number, const struct lzr_vm_record *r, struct fault *f)
{
	const uint32_t known = LZR_VM_SERVICE | LZR_VM_FIREWALL_BYPASS | LZR_VM_HAS_DEVICE;
	const bool has_device = r->flags & LZR_VM_HAS_DEVICE;

	if (r->vm != number)
		return refuse(f, vm, "its number", "its place in the policy", r->vm);
	if (!bytes_all(r->reserved, sizeof(r->reserved), 0) ||
	    !bytes_all(r->label.reserved, sizeof(r->label.reserved), 0))
		return fault_set_text(f, FAULT_RECORDS, "VM record, reserved fields", "zeros", "something else for %s",
				      vm->name);
	if (r->flags & ~known)
		return refuse(f, vm, "flags", "known ones", r->flags & ~known);
	if (r->state > LZR_VM_DEAD)
		return refuse(f, vm, "state", "a known one", r->state);
	if (r->reason > LZR_STOP_BAD_STATE)
		return refuse(f, vm, "reason of the last stop", "a known one", r->reason);
	if (r->restores)
		return refuse(f, vm, "restores", "none: there is no saved state yet", r->restores);
	if (!(r->flags & LZR_VM_SERVICE) == vm->service)
		return refuse(f, vm, "service flag", vm->service ? "set, as in the policy" : "not set", r->flags);
	if (has_device != vm->has_device)
		return refuse(f, vm, "device flag", vm->has_device ? "set, as in the policy" : "not set", r->flags);
	if (bytes_all(r->dma, sizeof(r->dma), 0) == has_device)
		return refuse(f, vm, "DMA map's digest", has_device ? "one, for it has a device" : "zero: no device",
			      r->dma[0]);
	return true;
}

/* What a statement about it would be compared with. */
static bool check_unstated(const struct verify_report *report, uint32_t number, const struct lzr_vm_record *r,
			   struct fault *f)
{
	const struct policyview_vm *vm = &report->policy.vm[number];
	const struct bootlog_manifest *m = bootlog_find(&report->log, vm->image);
	char component[120];

	snprintf(component, sizeof(component), "record of VM %s, name, label or measurement", vm->name);
	if (memcmp(r->name, vm->name, LZR_NAME_MAX) == 0 && memcmp(&r->label, &vm->label, sizeof(r->label)) == 0 && m &&
	    memcmp(r->measurement, m->digest, SHA384_SIZE) == 0)
		return true;
	return fault_set(f, FAULT_CLAIM, component, "the policy's and its manifest event's", "another");
}

bool verify_records(const struct verify_request *request, const struct bundle *b, struct verify_report *report)
{
	struct fault *f = &report->platform;
	size_t first, count;

	if (!check_platform(b, report, f) || !verify_asked(request, &report->policy, &first, &count, f))
		return false;
	for (size_t i = 0; i < b->vm_count; i++) {
		if (!check_vm(&report->policy.vm[i], (uint32_t)i, &b->vms[i], f))
			return false;
		if ((i < first || i - first >= count) && !check_unstated(report, (uint32_t)i, &b->vms[i], f))
			return false;
	}
	return true;
}
