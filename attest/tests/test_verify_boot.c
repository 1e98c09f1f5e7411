/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files were booted: the log's files are exactly those of the measured boot list and the images of the measured
 * policy, a changed image concerns its VM alone, and an updated one may stand beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <lazaret/manifest.h>

#include "../verify_boot.h"
#include "fixture.h"

/* A manifest's two events. */
static struct fixture_event *manifest(struct fixture *x, size_t number)
{
	return &x->event[FIXTURE_MANIFESTS + 2 * number];
}

/* Makes room for a manifest's events at place `number` and fills them with another's, under this name. */
static void insert_manifest(struct fixture *x, size_t number, size_t other, const char *name)
{
	struct fixture_event pair[2] = { manifest(x, other)[0], manifest(x, other)[1] };
	struct lzr_event_descriptor *d = (void *)pair[0].data;
	struct fixture_event *at = manifest(x, number);

	memset(d->name, 0, sizeof(d->name));
	strcpy(d->name, name);
	fixture_event_hash(&pair[0]);
	memcpy(pair[1].data, d->name, sizeof(d->name));
	memmove(at + 2, at, (size_t)(&x->event[x->event_count] - at) * sizeof(*at));
	memcpy(at, pair, sizeof(pair));
	x->event_count += 2;
}

static void drop_manifest(struct fixture *x, size_t number)
{
	struct fixture_event *at = manifest(x, number);

	memmove(at, at + 2, (size_t)(&x->event[x->event_count] - (at + 2)) * sizeof(*at));
	x->event_count -= 2;
}

static void expect(struct fixture *x, enum fault_code code, const char *component)
{
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), code);
	if (component && !strstr(x->report.platform.component, component))
		fail_msg("\"%s\" is named, expected \"%s\"", x->report.platform.component, component);
}

/* The machine has booted this list, and the verifier accepts it. */
static void accept_list(struct fixture *x)
{
	fixture_relist(x);
	memcpy(x->reference.boot_list.value[0], x->event[FIXTURE_LIST + 1].sha384, 48);
}

static void a_missing_manifest(void **state)
{
	struct fixture *x = *state;

	drop_manifest(x, VM_VISITOR);
	expect(x, FAULT_LOG_GRAMMAR, "boot list of these files");
	accept_list(x);
	expect(x, FAULT_LOG_GRAMMAR, "VM visitor, image visitor");
}

static void a_surplus_manifest(void **state)
{
	struct fixture *x = *state;

	insert_manifest(x, VM_COUNT, VM_RED, "extra");
	expect(x, FAULT_LOG_GRAMMAR, "boot list of these files");
	accept_list(x);
	expect(x, FAULT_LOG_GRAMMAR, "manifest of image extra");
	/* In the place of one that the policy names. */
	drop_manifest(x, VM_VISITOR);
	accept_list(x);
	expect(x, FAULT_LOG_GRAMMAR, "manifest of image extra");
}

static void a_doubled_manifest(void **state)
{
	struct fixture *x = *state;

	for (size_t place = 0; place <= VM_COUNT; place++) {
		insert_manifest(x, place, VM_BLUE, "blue");
		expect(x, FAULT_LOG_GRAMMAR, "PCR 11");
		assert_string_equal(x->report.platform.expected, "each image once");
		fixture_relist(x);
		expect(x, FAULT_LOG_GRAMMAR, "PCR 11");
		drop_manifest(x, place);
		fixture_relist(x);
		expect(x, FAULT_GOOD, NULL);
	}
}

/* Other places than in the boot list: the same set, and still another list. */
static void manifests_out_of_place(void **state)
{
	struct fixture *x = *state;
	struct fixture_event pair[2] = { manifest(x, VM_RED)[0], manifest(x, VM_RED)[1] };

	memcpy(manifest(x, VM_RED), manifest(x, VM_BLUE), sizeof(pair));
	memcpy(manifest(x, VM_BLUE), pair, sizeof(pair));
	expect(x, FAULT_LOG_GRAMMAR, "boot list of just these files in this order");
	fixture_relist(x);
	expect(x, FAULT_REFERENCE, "boot list");
	accept_list(x);
	expect(x, FAULT_GOOD, NULL);
}

static void rename_event(struct fixture *x, size_t event, const char *name)
{
	struct lzr_event_descriptor *d = (void *)x->event[event].data;

	memset(d->name, 0, sizeof(d->name));
	strcpy(d->name, name);
	fixture_event_hash(&x->event[event]);
	memcpy(x->event[event + 1].data, d->name, sizeof(d->name));
}

/* A name that measured code would not have written: in the log, and in a list that says the same. */
static void names(void **state)
{
	static const struct {
		size_t event;
		const char *name, *good;
	} renamed[] = { { 8, "hyperviser", "hypervisor" }, { FIXTURE_LIST, "boot.lisp", "boot.list" } },
	  listed[] = { { FIXTURE_KEY, "other.lzrkey", "signer.lzrkey" }, { FIXTURE_POLICY, "other.dtb", "policy.dtb" },
		       { FIXTURE_MANIFESTS, "rouge", "red" } };
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++) {
		rename_event(x, renamed[i].event, renamed[i].name);
		expect(x, FAULT_LOG_GRAMMAR, "event log, PCR ");
		assert_string_equal(x->report.platform.found, renamed[i].name);
		rename_event(x, renamed[i].event, renamed[i].good);
	}
	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
		rename_event(x, listed[i].event, listed[i].name);
		expect(x, FAULT_LOG_GRAMMAR, "boot list of just these files");
		rename_event(x, listed[i].event, listed[i].good);
	}
	expect(x, FAULT_GOOD, NULL);
	/* Another signature's name than the policy's. */
	rename_event(x, FIXTURE_POLICY, "other.dtb");
	accept_list(x);
	expect(x, FAULT_LOG_GRAMMAR, "boot list of just these files");
}

static void set_length(struct fixture *x, size_t event, uint64_t length)
{
	((struct lzr_event_descriptor *)(void *)x->event[event].data)->length = length;
	fixture_event_hash(&x->event[event]);
}

static void lengths(void **state)
{
	struct fixture *x = *state;
	static const struct {
		size_t event;
		uint64_t wrong, good;
	} cases[] = { { 8, 0, 10 }, { FIXTURE_KEY, 0, 48 }, { FIXTURE_LIST, 1, 16 + 8 * 56 },
		      { FIXTURE_LIST, 16 + 8 * 56 + 1, 16 + 8 * 56 }, { FIXTURE_MANIFESTS, 0, 1000 },
		      { FIXTURE_MANIFESTS, LZR_MANIFEST_MAX + 1, 1000 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_length(x, cases[i].event, cases[i].wrong);
		expect(x, FAULT_LOG_GRAMMAR, "event log, ");
		set_length(x, cases[i].event, cases[i].good);
		expect(x, FAULT_GOOD, NULL);
	}
	/* A manifest that grew: its event says so, and no other changes. */
	set_length(x, FIXTURE_MANIFESTS, LZR_MANIFEST_MAX);
	expect(x, FAULT_GOOD, NULL);
}

/* The machine boots another image of this VM, under a policy with this pin for it. */
static void change_image(struct fixture *x, size_t vm, const char *content)
{
	sha384(x->manifest[vm], content, strlen(content));
	memcpy(manifest(x, vm)[1].sha384, x->manifest[vm], 48);
	memcpy(x->now.vms[vm].measurement, x->manifest[vm], 48);
	set_length(x, FIXTURE_MANIFESTS + 2 * vm, 4711);
	x->policy_length = fixture_write_policy(x->policy, sizeof(x->policy), x->manifest);
	set_length(x, FIXTURE_POLICY, x->policy_length);
	sha384(x->event[FIXTURE_POLICY + 1].sha384, x->policy, x->policy_length);
	sha384(x->now.platform.policy, x->policy, x->policy_length);
	x->now.platform.policy_length = (uint32_t)x->policy_length;
}

static void add_image(struct fixture *x, size_t vm, const char *name)
{
	struct reference_image *image = &x->reference.image[x->reference.image_count++];

	snprintf(image->name, sizeof(image->name), "%s", name);
	memcpy(image->digest, x->manifest[vm], 48);
}

/* Not pinned: the VM is refused by name, the rest of the machine is as good as before. */
static void a_changed_image_concerns_its_vm_alone(void **state)
{
	struct fixture *x = *state;

	add_image(x, VM_VISITOR, "visitor");
	expect(x, FAULT_GOOD, NULL);
	assert_int_equal(x->report.vm[VM_VISITOR].fault.code, FAULT_GOOD);
	change_image(x, VM_VISITOR, "one byte more");
	expect(x, FAULT_GOOD, NULL);
	for (size_t vm = 0; vm < VM_COUNT; vm++)
		assert_int_equal(x->report.vm[vm].fault.code, vm == VM_VISITOR ? FAULT_REFERENCE : FAULT_GOOD);
	assert_string_equal(x->report.vm[VM_VISITOR].evidence.name, "visitor");
	assert_string_equal(x->report.vm[VM_VISITOR].fault.component, "image visitor");
	/* The new one beside the old: either is taken. */
	add_image(x, VM_VISITOR, "visitor");
	expect(x, FAULT_GOOD, NULL);
	assert_int_equal(x->report.vm[VM_VISITOR].fault.code, FAULT_GOOD);
}

/* Pinned: its policy is another one, and the refusal says for whose sake. */
static void a_changed_pin_is_named(void **state)
{
	struct fixture *x = *state;

	change_image(x, VM_RED, "red's next version");
	expect(x, FAULT_REFERENCE, NULL);
	assert_string_equal(x->report.platform.component, "policy (pins another image for red)");
	change_image(x, VM_SWITCH, "the switch's next version");
	expect(x, FAULT_REFERENCE, NULL);
	assert_string_equal(x->report.platform.component, "policy (pins another image for red, switch)");
	/* Another policy that pins what the reference values have. */
	*state = fixture_new(2);
	fixture_free(x);
	x = *state;
	x->reference.policy.value[0][0] ^= 1;
	expect(x, FAULT_REFERENCE, NULL);
	assert_string_equal(x->report.platform.component, "policy");
}

/* An update: old and new policy, hypervisor and image stand side by side, and both machines are good. */
static void an_update_stands_beside_what_it_follows(void **state)
{
	struct fixture *x = *state;
	struct reference *r = &x->reference;

	change_image(x, VM_RED, "red's next version");
	memcpy(r->policy.value[r->policy.count++], x->event[FIXTURE_POLICY + 1].sha384, 48);
	expect(x, FAULT_GOOD, NULL);
	assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_REFERENCE);
	assert_int_equal(x->report.vm[VM_BLUE].fault.code, FAULT_GOOD);
	add_image(x, VM_RED, "red");
	expect(x, FAULT_GOOD, NULL);
	assert_int_equal(x->report.vm[VM_RED].fault.code, FAULT_GOOD);
	x->event[9].sha384[0] ^= 1;
	expect(x, FAULT_REFERENCE, "hypervisor");
	memcpy(r->hypervisor.value[r->hypervisor.count++], x->event[9].sha384, 48);
	expect(x, FAULT_GOOD, NULL);
	/* The machine that has not been updated yet. */
	struct fixture *old = fixture_new(1);

	memcpy(r->pcr, old->reference.pcr, sizeof(r->pcr));
	old->reference = *r;
	memcpy(old->reference.signer.value[0], old->event[FIXTURE_KEY + 1].sha384, 48);
	expect(old, FAULT_GOOD, NULL);
	assert_int_equal(old->report.vm[VM_RED].fault.code, FAULT_GOOD);
	fixture_free(old);
	/* Once the old values are withdrawn, it is refused, and told why. */
	memmove(r->policy.value[0], r->policy.value[1], 48);
	r->policy.count = 1;
	old = fixture_new(1);
	memcpy(r->pcr, old->reference.pcr, sizeof(r->pcr));
	old->reference = *r;
	for (size_t i = 0; i < r->image_count; i++)
		if (strcmp(r->image[i].name, "red") == 0) {
			memmove(&old->reference.image[i], &old->reference.image[i + 1],
				(r->image_count - i - 1) * sizeof(r->image[0]));
			old->reference.image_count--;
			break;
		}
	expect(old, FAULT_REFERENCE, "policy (pins another image for red)");
	fixture_free(old);
}

/* A policy with more VMs than a refusal can name. */
static void many_pins(void **state)
{
	static struct policyview view;
	static struct reference r;
	static struct bootlog log;
	struct fault f = { 0 };

	(void)state;
	r.policy.count = 1;
	r.policy.value[0][0] = 1;
	view.vm_count = LZR_VM_MAX;
	for (size_t i = 0; i < view.vm_count; i++) {
		struct policyview_vm *vm = &view.vm[i];

		snprintf(vm->name, LZR_NAME_MAX, "service-%02u-of-the-machine-down-in-the-cellar", (unsigned)i % 64);
		snprintf(vm->image, sizeof(vm->image), "service-%02u", (unsigned)i % 100);
		vm->has_measurement = true;
		vm->measurement[0] = 2;
		snprintf(r.image[i].name, LZR_NAME_MAX, "%s", vm->image);
		r.image_count++;
	}
	assert_false(verify_policy_value(&r, &view, &log, &f));
	assert_int_equal(f.code, FAULT_REFERENCE);
	assert_string_equal(f.component, "policy (pins another image for service-00-of-the-machine-down-in-the-cellar, "
					 "and 63 more)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_missing_manifest, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_surplus_manifest, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_doubled_manifest, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(manifests_out_of_place, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(names, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(lengths, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_changed_image_concerns_its_vm_alone, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_changed_pin_is_named, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(an_update_stands_beside_what_it_follows, fixture_setup,
						fixture_teardown),
		cmocka_unit_test(many_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
