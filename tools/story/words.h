/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest's image says of itself: the words lzr.* of its command line (docs/guests.md), read from its segments. */
#ifndef STORY_WORDS_H
#define STORY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define WORDS_MAX 4096

/*
 * Looks in the segments of IMAGE.manifest for the text with "lzr.vm=" in it; `out` gets the text, empty when there is
 * none.  Both are looked for in each of `dirs`.  False after a message: no such manifest, or a segment cannot be read.
 */
bool words_of_image(const char *image, const char *const *dirs, unsigned dir_count, char out[WORDS_MAX]);
/* The value of "KEY=" among the words of any line; false and empty when it is not there, or does not fit. */
bool words_get(const char *words, const char *key, char *out, size_t size);
/* "IP/MAC" of NAME in the list of lzr.peers; false when the guest does not know it. */
bool words_peer(const char *words, const char *name, char *out, size_t size);

#endif
