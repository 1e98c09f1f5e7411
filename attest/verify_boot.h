/* SPDX-License-Identifier: Apache-2.0 */
/* What was booted against the policy that was measured with it; parts of verify_bundle. */
#ifndef ATTEST_VERIFY_BOOT_H
#define ATTEST_VERIFY_BOOT_H

#include "bootlog.h"
#include "policyview.h"
#include "reference.h"

/*
 * The log's manifest events are exactly the images of the measured policy's VMs: none is missing, none too many (that
 * none is there twice is the log's grammar).
 */
bool verify_manifests(const struct policyview *view, const struct bootlog *log, struct fault *f);

/*
 * Is the measured policy one of the reference values?  If not, the refusal names the VMs for which it pins another
 * image than the reference values have.
 */
bool verify_policy_value(const struct reference *r, const struct policyview *view, const struct bootlog *log,
			 struct fault *f);

#endif
