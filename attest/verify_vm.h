/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of an appraisal, behind verify.h: what the hypervisor recorded, and what is stated about each VM. */
#ifndef ATTEST_VERIFY_VM_H
#define ATTEST_VERIFY_VM_H

#include "verify.h"

/*
 * The platform record and the VM records against the measured policy, the log and the bundle's own parts: form, flags
 * and reserved fields of all; name, label and measurement of the VMs that nothing is stated about.
 */
bool verify_records(const struct verify_request *request, const struct bundle *b, struct verify_report *report);
/*
 * Fills report->vm from the bundle's statements.  False with the platform's fault when they are not those that the
 * question asks for; what is wrong with one of them is that VM's fault.
 */
bool verify_statements(const struct verify_request *request, const struct bundle *b, struct key *key,
		       struct verify_report *report);
/* Number of the first VM that something is stated about; `count`: of how many, from there on. */
bool verify_asked(const struct verify_request *request, const struct policyview *view, size_t *first, size_t *count,
		  struct fault *f);

#endif
