/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only cryptography of the dataplane: ECDSA P-384 with SHA-384, and the generator of the port nonces (HMAC-DRBG
 * with SHA-384).  One set of verifier keys and one generator per program.  crypto.c does it with mbedTLS, which takes
 * its scratch memory from calloc and gives it back before it returns.
 */
#ifndef NETFILTER_CRYPTO_H
#define NETFILTER_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lazaret/switch.h>

#define CRYPTO_SEED_SIZE 32

/*
 * Pins the verifiers' public points, 1 to LZR_SWITCH_VERIFIER_MAX, and seeds the generator; false when a point is not
 * on the curve.
 */
bool crypto_init(const uint8_t seed[CRYPTO_SEED_SIZE], const struct lzr_switch_key *keys, unsigned count);
/* True when `signature` (r || s, big-endian) is that of a pinned key of `keys` (bit n) over `message`. */
bool crypto_verify(const uint8_t *message, size_t length, const uint8_t signature[96], unsigned keys);
/* Fills `out` with `length` (at most 1024) bytes; false when the generator fails, `out` is then zero. */
bool crypto_random(uint8_t *out, size_t length);

#endif
