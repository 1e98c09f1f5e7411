/* SPDX-License-Identifier: Apache-2.0 */
/* Records and claims that no honest hypervisor, switch or attestor makes: each is refused, signed and quoted or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

/* The quote covers the records as they are now. */
static enum fault_code judged(struct fixture *x)
{
	fixture_fill_quote(x);
	fixture_sign_quote(x);
	fixture_fill_claims(x);
	fixture_sign_claims(x);
	fixture_pack(x);
	return fixture_verify(x);
}

/* What each bit of the platform record means, or may come to mean. */
static void platform_record_fields(void **state)
{
	struct fixture *x = *state;
	struct lzr_platform_record *p = &x->now.platform;
	uint8_t *const fields[] = { (uint8_t *)&p->version,
				    (uint8_t *)&p->vm_count,
				    (uint8_t *)&p->reserved0,
				    p->reserved,
				    p->reserved + sizeof(p->reserved) - 1,
				    (uint8_t *)&p->log_length,
				    (uint8_t *)&p->policy_length,
				    (uint8_t *)&p->key_length };

	assert_int_equal(judged(x), FAULT_GOOD);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		*fields[i] ^= 1;
		assert_int_equal(judged(x), FAULT_RECORDS);
		*fields[i] ^= 1;
	}
	for (unsigned int bit = 6; bit < 32; bit++) {
		p->flags ^= 1u << bit;
		assert_int_equal(judged(x), FAULT_RECORDS);
		assert_string_equal(x->report.platform.component, "platform record, flags");
		p->flags ^= 1u << bit;
	}
	p->flags ^= LZR_PLATFORM_DEVELOPMENT_KEY;       /* the key file says otherwise */
	assert_int_equal(judged(x), FAULT_RECORDS);
	p->flags ^= LZR_PLATFORM_DEVELOPMENT_KEY;
	p->policy_version++;
	assert_int_equal(judged(x), FAULT_CLAIM);
	p->policy_version--;
	p->flow[0] ^= 1;                                /* another than the measured policy's */
	assert_int_equal(judged(x), FAULT_CLAIM);
	assert_string_equal(x->report.platform.component, "flow digest in the platform record");
	p->flow[0] ^= 1;
	assert_int_equal(judged(x), FAULT_GOOD);
}

static void vm_record_fields(void **state)
{
	struct fixture *x = *state;
	struct lzr_vm_record *r = &x->now.vms[VM_BLUE];
	const struct lzr_vm_record honest = *r;
	uint8_t *const fields[] = { (uint8_t *)&r->vm,	   r->reserved,		    &r->reserved[7],
				    r->label.reserved,	   &r->label.reserved[6],   (uint8_t *)&r->restores,
				    r->dma };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		*fields[i] ^= 1;
		assert_int_equal(judged(x), FAULT_RECORDS);
		*r = honest;
	}
	for (unsigned int bit = 3; bit < 32; bit++) {
		r->flags ^= 1u << bit;
		assert_int_equal(judged(x), FAULT_RECORDS);
		*r = honest;
	}
	r->flags = LZR_VM_SERVICE;      /* the policy gives it neither that nor a device */
	assert_int_equal(judged(x), FAULT_RECORDS);
	r->flags = LZR_VM_HAS_DEVICE;
	memset(r->dma, 1, sizeof(r->dma));
	assert_int_equal(judged(x), FAULT_RECORDS);
	*r = honest;
	r->state = LZR_VM_DEAD + 1;
	assert_int_equal(judged(x), FAULT_RECORDS);
	*r = honest;
	r->reason = LZR_STOP_BAD_STATE + 1;
	assert_int_equal(judged(x), FAULT_RECORDS);
	*r = honest;
	x->now.vms[VM_RED].flags = 0;   /* its device left out */
	assert_int_equal(judged(x), FAULT_RECORDS);
	memset(x->now.vms[VM_RED].dma, 0, 48);
	assert_int_equal(judged(x), FAULT_RECORDS);
}

/* The log's descriptors, the platform record and the bundle's own parts tell the same lengths. */
static void descriptor_lengths(void **state)
{
	static const size_t events[] = { 10, 14 };      /* the signer's key file, the policy */
	struct fixture *x = *state;

	for (size_t i = 0; i < 2; i++) {
		struct lzr_event_descriptor *d = (void *)x->event[events[i]].data;

		d->length++;
		fixture_event_hash(&x->event[events[i]]);
		fixture_rebuild(x);
		assert_int_equal(fixture_verify(x), FAULT_RECORDS);
		assert_non_null(strstr(x->report.platform.component, "descriptor"));
		d->length--;
		fixture_event_hash(&x->event[events[i]]);
	}
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
}

static enum fault_code blue_claims(struct fixture *x)
{
	fixture_sign_claims(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_GOOD);
	return x->report.vm[VM_BLUE].fault.code;
}

static void port_claims(void **state)
{
	struct fixture *x = *state;
	struct evidence *e = &x->claim[VM_BLUE];
	const struct evidence honest = *e;

	e->port.state = LZR_PORT_ADMITTED;
	e->port.lease_left_ns = 1;
	assert_int_equal(blue_claims(x), FAULT_GOOD);
	e->port.state = LZR_PORT_BLOCKED;
	assert_int_equal(blue_claims(x), FAULT_CLAIM);
	*e = honest;
	e->has_port = false;
	assert_int_equal(blue_claims(x), FAULT_CLAIM);
	*e = honest;
	e->port.number = x->claim[VM_VISITOR].port.number;
	assert_int_equal(blue_claims(x), FAULT_CLAIM);
	*e = honest;
	e->port.state = LZR_PORT_DOWN;
	assert_int_equal(blue_claims(x), FAULT_CLAIM);
	memset(e->port.nonce, 0, sizeof(e->port.nonce));
	assert_int_equal(blue_claims(x), FAULT_GOOD);
	e->port.state = LZR_PORT_INFRASTRUCTURE;        /* which would be left without a lease, and out of sight */
	assert_int_equal(blue_claims(x), FAULT_CLAIM);
	*e = honest;
	x->claim[VM_SWITCH].has_port = true;
	assert_int_equal(blue_claims(x), FAULT_GOOD);
	assert_int_equal(x->report.vm[VM_SWITCH].fault.code, FAULT_CLAIM);
}

/* A channel's bundle has records of all, and a statement about one: the others' are compared with the policy too. */
static void records_of_the_unstated(void **state)
{
	struct fixture *x = *state;

	for (int how = 0; how < 3; how++) {
		struct lzr_vm_record *r = &x->now.vms[VM_SWITCH], honest = *r;

		if (how == 0)
			r->measurement[0] ^= 1;
		else if (how == 1)
			r->label.level ^= 1;
		else
			r->name[0] ^= 1;
		judged(x);
		fixture_state_one(x, VM_BLUE);
		assert_int_equal(fixture_verify(x), FAULT_CLAIM);
		assert_string_equal(x->report.platform.component, "record of VM switch, name, label or measurement");
		*r = honest;
		x->release = RELEASE_NETWORK;
		x->vm = NULL;
		fixture_state_all(x);
	}
}

/* The flow digest is what the policy leads to: each of its parts moves it. */
static void flow_digest_follows_the_policy(void **state)
{
	struct fixture *x = *state;
	uint8_t before[48], after[48];
	struct fault f = { 0 };

	assert_true(policyview_flow((struct bytes){ x->policy, x->policy_length }, before, &f));
	fixture_reader = VM_RED;
	x->policy_length = fixture_write_policy(x->policy, sizeof(x->policy), x->manifest);
	fixture_reader = VM_COUNT;
	assert_true(policyview_flow((struct bytes){ x->policy, x->policy_length }, after, &f));
	assert_memory_not_equal(before, after, 48);
	assert_false(policyview_flow((struct bytes){ x->policy, x->policy_length - 1 }, after, &f));
	assert_int_equal(f.code, FAULT_POLICY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(platform_record_fields), CASE(vm_record_fields), CASE(descriptor_lengths), CASE(port_claims),
		CASE(records_of_the_unstated), CASE(flow_digest_follows_the_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
