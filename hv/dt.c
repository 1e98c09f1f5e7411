/* SPDX-License-Identifier: Apache-2.0 */
#include <libfdt.h>
#include <stdarg.h>
#include <string.h>

#include "dt.h"
#include "fdt_whole.h"
#include "handoff.h"
#include "plat.h"

uint32_t dt_cell(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool dt_refuse(const struct dt *dt, int node, const char *property, const char *format, ...)
{
	char path[96], text[160];
	va_list args;

	if (node < 0 || fdt_get_path(dt->fdt, node, path, sizeof(path)) < 0)
		memcpy(path, "header", sizeof("header"));
	va_start(args, format);
	print_format(text, sizeof(text), format, args);
	va_end(args);
	say("refused: %s%s%s: %s%s%s: %s", dt->file, *dt->name ? " " : "", dt->name, path, property ? " " : "",
		property ? property : "", text);
	return false;
}

bool dt_open(struct dt *dt, const char *file, const char *name, void *fdt, uint64_t length)
{
	*dt = (struct dt){ .file = file, .name = name, .fdt = fdt };
	int wrong = fdt_whole(fdt, length);

	return !wrong || dt_refuse(dt, -1, NULL, "expected a flattened device tree of %lu bytes, found %s", length,
				   fdt_strerror(wrong));
}

static bool check_size(const struct dt *dt, int node, const struct dt_field *field, const uint8_t *data,
		       uint32_t length)
{
	uint32_t expected;

	switch (field->type) {
	case DT_U32: expected = 4; break;
	case DT_U64: expected = 8; break;
	case DT_LABEL: expected = 12; break;
	case DT_FLAG: expected = 0; break;
	case DT_CELLS: expected = 4 * field->size; break;
	case DT_BYTES: expected = field->size; break;
	case DT_BLOB:
		if (length <= field->size)
			return true;
		return dt_refuse(dt, node, field->name, "expected at most %u bytes, found %u", field->size, length);
	default:
		if (length && !data[length - 1])
			return true;
		return dt_refuse(dt, node, field->name, "expected text with its terminating zero");
	}
	if (length == expected)
		return true;
	return dt_refuse(dt, node, field->name, "expected %u bytes, found %u", expected, length);
}

static bool take_label(const struct dt *dt, int node, const struct dt_field *field, const uint8_t *data, void *out)
{
	uint32_t level = dt_cell(data);
	struct lzr_label *label = out;

	if (level > UINT8_MAX)
		return dt_refuse(dt, node, field->name, "expected a level up to 255, found %u", level);
	label->level = (uint8_t)level;
	label->categories = (uint64_t)dt_cell(data + 4) << 32 | dt_cell(data + 8);
	return true;
}

static bool take_name(const struct dt *dt, int node, const struct dt_field *field, const uint8_t *data, uint32_t length,
	char *out)
{
	if (length <= LZR_NAME_MAX)
		memcpy(out, data, length);
	if (length > LZR_NAME_MAX || !lzr_name_is_valid(out))
		return dt_refuse(dt, node, field->name, "expected a name of " LZR_NAME_RULE);
	return true;
}

static bool take(const struct dt *dt, int node, const struct dt_field *field, uint8_t *data, uint32_t length, void *out)
{
	if (!check_size(dt, node, field, data, length))
		return false;
	switch (field->type) {
	case DT_U32:
		*(uint32_t *)out = dt_cell(data);
		break;
	case DT_U64:
		*(uint64_t *)out = (uint64_t)dt_cell(data) << 32 | dt_cell(data + 4);
		break;
	case DT_CELLS:
		for (uint32_t i = 0; i < field->size; i++)
			((uint32_t *)out)[i] = dt_cell(data + 4 * i);
		break;
	case DT_BYTES:
		memcpy(out, data, length);
		break;
	case DT_NAME:
		return take_name(dt, node, field, data, length, out);
	case DT_FLAG:
		*(bool *)out = true;
		break;
	case DT_LABEL:
		return take_label(dt, node, field, data, out);
	case DT_TEXT:
	case DT_BLOB:
		*(struct dt_blob *)out = (struct dt_blob){ data, length };
		break;
	}
	return true;
}

bool dt_read(const struct dt *dt, int node, const struct dt_field *fields, unsigned count, void *out, uint32_t *present)
{
	uint32_t seen = 0;
	int at;

	CHECK(count <= DT_FIELD_MAX);
	fdt_for_each_property_offset(at, dt->fdt, node) {
		const char *name;
		int length;
		const void *data = fdt_getprop_by_offset(dt->fdt, at, &name, &length);
		unsigned i = 0;

		if (!data)
			return dt_refuse(dt, node, NULL, "unreadable property");
		while (i < count && strcmp(fields[i].name, name))
			i++;
		if (i == count)
			return dt_refuse(dt, node, name, "unknown property");
		if (seen & 1u << i)
			return dt_refuse(dt, node, name, "given twice");
		seen |= 1u << i;
		if (!take(dt, node, &fields[i], (uint8_t *)(uintptr_t)data, (uint32_t)length,
			(uint8_t *)out + fields[i].offset))
			return false;
	}
	for (unsigned i = 0; i < count; i++)
		if (!(seen & 1u << i) && !fields[i].optional && fields[i].type != DT_FLAG)
			return dt_refuse(dt, node, fields[i].name, "missing");
	if (present)
		*present = seen;
	return true;
}

bool dt_compatible(const struct dt *dt, const struct dt_blob *found, const char *expected)
{
	if (found->length == strlen(expected) + 1 && !memcmp(found->data, expected, found->length))
		return true;
	return dt_refuse(dt, 0, "compatible", "expected \"%s\", found \"%s\"", expected, (const char *)found->data);
}

bool dt_is_leaf(const struct dt *dt, int node)
{
	int child = dt_child(dt, node);

	return child < 0 || dt_refuse(dt, child, NULL, "unknown node");
}

int dt_child(const struct dt *dt, int parent)
{
	return fdt_first_subnode(dt->fdt, parent);
}

int dt_next(const struct dt *dt, int node)
{
	return fdt_next_subnode(dt->fdt, node);
}

bool dt_node_is(const struct dt *dt, int node, const char *base)
{
	const char *name = fdt_get_name(dt->fdt, node, NULL);
	size_t length = strlen(base);

	return name && !strncmp(name, base, length) && (!name[length] || name[length] == '@');
}

bool dt_node_name(const struct dt *dt, int node, char name[LZR_NAME_MAX])
{
	const char *full = fdt_get_name(dt->fdt, node, NULL);
	size_t length = 0;

	memset(name, 0, LZR_NAME_MAX);
	while (full && full[length] && full[length] != '@' && length < LZR_NAME_MAX - 1) {
		name[length] = full[length];
		length++;
	}
	if (!full || (full[length] && full[length] != '@') || !lzr_name_is_valid(name))
		return dt_refuse(dt, node, NULL, "expected a node name of " LZR_NAME_RULE);
	return true;
}
