/* SPDX-License-Identifier: Apache-2.0 */
/* Hands the complete lines of a file that grows to a function, each once. */
#ifndef STORY_WATCH_H
#define STORY_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct watch {
	const char *path;
	long offset;
};

/* Calls `line` for each line that came since the last call; a file that is not there has no lines. */
void watch_lines(struct watch *w, void (*line)(void *context, const char *text), void *context);

#endif
