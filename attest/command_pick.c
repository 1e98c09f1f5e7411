/* SPDX-License-Identifier: Apache-2.0 */
#include "command_pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIGITS_MIN 4u
#define FAR 3u          /* more changes than that make another word */

static bool begins(const struct store_machine *m, const char *wanted)
{
	char hex[2 * TPM_NAME_MAX + 1];
	const size_t n = strlen(wanted);

	hex_encode(hex, m->ak.name, m->ak.name_length);
	return n >= DIGITS_MIN && (strncmp(hex, wanted, n) == 0 || strncmp(hex + 4, wanted, n) == 0);
}

/* As many names as fit. */
static void list_names(const struct store_machine *list, size_t count, char *out, size_t size)
{
	size_t used = 0;

	snprintf(out, size, "none is enrolled");
	for (size_t i = 0; i < count && used + 20 < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", list[i].shown);
}

bool pick_machine(struct store *s, const char *wanted, struct store_machine *out, struct fault *f)
{
	struct store_machine *list;
	size_t count, found = 0;
	char names[180];

	if (!store_list_machines(s, &list, &count, f))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!wanted || begins(&list[i], wanted)) {
			*out = list[i];
			found++;
		}
	list_names(list, count, names, sizeof(names));
	free(list);
	if (found == 1)
		return true;
	if (!wanted)
		return fault_set(f, FAULT_USAGE, "--machine", "the machine's name: there is not just one", names);
	return fault_set_text(f, FAULT_USAGE, "--machine",
			      found ? "more digits" : "the first digits of a machine's name",
			      "%.60s; there are: %s", wanted, names);
}

bool pick_shown(struct store *s, int64_t machine, char out[13], struct fault *f)
{
	struct store_machine *list;
	size_t count;

	strcpy(out, "-");
	if (!store_list_machines(s, &list, &count, f))
		return false;
	for (size_t i = 0; i < count; i++)
		if (list[i].id == machine)
			memcpy(out, list[i].shown, sizeof(list[i].shown));
	free(list);
	return true;
}

/* Letters to add, take away or change; names are short. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[LZR_NAME_MAX + 1];
	const size_t n = strnlen(b, LZR_NAME_MAX);

	for (unsigned int j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i + 1;
		for (size_t j = 1; j <= n; j++) {
			unsigned int best = diagonal + (a[i] != b[j - 1]);

			best = row[j] + 1 < best ? row[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[n];
}

static bool unknown_vm(const struct store_vm *list, size_t count, const char *name, struct fault *f)
{
	const char *nearest = NULL;
	unsigned int least = FAR + 1;

	for (size_t i = 0; i < count; i++) {
		const unsigned int d = distance(name, list[i].name);

		if (d < least) {
			least = d;
			nearest = list[i].name;
		}
	}
	if (nearest)
		return fault_set_text(f, FAULT_USAGE, "--vm", "a VM that evidence has named",
				      "%.60s; did you mean %s?", name, nearest);
	return fault_set_text(f, FAULT_USAGE, "--vm", "a VM that evidence has named (lzr-verify status lists them)",
			      "%.60s", name);
}

static bool choose_vm(struct store *s, const struct store_vm *list, size_t count, const char *name,
		      struct store_vm *out, struct fault *f)
{
	char where[180] = "", shown[13];
	size_t found = 0, used = 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, name) != 0)
			continue;
		*out = list[i];
		found++;
		if (!pick_shown(s, list[i].machine, shown, f))
			return false;
		if (used + 20 < sizeof(where))
			used += (size_t)snprintf(where + used, sizeof(where) - used, "%s%s", used ? ", " : "", shown);
	}
	if (found == 0)
		return unknown_vm(list, count, name, f);
	return found == 1 || fault_set(f, FAULT_USAGE, "--machine", "the machine: several have this VM", where);
}

bool pick_vm(struct store *s, const char *machine, const char *name, struct store_vm *out, struct fault *f)
{
	struct store_machine m = { .id = 0 };
	struct store_vm *list;
	size_t count;
	bool ok;

	if ((machine && !pick_machine(s, machine, &m, f)) || !store_list_vms(s, m.id, &list, &count, f))
		return false;
	ok = choose_vm(s, list, count, name, out, f);
	free(list);
	return ok;
}

void pick_time(int64_t ms, char out[32])
{
	const time_t seconds = (time_t)(ms / 1000);
	struct tm t;

	if (!ms || !localtime_r(&seconds, &t) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &t))
		strcpy(out, "never");
}
