/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lzr-policy reads and did not write: dtc's annotated output, and images' manifests.  The first byte picks the
 * reader.  What is accepted must come out of the emitters, twice the same.
 */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

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

static void try_source(const uint8_t *data, size_t size)
{
	struct report report = { 0 };
	struct policy policy = { 0 };
	char *text = memory_text((const char *)data, size);
	struct node *root = source_parse(text, &report);

	if (root) {
		model_read(&policy, root, "tests/policy/keys", &report);
		if (!report.errors)
			check_policy(&policy, &report);
		if (!report.errors)
			check_limits(&policy, &report);
		if (!report.errors && complete(&policy)) {
			emit_twice(&policy, emit_policy);
			if (policy.fabric.node)
				emit_twice(&policy, emit_switch);
		}
	} else if (!report.errors) {
		abort();
	}
	policy_free(&policy);
	source_free(root);
	report_free(&report);
	free(text);
}

static void try_manifest(const uint8_t *data, size_t size)
{
	struct facts facts;
	char why[256] = "";
	void *copy = malloc(size ? size : 1);   /* aligned, and with nothing behind it */

	if (!copy)
		return;
	memcpy(copy, data, size);
	if (!facts_parse(copy, size, &facts, why, sizeof(why)) && !why[0])
		abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'M')
		try_manifest(data + 1, size - 1);
	else
		try_source(data + 1, size - 1);
	return 0;
}
