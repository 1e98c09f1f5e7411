/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD_MAX 8192u

static void path_of(const struct store *s, const char *part, const char *name, char out[STORE_PATH_MAX])
{
	snprintf(out, STORE_PATH_MAX, "%s/%s%s%s", s->directory, part, name ? "/" : "", name ? name : "");
}

/* A VM's name as a file name: letters, digits, '-', '_', '.', not first '.'. */
static bool name_is_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t n = strnlen(name, LZR_NAME_MAX);

	return n > 0 && n < LZR_NAME_MAX && name[0] != '.' && strspn(name, plain) == n;
}

bool store_open(struct store *s, const char *directory, struct fault *f)
{
	static const char *const parts[] = { "", "aks", "leases", "revoked", "outbox" };
	char path[STORE_PATH_MAX];

	if (strlen(directory) > STORE_PATH_MAX - 200)
		return fault_set(f, FAULT_INPUT, "state directory", "a shorter path", "too long");
	s->directory = directory;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		path_of(s, parts[i], NULL, path);
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return fault_set(f, FAULT_INPUT, path, "a directory that can be made", strerror(errno));
	}
	return true;
}

bool store_save_ak(const struct store *s, const struct ak_record *ak, struct fault *f)
{
	char name[2 * TPM_NAME_MAX + 1], area[2 * TPM_PUBLIC_MAX + 1], ek[2 * SHA384_SIZE + 1];
	char path[STORE_PATH_MAX], text[RECORD_MAX];

	hex_encode(name, ak->name, ak->name_length);
	hex_encode(area, ak->area, ak->area_length);
	hex_encode(ek, ak->ek_certificate, sizeof(ak->ek_certificate));
	snprintf(text, sizeof(text), "lazaret-ak 1\nname %s\npublic %s\nek-certificate %s\nclock %" PRIu64 " %u %u\n",
		 name, area, ek, ak->clock_ms, ak->reset_count, ak->restart_count);
	path_of(s, "aks", name, path);
	return file_write(path, (struct bytes){ (const uint8_t *)text, strlen(text) }, f);
}

/* Reads exactly what store_save_ak writes. */
static bool parse_ak(char *text, struct ak_record *ak)
{
	char name[2 * TPM_NAME_MAX + 1], area[2 * TPM_PUBLIC_MAX + 1], ek[2 * SHA384_SIZE + 1];
	int end = -1;

	memset(ak, 0, sizeof(*ak));
	if (sscanf(text,
		   "lazaret-ak 1\nname %100[0-9a-f]\npublic %1200[0-9a-f]\nek-certificate %96[0-9a-f]\nclock %" SCNu64
		   " %" SCNu32 " %" SCNu32 "\n%n",
		   name, area, ek, &ak->clock_ms, &ak->reset_count, &ak->restart_count, &end) != 6 ||
	    end < 0 || text[end])
		return false;
	ak->name_length = strlen(name) / 2;
	ak->area_length = strlen(area) / 2;
	return hex_decode(ak->name, ak->name_length, name) && hex_decode(ak->area, ak->area_length, area) &&
	       hex_decode(ak->ek_certificate, SHA384_SIZE, ek);
}

bool store_load_ak(const struct store *s, struct bytes name, struct ak_record *out, struct fault *f)
{
	char hex[2 * TPM_NAME_MAX + 1], path[STORE_PATH_MAX], text[RECORD_MAX + 1];
	struct bytes content;
	bool ok;

	if (name.length == 0 || name.length > TPM_NAME_MAX)
		return fault_set(f, FAULT_AK_UNKNOWN, "attestation key", "a Name", "none");
	hex_encode(hex, name.data, name.length);
	path_of(s, "aks", hex, path);
	if (access(path, F_OK) != 0)
		return fault_set(f, FAULT_AK_UNKNOWN, "attestation key", "an enrolled one", hex);
	if (!file_read(path, RECORD_MAX, &content, f))
		return false;
	memcpy(text, content.data, content.length);
	text[content.length] = 0;
	file_free(&content);
	ok = parse_ak(text, out) && bytes_equal(name, (struct bytes){ out->name, out->name_length });
	return ok || fault_set(f, FAULT_INPUT, path, "an AK record of version 1", "something else");
}

/* The number in the file; 0 where there is no file yet. */
static bool read_serial(const char *path, uint64_t *serial, struct fault *f)
{
	char text[24] = "", *end = text;
	struct bytes content;

	*serial = 0;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	if (!file_read(path, sizeof(text) - 1, &content, f))
		return false;
	memcpy(text, content.data, content.length);
	file_free(&content);
	errno = 0;
	if (text[0] >= '0' && text[0] <= '9')
		*serial = strtoull(text, &end, 10);
	return (end > text && errno == 0 && *serial < UINT64_MAX && strcmp(end, "\n") == 0) ||
	       fault_set(f, FAULT_INPUT, path, "one decimal number", "something else");
}

bool store_next_serial(const struct store *s, uint64_t *serial, struct fault *f)
{
	char path[STORE_PATH_MAX], text[32];
	bool ok;
	int lock;

	path_of(s, "serial.lock", NULL, path);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) != 0) {
		fault_set(f, FAULT_INPUT, path, "a file that can be locked", strerror(errno));
		if (lock >= 0)
			close(lock);
		return false;
	}
	path_of(s, "serial", NULL, path);
	ok = read_serial(path, serial, f);
	if (ok) {
		snprintf(text, sizeof(text), "%" PRIu64 "\n", ++*serial);
		ok = file_write(path, (struct bytes){ (const uint8_t *)text, strlen(text) }, f);
	}
	close(lock);
	return ok;
}

bool store_save_lease(const struct store *s, const struct lzr_result *lease, struct fault *f)
{
	char path[STORE_PATH_MAX];

	if (!name_is_plain(lease->name))
		return fault_set(f, FAULT_INPUT, "VM name", "letters, digits, '-', '_', '.'", lease->name);
	path_of(s, "leases", lease->name, path);
	return file_write(path, (struct bytes){ (const uint8_t *)lease, sizeof(*lease) }, f);
}

bool store_load_lease(const struct store *s, const char *vm, struct lzr_result *out, struct fault *f)
{
	char path[STORE_PATH_MAX];
	struct bytes content;
	bool ok;

	if (!name_is_plain(vm))
		return fault_set(f, FAULT_INPUT, "VM name", "letters, digits, '-', '_', '.'", vm);
	path_of(s, "leases", vm, path);
	if (!file_read(path, sizeof(*out), &content, f))
		return false;
	ok = content.length == sizeof(*out) || fault_set_number(f, FAULT_INPUT, path, sizeof(*out), content.length);
	if (ok)
		memcpy(out, content.data, sizeof(*out));
	file_free(&content);
	return ok;
}

bool store_is_revoked(const struct store *s, const char *vm)
{
	char path[STORE_PATH_MAX];

	path_of(s, "revoked", vm, path);
	return !name_is_plain(vm) || access(path, F_OK) == 0;
}

bool store_set_revoked(const struct store *s, const char *vm, bool revoked, struct fault *f)
{
	char path[STORE_PATH_MAX];

	if (!name_is_plain(vm))
		return fault_set(f, FAULT_INPUT, "VM name", "letters, digits, '-', '_', '.'", vm);
	path_of(s, "revoked", vm, path);
	if (revoked)
		return file_write(path, (struct bytes){ NULL, 0 }, f);
	return unlink(path) == 0 || errno == ENOENT ||
	       fault_set(f, FAULT_INPUT, path, "a file to remove", strerror(errno));
}

bool store_post(const struct store *s, uint64_t serial, uint32_t port, const uint8_t result[LZR_RESULT_SIZE],
		struct fault *f)
{
	uint8_t message[STORE_MESSAGE_SIZE];
	char path[STORE_PATH_MAX], name[32];

	memcpy(message, &port, 4);
	memcpy(message + 4, result, LZR_RESULT_SIZE);
	snprintf(name, sizeof(name), "%020" PRIu64, serial);
	path_of(s, "outbox", name, path);
	return file_write(path, (struct bytes){ message, sizeof(message) }, f);
}

bool store_sent(const struct store *s, const char *name, struct fault *f)
{
	char path[STORE_PATH_MAX];

	path_of(s, "outbox", name, path);
	return unlink(path) == 0 || errno == ENOENT ||
	       fault_set(f, FAULT_INPUT, path, "a message to remove", strerror(errno));
}

bool store_oldest(const struct store *s, char name[STORE_MESSAGE_NAME], uint8_t message[STORE_MESSAGE_SIZE])
{
	char path[STORE_PATH_MAX];
	struct fault f = { 0 };
	struct bytes content;
	struct dirent *entry;
	bool ok = false;
	DIR *d;

	path_of(s, "outbox", NULL, path);
	d = opendir(path);
	if (!d)
		return false;
	name[0] = 0;
	while ((entry = readdir(d)) != NULL)
		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
		    strlen(entry->d_name) < STORE_MESSAGE_NAME && (!name[0] || strcmp(entry->d_name, name) < 0))
			snprintf(name, STORE_MESSAGE_NAME, "%.31s", entry->d_name);
	closedir(d);
	if (!name[0])
		return false;
	path_of(s, "outbox", name, path);
	if (file_read(path, STORE_MESSAGE_SIZE, &content, &f)) {
		ok = content.length == STORE_MESSAGE_SIZE;
		if (ok)
			memcpy(message, content.data, STORE_MESSAGE_SIZE);
		file_free(&content);
	}
	if (!ok)
		unlink(path);           /* no message: it must not stand before the others */
	return ok;
}

bool store_write(const struct store *s, const char *name, struct bytes content, struct fault *f)
{
	char path[STORE_PATH_MAX];

	path_of(s, name, NULL, path);
	return file_write(path, content, f);
}

void store_event(const struct store *s, const char *format, ...)
{
	char path[STORE_PATH_MAX];
	struct timespec now;
	FILE *file;
	va_list ap;

	path_of(s, "events", NULL, path);
	file = fopen(path, "a");
	if (!file)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(file, "%lld.%03ld ", (long long)now.tv_sec, now.tv_nsec / 1000000);
	va_start(ap, format);
	vfprintf(file, format, ap);
	va_end(ap);
	fputc('\n', file);
	fclose(file);
}
