/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedTLS reads keys that are not encrypted.  Of the encrypted ones it knows old ciphers only, so those are decrypted
 * by OpenSSL, whose own tool most of them are made with.
 */
#include "secretkey.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <mbedtls/error.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

struct question {
	const char *path;               /* the key's */
	const char *passphrase_file;    /* or NULL: the terminal */
	char *why;
	size_t why_size;
	bool failed;                    /* `why` is said already */
};

static int fail(struct question *q, const char *path, const char *what)
{
	snprintf(q->why, q->why_size, "%.300s: %s", path, what);
	q->failed = true;
	return -1;
}

/* The first line, without its end; its length.  What is behind it in a file is read as well, and not looked at. */
static int read_line(int fd, char *out, int room)
{
	int length = 0;

	while (length < room) {
		ssize_t got = read(fd, out + length, (size_t)(room - length));
		const char *end = got > 0 ? memchr(out + length, '\n', (size_t)got) : NULL;

		if (end)
			return (int)(end - out);
		if (got == 0)
			return length;
		if (got < 0 && errno != EINTR)
			return -1;
		length += got > 0 ? (int)got : 0;
	}
	return -1;
}

static int from_file(struct question *q, char *out, int room)
{
	struct stat status;
	int fd = open(q->passphrase_file, O_RDONLY | O_CLOEXEC), length;

	if (fd < 0)
		return fail(q, q->passphrase_file, strerror(errno));
	if (fstat(fd, &status) != 0 || (S_ISREG(status.st_mode) && status.st_mode & (S_IRWXG | S_IRWXO))) {
		close(fd);
		return fail(q, q->passphrase_file, "expected a file that its owner alone may read (chmod 600)");
	}
	length = read_line(fd, out, room);
	close(fd);
	return length > 0 ? length : fail(q, q->passphrase_file, "expected a line with the passphrase, found none");
}

/* The answer to a prompt, without an echo, off before the prompt is seen; signals wait until it is on again. */
static int read_quietly(int fd, const char *path, char *out, int room)
{
	struct termios before, quiet;
	sigset_t all, old;
	int length;

	if (tcgetattr(fd, &before) != 0)
		return -1;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		return -1;
	}
	dprintf(fd, "Passphrase of %s: ", path);
	length = read_line(fd, out, room);
	tcsetattr(fd, TCSAFLUSH, &before);
	dprintf(fd, "\n");
	sigprocmask(SIG_SETMASK, &old, NULL);
	return length;
}

static int from_terminal(struct question *q, char *out, int room)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), length;

	if (fd < 0)
		return fail(q, q->path, "is encrypted: expected its passphrase in a file (--passphrase-file, "
			    SECRETKEY_ENVIRONMENT ") or a terminal to ask for it, found neither");
	length = read_quietly(fd, q->path, out, room);
	close(fd);
	return length > 0 ? length : fail(q, q->path, "is encrypted: expected its passphrase, found none");
}

/* OpenSSL's pem_password_cb, which it calls again for another decoder when it fails. */
static int ask(char *out, int room, int writing, void *question)
{
	struct question *q = question;

	(void)writing;
	if (q->failed)
		return -1;
	return q->passphrase_file ? from_file(q, out, room) : from_terminal(q, out, room);
}

static bool decrypt(mbedtls_pk_context *key, struct question *q)
{
	BIO *file = BIO_new_file(q->path, "r");
	EVP_PKEY *secret = file ? PEM_read_bio_PrivateKey(file, NULL, ask, q) : NULL;
	unsigned char *der = NULL;
	int length = secret ? i2d_PrivateKey(secret, &der) : -1;
	bool good = length > 0 && mbedtls_pk_parse_key(key, der, (size_t)length, NULL, 0) == 0;

	if (!good && !q->failed)
		fail(q, q->path, secret ? "expected a key on P-384" : "the passphrase does not open this key");
	if (der)
		OPENSSL_clear_free(der, length > 0 ? (size_t)length : 0);
	EVP_PKEY_free(secret);
	BIO_free(file);
	ERR_clear_error();
	return good;
}

bool secretkey_read(mbedtls_pk_context *key, const char *path, const char *passphrase_file, char *why, size_t why_size)
{
	struct question q = { path, passphrase_file, why, why_size, false };
	int code = mbedtls_pk_parse_keyfile(key, path, NULL);
	char text[128] = "";

	if (code == 0)
		return true;
	if (code == MBEDTLS_ERR_PK_PASSWORD_REQUIRED) {
		if (!q.passphrase_file)
			q.passphrase_file = getenv(SECRETKEY_ENVIRONMENT);
		mbedtls_pk_free(key);
		mbedtls_pk_init(key);
		return decrypt(key, &q);
	}
	mbedtls_strerror(code, text, sizeof(text));
	snprintf(why, why_size, "%.300s: expected a private key in PEM: %s", path, text);
	return false;
}
