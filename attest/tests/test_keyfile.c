/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's private key: plain, encrypted in each way that it may be opened, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "../keyfile.h"
#include "../../lib/secretkey.h"

#define WORD "a word of eleven"

static char folder[] = "/tmp/lzr-keyfile-XXXXXX";
static const char *const names[] = { "plain", "secret", "public", "p256", "garbage", "word", "wrong", "open" };
static struct key plain;

static const char *at(const char *name)
{
	static char path[2][64];
	static unsigned int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(at(name), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void put_pem(const char *name, EVP_PKEY *key, const char *word, bool secret)
{
	FILE *file = fopen(at(name), "w");

	assert_non_null(file);
	assert_int_equal(secret ? PEM_write_PKCS8PrivateKey(file, key, word ? EVP_aes_256_cbc() : NULL, word,
							    word ? (int)strlen(word) : 0, NULL, NULL)
				: PEM_write_PUBKEY(file, key),
			 1);
	assert_int_equal(fclose(file), 0);
}

static int make(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-384"), *small = EVP_EC_gen("P-256");
	struct fault f = { 0 };

	(void)state;
	assert_non_null(mkdtemp(folder));
	put_pem("plain", key, NULL, true);
	put_pem("secret", key, WORD, true);
	put_pem("public", key, NULL, false);
	put_pem("p256", small, NULL, true);
	EVP_PKEY_free(key);
	EVP_PKEY_free(small);
	put("garbage", "no key at all\n", 0644);
	put("word", WORD "\n", 0600);
	put("wrong", "another word\n", 0600);
	put("open", WORD "\n", 0644);
	unsetenv(SECRETKEY_ENVIRONMENT);
	key_init(&plain);
	assert_true(keyfile_load(&plain, at("plain"), NULL, &f));
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	key_free(&plain);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(at(names[i]));
	return rmdir(folder);
}

/* It is read, can sign, and is the plain one. */
static void is_read(const char *name, const char *passphrase_file)
{
	static const uint8_t digest[SHA384_SIZE] = { 1 };
	uint8_t signature[KEY_SIGNATURE_SIZE];
	struct fault f = { 0 };
	struct key key;

	key_init(&key);
	if (!keyfile_load(&key, at(name), passphrase_file, &f))
		fail_msg("%s: expected %s, found %s", f.component, f.expected, f.found);
	assert_true(key.secret);
	assert_true(key_sign_digest(&key, digest, signature));
	assert_true(key_verify_digest(&plain, digest, signature));
	key_free(&key);
}

static void is_refused(const char *name, const char *passphrase_file, const char *expected, const char *found)
{
	static const uint8_t digest[SHA384_SIZE] = { 1 };
	uint8_t signature[KEY_SIGNATURE_SIZE];
	struct fault f = { 0 };
	struct key key;

	key_init(&key);
	assert_false(keyfile_load(&key, at(name), passphrase_file, &f));
	assert_false(key.secret);
	assert_false(key_sign_digest(&key, digest, signature));
	key_free(&key);
	assert_int_equal(f.code, FAULT_INPUT);
	assert_string_equal(f.component, at(name));
	assert_string_equal(f.expected, expected);
	if (strcmp(f.found, found) != 0)
		fail_msg("%s: expected \"%s\", found \"%s\"", name, found, f.found);
}

static const char wanted[] = "a private key on P-384, and its passphrase if it is encrypted";

static void an_encrypted_key_is_opened(void **state)
{
	(void)state;
	is_read("secret", at("word"));
	assert_int_equal(setenv(SECRETKEY_ENVIRONMENT, at("word"), 1), 0);
	is_read("secret", NULL);
	/* The option goes before the environment. */
	is_refused("secret", at("wrong"), wanted, "the passphrase does not open this key");
	assert_int_equal(unsetenv(SECRETKEY_ENVIRONMENT), 0);
	is_read("plain", at("word"));
}

static void a_wrong_passphrase_says_so(void **state)
{
	char found[200];

	(void)state;
	is_refused("secret", at("wrong"), wanted, "the passphrase does not open this key");
	snprintf(found, sizeof(found), "%s: No such file or directory", at("none"));
	is_refused("secret", at("none"), wanted, found);
	snprintf(found, sizeof(found), "%s: expected a file that its owner alone may read (chmod 600)", at("open"));
	is_refused("secret", at("open"), wanted, found);
}

static void what_is_no_private_key(void **state)
{
	(void)state;
	is_refused("public", NULL, "a private key", "a public one");
	is_refused("p256", NULL, "a key on P-384", "another kind of key");
	is_refused("none", NULL, "a readable file", "No such file or directory");
	is_refused("garbage", NULL, wanted, "none: PK - Invalid key tag or value");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_encrypted_key_is_opened),
		cmocka_unit_test(a_wrong_passphrase_says_so),
		cmocka_unit_test(what_is_no_private_key),
	};

	return cmocka_run_group_tests_name("attest-keyfile", tests, make, unmake);
}
