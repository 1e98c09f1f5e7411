/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a compiled policy: every node and property, with names for what is a number there. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#include "policy.h"

static bool printable(const char *value, int length)
{
	if (length < 2 || value[length - 1] != 0)
		return false;
	for (int i = 0; i < length - 1; i++)
		if (value[i] ? !isprint((unsigned char)value[i]) : i == 0 || value[i - 1] == 0)
			return false;
	return true;
}

static void show_value(const char *value, int length)
{
	if (length == 0)
		return;
	printf(" =");
	if (printable(value, length)) {
		for (int at = 0; at < length; at += (int)strlen(value + at) + 1)
			printf(" %s", value + at);
	} else if (length == LZR_DIGEST_SIZE) {
		printf(" ");
		for (int i = 0; i < length; i++)
			printf("%02x", (uint8_t)value[i]);
	} else {
		for (int at = 0; at + 4 <= length; at += 4)
			printf(" %u", fdt32_ld((const fdt32_t *)(const void *)(value + at)));
	}
}

bool show_policy(const void *dtb, size_t size)
{
	/* Only the present version: libfdt's fdt_check_full() crashes on older ones whose root node has no name. */
	if (size < sizeof(struct fdt_header) || fdt_version(dtb) != FDT_LAST_SUPPORTED_VERSION ||
	    fdt_check_full(dtb, size) != 0 || fdt_totalsize(dtb) != size ||
	    fdt_node_check_compatible(dtb, 0, LZR_POLICY_COMPATIBLE) != 0)
		return false;
	int depth = 0;
	for (int node = 0; node >= 0 && depth >= 0; node = fdt_next_node(dtb, node, &depth)) {
		const char *node_name = fdt_get_name(dtb, node, NULL);
		int property;
		printf("%*s%s\n", 2 * depth, "", *node_name ? node_name : "policy");
		fdt_for_each_property_offset(property, dtb, node) {
			const char *name;
			int length;
			const char *value = fdt_getprop_by_offset(dtb, property, &name, &length);
			printf("%*s%s", 2 * depth + 2, "", name);
			show_value(value, length);
			printf("\n");
		}
	}
	return true;
}
