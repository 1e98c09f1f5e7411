/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session is alive while its process holds a lock on one byte of the state file, far behind everything in it: the
 * kernel lets go when the process ends, however that happens, and no number of a process can be taken for another's.
 */
#define _GNU_SOURCE
#include "session.h"
#include "store_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_FIRST ((int64_t)1 << 62)   /* SQLite's own are near 2^30 */
#define TRIM_EVERY 64
#define SELECT_MESSAGE \
	"SELECT id, machine, coalesce(vm, 0), kind, serial, port, message, coalesce(sent_ms, 0)," \
	" answered_ms IS NOT NULL, coalesce(status, 0), coalesce(port_state, 0) FROM outbox"

static bool lock_session(struct store *s, int64_t id, struct fault *f)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_FIRST + id, .l_len = 1 };

	return fcntl(s->lock_fd, F_OFD_SETLK, &lock) == 0 || store_fault(s, f, strerror(errno));
}

static bool is_alive(struct store *s, int64_t id)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_FIRST + id, .l_len = 1 };

	if (id == s->session)
		return true;
	return fcntl(s->lock_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* What it was for is kept: only a lease is for its session alone. */
bool store_release_session(struct store *s, int64_t id, struct fault *f)
{
	return sql_run(s, f, "DELETE FROM outbox WHERE session = ? AND kind = 1 AND answered_ms IS NULL", "i", id) &&
	       sql_run(s, f,
		       "UPDATE outbox SET session = NULL, sent_ms = NULL WHERE session = ? AND answered_ms IS NULL",
		       "i", id) &&
	       sql_run(s, f, "DELETE FROM session WHERE id = ?", "i", id);
}

/* The numbers of sessions that `text` selects, in memory that the caller frees. */
static bool list_sessions(struct store *s, const char *text, int64_t machine, int64_t **out, size_t *count,
			  struct fault *f)
{
	struct sql q;

	*out = NULL;
	*count = 0;
	sql_open(&q, s, f, text, "i", machine);
	while (sql_row(&q)) {
		int64_t *more = realloc(*out, (*count + 1) * sizeof(**out));

		if (!more) {
			q.bad = !store_fault(s, f, "no memory");
			break;
		}
		*out = more;
		more[(*count)++] = sql_int(&q, 0);
	}
	return sql_close(&q);
}

static bool release_dead(struct store *s, struct fault *f)
{
	int64_t *ids;
	size_t count;
	bool ok = list_sessions(s, "SELECT id FROM session WHERE ?1 = 0", 0, &ids, &count, f);

	for (size_t i = 0; ok && i < count; i++)
		ok = is_alive(s, ids[i]) || store_release_session(s, ids[i], f);
	free(ids);
	return ok;
}

bool store_session_begin(struct store *s, struct fault *f)
{
	bool ok;

	if (!store_begin(s, f))
		return false;
	ok = release_dead(s, f) && sql_run(s, f, "INSERT INTO session (began_ms) VALUES (?)", "i", store_now_ms());
	if (ok) {
		s->session = sqlite3_last_insert_rowid(s->db);
		ok = lock_session(s, s->session, f);
	}
	if (store_end(s, ok, f))
		return true;
	s->session = 0;
	return false;
}

bool store_session_proven(struct store *s, int64_t machine, struct fault *f)
{
	int64_t *ids;
	size_t count;
	bool ok;

	if (!sql_run(s, f, "UPDATE session SET machine = ?, proven_ms = ? WHERE id = ?", "iii", machine, store_now_ms(),
		     s->session))
		return false;
	if (sqlite3_changes(s->db) != 1)
		return fault_set(f, FAULT_PROTOCOL, "session", "the machine's newest session",
				 "another one has proved itself since");
	ok = list_sessions(s, "SELECT id FROM session WHERE machine = ? AND proven_ms IS NOT NULL", machine, &ids,
			   &count, f);
	for (size_t i = 0; ok && i < count; i++)
		ok = ids[i] == s->session || store_release_session(s, ids[i], f);
	free(ids);
	return ok;
}

bool store_session_current(struct store *s, int64_t machine, bool *current, struct fault *f)
{
	int64_t n;

	if (!sql_number(s, f, &n, 0, "SELECT count(*) FROM session WHERE id = ? AND machine = ?", "ii", s->session,
			machine))
		return false;
	*current = n == 1;
	return true;
}

bool store_session_end(struct store *s, struct fault *f)
{
	const int64_t id = s->session;
	bool ok;

	if (!id || !store_begin(s, f))
		return false;
	ok = store_release_session(s, id, f);
	s->session = 0;
	return store_end(s, ok, f);
}

bool store_session_open(struct store *s, int64_t machine, bool *open, struct fault *f)
{
	int64_t *ids;
	size_t count;
	bool ok = list_sessions(s, "SELECT id FROM session WHERE machine = ? AND proven_ms IS NOT NULL", machine, &ids,
				&count, f);

	*open = false;
	for (size_t i = 0; ok && i < count; i++)
		*open = *open || is_alive(s, ids[i]);
	free(ids);
	return ok;
}

/* --- messages ------------------------------------------------------------------------------------------------- */

static void read_message(struct sql *q, struct store_message *m)
{
	memset(m, 0, sizeof(*m));
	m->id = sql_int(q, 0);
	m->machine = sql_int(q, 1);
	m->vm = sql_int(q, 2);
	m->kind = (enum store_message_kind)sql_int(q, 3);
	m->serial = (uint64_t)sql_int(q, 4);
	m->port = (uint32_t)sql_int(q, 5);
	sql_fixed(q, 6, m->result, sizeof(m->result));
	m->sent_ms = sql_int(q, 7);
	m->answered = sql_int(q, 8);
	m->status = (uint32_t)sql_int(q, 9);
	m->port_state = (uint32_t)sql_int(q, 10);
}

static bool read_one(struct sql *q, struct store_message *out, bool *found)
{
	*found = sql_row(q);
	if (*found)
		read_message(q, out);
	return sql_close(q);
}

bool store_post(struct store *s, int64_t machine, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], int64_t *id,
		struct fault *f)
{
	struct lzr_result r;

	memcpy(&r, result + LZR_RESULT_HEAD_SIZE, sizeof(r));
	if (!sql_run(s, f,
		     "INSERT INTO outbox (machine, kind, serial, port, message, made_ms) VALUES (?, 3, ?, ?, ?, ?)",
		     "iuibi", machine, r.serial, (int64_t)port, (struct bytes){ result, LZR_RESULT_SIZE },
		     store_now_ms()))
		return false;
	*id = sqlite3_last_insert_rowid(s->db);
	return true;
}

#define WAITING " WHERE machine = ?1 AND answered_ms IS NULL AND sent_ms IS NULL" \
	" AND (session IS NULL OR session = ?2)" \
	" AND EXISTS (SELECT 1 FROM session WHERE id = ?2 AND machine = ?1)"

bool store_take_message(struct store *s, int64_t machine, struct store_message *out, bool *found, struct fault *f)
{
	int64_t n;
	struct sql q;
	bool ok;

	*found = false;
	if (!sql_number(s, f, &n, 0, "SELECT count(*) FROM outbox" WAITING, "ii", machine, s->session))
		return false;
	if (n == 0)
		return true;
	if (!store_begin(s, f))
		return false;
	sql_open(&q, s, f, SELECT_MESSAGE WAITING " ORDER BY id LIMIT 1", "ii", machine, s->session);
	ok = read_one(&q, out, found) &&
	     (!*found || sql_run(s, f, "UPDATE outbox SET session = ?, sent_ms = ? WHERE id = ?", "iii", s->session,
				 store_now_ms(), out->id));
	ok = store_end(s, ok, f);
	*found = *found && ok;
	return ok;
}

bool store_unanswered(struct store *s, unsigned int *count, struct fault *f)
{
	int64_t n;

	if (!sql_number(s, f, &n, 0,
			"SELECT count(*) FROM outbox WHERE session = ? AND sent_ms IS NOT NULL"
			" AND answered_ms IS NULL",
			"i", s->session))
		return false;
	*count = (unsigned int)n;
	return true;
}

/* A revocation that the switch took, or that finds the port of that very instance blocked already. */
static bool is_blocked(const struct store_message *m)
{
	return m->status == LZR_CTL_OK || (m->status == LZR_CTL_WRONG_NONCE && m->port_state == LZR_PORT_BLOCKED);
}

static bool record_answer(struct store *s, const struct store_message *m, struct fault *f)
{
	struct lzr_result r;

	memcpy(&r, m->result + LZR_RESULT_HEAD_SIZE, sizeof(r));
	if (!sql_run(s, f, "UPDATE outbox SET answered_ms = ?, status = ?, port_state = ? WHERE id = ?", "iiii",
		     store_now_ms(), (int64_t)m->status, (int64_t)m->port_state, m->id))
		return false;
	if (m->vm && m->status != LZR_CTL_NO_PORT && m->status != LZR_CTL_WRONG_INSTANCE &&
	    !sql_run(s, f, "UPDATE vm SET port_state = ? WHERE id = ?", "ii", (int64_t)m->port_state, m->vm))
		return false;
	if (m->kind == STORE_MESSAGE_REVOCATION && is_blocked(m) &&
	    !sql_run(s, f, "UPDATE revocation SET confirmed = 1 WHERE vm = ? AND instance = ?", "iu", m->vm,
		     r.instance))
		return false;
	if (m->kind == STORE_MESSAGE_LEASE && m->status != LZR_CTL_OK &&
	    !sql_run(s, f, "UPDATE lease SET ends_ms = 0 WHERE vm = ? AND serial = ?", "iu", m->vm, m->serial))
		return false;
	return !store_one_in(TRIM_EVERY) ||
	       sql_run(s, f,
		       "DELETE FROM outbox WHERE machine = ?1 AND answered_ms IS NOT NULL AND id <="
		       " (SELECT id FROM outbox WHERE machine = ?1 AND answered_ms IS NOT NULL"
		       " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
		       "ii", m->machine, (int64_t)STORE_ANSWERED_MAX);
}

bool store_answer(struct store *s, uint64_t serial, uint32_t status, uint32_t port_state, struct store_message *out,
		  bool *found, struct fault *f)
{
	struct sql q;

	sql_open(&q, s, f,
		 SELECT_MESSAGE " WHERE session = ? AND serial = ? AND sent_ms IS NOT NULL AND answered_ms IS NULL"
				" ORDER BY id LIMIT 1",
		 "iu", s->session, serial);
	if (!read_one(&q, out, found))
		return false;
	if (!*found)
		return true;
	out->answered = true;
	out->status = status;
	out->port_state = port_state;
	return record_answer(s, out, f);
}

bool store_find_message(struct store *s, int64_t id, struct store_message *out, bool *found, struct fault *f)
{
	struct sql q;

	sql_open(&q, s, f, SELECT_MESSAGE " WHERE id = ?", "i", id);
	return read_one(&q, out, found);
}

bool store_last_revocation(struct store *s, int64_t vm, struct store_message *out, bool *found, struct fault *f)
{
	struct sql q;

	sql_open(&q, s, f, SELECT_MESSAGE " WHERE vm = ? AND kind = 2 ORDER BY id DESC LIMIT 1", "i", vm);
	return read_one(&q, out, found);
}
