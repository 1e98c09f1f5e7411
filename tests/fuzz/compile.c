/* SPDX-License-Identifier: Apache-2.0 */
/* compile SOURCE DTB: a policy of the corpus compiled, over manifests that hold no switch configuration. */
#include <stdlib.h>

#include "policy.h"

int main(int argc, char **argv)
{
	static const char *const dirs[] = { "build/tests/policy" };
	struct report report = { 0 };
	struct policy policy = { 0 };
	struct node *root = argc == 3 ? source_read(argv[1], &report) : NULL;
	void *bytes = NULL;
	size_t size;

	if (root)
		model_read(&policy, root, "tests/policy/keys", &report);
	if (root && !report.errors)
		facts_read_all(&policy, dirs, 1, &report);
	if (root && !report.errors)
		check_policy(&policy, &report);
	if (root && !report.errors)
		bytes = emit_policy(&policy, &size);
	report_print(&report, stderr);
	bool good = bytes && file_store(argv[2], bytes, size, 0644);
	free(bytes);
	policy_free(&policy);
	source_free(root);
	report_free(&report);
	return good ? 0 : 1;
}
