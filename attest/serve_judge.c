/* SPDX-License-Identifier: Apache-2.0 */
/* Appraisal in a session, and what follows from it for each VM: one transaction checks, decides, signs and queues. */
#include "file.h"
#include "report.h"
#include "result.h"
#include "revoke.h"
#include "serve_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_SECONDS 5         /* an editor's save is over by then */

/* --- what follows for a VM ---------------------------------------------------------------------------------------- */

/* Its statement was read, and is about the VM that the measured policy has at this place. */
static bool is_told(const struct vm_report *vm)
{
	return vm->decoded && strcmp(vm->name, vm->evidence.name) == 0;
}

static void fill_vm(const struct vm_report *from, int64_t machine, struct store_vm *vm)
{
	const struct evidence *e = &from->evidence;

	memset(vm, 0, sizeof(*vm));
	vm->machine = machine;
	snprintf(vm->name, sizeof(vm->name), "%s", from->name);
	vm->has_port = e->has_port && e->port.state != LZR_PORT_INFRASTRUCTURE;
	vm->port = e->has_port ? e->port.number : 0;
	vm->port_state = e->has_port ? e->port.state : LZR_PORT_DOWN;
	result_lease(e, 0, 0, &vm->told);
	vm->told.type = 0;
	if (!e->has_port)
		memset(vm->told.port_nonce, 0, sizeof(vm->told.port_nonce));
	fault_print(&from->fault, vm->verdict, sizeof(vm->verdict));
}

static bool end_lease(struct server *s, const struct store_vm *vm, enum store_end_kind kind, const char *reason,
		      struct fault *f)
{
	return revoke_vm(s->o->store, s->o->key, vm, kind, reason, f);
}

static bool has_nonce(const struct store_vm *vm)
{
	return vm->has_port && !bytes_all(vm->told.port_nonce, sizeof(vm->told.port_nonce), 0);
}

/* Blocked, and not by what this state did and has taken back: by another verifier, or before this state was made. */
static bool blocked_by_others(const struct store_vm *vm)
{
	const uint64_t instance = vm->told.instance;

	return vm->port_state == LZR_PORT_BLOCKED && vm->undone_instance != instance &&
	       !(vm->end == STORE_END_WITHDRAWN && vm->end_instance == instance);
}

static bool give_lease(struct server *s, const struct evidence *e, const struct store_vm *vm, struct fault *f)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct lzr_result lease;
	uint64_t serial;

	if (!store_next_serial(s->o->store, &serial, f))
		return false;
	result_lease(e, s->o->lease_ns, serial, &lease);
	return result_sign(s->o->key, &lease, message, f) && store_give_lease(s->o->store, vm, &lease, message, f) &&
	       store_event(s->o->store, s->machine, f, "vm=%s good lease serial=%" PRIu64 " port=%u", vm->name, serial,
			   e->port.number);
}

/* Revoked by an operator: whatever instance is there now is closed, not only the one that was. */
static bool keep_closed(struct server *s, const struct store_vm *vm, struct fault *f)
{
	const bool closed = vm->port_state != LZR_PORT_ADMITTED && vm->port_state != LZR_PORT_QUARANTINED;

	if (!store_event(s->o->store, s->machine, f, "vm=%s %s revoked", vm->name, vm->verdict))
		return false;
	return closed || !has_nonce(vm) || end_lease(s, vm, STORE_END_OPERATOR, vm->end_reason, f);
}

static bool refuse_vm(struct server *s, const struct store_vm *vm, struct fault *f)
{
	if (!store_event(s->o->store, s->machine, f, "vm=%s refused %s", vm->name, vm->verdict))
		return false;
	return !revoke_has_lease(vm) || !has_nonce(vm) || end_lease(s, vm, STORE_END_WITHDRAWN, vm->verdict, f);
}

/* Nothing new is known of the VM: what it has rests on what was told before. */
static bool refuse_untold(struct server *s, const struct vm_report *from, struct fault *f)
{
	struct fault unknown = { 0 };
	char why[STORE_REASON_MAX];
	struct store_vm vm;

	fault_print(&from->fault, why, sizeof(why));
	if (store_find_vm(s->o->store, s->machine, from->name, &vm, &unknown)) {
		memcpy(vm.verdict, why, sizeof(vm.verdict));
		return vm.end == STORE_END_OPERATOR ? keep_closed(s, &vm, f) : refuse_vm(s, &vm, f);
	}
	if (unknown.code != FAULT_USAGE) {
		*f = unknown;
		return false;
	}
	return store_event(s->o->store, s->machine, f, "vm=%s refused %s", from->name, why);
}

static bool settle(struct server *s, const struct vm_report *from, struct fault *f)
{
	const struct evidence *e = &from->evidence;
	struct store *store = s->o->store;
	struct store_vm vm;

	if (!is_told(from))
		return refuse_untold(s, from, f);
	fill_vm(from, s->machine, &vm);
	if (!store_see_vm(store, &vm, f))
		return false;
	if (vm.end == STORE_END_OPERATOR)
		return keep_closed(s, &vm, f);
	if (from->fault.code != FAULT_GOOD)
		return refuse_vm(s, &vm, f);
	if (!vm.has_port || bytes_all(e->port.nonce, LZR_PORT_NONCE_SIZE, 0))
		return store_event(store, s->machine, f, "vm=%s good no-lease", vm.name);
	if (blocked_by_others(&vm))
		return store_event(store, s->machine, f,
				   revoke_lease_ran_out(&vm)
					   ? "vm=%s good no-lease: its lease ran out, and its port is shut since then: "
					     "it opens when the VM starts anew"
					   : "vm=%s good no-lease: its port is blocked, and not by this state; "
					     "revoke --undo lifts it",
				   vm.name);
	return give_lease(s, e, &vm, f);
}

/* Nothing of the machine is good any more. */
static bool end_all(struct server *s, const char *reason, struct fault *f)
{
	struct store_vm *vms;
	size_t count;
	bool ok = store_list_vms(s->o->store, s->machine, &vms, &count, f);

	for (size_t i = 0; ok && i < count; i++)
		if (vms[i].end != STORE_END_OPERATOR && revoke_has_lease(&vms[i]) && has_nonce(&vms[i]))
			ok = end_lease(s, &vms[i], STORE_END_WITHDRAWN, reason, f);
	free(vms);
	return ok;
}

/* --- appraisal ---------------------------------------------------------------------------------------------------- */

static bool print_report(struct server *s, struct store_report *r)
{
	char **const out[] = { &r->text, &r->json };
	size_t length;

	for (int json = 0; json <= 1; json++) {
		FILE *file = open_memstream(out[json], &length);

		if (!file)
			return false;
		(json ? report_print_json : report_print)(file, &s->report, s->reference);
		if (fclose(file) != 0)
			return false;
	}
	return true;
}

/* The bundle with the nonce that it answers, so that it can be checked again, by `lzr-verify check` or by others. */
static bool save_report(struct server *s, struct bytes bundle, const uint8_t nonce[NONCE_MIN], struct fault *f)
{
	struct store_report r = { .machine = s->machine, .bundle = bundle, .nonce_length = NONCE_MIN };
	struct timespec t;
	bool ok;

	clock_gettime(CLOCK_REALTIME, &t);
	r.at_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	memcpy(r.nonce, nonce, NONCE_MIN);
	r.platform_good = r.all_good = s->report.platform.code == FAULT_GOOD;
	for (size_t i = 0; i < s->report.vm_count; i++)
		r.all_good = r.all_good && s->report.vm[i].fault.code == FAULT_GOOD;
	ok = print_report(s, &r) ? store_save_report(s->o->store, &r, f)
				 : fault_set(f, FAULT_INPUT, "report", "memory", "none");
	free(r.text);
	free(r.json);
	return ok;
}

/*
 * Refused for a reference value, and for nothing before that: the quote is this machine's, over our nonce.  Leases that
 * an older reference file gave end.
 */
static bool is_withdrawn(const struct fault *f)
{
	return f->code == FAULT_REFERENCE || f->code == FAULT_REFERENCE_MISSING || f->code == FAULT_DEVELOPMENT_KEY;
}

static bool appraise(struct server *s, struct bytes bundle, const uint8_t nonce[NONCE_MIN], const struct ak_record *ak)
{
	const struct verify_request request = {
		.bundle = bundle,
		.nonce = { nonce, NONCE_MIN },
		.release = RELEASE_NETWORK,
		.reference = s->reference,
		.ak = ak,
		.allow_development_key = s->o->allow_development_key,
	};

	return verify_bundle(&request, &s->report);
}

/* In a transaction. */
static bool conclude(struct server *s, struct bytes bundle, struct fault *f)
{
	const bool good = s->report.platform.code == FAULT_GOOD;
	char reason[STORE_REASON_MAX];

	if (!save_report(s, bundle, s->nonce, f))
		return false;
	if (!good && !is_withdrawn(&s->report.platform))
		return true;
	if (!store_session_proven(s->o->store, s->machine, f))
		return false;
	if (!good) {
		fault_print(&s->report.platform, reason, sizeof(reason));
		return end_all(s, reason, f);
	}
	if (!store_raise_clock(s->o->store, s->machine, &s->report.quote, f))
		return false;
	for (size_t i = 0; i < s->report.vm_count; i++)
		if (!settle(s, &s->report.vm[i], f))
			return false;
	return true;
}

static bool keep_bundle(struct server *s, struct bytes bundle, struct fault *f)
{
	free(s->last);
	s->last_length = 0;
	s->last = malloc(bundle.length);
	if (!s->last)
		return fault_set(f, FAULT_INPUT, "session", "memory", "none");
	memcpy(s->last, bundle.data, bundle.length);
	memcpy(s->last_nonce, s->nonce, sizeof(s->last_nonce));
	s->last_length = bundle.length;
	return true;
}

/* The machine that said hello, or nobody's. */
static bool check_speaker(struct server *s, struct bytes bundle, struct fault *f)
{
	const struct bytes name = verify_ak_name(bundle);

	if (name.length == 0 || bytes_equal(name, (struct bytes){ s->ak_name, s->ak_name_length }))
		return true;
	return fault_set_digest(f, FAULT_AK_NAME, "attestation key of the evidence, as hello named it", s->ak_name,
				name.data, name.length < s->ak_name_length ? name.length : s->ak_name_length);
}

bool serve_evidence(struct server *s, struct bytes bundle, struct fault *f)
{
	struct ak_record ak;

	if (s->nonce_until < serve_now())
		return fault_set(f, FAULT_PROTOCOL, "session", "evidence for an outstanding nonce",
				 "none is outstanding");
	s->nonce_until = 0;
	if (!serve_watch(s, f))
		return false;
	if (s->unreadable_since)
		return store_event(s->o->store, s->machine, f, "not appraised: the reference file cannot be read");
	if (!check_speaker(s, bundle, f))
		return serve_refuse(s, f);
	if (!store_load_ak(s->o->store, (struct bytes){ s->ak_name, s->ak_name_length }, &ak, f))
		return false;
	appraise(s, bundle, s->nonce, &ak);
	if (!store_begin(s->o->store, f) || !store_end(s->o->store, conclude(s, bundle, f), f))
		return false;
	if (s->report.platform.code == FAULT_GOOD) {
		s->proven = true;
		s->evidence_until = 0;
		serve_expect_evidence(s, s->o->lease_ns / 1000000000u);
		return keep_bundle(s, bundle, f);
	}
	*f = s->report.platform;
	if (!is_withdrawn(f))
		return serve_refuse(s, f);
	s->proven = true;
	s->closing = *f;
	*f = (struct fault){ 0 };
	return true;
}

/* --- reference values that change --------------------------------------------------------------------------------- */

static bool withdraw_vm(struct server *s, const struct vm_report *from, struct fault *f)
{
	struct fault unknown = { 0 };
	struct store_vm vm;

	if (from->fault.code == FAULT_GOOD)
		return true;
	if (!store_find_vm(s->o->store, s->machine, from->name, &vm, &unknown)) {
		if (unknown.code != FAULT_USAGE)
			*f = unknown;
		return unknown.code == FAULT_USAGE;
	}
	fault_print(&from->fault, vm.verdict, sizeof(vm.verdict));
	return vm.end == STORE_END_OPERATOR || refuse_vm(s, &vm, f);
}

/* In a transaction.  Takes away only: what has become good again waits for the next evidence. */
static bool withdraw(struct server *s, struct fault *f)
{
	char reason[STORE_REASON_MAX];

	if (!store_event(s->o->store, s->machine, f, "reference values changed") ||
	    !save_report(s, (struct bytes){ s->last, s->last_length }, s->last_nonce, f))
		return false;
	if (s->report.platform.code != FAULT_GOOD) {
		fault_print(&s->report.platform, reason, sizeof(reason));
		s->closing = s->report.platform;
		return end_all(s, reason, f);
	}
	for (size_t i = 0; i < s->report.vm_count; i++)
		if (!withdraw_vm(s, &s->report.vm[i], f))
			return false;
	return true;
}

/* The last good bundle again, by the values as they are now; its clock is no news. */
static bool judge_again(struct server *s, struct fault *f)
{
	struct ak_record ak;

	if (!s->last_length)
		return true;
	if (!store_load_ak(s->o->store, (struct bytes){ s->ak_name, s->ak_name_length }, &ak, f))
		return false;
	ak.clock_ms = 0;
	ak.reset_count = ak.restart_count = 0;
	appraise(s, (struct bytes){ s->last, s->last_length }, s->last_nonce, &ak);
	return store_begin(s->o->store, f) && store_end(s->o->store, withdraw(s, f), f);
}

/*
 * Nothing is appraised by a file that cannot be read.  What rests on what it said before is closed when it stays so:
 * a file that is being written is not read whole for a moment.
 */
static bool unreadable(struct server *s, const struct fault *why, struct fault *f)
{
	const unsigned int grace = s->o->grace_seconds ? s->o->grace_seconds : GRACE_SECONDS;
	char reason[STORE_REASON_MAX];
	bool ok;

	if (!s->unreadable_since)
		s->unreadable_since = serve_now();
	fault_print(why, reason, sizeof(reason));
	if (!s->unreadable_told) {
		s->unreadable_told = true;
		fprintf(stderr, "lzr-verify: nothing is admitted: %s\n", reason);
		if (!store_event(s->o->store, s->machine, f, "nothing is admitted: %s", reason))
			return false;
	}
	if (s->unreadable_ended || !s->proven || serve_now() < s->unreadable_since + (time_t)grace)
		return true;
	s->unreadable_ended = true;
	fprintf(stderr, "lzr-verify: all leases end: %s\n", reason);
	if (!store_begin(s->o->store, f))
		return false;
	ok = store_event(s->o->store, s->machine, f, "all leases end: %s", reason) && end_all(s, reason, f);
	return store_end(s->o->store, ok, f);
}

/* The file's values into s->read; `changed` if they differ from those that were read before. */
static bool read_again(struct server *s, bool *changed, struct fault *why)
{
	uint8_t digest[SHA384_SIZE];
	struct reference *now = malloc(sizeof(*now));
	struct bytes text;

	*changed = false;
	if (!now)
		return fault_set(why, FAULT_INPUT, s->o->reference_path, "memory", "none");
	if (!file_read(s->o->reference_path, REFERENCE_FILE_MAX, &text, why) ||
	    !reference_parse(text, s->o->reference_path, now, why)) {
		file_free(&text);
		free(now);
		return false;
	}
	sha384(digest, text.data, text.length);
	file_free(&text);
	*changed = memcmp(digest, s->reference_digest, sizeof(digest)) != 0;
	memcpy(s->reference_digest, digest, sizeof(digest));
	free(s->read);
	s->read = now;
	s->reference = now;
	return true;
}

bool serve_watch(struct server *s, struct fault *f)
{
	struct fault why = { 0 };
	bool changed;

	if (!s->o->reference_path)
		return true;
	s->looked = serve_now();
	if (!read_again(s, &changed, &why))
		return unreadable(s, &why, f);
	if (s->unreadable_since &&
	    !store_event(s->o->store, s->machine, f, "the reference file can be read again"))
		return false;
	s->unreadable_since = 0;
	s->unreadable_told = s->unreadable_ended = false;
	return !changed || judge_again(s, f);
}
