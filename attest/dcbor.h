/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deterministic CBOR (RFC 8949, section 4.2.1) on top of libcbor's streaming decoder and encoder: no allocation,
 * definite lengths only, shortest heads only, no floats, no simple values but booleans.  Maps are read by their keys in
 * the one order a format defines, so a duplicate, an unknown key or another order never fits.
 *
 * Both sides have a sticky error: do everything, then ask once.
 */
#ifndef ATTEST_DCBOR_H
#define ATTEST_DCBOR_H

#include "digest.h"

struct dcbor_writer {
	uint8_t *data;
	size_t size;
	size_t used;
	bool overflow;
};

void dcbor_put_uint(struct dcbor_writer *w, uint64_t value);
void dcbor_put_int(struct dcbor_writer *w, int64_t value);
void dcbor_put_bool(struct dcbor_writer *w, bool value);
void dcbor_put_bytes(struct dcbor_writer *w, const void *data, size_t length);
void dcbor_put_text(struct dcbor_writer *w, const char *text);
void dcbor_put_array(struct dcbor_writer *w, size_t count);
void dcbor_put_map(struct dcbor_writer *w, size_t count);
void dcbor_put_tag(struct dcbor_writer *w, uint64_t tag);
/* Bytes that are CBOR already. */
void dcbor_put_raw(struct dcbor_writer *w, const void *data, size_t length);

struct dcbor_reader {
	const uint8_t *data;
	size_t left;
	bool bad;
};

/* Each returns zero or an empty span once the reader is bad, and makes it bad when the next item is not as asked. */
uint64_t dcbor_get_uint(struct dcbor_reader *r, uint64_t max);
int64_t dcbor_get_int(struct dcbor_reader *r);
bool dcbor_get_bool(struct dcbor_reader *r);
struct bytes dcbor_get_bytes(struct dcbor_reader *r, size_t min, size_t max);
void dcbor_get_fixed(struct dcbor_reader *r, void *out, size_t length);
/* Printable ASCII without quotes and backslash, 1..size-1 characters, into `out`, the rest of which is zeroed. */
void dcbor_get_text(struct dcbor_reader *r, char *out, size_t size);
size_t dcbor_get_array(struct dcbor_reader *r, size_t min, size_t max);
size_t dcbor_get_map(struct dcbor_reader *r, size_t min, size_t max);
void dcbor_get_tag(struct dcbor_reader *r, uint64_t tag);
void dcbor_get_key(struct dcbor_reader *r, int64_t key);
/* True, and the key consumed, if the next item is this key. */
bool dcbor_get_key_if(struct dcbor_reader *r, int64_t key);
/* Good so far and nothing left. */
bool dcbor_end(const struct dcbor_reader *r);

#endif
