/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"
#include "store_schema.h"
#include "store_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAKE_ONE "a state (lzr-verify init --state FILE makes a new one)"

/* SQLite gives some names another meaning ("file:..", ":memory:"): none of them begins with a dot or a slash. */
static bool keep_path(const char *path, char out[4096], struct fault *f)
{
	const int n = snprintf(out, 4096, "%s%s", path[0] == '/' || !strchr(path, ':') ? "" : "./", path);

	return (path[0] && n > 0 && n < 4000) ||
	       fault_set(f, FAULT_INPUT, "--state", "a path", path[0] ? "too long" : "nothing");
}

static bool set_up(sqlite3 *db)
{
	char text[64];

	if (sqlite3_exec(db, "PRAGMA synchronous = EXTRA", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, store_schema, NULL, NULL, NULL) != SQLITE_OK)
		return false;
	snprintf(text, sizeof(text), "PRAGMA application_id = %d", STORE_APPLICATION);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		return false;
	snprintf(text, sizeof(text), "PRAGMA user_version = %d", STORE_FORMAT);
	return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK &&
	       sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

static bool sync_folder(const char *path)
{
	char folder[4096];
	char *slash;
	int fd;
	bool ok;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Made under another name and then linked: what bears the name is whole, and nothing that bore it is replaced. */
bool store_init(const char *path, struct fault *f)
{
	char whole[4096], temporary[4096 + 32];
	sqlite3 *db = NULL;
	struct stat st;
	int fd;
	bool ok;

	if (!keep_path(path, whole, f))
		return false;
	if (lstat(whole, &st) == 0)
		return fault_set(f, FAULT_INPUT, path, "a path where nothing is yet",
				 S_ISDIR(st.st_mode) ? "a folder" : "something is there; it was not touched");
	snprintf(temporary, sizeof(temporary), "%s.%ld.new", whole, (long)getpid());
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fault_set(f, FAULT_INPUT, path, "a path where a file can be made", strerror(errno));
	close(fd);
	ok = sqlite3_open_v2(temporary, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK && set_up(db);
	if (!ok)
		fault_set(f, FAULT_INPUT, path, "a path where a state can be written",
			  db ? sqlite3_errmsg(db) : "no memory");
	sqlite3_close(db);
	if (ok && link(temporary, whole) != 0)
		ok = fault_set(f, FAULT_INPUT, path, "a path where nothing is yet", strerror(errno));
	unlink(temporary);
	return ok && (sync_folder(whole) || fault_set(f, FAULT_INPUT, path, "a folder on a disk", strerror(errno)));
}

/* What is there, before SQLite looks at it: its words for these are poor. */
static bool look(struct store *s, struct fault *f)
{
	const struct passwd *owner;
	struct stat st;

	if (stat(s->path, &st) != 0)
		return fault_set(f, FAULT_INPUT, s->path, MAKE_ONE, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fault_set(f, FAULT_INPUT, s->path, MAKE_ONE,
				 "a folder: if it is the state of an earlier version, make a new one, approve the "
				 "TPMs and let the machines enrol again");
	if (!S_ISREG(st.st_mode))
		return fault_set(f, FAULT_INPUT, s->path, MAKE_ONE, "no regular file");
	s->lock_fd = open(s->path, O_RDWR | O_CLOEXEC);
	if (s->lock_fd < 0)
		s->lock_fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->lock_fd >= 0)
		return true;
	if (errno != EACCES)
		return fault_set(f, FAULT_INPUT, s->path, "a state that can be read", strerror(errno));
	owner = getpwuid(st.st_uid);
	return fault_set_text(f, FAULT_INPUT, s->path, "a state that can be read",
			      "Permission denied: it belongs to user %s", owner ? owner->pw_name : "?");
}

static bool check_format(struct store *s, struct fault *f)
{
	struct fault why = { 0 };
	int64_t application = 0, version = 0;
	char said[16] = "";
	struct sql q;

	if (!sql_number(s, &why, &application, 0, "PRAGMA application_id", "") ||
	    !sql_number(s, &why, &version, 0, "PRAGMA user_version", ""))
		return fault_set(f, FAULT_INPUT, s->path, MAKE_ONE, why.found);
	if (application != STORE_APPLICATION)
		return fault_set(f, FAULT_INPUT, s->path, MAKE_ONE, "no verifier's state");
	if (version != STORE_FORMAT)
		return fault_set_text(f, FAULT_INPUT, s->path, "a state of format 1",
				      "format %lld: use the lzr-verify that made it, or make a new one",
				      (long long)version);
	sql_open(&q, s, &why, "PRAGMA quick_check(1)", "");
	if (sql_row(&q))
		snprintf(said, sizeof(said), "%.15s", (const char *)sqlite3_column_text(q.statement, 0));
	if (!sql_close(&q) || strcmp(said, "ok") != 0)
		return fault_set(f, FAULT_INPUT, s->path, "a whole state", "it is damaged: take the last good copy");
	return true;
}

bool store_open(struct store *s, const char *path, struct fault *f)
{
	memset(s, 0, sizeof(*s));
	s->lock_fd = -1;
	if (!keep_path(path, s->path, f) || !look(s, f))
		return false;
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return fault_set(f, FAULT_INPUT, s->path, "a state that can be read",
				 s->db ? sqlite3_errmsg(s->db) : "no memory");
	sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (!check_format(s, f))
		return false;
	s->writable = sqlite3_db_readonly(s->db, "main") == 0;
	return sql_run(s, f, "PRAGMA foreign_keys = ON", "") && sql_run(s, f, "PRAGMA trusted_schema = OFF", "") &&
	       sql_run(s, f, "PRAGMA synchronous = EXTRA", "");
}

bool store_writable(struct store *s, struct fault *f)
{
	return s->writable || fault_set(f, FAULT_INPUT, s->path, "a state that can be written", "it can only be read");
}

void store_close(struct store *s)
{
	sqlite3_close(s->db);
	s->db = NULL;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = -1;
	s->session = 0;
}

bool store_begin(struct store *s, struct fault *f)
{
	return store_writable(s, f) && sql_run(s, f, "BEGIN IMMEDIATE", "");
}

bool store_end(struct store *s, bool good, struct fault *f)
{
	struct fault ignored = { 0 };

	if (good && sql_run(s, f, "COMMIT", ""))
		return true;
	if (!sqlite3_get_autocommit(s->db))
		sql_run(s, &ignored, "ROLLBACK", "");
	return false;
}

bool store_next_serial(struct store *s, uint64_t *serial, struct fault *f)
{
	int64_t last = 0;

	if (!sql_number(s, f, &last, -1, "SELECT last FROM serial WHERE one = 1", ""))
		return false;
	if (last < 0 || last == INT64_MAX)
		return store_fault(s, f, "no number for the next result");
	*serial = (uint64_t)last + 1;
	return sql_run(s, f, "UPDATE serial SET last = ? WHERE one = 1", "u", *serial);
}
