/* SPDX-License-Identifier: Apache-2.0 */
/* A secret key out of a file, with its passphrase if it has one.  For programs on a host. */
#ifndef LIB_SECRETKEY_H
#define LIB_SECRETKEY_H

#include <stdbool.h>
#include <stddef.h>

#include <mbedtls/pk.h>

/* Names the file whose first line is the passphrase, when a program is told of none. */
#define SECRETKEY_ENVIRONMENT "LZR_PASSPHRASE_FILE"

/*
 * Reads the secret key of a PEM or DER file into *key, which mbedtls_pk_init has made.  If it is encrypted, the
 * passphrase is the first line of `passphrase_file`; NULL: of the file that LZR_PASSPHRASE_FILE names; without that
 * it is asked for on the terminal, without an echo.  False, and why in words, when that fails.
 */
bool secretkey_read(mbedtls_pk_context *key, const char *path, const char *passphrase_file, char *why, size_t why_size);

#endif
