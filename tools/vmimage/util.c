/* SPDX-License-Identifier: Apache-2.0 */
/* Files, digests, little-endian access and the one place that records an error. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/sha512.h>

#include "vmimage.h"

static char message[512];

void refuse_record(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
}

const char *refuse_text(void)
{
	return message;
}

bool blob_alloc(struct blob *blob, size_t size)
{
	blob->data = calloc(1, size ? size : 1);
	blob->size = blob->data ? size : 0;
	return blob->data ? true : refuse("out of memory for %zu bytes", size);
}

void blob_free(struct blob *blob)
{
	free(blob->data);
	*blob = (struct blob){ 0 };
}

bool file_read(const char *path, size_t limit, struct blob *out)
{
	struct stat status;
	FILE *file = fopen(path, "rb");

	*out = (struct blob){ 0 };
	if (!file)
		return refuse("%s: cannot open: %s", path, strerror(errno));
	if (fstat(fileno(file), &status) || !S_ISREG(status.st_mode)) {
		fclose(file);
		return refuse("%s: expected a regular file", path);
	}
	if ((uint64_t)status.st_size > limit) {
		fclose(file);
		return refuse("%s: expected at most %zu bytes, found %lld", path, limit, (long long)status.st_size);
	}
	if (!blob_alloc(out, (size_t)status.st_size)) {
		fclose(file);
		return false;
	}
	size_t got = fread(out->data, 1, out->size, file);
	fclose(file);
	if (got != out->size) {
		size_t expected = out->size;
		blob_free(out);
		return refuse("%s: expected %zu bytes, read %zu", path, expected, got);
	}
	return true;
}

/* Through a temporary name, so that nobody sees half a file. */
bool file_write(const char *dir, const char *name, const struct blob *blob)
{
	char path[4096], temporary[4200];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return refuse("%s: path too long", dir);
	snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid());
	FILE *file = fopen(temporary, "wb");
	if (!file)
		return refuse("%s: cannot create: %s", temporary, strerror(errno));
	bool good = fwrite(blob->data, 1, blob->size, file) == blob->size;
	if (fclose(file) != 0)
		good = false;
	if (!good || rename(temporary, path) != 0) {
		unlink(temporary);
		return refuse("%s: cannot write: %s", path, strerror(errno));
	}
	return true;
}

bool sha384(const void *data, size_t size, uint8_t digest[LZR_DIGEST_SIZE])
{
	uint8_t full[64];

	if (mbedtls_sha512_ret(data, size, full, 1) != 0)
		return refuse("SHA-384 failed");
	memcpy(digest, full, LZR_DIGEST_SIZE);
	return true;
}

void hex(const uint8_t *bytes, size_t count, char *out)
{
	for (size_t i = 0; i < count; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
	out[2 * count] = 0;
}

void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)value);
	put16(at + 2, (uint16_t)(value >> 16));
}

void put64(uint8_t *at, uint64_t value)
{
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t get32(const uint8_t *at)
{
	return get16(at) | (uint32_t)get16(at + 2) << 16;
}

uint64_t get64(const uint8_t *at)
{
	return get32(at) | (uint64_t)get32(at + 4) << 32;
}
