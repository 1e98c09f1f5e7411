/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the story: one is set up for a policy's source, whose guests' images all have the words that fit it. */
#ifndef STORY_RIG_H
#define STORY_RIG_H

#include "model.h"

extern struct story s;

/* Policy, words, and reference values for all images but `untrusted`; what is expected is not made yet. */
void story_rig_load(const char *path, const char *untrusted);
/* For cmocka: the example workstation, ready. */
int story_rig_workstation(void **state);
int story_rig_end(void **state);

unsigned vm_number(const char *name);
/* The row; NULL: there is none. */
struct story_flow *find_flow(const char *from, const char *to, unsigned proto);
void add_text(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
