/* SPDX-License-Identifier: Apache-2.0 */
/* What `lzr-verify check` is asked: options that belong together, key files, and whom the exit status speaks of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <mbedtls/pk.h>

#include "fixture.h"
#include "../file.h"
#include "../question.h"

static enum fault_code reads(const struct options *o, struct question *q, struct verify_request *request)
{
	struct fault f = { 0 };

	memset(request, 0, sizeof(*request));
	if (question_read(o, q, request, &f))
		return FAULT_GOOD;
	return f.code;
}

static void options_that_belong_together(void **state)
{
	struct verify_request r;
	struct question q;

	(void)state;
	assert_int_equal(reads(&(struct options){ .vm = NULL }, &q, &r), FAULT_GOOD);
	assert_true(r.release == RELEASE_NETWORK && !r.vm && !r.vm_key.data);
	assert_int_equal(reads(&(struct options){ .vm = "red" }, &q, &r), FAULT_GOOD);
	assert_true(r.release == RELEASE_NETWORK && !r.vm);
	assert_int_equal(reads(&(struct options){ .release = "channel" }, &q, &r), FAULT_USAGE);
	assert_int_equal(reads(&(struct options){ .release = "wire", .vm = "red" }, &q, &r), FAULT_USAGE);
	assert_int_equal(reads(&(struct options){ .vm = "red", .vm_key = "/dev/null" }, &q, &r), FAULT_USAGE);
	assert_int_equal(reads(&(struct options){ .release = "channel", .vm = "red", .vm_key = "/dev/null" }, &q, &r),
			 FAULT_INPUT);
	assert_int_equal(reads(&(struct options){ .release = "channel", .vm = "red" }, &q, &r), FAULT_GOOD);
	assert_true(r.release == RELEASE_CHANNEL && strcmp(r.vm, "red") == 0 && !r.vm_key.data);
}

static void key_files(void **state)
{
	char path[] = "/tmp/lzr-key-XXXXXX";
	int fd = mkstemp(path);
	uint8_t der[512], pem[1024], out[EVIDENCE_VM_KEY_MAX];
	mbedtls_pk_context key;
	struct fault f = { 0 };
	size_t length;
	int n;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	mbedtls_pk_init(&key);
	assert_int_equal(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
	assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random_mbedtls, NULL), 0);
	n = mbedtls_pk_write_pubkey_der(&key, der, sizeof(der));
	assert_true(n > 0);
	assert_int_equal(mbedtls_pk_write_pubkey_pem(&key, pem, sizeof(pem)), 0);
	assert_true(file_write(path, (struct bytes){ der + sizeof(der) - n, (size_t)n }, &f));
	assert_true(question_read_key(path, out, &length, &f));
	assert_int_equal(length, n);
	assert_memory_equal(out, der + sizeof(der) - n, length);
	memset(out, 0, sizeof(out));
	assert_true(file_write(path, (struct bytes){ pem, strlen((char *)pem) }, &f));
	assert_true(question_read_key(path, out, &length, &f));
	assert_int_equal(length, n);
	assert_memory_equal(out, der + sizeof(der) - n, length);
	assert_true(file_write(path, (struct bytes){ pem, 40 }, &f));
	assert_false(question_read_key(path, out, &length, &f));
	assert_int_equal(f.code, FAULT_INPUT);
	mbedtls_pk_free(&key);
	assert_int_equal(unlink(path), 0);
}

static bool proved(const struct fixture *x, const char *vm, const char *words)
{
	const struct question q = { .vm = vm };
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	question_print(out, &q, &x->report);
	fclose(out);
	assert_string_equal(text, words);
	free(text);
	return question_is_proved(&q, &x->report);
}

/* Visitor has no reference value: whoever asks about all of them, or about it, is not told 0. */
static void the_status_speaks_of_who_was_asked_about(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(fixture_verify(x), FAULT_GOOD);
	assert_false(proved(x, NULL, "all VMs: NOT PROVED\n"));
	assert_true(proved(x, "red", "VM red: proved\n"));
	assert_false(proved(x, "visitor", "VM visitor: NOT PROVED\n"));
	assert_false(proved(x, "nobody", "VM nobody: NOT PROVED: the measured policy has no VM of this name\n"));
	x->nonce[0] ^= 1;
	assert_int_equal(fixture_verify(x), FAULT_QUOTE_NONCE);
	assert_false(proved(x, "red", "VM red: NOT PROVED\n"));
	assert_false(proved(x, NULL, "all VMs: NOT PROVED\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_that_belong_together),
		cmocka_unit_test(key_files),
		cmocka_unit_test_setup_teardown(the_status_speaks_of_who_was_asked_about, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
