/* SPDX-License-Identifier: Apache-2.0 */
/* Reference values from a build's outputs, and a look into an event log. */
#include "authenticode.h"
#include "command.h"
#include "eventlog.h"
#include "file.h"
#include "reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUILD_FILE_MAX (256u << 20)
#define MANIFEST_SUFFIX ".manifest"

/* The text so far, and a stream at its end. */
struct writer {
	FILE *out;
	char *text;
	size_t length;
};

/* Two builds have most files in common; what is said already is not said twice. */
static void put_digest(struct writer *w, const char *words, const uint8_t digest[SHA384_SIZE])
{
	char hex[2 * SHA384_SIZE + 1], line[sizeof(hex) + LZR_NAME_MAX + 32];

	hex_encode(hex, digest, SHA384_SIZE);
	snprintf(line, sizeof(line), "\n%s %s\n", words, hex);
	fflush(w->out);
	if (!strstr(w->text, line))
		fputs(line + 1, w->out);
}

static bool put_file(struct writer *w, const char *words, const char *path, struct fault *f)
{
	uint8_t digest[SHA384_SIZE];
	struct bytes content;

	if (!file_read(path, BUILD_FILE_MAX, &content, f))
		return false;
	sha384(digest, content.data, content.length);
	file_free(&content);
	put_digest(w, words, digest);
	return true;
}

static bool put_files(struct writer *w, const char *words, const char *const *paths, size_t count, struct fault *f)
{
	for (size_t i = 0; i < count; i++)
		if (!put_file(w, words, paths[i], f))
			return false;
	return true;
}

/* The image's name is the manifest's base name without its suffix, as in the boot list. */
static bool put_manifest(struct writer *w, const char *path, struct fault *f)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t length = strlen(base), suffix = strlen(MANIFEST_SUFFIX);
	char words[LZR_NAME_MAX + 8];

	if (length > suffix && strcmp(base + length - suffix, MANIFEST_SUFFIX) == 0)
		length -= suffix;
	if (length == 0 || length >= LZR_NAME_MAX)
		return fault_set(f, FAULT_INPUT, path, "a base name of 1 to 47 characters", base);
	snprintf(words, sizeof(words), "image %.*s", (int)length, base);
	return put_file(w, words, path, f);
}

/* What firmware without Secure Boot keys extends for this loader. */
static bool put_loader(struct writer *w, const char *path, bool computed, struct fault *f)
{
	uint8_t digest[SHA384_SIZE], value[SHA384_SIZE];
	struct bytes pe;
	bool ok;

	if (!file_read(path, BUILD_FILE_MAX, &pe, f))
		return false;
	ok = authenticode_sha384(pe, path, digest, f);
	file_free(&pe);
	if (!ok)
		return false;
	put_digest(w, "# loader, Authenticode", digest);
	expected_pcr4(digest, value);
	if (computed)
		put_digest(w, "pcr 4", value);
	return true;
}

/* Firmware registers: PCR 4 and 7 computed, the others as told, else unchecked. */
static bool put_pcrs(struct writer *w, const struct options *o, struct fault *f)
{
	bool told[REFERENCE_PCRS] = { false };
	uint8_t value[SHA384_SIZE];

	for (size_t i = 0; i < o->pcrs; i++) {
		if (o->pcr[i][0] < '0' || o->pcr[i][0] > '7' || o->pcr[i][1] != ' ')
			return fault_set(f, FAULT_USAGE, "--pcr", "'N VALUE' with N from 0 to 7", o->pcr[i]);
		told[o->pcr[i][0] - '0'] = true;
		fprintf(w->out, "pcr %s\n", o->pcr[i]);
	}
	for (size_t i = 0; i < o->loaders; i++)
		if (!put_loader(w, o->loader[i], !told[4], f))
			return false;
	expected_pcr7_setup_mode(value);
	for (unsigned int i = 0; i < REFERENCE_PCRS; i++) {
		if (told[i] || i == 4)
			continue;
		if (i == 7)
			put_digest(w, "pcr 7", value);
		else
			fprintf(w->out, "pcr %u unchecked\n", i);
	}
	return true;
}

static bool put_all(struct writer *w, const struct options *o, struct fault *f)
{
	fprintf(w->out, "lazaret-reference 1\n");
	if (!put_pcrs(w, o, f) || !put_files(w, "hypervisor", o->hypervisor, o->hypervisors, f) ||
	    !put_files(w, "signer", o->signer, o->signers, f) ||
	    !put_files(w, "boot-list", o->boot_list, o->boot_lists, f) ||
	    !put_files(w, "policy", o->policy, o->policies, f))
		return false;
	for (size_t i = 0; i < o->manifests; i++)
		if (!put_manifest(w, o->manifest[i], f))
			return false;
	return true;
}

int command_reference(int argc, char **argv)
{
	struct reference *check = calloc(1, sizeof(*check));
	struct fault f = { 0 };
	struct options o;
	struct writer w = { 0 };
	bool ok;

	if (!check ||
	    !command_parse(argc, argv, "loader! hypervisor! boot-list! signer! policy! manifest! pcr out!", &o) ||
	    !(w.out = open_memstream(&w.text, &w.length))) {
		free(check);
		return 2;
	}
	ok = put_all(&w, &o, &f);
	fclose(w.out);
	ok = ok && reference_parse((struct bytes){ (const uint8_t *)w.text, w.length }, o.out, check, &f) &&
	     file_write(o.out, (struct bytes){ (const uint8_t *)w.text, w.length }, &f);
	free(w.text);
	free(check);
	return ok ? 0 : command_fail(&f);
}

static void print_digest(const char *words, const uint8_t digest[SHA384_SIZE])
{
	char hex[2 * SHA384_SIZE + 1];

	hex_encode(hex, digest, SHA384_SIZE);
	printf("%s %s\n", words, hex);
}

int command_log(int argc, char **argv)
{
	uint8_t pcrs[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX];
	enum eventlog_error error;
	struct eventlog log;
	struct fault f = { 0 };
	struct options o;
	struct bytes content;
	uint32_t extended;
	size_t at = 0;

	if (!command_parse(argc, argv, "file!", &o))
		return 2;
	if (!file_read(o.file, 1 << 20, &content, &f))
		return command_fail(&f);
	error = eventlog_open(&log, content.data, content.length);
	if (error == EVENTLOG_OK)
		error = eventlog_replay(&log, EVENTLOG_ALG_SHA384, pcrs, &extended, &at);
	if (error != EVENTLOG_OK)
		fault_set_text(&f, FAULT_LOG_FORMAT, o.file, "a TCG crypto-agile log with a SHA-384 bank",
			       "byte %zu: %s", at, eventlog_error_text(error));
	for (unsigned int i = 0; error == EVENTLOG_OK && i < EVENTLOG_PCRS; i++) {
		char words[16];

		snprintf(words, sizeof(words), "pcr %u", i);
		if (extended >> i & 1)
			print_digest(words, pcrs[i]);
	}
	file_free(&content);
	return error == EVENTLOG_OK ? 0 : command_fail(&f);
}
