/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's state: files that are none, several processes at once, ends at any moment, and who may enrol. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "serve_rig.h"
#include "../file.h"

static void opens_not(const char *path, const char *found)
{
	struct fault f = { 0 };
	struct store s;

	assert_false(store_open(&s, path, &f));
	store_close(&s);
	assert_int_equal(f.code, FAULT_INPUT);
	if (!strstr(f.found, found))
		fail_msg("expected \"%s\", found \"%s\"", found, f.found);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", rig->directory, name);
	return path;
}

static void put(const char *name, const void *data, size_t length)
{
	struct fault f = { 0 };

	assert_true(file_write(path_of(name), (struct bytes){ data, length }, &f));
}

static void sql(const char *text)
{
	assert_int_equal(sqlite3_exec(rig->store.db, text, NULL, NULL, NULL), SQLITE_OK);
}

/* --- files that are no state ------------------------------------------------------------------ */

/* A mistyped path makes nothing, and what is there stays as it is. */
static void nothing_is_made_or_replaced(void **state)
{
	struct fault f = { 0 };
	struct stat st;

	(void)state;
	opens_not(path_of("nosuch"), "No such file");
	assert_int_not_equal(access(path_of("nosuch"), F_OK), 0);
	assert_int_equal(mkdir(path_of("old"), 0700), 0);
	put("old/serial", "7\n", 2);
	opens_not(path_of("old"), "a folder");
	assert_false(store_init(path_of("old"), &f));
	assert_int_equal(stat(path_of("old/serial"), &st), 0);
	assert_int_equal(st.st_size, 2);
	put("text", "hello", 5);
	opens_not(path_of("text"), "not a database");
	f = (struct fault){ 0 };
	assert_false(store_init(path_of("text"), &f));
	assert_int_equal(stat(path_of("text"), &st), 0);
	assert_int_equal(st.st_size, 5);
	put("empty", NULL, 0);
	opens_not(path_of("empty"), "no verifier's state");
	f = (struct fault){ 0 };
	assert_false(store_init(rig->state, &f));
	assert_int_equal(stat(rig->state, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void another_format(void **state)
{
	(void)state;
	sql("PRAGMA user_version = 2");
	opens_not(rig->state, "format 2");
	sql("PRAGMA user_version = 1; PRAGMA application_id = 5");
	opens_not(rig->state, "no verifier's state");
}

/* Bytes changed in the middle, or the end cut off: refused at once, and not where they are met. */
static void damaged(void **state)
{
	struct fault f = { 0 };
	struct bytes whole;
	uint8_t *copy;

	(void)state;
	assert_true(file_read(rig->state, 1 << 24, &whole, &f));
	copy = malloc(whole.length);
	memcpy(copy, whole.data, whole.length);
	memset(copy + whole.length / 2, 0xa5, 4096);
	put("changed", copy, whole.length);
	opens_not(path_of("changed"), "damaged");
	put("cut", whole.data, whole.length - 8192);
	opens_not(path_of("cut"), "d");         /* "damaged" or SQLite's own "malformed" */
	free(copy);
	file_free(&whole);
}

/* Another user's, or one that cannot be written. */
static void not_ours(void **state)
{
	struct fault f = { 0 };
	struct store s;
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(chmod(rig->directory, 0755), 0);
	for (unsigned int mode = 0600; mode <= 0644; mode += 0044) {
		assert_int_equal(chmod(rig->state, mode), 0);
		child = fork();
		if (child == 0) {
			bool ok;

			if (geteuid() == 0 && setuid(65534) != 0)
				_exit(9);
			if (geteuid() != 65534)         /* not root: our own file without the right */
				chmod(rig->state, mode == 0600 ? 0 : 0444);
			ok = store_open(&s, rig->state, &f);
			if (mode == 0600)
				_exit(ok || !strstr(f.found, "Permission denied: it belongs to user"));
			_exit(!ok || store_writable(&s, &f) || store_begin(&s, &f));
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

/* --- several at once, and ends at any moment --------------------------------------------------- */

static bool take_serial(struct store *s, uint64_t *serial)
{
	struct fault f = { 0 };

	return store_begin(s, &f) && store_end(s, store_next_serial(s, serial, &f), &f);
}

/* Several sessions and commands at once: each number once. */
static void serials_are_given_once(void **state)
{
	pid_t child[4];
	uint64_t serial;
	int status;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			struct fault f = { 0 };
			struct store s;
			bool ok = store_open(&s, rig->state, &f);

			for (unsigned int n = 0; ok && n < 25; n++)
				ok = take_serial(&s, &serial);
			_exit(!ok);
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	assert_true(take_serial(&rig->store, &serial));
	assert_int_equal(serial, 101);
}

/* A number that is lost, or the last one, is no first one. */
static void a_broken_serial_is_no_first_one(void **state)
{
	uint64_t serial;

	(void)state;
	sql("UPDATE serial SET last = 9223372036854775807");
	assert_false(take_serial(&rig->store, &serial));
	sql("DELETE FROM serial");
	assert_false(take_serial(&rig->store, &serial));
	assert_int_not_equal(sqlite3_exec(rig->store.db, "INSERT INTO serial VALUES (1, -1)", NULL, NULL, NULL),
			     SQLITE_OK);
}

static struct store_vm see_red(struct store *s)
{
	struct store_vm vm = { .machine = rig->machine[0], .name = "red", .has_port = true, .verdict = "good",
			       .port_state = LZR_PORT_ADMITTED, .told = { .vm = 0, .instance = 7, .name = "red" } };
	struct fault f = { 0 };

	memset(vm.told.port_nonce, 1, sizeof(vm.told.port_nonce));
	assert_true(store_see_vm(s, &vm, &f));
	return vm;
}

/* kill -9 between the revocation and its message, again and again at another place: both are there, or neither. */
static void killed_at_any_step(void **state)
{
	struct fault f = { 0 };
	unsigned int whole = 0;

	(void)state;
	see_red(&rig->store);
	for (unsigned int delay = 0; delay < 20; delay++) {
		const pid_t child = fork();
		struct store_vm vm;

		if (child == 0) {
			struct store s;

			if (!store_open(&s, rig->state, &f))
				_exit(1);
			rig->store = s;
			for (;;)
				rig_revokes(0, "red");
		}
		usleep(1000 * delay * 10);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		vm = rig_vm(0, "red");
		assert_int_equal(vm.end == STORE_END_OPERATOR, rig_outbox(0) == 1);
		whole += vm.end == STORE_END_OPERATOR;
		assert_true(store_begin(&rig->store, &f));
		assert_true(store_end(&rig->store, store_undo_end(&rig->store, &vm, &f), &f));
		assert_int_equal(rig_outbox(0), 0);
	}
	assert_true(whole > 0);
}

/* A disk that is full: nothing is half done, and it is said. */
static void full_disk(void **state)
{
	const struct rlimit none = { .rlim_cur = 4096, .rlim_max = RLIM_INFINITY };
	int status;
	pid_t child;

	(void)state;
	see_red(&rig->store);
	child = fork();
	if (child == 0) {
		struct fault f = { 0 };
		struct store s;
		bool ok;

		signal(SIGXFSZ, SIG_IGN);
		ok = store_open(&s, rig->state, &f) && setrlimit(RLIMIT_FSIZE, &none) == 0 && store_begin(&s, &f);
		for (unsigned int i = 0; ok && i < 50; i++)
			ok = store_event(&s, 0, &f, "%0900u", i);
		ok = store_end(&s, ok, &f);
		_exit(ok || f.code != FAULT_INPUT);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(rig_has_event("00000000000000"));
	rig_revokes(0, "red");
	assert_int_equal(rig_vm(0, "red").end, STORE_END_OPERATOR);
}

/* The mark of a session goes with its process, however that ends. */
static void a_dead_session_is_none(void **state)
{
	struct fault f = { 0 };
	int ready[2];
	pid_t child;
	bool open;
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct store s;
		bool ok = store_open(&s, rig->state, &f) && store_session_begin(&s, &f) && store_begin(&s, &f) &&
			  store_end(&s, store_session_proven(&s, rig->machine[0], &f), &f);

		if (write(ready[1], ok ? "y" : "n", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_true(store_session_open(&rig->store, rig->machine[0], &open, &f) && open);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_true(store_session_open(&rig->store, rig->machine[0], &open, &f));
	assert_false(open);
	close(ready[0]);
	close(ready[1]);
}

/* --- machines and approvals -------------------------------------------------------------------- */

/* A known AK keeps its clock, and its EK: nothing is replaced without an operator's word. */
static void a_known_machine_stays(void **state)
{
	struct ak_record ak = rig->peer[0].x->ak, again;
	struct quote q = { .clock_ms = 5000, .reset_count = 4, .restart_count = 1 };
	const struct bytes name = { ak.name, ak.name_length };
	struct fault f = { 0 };
	int64_t id = 0;

	(void)state;
	assert_true(store_begin(&rig->store, &f));
	assert_true(store_end(&rig->store, store_raise_clock(&rig->store, rig->machine[0], &q, &f), &f));
	ak.clock_ms = ak.reset_count = ak.restart_count = 0;
	assert_true(store_begin(&rig->store, &f));
	assert_true(store_end(&rig->store, store_add_machine(&rig->store, &ak, 0, &id, &f), &f));
	assert_int_equal(id, rig->machine[0]);
	assert_true(store_load_ak(&rig->store, name, &again, &f));
	assert_int_equal(again.clock_ms, 5000);
	assert_int_equal(again.reset_count, 4);
	ak.ek[0] ^= 1;
	assert_true(store_begin(&rig->store, &f));
	assert_false(store_end(&rig->store, store_add_machine(&rig->store, &ak, 0, &id, &f), &f));
	assert_int_equal(f.code, FAULT_EK_KEY);
	f = (struct fault){ 0 };
	q.clock_ms = 4999;
	assert_true(store_begin(&rig->store, &f));
	assert_false(store_end(&rig->store, store_raise_clock(&rig->store, rig->machine[0], &q, &f), &f));
	assert_int_equal(f.code, FAULT_QUOTE_CLOCK);
}

/* Whoever asks is remembered, but not without end. */
static void strangers_are_bounded(void **state)
{
	uint8_t ek[SHA384_SIZE] = { 0 };
	struct store_pending *list;
	struct fault f = { 0 };
	size_t count;
	int64_t id;

	(void)state;
	assert_true(store_begin(&rig->store, &f));
	for (unsigned int i = 0; i < 3 * STORE_PENDING_MAX; i++) {
		ek[0] = (uint8_t)i;
		assert_true(store_add_pending(&rig->store, ek, "somebody", &id, &f));
	}
	assert_true(store_end(&rig->store, true, &f));
	assert_true(store_list_pending(&rig->store, &list, &count, &f));
	assert_int_equal(count, STORE_PENDING_MAX);
	free(list);
	assert_true(store_approve(&rig->store, STORE_APPROVE_EK, ek, "somebody", (struct bytes){ NULL, 0 }, &id, &f));
	assert_true(store_approval_of_ek(&rig->store, ek, &id, &f) && id);
	assert_true(store_unapprove(&rig->store, id, &f));
	assert_false(store_unapprove(&rig->store, id, &f));
	assert_true(store_approval_of_ek(&rig->store, ek, &id, &f));
	assert_int_equal(id, 0);
}

static int64_t count_of(const char *table)
{
	char text[128];
	sqlite3_stmt *q;
	int64_t n;

	snprintf(text, sizeof(text), "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_prepare_v2(rig->store.db, text, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* Two who write in turn, so that each has every second number: both are kept short. */
static void events_are_bounded(void **state)
{
	struct fault f = { 0 };
	int64_t before;

	(void)state;
	sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 101000)"
	    " INSERT INTO event (at_ms, machine, text) SELECT i, '-', 'old' FROM n");
	before = count_of("event WHERE machine = '-'");
	assert_true(before > STORE_EVENTS_MAX);
	assert_true(store_begin(&rig->store, &f));
	for (unsigned int i = 0; i < 12000; i++)
		assert_true(store_event(&rig->store, i % 2 ? rig->machine[0] : 0, &f, "line %u", i));
	assert_true(store_end(&rig->store, true, &f));
	/* Trimmed in the last 5,000 of 6,000 of its lines, but for one chance in three hundred million. */
	assert_in_range(count_of("event WHERE machine = '-'"), STORE_EVENTS_MAX, STORE_EVENTS_MAX + 5000);
	assert_true(count_of("event WHERE text = 'line 11998'") == 1);
	assert_true(count_of("event WHERE text = 'line 11999'") == 1);
}

static void save_report(bool good, int64_t at_ms, const char *text)
{
	const struct store_report r = { .machine = rig->machine[0], .platform_good = good, .all_good = good,
					.at_ms = at_ms, .text = (char *)text, .json = "{}", .nonce_length = 16,
					.bundle = { (const uint8_t *)"bundle", 6 } };
	struct fault f = { 0 };

	assert_true(store_save_report(&rig->store, &r, &f));
}

/* The clock was set back: what was judged last counts, not what has the higher time. */
static void the_last_report_is_the_one_saved_last(void **state)
{
	static const struct { bool good; int64_t at_ms; } steps[] = {
		{ true, 2000 }, { false, 1500 }, { true, 1400 }, { true, 1300 }, { false, 1200 }, { true, 900 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct store_report r;
		struct fault f = { 0 };

		save_report(steps[i].good, steps[i].at_ms, "text");
		for (unsigned int any = 0; any < 2; any++) {
			assert_true(store_load_report(&rig->store, any ? 0 : rig->machine[0], &r, &f));
			assert_int_equal(r.at_ms, steps[i].at_ms);
			assert_int_equal(r.platform_good, steps[i].good);
			store_free_report(&r);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_made_or_replaced), TEST(another_format), TEST(damaged), TEST(not_ours),
		TEST(serials_are_given_once), TEST(a_broken_serial_is_no_first_one), TEST(killed_at_any_step),
		TEST(full_disk), TEST(a_dead_session_is_none), TEST(a_known_machine_stays),
		TEST(strangers_are_bounded), TEST(events_are_bounded), TEST(the_last_report_is_the_one_saved_last),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
