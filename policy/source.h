/* SPDX-License-Identifier: Apache-2.0 */
/* What a tree is made from: the source's files and the memory of its texts. */
#ifndef POLICY_SOURCE_H
#define POLICY_SOURCE_H

#include "policy.h"

struct source;

struct source *source_open(void);
void source_close(struct source *source);
struct source *source_of(const struct node *root);
char *source_text(struct source *source, const char *from, size_t length);     /* a copy that lives as long */
struct source_file *source_file(struct source *source, const char *name);
/* dtc's "FILE:LINE:COLUMN-LINE:COLUMN", of which a merged node has several: the first one's begin. */
struct place source_place(struct source *source, char *text);
/* Behind what stands before, comments apart; its last character, 0: there is none, or it cannot be told. */
struct place place_before(struct place place, char *last);
/* From the brace of a node to its name in front of it. */
struct place place_of_name(struct place brace);
/* Whether the property that is written there takes in the bytes of another file. */
bool has_incbin(struct place property);
/* Complains about nodes of the list whose names are alike. */
void check_alike(struct node *list, struct report *report);

#endif
