/* SPDX-License-Identifier: Apache-2.0 */
/* One VM's part of an appraisal, once the platform is good. */
#ifndef ATTEST_VERIFY_VM_H
#define ATTEST_VERIFY_VM_H

#include "verify.h"

/* Fills report->vm[index] from the bundle's statement of that index. */
void verify_vm(const struct verify_request *request, const struct bundle *b, struct key *key, size_t index,
	       struct verify_report *report);

#endif
