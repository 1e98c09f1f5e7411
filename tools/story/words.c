/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "words.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define SEGMENT_READ (64u << 10)        /* a larger one is a kernel or an initramfs */

static FILE *open_in(const char *const *dirs, unsigned dir_count, const char *file)
{
	char path[PATH_MAX];
	FILE *in = NULL;

	for (unsigned i = 0; !in && i < dir_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], file);
		in = fopen(path, "rb");
	}
	if (!in)
		fprintf(stderr, "story: %s: %s\n", file, strerror(errno));
	return in;
}

static bool look(const char *const *dirs, unsigned dir_count, const char *file, char out[WORDS_MAX])
{
	static char bytes[SEGMENT_READ + 1];
	FILE *in = open_in(dirs, dir_count, file);
	const char *hit, *start;
	size_t length;

	if (!in)
		return false;
	length = fread(bytes, 1, sizeof(bytes), in);
	fclose(in);
	if (length > SEGMENT_READ || !(hit = memmem(bytes, length, "lzr.vm=", 7)))
		return true;
	bytes[length] = 0;
	for (start = hit; start > bytes && start[-1]; start--)
		;
	length = strnlen(start, WORDS_MAX - 1);
	memcpy(out, start, length);
	out[length] = 0;
	return true;
}

bool words_of_image(const char *image, const char *const *dirs, unsigned dir_count, char out[WORDS_MAX])
{
	struct facts *facts = memory_get(sizeof(*facts));
	bool ok = facts_read(image, dirs, dir_count, facts, out, WORDS_MAX);

	if (!ok)
		fprintf(stderr, "story: %s\n", out);
	out[0] = 0;
	for (unsigned i = 0; ok && !out[0] && i < facts->file_count; i++)
		ok = look(dirs, dir_count, facts->files[i], out);
	free(facts);
	return ok;
}

bool words_get(const char *words, const char *key, char *out, size_t size)
{
	const size_t length = strlen(key);

	out[0] = 0;
	for (const char *at = words; (at = strstr(at, key)); at += length)
		if ((at == words || at[-1] == ' ') && at[length] == '=') {
			const size_t n = strcspn(at + length + 1, " ");

			if (n < size)
				snprintf(out, size, "%.*s", (int)n, at + length + 1);
			return n < size;
		}
	return false;
}

bool words_peer(const char *words, const char *name, char *out, size_t size)
{
	const size_t length = strlen(name);
	char peers[WORDS_MAX];

	out[0] = 0;
	words_get(words, "lzr.peers", peers, sizeof(peers));
	for (const char *at = peers; *at;) {
		const size_t n = strcspn(at, ",");

		if (n > length && n - length - 1 < size && !strncmp(at, name, length) && at[length] == '=') {
			snprintf(out, size, "%.*s", (int)(n - length - 1), at + length + 1);
			return true;
		}
		at += n + (at[n] == ',');
	}
	return false;
}
