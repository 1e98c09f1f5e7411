/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a compiled policy (lazaret/policy.h) says.  The bytes may be anybody's: lengths are looked at before values, and
 * a property that is not known, or not as long as it should be, is listed as its bytes, so that no change of it hides.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fdt_whole.h"
#include "outline.h"

#define WORDS_MAX 256u

enum format {
	FORMAT_RAW, FORMAT_TEXT, FORMAT_ORDER, FORMAT_FLAG, FORMAT_NUMBER, FORMAT_SIZE, FORMAT_US, FORMAT_LABEL,
	FORMAT_RANGE, FORMAT_BYTES, FORMAT_CELLS, FORMAT_VM, FORMAT_DEVICE, FORMAT_NETWORK, FORMAT_PCI, FORMAT_LOCATION,
	FORMAT_ID, FORMAT_MMIO, FORMAT_SKIP,
};

struct shape {
	const char *name;
	enum format format;
	enum judge judge;
	enum phrase phrase;
};

/* In the order in which they are listed; what is missing here comes behind. */
static const struct shape root_shapes[] = {
	{ "version", FORMAT_NUMBER, JUDGE_LESS, PHRASE_RAISED },
	{ "levels", FORMAT_ORDER, JUDGE_ANY, 0 },
	{ "categories", FORMAT_TEXT, JUDGE_NEVER, 0 },
	{ "allow-without-iommu", FORMAT_FLAG, JUDGE_PRESENT, 0 },
	{ "secure-boot", FORMAT_FLAG, JUDGE_ABSENT, 0 },
	{ "measured-boot", FORMAT_FLAG, JUDGE_ABSENT, 0 },
	{ "signer", FORMAT_BYTES, JUDGE_ANY, PHRASE_CHANGED },
	{ "next-signer", FORMAT_BYTES, JUDGE_ANY, PHRASE_CHANGED },
	{ "compatible", FORMAT_SKIP, 0, 0 },
	{ NULL, 0, 0, 0 },
};
static const struct shape vm_shapes[] = {
	{ "label", FORMAT_LABEL, JUDGE_ANY, 0 },
	{ "trusted-range", FORMAT_RANGE, JUDGE_PRESENT, 0 },
	{ "image", FORMAT_TEXT, JUDGE_ANY, 0 },
	{ "measurement", FORMAT_BYTES, JUDGE_ABSENT, PHRASE_CHANGED },
	{ "measure-only", FORMAT_FLAG, JUDGE_PRESENT, 0 },
	{ "memory", FORMAT_SIZE, JUDGE_MORE, 0 },
	{ "vcpus", FORMAT_NUMBER, JUDGE_MORE, 0 },
	{ "cpus", FORMAT_CELLS, JUDGE_ANY, 0 },
	{ "budget-us", FORMAT_US, JUDGE_MORE, 0 },
	{ "period-us", FORMAT_US, JUDGE_ANY, 0 },
	{ "max-restarts", FORMAT_NUMBER, JUDGE_MORE, 0 },
	{ "service", FORMAT_FLAG, JUDGE_PRESENT, 0 },
	{ "introspects", FORMAT_SKIP, 0, 0 },
	{ "controls", FORMAT_SKIP, 0, 0 },
	{ "reads-audit", FORMAT_SKIP, 0, 0 },
	{ "attests", FORMAT_SKIP, 0, 0 },
	{ NULL, 0, 0, 0 },
};
static const struct shape device_shapes[] = {
	{ "vm", FORMAT_VM, JUDGE_ANY, PHRASE_MOVES },
	{ "label", FORMAT_LABEL, JUDGE_ANY, 0 },
	{ "name", FORMAT_TEXT, JUDGE_ANY, 0 },
	{ "pci", FORMAT_PCI, JUDGE_ANY, 0 },
	{ "location", FORMAT_LOCATION, JUDGE_ANY, 0 },
	{ "id", FORMAT_ID, JUDGE_ANY, 0 },
	{ "mmio", FORMAT_MMIO, JUDGE_ANY, 0 },
	{ "reset", FORMAT_TEXT, JUDGE_ANY, 0 },
	{ "bypasses-firewall", FORMAT_FLAG, JUDGE_PRESENT, 0 },
	{ NULL, 0, 0, 0 },
};
static const struct shape network_shapes[] = {
	{ "label", FORMAT_LABEL, JUDGE_ANY, 0 },
	{ "uplink", FORMAT_DEVICE, JUDGE_PRESENT, 0 },
	{ NULL, 0, 0, 0 },
};
static const struct shape link_shapes[] = {
	{ "network", FORMAT_NETWORK, JUDGE_ANY, 0 },
	{ "label", FORMAT_LABEL, JUDGE_ANY, 0 },
	{ "a-pair", FORMAT_NUMBER, JUDGE_ANY, 0 },
	{ "b-pair", FORMAT_NUMBER, JUDGE_ANY, 0 },
	{ "a", FORMAT_SKIP, 0, 0 },
	{ "a-device", FORMAT_SKIP, 0, 0 },
	{ "b", FORMAT_SKIP, 0, 0 },
	{ "b-device", FORMAT_SKIP, 0, 0 },
	{ NULL, 0, 0, 0 },
};
static const struct shape no_shapes[] = { { NULL, 0, 0, 0 } };

struct reader {
	const void *dtb;
	struct outline *outline;
	const char *levels, *categories;
	int levels_length, categories_length;
	struct dtb_names vms, devices, networks;
};

static uint32_t cell(const uint8_t *value, unsigned index)
{
	return fdt32_ld((const fdt32_t *)(const void *)(value + 4 * index));
}

/* What a terminal would obey is not shown to it. */
static char *plain(char *text)
{
	for (char *c = text; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	return text;
}

static bool printable(const char *value, int length)
{
	if (length < 2 || value[length - 1] != 0)
		return false;
	for (int i = 0; i < length - 1; i++)
		if (value[i] ? !isprint((unsigned char)value[i]) : i == 0 || value[i - 1] == 0)
			return false;
	return true;
}

/* The index-th of a property's texts; NULL: it has fewer. */
static const char *nth_text(const char *list, int length, unsigned index)
{
	if (!list || !printable(list, length))
		return NULL;
	const char *end = list + length;
	for (; list < end && index; index--)
		list += strlen(list) + 1;
	return list < end ? list : NULL;
}

/* Words for levels or categories as the compiler writes them, each for one. */
static bool are_words(const char *list, int length)
{
	unsigned count = 0;

	if (!list || !printable(list, length))
		return false;
	for (const char *word = list; word < list + length; word += strlen(word) + 1) {
		if (++count > WORDS_MAX || !lzr_name_text_is_valid(word))
			return false;
		for (const char *other = list; other < word; other += strlen(other) + 1)
			if (!strcmp(other, word))
				return false;
	}
	return true;
}

static char *list_text(const char *list, int length, const char *separator)
{
	char *text = text_of("%s", "");

	for (unsigned i = 0; nth_text(list, length, i); i++)
		text = text_add(text, separator, nth_text(list, length, i));
	return text;
}

/* What has no name has a number in its place, which no name can look like. */
static char *label_value(const struct reader *r, const uint8_t *value)
{
	const char *level = nth_text(r->levels, r->levels_length, cell(value, 0));
	uint64_t categories = (uint64_t)cell(value, 1) << 32 | cell(value, 2);
	char *text = level ? text_of("%s", level) : text_of("level #%u", cell(value, 0));

	for (unsigned i = 0; i < CATEGORY_MAX; i++) {
		const char *name = nth_text(r->categories, r->categories_length, i);
		char number[24];
		snprintf(number, sizeof(number), "#%u", i);
		if (categories >> i & 1)
			text = text_add(text, " ", name ? name : number);
	}
	return text;
}

static char *range_value(const struct reader *r, const uint8_t *value)
{
	char *low = label_value(r, value), *high = label_value(r, value + 12);
	char *text = text_of("%s to %s", low, high);

	free(low);
	free(high);
	return text;
}

static char *raw_value(const uint8_t *value, int length)
{
	if (length == 0)
		return text_of("%s", "");
	if (printable((const char *)value, length))
		return list_text((const char *)value, length, ", ");
	if (length % 4 || length > 32)
		return text_hex(value, (size_t)length);
	char *text = text_of("%s", ""), number[16];
	for (int i = 0; i < length / 4; i++) {
		snprintf(number, sizeof(number), "%u", cell(value, (unsigned)i));
		text = text_add(text, " ", number);
	}
	return text;
}

static char *location_value(const uint8_t *steps, int count)
{
	char *text = text_of("%s", ""), step[8];

	for (int i = 0; i < count; i++) {
		snprintf(step, sizeof(step), "%02x.%x", steps[i] >> 3, steps[i] & 7);
		text = text_add(text, "/", step);
	}
	return text;
}

static uint64_t number_value(const uint8_t *value, int length)
{
	return length == 4 ? cell(value, 0) : length == 8 ? (uint64_t)cell(value, 0) << 32 | cell(value, 1) : 0;
}

/* How long a value of the format must be; 0: its own matter. */
static int format_length(enum format format)
{
	switch (format) {
	case FORMAT_SIZE: return 8;
	case FORMAT_US: return 4;
	case FORMAT_LABEL: return 12;
	case FORMAT_RANGE: return 24;
	case FORMAT_VM:
	case FORMAT_DEVICE:
	case FORMAT_NETWORK: return 4;
	case FORMAT_PCI: return 12;
	case FORMAT_ID: return 8;
	case FORMAT_MMIO: return 16;
	default: return 0;
	}
}

static char *value_text(const struct reader *r, enum format format, const uint8_t *value, int length)
{
	uint64_t number = number_value(value, length);

	if (format_length(format) && format_length(format) != length)
		format = FORMAT_RAW;
	switch (format) {
	case FORMAT_NUMBER:
		return length == 4 || length == 8 ? text_of("%llu", (unsigned long long)number) : raw_value(value,
			length);
	case FORMAT_ORDER:
		return are_words((const char *)value, length) ? list_text((const char *)value, length, " < ")
							      : raw_value(value, length);
	case FORMAT_SIZE: return text_size(number);
	case FORMAT_US: return text_time(number * 1000);
	case FORMAT_LABEL: return label_value(r, value);
	case FORMAT_RANGE: return range_value(r, value);
	case FORMAT_BYTES: return text_hex(value, (size_t)length);
	case FORMAT_VM: return dtb_name_text(&r->vms, cell(value, 0));
	case FORMAT_DEVICE: return dtb_name_text(&r->devices, cell(value, 0));
	case FORMAT_NETWORK: return dtb_name_text(&r->networks, cell(value, 0));
	case FORMAT_PCI: return text_of("%02x:%02x.%x", cell(value, 0), cell(value, 1), cell(value, 2));
	case FORMAT_LOCATION: return location_value(value, length);
	case FORMAT_ID: return text_of("%04x:%04x", cell(value, 0), cell(value, 1));
	case FORMAT_MMIO: {
		uint64_t base = number_value(value, 8), size = number_value(value + 8, 8);
		char *bytes = text_size(size), *text = text_of("0x%llx, %s", (unsigned long long)base, bytes);
		free(bytes);
		return text;
	}
	default: return raw_value(value, length);
	}
}

static bool known(const struct shape *shapes, const char *name)
{
	while (shapes->name && strcmp(shapes->name, name))
		shapes++;
	return shapes->name;
}

/*
 * What `diff` compares besides the text: the number; of a value that is told as it lies there, part of its digest,
 * since other bytes may have the same text.  Numbers of VMs, devices and networks stand for names.
 */
static uint64_t compared(enum format format, const uint8_t *value, int length)
{
	uint8_t hash[LZR_DIGEST_SIZE] = { 0 };

	if (format_length(format) && format_length(format) != length)
		format = FORMAT_RAW;
	switch (format) {
	case FORMAT_VM:
	case FORMAT_DEVICE:
	case FORMAT_NETWORK:
		return 0;
	case FORMAT_RAW:
	case FORMAT_TEXT:
	case FORMAT_ORDER:
	case FORMAT_FLAG:
	case FORMAT_CELLS:
		return digest(value, (size_t)length, hash) ? number_value(hash, 8) : 0;
	default:
		return number_value(value, length);
	}
}

/* Appends to a list, NULL at first, a property whose name is not for a terminal: both in hexadecimal. */
static char *add_unprintable(char *list, const char *name, const uint8_t *value, int length)
{
	char *hex[] = { text_hex((const uint8_t *)name, strlen(name)), text_hex(value, (size_t)length) };

	list = text_add(list ? list : text_of("%s", ""), ", ", hex[0]);
	list = text_add(list, " = ", hex[1]);
	free(hex[0]);
	free(hex[1]);
	return list;
}

/* The node's properties, the known ones first. */
static void read_lines(const struct reader *r, int node, const struct shape *shapes, struct outline_subject *subject)
{
	char *unprintable = NULL;
	int property, length;

	for (const struct shape *shape = shapes; shape->name; shape++) {
		const uint8_t *value = fdt_getprop(r->dtb, node, shape->name, &length);
		if (value && shape->format != FORMAT_SKIP)
			outline_number(subject, shape->name, shape->judge, shape->phrase,
				       compared(shape->format, value, length),
				       value_text(r, shape->format, value, length));
	}
	fdt_for_each_property_offset(property, r->dtb, node) {
		const char *name;
		const uint8_t *value = fdt_getprop_by_offset(r->dtb, property, &name, &length);
		if (!value || known(shapes, name))
			continue;
		if (printable(name, (int)strlen(name) + 1))
			outline_number(subject, name, JUDGE_ANY, PHRASE_ARROW, compared(FORMAT_RAW, value, length),
				       raw_value(value, length));
		else
			unprintable = add_unprintable(unprintable, name, value, length);
	}
	if (unprintable)
		outline_say(subject, "unprintable names", JUDGE_ANY, unprintable);
}

/* Marks in `audited`, unless it is NULL, whom the right covers. */
static void read_right(const struct reader *r, int node, const char *holder, const char *right, const char *verb,
		       bool *audited)
{
	int length;
	const uint8_t *value = fdt_getprop(r->dtb, node, right, &length);

	if (value && length == 0)
		outline_may(r->outline, holder, verb, "no VM");
	for (int i = 0; value && i < length / 4; i++) {
		uint32_t number = cell(value, (unsigned)i);
		char *other = dtb_name_text(&r->vms, number);
		outline_may(r->outline, holder, verb, other);
		free(other);
		if (audited && number < r->vms.count)
			audited[number] = true;
	}
	if (value && length % 4) {
		char *bytes = text_hex(value, (size_t)length);
		outline_may(r->outline, holder, verb, bytes);
		free(bytes);
	}
}

static void read_rights(const struct reader *r)
{
	int parent = fdt_path_offset(r->dtb, "/vms"), node;
	char name[LZR_NAME_MAX];

	fdt_for_each_subnode(node, r->dtb, parent) {
		bool *audited = memory_get(r->vms.count * sizeof(*audited));
		dtb_name(name, fdt_get_name(r->dtb, node, NULL));
		read_right(r, node, name, "introspects", "read the memory of", NULL);
		read_right(r, node, name, "controls", "stop and restart", NULL);
		read_right(r, node, name, "reads-audit", READ_AUDIT, audited);
		read_right(r, node, name, "attests", "attest", audited);
		outline_audit(r->outline, name, audited, r->vms.count);
		free(audited);
	}
}

static char *link_end(const struct reader *r, int node, const char *vm, const char *device)
{
	int length, device_length;
	const uint8_t *number = fdt_getprop(r->dtb, node, vm, &length);
	const char *name = fdt_getprop(r->dtb, node, device, &device_length);
	char *who = number && length == 4 ? dtb_name_text(&r->vms, cell(number, 0)) : text_of("nobody");
	char *text = text_of("%s:%s", who, name && printable(name, device_length) ? name : "?");

	free(who);
	return text;
}

static char *link_title(const struct reader *r, int node)
{
	char *a = link_end(r, node, "a", "a-device"), *b = link_end(r, node, "b", "b-device");
	char *title = text_of("link %s to %s", a, b);

	free(a);
	free(b);
	return title;
}

static void read_group(const struct reader *r, const char *path, const char *word, const struct shape *shapes)
{
	int parent = fdt_path_offset(r->dtb, path), node;
	char name[LZR_NAME_MAX];

	fdt_for_each_subnode(node, r->dtb, parent) {
		dtb_name(name, fdt_get_name(r->dtb, node, NULL));
		char *title = shapes == link_shapes ? link_title(r, node) : text_of("%s %s", word, name);
		read_lines(r, node, shapes, outline_add(r->outline, NULL, title, JUDGE_PRESENT));
	}
}

/* Nodes that this file knows nothing of: one below the root and all below it. */
static void read_other(const struct reader *r)
{
	static const char *const known_nodes[] = { "vms", "devices", "networks", "links" };
	char path[256];
	int depth = 0;
	bool skip = false;

	for (int node = fdt_next_node(r->dtb, 0, &depth); node >= 0 && depth > 0;
	     node = fdt_next_node(r->dtb, node, &depth)) {
		const char *name = fdt_get_name(r->dtb, node, NULL);
		if (depth == 1) {
			skip = false;
			for (unsigned i = 0; i < sizeof(known_nodes) / sizeof(known_nodes[0]); i++)
				skip = skip || !strcmp(name, known_nodes[i]);
		}
		if (skip && depth < 3)
			continue;
		if (fdt_get_path(r->dtb, node, path, sizeof(path)) != 0)
			snprintf(path, sizeof(path), "%s", name);
		read_lines(r, node, no_shapes,
			   outline_add(r->outline, NULL, plain(text_of("node %s", path)), JUDGE_ANY));
	}
}

/* Whether a node gives one of its properties twice, as dtc and libfdt never write it and the hypervisor refuses it. */
static bool says_twice(const void *dtb)
{
	int node = 0, property;
	bool twice = false;

	for (; node >= 0 && !twice; node = fdt_next_node(dtb, node, NULL))
		fdt_for_each_property_offset(property, dtb, node) {
			const char *name;
			const void *value = fdt_getprop_by_offset(dtb, property, &name, NULL);

			twice = twice || !value || fdt_getprop(dtb, node, name, NULL) != value;
		}
	return twice;
}

bool outline_dtb(struct outline *outline, const void *dtb, size_t size)
{
	if (fdt_whole(dtb, size) != 0 || says_twice(dtb) ||
	    fdt_node_check_compatible(dtb, 0, LZR_POLICY_COMPATIBLE) != 0)
		return false;
	struct reader *r = memory_get(sizeof(*r));
	r->dtb = dtb;
	r->outline = outline;
	r->levels = fdt_getprop(dtb, 0, "levels", &r->levels_length);
	r->categories = fdt_getprop(dtb, 0, "categories", &r->categories_length);
	if (!are_words(r->levels, r->levels_length))
		r->levels = NULL;       /* numbers, then: no reader shall take one for another */
	if (!are_words(r->categories, r->categories_length))
		r->categories = NULL;
	dtb_names_read(&r->vms, dtb, "/vms");
	dtb_names_read(&r->devices, dtb, "/devices");
	dtb_names_read(&r->networks, dtb, "/networks");
	read_lines(r, 0, root_shapes, outline_add(outline, NULL, text_of("policy"), JUDGE_ANY));
	read_group(r, "/vms", "VM", vm_shapes);
	read_rights(r);
	read_group(r, "/devices", "device", device_shapes);
	read_group(r, "/networks", "network", network_shapes);
	read_group(r, "/links", "link", link_shapes);
	read_other(r);
	free(r->vms.text);
	free(r->devices.text);
	free(r->networks.text);
	free(r);
	return true;
}
