/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

#include <stdlib.h>
#include <string.h>

bool store_approve(struct store *s, enum store_approval_kind kind, const uint8_t digest[SHA384_SIZE],
		   const char *subject, struct bytes certificate, int64_t *id, struct fault *f)
{
	const struct bytes d = { digest, SHA384_SIZE };
	char by[STORE_BY_MAX];

	store_operator(by);
	return sql_run(s, f,
		       "INSERT INTO approval (kind, digest, subject, certificate, who, made_ms)"
		       " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		       "ibtbti", (int64_t)kind, d, subject, certificate, by, store_now_ms()) &&
	       sql_run(s, f, "DELETE FROM pending WHERE ek = ?", "b", d) &&
	       sql_number(s, f, id, 0, "SELECT id FROM approval WHERE kind = ? AND digest = ?", "ib", (int64_t)kind, d);
}

bool store_unapprove(struct store *s, int64_t id, struct fault *f)
{
	char text[32];

	if (!sql_run(s, f, "DELETE FROM approval WHERE id = ?", "i", id))
		return false;
	snprintf(text, sizeof(text), "%lld", (long long)id);
	return sqlite3_changes(s->db) == 1 ||
	       fault_set(f, FAULT_USAGE, "--remove", "the number of an approval (lzr-verify approvals)", text);
}

static void read_approval(struct sql *q, struct store_approval *a)
{
	memset(a, 0, sizeof(*a));
	a->id = sql_int(q, 0);
	a->kind = (enum store_approval_kind)sql_int(q, 1);
	sql_fixed(q, 2, a->digest, sizeof(a->digest));
	sql_text(q, 3, a->subject, sizeof(a->subject));
	sql_text(q, 4, a->by, sizeof(a->by));
	a->made_ms = sql_int(q, 5);
	a->certificate_length = (size_t)sqlite3_column_bytes(q->statement, 6);
	a->certificate = malloc(a->certificate_length + 1);
	if (a->certificate)
		sql_blob(q, 6, a->certificate, a->certificate_length);
	else
		q->bad = !store_fault(q->s, q->f, "no memory");
}

void store_free_approvals(struct store_approval *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].certificate);
	free(list);
}

bool store_list_approvals(struct store *s, struct store_approval **out, size_t *count, struct fault *f)
{
	struct sql q;

	*out = NULL;
	*count = 0;
	sql_open(&q, s, f, "SELECT id, kind, digest, subject, who, made_ms, certificate FROM approval ORDER BY id", "");
	while (sql_row(&q)) {
		struct store_approval *more = realloc(*out, (*count + 1) * sizeof(**out));

		if (!more) {
			q.bad = !store_fault(s, f, "no memory");
			break;
		}
		*out = more;
		read_approval(&q, &more[(*count)++]);
	}
	if (sql_close(&q))
		return true;
	store_free_approvals(*out, *count);
	*out = NULL;
	*count = 0;
	return false;
}

bool store_approval_of_ek(struct store *s, const uint8_t ek[SHA384_SIZE], int64_t *id, struct fault *f)
{
	return sql_number(s, f, id, 0, "SELECT id FROM approval WHERE kind = 1 AND digest = ?", "b",
			  (struct bytes){ ek, SHA384_SIZE });
}

bool store_add_pending(struct store *s, const uint8_t ek[SHA384_SIZE], const char *subject, int64_t *id,
		       struct fault *f)
{
	const struct bytes d = { ek, SHA384_SIZE };
	const int64_t now = store_now_ms();

	return sql_run(s, f,
		       "INSERT INTO pending (ek, subject, first_ms, last_ms, tries) VALUES (?, ?, ?, ?, 1)"
		       " ON CONFLICT (ek) DO UPDATE SET last_ms = ?, tries = tries + 1",
		       "btiii", d, subject, now, now, now) &&
	       sql_run(s, f,
		       "DELETE FROM pending WHERE id NOT IN"
		       " (SELECT id FROM pending ORDER BY last_ms DESC, id DESC LIMIT ?)",
		       "i", (int64_t)STORE_PENDING_MAX) &&
	       sql_number(s, f, id, 0, "SELECT id FROM pending WHERE ek = ?", "b", d);
}

bool store_list_pending(struct store *s, struct store_pending **out, size_t *count, struct fault *f)
{
	struct store_pending *list = calloc(STORE_PENDING_MAX, sizeof(*list));
	struct sql q;

	*out = list;
	*count = 0;
	if (!list)
		return store_fault(s, f, "no memory");
	sql_open(&q, s, f, "SELECT id, ek, subject, first_ms, last_ms, tries FROM pending ORDER BY id", "");
	while (*count < STORE_PENDING_MAX && sql_row(&q)) {
		struct store_pending *p = &list[(*count)++];

		p->id = sql_int(&q, 0);
		sql_fixed(&q, 1, p->ek, sizeof(p->ek));
		sql_text(&q, 2, p->subject, sizeof(p->subject));
		p->first_ms = sql_int(&q, 3);
		p->last_ms = sql_int(&q, 4);
		p->tries = sql_int(&q, 5);
	}
	return sql_close(&q);
}
