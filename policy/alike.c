/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that a reader takes for one another: they differ in nothing but large and small letters, or in l, I and 1, or
 * in O and 0.  Who reviews a policy reads names, so two of one kind must not be alike.
 */
#include <ctype.h>
#include <string.h>

#include "source.h"

enum likeness { LIKE_IN_CASE, LIKE_IN_SHAPE, LIKENESSES };

/* What names that are alike have in common. */
static void fold(const char *name, enum likeness likeness, char out[LZR_NAME_MAX])
{
	size_t i = 0;

	for (; name[i] && i < LZR_NAME_MAX - 1; i++)
		out[i] = likeness == LIKE_IN_CASE   ? (char)tolower((unsigned char)name[i])
			 : strchr("Il1", name[i]) ? 'l'
			 : strchr("O0", name[i])  ? '0'
						    : name[i];
	out[i] = 0;
}

bool names_alike(const char *a, const char *b)
{
	char folded[2][LZR_NAME_MAX];

	for (enum likeness likeness = 0; likeness < LIKENESSES; likeness++) {
		fold(a, likeness, folded[0]);
		fold(b, likeness, folded[1]);
		if (strcmp(a, b) && !strcmp(folded[0], folded[1]))
			return true;
	}
	return false;
}

void check_alike(struct node *list, struct report *report)
{
	char folded[LZR_NAME_MAX], place[PLACE_TEXT];

	for (enum likeness likeness = 0; likeness < LIKENESSES; likeness++) {
		struct table names = { 0 };
		for (unsigned i = 0; i < list->child_count; i++) {
			struct node *child = list->children[i];
			if (strlen(child->name) >= LZR_NAME_MAX)
				continue;
			fold(child->name, likeness, folded);
			char *kept = source_text(source_of(list), folded, strlen(folded));
			unsigned first = table_add_text(&names, kept, i);
			if (first == NONE || !strcmp(list->children[first]->name, child->name))
				continue;
			complain(report, child->where, "node \"%s\": expected a name that nobody takes for another, "
				 "found one like \"%s\" in %s", child->name, list->children[first]->name,
				 place_text(list->children[first]->where, place));
		}
		table_free(&names);
	}
}
