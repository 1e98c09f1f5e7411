/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted keys: the passphrase out of a file, out of the environment, and typed on a terminal that does not echo. */
#define _GNU_SOURCE             /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "secretkey.h"

#define WORD "a word of eleven"

static char folder[] = "/tmp/lzr-secretkey-XXXXXX";
static char plain[64], modern[64], word[64];

static const char *path_in(char out[64], const char *name)
{
	snprintf(out, 64, "%s/%s", folder, name);
	return out;
}

static void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int make_keys(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-384");
	FILE *a, *b;

	(void)state;
	assert_non_null(mkdtemp(folder));
	a = fopen(path_in(plain, "plain.pem"), "w");
	b = fopen(path_in(modern, "modern.pem"), "w");
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(PEM_write_PrivateKey(a, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(PEM_write_PKCS8PrivateKey(b, key, EVP_aes_256_cbc(), WORD, strlen(WORD), NULL, NULL), 1);
	fclose(a);
	fclose(b);
	EVP_PKEY_free(key);
	write_text(path_in(word, "word"), WORD "\n", 0600);
	return 0;
}

static int remove_keys(void **state)
{
	char path[64];

	(void)state;
	unlink(plain);
	unlink(modern);
	unlink(word);
	unlink(path_in(path, "bad"));
	return rmdir(folder);
}

/* "" when it is read and is the plain one, else why not. */
static const char *read_key(const char *path, const char *passphrase_file)
{
	static char why[600];
	mbedtls_pk_context key, same;

	why[0] = 0;
	mbedtls_pk_init(&key);
	mbedtls_pk_init(&same);
	if (secretkey_read(&key, path, passphrase_file, why, sizeof(why))) {
		assert_int_equal(mbedtls_pk_parse_keyfile(&same, plain, NULL), 0);
		assert_int_equal(mbedtls_mpi_cmp_mpi(&mbedtls_pk_ec(key)->d, &mbedtls_pk_ec(same)->d), 0);
		assert_string_equal(why, "");
	} else {
		assert_string_not_equal(why, "");
	}
	mbedtls_pk_free(&key);
	mbedtls_pk_free(&same);
	return why;
}

static void test_files(void **state)
{
	char bad[64];

	(void)state;
	unsetenv(SECRETKEY_ENVIRONMENT);
	assert_string_equal(read_key(plain, NULL), "");
	assert_string_equal(read_key(modern, word), "");
	write_text(path_in(bad, "bad"), WORD, 0600);
	assert_string_equal(read_key(modern, bad), "");
	write_text(bad, "another\n", 0600);
	assert_non_null(strstr(read_key(modern, bad), "the passphrase does not open this key"));
	write_text(bad, "", 0600);
	assert_non_null(strstr(read_key(modern, bad), "found none"));
	write_text(bad, WORD "\n", 0640);
	assert_non_null(strstr(read_key(modern, bad), "its owner alone may read"));
	assert_non_null(strstr(read_key(word, NULL), "expected a private key in PEM"));
	assert_non_null(strstr(read_key(modern, folder), "expected a line"));
}

static void test_environment(void **state)
{
	(void)state;
	assert_int_equal(setenv(SECRETKEY_ENVIRONMENT, word, 1), 0);
	assert_string_equal(read_key(modern, NULL), "");
	unsetenv(SECRETKEY_ENVIRONMENT);
}

/* A program on a terminal of its own, and what it printed there. */
static int on_terminal(const char *typed, char *seen, size_t room)
{
	size_t at = 0;
	int master, status;
	pid_t child = forkpty(&master, NULL, NULL, NULL);
	ssize_t got;

	assert_true(child >= 0);
	if (child == 0) {
		char why[600];
		mbedtls_pk_context key;
		mbedtls_pk_init(&key);
		_exit(secretkey_read(&key, modern, NULL, why, sizeof(why)) ? 0 : 1);
	}
	while (!memmem(seen, at, "Passphrase of", 13) && at < room && (got = read(master, seen + at, room - at)) > 0)
		at += (size_t)got;
	assert_int_equal(write(master, typed, strlen(typed)), strlen(typed));
	while (at < room && (got = read(master, seen + at, room - at)) > 0)
		at += (size_t)got;
	seen[at < room ? at : room - 1] = 0;
	close(master);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_terminal(void **state)
{
	static char seen[4096];

	(void)state;
	assert_int_equal(on_terminal(WORD "\n", seen, sizeof(seen)), 0);
	assert_non_null(strstr(seen, "modern.pem"));
	assert_null(strstr(seen, WORD));
	memset(seen, 0, sizeof(seen));
	assert_int_equal(on_terminal("something else\n", seen, sizeof(seen)), 1);
	memset(seen, 0, sizeof(seen));
	assert_int_equal(on_terminal("\n", seen, sizeof(seen)), 1);
}

/* Without a terminal nothing waits for an answer, and standard input is not one. */
static void test_no_terminal(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		setsid();
		const char *why = read_key(modern, NULL);
		_exit(strstr(why, "or a terminal to ask for it, found neither") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_no_terminal),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
