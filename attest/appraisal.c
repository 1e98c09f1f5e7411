/* SPDX-License-Identifier: Apache-2.0 */
#include "appraisal.h"

#include <stdlib.h>
#include <time.h>

/* UTC, RFC 3339, section 5.6 (date-time). */
static void utc(char *out, size_t size, int64_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	struct tm t;

	if (!gmtime_r(&seconds, &t) || !strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &t))
		snprintf(out, size, "at a time beyond the calendar");
}

static size_t print_revoked(FILE *out, const struct store_vm *vm, size_t count, bool json)
{
	char when[40];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (vm[i].end != STORE_END_OPERATOR)
			continue;
		utc(when, sizeof(when), vm[i].end_ms);
		if (json)
			fprintf(out, "%s\"%s\"", n ? "," : "", vm[i].name);
		else
			fprintf(out, "VM %s: revoked since %s: it gets no lease\n", vm[i].name, when);
		n++;
	}
	return n;
}

bool appraisal_print(FILE *out, struct store *s, const struct store_report *r, bool json, bool *good, struct fault *f)
{
	struct store_vm *vm = NULL;
	size_t count, revoked;
	char when[40];

	if (!store_list_vms(s, r->machine, &vm, &count, f))
		return false;
	utc(when, sizeof(when), r->at_ms);
	if (json)
		fprintf(out, "{\"appraised\":\"%s\",\"revoked\":[", when);
	else
		fprintf(out, "appraised %s\n%s", when, r->text);
	revoked = print_revoked(out, vm, count, json);
	if (json)               /* the report is an object itself: its members follow ours */
		fprintf(out, "],%s", r->json + 1);
	free(vm);
	*good = r->all_good && !revoked;
	return true;
}
