/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "swtpm_world.h"
#include "../file.h"

#include <tss2/tss2_mu.h>

struct world *world;

static void extend_all(void)
{
	ESYS_CONTEXT *esys;

	assert_int_equal(Esys_Initialize(&esys, world->swtpm.tcti, NULL), TSS2_RC_SUCCESS);
	for (size_t i = 0; i < fake_machine->event_count; i++) {
		const struct fixture_event *e = &fake_machine->event[i];
		TPML_DIGEST_VALUES digests = { .count = 1, .digests = { { .hashAlg = TPM2_ALG_SHA384 } } };

		memcpy(digests.digests[0].digest.sha384, e->sha384, 48);
		assert_int_equal(Esys_PCR_Extend(esys, ESYS_TR_PCR0 + e->pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
						 ESYS_TR_NONE, &digests),
				 TSS2_RC_SUCCESS);
	}
	Esys_Finalize(&esys);
}

int world_setup(void **state)
{
	struct fault f = { 0 };
	char text[700];

	(void)state;
	world = calloc(1, sizeof(*world));
	fake_machine = fixture_new(1);
	if (!swtpm_start(&world->swtpm))
		return -1;
	extend_all();
	key_init(&world->verifier);
	if (!key_generate(&world->verifier, &f) || !agent_open(&world->agent, world->swtpm.tcti, &f)) {
		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "%s\n", text);
		return -1;
	}
	fake_verifier_key = &world->verifier;
	fake_switch_start();
	return 0;
}

int world_teardown(void **state)
{
	(void)state;
	tpm_close(&world->agent.tpm);
	key_free(&world->agent.key);
	file_free(&world->agent.log);
	file_free(&world->agent.policy);
	file_free(&world->agent.signer);
	swtpm_stop(&world->swtpm);
	key_free(&world->verifier);
	fixture_free(fake_machine);
	free(world);
	return 0;
}
