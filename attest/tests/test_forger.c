/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forger with much time: thousands of changed bundles from a fixed seed, over good evidence of a machine, and pieces
 * of what it may have kept (another machine, an earlier boot, an earlier challenge).  Whatever was changed, a good
 * verdict says exactly what the untouched evidence says: the same boot, the same policy, the same claims of each VM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define BYTE_ROUNDS 2000u
#define EVENT_ROUNDS 500u
#define SPLICE_ROUNDS 600u
#define POLICY_ROUNDS 20000u

static struct fixture *x;                       /* whose verdict is asked for */
static struct bootlog boot;                     /* what a good verdict says */
static struct policyview policy;
static uint8_t original[EVIDENCE_BUNDLE_MAX];
static size_t original_length;
static unsigned accepted;
static uint64_t random_state;

static uint32_t roll(uint32_t sides)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33) % sides;
}

static int setup(void **state)
{
	(void)state;
	x = fixture_new(1);
	random_state = 20;
	accepted = 0;
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	boot = x->report.log;
	policy = x->report.policy;
	memcpy(original, x->bundle, x->bundle_length);
	original_length = x->bundle_length;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(x);
	return 0;
}

/* A good statement is the one that the attestor made about that VM, to this nonce; the visitor's is never good. */
static void check_vm(const struct vm_report *vm, const char *what, unsigned round)
{
	if (vm->fault.code == FAULT_UNCHECKED)
		fail_msg("%s, round %u: a statement was not checked", what, round);
	if (vm->fault.code != FAULT_GOOD)
		return;
	if (!vm->decoded || vm->evidence.vm >= VM_COUNT || vm->evidence.vm == VM_VISITOR ||
	    memcmp(&vm->evidence, &x->claim[vm->evidence.vm], sizeof(vm->evidence)) != 0)
		fail_msg("%s, round %u: a forged statement about VM %u is good", what, round, vm->evidence.vm);
}

static void check_verdict(const char *what, unsigned round)
{
	const struct verify_report *r = &x->report;

	fixture_verify(x);
	if (r->platform.code == FAULT_UNCHECKED)
		fail_msg("%s, round %u: nothing was checked", what, round);
	if (r->platform.code != FAULT_GOOD) {
		for (size_t i = 0; i < LZR_VM_MAX; i++)
			assert_int_not_equal(r->vm[i].fault.code, FAULT_GOOD);
		return;
	}
	accepted++;
	if (memcmp(&r->log, &boot, sizeof(boot)) != 0)
		fail_msg("%s, round %u: good, but it tells of another boot", what, round);
	if (memcmp(&r->policy, &policy, sizeof(policy)) != 0)
		fail_msg("%s, round %u: good, but under another policy", what, round);
	if (r->vm_count != VM_COUNT)
		fail_msg("%s, round %u: good, but with %zu statements", what, round, r->vm_count);
	for (size_t i = 0; i < r->vm_count; i++) {
		if (r->vm[i].number != i || (r->vm[i].decoded && r->vm[i].evidence.vm != i))
			fail_msg("%s, round %u: a statement in another VM's place", what, round);
		check_vm(&r->vm[i], what, round);
	}
}

static void restore(void)
{
	memcpy(x->bundle, original, original_length);
	x->bundle_length = original_length;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static void remove_bytes(size_t at, size_t count)
{
	memmove(x->bundle + at, x->bundle + at + count, x->bundle_length - at - count);
	x->bundle_length -= count;
}

static void insert_copy(size_t at, size_t from, size_t count)
{
	uint8_t piece[64];

	memcpy(piece, x->bundle + from, count);
	memmove(x->bundle + at + count, x->bundle + at, x->bundle_length - at);
	memcpy(x->bundle + at, piece, count);
	x->bundle_length += count;
}

static void mutate_bytes(void)
{
	size_t at = roll((uint32_t)x->bundle_length), to = roll((uint32_t)x->bundle_length);
	size_t count = 1 + roll(32);

	if (at + count > x->bundle_length || to + count > x->bundle_length)
		at = to = 0;
	switch (roll(7)) {
	case 0: x->bundle[at] ^= (uint8_t)(1u << roll(8)); break;
	case 1: memset(x->bundle + at, roll(2) ? 0xff : 0, count); break;
	case 2: memmove(x->bundle + at, x->bundle + to, count); break;
	case 3: remove_bytes(at, count); break;
	case 4: insert_copy(at, to, count); break;
	case 5: x->bundle_length = at; break;
	case 6: x->bundle[at] = (uint8_t)roll(256); break;
	}
}

static void changed_bytes(void **state)
{
	(void)state;
	for (unsigned round = 0; round < BYTE_ROUNDS; round++) {
		for (unsigned changes = 1 + roll(3); changes; changes--)
			if (x->bundle_length)
				mutate_bytes();
		check_verdict("bytes", round);
		restore();
	}
	assert_int_not_equal(accepted, 0);      /* a statement changed, the platform still good: changes go deep */
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
}

/* A bit in each byte of quote, signature and registers. */
static void every_byte_of_the_quote(void **state)
{
	struct bundle *b = malloc(sizeof(*b));
	struct fault f = { 0 };
	size_t first, last;

	(void)state;
	assert_true(bundle_decode((struct bytes){ x->bundle, x->bundle_length }, b, &f));
	first = (size_t)(b->quote.data - x->bundle);
	last = (size_t)(b->signature.data - x->bundle) + b->signature.length + sizeof(b->pcr);
	for (size_t at = first; at < last; at++) {
		x->bundle[at] ^= (uint8_t)(1u << roll(8));
		check_verdict("quote", (unsigned)at);
		assert_int_not_equal(x->report.platform.code, FAULT_GOOD);
		x->bundle[at] = original[at];
	}
	free(b);
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

/* One entry of the bundle's map, key and value; keys are one byte each. */
struct entry { size_t at, length; };

static void find_entries(struct entry entries[13])
{
	struct bundle *b = malloc(sizeof(*b));
	struct fault f = { 0 };
	const uint8_t *keyed[13];

	assert_true(bundle_decode((struct bytes){ original, original_length }, b, &f));
	keyed[0] = original + 1;
	keyed[1] = original + 3;
	keyed[2] = b->eat[b->eat_count - 1].data + b->eat[b->eat_count - 1].length;
	keyed[3] = b->quote.data + b->quote.length;
	keyed[4] = b->signature.data + b->signature.length;
	keyed[5] = keyed[4] + 1 + 3 + sizeof(b->pcr);
	keyed[6] = b->log.data + b->log.length;
	keyed[7] = b->ak_name.data + b->ak_name.length;
	keyed[8] = keyed[7] + 1 + 2 + sizeof(b->key);
	keyed[9] = keyed[8] + 5;                /* [0, 1, []] behind its key */
	keyed[11] = b->policy.data;
	while (*--keyed[11] != 12)
		;
	keyed[10] = keyed[9] + 1 + 2 + sizeof(b->platform);
	keyed[12] = b->policy.data + b->policy.length;
	for (unsigned i = 0; i < 13; i++) {
		const uint8_t *end = i < 12 ? keyed[i + 1] : original + original_length;

		assert_int_equal(*keyed[i], i + 1);
		entries[i] = (struct entry){ (size_t)(keyed[i] - original), (size_t)(end - keyed[i]) };
	}
	free(b);
}

static void append_entry(const struct entry *e)
{
	memcpy(x->bundle + x->bundle_length, original + e->at, e->length);
	x->bundle_length += e->length;
}

/* Each entry twice (counted or not), left out, and in each other's place. */
static void entries_of_the_map(void **state)
{
	struct entry entries[13];

	(void)state;
	find_entries(entries);
	for (unsigned a = 0; a < 13; a++) {
		for (unsigned b = 0; b < 13 * 4; b++) {
			unsigned other = b / 4, how = b % 4;

			x->bundle[0] = (uint8_t)(0xad + (how == 1) - (how == 2));
			x->bundle_length = 1;
			for (unsigned i = 0; i < 13; i++) {
				append_entry(&entries[how == 3 && (i == a || i == other) ? a + other - i : i]);
				if (i == a && how < 2)
					append_entry(&entries[other]);
				if (i == a && how == 2)
					x->bundle_length -= entries[i].length;
			}
			check_verdict("entries", a * 100 + b);
			if (how < 3 || a != other)
				assert_int_not_equal(x->report.platform.code, FAULT_GOOD);
		}
	}
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* The log told in another way, under the quote as it is. */
static void retold_events(void **state)
{
	static const uint32_t types[] = { LZR_EV_SEPARATOR, LZR_EV_EVENT_TAG, LZR_EV_IPL, 1, 3, 8,
					  0x80000001,	    0x80000003 };

	(void)state;
	for (unsigned round = 0; round < EVENT_ROUNDS; round++) {
		struct fixture_event saved[FIXTURE_EVENTS], *a, *b, kept;
		size_t count = x->event_count;
		uint32_t how = roll(8);

		memcpy(saved, x->event, sizeof(saved));
		a = &x->event[roll((uint32_t)count)];
		b = &x->event[roll((uint32_t)count)];
		switch (how) {
		case 0: kept = *a, *a = *b, *b = kept; break;
		case 1: *a = *b; break;
		case 2: x->event[x->event_count++] = *a; break;
		case 3: x->event_count -= 1 + roll(4); break;
		case 4: a->type = types[roll(sizeof(types) / sizeof(types[0]))]; break;
		case 5: a->pcr = roll(24); break;
		case 6: a->data[roll(a->length)] ^= (uint8_t)(1u << roll(8)); break;
		case 7: memcpy(a->data, b->data, a->length = b->length); break;
		}
		if (roll(2))
			fixture_event_hash(a);
		fixture_write_log(x);
		fixture_pack(x);
		check_verdict("events", round);
		/* What the loader measured is told event by event, types included. */
		if (how == 4 && a->type != saved[a - x->event].type && (a->pcr == 8 || a->pcr == 9 || a->pcr == 11))
			assert_int_not_equal(x->report.platform.code, FAULT_GOOD);
		memcpy(x->event, saved, sizeof(saved));
		x->event_count = count;
	}
}

/* --- the policy --------------------------------------------------------------------------------------------------- */

/*
 * Before its digest is compared with the log's, a policy may be anything: its reader takes or refuses it, and no more.
 */
static void damaged_policies(void **state)
{
	static struct policyview view;

	(void)state;
	for (unsigned round = 0; round < POLICY_ROUNDS; round++) {
		uint8_t *copy = malloc(x->policy_length);
		struct fault f = { 0 };

		memcpy(copy, x->policy, x->policy_length);
		for (unsigned changes = 1 + roll(6); changes; changes--) {
			size_t at = roll((uint32_t)x->policy_length - 4),
			       cell = roll(2) ? roll(32) << 24 : roll(UINT32_MAX);

			if (roll(2))
				copy[at] ^= (uint8_t)(1u << roll(8));
			else
				memcpy(copy + (at & ~(size_t)3), &cell, 4);
		}
		if (policyview_read((struct bytes){ copy, x->policy_length }, &view, &f)) {
			assert_in_range(view.vm_count, 1, LZR_VM_MAX);
			assert_true(view.attestor == POLICYVIEW_NONE || view.attestor < view.vm_count);
			assert_true(view.firewall == POLICYVIEW_NONE || view.firewall < view.vm_count);
		} else {
			assert_int_not_equal(f.code, FAULT_UNCHECKED);
		}
		free(copy);
	}
}

/* --- pieces of other evidence ------------------------------------------------------------------------------------- */

/* Takes the parts of `from` that `parts` names. */
static void splice(const struct fixture *from, uint32_t parts)
{
#define PART(bit, member, length) do { \
	if (parts >> (bit) & 1) { \
		memcpy(x->member, from->member, sizeof(x->member)); \
		length; \
	} } while (0)
	PART(0, quote, x->quote_length = from->quote_length);
	PART(1, signature, x->signature_length = from->signature_length);
	PART(2, pcr, (void)0);
	PART(3, log, x->log_length = from->log_length);
	PART(4, point, (void)0);
	PART(5, policy, x->policy_length = from->policy_length);
	PART(6, signer, x->signer_length = from->signer_length);
	PART(7, now.vms, (void)0);
#undef PART
	if (parts >> 8 & 1)
		x->now.platform = from->now.platform;
	if (parts >> 9 & 1)
		x->path = from->path;
	for (unsigned vm = 0; vm < VM_COUNT; vm++)
		if (parts >> (10 + vm) & 1) {
			unsigned of = roll(4) ? vm : roll(VM_COUNT);

			memcpy(x->eat[vm], from->eat[of], sizeof(x->eat[vm]));
			x->eat_length[vm] = from->eat_length[of];
		}
	if (parts >> 15 & 1) {
		memcpy(x->ak.name, from->ak.name, sizeof(x->ak.name));
		x->ak.name_length = from->ak.name_length;
	}
}

/* Evidence that differs from x's in one deep thing, complete and good in itself. */
static void make_others(struct fixture *others[4])
{
	for (unsigned i = 0; i < 4; i++)
		others[i] = fixture_new(1);
	/* 0: another machine, asked with the same nonce.  1: this TPM and attestor's key, an earlier challenge. */
	for (unsigned i = 1; i < 4; i++) {
		mbedtls_ecp_copy(&others[i]->ak_key.ec.Q, &x->ak_key.ec.Q);
		mbedtls_mpi_copy(&others[i]->ak_key.ec.d, &x->ak_key.ec.d);
		others[i]->ak = x->ak;
	}
	mbedtls_ecp_copy(&others[1]->attestor.ec.Q, &x->attestor.ec.Q);
	mbedtls_mpi_copy(&others[1]->attestor.ec.d, &x->attestor.ec.d);
	memcpy(others[1]->point, x->point, sizeof(x->point));
	memset(others[1]->nonce, 0x77, sizeof(others[1]->nonce));
	/* 2: this machine's boot before, same nonce.  3: this machine with another image for red, same nonce. */
	others[2]->now.vms[VM_ATTESTOR].instance = 9;
	others[2]->now.vms[VM_RED].starts = 3;
	others[3]->event[8 + 2 * 4 + 1].sha384[0] ^= 1;
	others[3]->now.vms[VM_RED].measurement[0] ^= 1;
	for (unsigned i = 1; i < 4; i++)
		fixture_rebuild(others[i]);
}

static void spliced_evidence(void **state)
{
	struct fixture *others[4], *kept = malloc(sizeof(*kept));

	(void)state;
	make_others(others);
	for (unsigned round = 0; round < SPLICE_ROUNDS; round++) {
		uint32_t parts = roll(2) ? 1u << roll(16) : roll(1u << 16);
		struct ak_record enrolled = x->ak;

		memcpy(kept, x, sizeof(*kept));
		/*
		 * With its key and its records, another's signed quote is that other's evidence: one of the two is
		 * missing.
		 */
		if ((parts & 3) == 3)
			parts &= ~(1u << (roll(2) ? 4 : 7));
		splice(others[round % 4], parts);
		fixture_pack(x);
		x->ak = enrolled;
		check_verdict("splice", round);
		memcpy(x, kept, sizeof(*kept));
	}
	assert_int_not_equal(accepted, 0);
	free(kept);
	for (unsigned i = 0; i < 4; i++)
		fixture_free(others[i]);
}

/* Statements chosen from all that there are, once, twice, not at all, in any order: good only as they were. */
static void chosen_statements(void **state)
{
	(void)state;
	for (unsigned round = 0; round < SPLICE_ROUNDS; round++) {
		bool untouched = true;

		fixture_state_all(x);
		for (unsigned changes = roll(4); changes; changes--) {
			size_t at = roll((uint32_t)x->stated_count), to = roll((uint32_t)x->stated_count);
			int kept = x->stated[at];

			switch (roll(4)) {
			case 0: x->stated[at] = x->stated[to], x->stated[to] = kept; break;
			case 1: x->stated[at] = (int)roll(VM_COUNT); break;
			case 2: x->stated_count -= x->stated_count > 1; break;
			case 3:
				if (x->stated_count < VM_COUNT + 2)
					x->stated[x->stated_count++] = (int)roll(VM_COUNT);
				break;
			}
		}
		for (size_t i = 0; i < x->stated_count; i++)
			untouched = untouched && x->stated_count == VM_COUNT && x->stated[i] == (int)i;
		fixture_pack(x);
		check_verdict("statements", round);
		assert_int_equal(x->report.platform.code, untouched ? FAULT_GOOD : FAULT_STATEMENTS);
	}
	assert_int_not_equal(accepted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(changed_bytes), CASE(every_byte_of_the_quote), CASE(entries_of_the_map), CASE(retold_events),
		CASE(damaged_policies), CASE(spliced_evidence),
		CASE(chosen_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
