/* SPDX-License-Identifier: Apache-2.0 */
/* What the story tries once everybody who may be admitted is. */
#include "play.h"

#include "key.h"
#include "result.h"
#include "run.h"

#include <limits.h>
#include <string.h>

static bool answered(void)
{
	return story.awaited_status[0] != 0;
}

/* Signs `r`, hands it to the switch by way of the attestor, and waits for the switch's word. */
static bool deliver(struct lzr_result *r, uint32_t port, const char *key_file)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct fault f = { 0 };
	struct key key;
	bool ok;

	key_init(&key);
	ok = key_load(&key, key_file, &f) && store_next_serial(&store, &r->serial, &f) &&
	     result_sign(&key, r, message, &f);
	story.awaited_serial = r->serial;
	story.awaited_status[0] = 0;
	ok = ok && store_post(&store, r->serial, port, message, &f);
	key_free(&key);
	if (!ok) {
		char text[600];

		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "story: %s\n", text);
		return false;
	}
	return play_until(answered, STORY_ANSWER_SECONDS);
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
		if (story.vm[n].port >= 0 && story.ports[story.vm[n].port].kind == LZR_PORT_GUEST &&
		    !story.vm[n].expect_admitted)
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

	if (!store_load_lease(&store, vm->policy->name, &lease, &f))
		return;
	snprintf(own, sizeof(own), "%s/verifier.pem", options.keys);
	snprintf(wrong, sizeof(wrong), "%s/signer.pem", options.keys);
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

static bool is_blocked(void)
{
	return strcmp(revoked->state, "blocked") == 0;
}

static bool gateway_closed(void)
{
	for (unsigned i = 0; i < story.flow_count; i++)
		if (strcmp(story.flow[i].from, revoked->policy->name) == 0 && story.flow[i].last == STORY_ALLOWED)
			return false;
	return true;
}

static bool revoke_and_see(const struct story_vm *vm)
{
	char state[PATH_MAX], key[PATH_MAX];
	char *const argv[] = { (char *)options.verify, "revoke", "--state", state, "--key", key, "--vm",
			       (char *)vm->policy->name, NULL };

	snprintf(state, sizeof(state), "%s/verifier", options.dir);
	snprintf(key, sizeof(key), "%s/verifier.pem", options.keys);
	revoked = vm;
	return run_program(argv, 10, NULL, 0) && play_until(is_blocked, STORY_ANSWER_SECONDS) &&
	       play_until(gateway_closed, STORY_ANSWER_SECONDS);
}

static const struct story_vm *renewing;
static uint64_t leases_before;

static bool renewed(void)
{
	return renewing->leases > leases_before;
}

void trials_play(void)
{
	const struct story_vm *vm = first_admitted();

	if (!vm)
		return;
	play_trials(vm);
	for (unsigned i = 0; i < TRIAL_COUNT; i++)
		if (i != TRIAL_OTHER_VM || first_refused())
			play_check(trials[i].what, strstr(trials[i].found, trials[i].expected) != NULL,
				   trials[i].found);
	play_stage("results that must change nothing were tried");
	renewing = vm;
	leases_before = vm->leases;
	play_check("a lease that runs out is renewed by a fresh nonce", play_until(renewed, options.lease + 30),
		   vm->verdict);
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
