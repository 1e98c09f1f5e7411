/* SPDX-License-Identifier: Apache-2.0 */
#include "keyfile.h"

#include "../lib/secretkey.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/pk.h>

static const char wanted[] = "a private key on P-384, and its passphrase if it is encrypted";

static bool is_public(const char *path)
{
	mbedtls_pk_context pk;
	bool is;

	mbedtls_pk_init(&pk);
	is = mbedtls_pk_parse_public_keyfile(&pk, path) == 0;
	mbedtls_pk_free(&pk);
	return is;
}

/* Reasons begin with the file that they are about; the fault names the key already. */
static bool refuse(const char *path, const char *why, struct fault *f)
{
	static const char no_key[] = "expected a private key in PEM: ";
	const size_t n = strlen(path);

	if (is_public(path))
		return fault_set(f, FAULT_INPUT, path, "a private key", "a public one");
	if (strncmp(why, path, n) == 0 && why[n] == ':')
		why += n + 2;
	if (strncmp(why, no_key, strlen(no_key)) == 0)
		return fault_set_text(f, FAULT_INPUT, path, wanted, "none: %s", why + strlen(no_key));
	return fault_set(f, FAULT_INPUT, path, wanted, why);
}

bool keyfile_load(struct key *k, const char *path, const char *passphrase_file, struct fault *f)
{
	mbedtls_pk_context pk;
	char why[700];
	bool ok;

	if (access(path, R_OK) != 0)
		return fault_set(f, FAULT_INPUT, path, "a readable file", strerror(errno));
	mbedtls_pk_init(&pk);
	if (!secretkey_read(&pk, path, passphrase_file, why, sizeof(why)))
		ok = refuse(path, why, f);
	else if (mbedtls_pk_get_type(&pk) != MBEDTLS_PK_ECKEY ||
		 mbedtls_pk_ec(pk)->grp.id != MBEDTLS_ECP_DP_SECP384R1)
		ok = fault_set(f, FAULT_INPUT, path, "a key on P-384", "another kind of key");
	else
		ok = mbedtls_ecdsa_from_keypair(&k->ec, mbedtls_pk_ec(pk)) == 0 ||
		     fault_set(f, FAULT_INPUT, path, "a key that can be kept", "no memory");
	k->secret = ok;
	mbedtls_pk_free(&pk);
	return ok;
}
