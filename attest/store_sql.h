/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on the verifier's state: what the store's files share, and nobody else needs. */
#ifndef ATTEST_STORE_SQL_H
#define ATTEST_STORE_SQL_H

#include <sqlite3.h>

#include "store.h"

/* A statement that is being read. */
struct sql {
	struct store *s;
	struct fault *f;
	sqlite3_stmt *statement;        /* NULL after a failure */
	bool bad;
};

/*
 * Prepares `text` and binds one argument for each letter of `types`: 'i' int64_t, 'u' uint64_t (kept as its two's
 * complement), 'b' struct bytes, 't' const char * (NULL: null), 'n' int64_t where 0 stands for null.
 * Every sql_open is followed by sql_close, whatever came between.
 */
void sql_open(struct sql *q, struct store *s, struct fault *f, const char *text, const char *types, ...);
/* The next row is there; false at the end, and after a failure. */
bool sql_row(struct sql *q);
/* Releases it; false with a fault if anything failed. */
bool sql_close(struct sql *q);
/* The three in one, for a statement whose rows nobody wants. */
bool sql_run(struct store *s, struct fault *f, const char *text, const char *types, ...);
/* The first column of the first row; `absent` if there is no row. */
bool sql_number(struct store *s, struct fault *f, int64_t *out, int64_t absent, const char *text, const char *types,
		...);

/* Columns of the row.  One of another size, or too long, is a failure: sql_close tells. */
int64_t sql_int(struct sql *q, int column);
void sql_text(struct sql *q, int column, char *out, size_t size);
size_t sql_blob(struct sql *q, int column, void *out, size_t size);
void sql_fixed(struct sql *q, int column, void *out, size_t size);

/* What SQLite says about the state, as a fault. */
bool store_fault(struct store *s, struct fault *f, const char *found);
int64_t store_now_ms(void);
/*
 * True once in so many calls, a power of two up to 256, by chance: what a table is trimmed by.  By count, one writer
 * who keeps step with another would never be the one who trims.
 */
bool store_one_in(unsigned int calls);
/* A name for whoever runs this, for the record of what operators did. */
void store_operator(char out[STORE_BY_MAX]);
/* Takes back what the session `id` had taken from the outbox, and forgets the session. */
bool store_release_session(struct store *s, int64_t id, struct fault *f);

#endif
