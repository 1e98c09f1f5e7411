/* SPDX-License-Identifier: Apache-2.0 */
/* Taking typed values out of nodes.  A missing or malformed one is reported at its own line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

struct property *take(struct node *node, const char *name)
{
	for (unsigned i = 0; i < node->property_count; i++)
		if (!strcmp(node->properties[i].name, name)) {
			node->properties[i].used = true;
			return &node->properties[i];
		}
	return NULL;
}

struct node *node_child(struct node *node, const char *name)
{
	for (unsigned i = 0; i < node->child_count; i++)
		if (!strcmp(node->children[i]->name, name)) {
			node->children[i]->used = true;
			return node->children[i];
		}
	return NULL;
}

const char *where_of(struct node *node, const char *property)
{
	for (unsigned i = 0; property && i < node->property_count; i++)
		if (!strcmp(node->properties[i].name, property))
			return node->properties[i].where;
	return node->where;
}

bool name_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < LZR_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == length;
}

static struct property *take_kind(struct node *node, const char *name, bool required, enum kind kind, unsigned count,
				  struct report *report)
{
	struct property *p = take(node, name);

	if (!p) {
		if (required)
			complain(report, node->where, "node \"%s\": expected property \"%s\", found none", node->name,
				 name);
		return NULL;
	}
	if (p->kind != kind || (count && p->count != count)) {
		complain(report, p->where, "%s: expected %u %s, found %s", name, count ? count : 1,
			 kind == KIND_STRINGS ? "string(s)" : "number(s) in <>",
			 p->kind == KIND_EMPTY ? "no value"
			 : p->kind == KIND_MIXED ? "a value of another form"
			 : p->kind != kind	 ? p->kind == KIND_STRINGS ? "text" : "numbers"
						 : "another count");
		return NULL;
	}
	return p;
}

bool take_flag(struct node *node, const char *name, struct report *report)
{
	struct property *p = take(node, name);

	if (p && p->kind != KIND_EMPTY)
		complain(report, p->where, "%s: expected no value (it is a flag)", name);
	return p != NULL;
}

bool take_string(struct node *node, const char *name, bool required, const char **out, struct report *report)
{
	struct property *p = take_kind(node, name, required, KIND_STRINGS, 1, report);

	if (p)
		*out = p->strings[0];
	return p != NULL;
}

bool take_name(struct node *node, const char *name, bool required, char out[LZR_NAME_MAX], struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return false;
	if (!name_valid(text)) {
		complain(report, where_of(node, name),
			 "%s: expected a name of 1 to %d letters, digits, - _ . , found \"%s\"", name, LZR_NAME_MAX - 1,
			 text);
		return false;
	}
	memset(out, 0, LZR_NAME_MAX);
	memcpy(out, text, strlen(text));
	return true;
}

/* "192M", "20ms", "300s": a number with the unit that the property's meaning has. */
static bool parse_scaled(const char *text, uint64_t *out)
{
	static const struct { const char *unit; uint64_t factor; } units[] = {
		{ "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
		{ "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "min", 60000000000 }, { "h", 3600000000000 },
	};
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	unsigned long long value = strtoull(text, &end, 10);
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].unit)) {
			if (value > UINT64_MAX / units[i].factor)
				return false;
			*out = value * units[i].factor;
			return true;
		}
	return false;
}

bool take_number(struct node *node, const char *name, bool required, uint64_t max, uint64_t *out, struct report *report)
{
	struct property *p = take(node, name);
	uint64_t value;

	if (!p || p->kind != KIND_STRINGS || p->count != 1) {
		p = take_kind(node, name, required, KIND_CELLS, 1, report);
		if (!p)
			return false;
		value = p->cells[0];
	} else if (!parse_scaled(p->strings[0], &value)) {
		complain(report, p->where, "%s: expected a number with a unit (K M G, us ms s min h), found \"%s\"",
			 name, p->strings[0]);
		return false;
	}
	if (value > max) {
		complain(report, p->where, "%s: expected at most %llu, found %llu", name, (unsigned long long)max,
			 (unsigned long long)value);
		return false;
	}
	*out = value;
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
		unsigned long value = strtoul(text, &end, base);
		if (end == text || end - text > 3 || value > 255 || *end != (i + 1 < count ? separator : 0) ||
		    !strchr("0123456789abcdefABCDEF", *text))
			return false;
		out[i] = (uint8_t)value;
		text = end + 1;
	}
	return true;
}

bool take_ipv4(struct node *node, const char *name, bool required, uint8_t out[4], struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return false;
	if (parse_bytes(text, '.', 10, 4, out))
		return true;
	complain(report, where_of(node, name), "%s: expected an IPv4 address, found \"%s\"", name, text);
	return false;
}

bool take_mac(struct node *node, const char *name, bool required, uint8_t out[6], struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return false;
	if (strlen(text) == 17 && parse_bytes(text, ':', 16, 6, out) && !(out[0] & 1))
		return true;
	complain(report, where_of(node, name),
		 "%s: expected a unicast MAC address such as 02:4c:5a:00:00:01, found \"%s\"", name, text);
	return false;
}
