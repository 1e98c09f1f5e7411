/* SPDX-License-Identifier: Apache-2.0 */
#include "dcbor.h"

#include <string.h>

#include <cbor.h>

enum item_kind { ITEM_OTHER, ITEM_UINT, ITEM_NEGATIVE, ITEM_BYTES, ITEM_TEXT, ITEM_ARRAY, ITEM_MAP, ITEM_BOOL };

struct item {
	enum item_kind kind;
	uint64_t value;         /* number, count; of ITEM_NEGATIVE: -1 - value is meant */
	const uint8_t *data;
};

#define HEAD_MAX 9u

static void take_head(struct dcbor_writer *w, const uint8_t *head, size_t length)
{
	dcbor_put_raw(w, head, length);
}

void dcbor_put_raw(struct dcbor_writer *w, const void *data, size_t length)
{
	if (w->overflow || length > w->size - w->used) {
		w->overflow = true;
		return;
	}
	if (length)
		memcpy(w->data + w->used, data, length);
	w->used += length;
}

void dcbor_put_uint(struct dcbor_writer *w, uint64_t value)
{
	uint8_t head[HEAD_MAX];

	take_head(w, head, cbor_encode_uint(value, head, sizeof(head)));
}

void dcbor_put_int(struct dcbor_writer *w, int64_t value)
{
	uint8_t head[HEAD_MAX];

	if (value >= 0)
		dcbor_put_uint(w, (uint64_t)value);
	else
		take_head(w, head, cbor_encode_negint((uint64_t)(-1 - value), head, sizeof(head)));
}

void dcbor_put_bool(struct dcbor_writer *w, bool value)
{
	uint8_t head[HEAD_MAX];

	take_head(w, head, cbor_encode_bool(value, head, sizeof(head)));
}

void dcbor_put_bytes(struct dcbor_writer *w, const void *data, size_t length)
{
	uint8_t head[HEAD_MAX];

	take_head(w, head, cbor_encode_bytestring_start(length, head, sizeof(head)));
	dcbor_put_raw(w, data, length);
}

void dcbor_put_text(struct dcbor_writer *w, const char *text)
{
	uint8_t head[HEAD_MAX];

	take_head(w, head, cbor_encode_string_start(strlen(text), head, sizeof(head)));
	dcbor_put_raw(w, text, strlen(text));
}

void dcbor_put_array(struct dcbor_writer *w, size_t count)
{
	uint8_t head[HEAD_MAX];

	take_head(w, head, cbor_encode_array_start(count, head, sizeof(head)));
}

void dcbor_put_map(struct dcbor_writer *w, size_t count)
{
	uint8_t head[HEAD_MAX];

	take_head(w, head, cbor_encode_map_start(count, head, sizeof(head)));
}

void dcbor_put_tag(struct dcbor_writer *w, uint64_t tag)
{
	uint8_t head[HEAD_MAX];

	take_head(w, head, cbor_encode_tag(tag, head, sizeof(head)));
}

/* libcbor's callbacks: each notes what it was given. */
static void note(void *context, enum item_kind kind, uint64_t value, const uint8_t *data)
{
	*(struct item *)context = (struct item){ kind, value, data };
}

static void on_u8(void *c, uint8_t v) { note(c, ITEM_UINT, v, NULL); }
static void on_u16(void *c, uint16_t v) { note(c, ITEM_UINT, v, NULL); }
static void on_u32(void *c, uint32_t v) { note(c, ITEM_UINT, v, NULL); }
static void on_u64(void *c, uint64_t v) { note(c, ITEM_UINT, v, NULL); }
static void on_n8(void *c, uint8_t v) { note(c, ITEM_NEGATIVE, v, NULL); }
static void on_n16(void *c, uint16_t v) { note(c, ITEM_NEGATIVE, v, NULL); }
static void on_n32(void *c, uint32_t v) { note(c, ITEM_NEGATIVE, v, NULL); }
static void on_n64(void *c, uint64_t v) { note(c, ITEM_NEGATIVE, v, NULL); }
static void on_bytes(void *c, cbor_data d, size_t n) { note(c, ITEM_BYTES, n, d); }
static void on_text(void *c, cbor_data d, size_t n) { note(c, ITEM_TEXT, n, d); }
static void on_array(void *c, size_t n) { note(c, ITEM_ARRAY, n, NULL); }
static void on_map(void *c, size_t n) { note(c, ITEM_MAP, n, NULL); }
static void on_bool(void *c, bool v) { note(c, ITEM_BOOL, v, NULL); }

/* Encodes the head that `item` has in deterministic CBOR; 0 for an item that no format of ours uses. */
static size_t canonical_head(const struct item *item, uint8_t head[HEAD_MAX])
{
	switch (item->kind) {
	case ITEM_UINT:
		return cbor_encode_uint(item->value, head, HEAD_MAX);
	case ITEM_NEGATIVE:
		return cbor_encode_negint(item->value, head, HEAD_MAX);
	case ITEM_BYTES:
		return cbor_encode_bytestring_start(item->value, head, HEAD_MAX);
	case ITEM_TEXT:
		return cbor_encode_string_start(item->value, head, HEAD_MAX);
	case ITEM_ARRAY:
		return cbor_encode_array_start(item->value, head, HEAD_MAX);
	case ITEM_MAP:
		return cbor_encode_map_start(item->value, head, HEAD_MAX);
	case ITEM_BOOL:
		return cbor_encode_bool(item->value, head, HEAD_MAX);
	case ITEM_OTHER:
		break;
	}
	return 0;
}

/* The next item without consuming it; its size in `*size`.  False if there is none in deterministic form. */
static bool peek(const struct dcbor_reader *r, struct item *item, size_t *size)
{
	struct cbor_callbacks callbacks = cbor_empty_callbacks;
	struct cbor_decoder_result result;
	uint8_t head[HEAD_MAX];
	size_t head_size;

	callbacks.uint8 = on_u8;
	callbacks.uint16 = on_u16;
	callbacks.uint32 = on_u32;
	callbacks.uint64 = on_u64;
	callbacks.negint8 = on_n8;
	callbacks.negint16 = on_n16;
	callbacks.negint32 = on_n32;
	callbacks.negint64 = on_n64;
	callbacks.byte_string = on_bytes;
	callbacks.string = on_text;
	callbacks.array_start = on_array;
	callbacks.map_start = on_map;
	callbacks.boolean = on_bool;
	*item = (struct item){ ITEM_OTHER, 0, NULL };
	if (r->bad || r->left == 0)
		return false;
	result = cbor_stream_decode(r->data, r->left, &callbacks, item);
	if (result.status != CBOR_DECODER_FINISHED)
		return false;
	head_size = canonical_head(item, head);
	if (head_size == 0 || head_size > r->left || memcmp(head, r->data, head_size) != 0)
		return false;
	*size = result.read;
	return true;
}

/* Consumes the next item, which must be of `kind` with min <= value <= max. */
static struct item next(struct dcbor_reader *r, enum item_kind kind, uint64_t min, uint64_t max)
{
	struct item item;
	size_t size;

	if (!peek(r, &item, &size) || item.kind != kind || item.value < min || item.value > max) {
		r->bad = true;
		return (struct item){ ITEM_OTHER, 0, NULL };
	}
	r->data += size;
	r->left -= size;
	return item;
}

uint64_t dcbor_get_uint(struct dcbor_reader *r, uint64_t max)
{
	return next(r, ITEM_UINT, 0, max).value;
}

int64_t dcbor_get_int(struct dcbor_reader *r)
{
	struct item item;
	size_t size;

	if (!peek(r, &item, &size) || (item.kind != ITEM_UINT && item.kind != ITEM_NEGATIVE) ||
	    item.value > INT64_MAX) {
		r->bad = true;
		return 0;
	}
	r->data += size;
	r->left -= size;
	return item.kind == ITEM_UINT ? (int64_t)item.value : -1 - (int64_t)item.value;
}

bool dcbor_get_bool(struct dcbor_reader *r)
{
	return next(r, ITEM_BOOL, 0, 1).value != 0;
}

struct bytes dcbor_get_bytes(struct dcbor_reader *r, size_t min, size_t max)
{
	struct item item = next(r, ITEM_BYTES, min, max);

	return (struct bytes){ item.data, item.value };
}

void dcbor_get_fixed(struct dcbor_reader *r, void *out, size_t length)
{
	struct bytes b = dcbor_get_bytes(r, length, length);

	if (r->bad)
		memset(out, 0, length);
	else
		memcpy(out, b.data, length);
}

void dcbor_get_text(struct dcbor_reader *r, char *out, size_t size)
{
	struct item item = next(r, ITEM_TEXT, 1, size - 1);

	memset(out, 0, size);
	if (r->bad)
		return;
	memcpy(out, item.data, item.value);
	for (size_t i = 0; i < item.value; i++)
		if (out[i] < 0x20 || out[i] > 0x7e || out[i] == '"' || out[i] == '\\')
			r->bad = true;
}

size_t dcbor_get_array(struct dcbor_reader *r, size_t min, size_t max)
{
	return next(r, ITEM_ARRAY, min, max).value;
}

size_t dcbor_get_map(struct dcbor_reader *r, size_t min, size_t max)
{
	return next(r, ITEM_MAP, min, max).value;
}

/* libcbor's decoder refuses the tags 6 to 20, COSE's among them: the one wanted is compared as bytes. */
void dcbor_get_tag(struct dcbor_reader *r, uint64_t tag)
{
	uint8_t head[HEAD_MAX];
	size_t size = cbor_encode_tag(tag, head, sizeof(head));

	if (r->bad || size > r->left || memcmp(r->data, head, size) != 0) {
		r->bad = true;
		return;
	}
	r->data += size;
	r->left -= size;
}

void dcbor_get_key(struct dcbor_reader *r, int64_t key)
{
	if (dcbor_get_int(r) != key)
		r->bad = true;
}

bool dcbor_get_key_if(struct dcbor_reader *r, int64_t key)
{
	struct dcbor_reader ahead = *r;

	if (r->bad || dcbor_get_int(&ahead) != key || ahead.bad)
		return false;
	*r = ahead;
	return true;
}

bool dcbor_end(const struct dcbor_reader *r)
{
	return !r->bad && r->left == 0;
}
