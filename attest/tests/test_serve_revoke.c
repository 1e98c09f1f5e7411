/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases that end: each way in which a revocation was lost once, and what else must not open a port that an operator,
 * another verifier or a reference file has closed.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "serve_rig.h"
#include "../appraisal.h"
#include "../file.h"
#include "../revoke.h"

#define ME (&rig->peer[0])
#define OTHER (&rig->peer[1])

/* The next result is a revocation of that VM which names a nonce of these bytes. */
static struct lzr_result gets_revocation(struct peer *p, uint32_t vm, uint8_t nonce)
{
	const struct lzr_result r = peer_gets_result(p);
	uint8_t expected[LZR_PORT_NONCE_SIZE];

	memset(expected, nonce, sizeof(expected));
	assert_int_equal(r.type, LZR_RESULT_REVOCATION);
	assert_int_equal(r.vm, vm);
	assert_memory_equal(r.port_nonce, expected, sizeof(expected));
	assert_int_equal(r.instance, p->x->claim[vm].instance);
	return r;
}

/* The machine has proved itself, red and blue have leases for the nonces of 0x10 plus their numbers. */
static void begins_admitted(void)
{
	ME->port_nonce = 0x10;
	peer_proves(ME);
	peer_takes_leases(ME);
}

static void waits_confirmed(int n, const char *vm)
{
	while (!rig_vm(n, vm).end_confirmed)
		usleep(20000);
}

/* Confirmed when the switch said so, not when it was sent. */
static void the_switch_has_the_last_word(void **state)
{
	struct lzr_result r;

	(void)state;
	begins_admitted();
	rig_revokes(0, "blue");
	r = gets_revocation(ME, VM_BLUE, 0x10 + VM_BLUE);
	assert_true(peer_hears_nothing(ME, 300));
	assert_false(rig_vm(0, "blue").end_confirmed);
	assert_int_equal(rig_outbox(0), 1);
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	waits_confirmed(0, "blue");
	assert_int_equal(rig_outbox(0), 0);
}

/* Between the challenge and its answer: no lease follows, and the revocation names the nonce of this evidence. */
static void revoked_during_the_check(void **state)
{
	struct lzr_result r;

	(void)state;
	begins_admitted();
	peer_says(ME, SESSION_RENEW, (struct bytes){ NULL, 0 });
	peer_takes_challenge(ME);
	rig_revokes(0, "red");
	r = gets_revocation(ME, VM_RED, 0x10 + VM_RED);         /* the switch has drawn another nonce meanwhile */
	peer_answers(ME, &r, LZR_CTL_WRONG_NONCE, LZR_PORT_ADMITTED);
	ME->port_nonce = 0x20;
	ME->port_state[VM_RED] = ME->port_state[VM_BLUE] = LZR_PORT_ADMITTED;
	peer_shows(ME);
	r = gets_revocation(ME, VM_RED, 0x20 + VM_RED);
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	r = peer_gets_result(ME);
	assert_int_equal(r.type, LZR_RESULT_LEASE);
	assert_int_equal(r.vm, VM_BLUE);
	waits_confirmed(0, "red");
}

/* A lease that was saved and never arrived: the next session has drawn another nonce, which the revocation names. */
static void the_session_breaks_between_save_and_send(void **state)
{
	struct lzr_result r;

	(void)state;
	ME->port_nonce = 0x10;
	peer_proves(ME);
	rig_waits_for_event(0, "vm=red good lease");
	peer_verifier_dies(ME);
	rig_revokes(0, "red");
	ME->port_nonce = 0x30;
	peer_proves(ME);
	r = gets_revocation(ME, VM_RED, 0x30 + VM_RED);
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	waits_confirmed(0, "red");
	r = peer_gets_result(ME);
	assert_int_equal(r.type, LZR_RESULT_LEASE);
	assert_int_equal(r.vm, VM_BLUE);
}

/* The lease came, and the switch drew no other nonce: it keeps the lease's. */
static void no_nonce_is_outstanding(void **state)
{
	(void)state;
	begins_admitted();
	ME->port_state[VM_RED] = LZR_PORT_ADMITTED;
	peer_says(ME, SESSION_RENEW, (struct bytes){ NULL, 0 });
	peer_takes_challenge(ME);
	fixture_rebuild(ME->x);
	ME->x->clock++;
	memset(ME->x->claim[VM_RED].port.nonce, 0, LZR_PORT_NONCE_SIZE);
	fixture_sign_claims(ME->x);
	fixture_pack(ME->x);
	peer_says(ME, SESSION_EVIDENCE, (struct bytes){ ME->x->bundle, ME->x->bundle_length });
	assert_int_equal(peer_gets_result(ME).vm, VM_BLUE);
	rig_waits_for_event(0, "vm=red good no-lease");
	rig_revokes(0, "red");
	gets_revocation(ME, VM_RED, 0x10 + VM_RED);
}

/* kill -9 of the verifier after it had sent the message: the next session sends it again. */
static void the_verifier_dies_with_the_message(void **state)
{
	struct lzr_result r;

	(void)state;
	begins_admitted();
	rig_revokes(0, "red");
	gets_revocation(ME, VM_RED, 0x10 + VM_RED);
	peer_verifier_dies(ME);
	ME->port_nonce = 0x20;
	ME->port_state[VM_RED] = ME->port_state[VM_BLUE] = LZR_PORT_ADMITTED;
	peer_proves(ME);
	r = peer_gets_result(ME);
	while (r.type != LZR_RESULT_REVOCATION || r.port_nonce[0] != 0x20 + VM_RED) {
		assert_true(r.vm == VM_RED || r.type == LZR_RESULT_LEASE);      /* the old message may come first */
		if (r.type == LZR_RESULT_REVOCATION)
			peer_answers(ME, &r, LZR_CTL_WRONG_NONCE, LZR_PORT_ADMITTED);
		r = peer_gets_result(ME);
	}
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	waits_confirmed(0, "red");
}

/* A port that stays open is closed again with each evidence that shows it; so is a new instance's. */
static void an_open_port_is_revoked_again(void **state)
{
	struct lzr_result r;

	(void)state;
	begins_admitted();
	rig_revokes(0, "red");
	r = gets_revocation(ME, VM_RED, 0x10 + VM_RED);
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	waits_confirmed(0, "red");
	for (uint8_t i = 2; i <= 3; i++) {
		ME->port_nonce = (uint8_t)(i << 4);
		ME->port_state[VM_RED] = i == 2 ? LZR_PORT_ADMITTED : LZR_PORT_QUARANTINED;
		ME->x->now.vms[VM_RED].instance += i == 3;
		peer_renews(ME);
		r = gets_revocation(ME, VM_RED, (uint8_t)((i << 4) + VM_RED));
		assert_false(rig_vm(0, "red").end_confirmed);
		peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
		waits_confirmed(0, "red");
		assert_int_equal(peer_gets_result(ME).vm, VM_BLUE);
	}
}

/* Nothing was closed and no new evidence comes: a new session has to bring it. */
static void a_wrong_nonce_is_not_the_end(void **state)
{
	struct lzr_result r;

	(void)state;
	begins_admitted();
	rig_revokes(0, "red");
	r = gets_revocation(ME, VM_RED, 0x10 + VM_RED);
	peer_answers(ME, &r, LZR_CTL_WRONG_NONCE, LZR_PORT_ADMITTED);
	peer_ended_with(ME, FAULT_PROTOCOL);
	assert_false(rig_vm(0, "red").end_confirmed);
	ME->port_nonce = 0x20;
	ME->port_state[VM_RED] = LZR_PORT_ADMITTED;
	peer_proves(ME);
	gets_revocation(ME, VM_RED, 0x20 + VM_RED);
}

/* What the switch refuses for another reason is kept as refused. */
static void refused_by_the_switch(void **state)
{
	struct store_message m;
	struct fault f = { 0 };
	struct lzr_result r;
	bool found;

	(void)state;
	begins_admitted();
	rig_revokes(0, "red");
	r = peer_gets_result(ME);
	peer_answers(ME, &r, LZR_CTL_SIGNATURE, LZR_PORT_ADMITTED);
	while (rig_outbox(0))
		usleep(20000);
	assert_true(store_last_revocation(&rig->store, rig_vm(0, "red").id, &m, &found, &f) && found);
	assert_true(m.answered);
	assert_int_equal(m.status, LZR_CTL_SIGNATURE);
	assert_false(rig_vm(0, "red").end_confirmed);
	assert_int_equal(rig_vm(0, "red").end, STORE_END_OPERATOR);
}

/* --- machines and sessions -------------------------------------------------------------------- */

/* Both have a VM "red". */
static void two_machines_one_state(void **state)
{
	struct lzr_result r;

	(void)state;
	rig_second();
	OTHER->port_nonce = 0x50;
	peer_proves(ME);
	peer_takes_leases(ME);
	peer_proves(OTHER);
	peer_takes_leases(OTHER);
	rig_posts(1, 900);
	assert_int_equal(peer_gets_result(OTHER).serial, 900);
	rig_revokes(1, "red");
	r = gets_revocation(OTHER, VM_RED, 0x50 + VM_RED);
	peer_answers(OTHER, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	waits_confirmed(1, "red");
	assert_true(peer_hears_nothing(ME, 500));
	assert_int_equal(rig_vm(0, "red").end, STORE_END_NONE);
	peer_renews(ME);
	peer_takes_leases(ME);
}

/* The attestor dialled again, and the old connection is dead without a word: the newer session gets everything. */
static void two_sessions_of_one_machine(void **state)
{
	struct peer again = rig_again(ME);
	struct lzr_result r;

	(void)state;
	ME->port_nonce = again.port_nonce = 0x10;
	peer_proves(ME);
	peer_takes_leases(ME);
	rig_revokes(0, "red");
	gets_revocation(ME, VM_RED, 0x10 + VM_RED);             /* and no answer */
	again.port_nonce = 0x20;
	again.port_state[VM_RED] = LZR_PORT_ADMITTED;
	peer_proves(&again);
	for (int i = 0; i < 8; i++)
		rig_posts(0, 900 + (uint64_t)i);
	for (unsigned int seen = 0; seen < 9;) {                /* eight files, and the revocation for the new nonce */
		r = peer_gets_result(&again);
		assert_true(r.type != LZR_RESULT_REVOCATION || r.port_nonce[0] == 0x20 + VM_RED);
		seen += r.serial >= 900 || r.type == LZR_RESULT_REVOCATION;
		peer_answers(&again, &r, LZR_CTL_OK, r.serial >= 900 ? LZR_PORT_ADMITTED : LZR_PORT_BLOCKED);
	}
	peer_ended_with(ME, FAULT_PROTOCOL);
	waits_confirmed(0, "red");
	peer_verifier_dies(&again);
}

/* --- ports that are blocked ------------------------------------------------------------------- */

static void blocked_elsewhere_gets_no_lease(void **state)
{
	struct fault f = { 0 };
	struct store_vm vm;

	(void)state;
	ME->port_state[VM_RED] = LZR_PORT_BLOCKED;
	peer_proves(ME);
	assert_int_equal(peer_gets_result(ME).vm, VM_BLUE);
	rig_waits_for_event(0, "vm=red good no-lease: its port is blocked");
	assert_true(store_begin(&rig->store, &f));
	vm = rig_vm(0, "red");
	assert_true(store_end(&rig->store, store_undo_end(&rig->store, &vm, &f), &f));
	peer_renews(ME);
	peer_takes_leases(ME);
	/* Open again: what was taken back is over, and does not lift the next block. */
	ME->port_state[VM_RED] = LZR_PORT_ADMITTED;
	peer_renews(ME);
	peer_takes_leases(ME);
	ME->port_state[VM_RED] = LZR_PORT_BLOCKED;
	peer_renews(ME);
	assert_int_equal(peer_gets_result(ME).vm, VM_BLUE);
}

/* By the policy (lease-end = "block"): nobody else did it, and nobody but a new start of the VM can undo it. */
static void shut_when_its_lease_ran_out(void **state)
{
	struct lzr_result r;
	struct store_vm vm;

	(void)state;
	rig->lease_ns = 1000000000u;
	begins_admitted();
	sleep(2);
	ME->port_state[VM_RED] = ME->port_state[VM_BLUE] = LZR_PORT_BLOCKED;
	peer_renews(ME);
	rig_waits_for_event(0, "vm=red good no-lease: its lease ran out, and its port is shut since then");
	rig_waits_for_event(0, "vm=blue good no-lease: its lease ran out");
	assert_false(rig_has_event("not by this state"));
	assert_true(peer_hears_nothing(ME, 500));
	/* A revocation goes before that, and a new instance has had no lease. */
	rig_revokes(0, "red");
	r = peer_gets_result(ME);
	assert_int_equal(r.type, LZR_RESULT_REVOCATION);
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	waits_confirmed(0, "red");
	vm = rig_vm(0, "blue");
	assert_true(revoke_lease_ran_out(&vm));
	vm.told.instance++;
	assert_false(revoke_lease_ran_out(&vm));
	vm = rig_vm(0, "red");
	assert_false(revoke_lease_ran_out(&vm));
}

/* --- reference values that change -------------------------------------------------------------- */

static void a_withdrawn_image_ends_its_lease(void **state)
{
	struct lzr_result r;

	(void)state;
	rig->watch = true;
	rig_refers(&ME->x->reference, NULL);
	begins_admitted();
	rig_refers(&ME->x->reference, "red");
	r = gets_revocation(ME, VM_RED, 0x10 + VM_RED);
	assert_non_null(strstr(rig_vm(0, "red").end_reason, "reference-missing: image red"));
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	waits_confirmed(0, "red");
	assert_true(peer_hears_nothing(ME, 1500));
	/* It comes back: this state closed the port for it, and opens it again. */
	rig_refers(&ME->x->reference, NULL);
	ME->port_state[VM_RED] = LZR_PORT_BLOCKED;
	ME->port_state[VM_BLUE] = LZR_PORT_ADMITTED;
	peer_renews(ME);
	peer_takes_leases(ME);
	assert_int_equal(rig_vm(0, "red").end, STORE_END_NONE);
}

/* Taken away while nobody was connected: the next evidence shows the open port, and closes it. */
static void withdrawn_between_sessions(void **state)
{
	(void)state;
	rig->watch = true;
	rig_refers(&ME->x->reference, NULL);
	begins_admitted();
	peer_hangs_up(ME);
	peer_ended_with(ME, FAULT_UNCHECKED);
	rig_refers(&ME->x->reference, "blue");
	ME->port_nonce = 0x20;
	ME->port_state[VM_RED] = ME->port_state[VM_BLUE] = LZR_PORT_ADMITTED;
	peer_proves(ME);
	assert_int_equal(peer_gets_result(ME).type, LZR_RESULT_LEASE);
	gets_revocation(ME, VM_BLUE, 0x20 + VM_BLUE);
}

/* A value that the whole machine rests on: every lease ends, the switch says so, and then the session does. */
static void a_withdrawn_platform_ends_all(void **state)
{
	struct reference other = ME->x->reference;
	struct lzr_result r;

	(void)state;
	rig->watch = true;
	rig_refers(&ME->x->reference, NULL);
	ME->port_nonce = 0x10;
	for (int between = 0; between <= 1; between++) {
		peer_proves(ME);
		if (!between)
			peer_takes_leases(ME);
		other.hypervisor.value[0][0] ^= 1;
		rig_refers(between ? &other : &ME->x->reference, NULL);
		if (!between) {
			other.hypervisor.value[0][0] ^= 1;
			other.boot_list.value[0][0] ^= 1;
			rig_refers(&other, NULL);
		}
		for (uint32_t vm = VM_RED; vm <= VM_BLUE && !between; vm++) {
			r = gets_revocation(ME, vm, (uint8_t)(0x10 + vm));
			peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
		}
		peer_ended_with(ME, FAULT_REFERENCE);
	}
	assert_true(rig_vm(0, "red").end_confirmed && rig_vm(0, "blue").end_confirmed);
}

/* Nothing is appraised by half a file; what it said before holds for a moment, and then no longer. */
static void an_unreadable_file_ends_all(void **state)
{
	struct fault f = { 0 };
	struct lzr_result r;

	(void)state;
	rig->watch = true;
	rig_refers(&ME->x->reference, NULL);
	begins_admitted();
	peer_says(ME, SESSION_RENEW, (struct bytes){ NULL, 0 });
	peer_takes_challenge(ME);
	assert_true(file_write(rig->reference, (struct bytes){ (const uint8_t *)"lazaret-ref", 11 }, &f));
	peer_shows(ME);
	for (uint32_t vm = VM_RED; vm <= VM_BLUE; vm++) {
		r = gets_revocation(ME, vm, (uint8_t)(0x10 + vm));
		peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	}
	assert_true(rig_has_event("nothing is admitted: "));
	assert_true(rig_has_event("not appraised"));
	assert_true(rig_has_event("all leases end: "));
	rig_refers(&ME->x->reference, NULL);
	rig_waits_for_event(0, "can be read again");
	ME->port_state[VM_RED] = ME->port_state[VM_BLUE] = LZR_PORT_BLOCKED;
	peer_renews(ME);
	peer_takes_leases(ME);
}

/*
 * What `lzr-verify result` prints of the machine's newest appraisal, and whether all of that is good;
 * `without_visitor`: as if the one VM that has no reference value here had one.
 */
static bool shown(bool json, bool without_visitor, char **text)
{
	struct store_report report = { 0 };
	struct fault f = { 0 };
	size_t length;
	bool good;
	FILE *out = open_memstream(text, &length);

	assert_non_null(out);
	assert_true(store_load_report(&rig->store, 0, &report, &f));
	assert_false(report.all_good);
	report.all_good = without_visitor;
	assert_true(appraisal_print(out, &rig->store, &report, json, &good, &f));
	fclose(out);
	store_free_report(&report);
	return good;
}

/* A revoked VM is no good result, whatever was appraised before. */
static void a_result_tells_who_is_revoked(void **state)
{
	struct lzr_result r;
	char *text;

	(void)state;
	begins_admitted();
	assert_false(shown(false, false, &text));
	free(text);
	assert_true(shown(false, true, &text));
	assert_int_equal(strncmp(text, "appraised 20", 12), 0);
	assert_null(strstr(text, "revoked"));
	free(text);
	rig_revokes(0, "blue");
	r = peer_gets_result(ME);
	peer_answers(ME, &r, LZR_CTL_OK, LZR_PORT_BLOCKED);
	assert_false(shown(false, true, &text));
	assert_non_null(strstr(text, "VM blue: revoked since 20"));
	assert_null(strstr(text, "VM red: revoked"));
	free(text);
	assert_false(shown(true, true, &text));
	assert_int_equal(strncmp(text, "{\"appraised\":\"20", 16), 0);
	assert_non_null(strstr(text, "\"revoked\":[\"blue\"],\""));
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_switch_has_the_last_word), TEST(revoked_during_the_check),
		TEST(the_session_breaks_between_save_and_send), TEST(no_nonce_is_outstanding),
		TEST(the_verifier_dies_with_the_message), TEST(an_open_port_is_revoked_again),
		TEST(a_wrong_nonce_is_not_the_end), TEST(refused_by_the_switch), TEST(two_machines_one_state),
		TEST(two_sessions_of_one_machine), TEST(blocked_elsewhere_gets_no_lease),
		TEST(shut_when_its_lease_ran_out), TEST(a_withdrawn_image_ends_its_lease),
		TEST(withdrawn_between_sessions), TEST(a_withdrawn_platform_ends_all),
		TEST(an_unreadable_file_ends_all), TEST(a_result_tells_who_is_revoked),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
