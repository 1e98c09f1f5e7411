/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"
#include "store_sql.h"

#include <stdlib.h>
#include <string.h>

#define SELECT_VM \
	"SELECT v.id, v.machine, v.name, v.seen_ms, v.has_port, v.told, v.port, v.port_state, v.verdict, v.undone," \
	" l.ends_ms, l.result, r.kind, r.instance, r.confirmed, r.reason, r.who, r.made_ms" \
	" FROM vm v LEFT JOIN lease l ON l.vm = v.id LEFT JOIN revocation r ON r.vm = v.id"

static bool is_null(struct sql *q, int column)
{
	return sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

static void read_vm(struct sql *q, struct store_vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	vm->id = sql_int(q, 0);
	vm->machine = sql_int(q, 1);
	sql_text(q, 2, vm->name, sizeof(vm->name));
	vm->seen_ms = sql_int(q, 3);
	vm->has_port = sql_int(q, 4);
	sql_fixed(q, 5, &vm->told, sizeof(vm->told));
	vm->port = (uint32_t)sql_int(q, 6);
	vm->port_state = (uint32_t)sql_int(q, 7);
	sql_text(q, 8, vm->verdict, sizeof(vm->verdict));
	vm->undone_instance = (uint64_t)sql_int(q, 9);
	vm->has_lease = !is_null(q, 10);
	if (vm->has_lease) {
		vm->lease_ends_ms = sql_int(q, 10);
		sql_fixed(q, 11, &vm->lease, sizeof(vm->lease));
	}
	if (is_null(q, 12))
		return;
	vm->end = (enum store_end_kind)sql_int(q, 12);
	vm->end_instance = (uint64_t)sql_int(q, 13);
	vm->end_confirmed = sql_int(q, 14);
	sql_text(q, 15, vm->end_reason, sizeof(vm->end_reason));
	sql_text(q, 16, vm->end_by, sizeof(vm->end_by));
	vm->end_ms = sql_int(q, 17);
}

static bool find(struct store *s, int64_t machine, const char *name, struct store_vm *out, bool *found, struct fault *f)
{
	struct sql q;

	sql_open(&q, s, f, SELECT_VM " WHERE v.machine = ? AND v.name = ?", "it", machine, name);
	*found = sql_row(&q);
	if (*found)
		read_vm(&q, out);
	return sql_close(&q);
}

bool store_find_vm(struct store *s, int64_t machine, const char *name, struct store_vm *out, struct fault *f)
{
	bool found;

	if (!find(s, machine, name, out, &found, f))
		return false;
	return found || fault_set(f, FAULT_USAGE, "VM", "one that the machine's evidence has named", name);
}

bool store_list_vms(struct store *s, int64_t machine, struct store_vm **out, size_t *count, struct fault *f)
{
	struct sql q;

	*out = NULL;
	*count = 0;
	sql_open(&q, s, f, SELECT_VM " WHERE ? IN (0, v.machine) ORDER BY v.machine, v.id", "i", machine);
	while (sql_row(&q)) {
		struct store_vm *more = realloc(*out, (*count + 1) * sizeof(**out));

		if (!more) {
			q.bad = !store_fault(s, f, "no memory");
			break;
		}
		*out = more;
		read_vm(&q, &more[(*count)++]);
	}
	if (sql_close(&q))
		return true;
	free(*out);
	*out = NULL;
	*count = 0;
	return false;
}

/*
 * The nonce that a revocation must name: the newest that evidence showed.  The switch has it outstanding, or keeps it
 * as the one its lease was for; where evidence shows none, it is the one before that.
 */
static void keep_nonce(struct store_vm *vm, const struct store_vm *before)
{
	if (bytes_all(vm->told.port_nonce, sizeof(vm->told.port_nonce), 0) &&
	    before->told.instance == vm->told.instance)
		memcpy(vm->told.port_nonce, before->told.port_nonce, sizeof(vm->told.port_nonce));
}

bool store_see_vm(struct store *s, struct store_vm *vm, struct fault *f)
{
	struct store_vm before;
	bool known;

	if (!find(s, vm->machine, vm->name, &before, &known, f))
		return false;
	if (known)
		keep_nonce(vm, &before);
	return sql_run(s, f,
		       "INSERT INTO vm (machine, name, seen_ms, has_port, told, port, port_state, verdict)"
		       " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (machine, name) DO UPDATE SET"
		       " seen_ms = excluded.seen_ms, has_port = excluded.has_port, told = excluded.told,"
		       " port = excluded.port, port_state = excluded.port_state, verdict = excluded.verdict,"
		       " undone = iif(excluded.port_state = ?, 0, undone)",
		       "itiibiiti", vm->machine, vm->name, store_now_ms(), (int64_t)vm->has_port,
		       (struct bytes){ (const uint8_t *)&vm->told, sizeof(vm->told) }, (int64_t)vm->port,
		       (int64_t)vm->port_state, vm->verdict, (int64_t)LZR_PORT_ADMITTED) &&
	       sql_run(s, f,
		       "UPDATE revocation SET confirmed = 1 WHERE ?1 = ?2 AND instance = ?3"
		       " AND vm IN (SELECT id FROM vm WHERE machine = ?4 AND name = ?5)",
		       "iiuit", (int64_t)vm->port_state, (int64_t)LZR_PORT_BLOCKED, vm->told.instance, vm->machine,
		       vm->name) &&
	       store_find_vm(s, vm->machine, vm->name, vm, f);
}

static bool queue(struct store *s, const struct store_vm *vm, enum store_message_kind kind, uint64_t serial,
		  uint32_t port, const uint8_t message[LZR_RESULT_SIZE], int64_t session, struct fault *f)
{
	return sql_run(s, f,
		       "INSERT INTO outbox (machine, vm, kind, serial, port, message, made_ms, session)"
		       " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		       "iiiuibin", vm->machine, vm->id, (int64_t)kind, serial, (int64_t)port,
		       (struct bytes){ message, LZR_RESULT_SIZE }, store_now_ms(), session);
}

bool store_give_lease(struct store *s, const struct store_vm *vm, const struct lzr_result *lease,
		      const uint8_t message[LZR_RESULT_SIZE], struct fault *f)
{
	const int64_t ends = store_now_ms() + (int64_t)(lease->duration_ns / 1000000);

	if (!s->session)
		return store_fault(s, f, "a lease without a session");
	return sql_run(s, f, "INSERT OR REPLACE INTO lease (vm, serial, ends_ms, result) VALUES (?, ?, ?, ?)", "iuib",
		       vm->id, lease->serial, ends, (struct bytes){ (const uint8_t *)lease, sizeof(*lease) }) &&
	       sql_run(s, f,
		       "UPDATE vm SET undone = (SELECT instance FROM revocation WHERE vm = ?1 AND kind = 2)"
		       " WHERE id = ?1 AND id IN (SELECT vm FROM revocation WHERE kind = 2)",
		       "i", vm->id) &&
	       sql_run(s, f, "DELETE FROM revocation WHERE vm = ? AND kind = 2", "i", vm->id) &&
	       queue(s, vm, STORE_MESSAGE_LEASE, lease->serial, vm->port, message, s->session, f);
}

bool store_end_lease(struct store *s, const struct store_vm *vm, enum store_end_kind kind, const char *reason,
		     const struct lzr_result *revocation, const uint8_t message[LZR_RESULT_SIZE], struct fault *f)
{
	char by[STORE_BY_MAX];

	store_operator(by);
	return sql_run(s, f,
		       "INSERT INTO revocation (vm, kind, instance, reason, who, made_ms) VALUES (?, ?, ?, ?, ?, ?)"
		       " ON CONFLICT (vm) DO UPDATE SET instance = excluded.instance, confirmed = 0,"
		       " kind = min(kind, excluded.kind),"
		       " reason = iif(excluded.kind < kind OR kind = 2, excluded.reason, reason),"
		       " who = iif(excluded.kind < kind OR kind = 2, excluded.who, who),"
		       " made_ms = iif(excluded.kind < kind OR kind = 2, excluded.made_ms, made_ms)",
		       "iiutti", vm->id, (int64_t)kind, revocation->instance, reason, by, store_now_ms()) &&
	       sql_run(s, f, "UPDATE lease SET ends_ms = 0 WHERE vm = ?", "i", vm->id) &&
	       sql_run(s, f, "UPDATE vm SET undone = 0 WHERE id = ?", "i", vm->id) &&
	       sql_run(s, f, "DELETE FROM outbox WHERE vm = ? AND sent_ms IS NULL", "i", vm->id) &&
	       queue(s, vm, STORE_MESSAGE_REVOCATION, revocation->serial, LZR_PORT_OF_VM, message, 0, f);
}

bool store_undo_end(struct store *s, const struct store_vm *vm, struct fault *f)
{
	return sql_run(s, f, "DELETE FROM revocation WHERE vm = ?", "i", vm->id) &&
	       sql_run(s, f, "DELETE FROM outbox WHERE vm = ? AND kind = 2 AND sent_ms IS NULL", "i", vm->id) &&
	       sql_run(s, f, "UPDATE vm SET undone = ? WHERE id = ?", "ui", vm->told.instance, vm->id);
}
