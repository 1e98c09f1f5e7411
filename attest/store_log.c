/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_MAX 1024u
#define TRIM_EVERY 256

/* The machine as commands show it; "-" for none. */
static bool shown(struct store *s, int64_t machine, char out[13], struct fault *f)
{
	uint8_t name[TPM_NAME_MAX];
	size_t length = 0;
	struct sql q;

	strcpy(out, "-");
	if (!machine)
		return true;
	sql_open(&q, s, f, "SELECT ak_name FROM machine WHERE id = ?", "i", machine);
	if (sql_row(&q))
		length = sql_blob(&q, 0, name, sizeof(name));
	if (length)
		store_show_machine((struct bytes){ name, length }, out);
	return sql_close(&q);
}

/* Whoever dials makes lines: theirs do not push a machine's out, nor fill the disk. */
static bool trim(struct store *s, const char *machine, struct fault *f)
{
	return !store_one_in(TRIM_EVERY) ||
	       sql_run(s, f,
		       "DELETE FROM event WHERE machine = ? AND id <="
		       " (SELECT id FROM event WHERE machine = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
		       "tti", machine, machine, (int64_t)STORE_EVENTS_MAX);
}

bool store_event(struct store *s, int64_t machine, struct fault *f, const char *format, ...)
{
	char text[EVENT_MAX], name[13];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	return shown(s, machine, name, f) &&
	       sql_run(s, f, "INSERT INTO event (at_ms, machine, text) VALUES (?, ?, ?)", "itt", store_now_ms(), name,
		       text) &&
	       trim(s, name, f);
}

bool store_each_event(struct store *s, int64_t after,
		      void (*each)(void *context, int64_t at_ms, const char *machine, const char *text), void *context,
		      int64_t *last, struct fault *f)
{
	char machine[16], text[EVENT_MAX];
	struct sql q;

	*last = after;
	sql_open(&q, s, f, "SELECT id, at_ms, machine, text FROM event WHERE id > ? ORDER BY id", "i", after);
	while (sql_row(&q)) {
		sql_text(&q, 2, machine, sizeof(machine));
		sql_text(&q, 3, text, sizeof(text));
		if (q.bad)
			break;
		*last = sql_int(&q, 0);
		each(context, sql_int(&q, 1), machine, text);
	}
	return sql_close(&q);
}

bool store_save_report(struct store *s, const struct store_report *r, struct fault *f)
{
	return sql_run(s, f,
		       "INSERT OR REPLACE INTO report (machine, platform_good, all_good, at_ms, nonce, bundle, text,"
		       " json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		       "iiiibbtt", r->machine, (int64_t)r->platform_good, (int64_t)r->all_good, r->at_ms,
		       (struct bytes){ r->nonce, r->nonce_length }, r->bundle, r->text, r->json);
}

static void read_report(struct sql *q, struct store_report *r)
{
	uint8_t *bundle;

	r->machine = sql_int(q, 0);
	r->platform_good = sql_int(q, 1);
	r->all_good = sql_int(q, 2);
	r->at_ms = sql_int(q, 3);
	r->nonce_length = sql_blob(q, 4, r->nonce, sizeof(r->nonce));
	r->text = strdup((const char *)sqlite3_column_text(q->statement, 6));
	r->json = strdup((const char *)sqlite3_column_text(q->statement, 7));
	bundle = malloc(EVIDENCE_BUNDLE_MAX);
	r->bundle.data = bundle;
	if (bundle && r->text && r->json)
		r->bundle.length = sql_blob(q, 5, bundle, EVIDENCE_BUNDLE_MAX);
	else
		q->bad = !store_fault(q->s, q->f, "no memory");
}

/* The newest is the one that was saved last, whatever the clock said: each that is saved gets the highest rowid. */
bool store_load_report(struct store *s, int64_t machine, struct store_report *out, struct fault *f)
{
	struct sql q;
	bool found;

	memset(out, 0, sizeof(*out));
	sql_open(&q, s, f,
		 "SELECT machine, platform_good, all_good, at_ms, nonce, bundle, text, json FROM report"
		 " WHERE ? IN (0, machine) ORDER BY rowid DESC LIMIT 1",
		 "i", machine);
	found = sql_row(&q);
	if (found)
		read_report(&q, out);
	if (sql_close(&q) && found)
		return true;
	store_free_report(out);
	return fault_set(f, FAULT_INPUT, s->path, "an appraisal", "none yet");
}

void store_free_report(struct store_report *r)
{
	free(r->text);
	free(r->json);
	free((void *)r->bundle.data);
	memset(r, 0, sizeof(*r));
}
