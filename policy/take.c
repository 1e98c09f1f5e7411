/* SPDX-License-Identifier: Apache-2.0 */
/* Taking typed values out of nodes.  A missing or malformed one is reported where it is written. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct property *take(struct node *node, const char *name)
{
	node_asked(node, name);
	for (unsigned i = 0; i < node->property_count; i++)
		if (!strcmp(node->properties[i].name, name)) {
			node->properties[i].used = true;
			return &node->properties[i];
		}
	return NULL;
}

struct node *node_child(struct node *node, const char *name)
{
	node_asked(node, name);
	for (unsigned i = 0; i < node->child_count; i++)
		if (!strcmp(node->children[i]->name, name)) {
			node->children[i]->type = name;
			return node->children[i];
		}
	return NULL;
}

static struct property *take_kind(struct node *node, const char *name, bool required, enum kind kind, unsigned count,
				  struct report *report)
{
	static const char *const found[] = { [KIND_EMPTY] = "no value", [KIND_STRINGS] = "text",
					     [KIND_CELLS] = "numbers", [KIND_MIXED] = "a value of another form" };
	struct property *p = take(node, name);
	char expected[64];

	if (!p) {
		if (required)
			complain(report, node->where, "node \"%s\": expected property \"%s\", found none", node->name,
				 name);
		return NULL;
	}
	if (p->kind == kind && p->count && (!count || p->count == count))
		return p;
	if (count)
		snprintf(expected, sizeof(expected), "%u %s", count, kind == KIND_STRINGS ? "text" : "number");
	else
		snprintf(expected, sizeof(expected), "one or more %s", kind == KIND_STRINGS ? "texts" : "numbers");
	if (p->kind != kind)
		complain(report, value_place(p, 0), "%s: expected %s%s%s, found %s", name, expected,
			 count > 1 ? "s" : "", kind == KIND_STRINGS ? " in \"\"" : " in <>", found[p->kind]);
	else
		complain(report, value_place(p, count < p->count ? count : 0), "%s: expected %s%s, found %u", name,
			 expected, count > 1 ? "s" : "", p->count);
	return NULL;
}

bool take_flag(struct node *node, const char *name, struct report *report)
{
	struct property *p = take(node, name);

	if (p && p->kind != KIND_EMPTY)
		complain(report, value_place(p, 0), "%s: expected no value, since it is a flag", name);
	return p != NULL;
}

struct property *take_strings(struct node *node, const char *name, bool required, struct report *report)
{
	return take_kind(node, name, required, KIND_STRINGS, 0, report);
}

bool take_string(struct node *node, const char *name, bool required, const char **out, struct report *report)
{
	struct property *p = take_kind(node, name, required, KIND_STRINGS, 1, report);

	if (p)
		*out = p->strings[0];
	return p != NULL;
}

bool take_choice(struct node *node, const char *name, bool required, const char *const *words, unsigned *out,
		 struct report *report)
{
	char list[256] = "", hint[NEAREST_TEXT];
	struct nearest nearest;
	const char *text;
	size_t at = 0;

	if (!take_string(node, name, required, &text, report))
		return false;
	nearest_begin(&nearest, text);
	for (unsigned i = 0; words[i]; i++) {
		if (!strcmp(words[i], text)) {
			*out = i;
			return true;
		}
		nearest_try(&nearest, words[i]);
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s\"%s\"",
				       !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	complain(report, where_of(node, name), "%s: expected %s, found \"%s\"%s", name, list, text,
		 nearest_text(&nearest, hint));
	return false;
}

bool take_name(struct node *node, const char *name, bool required, char out[LZR_NAME_MAX], struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return false;
	if (!lzr_name_text_is_valid(text)) {
		complain(report, where_of(node, name), "%s: expected a name of %s, found \"%s\"", name,
			 LZR_NAME_RULE, text);
		return false;
	}
	memset(out, 0, LZR_NAME_MAX);
	memcpy(out, text, strlen(text));
	return true;
}

static const struct scale {
	enum unit unit;
	const char *text;
	uint64_t factor;
} scales[] = {
	{ UNIT_BYTES, "K", 1 << 10 }, { UNIT_BYTES, "M", 1 << 20 }, { UNIT_BYTES, "G", 1 << 30 },
	{ UNIT_TIME, "us", 1000 }, { UNIT_TIME, "ms", 1000000 }, { UNIT_TIME, "s", 1000000000 },
	{ UNIT_TIME, "min", 60000000000 }, { UNIT_TIME, "h", 3600000000000 },
	{ UNIT_RATE, "kbit", 1000 }, { UNIT_RATE, "Mbit", 1000000 }, { UNIT_RATE, "Gbit", 1000000000 },
};

static const char *const unit_examples[] = {
	[UNIT_COUNT] = "a number in <>", [UNIT_BYTES] = "a size such as \"64M\" (K M G) or <bytes>",
	[UNIT_TIME] = "a time such as \"300s\" (us ms s min h) or <nanoseconds>",
	[UNIT_RATE] = "a rate such as \"10Mbit\" (kbit Mbit Gbit, per second) or <bits>",
};

/* "192M", "20ms", "300s": a number with a unit of the right kind. */
static bool parse_scaled(const char *text, enum unit unit, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9' || unit == UNIT_COUNT)
		return false;
	unsigned long long value = strtoull(text, &end, 10);
	for (unsigned i = 0; i < COUNT(scales); i++)
		if (scales[i].unit == unit && !strcmp(end, scales[i].text)) {
			if (value > UINT64_MAX / scales[i].factor)
				return false;
			*out = value * scales[i].factor;
			return true;
		}
	return false;
}

/* A number as its author would write it. */
static const char *number_text(uint64_t value, enum unit unit, char *out, size_t size)
{
	const struct scale *best = NULL;

	for (unsigned i = 0; i < COUNT(scales); i++)
		if (scales[i].unit == unit && value && value % scales[i].factor == 0)
			best = &scales[i];
	snprintf(out, size, "%llu%s", (unsigned long long)(best ? value / best->factor : value),
		 best ? best->text : "");
	return out;
}

bool take_number(struct node *node, const char *name, bool required, enum unit unit, uint64_t min, uint64_t max,
		 uint64_t *out, struct report *report)
{
	struct property *p = take(node, name);
	char low[32], high[32], found[32];
	uint64_t value = 0;

	if (!p) {
		if (required)
			complain(report, node->where, "node \"%s\": expected property \"%s\", found none", node->name,
				 name);
		return false;
	}
	if (p->kind == KIND_CELLS && p->count == 1) {
		value = p->cells[0];
	} else if (p->kind != KIND_STRINGS || p->count != 1 || !parse_scaled(p->strings[0], unit, &value)) {
		bool text = p->kind == KIND_STRINGS;
		complain(report, value_place(p, 0), "%s: expected %s, found %s%s%s", name, unit_examples[unit],
			 text ? "\"" : "", text ? p->strings[0] : p->kind == KIND_EMPTY ? "no value" : "something else",
			 text ? "\"" : "");
		return false;
	}
	if (value >= min && value <= max) {
		*out = value;
		return true;
	}
	complain(report, value_place(p, 0), "%s: expected %s to %s, found %s", name,
		 number_text(min, unit, low, sizeof(low)), number_text(max, unit, high, sizeof(high)),
		 number_text(value, unit, found, sizeof(found)));
	return false;
}

bool take_u32(struct node *node, const char *name, bool required, uint32_t min, uint32_t max, uint32_t *out,
	      struct report *report)
{
	uint64_t value;

	if (!take_number(node, name, required, UNIT_COUNT, min, max, &value, report))
		return false;
	*out = (uint32_t)value;
	return true;
}

bool take_cells(struct node *node, const char *name, bool required, unsigned count, uint32_t *out,
		struct report *report)
{
	struct property *p = take_kind(node, name, required, KIND_CELLS, count, report);

	if (p)
		memcpy(out, p->cells, count * sizeof(*out));
	return p != NULL;
}

static bool parse_bytes(const char *text, char separator, int base, unsigned count, uint8_t *out)
{
	for (unsigned i = 0; i < count; i++) {
		char *end;
		if (!*text || !strchr("0123456789abcdefABCDEF", *text))
			return false;
		unsigned long value = strtoul(text, &end, base);
		if (end == text || end - text > 3 || value > 255 || *end != (i + 1 < count ? separator : 0))
			return false;
		out[i] = (uint8_t)value;
		text = end + 1;
	}
	return true;
}

bool parse_ipv4(const char *text, uint8_t out[4])
{
	return parse_bytes(text, '.', 10, 4, out);
}

bool take_ipv4(struct node *node, const char *name, bool required, uint8_t out[4], struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return false;
	if (parse_ipv4(text, out))
		return true;
	complain(report, where_of(node, name), "%s: expected an IPv4 address such as \"10.0.1.1\", found \"%s\"", name,
		 text);
	return false;
}

bool take_host(struct node *node, const char *name, bool required, uint8_t out[4], struct report *report)
{
	if (!take_ipv4(node, name, required, out, report))
		return false;
	if (out[0] != 0 && out[0] != 127 && out[0] < 224)
		return true;
	complain(report, where_of(node, name), "%s: expected the address of one machine, found \"%u.%u.%u.%u\"", name,
		 out[0], out[1], out[2], out[3]);
	return false;
}

bool take_mac(struct node *node, const char *name, bool required, uint8_t out[6], struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return false;
	if (strlen(text) == 17 && parse_bytes(text, ':', 16, 6, out) && !(out[0] & 1) &&
	    memcmp(out, (const uint8_t[6]){ 0 }, 6))
		return true;
	complain(report, where_of(node, name),
		 "%s: expected a unicast MAC address such as \"02:4c:5a:00:00:01\", found \"%s\"", name, text);
	return false;
}

bool take_digest(struct node *node, const char *name, bool required, uint8_t out[LZR_DIGEST_SIZE],
		 struct report *report)
{
	const char *text;
	unsigned value;

	if (!take_string(node, name, required, &text, report))
		return false;
	size_t length = strlen(text);
	if (length == 2 * LZR_DIGEST_SIZE && strspn(text, "0123456789abcdef") == length) {
		for (unsigned i = 0; i < LZR_DIGEST_SIZE; i++)
			out[i] = sscanf(text + 2 * i, "%2x", &value) == 1 ? (uint8_t)value : 0;
		return true;
	}
	complain(report, where_of(node, name),
		 "%s: expected a SHA-384 digest of %u small hexadecimal digits, found \"%.16s%s\" (%zu characters)",
		 name, 2 * LZR_DIGEST_SIZE, text, length > 16 ? ".." : "", length);
	return false;
}
