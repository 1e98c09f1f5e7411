/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files in and out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy.h"

void *file_load(const char *path, size_t limit, size_t *size, char *why, size_t why_size)
{
	struct stat status;
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;

	if (!file) {
		snprintf(why, why_size, "%s: cannot open: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fileno(file), &status) || !S_ISREG(status.st_mode) || (uint64_t)status.st_size > limit) {
		snprintf(why, why_size, "%s: expected a regular file of at most %zu bytes", path, limit);
	} else {
		*size = (size_t)status.st_size;
		bytes = malloc(*size + 1);
		if (bytes && fread(bytes, 1, *size, file) != *size) {
			snprintf(why, why_size, "%s: cannot read", path);
			free(bytes);
			bytes = NULL;
		}
	}
	fclose(file);
	return bytes;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
	bool good = true;

	while (good && size) {
		ssize_t wrote = write(fd, data, size);
		good = wrote > 0 || (wrote < 0 && errno == EINTR);
		data += wrote > 0 ? wrote : 0;
		size -= wrote > 0 ? (size_t)wrote : 0;
	}
	return good && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);        /* a pipe cannot */
}

bool file_create(const char *path, const void *data, size_t size, unsigned mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return false;
	bool whole = write_all(fd, data, size);
	if (close(fd) == 0 && whole)
		return true;
	unlink(path);
	return false;
}

/*
 * A device, a pipe or a link is written to; only a file is replaced, whole or not at all.  What not everybody may read
 * goes into a new file only, since somebody else may hold what is there.
 */
bool file_store(const char *path, const void *data, size_t size, unsigned mode)
{
	struct stat status;
	char temporary[4200];

	if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		int there = mode & S_IROTH ? open(path, O_WRONLY | O_TRUNC | O_CLOEXEC) : -1;
		bool whole = there >= 0 && write_all(there, data, size);
		return there >= 0 && close(there) == 0 && whole;
	}

	snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid());
	unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return false;
	bool whole = write_all(fd, data, size);
	if (close(fd) == 0 && whole && rename(temporary, path) == 0)
		return true;
	unlink(temporary);
	return false;
}
