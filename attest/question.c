/* SPDX-License-Identifier: Apache-2.0 */
#include "question.h"
#include "file.h"

#include <string.h>

#include <mbedtls/pem.h>
#include <mbedtls/pk.h>

#define KEY_FILE_MAX 8192u

/* The bytes as they are, for a key is bound as bytes: another encoding of it is another key. */
static bool take_der(struct bytes der, const char *path, uint8_t out[EVIDENCE_VM_KEY_MAX], size_t *length,
		     struct fault *f)
{
	mbedtls_pk_context pk;
	bool ok;

	mbedtls_pk_init(&pk);
	ok = der.length > 0 && der.length <= EVIDENCE_VM_KEY_MAX &&
	     mbedtls_pk_parse_public_key(&pk, der.data, der.length) == 0;
	mbedtls_pk_free(&pk);
	if (!ok)
		return fault_set_text(f, FAULT_INPUT, path,
				      "a public key (SubjectPublicKeyInfo), PEM or DER, of at most 1024 bytes in DER",
				      "%zu other bytes", der.length);
	memcpy(out, der.data, der.length);
	*length = der.length;
	return true;
}

bool question_read_key(const char *path, uint8_t out[EVIDENCE_VM_KEY_MAX], size_t *length, struct fault *f)
{
	char text[KEY_FILE_MAX + 1];
	mbedtls_pem_context pem;
	struct bytes content;
	size_t used;
	bool ok;

	if (!file_read(path, KEY_FILE_MAX, &content, f))
		return false;
	mbedtls_pem_init(&pem);
	memcpy(text, content.data, content.length);
	text[content.length] = 0;
	if (mbedtls_pem_read_buffer(&pem, "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----",
				    (const unsigned char *)text, NULL, 0, &used) == 0)
		ok = take_der((struct bytes){ pem.buf, pem.buflen }, path, out, length, f);
	else
		ok = take_der(content, path, out, length, f);
	mbedtls_pem_free(&pem);
	file_free(&content);
	return ok;
}

bool question_read(const struct options *o, struct question *q, struct verify_request *request, struct fault *f)
{
	const char *release = o->release ? o->release : "network";
	size_t length;

	q->vm = o->vm;
	if (strcmp(release, "network") != 0 && strcmp(release, "channel") != 0)
		return fault_set(f, FAULT_USAGE, "--release", "network or channel", release);
	request->release = strcmp(release, "channel") == 0 ? RELEASE_CHANNEL : RELEASE_NETWORK;
	if (request->release == RELEASE_CHANNEL && !o->vm)
		return fault_set(f, FAULT_USAGE, "--release channel",
				 "--vm NAME: a bundle from a channel is about the VM that has it", "no --vm");
	if (request->release != RELEASE_CHANNEL && o->vm_key)
		return fault_set(f, FAULT_USAGE, "--vm-key",
				 "--release channel: evidence for the network binds no VM's key", release);
	if (request->release == RELEASE_CHANNEL)
		request->vm = o->vm;
	if (!o->vm_key)
		return true;
	if (!question_read_key(o->vm_key, q->key, &length, f))
		return false;
	request->vm_key = (struct bytes){ q->key, length };
	return true;
}

bool question_is_proved(const struct question *q, const struct verify_report *report)
{
	const struct vm_report *vm = q->vm ? verify_find(report, q->vm) : NULL;

	if (!q->vm)
		return verify_all_good(report);
	return report->platform.code == FAULT_GOOD && vm && vm->fault.code == FAULT_GOOD;
}

void question_print(FILE *out, const struct question *q, const struct verify_report *report)
{
	if (!q->vm)
		fprintf(out, "all VMs: %s\n", question_is_proved(q, report) ? "proved" : "NOT PROVED");
	else if (report->platform.code == FAULT_GOOD && !verify_find(report, q->vm))
		fprintf(out, "VM %s: NOT PROVED: the measured policy has no VM of this name\n", q->vm);
	else
		fprintf(out, "VM %s: %s\n", q->vm, question_is_proved(q, report) ? "proved" : "NOT PROVED");
}
