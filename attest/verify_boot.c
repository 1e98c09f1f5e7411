/* SPDX-License-Identifier: Apache-2.0 */
/* What was booted against the policy that was measured with it: which images, and which policy. */
#include "verify_boot.h"

#include <stdio.h>
#include <string.h>

static bool is_used(const struct policyview *view, const char *image)
{
	for (size_t i = 0; i < view->vm_count; i++)
		if (strcmp(view->vm[i].image, image) == 0)
			return true;
	return false;
}

bool verify_manifests(const struct policyview *view, const struct bootlog *log, struct fault *f)
{
	char component[120];

	for (size_t i = 0; i < log->manifest_count; i++) {
		snprintf(component, sizeof(component), "event log, manifest of image %s", log->manifest[i].image);
		if (!is_used(view, log->manifest[i].image))
			return fault_set(f, FAULT_LOG_GRAMMAR, component, "an image that the measured policy names",
					 "one that none of its VMs has");
	}
	for (size_t i = 0; i < view->vm_count; i++) {
		snprintf(component, sizeof(component), "VM %s, image %s", view->vm[i].name, view->vm[i].image);
		if (!bootlog_find(log, view->vm[i].image))
			return fault_set(f, FAULT_LOG_GRAMMAR, component, "a manifest event", "none");
	}
	return true;
}

/* Pins this VM a measurement that none of the reference values of its image is? */
static bool pins_another(const struct reference *r, const struct policyview_vm *vm)
{
	struct fault f = { 0 };

	return vm->has_measurement && !reference_match_image(r, vm->image, vm->measurement, &f) &&
	       f.code == FAULT_REFERENCE;
}

bool verify_policy_value(const struct reference *r, const struct policyview *view, const struct bootlog *log,
			 struct fault *f)
{
	char component[120] = "policy";
	size_t length = strlen(component), more = 0;
	struct fault plain = { 0 };

	if (reference_match(&r->policy, component, log->policy, &plain))
		return true;
	for (size_t i = 0; i < view->vm_count; i++) {
		const char *name = view->vm[i].name;

		if (!pins_another(r, &view->vm[i]))
			continue;
		if (length + strlen(name) + sizeof(" (pins another image for , and 64 more)") > sizeof(component))
			more++;
		else
			length += (size_t)snprintf(component + length, sizeof(component) - length, "%s%s",
						   length == 6 ? " (pins another image for " : ", ", name);
	}
	if (more)
		length += (size_t)snprintf(component + length, sizeof(component) - length, ", and %zu more", more);
	if (length > strlen("policy"))
		snprintf(component + length, sizeof(component) - length, ")");
	return fault_set(f, plain.code, component, plain.expected, plain.found);
}
