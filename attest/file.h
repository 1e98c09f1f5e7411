/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files in and out. */
#ifndef ATTEST_FILE_H
#define ATTEST_FILE_H

#include "digest.h"
#include "fault.h"

/* The whole file, at most `max` bytes, in memory that the caller frees (file_free); false with a fault. */
bool file_read(const char *path, size_t max, struct bytes *out, struct fault *f);
void file_free(struct bytes *b);
/* Writes next to it and renames: a reader sees the old or the new file, never a part. */
bool file_write(const char *path, struct bytes content, struct fault *f);

#endif
