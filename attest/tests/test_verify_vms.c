/* SPDX-License-Identifier: Apache-2.0 */
/* What a good platform says about its VMs: claims that lie, and layers of two machines or boots in one bundle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "../report.h"

/* The right nonce at the leaf, an older one in a statement. */
static void eat_with_other_nonce(void **state)
{
	struct fixture *x = *state;

	x->claim[VM_BLUE].nonce[5] ^= 1;
	fixture_sign_claims(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_BLUE].fault.code, FAULT_EAT_NONCE);
	assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_GOOD);
}

/* The attestor states something else than what was measured or recorded. */
static void lying_claims(void **state)
{
	struct fixture *x = *state;
	struct evidence *e = &x->claim[VM_BLUE], honest = *e;
	uint8_t *const fields[] = { e->measurement,
				    (uint8_t *)&e->label,
				    e->flow,
				    e->dma,
				    e->firewall,
				    e->policy,
				    e->list_head,
				    (uint8_t *)&e->instance,
				    (uint8_t *)&e->state,
				    (uint8_t *)&e->starts,
				    (uint8_t *)&e->restores,
				    (uint8_t *)&e->epoch,
				    (uint8_t *)&e->policy_version,
				    (uint8_t *)&e->platform_flags,
				    (uint8_t *)e->name,
				    (uint8_t *)&e->firewall_bypassed };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		*fields[i] ^= 1;
		fixture_sign_claims(x);
		fixture_pack(x);
		assert_int_equal(fixture_verify(x), FAULT_GOOD);
		assert_int_equal(x->report.vm[VM_BLUE].fault.code, FAULT_CLAIM);
		assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_GOOD);
		*e = honest;
	}
	e->attestor_instance ^= 1;
	fixture_sign_claims(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_BLUE].fault.code, FAULT_CLAIM);
}

/* Visitor's statement says it is blue, and blue's record is told twice. */
static void impersonation(void **state)
{
	struct fixture *x = *state;

	x->claim[VM_VISITOR] = x->claim[VM_BLUE];
	fixture_sign_claims(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_STATEMENTS);
	assert_string_equal(x->report.platform.component, "VM blue, statements in the bundle");
	assert_int_equal(x->report.vm_count, 0);
}

static void records_lie_about_label_or_measurement(void **state)
{
	struct fixture *x = *state;

	x->now.vms[VM_VISITOR].label.level = 2;
	memcpy(x->now.vms[VM_VISITOR].measurement, x->manifest[VM_RED], 48);
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_VISITOR].fault.code, FAULT_CLAIM);
	x->now.vms[VM_VISITOR].label.level = 0;
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_VISITOR].fault.code, FAULT_CLAIM);
}

static void states_and_confinement(void **state)
{
	struct fixture *x = *state;

	x->now.vms[VM_RED].state = LZR_VM_DEAD;
	x->now.vms[VM_BLUE].flags = LZR_VM_FIREWALL_BYPASS;
	fixture_fill_claims(x);
	x->claim[VM_BLUE].firewall_bypassed = true;
	fixture_fill_quote(x);
	fixture_sign_quote(x);
	fixture_sign_claims(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_VM_STATE);
	assert_int_equal(x->report.vm[VM_BLUE].fault.code, FAULT_CONFINEMENT);
}

static void release_of_another_way(void **state)
{
	struct fixture *x = *state;

	x->release = RELEASE_CHANNEL;
	x->vm = "red";
	assert_int_equal(fixture_verify(x), FAULT_RELEASE);
	x->release = RELEASE_NETWORK;
	x->vm = NULL;
	x->claim[VM_RED].vm_key_length = 20;
	fixture_sign_claims(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_RELEASE);
}

/* Layers of two machines, both good, both enrolled, challenged with the same nonce. */
static void swapped_layers(void **state)
{
	struct fixture *x = *state, *y = fixture_new(1);

	assert_int_equal(fixture_verify(y), FAULT_GOOD);
	/* Their quote over our statements, and the other way round. */
	memcpy(x->quote, y->quote, sizeof(x->quote));
	memcpy(x->signature, y->signature, sizeof(x->signature));
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
	fixture_sign_quote(x);
	memcpy(x->eat[VM_RED], y->eat[VM_RED], sizeof(x->eat[VM_RED]));
	x->eat_length[VM_RED] = y->eat_length[VM_RED];
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_EAT_SIGNATURE);
	/* Their key with their statements under our quote. */
	memcpy(x->point, y->point, sizeof(x->point));
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
	fixture_free(y);
}

/* The same machine's boot before: other records, other instance, other key. */
static void swapped_boots(void **state)
{
	struct fixture *x = *state, *y = fixture_new(1);

	memcpy(&y->ak, &x->ak, sizeof(x->ak));
	x->now.vms[VM_ATTESTOR].instance = 9;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
	x->now.vms[VM_ATTESTOR].instance = VM_ATTESTOR + 1;
	x->now.vms[VM_RED].starts = 2;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
	fixture_free(y);
}

static struct fixture *machine_with_reader(int reader)
{
	fixture_reader = reader;
	struct fixture *x = fixture_new(1);

	fixture_reader = VM_COUNT;
	return x;
}

/* Who reads the attestor's memory has its key: such an image is one of those that the verdict rests on. */
static void introspection(void **state)
{
	struct fixture *x = machine_with_reader(VM_RED), *y = machine_with_reader(VM_VISITOR);
	char *text;
	size_t size;

	(void)state;
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_ATTESTOR].fault.code, FAULT_GOOD);
	for (unsigned json = 0; json < 2; json++) {
		FILE *out = open_memstream(&text, &size);

		(json ? report_print_json : report_print)(out, &x->report, &x->reference);
		fclose(out);
		const char *needle = json ? "\"introspected\":true" : "    memory      read by red\n";
		const char *said = strstr(text, needle);

		assert_non_null(said);
		assert_true(said > strstr(text, "attestor"));
		assert_null(strstr(said + 1, needle));
		free(text);
	}
	assert_int_equal(fixture_verify(y), FAULT_REFERENCE_MISSING);   /* visitor has no reference value */
	assert_non_null(strstr(y->report.platform.component, "visitor"));
	fixture_free(x);
	fixture_free(y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(eat_with_other_nonce),
		CASE(lying_claims),
		CASE(impersonation),
		CASE(records_lie_about_label_or_measurement),
		CASE(states_and_confinement),
		CASE(release_of_another_way),
		CASE(swapped_layers),
		CASE(swapped_boots),
		CASE(introspection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
