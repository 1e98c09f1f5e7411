/* SPDX-License-Identifier: Apache-2.0 */
/* What the story tries once everybody who may be admitted is. */
#include "play.h"

#include "keyfile.h"
#include "result.h"
#include "run.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool answered(char wait[STORY_WAIT])
{
	snprintf(wait, STORY_WAIT, "the switch's word on result %" PRIu64, story.awaited_serial);
	return story.awaited_status[0] != 0;
}

/* The only machine of this state. */
static bool find_machine(int64_t *id, struct fault *f)
{
	struct store_machine *list;
	size_t count;

	if (!store_list_machines(&store, &list, &count, f))
		return false;
	*id = count == 1 ? list[0].id : 0;
	free(list);
	return *id || fault_set_number(f, FAULT_INPUT, "enrolled machines", 1, count);
}

/* In a transaction. */
static bool post(struct key *key, struct lzr_result *r, uint32_t port, struct fault *f)
{
	uint8_t message[LZR_RESULT_SIZE];
	int64_t machine, id;

	return find_machine(&machine, f) && store_next_serial(&store, &r->serial, f) &&
	       result_sign(key, r, message, f) && store_post(&store, machine, port, message, &id, f);
}

/* Signs `r`, hands it to the switch by way of the attestor, and waits for the switch's word. */
static bool deliver(struct lzr_result *r, uint32_t port, const char *key_file)
{
	struct fault f = { 0 };
	struct key key;
	bool ok;

	key_init(&key);
	ok = keyfile_load(&key, key_file, NULL, &f) && store_begin(&store, &f) &&
	     store_end(&store, post(&key, r, port, &f), &f);
	story.awaited_serial = r->serial;
	story.awaited_status[0] = 0;
	key_free(&key);
	if (!ok) {
		char text[600];

		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "story: %s\n", text);
		return false;
	}
	return play_until(answered, NULL);
}

struct trial {
	const char *what;
	const char *expected;           /* the switch's word */
	char found[64];
};

static void try_result(struct trial *trial, struct lzr_result r, uint32_t port, const char *key_file)
{
	if (deliver(&r, port, key_file))
		snprintf(trial->found, sizeof(trial->found), "switch: %s", story.awaited_status);
	else
		snprintf(trial->found, sizeof(trial->found), "no answer");
}

static const struct story_vm *first_admitted(void)
{
	for (unsigned n = 0; n < story.view.vm_count; n++)
		if (story.vm[n].expect_admitted && story.vm[n].leases)
			return &story.vm[n];
	return NULL;
}

static const struct story_vm *first_refused(void)
{
	for (unsigned n = 0; n < story.view.vm_count; n++)
		if (story_is_guest(&story, &story.vm[n]) && !story.vm[n].expect_admitted)
			return &story.vm[n];
	return NULL;
}

enum { TRIAL_REPLAY, TRIAL_OTHER_VM, TRIAL_INSTANCE, TRIAL_NONCE, TRIAL_KEY, TRIAL_COUNT };

static struct trial trials[TRIAL_COUNT] = {
	[TRIAL_REPLAY] = { .what = "a lease delivered a second time", .expected = "wrong-nonce" },
	[TRIAL_OTHER_VM] = { .what = "a lease sent to another VM's port", .expected = "wrong-vm" },
	[TRIAL_INSTANCE] = { .what = "a lease for another instance", .expected = "wrong-instance" },
	[TRIAL_NONCE] = { .what = "a lease for another port nonce", .expected = "wrong-nonce" },
	[TRIAL_KEY] = { .what = "a lease signed by another key", .expected = "signature" },
};

static void play_trials(const struct story_vm *vm)
{
	const struct story_vm *other = first_refused();
	char own[PATH_MAX], wrong[PATH_MAX];
	struct lzr_result lease, changed;
	struct fault f = { 0 };
	struct store_vm known;
	int64_t machine;

	if (!find_machine(&machine, &f) || !store_find_vm(&store, machine, vm->policy->name, &known, &f) ||
	    !known.has_lease)
		return;
	lease = known.lease;
	snprintf(own, sizeof(own), "%s/verifier.pem", options.files.keys);
	snprintf(wrong, sizeof(wrong), "%s/signer.pem", options.files.keys);
	try_result(&trials[TRIAL_REPLAY], lease, (uint32_t)vm->port, own);
	if (other)
		try_result(&trials[TRIAL_OTHER_VM], lease, (uint32_t)other->port, own);
	changed = lease;
	changed.instance++;
	try_result(&trials[TRIAL_INSTANCE], changed, (uint32_t)vm->port, own);
	changed = lease;
	changed.port_nonce[0] ^= 1;
	try_result(&trials[TRIAL_NONCE], changed, (uint32_t)vm->port, own);
	try_result(&trials[TRIAL_KEY], lease, (uint32_t)vm->port, wrong);
}

static const struct story_vm *revoked;

static bool is_blocked(char wait[STORY_WAIT])
{
	snprintf(wait, STORY_WAIT, "%s's port to be blocked", revoked->policy->name);
	return strcmp(revoked->state, "blocked") == 0;
}

static bool gateway_closed(char wait[STORY_WAIT])
{
	for (unsigned i = 0; i < story.flow_count; i++)
		if (strcmp(story.flow[i].from, revoked->policy->name) == 0 && story.flow[i].last == STORY_ALLOWED) {
			snprintf(wait, STORY_WAIT, "%s to lose %s", revoked->policy->name, story.flow[i].to);
			return false;
		}
	return true;
}

static bool revoke(const struct story_vm *vm, bool undo, char *output, size_t size)
{
	char state[PATH_MAX], key[PATH_MAX];
	char *const argv[] = { (char *)options.verify, "revoke", "--state", state, "--key", key, "--vm",
			       (char *)vm->policy->name, undo ? "--undo" : NULL, NULL };

	snprintf(state, sizeof(state), "%s/verifier.db", options.dir);
	snprintf(key, sizeof(key), "%s/verifier.pem", options.files.keys);
	return run_program(argv, 120, output, size);
}

/* The command ends when the switch has said so; the consoles say it as well. */
static bool revoke_and_see(const struct story_vm *vm)
{
	char output[512] = "";

	revoked = vm;
	if (!revoke(vm, false, output, sizeof(output))) {
		fprintf(stderr, "story: lzr-verify revoke: %s", output);
		return false;
	}
	return strstr(output, "blocked, confirmed by the switch") && play_until(is_blocked, NULL) &&
	       play_until(gateway_closed, NULL);
}

static const struct story_vm *renewing;
static uint64_t leases_before;

static bool renewed(char wait[STORY_WAIT])
{
	snprintf(wait, STORY_WAIT, "%s's lease to be renewed", renewing->policy->name);
	return renewing->leases > leases_before;
}

static const char *why_nobody(void)
{
	return story.unverified ? story.unverified : "nobody is to be admitted, or was";
}

void trials_play(void)
{
	const struct story_vm *vm = first_admitted();

	if (!vm) {
		play_untried("leases that are not the port's, renewal, revocation", why_nobody());
		return;
	}
	play_trials(vm);
	for (unsigned i = 0; i < TRIAL_COUNT; i++)
		if (i != TRIAL_OTHER_VM || first_refused())
			play_check(trials[i].what, strstr(trials[i].found, trials[i].expected) != NULL,
				   trials[i].found);
		else
			play_untried(trials[i].what, "every VM with a port has a lease");
	play_stage("results that must change nothing were tried");
	renewing = vm;
	leases_before = vm->leases;
	play_check("a lease that runs out is renewed by a fresh nonce", play_until(renewed, NULL), vm->verdict);
	play_stage("a lease was renewed");
}

void trials_revoke(void)
{
	const struct story_vm *vm = first_admitted();

	if (!vm)
		return;
	play_check("a signed revocation closes the port at once", revoke_and_see(vm), vm->state);
	play_stage("a lease was revoked");
}

void trials_undo(void)
{
	char output[512] = "";

	if (!revoked)
		return;
	if (revoke(revoked, true, output, sizeof(output)))
		printf("\nThe story revoked %s; that is taken back: its next evidence gets a lease again.\n",
		       revoked->policy->name);
	else
		printf("\nThe story revoked %s, and it stays so: lzr-verify revoke --undo: %s", revoked->policy->name,
		       output);
}
