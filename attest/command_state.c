/* SPDX-License-Identifier: Apache-2.0 */
/* The state as a whole: making one, looking into it, forgetting a machine. */
#include "command.h"
#include "command_pick.h"
#include "file.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int command_init(int argc, char **argv)
{
	struct fault f = { 0 };
	struct options o;

	if (!command_parse(argc, argv, "state!", &o))
		return 2;
	if (!store_init(o.state, &f))
		return command_fail(&f);
	printf("%s: a new state, format %d; no TPM may enrol yet (lzr-verify approve)\n", o.state, STORE_FORMAT);
	return 0;
}

static void put_vm(const struct store_vm *vm)
{
	char when[32];

	printf("    %-16s port %s", vm->name,
	       vm->has_port ? report_port_state(vm->port_state) : "none that takes leases");
	if (vm->end == STORE_END_OPERATOR || vm->end == STORE_END_WITHDRAWN) {
		pick_time(vm->end_ms, when);
		printf(", %s %s by %s (%s), %s by the switch",
		       vm->end == STORE_END_OPERATOR ? "REVOKED" : "lease ended", when, vm->end_by,
		       vm->end_reason, vm->end_confirmed ? "confirmed" : "NOT confirmed");
	} else if (vm->has_lease && vm->lease_ends_ms) {
		pick_time(vm->lease_ends_ms, when);
		printf(", lease %llu until %s", (unsigned long long)vm->lease.serial, when);
	}
	printf("\n        %s\n", vm->verdict);
}

static bool put_machine(struct store *s, const struct store_machine *m, struct fault *f)
{
	char hex[2 * TPM_NAME_MAX + 1], enrolled[32], proven[32], by[32] = "by one that was removed";
	struct store_vm *list;
	size_t count;

	hex_encode(hex, m->ak.name, m->ak.name_length);
	pick_time(m->enrolled_ms, enrolled);
	pick_time(m->proven_ms, proven);
	if (m->approval)
		snprintf(by, sizeof(by), "by approval %lld", (long long)m->approval);
	printf("machine %s: %s\n    AK %s\n    EK ", m->shown, m->open ? "session open" : "no session", hex);
	for (size_t i = 0; i < SHA384_SIZE; i++)
		printf("%02x", m->ak.ek[i]);
	printf("\n    enrolled %s %s; last good evidence %s\n", enrolled, by, proven);
	if (!store_list_vms(s, m->id, &list, &count, f))
		return false;
	for (size_t i = 0; i < count; i++)
		put_vm(&list[i]);
	free(list);
	return true;
}

static bool status(const struct options *o, struct store *s, struct fault *f)
{
	struct store_machine *list, one;
	size_t count;
	bool ok;

	if (!store_open(s, o->state, f))
		return false;
	if (o->machine)
		return pick_machine(s, o->machine, &one, f) && put_machine(s, &one, f);
	ok = store_list_machines(s, &list, &count, f);
	if (ok && count == 0)
		printf("no machine is enrolled\n");
	for (size_t i = 0; ok && i < count; i++)
		ok = put_machine(s, &list[i], f);
	free(list);
	return ok;
}

int command_status(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct fault f = { 0 };
	struct options o;
	bool ok;

	if (!command_parse(argc, argv, "state! machine", &o))
		return 2;
	ok = status(&o, &s, &f);
	store_close(&s);
	return ok ? 0 : command_fail(&f);
}

static void put_event(void *context, int64_t at_ms, const char *machine, const char *text)
{
	(void)context;
	printf("%lld.%03lld %s %s\n", (long long)(at_ms / 1000), (long long)(at_ms % 1000), machine, text);
}

int command_events(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct fault f = { 0 };
	struct options o;
	int64_t last;
	bool ok;

	if (!command_parse(argc, argv, "state!", &o))
		return 2;
	ok = store_open(&s, o.state, &f) && store_each_event(&s, 0, put_event, NULL, &last, &f);
	store_close(&s);
	return ok ? 0 : command_fail(&f);
}

static bool bundle(const struct options *o, struct store *s, struct fault *f)
{
	struct store_machine machine = { .id = 0 };
	struct store_report r;
	struct stat st;
	bool ok;

	if (lstat(o->out, &st) == 0)
		return fault_set(f, FAULT_INPUT, o->out, "a path where nothing is yet", "something is there");
	if (!store_open(s, o->state, f) || (o->machine && !pick_machine(s, o->machine, &machine, f)) ||
	    !store_load_report(s, machine.id, &r, f))
		return false;
	ok = file_write(o->out, r.bundle, f);
	for (size_t i = 0; ok && i < r.nonce_length; i++)
		printf("%02x", r.nonce[i]);
	if (ok)
		putchar('\n');
	store_free_report(&r);
	return ok;
}

int command_bundle(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct fault f = { 0 };
	struct options o;
	bool ok;

	if (!command_parse(argc, argv, "state! machine out!", &o))
		return 2;
	ok = bundle(&o, &s, &f);
	store_close(&s);
	return ok ? 0 : command_fail(&f);
}

/* What an operator closed does not open because its machine was forgotten. */
static bool no_vm_is_revoked(struct store *s, int64_t machine, struct fault *f)
{
	struct store_vm *list;
	size_t count;
	bool ok = store_list_vms(s, machine, &list, &count, f);

	for (size_t i = 0; ok && i < count; i++)
		if (list[i].end == STORE_END_OPERATOR)
			ok = fault_set(f, FAULT_USAGE, list[i].name,
				       "no revoked VM on a machine to forget (lzr-verify revoke --undo)",
				       "it is revoked");
	free(list);
	return ok;
}

static bool forget(struct store *s, const char *wanted, struct store_machine *machine, struct fault *f)
{
	return pick_machine(s, wanted, machine, f) && no_vm_is_revoked(s, machine->id, f) &&
	       store_event(s, machine->id, f, "forgotten by an operator") &&
	       store_forget_machine(s, machine->id, f);
}

int command_forget(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct store_machine machine;
	struct fault f = { 0 };
	struct options o;
	bool ok;

	if (!command_parse(argc, argv, "state! machine!", &o))
		return 2;
	ok = store_open(&s, o.state, &f) && store_begin(&s, &f) &&
	     store_end(&s, forget(&s, o.machine, &machine, &f), &f);
	store_close(&s);
	if (!ok)
		return command_fail(&f);
	printf("machine %s is forgotten; its TPM may enrol again as far as it is approved (lzr-verify approvals)\n",
	       machine.shown);
	return 0;
}
