/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as a listing for people: names for what is a number in the file, in the order of the file. */
#include "outline.h"

void show_outline(FILE *out, const struct outline *outline)
{
	for (unsigned i = 0; i < outline->count; i++) {
		const struct outline_subject *subject = &outline->subjects[i];
		print_tame(out, "%s\n", subject->title);
		for (unsigned j = 0; j < subject->count; j++) {
			const struct outline_line *line = &subject->lines[j];
			if (*line->value)
				print_tame(out, "    %-20s%s\n", line->name, line->value);
			else
				print_tame(out, "    %s\n", line->name);
		}
	}
}
