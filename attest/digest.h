/* SPDX-License-Identifier: Apache-2.0 */
/* Byte spans, SHA-2, hexadecimal text and random bytes. */
#ifndef ATTEST_DIGEST_H
#define ATTEST_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA384_SIZE 48u
#define SHA256_SIZE 32u

struct bytes {          /* borrowed, never owned */
	const uint8_t *data;
	size_t length;
};

/* SHA-384 of the concatenation of `count` parts. */
void sha384_parts(uint8_t out[SHA384_SIZE], const struct bytes *parts, size_t count);
void sha384(uint8_t out[SHA384_SIZE], const void *data, size_t length);
void sha256(uint8_t out[SHA256_SIZE], const void *data, size_t length);

/* `out` holds 2 * length + 1 characters. */
void hex_encode(char *out, const uint8_t *data, size_t length);
/* Decodes exactly `length` bytes from exactly 2 * length lower or upper case digits. */
bool hex_decode(uint8_t *out, size_t length, const char *text);

bool bytes_all(const uint8_t *data, size_t length, uint8_t value);
bool bytes_equal(struct bytes a, struct bytes b);

/* Fills from the kernel's generator; ends the program if that is impossible. */
void random_fill(void *out, size_t length);
/* The same with mbedTLS's signature. */
int random_mbedtls(void *context, unsigned char *out, size_t length);

#endif
