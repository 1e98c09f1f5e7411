/* SPDX-License-Identifier: Apache-2.0 */
#include "form.h"

#include <string.h>

#define SERIAL_DIGITS 6u

static const struct { const char *name; size_t length; } kinds[FORM_KINDS] = {
	[FORM_STATUS] = { "STATUS", 6 }, [FORM_NOTICE] = { "NOTICE", 6 }, [FORM_ALERT] = { "ALERT", 5 },
};
_Static_assert(6 + 1 + SERIAL_DIGITS + 1 + FORM_TEXT_MAX + 1 <= FORM_MAX, "the longest line is not oversized");

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_solid(uint8_t c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z');
}

static bool is_separator(uint8_t c)
{
	return c == ' ' || c == '.' || c == ',' || c == '-';
}

/* Whether `c` may follow `before`: separators stand alone, or a space behind a comma or full stop. */
static bool may_follow(uint8_t before, uint8_t c)
{
	if (is_solid(c))
		return true;
	return is_separator(c) && (is_solid(before) || (c == ' ' && (before == ',' || before == '.')));
}

/* The kind that the bytes begin with, with its space; FORM_KINDS: none. */
static enum form_kind parse_kind(const uint8_t *bytes, size_t length)
{
	enum form_kind kind;

	for (kind = 0; kind < FORM_KINDS; kind++) {
		if (length > kinds[kind].length && memcmp(bytes, kinds[kind].name, kinds[kind].length) == 0 &&
		    bytes[kinds[kind].length] == ' ')
			break;
	}
	return kind;
}

static bool parse_text(const uint8_t *bytes, size_t length, struct form_line *out)
{
	if (length == 0 || length > FORM_TEXT_MAX || !is_solid(bytes[0]) || !is_solid(bytes[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (i != 0 && !may_follow(bytes[i - 1], bytes[i]))
			return false;
		out->text[i] = (char)bytes[i];
	}
	out->length = (uint32_t)length;
	return true;
}

bool form_parse(const uint8_t *bytes, size_t length, struct form_line *out)
{
	size_t at;

	memset(out, 0, sizeof(*out));
	if (length > FORM_MAX)
		return false;
	out->kind = parse_kind(bytes, length);
	if (out->kind == FORM_KINDS)
		return false;
	at = kinds[out->kind].length + 1;
	if (length < at + SERIAL_DIGITS + 2 || bytes[at + SERIAL_DIGITS] != ' ' || bytes[length - 1] != '\n')
		return false;
	for (size_t i = 0; i < SERIAL_DIGITS; i++) {
		if (!is_digit(bytes[at + i]))
			return false;
		out->serial = out->serial * 10 + (bytes[at + i] - '0');
	}
	at += SERIAL_DIGITS + 1;
	return parse_text(bytes + at, length - 1 - at, out);
}

enum form_verdict form_judge(struct form_state *state, const uint8_t *bytes, size_t length, uint64_t now,
			     struct form_line *out)
{
	if (length > FORM_MAX)
		return FORM_OVERSIZED;
	if (!form_parse(bytes, length, out))
		return FORM_MALFORMED;
	if (out->serial <= state->last_serial)
		return FORM_REPEATED;
	if (state->any && (now < state->last_ns || now - state->last_ns < FORM_INTERVAL_NS))
		return FORM_EARLY;
	*state = (struct form_state){ .last_serial = out->serial, .any = true, .last_ns = now };
	return FORM_PASS;
}

size_t form_write(const struct form_line *line, uint8_t out[FORM_MAX])
{
	size_t at = kinds[line->kind].length;
	uint32_t serial = line->serial;

	memcpy(out, kinds[line->kind].name, at);
	out[at++] = ' ';
	for (size_t i = SERIAL_DIGITS; i-- != 0; serial /= 10)
		out[at + i] = (uint8_t)('0' + serial % 10);
	at += SERIAL_DIGITS;
	out[at++] = ' ';
	memcpy(out + at, line->text, line->length);
	at += line->length;
	out[at++] = '\n';
	return at;
}
