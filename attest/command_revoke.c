/* SPDX-License-Identifier: Apache-2.0 */
/* Revocations and result files: queued, and then waited for until the switch has answered. */
#include "command.h"
#include "command_pick.h"
#include "file.h"
#include "keyfile.h"
#include "key.h"
#include "report.h"
#include "revoke.h"
#include "session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_SECONDS_DEFAULT 60u
#define WAIT_SECONDS_MAX 86400u
#define LOOK_MS 50

/* Both of them besides 0, 1 and 2. */
#define STATUS_REFUSED_BY_SWITCH 3
#define STATUS_QUEUED 4

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_a_little(void)
{
	const struct timespec t = { .tv_nsec = LOOK_MS * 1000000 };

	nanosleep(&t, NULL);
}

/* It has not been answered: why, and what becomes of it. */
static int queued(struct store *s, int64_t machine, bool open, uint64_t seconds, struct fault *f)
{
	char shown[13];

	if (!pick_shown(s, machine, shown, f))
		return command_fail(f);
	if (open)
		printf("queued: machine %s has not answered in %llu s\n", shown, (unsigned long long)seconds);
	else
		printf("queued: machine %s has no session; it goes out when one has proved itself\n", shown);
	return STATUS_QUEUED;
}

/* A refusal that no other nonce and no newer instance would change. */
static bool is_final(const struct store_message *m)
{
	return m->answered && m->status != LZR_CTL_OK && m->status != LZR_CTL_WRONG_NONCE &&
	       m->status != LZR_CTL_WRONG_INSTANCE;
}

static int wait_for_block(struct store *s, const struct store_vm *which, uint64_t seconds, struct fault *f)
{
	const int64_t end = now_ms() + (int64_t)seconds * 1000;
	struct store_message m;
	struct store_vm vm;
	bool open, found;

	for (;;) {
		const bool over = now_ms() >= end;

		if (!store_session_open(s, which->machine, &open, f) ||
		    !store_find_vm(s, which->machine, which->name, &vm, f) ||
		    !store_last_revocation(s, vm.id, &m, &found, f))
			return command_fail(f);
		if (vm.end != STORE_END_OPERATOR) {
			fault_set(f, FAULT_REVOKED, vm.name, "a revocation that stays", "it was taken back meanwhile");
			return command_fail(f);
		}
		if (vm.end_confirmed) {
			printf("%s: blocked, confirmed by the switch\n", vm.name);
			return 0;
		}
		if (found && is_final(&m)) {
			printf("%s: the switch refused the revocation: %s; its port is %s; it gets no lease\n", vm.name,
			       report_control_status(m.status), report_port_state(m.port_state));
			return STATUS_REFUSED_BY_SWITCH;
		}
		if (!open || over)
			return queued(s, which->machine, open, seconds, f);
		pause_a_little();
	}
}

/* The VM's row is read again in the transaction: evidence may have come since it was picked. */
static bool revoke(struct store *s, struct key *key, struct store_vm *vm, struct fault *f)
{
	const bool ok = store_begin(s, f);

	return ok && store_end(s, store_find_vm(s, vm->machine, vm->name, vm, f) &&
				  revoke_vm(s, key, vm, STORE_END_OPERATOR, "by an operator", f), f);
}

static bool take_back(struct store *s, struct store_vm *vm, bool *was_ours, struct fault *f)
{
	if (!store_find_vm(s, vm->machine, vm->name, vm, f))
		return false;
	*was_ours = vm->end == STORE_END_OPERATOR;
	if (!*was_ours && vm->port_state != LZR_PORT_BLOCKED)
		return fault_set(f, FAULT_USAGE, vm->name, "a revoked VM", "it is not revoked");
	return store_undo_end(s, vm, f) &&
	       store_event(s, vm->machine, f, "vm=%s revocation taken back", vm->name);
}

static int undo(struct store *s, struct store_vm *vm, struct fault *f)
{
	bool was_ours = false;

	if (!store_begin(s, f) || !store_end(s, take_back(s, vm, &was_ours, f), f))
		return command_fail(f);
	if (!was_ours && revoke_lease_ran_out(vm))
		printf("%s: its lease ran out; a port that the policy shuts then opens when the VM starts anew, any "
		       "other with its next good evidence\n", vm->name);
	else
		printf("%s: %s; its next good evidence gets a lease again\n", vm->name,
		       was_ours ? "the revocation is taken back"
				: "no operator of this state closed its port, and that it is closed counts no longer");
	return 0;
}

static bool wait_seconds(const struct options *o, uint64_t *seconds, struct fault *f)
{
	*seconds = WAIT_SECONDS_DEFAULT;
	return !o->wait || command_number(o->wait, WAIT_SECONDS_MAX, seconds, "--wait", f);
}

static int revoke_and_wait(const struct options *o, struct store *s, struct fault *f)
{
	struct store_vm vm;
	uint64_t seconds;
	struct key key;
	bool ok;

	if (!wait_seconds(o, &seconds, f) || !store_open(s, o->state, f) || !store_writable(s, f) ||
	    !pick_vm(s, o->machine, o->vm, &vm, f))
		return command_fail(f);
	if (o->undo)
		return undo(s, &vm, f);
	if (!o->key) {
		fault_set(f, FAULT_USAGE, "--key", "the verifier's private key", "none");
		return command_fail(f);
	}
	key_init(&key);
	ok = keyfile_load(&key, o->key, o->passphrase_file, f) && revoke(s, &key, &vm, f);
	key_free(&key);
	return ok ? wait_for_block(s, &vm, seconds, f) : command_fail(f);
}

int command_revoke(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct fault f = { 0 };
	struct options o;
	int status;

	if (!command_parse(argc, argv, "state! key passphrase-file vm! machine undo wait", &o))
		return 2;
	status = revoke_and_wait(&o, &s, &f);
	store_close(&s);
	return status;
}

static int wait_for_answer(struct store *s, int64_t machine, int64_t id, uint64_t seconds, struct fault *f)
{
	const int64_t end = now_ms() + (int64_t)seconds * 1000;
	struct store_message m;
	bool open, found;

	for (;;) {
		const bool over = now_ms() >= end;

		if (!store_session_open(s, machine, &open, f) || !store_find_message(s, id, &m, &found, f))
			return command_fail(f);
		if (!found) {
			fault_set(f, FAULT_INPUT, s->path, "the message", "its machine was forgotten");
			return command_fail(f);
		}
		if (m.answered) {
			printf("the switch says: %s; the port is %s\n", report_control_status(m.status),
			       report_port_state(m.port_state));
			return m.status == LZR_CTL_OK ? 0 : STATUS_REFUSED_BY_SWITCH;
		}
		if (!open || over)
			return queued(s, machine, open, seconds, f);
		pause_a_little();
	}
}

static int send_and_wait(const struct options *o, struct store *s, struct fault *f)
{
	uint64_t port = LZR_PORT_OF_VM, seconds;
	struct store_machine machine;
	struct bytes content;
	int64_t id = 0;
	bool ok;

	if ((o->port && !command_number(o->port, UINT32_MAX, &port, "--port", f)) || !wait_seconds(o, &seconds, f) ||
	    !store_open(s, o->state, f) || !store_writable(s, f) || !pick_machine(s, o->machine, &machine, f) ||
	    !file_read(o->file, LZR_RESULT_SIZE, &content, f))
		return command_fail(f);
	ok = content.length == LZR_RESULT_SIZE ||
	     fault_set_number(f, FAULT_INPUT, o->file, LZR_RESULT_SIZE, content.length);
	ok = ok && store_begin(s, f) &&
	     store_end(s, store_post(s, machine.id, (uint32_t)port, content.data, &id, f) &&
				  store_event(s, machine.id, f, "result file %s queued", o->file), f);
	file_free(&content);
	return ok ? wait_for_answer(s, machine.id, id, seconds, f) : command_fail(f);
}

int command_send(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct fault f = { 0 };
	struct options o;
	int status;

	if (!command_parse(argc, argv, "state! file! port machine wait", &o))
		return 2;
	status = send_and_wait(&o, &s, &f);
	store_close(&s);
	return status;
}
