/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_read(const char *path, size_t max, struct bytes *out, struct fault *f)
{
	FILE *in = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t used = 0, size = 0;
	struct stat status;

	*out = (struct bytes){ NULL, 0 };
	if (!in)
		return fault_set(f, FAULT_INPUT, path, "a readable file", strerror(errno));
	if (fstat(fileno(in), &status) == 0 && S_ISDIR(status.st_mode)) {
		fclose(in);
		return fault_set(f, FAULT_INPUT, path, "a file", "a folder");
	}
	while (used <= max) {
		size_t n;

		if (used == size) {
			size = size ? size * 2 : 4096;
			uint8_t *more = realloc(data, size);

			if (!more)
				break;
			data = more;
		}
		n = fread(data + used, 1, size - used, in);
		used += n;
		if (n == 0)
			break;
	}
	if (ferror(in) || !feof(in) || used > max) {
		const int error = ferror(in) ? errno : 0;

		fclose(in);
		free(data);
		if (error)
			return fault_set(f, FAULT_INPUT, path, "a file that can be read", strerror(error));
		return fault_set_text(f, FAULT_INPUT, path, "a whole file within the limit",
				      used > max ? "more than %zu bytes" : "no memory for it, up to %zu bytes", max);
	}
	fclose(in);
	*out = (struct bytes){ data, used };
	return true;
}

void file_free(struct bytes *b)
{
	free((void *)b->data);
	*b = (struct bytes){ NULL, 0 };
}

bool file_write(const char *path, struct bytes content, struct fault *f)
{
	char temporary[4096 + 32];
	FILE *out;
	bool ok;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%ld.new", path, (long)getpid()) >= sizeof(temporary))
		return fault_set(f, FAULT_INPUT, path, "a shorter path", "too long");
	out = fopen(temporary, "wb");
	if (!out)
		return fault_set(f, FAULT_INPUT, temporary, "a file that can be written", strerror(errno));
	ok = content.length == 0 || fwrite(content.data, 1, content.length, out) == content.length;
	ok = ok && fflush(out) == 0 && fsync(fileno(out)) == 0;
	ok = fclose(out) == 0 && ok;
	if (ok && rename(temporary, path) == 0)
		return true;
	unlink(temporary);
	return fault_set(f, FAULT_INPUT, path, "a file that can be written", strerror(errno));
}
