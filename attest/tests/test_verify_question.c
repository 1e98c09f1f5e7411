/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence is an answer to a question: about all VMs, or about the one whose channel it came by, each exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static void refused(struct fixture *x, enum fault_code code, const char *component, const char *found)
{
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), code);
	assert_string_equal(x->report.platform.component, component);
	assert_string_equal(x->report.platform.found, found);
	assert_int_equal(x->report.vm_count, 0);
	for (size_t i = 0; i < LZR_VM_MAX; i++)
		assert_int_equal(x->report.vm[i].fault.code, FAULT_UNCHECKED);
}

/* Whoever carries a bundle can cut any statement out of it without a key. */
static void a_missing_statement_refuses_all(void **state)
{
	struct fixture *x = *state;

	for (int out = 0; out < VM_COUNT; out++) {
		char component[80];

		fixture_state_all(x);
		x->stated_count--;
		memmove(&x->stated[out], &x->stated[out + 1], (size_t)(VM_COUNT - 1 - out) * sizeof(x->stated[0]));
		snprintf(component, sizeof(component), "VM %s, statements in the bundle", x->now.vms[out].name);
		refused(x, FAULT_STATEMENTS, component, "0");
	}
	x->stated_count = 1;
	x->stated[0] = VM_RED;
	refused(x, FAULT_STATEMENTS, "VM blue, statements in the bundle", "0");
}

static void a_doubled_or_surplus_statement_refuses_all(void **state)
{
	struct fixture *x = *state;

	x->stated[x->stated_count++] = VM_BLUE;
	refused(x, FAULT_STATEMENTS, "VM blue, statements in the bundle", "2");
	fixture_state_all(x);
	x->stated[VM_VISITOR] = VM_RED;         /* as many as there should be */
	refused(x, FAULT_STATEMENTS, "VM red, statements in the bundle", "2");
	fixture_state_all(x);
	x->claim[VM_ATTESTOR].vm = VM_COUNT;
	fixture_sign_claims(x);
	refused(x, FAULT_STATEMENTS, "statements in the bundle", "one about VM 5");
	x->claim[VM_ATTESTOR].vm = VM_ATTESTOR;
	fixture_sign_claims(x);
	x->stated[VM_RED] = VM_BLUE;
	x->stated[VM_BLUE] = VM_RED;
	refused(x, FAULT_STATEMENTS, "statements in the bundle", "VM 1 as number 0");
}

/* It stands in its VM's place; that VM is refused, by its name, and is not missing. */
static void an_unreadable_statement_refuses_its_vm(void **state)
{
	struct fixture *x = *state;

	x->eat[VM_BLUE][0] ^= 1;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(verify_find(&x->report, "blue")->fault.code, FAULT_FORMAT);
	assert_false(verify_find(&x->report, "blue")->decoded);
	assert_int_equal(verify_find(&x->report, "red")->fault.code, FAULT_GOOD);
	assert_null(verify_find(&x->report, "nobody"));
	assert_false(verify_all_good(&x->report));
}

static void a_channel_is_one_vms(void **state)
{
	struct fixture *x = *state;

	fixture_state_one(x, VM_BLUE);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm_count, 1);
	assert_int_equal(x->report.vm[0].number, VM_BLUE);
	assert_string_equal(x->report.vm[0].name, "blue");
	assert_int_equal(x->report.vm[0].fault.code, FAULT_GOOD);
	assert_true(verify_all_good(&x->report));
	/* Blue's, shown as red's; red's own way out, shown as if blue had asked; somebody whom nobody knows. */
	x->vm = "red";
	refused(x, FAULT_STATEMENTS, "statements in the bundle", "one about VM 1");
	x->vm = "nobody";
	refused(x, FAULT_STATEMENTS, "VM in the question", "nobody");
	fixture_state_one(x, VM_BLUE);
	x->stated[x->stated_count++] = VM_BLUE;
	refused(x, FAULT_STATEMENTS, "VM blue, statements in the bundle", "2");
	x->vm = NULL;
	refused(x, FAULT_USAGE, "request", "none");
	x->release = RELEASE_NETWORK;
	x->vm = "blue";
	refused(x, FAULT_USAGE, "request", "blue");
	x->vm = NULL;
	refused(x, FAULT_RELEASE, "EAT release (1: network, 2: the VM's own channel)", "2");
}

static void the_key_is_the_one_asked_about(void **state)
{
	static const uint8_t key[] = "a public key", other[] = "a public kez";
	struct fixture *x = *state;

	memcpy(x->claim[VM_BLUE].vm_key, key, sizeof(key));
	x->claim[VM_BLUE].vm_key_length = sizeof(key);
	fixture_state_one(x, VM_BLUE);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[0].fault.code, FAULT_GOOD);
	x->vm_key = (struct bytes){ key, sizeof(key) };
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[0].fault.code, FAULT_GOOD);
	x->vm_key = (struct bytes){ key, sizeof(key) - 1 };
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[0].fault.code, FAULT_VM_KEY);
	x->vm_key = (struct bytes){ other, sizeof(other) };
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[0].fault.code, FAULT_VM_KEY);
	assert_false(verify_all_good(&x->report));
	x->claim[VM_BLUE].vm_key_length = 0;
	fixture_state_one(x, VM_BLUE);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[0].fault.code, FAULT_VM_KEY);
	assert_string_equal(x->report.vm[0].fault.found, "no key");
	x->release = RELEASE_NETWORK;
	x->vm = NULL;
	refused(x, FAULT_USAGE, "request", "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(a_missing_statement_refuses_all), CASE(a_doubled_or_surplus_statement_refuses_all),
		CASE(an_unreadable_statement_refuses_its_vm), CASE(a_channel_is_one_vms),
		CASE(the_key_is_the_one_asked_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
