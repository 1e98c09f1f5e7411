/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool store_fault(struct store *s, struct fault *f, const char *found)
{
	return fault_set(f, FAULT_INPUT, s->path, "a whole state that can be read and written", found);
}

int64_t store_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void store_operator(char out[STORE_BY_MAX])
{
	const struct passwd *user = getpwuid(getuid());

	if (user)
		snprintf(out, STORE_BY_MAX, "%s", user->pw_name);
	else
		snprintf(out, STORE_BY_MAX, "user %lu", (unsigned long)getuid());
}

static void failed(struct sql *q)
{
	if (!q->bad)
		store_fault(q->s, q->f, q->s->db ? sqlite3_errmsg(q->s->db) : "not open");
	q->bad = true;
}

static int bind_bytes(sqlite3_stmt *statement, int i, struct bytes b)
{
	return b.data ? sqlite3_bind_blob(statement, i, b.data, (int)b.length, SQLITE_TRANSIENT)
		      : sqlite3_bind_zeroblob(statement, i, 0);
}

static int bind(sqlite3_stmt *statement, int i, char type, va_list *ap)
{
	const char *text;
	int64_t number;

	switch (type) {
	case 'i':
		return sqlite3_bind_int64(statement, i, va_arg(*ap, int64_t));
	case 'u':
		return sqlite3_bind_int64(statement, i, (int64_t)va_arg(*ap, uint64_t));
	case 'n':
		number = va_arg(*ap, int64_t);
		return number ? sqlite3_bind_int64(statement, i, number) : sqlite3_bind_null(statement, i);
	case 'b':
		return bind_bytes(statement, i, va_arg(*ap, struct bytes));
	case 't':
		text = va_arg(*ap, const char *);
		return text ? sqlite3_bind_text(statement, i, text, -1, SQLITE_TRANSIENT)
			    : sqlite3_bind_null(statement, i);
	default:
		return SQLITE_MISUSE;
	}
}

static void open_with(struct sql *q, struct store *s, struct fault *f, const char *text, const char *types, va_list *ap)
{
	int rc;

	*q = (struct sql){ .s = s, .f = f };
	rc = s->db ? sqlite3_prepare_v2(s->db, text, -1, &q->statement, NULL) : SQLITE_MISUSE;
	for (int i = 0; rc == SQLITE_OK && types[i]; i++)
		rc = bind(q->statement, i + 1, types[i], ap);
	if (rc != SQLITE_OK)
		failed(q);
}

void sql_open(struct sql *q, struct store *s, struct fault *f, const char *text, const char *types, ...)
{
	va_list ap;

	va_start(ap, types);
	open_with(q, s, f, text, types, &ap);
	va_end(ap);
}

bool sql_row(struct sql *q)
{
	int rc;

	if (q->bad)
		return false;
	rc = sqlite3_step(q->statement);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		failed(q);
	return rc == SQLITE_ROW;
}

bool sql_close(struct sql *q)
{
	sqlite3_finalize(q->statement);
	q->statement = NULL;
	return !q->bad;
}

bool sql_run(struct store *s, struct fault *f, const char *text, const char *types, ...)
{
	struct sql q;
	va_list ap;

	va_start(ap, types);
	open_with(&q, s, f, text, types, &ap);
	va_end(ap);
	while (sql_row(&q))
		;
	return sql_close(&q);
}

bool sql_number(struct store *s, struct fault *f, int64_t *out, int64_t absent, const char *text, const char *types,
		...)
{
	struct sql q;
	va_list ap;

	va_start(ap, types);
	open_with(&q, s, f, text, types, &ap);
	va_end(ap);
	*out = sql_row(&q) ? sql_int(&q, 0) : absent;
	return sql_close(&q);
}

int64_t sql_int(struct sql *q, int column)
{
	return sqlite3_column_int64(q->statement, column);
}

static void wrong_size(struct sql *q)
{
	store_fault(q->s, q->f, "a value of another size");
	q->bad = true;
}

void sql_text(struct sql *q, int column, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(q->statement, column);
	const size_t length = text ? strlen(text) : 0;

	memset(out, 0, size);
	if (length < size)
		memcpy(out, text ? text : "", length);
	else
		wrong_size(q);
}

size_t sql_blob(struct sql *q, int column, void *out, size_t size)
{
	const void *data = sqlite3_column_blob(q->statement, column);
	const size_t length = (size_t)sqlite3_column_bytes(q->statement, column);

	if (length > size) {
		wrong_size(q);
		return 0;
	}
	if (length)
		memcpy(out, data, length);
	return length;
}

void sql_fixed(struct sql *q, int column, void *out, size_t size)
{
	memset(out, 0, size);
	if (sql_blob(q, column, out, size) != size)
		wrong_size(q);
}

bool store_one_in(unsigned int calls)
{
	uint8_t byte;

	random_fill(&byte, sizeof(byte));
	return byte % calls == 0;
}
