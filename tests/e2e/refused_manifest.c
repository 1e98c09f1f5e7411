/* SPDX-License-Identifier: Apache-2.0 */
#include "refused_manifest.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNER "keys/signer.pem"
#define ROOM 4096

/* Opens a tree of the volume, lets `change` bend it, and puts it back. */
static bool bend(const struct refuse_volume *v, const char *file, bool (*change)(void *fdt))
{
	size_t length;
	uint8_t *data = refuse_get(v, file, &length), *wide = data ? malloc(length + ROOM) : NULL;
	bool ok = wide && fdt_open_into(data, wide, (int)(length + ROOM)) == 0 && change(wide) && fdt_pack(wide) == 0 &&
		  refuse_put(v, file, wide, fdt_totalsize(wide));

	if (!ok)
		fprintf(stderr, "%s: %s cannot be bent\n", v->esp, file);
	free(wide);
	free(data);
	return ok;
}

static bool bend_policy(const struct refuse_volume *v, bool (*change)(void *fdt))
{
	return bend(v, "refused.dtb", change) && refuse_sign(v, "refused.dtb", "refused.sig", SIGNER);
}

static int first_segment(void *fdt)
{
	return fdt_first_subnode(fdt, fdt_path_offset(fdt, "/segments"));
}

/* A second segment node, a copy of the first but for its place. */
static bool add_segment(void *fdt, const char *name, uint64_t gpa)
{
	static const char *const copied[] = { "file", "length", "sha384" };
	int node = fdt_add_subnode(fdt, fdt_path_offset(fdt, "/segments"), name);

	for (size_t i = 0; node >= 0 && i < sizeof(copied) / sizeof(copied[0]); i++) {
		uint8_t value[64];
		const void *found;
		int length, from = first_segment(fdt);

		if (from == node)       /* libfdt puts a new node in front of its siblings */
			from = fdt_next_subnode(fdt, node);
		found = fdt_getprop(fdt, from, copied[i], &length);
		if (!found || length > (int)sizeof(value))
			return false;
		memcpy(value, found, (size_t)length);
		if (fdt_setprop(fdt, node, copied[i], value, length))
			return false;
	}
	return node >= 0 && fdt_setprop_u64(fdt, node, "gpa", gpa) == 0;
}

static bool other_version(void *fdt)
{
	return fdt_setprop_string(fdt, 0, "compatible", "lazaret,manifest-2") == 0;
}

static bool overlap(void *fdt)
{
	return add_segment(fdt, "segment@207000", 0x207000);
}

static bool wrap(void *fdt)
{
	return fdt_setprop_u64(fdt, first_segment(fdt), "gpa", UINT64_MAX - 0xfff) == 0;
}

static bool oversized(void *fdt)
{
	return fdt_setprop_u64(fdt, first_segment(fdt), "length", 0x200001) == 0;
}

static bool unlisted(void *fdt)
{
	return add_segment(fdt, "segment@300000", 0x300000) &&
	       fdt_setprop_string(fdt, first_segment(fdt), "file", "nowhere.seg") == 0;
}

static bool other_memory(void *fdt)
{
	return fdt_setprop_u64(fdt, 0, "memory", 8 << 20) == 0;
}

bool manifest_of_another_version(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend(v, "hello", other_version);
}

/* Half of it. */
bool manifest_truncated(const struct refuse_volume *v, const struct refuse_case *c)
{
	size_t length;
	uint8_t *data = refuse_get(v, "hello", &length);
	bool ok = data && refuse_put(v, "hello", data, length / 2);

	(void)c;
	free(data);
	return ok;
}

bool manifest_overlap(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend(v, "hello", overlap);
}

bool manifest_wrap(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend(v, "hello", wrap);
}

bool manifest_oversized(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend(v, "hello", oversized);
}

bool manifest_unlisted_segment(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend(v, "hello", unlisted);
}

bool manifest_other_memory(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend(v, "hello", other_memory);
}

static bool policy_two(void *fdt)
{
	return fdt_setprop_string(fdt, 0, "compatible", "lazaret,policy-2") == 0;
}

static bool other_image(void *fdt)
{
	return fdt_setprop_string(fdt, fdt_path_offset(fdt, "/vms/hello@0"), "image", "absent") == 0;
}

static bool unknown_word(void *fdt)
{
	return fdt_setprop_u32(fdt, fdt_path_offset(fdt, "/vms/hello@0"), "trust-me", 1) == 0;
}

static bool hidden_card(void *fdt)
{
	static const struct {
		const char *name;
		uint32_t cells[3];
		int count;
	} values[] = { { "pci", { 1, 0, 0 }, 3 }, { "id", { 0x8086, 0x10d3 }, 2 }, { "vm", { 2 }, 1 },
		       { "label", { 0 }, 3 } };
	int node = fdt_add_subnode(fdt, fdt_path_offset(fdt, "/devices"), "nic0@0");
	bool good = node >= 0;

	for (size_t i = 0; good && i < sizeof(values) / sizeof(values[0]); i++)
		for (int j = 0; good && j < values[i].count; j++)
			good = fdt_appendprop_u32(fdt, node, values[i].name, values[i].cells[j]) == 0;
	return good && fdt_setprop_string(fdt, node, "reset", "bus") == 0 &&
	       fdt_setprop_string(fdt, node, "name", "nic0") == 0;
}

static bool other_signer(void *fdt)
{
	static const uint8_t another[48] = { 1 };

	return fdt_setprop(fdt, 0, "signer", another, sizeof(another)) == 0;
}

bool policy_of_another_named_signer(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend_policy(v, other_signer);
}

bool policy_of_another_version(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend_policy(v, policy_two);
}

bool policy_of_another_image(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend_policy(v, other_image);
}

bool policy_with_an_unknown_word(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend_policy(v, unknown_word);
}

bool policy_with_a_hidden_card(const struct refuse_volume *v, const struct refuse_case *c)
{
	(void)c;
	return bend_policy(v, hidden_card);
}
