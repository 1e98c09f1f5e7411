/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment and evidence, with a real (software) TPM between the two sides. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "swtpm_world.h"
#include "../ekid.h"
#include "../enrol.h"
#include "../file.h"

#include <tss2/tss2_mu.h>

static struct bytes ak_area(void)
{
	return (struct bytes){ world->agent.tpm.ak_area, world->agent.tpm.ak_area_length };
}

static void enrolment(void **state)
{
	struct tpm_endorsement e;
	struct enrolment enrolment;
	struct credential c;
	struct fault f = { 0 };
	uint8_t secret[64];
	size_t length;

	(void)state;
	assert_true(tpm_endorsement(&world->agent.tpm, &e, &f));
	assert_true(enrol_begin(world->swtpm.roots, (struct bytes){ e.certificate, e.certificate_length },
				(struct bytes){ e.area, e.area_length }, ak_area(), &enrolment, &c, &f));
	assert_true(tpm_activate(&world->agent.tpm, &e, (struct bytes){ c.blob, c.blob_length },
				 (struct bytes){ c.seed, c.seed_length }, secret, &length, &f));
	assert_true(enrol_finish(&enrolment, (struct bytes){ secret, length }, &f));
	assert_int_equal(enrolment.ak.name_length, world->agent.tpm.ak_name_length);
	assert_memory_equal(enrolment.ak.name, world->agent.tpm.ak_name, enrolment.ak.name_length);
	world->ak = enrolment.ak;
	/* The secret opens once. */
	assert_false(enrol_finish(&enrolment, (struct bytes){ secret, length }, &f));
	assert_int_equal(f.code, FAULT_CREDENTIAL);
}

/* The RSA endorsement key, which wants a policy session. */
static void enrolment_by_rsa(void **state)
{
	struct tpm *t = &world->agent.tpm;
	struct tpm_endorsement e = { .handle = 0x81010001 };
	TPM2B_PUBLIC *public = NULL;
	struct tpm_public ek;
	struct credential c;
	struct fault f = { 0 };
	uint8_t want[CREDENTIAL_SECRET_SIZE], secret[64];
	size_t length = 0;
	ESYS_TR key;

	(void)state;
	assert_int_equal(Esys_TR_FromTPMPublic(t->esys, e.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &key), 0);
	assert_int_equal(Esys_ReadPublic(t->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL),
			 0);
	assert_int_equal(Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, e.area, sizeof(e.area), &e.area_length), 0);
	Esys_Free(public);
	Esys_TR_Close(t->esys, &key);
	assert_true(public_parse((struct bytes){ e.area, e.area_length }, &ek, &f));
	random_fill(want, sizeof(want));
	assert_true(credential_make(&ek, (struct bytes){ t->ak_name, t->ak_name_length }, want, &c, &f));
	assert_true(tpm_activate(t, &e, (struct bytes){ c.blob, c.blob_length },
				 (struct bytes){ c.seed, c.seed_length }, secret, &length, &f));
	assert_int_equal(length, sizeof(want));
	assert_memory_equal(secret, want, sizeof(want));
}

static void enrolment_refused(void **state)
{
	struct tpm_endorsement e;
	struct enrolment enrolment;
	struct credential c;
	struct fault f = { 0 };
	uint8_t area[TPM_PUBLIC_MAX], secret[64] = { 0 };
	size_t length;
	char other[160];

	(void)state;
	assert_true(tpm_endorsement(&world->agent.tpm, &e, &f));
	const struct bytes cert = { e.certificate, e.certificate_length }, ek = { e.area, e.area_length };

	/* A root that did not certify this TPM: the issuer alone is no chain for a stranger. */
	snprintf(other, sizeof(other), "%s/other.pem", world->swtpm.directory);
	assert_int_equal(
		system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout /dev/null "
		       "-subj /CN=other -days 2 -out /tmp/lzr-other-root.pem 2>/dev/null"),
		0);
	assert_false(enrol_begin("/tmp/lzr-other-root.pem", cert, ek, ak_area(), &enrolment, &c, &f));
	assert_int_equal(f.code, FAULT_EK_CERTIFICATE);
	unlink("/tmp/lzr-other-root.pem");
	/* A certificate with a changed byte. */
	f = (struct fault){ 0 };
	e.certificate[e.certificate_length - 10] ^= 1;
	assert_false(enrol_begin(world->swtpm.roots, cert, ek, ak_area(), &enrolment, &c, &f));
	assert_int_equal(f.code, FAULT_EK_CERTIFICATE);
	e.certificate[e.certificate_length - 10] ^= 1;
	/* Somebody's certificate with a key of one's own. */
	f = (struct fault){ 0 };
	e.area[e.area_length - 1] ^= 1;
	assert_false(enrol_begin(world->swtpm.roots, cert, ek, ak_area(), &enrolment, &c, &f));
	assert_int_equal(f.code, FAULT_EK_KEY);
	e.area[e.area_length - 1] ^= 1;
	/* An AK that could sign anything. */
	f = (struct fault){ 0 };
	memcpy(area, ak_area().data, ak_area().length);
	area[5] ^= 1;
	assert_false(enrol_begin(world->swtpm.roots, cert, ek, (struct bytes){ area, ak_area().length }, &enrolment, &c,
				 &f));
	assert_int_equal(f.code, FAULT_AK_ATTRIBUTES);
	/* An AK that is not in this TPM: the TPM does not open the credential. */
	f = (struct fault){ 0 };
	assert_true(enrol_begin(world->swtpm.roots, cert, ek,
				(struct bytes){ fake_machine->ak.area, fake_machine->ak.area_length }, &enrolment, &c,
				&f));
	assert_false(tpm_activate(&world->agent.tpm, &e, (struct bytes){ c.blob, c.blob_length },
				  (struct bytes){ c.seed, c.seed_length }, secret, &length, &f));
	assert_int_equal(f.code, FAULT_TPM);
	f = (struct fault){ 0 };
	assert_false(enrol_finish(&enrolment, (struct bytes){ secret, 32 }, &f));
	assert_int_equal(f.code, FAULT_CREDENTIAL);
}

static size_t make_bundle(enum evidence_release release, uint32_t vm, const uint8_t nonce[32], struct bytes key,
			  uint8_t *out)
{
	const struct agent_request request = { .release = release, .vm = vm, .nonce = { nonce, 32 }, .vm_key = key };
	struct fault f = { 0 };
	size_t n = agent_bundle(&world->agent, &request, out, EVIDENCE_BUNDLE_MAX, &f);

	assert_int_equal(f.code, FAULT_UNCHECKED);
	assert_true(n > 0);
	return n;
}

static enum fault_code appraise(struct bytes bundle, enum evidence_release release, const uint8_t nonce[32],
				struct verify_report *report)
{
	const struct verify_request request = { .bundle = bundle,
						.nonce = { nonce, 32 },
						.release = release,
						.vm = release == RELEASE_CHANNEL ? "blue" : NULL,
						.reference = &fake_machine->reference,
						.ak = &world->ak };
	char text[700];

	verify_bundle(&request, report);
	fault_print(&report->platform, text, sizeof(text));
	if (report->platform.code != FAULT_GOOD)
		print_message("%s\n", text);
	return report->platform.code;
}

static void evidence_for_the_network(void **state)
{
	uint8_t *bundle = malloc(EVIDENCE_BUNDLE_MAX), nonce[32];
	struct verify_report *report = calloc(1, sizeof(*report));
	struct bundle *b = malloc(sizeof(*b));
	struct fault f = { 0 };
	size_t n;

	(void)state;
	random_fill(nonce, sizeof(nonce));
	fake_changes = 2;
	fake_machine->now.vms[VM_RED].reason = fake_machine->now.vms[VM_VISITOR].reason = LZR_STOP_RESET;
	n = make_bundle(RELEASE_NETWORK, 0, nonce, (struct bytes){ NULL, 0 }, bundle);
	assert_int_equal(fake_changes, 0);
	assert_int_equal(appraise((struct bytes){ bundle, n }, RELEASE_NETWORK, nonce, report), FAULT_GOOD);
	assert_int_equal(report->vm_count, VM_COUNT);
	assert_int_equal(report->vm[VM_RED].fault.code, FAULT_GOOD);
	assert_int_equal(report->vm[VM_VISITOR].fault.code, FAULT_REFERENCE_MISSING);
	/* Why a VM above the network's label stopped is that VM's choice; what the network covers it may know. */
	assert_true(bundle_decode((struct bytes){ bundle, n }, b, &f));
	assert_int_equal(b->vms[VM_RED].reason, LZR_STOP_NONE);
	assert_int_equal(b->vms[VM_VISITOR].reason, LZR_STOP_RESET);
	free(b);
	/* Replayed against a later challenge. */
	nonce[0] ^= 1;
	assert_int_equal(appraise((struct bytes){ bundle, n }, RELEASE_NETWORK, nonce, report), FAULT_QUOTE_NONCE);
	free(report);
	free(bundle);
}

/* OpenSSL as another eye on the quote's signature. */
static void quote_by_openssl(void **state)
{
	static const uint8_t spki[] = { 0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
					0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04 };
	uint8_t extra[48] = { 1 }, key[sizeof(spki) + 96], der[120] = { 0x30 };
	struct ecdsa_signature s;
	struct tpm_public p;
	struct tpm_quote q;
	struct fault f = { 0 };
	char path[128], command[512];
	size_t used = 2;

	(void)state;
	assert_true(tpm_quote(&world->agent.tpm, extra, &q, &f));
	assert_true(public_parse(ak_area(), &p, &f));
	assert_true(signature_parse((struct bytes){ q.signature, q.signature_length }, &s, &f));
	memcpy(key, spki, sizeof(spki));
	memcpy(key + sizeof(spki), p.x.data, 48);
	memcpy(key + sizeof(spki) + 48, p.y.data, 48);
	for (int i = 0; i < 2; i++) {
		struct bytes n = i ? s.s : s.r;
		bool sign = n.data[0] & 0x80;

		der[used++] = 2;
		der[used++] = (uint8_t)(n.length + sign);
		if (sign)
			der[used++] = 0;
		memcpy(der + used, n.data, n.length);
		used += n.length;
	}
	der[1] = (uint8_t)(used - 2);
	snprintf(path, sizeof(path), "%s/key.der", world->swtpm.directory);
	assert_true(file_write(path, (struct bytes){ key, sizeof(key) }, &f));
	snprintf(path, sizeof(path), "%s/sig.der", world->swtpm.directory);
	assert_true(file_write(path, (struct bytes){ der, used }, &f));
	snprintf(path, sizeof(path), "%s/quote.bin", world->swtpm.directory);
	assert_true(file_write(path, (struct bytes){ q.attest, q.attest_length }, &f));
	snprintf(command, sizeof(command),
		 "cd %s && openssl dgst -sha384 -keyform DER -verify key.der -signature sig.der quote.bin",
		 world->swtpm.directory);
	assert_int_equal(system(command), 0);
}

/* A VM that asks gets itself, its key bound, and nothing that moves about VMs above it. */
static void evidence_for_a_channel(void **state)
{
	static const uint8_t key[] = "a public key";
	uint8_t *bytes = malloc(EVIDENCE_BUNDLE_MAX), nonce[32];
	struct verify_report *report = calloc(1, sizeof(*report));
	struct bundle *b = malloc(sizeof(*b));
	struct fault f = { 0 };
	size_t n;

	(void)state;
	random_fill(nonce, sizeof(nonce));
	n = make_bundle(RELEASE_CHANNEL, VM_BLUE, nonce, (struct bytes){ key, sizeof(key) }, bytes);
	assert_int_equal(appraise((struct bytes){ bytes, n }, RELEASE_CHANNEL, nonce, report), FAULT_GOOD);
	assert_int_equal(report->vm_count, 1);
	assert_int_equal(report->vm[0].fault.code, FAULT_GOOD);
	assert_string_equal(report->vm[0].evidence.name, "blue");
	assert_int_equal(report->vm[0].evidence.vm_key_length, sizeof(key));
	assert_memory_equal(report->vm[0].evidence.vm_key, key, sizeof(key));
	assert_true(bundle_decode((struct bytes){ bytes, n }, b, &f));
	assert_int_equal(b->vms[VM_RED].instance, 0);
	assert_int_equal(b->vms[VM_RED].starts, 0);
	assert_int_equal(b->vms[VM_VISITOR].instance, VM_VISITOR + 1);
	assert_int_equal(b->vms[VM_RED].epoch, 0);
	assert_int_equal(b->vms[VM_VISITOR].epoch, VM_VISITOR + 2);
	/* Not good as evidence for the network. */
	assert_int_equal(appraise((struct bytes){ bytes, n }, RELEASE_NETWORK, nonce, report), FAULT_RELEASE);
	assert_int_equal(report->vm_count, 0);
	/* A key offered for the network is not taken. */
	n = make_bundle(RELEASE_NETWORK, 0, nonce, (struct bytes){ key, sizeof(key) }, bytes);
	assert_null(memmem(bytes, n, key, sizeof(key)));
	free(b);
	free(report);
	free(bytes);
}

/* What a SECRET VM did is not in the log head that goes to the RESTRICTED network. */
static void audit_by_label(void **state)
{
	struct agent *a = &world->agent;
	struct fault f = { 0 };

	(void)state;
	fake_audit_fill(FAKE_HV, 4);
	fake_audit_fill(VM_RED, 3);
	fake_audit_fill(VM_BLUE, 3);
	assert_true(agent_drain_audit(a, &f));
	assert_int_equal(a->network_audit.log.size, 3);
	assert_int_equal(a->vm_audit[VM_RED].log.size, 10);
	assert_int_equal(a->vm_audit[VM_BLUE].log.size, 3);
	assert_int_equal(a->vm_audit[VM_VISITOR].log.size, 0);
	/* A ring that ran over, one that had no room, a record that goes while it is read: said to whom it is about. */
	fake_audit_fill(VM_RED, 140);
	fake_audit[VM_RED + 1].head.lost = 5;
	fake_audit[VM_BLUE + 1].head.next++;
	assert_true(agent_drain_audit(a, &f));
	assert_int_equal(a->vm_audit[VM_RED].lost, 140 - 128 - 3 + 5 + 1);
	assert_int_equal(a->vm_audit[VM_RED].log.size, 10 + 128);
	assert_int_equal(a->network_audit.lost, 1);
	assert_int_equal(a->vm_audit[VM_BLUE].lost, 1);
	assert_int_equal(a->vm_audit[VM_VISITOR].lost, 0);
	assert_true(agent_drain_audit(a, &f));
	assert_int_equal(a->vm_audit[VM_RED].lost, 140 - 128 - 3 + 5 + 1);
}

/* Below the maker's certificate, or below its root: any TPM of theirs, once somebody has said so. */
static void any_of_a_maker(void **state)
{
	struct tpm_endorsement e;
	struct fault f = { 0 };
	char path[128];
	struct bytes der;

	(void)state;
	assert_true(tpm_endorsement(&world->agent.tpm, &e, &f));
	const struct bytes cert = { e.certificate, e.certificate_length };
	static const char *const anchors[] = { "issuercert", "swtpm-localca-rootca-cert" };

	for (size_t i = 0; i < 2; i++) {
		char command[512];

		snprintf(command, sizeof(command), "openssl x509 -in %s/%s.pem -outform DER -out %s/anchor.der",
			 world->swtpm.directory, anchors[i], world->swtpm.directory);
		assert_int_equal(system(command), 0);
		snprintf(path, sizeof(path), "%s/anchor.der", world->swtpm.directory);
		assert_true(file_read(path, 1 << 16, &der, &f));
		assert_true(ekid_leads_to(cert, world->swtpm.roots, der));
		file_free(&der);
	}
	snprintf(path, sizeof(path), "%s/ek-rsa2048.crt", world->swtpm.directory);      /* a leaf, and another's */
	assert_true(file_read(path, 1 << 16, &der, &f));
	assert_false(ekid_leads_to(cert, world->swtpm.roots, der));
	file_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enrolment),		cmocka_unit_test(enrolment_by_rsa),
		cmocka_unit_test(enrolment_refused),	cmocka_unit_test(evidence_for_the_network),
		cmocka_unit_test(quote_by_openssl),	cmocka_unit_test(evidence_for_a_channel),
		cmocka_unit_test(audit_by_label),	cmocka_unit_test(any_of_a_maker),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
