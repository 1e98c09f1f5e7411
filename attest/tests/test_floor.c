/* SPDX-License-Identifier: Apache-2.0 */
/* The rollback index of a real (software) TPM: raised by the attestor, never lowered, and by nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <lazaret/rollback.h>

#include "swtpm.h"
#include "../floor.h"

static struct swtpm swtpm;
static struct agent agent;

static int setup(void **state)
{
	static const uint8_t key[] = "a key file";
	struct fault f = { 0 };

	(void)state;
	agent.view.version = 7;
	agent.signer = (struct bytes){ key, sizeof(key) };
	return swtpm_start(&swtpm) && tpm_open(&agent.tpm, swtpm.tcti, &f) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tpm_close(&agent.tpm);
	swtpm_stop(&swtpm);
	return 0;
}

static void define_index(ESYS_CONTEXT *esys, const char *magic, uint64_t floor)
{
	const TPML_PCR_SELECTION pcrs = {
		.count = 1,
		.pcrSelections = { { .hash = TPM2_ALG_SHA384, .sizeofSelect = 3, .pcrSelect = { 0x10, 0x01, 0x00 } } },
	};
	const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	const TPM2B_DIGEST as_now = { 0 };
	const TPM2B_AUTH empty = { 0 };
	struct rollback_nv content = { .floor = floor };
	TPM2B_MAX_NV_BUFFER buffer = { .size = sizeof(content) };
	TPM2B_DIGEST *policy = NULL;
	ESYS_TR session, nv;

	assert_int_equal(Esys_StartAuthSession(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					       ESYS_TR_NONE, NULL, TPM2_SE_TRIAL, &none, TPM2_ALG_SHA256, &session), 0);
	assert_int_equal(Esys_PolicyPCR(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &as_now, &pcrs), 0);
	assert_int_equal(Esys_PolicyGetDigest(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy), 0);
	Esys_FlushContext(esys, session);
	TPM2B_NV_PUBLIC public = {
		.nvPublic = {
			.nvIndex = ROLLBACK_NV_INDEX, .nameAlg = TPM2_ALG_SHA256, .dataSize = sizeof(content),
			.attributes = TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_POLICYWRITE |
				      TPMA_NV_NO_DA,
			.authPolicy = *policy,
		},
	};

	Esys_Free(policy);
	assert_int_equal(Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					     &empty, &public, &nv), 0);
	memcpy(content.magic, magic, sizeof(content.magic));
	memcpy(buffer.buffer, &content, sizeof(content));
	assert_int_equal(Esys_NV_Write(esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				       &buffer, 0), 0);
	Esys_TR_Close(esys, &nv);
}

static void undefine_index(ESYS_CONTEXT *esys)
{
	ESYS_TR nv;

	assert_int_equal(Esys_TR_FromTPMPublic(esys, ROLLBACK_NV_INDEX, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &nv),
			 0);
	assert_int_equal(Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					       ESYS_TR_NONE), 0);
}

static void the_floor_is_raised(void **state)
{
	struct rollback_nv now;
	struct fault f = { 0 };
	uint8_t signer[SHA384_SIZE];
	size_t length;
	bool written;

	(void)state;
	assert_true(floor_raise(&agent, &written, &f));      /* the owner made none */
	assert_false(written);
	define_index(agent.tpm.esys, ROLLBACK_NV_MAGIC, agent.view.version - 1);
	memset(agent.view.next_signer, 0x5a, sizeof(agent.view.next_signer));
	assert_true(floor_raise(&agent, &written, &f));
	assert_true(written);
	assert_true(tpm_nv_read(&agent.tpm, ROLLBACK_NV_INDEX, (uint8_t *)&now, sizeof(now), &length, &f));
	assert_int_equal(length, sizeof(now));
	assert_int_equal(now.floor, agent.view.version);
	sha384(signer, agent.signer.data, agent.signer.length);
	assert_memory_equal(now.signer, signer, sizeof(signer));
	assert_int_equal(now.next_signer[47], 0x5a);
	assert_true(floor_raise(&agent, &written, &f));      /* nothing new */
	assert_false(written);
	agent.view.version--;                              /* never down */
	assert_true(floor_raise(&agent, &written, &f));
	assert_false(written);
	agent.view.version++;
	undefine_index(agent.tpm.esys);
	define_index(agent.tpm.esys, "LZRNVR1", 1);
	assert_false(floor_raise(&agent, &written, &f));
	assert_int_equal(f.code, FAULT_TPM);
	undefine_index(agent.tpm.esys);
}

/* Last: it changes a PCR, as another loader or hypervisor would. */
static void another_system_does_not_write_the_index(void **state)
{
	TPML_DIGEST_VALUES digests = { .count = 1, .digests = { { .hashAlg = TPM2_ALG_SHA384 } } };
	struct fault f = { 0 };
	bool written;

	(void)state;
	define_index(agent.tpm.esys, ROLLBACK_NV_MAGIC, 0);
	assert_int_equal(Esys_PCR_Extend(agent.tpm.esys, ESYS_TR_PCR8, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					 &digests), 0);
	assert_false(floor_raise(&agent, &written, &f));
	assert_false(written);
	assert_int_equal(f.code, FAULT_TPM);
	undefine_index(agent.tpm.esys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_floor_is_raised), cmocka_unit_test(another_system_does_not_write_the_index),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
