/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lzr-policy reads: dtc's annotated output.  What is accepted must come out of the emitters, twice the same; the
 * graph of its flows is judged alike by the analysis and by the check of single edges, and can be drawn.
 */
#include <stdlib.h>
#include <string.h>

#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void emit_twice(const struct policy *policy, void *(*emit)(const struct policy *policy, size_t *size))
{
	size_t sizes[2] = { 0, 0 };
	void *bytes[2] = { emit(policy, &sizes[0]), emit(policy, &sizes[1]) };

	if (!bytes[0] != !bytes[1] || sizes[0] != sizes[1] || (bytes[0] && memcmp(bytes[0], bytes[1], sizes[0])))
		abort();
	free(bytes[0]);
	free(bytes[1]);
}

/* Without manifests every VM needs its measurement from the source. */
static bool complete(const struct policy *policy)
{
	for (unsigned i = 0; i < policy->vm_count; i++)
		if (!policy->vms[i].measure_only && !policy->vms[i].pinned)
			return false;
	return true;
}

/* Every name of the policy is known. */
static void draw(const struct policy *policy)
{
	struct flow_result result;
	struct picture picture;
	struct flows flows;

	flows_make(&flows, policy);
	flow_analyse(&flows.graph, &result);
	if (flow_certificate_check(&flows.graph, result.bounds) != result.clean)
		abort();
	picture_make(&picture, &flows, &result);
	picture_free(&picture);
	flow_result_free(&result);
	flows_free(&flows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report report = { 0 };
	struct policy policy = { 0 };
	char *text = memory_text((const char *)data, size);
	struct node *root = source_parse(text, &report);

	if (!root && !report.errors)
		abort();
	if (root)
		model_read(&policy, root, "tests/policy/keys", &report);
	if (!report.errors) {
		draw(&policy);
		check_policy(&policy, &report);
	}
	if (!report.errors)
		check_limits(&policy, &report);
	if (!report.errors && complete(&policy)) {
		emit_twice(&policy, emit_policy);
		if (policy.fabric.node)
			emit_twice(&policy, emit_switch);
	}
	policy_free(&policy);
	source_free(root);
	report_free(&report);
	free(text);
	return 0;
}
