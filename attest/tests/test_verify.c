/* SPDX-License-Identifier: Apache-2.0 */
/* Every refusal of a platform, each by its own error, on evidence that is good but for one thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static void good_machine(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_int_equal(x->report.vm_count, VM_COUNT);
	for (int vm = 0; vm < VM_COUNT; vm++)
		assert_int_equal(x->report.vm[vm].fault.code, vm == VM_VISITOR ? FAULT_REFERENCE_MISSING : FAULT_GOOD);
	assert_string_equal(x->report.vm[VM_VISITOR].fault.component, "image visitor");
	assert_string_equal(x->report.vm[VM_RED].label, "SECRET");
	assert_int_equal(x->report.policy.firewall, VM_SWITCH);
	assert_int_equal(x->report.policy.release.level, 1);
	assert_int_equal(x->report.policy.ports, 4);
}

static void no_nonce_no_verdict(void **state)
{
	struct fixture *x = *state;
	struct verify_request request = { .bundle = { x->bundle, x->bundle_length },
					  .release = RELEASE_NETWORK,
					  .reference = &x->reference,
					  .ak = &x->ak };

	assert_false(verify_bundle(&request, &x->report));
	assert_int_equal(x->report.platform.code, FAULT_USAGE);
	request.nonce = (struct bytes){ x->nonce, 31 };
	assert_false(verify_bundle(&request, &x->report));
	assert_int_equal(x->report.platform.code, FAULT_USAGE);
	request.nonce.length = 32;
	request.reference = NULL;
	assert_false(verify_bundle(&request, &x->report));
	assert_int_equal(x->report.platform.code, FAULT_USAGE);
}

static void other_nonce(void **state)
{
	struct fixture *x = *state;

	x->nonce[0] ^= 1;
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
}

static void quote_fields(void **state)
{
	struct fixture *x = *state;

	x->magic ^= 1;
	fixture_sign_quote(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_MAGIC);
	fixture_fill_quote(x);
	x->type = 0x8017;
	fixture_sign_quote(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_TYPE);
	for (size_t i = 3; i < sizeof(x->selection); i++) {
		fixture_fill_quote(x);
		x->selection[i] ^= 2;
		fixture_sign_quote(x);
		fixture_pack(x);
		assert_int_equal(fixture_verify(x), FAULT_QUOTE_SELECTION);
	}
	fixture_fill_quote(x);
	x->pcr_digest[0] ^= 1;
	fixture_sign_quote(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_DIGEST);
	fixture_fill_quote(x);
	x->extra[0] ^= 1;
	fixture_sign_quote(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
	fixture_fill_quote(x);
	x->quote_extra_bytes = 1;
	fixture_sign_quote(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_TRAILING);
}

static void quote_signature(void **state)
{
	struct fixture *x = *state;

	x->signature[20] ^= 1;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_SIGNATURE);
	fixture_sign_quote(x);
	x->signature[3] = 0x0b;
	fixture_pack(x);
	assert_int_not_equal(fixture_verify(x), FAULT_GOOD);
	fixture_sign_quote(x);
	x->signature_length++;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_TRAILING);
}

static void clock_goes_back(void **state)
{
	struct fixture *x = *state;

	x->ak.clock_ms = x->clock + 1;
	x->ak.reset_count = x->resets;
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_CLOCK);
	x->ak.reset_count = x->resets - 1;
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	x->ak.reset_count = x->resets + 1;
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_CLOCK);
}

static void other_ak(void **state)
{
	struct fixture *x = *state, *y = fixture_new(2);
	struct ak_record own = x->ak;
	struct verify_request request = { .bundle = { x->bundle, x->bundle_length },
					  .nonce = { x->nonce, sizeof(x->nonce) },
					  .release = RELEASE_NETWORK,
					  .reference = &x->reference };

	assert_false(verify_bundle(&request, &x->report));
	assert_int_equal(x->report.platform.code, FAULT_AK_UNKNOWN);
	x->ak = y->ak;
	assert_int_equal(fixture_verify(x), FAULT_AK_NAME);
	/* An enrolled Name with another key's area. */
	memcpy(x->ak.name, own.name, own.name_length);
	assert_int_equal(fixture_verify(x), FAULT_AK_NAME);
	x->ak = own;
	x->ak_key.secret = false;
	fixture_free(y);
}

static void ak_attributes(void **state)
{
	static const uint8_t bit[] = { 7, 7, 7, 5, 5 }, mask[] = { 0x02, 0x10, 0x20, 0x01, 0x04 };
	struct fixture *x = *state;
	struct tpm_public p;

	for (size_t i = 0; i < sizeof(bit); i++) {
		uint8_t area[TPM_PUBLIC_MAX];
		struct fault f = { 0 };

		memcpy(area, x->ak.area, x->ak.area_length);
		area[bit[i]] ^= mask[i];
		assert_true(public_parse((struct bytes){ area, x->ak.area_length }, &p, &f));
		assert_false(public_check_ak(&p, &f));
		assert_int_equal(f.code, FAULT_AK_ATTRIBUTES);
	}
}

static void events(void **state)
{
	struct fixture *x = *state;
	struct fixture_event saved;
	size_t last = x->event_count - 1;

	/* Bytes of the log that do not lead to the quoted registers. */
	x->event[8].sha384[0] ^= 1;
	fixture_write_log(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_LOG_REPLAY);
	assert_string_equal(x->report.platform.component, "PCR 8");
	x->event[8].sha384[0] ^= 1;
	/* Retyped: the registers stay the same. */
	for (size_t i = 8; i < x->event_count; i++) {
		x->event[i].type = x->event[i].type == LZR_EV_IPL ? 0x80000003 : LZR_EV_IPL;
		fixture_write_log(x);
		fixture_pack(x);
		assert_int_equal(fixture_verify(x), FAULT_LOG_GRAMMAR);
		x->event[i].type = i >= last - 2 ? LZR_EV_SEPARATOR : i % 2 ? LZR_EV_IPL : LZR_EV_EVENT_TAG;
	}
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	/* Renamed: the name in the log is not the descriptor's. */
	x->event[9].data[0] ^= 1;
	fixture_write_log(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_LOG_GRAMMAR);
	x->event[9].data[0] ^= 1;
	/* Missing, for each event of ours: the machine really booted so. */
	for (size_t i = 8; i < x->event_count; i++) {
		enum fault_code code;

		saved = x->event[i];
		memmove(&x->event[i], &x->event[i + 1], (last - i) * sizeof(saved));
		x->event_count--;
		fixture_rebuild(x);
		code = fixture_verify(x);
		assert_true(code == FAULT_LOG_GRAMMAR || code == FAULT_PCR_EMPTY);
		memmove(&x->event[i + 1], &x->event[i], (last - i) * sizeof(saved));
		x->event[i] = saved;
		x->event_count++;
	}
	/* Reordered neighbours in one register. */
	for (size_t i = 8; i < 24; i++) {
		if (x->event[i].pcr != x->event[i + 1].pcr)
			continue;
		saved = x->event[i];
		x->event[i] = x->event[i + 1];
		x->event[i + 1] = saved;
		fixture_rebuild(x);
		assert_int_equal(fixture_verify(x), FAULT_LOG_GRAMMAR);
		saved = x->event[i];
		x->event[i] = x->event[i + 1];
		x->event[i + 1] = saved;
	}
	/* One more after the cap. */
	x->event[x->event_count++] = x->event[8];
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_LOG_GRAMMAR);
}

static void refused_boot_and_double_image(void **state)
{
	struct fixture *x = *state;
	struct fixture_event *cap = &x->event[x->event_count - 1];

	cap->data[0] = 1;
	fixture_event_hash(cap);
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_LOG_GRAMMAR);
	cap->data[0] = 0;
	fixture_event_hash(cap);
	/* Event 18, 19: blue's manifest, made a second "red". */
	x->event[18] = x->event[16];
	x->event[19] = x->event[17];
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_LOG_GRAMMAR);
}

static void empty_registers(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < EVIDENCE_PCR_COUNT; i++)
		for (int ones = 0; ones < 2; ones++) {
			fixture_replay(x);
			memset(x->pcr[i], ones ? 0xff : 0, 48);
			fixture_fill_quote(x);
			fixture_sign_quote(x);
			fixture_pack(x);
			assert_int_equal(fixture_verify(x), FAULT_PCR_EMPTY);
		}
}

/* Another file booted: each is named. */
static void reference_names_the_file(void **state)
{
	static const struct {
		size_t event;
		const char *component;
	} files[] = { { 9, "hypervisor" }, { 3, "PCR 3 (option ROM data)" },
		      { 4, "PCR 4 (loader and hypervisor PE)" }, { 7, "PCR 7 (Secure Boot)" } };
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		x->event[files[i].event].sha384[47] ^= 1;
		fixture_rebuild(x);
		assert_int_equal(fixture_verify(x), FAULT_REFERENCE);
		assert_string_equal(x->report.platform.component, files[i].component);
		x->event[files[i].event].sha384[47] ^= 1;
	}
	x->reference.boot_list.value[0][47] ^= 1;       /* a list that is the one of the files in the log */
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_REFERENCE);
	assert_string_equal(x->report.platform.component, "boot list");
	x->reference.boot_list.value[0][47] ^= 1;
	x->event[13].sha384[47] ^= 1;                   /* and one that is not */
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_LOG_GRAMMAR);
	x->event[13].sha384[47] ^= 1;
	x->event[23].sha384[0] ^= 1;    /* the switch's manifest */
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_REFERENCE);
	assert_string_equal(x->report.platform.component, "image switch");
}

/* All that differ are named at once: each is a value to record or a change to explain. */
static void reference_names_every_register(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < 8; i++)
		if (i != 3 && i != 6)
			x->event[i].sha384[47] ^= 1;
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_REFERENCE);
	assert_string_equal(x->report.platform.component, "PCR 0 (firmware), also PCR 1, 2, 4, 5, 7");
	assert_int_equal(x->report.differing, 0xb7);
	for (size_t i = 0; i < 8; i++)
		assert_memory_equal(x->report.pcr[i], x->pcr[i], 48);
}

/* A part that is too large is called that. */
static void sizes_above_the_limits(void **state)
{
	struct fixture *x = *state;
	struct bundle *b = malloc(sizeof(*b));
	uint8_t *log = calloc(1, EVIDENCE_LOG_MAX + 1);
	struct fault f = { 0 };
	uint8_t *whole = malloc(x->bundle_length);

	memcpy(whole, x->bundle, x->bundle_length);
	assert_true(bundle_decode((struct bytes){ whole, x->bundle_length }, b, &f));
	b->log = (struct bytes){ log, EVIDENCE_LOG_MAX + 1 };
	x->bundle_length = bundle_encode(b, x->bundle, sizeof(x->bundle));
	assert_true(x->bundle_length > 0);
	assert_int_equal(fixture_verify(x), FAULT_FORMAT);
	assert_string_equal(x->report.platform.component, "event log in the bundle");
	assert_string_equal(x->report.platform.found, "262145 bytes, the limit is 262144");
	free(whole);
	free(log);
	free(b);
}

static void unchecked_register_is_not_compared(void **state)
{
	struct fixture *x = *state;

	x->reference.pcr[1] = (struct reference_set){ .unchecked = true };
	x->event[1].sha384[0] ^= 1;
	fixture_rebuild(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	x->reference.pcr[1] = (struct reference_set){ .count = 0 };
	assert_int_equal(fixture_verify(x), FAULT_REFERENCE_MISSING);
}

static void development_key(void **state)
{
	struct fixture *x = *state;

	x->signer[8] = LZR_KEY_DEVELOPMENT;
	x->now.platform.flags |= LZR_PLATFORM_DEVELOPMENT_KEY;
	sha384(x->event[11].sha384, x->signer, x->signer_length);
	fixture_rebuild(x);
	fixture_refer(x);
	assert_int_equal(fixture_verify(x), FAULT_DEVELOPMENT_KEY);
	x->allow_development_key = true;
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_true(x->report.development_key);
	/* The mark cannot be taken off on the way. */
	x->signer[8] = 0;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_REFERENCE);
}

static void policy_on_the_way(void **state)
{
	struct fixture *x = *state;

	x->policy[x->policy_length - 1] ^= 1;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_POLICY);
}

static void platform_flags(void **state)
{
	static const uint32_t bad[] = { LZR_PLATFORM_IOMMU | LZR_PLATFORM_IRQ_REMAP, LZR_PLATFORM_MEASURED,
					LZR_PLATFORM_MEASURED | LZR_PLATFORM_IOMMU,
					LZR_PLATFORM_MEASURED | LZR_PLATFORM_LAB | LZR_PLATFORM_IOMMU |
						LZR_PLATFORM_IRQ_REMAP };
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		x->now.platform.flags = bad[i];
		fixture_rebuild(x);
		assert_int_equal(fixture_verify(x), FAULT_PLATFORM);
	}
}

static bool all_good(const struct fixture *x)
{
	bool good = x->report.platform.code == FAULT_GOOD;

	for (size_t vm = 0; vm < x->report.vm_count; vm++)
		good = good && x->report.vm[vm].fault.code == (vm == VM_VISITOR ? FAULT_REFERENCE_MISSING : FAULT_GOOD);
	return good;
}

static void garbage_and_truncation(void **state)
{
	struct fixture *x = *state;
	size_t whole = x->bundle_length;
	struct bundle *b = malloc(sizeof(*b));
	struct fault f = { 0 };
	const uint8_t *log_end;

	for (size_t n = 0; n < whole; n += 1 + n / 16) {
		x->bundle_length = n;
		assert_int_not_equal(fixture_verify(x), FAULT_GOOD);
	}
	x->bundle_length = whole + 1;
	assert_int_equal(fixture_verify(x), FAULT_TRAILING);
	x->bundle_length = whole;
	/* Any flipped bit is seen.  In the log only what no digest covers may change: data of firmware events, other
	 * banks. */
	assert_true(bundle_decode((struct bytes){ x->bundle, whole }, b, &f));
	log_end = b->log.data + b->log.length;
	srand(1);
	for (int i = 0; i < 400; i++) {
		size_t at = (size_t)rand() % whole;
		uint8_t flip = (uint8_t)(1u << (rand() % 8));

		if (&x->bundle[at] >= b->log.data && &x->bundle[at] < log_end)
			continue;
		x->bundle[at] ^= flip;
		fixture_verify(x);
		assert_false(all_good(x));
		x->bundle[at] ^= flip;
	}
	free(b);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
}

static void merkle_many_nonces(void **state)
{
	struct fixture *x = *state;
	uint8_t (*leaves)[48] = calloc(1000, 48);

	for (uint32_t i = 0; i < 1000; i++)
		sha384(leaves[i], &i, sizeof(i));
	x->path.index = 617;
	merkle_leaf(leaves[617], (struct bytes){ x->nonce, sizeof(x->nonce) });
	merkle_fold(leaves, 1000, &x->path);
	memcpy(x->root, leaves[0], 48);
	evidence_extra_data(x->root, x->point, x->claim[0].list_head, x->claim[0].attestor_instance, x->extra);
	fixture_sign_quote(x);
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	x->path.index = 616;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
	x->path.index = 617;
	x->path.depth--;
	fixture_pack(x);
	assert_int_equal(fixture_verify(x), FAULT_FORMAT);
	free(leaves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(good_machine),
		CASE(no_nonce_no_verdict),
		CASE(other_nonce),
		CASE(quote_fields),
		CASE(quote_signature),
		CASE(clock_goes_back),
		CASE(other_ak),
		CASE(ak_attributes),
		CASE(events),
		CASE(refused_boot_and_double_image),
		CASE(empty_registers),
		CASE(reference_names_the_file),
		CASE(reference_names_every_register),
		CASE(sizes_above_the_limits),
		CASE(unchecked_register_is_not_compared),
		CASE(development_key),
		CASE(policy_on_the_way),
		CASE(platform_flags),
		CASE(garbage_and_truncation),
		CASE(merkle_many_nonces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
