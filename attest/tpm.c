/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>

static bool failed(struct fault *f, const char *what, TSS2_RC rc)
{
	return fault_set(f, FAULT_TPM, what, "success", Tss2_RC_Decode(rc));
}

/* Flushes every handle of one type. */
static void flush_type(ESYS_CONTEXT *esys, TPM2_HT type)
{
	const TPM2_HANDLE first = (TPM2_HANDLE)type << TPM2_HR_SHIFT;
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	ESYS_TR object;

	if (Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, first,
			       TPM2_MAX_CAP_HANDLES, &more, &data) != TSS2_RC_SUCCESS)
		return;
	for (uint32_t i = 0; i < data->data.handles.count; i++)
		if (Esys_TR_FromTPMPublic(esys, data->data.handles.handle[i], ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					  &object) == TSS2_RC_SUCCESS)
			Esys_FlushContext(esys, object);
	Esys_Free(data);
}

static TSS2_RC create_ak(struct tpm *t, TPMI_ECC_CURVE curve, TPMI_ALG_HASH hash, TPM2B_PUBLIC **out)
{
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION no_pcr = { 0 };
	TPM2B_PUBLIC template = {
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = hash,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
					    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_NODA,
			.parameters.eccDetail = {
				.symmetric.algorithm = TPM2_ALG_NULL,
				.scheme = { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = hash },
				.curveID = curve,
				.kdf.scheme = TPM2_ALG_NULL,
			},
		},
	};

	return Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				  &sensitive, &template, &outside, &no_pcr, &t->ak, out, NULL, NULL, NULL);
}

static bool open_ak(struct tpm *t, struct fault *f)
{
	TPM2B_PUBLIC *public = NULL;
	size_t used = 0;
	TSS2_RC rc = create_ak(t, TPM2_ECC_NIST_P384, TPM2_ALG_SHA384, &public);

	if (rc != TSS2_RC_SUCCESS)
		rc = create_ak(t, TPM2_ECC_NIST_P256, TPM2_ALG_SHA256, &public);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "TPM2_CreatePrimary of the attestation key", rc);
	rc = Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, t->ak_area, sizeof(t->ak_area), &used);
	t->ak_area_length = used;
	t->ak_name_length = public_name((struct bytes){ t->ak_area, used }, public->publicArea.nameAlg, t->ak_name);
	Esys_Free(public);
	return rc == TSS2_RC_SUCCESS || failed(f, "attestation key's public area", rc);
}

bool tpm_open(struct tpm *t, TSS2_TCTI_CONTEXT *tcti, struct fault *f)
{
	TSS2_RC rc;

	memset(t, 0, sizeof(*t));
	t->ak = ESYS_TR_NONE;
	rc = Esys_Initialize(&t->esys, tcti, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "TPM", rc);
	flush_type(t->esys, TPM2_HT_TRANSIENT);
	flush_type(t->esys, TPM2_HT_LOADED_SESSION);
	flush_type(t->esys, TPM2_HT_SAVED_SESSION);
	if (open_ak(t, f))
		return true;
	tpm_close(t);
	return false;
}

void tpm_close(struct tpm *t)
{
	if (t->ak != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, t->ak);
	Esys_Finalize(&t->esys);
	t->ak = ESYS_TR_NONE;
}

/* An NV index without a password, read with its own authorisation. */
static TSS2_RC read_nv(ESYS_CONTEXT *esys, TPM2_HANDLE index, uint8_t *out, size_t size, size_t *length)
{
	const uint16_t chunk = 512;
	TPM2B_NV_PUBLIC *public = NULL;
	ESYS_TR nv;
	TSS2_RC rc = Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &nv);

	if (rc != TSS2_RC_SUCCESS)
		return rc;
	rc = Esys_NV_ReadPublic(esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL);
	if (rc == TSS2_RC_SUCCESS && public->nvPublic.dataSize > size)
		rc = TSS2_ESYS_RC_BAD_SIZE;
	for (size_t at = 0; rc == TSS2_RC_SUCCESS && at < public->nvPublic.dataSize;) {
		size_t left = public->nvPublic.dataSize - at;
		TPM2B_MAX_NV_BUFFER *part = NULL;

		rc = Esys_NV_Read(esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				  left < chunk ? (uint16_t)left : chunk, (uint16_t)at, &part);
		if (rc != TSS2_RC_SUCCESS)
			break;
		if (part->size == 0 || part->size > left)       /* a TPM, or who sits on its bus, may say anything */
			rc = TSS2_ESYS_RC_BAD_SIZE;
		else
			memcpy(out + at, part->buffer, part->size);
		at += part->size;
		*length = at;
		Esys_Free(part);
	}
	Esys_Free(public);
	Esys_TR_Close(esys, &nv);
	return rc;
}

/* A certificate's own length: an NV index may be larger than what was written into it. */
static size_t der_length(const uint8_t *der, size_t length)
{
	/* A SEQUENCE, or one in an OCTET STRING. */
	const bool outer = length >= 4 && (der[0] == 0x30 || der[0] == 0x04);
	size_t total = outer && der[1] == 0x82 ? 4 + (size_t)(der[2] << 8 | der[3]) : length;

	return total < length ? total : length;
}

static bool read_ek(struct tpm *t, TPM2_HANDLE index, TPM2_HANDLE handle, struct tpm_endorsement *e, struct fault *f)
{
	TPM2B_PUBLIC *public = NULL;
	ESYS_TR key;
	size_t used = 0;
	TSS2_RC rc = read_nv(t->esys, index, e->certificate, sizeof(e->certificate), &used);

	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "EK certificate in NV", rc);
	e->certificate_length = der_length(e->certificate, used);
	rc = Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &key);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "persistent EK", rc);
	rc = Esys_ReadPublic(t->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL);
	Esys_TR_Close(t->esys, &key);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "persistent EK", rc);
	used = 0;
	rc = Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, e->area, sizeof(e->area), &used);
	Esys_Free(public);
	e->area_length = used;
	e->handle = handle;
	return rc == TSS2_RC_SUCCESS || failed(f, "EK's public area", rc);
}

bool tpm_endorsement(struct tpm *t, struct tpm_endorsement *e, struct fault *f)
{
	struct fault first = { 0 };

	return read_ek(t, 0x01c00016, 0x81010016, e, &first) || read_ek(t, 0x01c00002, 0x81010001, e, f);
}

/* Authorisation of the EK: its password where it has one (empty), else the policy "endorsement hierarchy's secret". */
static TSS2_RC authorise_ek(ESYS_CONTEXT *esys, ESYS_TR ek, ESYS_TR *session)
{
	const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	TPM2B_PUBLIC *public = NULL;
	TPMI_ALG_HASH hash;
	TPMA_OBJECT attributes;
	TSS2_RC rc = Esys_ReadPublic(esys, ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL);

	if (rc != TSS2_RC_SUCCESS)
		return rc;
	attributes = public->publicArea.objectAttributes;
	hash = public->publicArea.nameAlg;
	Esys_Free(public);
	*session = ESYS_TR_PASSWORD;
	if (attributes & TPMA_OBJECT_USERWITHAUTH)
		return TSS2_RC_SUCCESS;
	rc = Esys_StartAuthSession(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
				   TPM2_SE_POLICY, &none, hash, session);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	rc = Esys_PolicySecret(esys, ESYS_TR_RH_ENDORSEMENT, *session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
			       NULL, NULL, NULL, 0, NULL, NULL);
	if (rc != TSS2_RC_SUCCESS)
		Esys_FlushContext(esys, *session);
	return rc;
}

bool tpm_activate(struct tpm *t, const struct tpm_endorsement *e, struct bytes blob, struct bytes seed, uint8_t *secret,
		  size_t *secret_length, struct fault *f)
{
	TPM2B_ID_OBJECT id = { .size = (uint16_t)blob.length };
	TPM2B_ENCRYPTED_SECRET encrypted = { .size = (uint16_t)seed.length };
	TPM2B_DIGEST *info = NULL;
	ESYS_TR ek, session;
	TSS2_RC rc;

	if (blob.length > sizeof(id.credential) || seed.length > sizeof(encrypted.secret))
		return fault_set(f, FAULT_CREDENTIAL, "credential", "sizes that a TPM takes", "larger");
	memcpy(id.credential, blob.data, blob.length);
	memcpy(encrypted.secret, seed.data, seed.length);
	rc = Esys_TR_FromTPMPublic(t->esys, e->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &ek);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "persistent EK", rc);
	rc = authorise_ek(t->esys, ek, &session);
	if (rc == TSS2_RC_SUCCESS) {
		rc = Esys_ActivateCredential(t->esys, t->ak, ek, ESYS_TR_PASSWORD, session, ESYS_TR_NONE, &id,
					     &encrypted, &info);
		if (rc != TSS2_RC_SUCCESS && session != ESYS_TR_PASSWORD)
			Esys_FlushContext(t->esys, session);
	}
	Esys_TR_Close(t->esys, &ek);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "TPM2_ActivateCredential", rc);
	memcpy(secret, info->buffer, info->size);
	*secret_length = info->size;
	Esys_Free(info);
	return true;
}

bool tpm_nv_read(struct tpm *t, TPM2_HANDLE index, uint8_t *out, size_t size, size_t *length, struct fault *f)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc = Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, index, 1,
					&more, &data);
	bool defined = rc == TSS2_RC_SUCCESS && data->data.handles.count && data->data.handles.handle[0] == index;

	Esys_Free(data);
	*length = 0;
	if (defined)
		rc = read_nv(t->esys, index, out, size, length);
	return rc == TSS2_RC_SUCCESS || failed(f, "TPM2_NV_Read", rc);
}

bool tpm_nv_write(struct tpm *t, TPM2_HANDLE index, const uint8_t *data, size_t length, struct fault *f)
{
	const TPML_PCR_SELECTION pcrs = {
		.count = 1,
		.pcrSelections = { { .hash = TPM2_ALG_SHA384, .sizeofSelect = 3, .pcrSelect = { 0x10, 0x01, 0x00 } } },
	};
	const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	const TPM2B_DIGEST as_now = { 0 };
	TPM2B_MAX_NV_BUFFER buffer = { .size = (uint16_t)length };
	ESYS_TR nv = ESYS_TR_NONE, session = ESYS_TR_NONE;
	TSS2_RC rc;

	if (length > sizeof(buffer.buffer))
		return fault_set(f, FAULT_TPM, "NV index", "a size that a TPM takes", "larger");
	memcpy(buffer.buffer, data, length);
	rc = Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &nv);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "NV index", rc);
	rc = Esys_StartAuthSession(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
				   TPM2_SE_POLICY, &none, TPM2_ALG_SHA256, &session);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_PolicyPCR(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &as_now, &pcrs);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_NV_Write(t->esys, nv, nv, session, ESYS_TR_NONE, ESYS_TR_NONE, &buffer, 0);
	if (rc != TSS2_RC_SUCCESS && session != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, session);
	Esys_TR_Close(t->esys, &nv);
	return rc == TSS2_RC_SUCCESS || failed(f, "TPM2_NV_Write", rc);
}

static TPML_PCR_SELECTION selection(void)
{
	return (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections = { { .hash = TPM2_ALG_SHA384, .sizeofSelect = 3, .pcrSelect = { 0xff, 0x0b, 0x00 } } },
	};
}

/* TPM2_PCR_Read gives at most eight registers a time. */
static bool read_pcrs(struct tpm *t, uint8_t out[EVIDENCE_PCR_COUNT][SHA384_SIZE], struct fault *f)
{
	TPML_PCR_SELECTION wanted = selection();
	uint32_t done = 0;

	while (done < EVIDENCE_PCR_COUNT) {
		TPML_PCR_SELECTION *got = NULL;
		TPML_DIGEST *values = NULL;
		TSS2_RC rc =
			Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted, NULL, &got, &values);
		const uint32_t before = done;

		if (rc != TSS2_RC_SUCCESS)
			return failed(f, "TPM2_PCR_Read", rc);
		for (uint32_t i = 0; i < values->count && done < EVIDENCE_PCR_COUNT; i++)
			if (values->digests[i].size == SHA384_SIZE)
				memcpy(out[done++], values->digests[i].buffer, SHA384_SIZE);
		for (int i = 0; i < 3; i++)
			wanted.pcrSelections[0].pcrSelect[i] &= (BYTE)~got->pcrSelections[0].pcrSelect[i];
		Esys_Free(got);
		Esys_Free(values);
		if (done == before)
			return fault_set(f, FAULT_TPM, "SHA-384 bank", "PCR 0-9 and 11", "the TPM does not keep it");
	}
	return true;
}

bool tpm_quote(struct tpm *t, const uint8_t extra_data[SHA384_SIZE], struct tpm_quote *q, struct fault *f)
{
	const TPML_PCR_SELECTION pcrs = selection();
	const TPMT_SIG_SCHEME scheme = { .scheme = TPM2_ALG_NULL };
	TPM2B_DATA data = { .size = SHA384_SIZE };
	TPM2B_ATTEST *attest = NULL;
	TPMT_SIGNATURE *signature = NULL;
	size_t used = 0;
	TSS2_RC rc;

	memcpy(data.buffer, extra_data, SHA384_SIZE);
	if (!read_pcrs(t, q->pcr, f))
		return false;
	rc = Esys_Quote(t->esys, t->ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data, &scheme, &pcrs, &attest,
			&signature);
	if (rc != TSS2_RC_SUCCESS)
		return failed(f, "TPM2_Quote", rc);
	q->attest_length = attest->size;
	if (attest->size <= sizeof(q->attest))
		memcpy(q->attest, attest->attestationData, attest->size);
	else
		rc = TSS2_ESYS_RC_BAD_SIZE;
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, q->signature, sizeof(q->signature), &used);
	q->signature_length = used;
	Esys_Free(attest);
	Esys_Free(signature);
	return rc == TSS2_RC_SUCCESS || failed(f, "TPM2_Quote", rc);
}
