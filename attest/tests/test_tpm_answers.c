/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM, or whoever sits on its bus, that answers with other sizes than were asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../tpm.h"

static uint16_t data_size, part_size, digest_size;
static uint32_t digest_count;
static unsigned int reads;

TSS2_RC Esys_GetCapability(ESYS_CONTEXT *esys, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, TPM2_CAP capability,
			   UINT32 property, UINT32 count, TPMI_YES_NO *more, TPMS_CAPABILITY_DATA **data)
{
	(void)esys, (void)s1, (void)s2, (void)s3, (void)capability, (void)count, (void)more;
	*data = calloc(1, sizeof(**data));
	(*data)->data.handles.count = 1;
	(*data)->data.handles.handle[0] = property;
	return TSS2_RC_SUCCESS;
}

TSS2_RC Esys_TR_FromTPMPublic(ESYS_CONTEXT *esys, TPM2_HANDLE handle, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, ESYS_TR *out)
{
	(void)esys, (void)handle, (void)s1, (void)s2, (void)s3;
	*out = 1;
	return TSS2_RC_SUCCESS;
}

TSS2_RC Esys_TR_Close(ESYS_CONTEXT *esys, ESYS_TR *object)
{
	(void)esys, (void)object;
	return TSS2_RC_SUCCESS;
}

void Esys_Free(void *object) { free(object); }

TSS2_RC Esys_NV_ReadPublic(ESYS_CONTEXT *esys, ESYS_TR nv, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, TPM2B_NV_PUBLIC **public,
			   TPM2B_NAME **name)
{
	(void)esys, (void)nv, (void)s1, (void)s2, (void)s3, (void)name;
	*public = calloc(1, sizeof(**public));
	(*public)->nvPublic.dataSize = data_size;
	return TSS2_RC_SUCCESS;
}

TSS2_RC Esys_NV_Read(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR nv, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, UINT16 size,
		     UINT16 offset, TPM2B_MAX_NV_BUFFER **part)
{
	(void)esys, (void)auth, (void)nv, (void)s1, (void)s2, (void)s3, (void)offset;
	assert_true(++reads < 100);
	*part = calloc(1, sizeof(**part));
	(*part)->size = part_size == UINT16_MAX ? size : part_size;
	memset((*part)->buffer, 0x42, (*part)->size);
	return TSS2_RC_SUCCESS;
}

TSS2_RC Esys_PCR_Read(ESYS_CONTEXT *esys, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPML_PCR_SELECTION *wanted,
		      UINT32 *counter, TPML_PCR_SELECTION **got, TPML_DIGEST **values)
{
	(void)esys, (void)s1, (void)s2, (void)s3, (void)wanted, (void)counter;
	assert_true(++reads < 100);
	*got = calloc(1, sizeof(**got));
	*values = calloc(1, sizeof(**values));
	(*values)->count = digest_count;
	for (uint32_t i = 0; i < digest_count; i++)
		(*values)->digests[i].size = digest_size;
	return TSS2_RC_SUCCESS;
}

static bool read_index(uint16_t size, uint16_t part, size_t *length)
{
	uint8_t *out = malloc(700);
	struct tpm t = { 0 };
	struct fault f = { 0 };
	bool ok;

	data_size = size;
	part_size = part;
	reads = 0;
	ok = tpm_nv_read(&t, 0x01800000, out, 700, length, &f);
	assert_int_equal(f.code, ok ? FAULT_UNCHECKED : FAULT_TPM);
	free(out);
	return ok;
}

static void index_of_other_sizes(void **state)
{
	size_t length;

	(void)state;
	assert_true(read_index(700, UINT16_MAX, &length));
	assert_int_equal(length, 700);
	assert_true(read_index(40, 1, &length));                /* little by little */
	assert_int_equal(length, 40);
	assert_false(read_index(701, UINT16_MAX, &length));     /* more than there is room for */
	assert_false(read_index(700, 0, &length));              /* nothing, for ever */
	assert_false(read_index(600, 2048, &length));           /* more than is left */
	assert_false(read_index(700, 701, &length));
}

static void registers_of_other_sizes(void **state)
{
	static const struct { uint32_t count; uint16_t size; } answer[] = { { 0, 48 }, { 8, 32 }, { 8, 0 }, { 8, 64 } };
	uint8_t extra[SHA384_SIZE] = { 0 };
	struct tpm_quote *q = malloc(sizeof(*q));
	struct tpm t = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(answer) / sizeof(answer[0]); i++) {
		struct fault f = { 0 };

		digest_count = answer[i].count;
		digest_size = answer[i].size;
		reads = 0;
		assert_false(tpm_quote(&t, extra, q, &f));
		assert_int_equal(f.code, FAULT_TPM);
		assert_int_equal(reads, 1);
	}
	free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(index_of_other_sizes),
		cmocka_unit_test(registers_of_other_sizes),
	};

	alarm(20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
