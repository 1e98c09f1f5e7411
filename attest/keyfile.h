/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's private key out of a file.  Not for the attestor, which reads none and links no OpenSSL. */
#ifndef ATTEST_KEYFILE_H
#define ATTEST_KEYFILE_H

#include "key.h"

/*
 * A private key on P-384, PEM or DER.  The passphrase of an encrypted one is the first line of `passphrase_file`; NULL:
 * it is looked for as lib/secretkey.h says.
 */
bool keyfile_load(struct key *k, const char *path, const char *passphrase_file, struct fault *f);

#endif
