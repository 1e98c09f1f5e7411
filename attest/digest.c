/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

void sha384_parts(uint8_t out[SHA384_SIZE], const struct bytes *parts, size_t count)
{
	mbedtls_sha512_context c;
	uint8_t full[64];

	mbedtls_sha512_init(&c);
	mbedtls_sha512_starts_ret(&c, 1);
	for (size_t i = 0; i < count; i++)
		if (parts[i].length)
			mbedtls_sha512_update_ret(&c, parts[i].data, parts[i].length);
	mbedtls_sha512_finish_ret(&c, full);
	mbedtls_sha512_free(&c);
	memcpy(out, full, SHA384_SIZE);
}

void sha384(uint8_t out[SHA384_SIZE], const void *data, size_t length)
{
	sha384_parts(out, &(struct bytes){ data, length }, 1);
}

void sha256(uint8_t out[SHA256_SIZE], const void *data, size_t length)
{
	static const uint8_t nothing[1];

	mbedtls_sha256_ret(length ? data : nothing, length, out, 0);
}

void hex_encode(char *out, const uint8_t *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * length] = 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(uint8_t *out, size_t length, const char *text)
{
	for (size_t i = 0; i < length; i++) {
		int hi = digit(text[2 * i]);
		int lo = hi < 0 ? -1 : digit(text[2 * i + 1]);

		if (lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return text[2 * length] == 0;
}

bool bytes_all(const uint8_t *data, size_t length, uint8_t value)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] != value)
			return false;
	return true;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

void random_fill(void *out, size_t length)
{
	uint8_t *p = out;

	while (length) {
		ssize_t n = getrandom(p, length, 0);

		if (n <= 0) {
			fputs("the kernel gives no random bytes\n", stderr);
			abort();
		}
		p += n;
		length -= (size_t)n;
	}
}

int random_mbedtls(void *context, unsigned char *out, size_t length)
{
	(void)context;
	random_fill(out, length);
	return 0;
}
