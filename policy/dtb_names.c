/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a compiled policy's nodes, which may be of any origin. */
#include <ctype.h>
#include <string.h>

#include <libfdt.h>

#include "outline.h"

void dtb_name(char out[LZR_NAME_MAX], const char *node)
{
	const char *at = strchr(node, '@');

	snprintf(out, LZR_NAME_MAX, "%.*s", at ? (int)(at - node) : LZR_NAME_MAX - 1, node);
	for (char *c = out; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			*c = '?';
}

void dtb_names_read(struct dtb_names *names, const void *dtb, const char *path)
{
	int parent = fdt_path_offset(dtb, path), node;

	fdt_for_each_subnode(node, dtb, parent)
		dtb_name(*ARRAY_ADD(names->text, names->count, names->room), fdt_get_name(dtb, node, NULL));
}

char *dtb_name_text(const struct dtb_names *names, uint32_t number)
{
	unsigned alike = 0;

	if (number >= names->count)
		return text_of("number %u, which is not there", number);
	for (unsigned i = 0; i < names->count; i++)
		alike += !strcmp(names->text[i], names->text[number]);
	return alike == 1 ? text_of("%s", names->text[number])
			  : text_of("%s (number %u, one of %u with this name)", names->text[number], number, alike);
}
