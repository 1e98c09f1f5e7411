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

static void put_digest(FILE *out, const char *words, const uint8_t digest[SHA384_SIZE])
{
	char hex[2 * SHA384_SIZE + 1];

	hex_encode(hex, digest, SHA384_SIZE);
	fprintf(out, "%s %s\n", words, hex);
}

static bool put_file(FILE *out, const char *words, const char *path, struct fault *f)
{
	uint8_t digest[SHA384_SIZE];
	struct bytes content;

	if (!file_read(path, BUILD_FILE_MAX, &content, f))
		return false;
	sha384(digest, content.data, content.length);
	file_free(&content);
	put_digest(out, words, digest);
	return true;
}

/* The image's name is the manifest's base name without its suffix, as in the boot list. */
static bool put_manifest(FILE *out, const char *path, struct fault *f)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t length = strlen(base), suffix = strlen(MANIFEST_SUFFIX);
	char words[LZR_NAME_MAX + 8];

	if (length > suffix && strcmp(base + length - suffix, MANIFEST_SUFFIX) == 0)
		length -= suffix;
	if (length == 0 || length >= LZR_NAME_MAX)
		return fault_set(f, FAULT_INPUT, path, "a base name of 1 to 47 characters", base);
	snprintf(words, sizeof(words), "image %.*s", (int)length, base);
	return put_file(out, words, path, f);
}

/* Firmware registers: PCR 4 and 7 computed, the others as told, else unchecked. */
static bool put_pcrs(FILE *out, const struct options *o, struct fault *f)
{
	uint8_t digest[SHA384_SIZE], value[SHA384_SIZE];
	struct bytes pe;
	bool told[REFERENCE_PCRS] = { false }, ok;

	if (!file_read(o->loader, BUILD_FILE_MAX, &pe, f))
		return false;
	ok = authenticode_sha384(pe, o->loader, digest, f);
	file_free(&pe);
	if (!ok)
		return false;
	put_digest(out, "# loader, Authenticode", digest);
	for (size_t i = 0; i < o->pcrs; i++) {
		if (o->pcr[i][0] < '0' || o->pcr[i][0] > '7' || o->pcr[i][1] != ' ')
			return fault_set(f, FAULT_USAGE, "--pcr", "'N VALUE' with N from 0 to 7", o->pcr[i]);
		told[o->pcr[i][0] - '0'] = true;
		fprintf(out, "pcr %s\n", o->pcr[i]);
	}
	for (unsigned int i = 0; i < REFERENCE_PCRS; i++) {
		if (told[i])
			continue;
		if (i == 4)
			expected_pcr4(digest, value);
		else if (i == 7)
			expected_pcr7_setup_mode(value);
		else
			fprintf(out, "pcr %u unchecked\n", i);
		if (i == 4 || i == 7)
			put_digest(out, i == 4 ? "pcr 4" : "pcr 7", value);
	}
	return true;
}

static bool put_all(FILE *out, const struct options *o, struct fault *f)
{
	fprintf(out, "lazaret-reference 1\n");
	if (!put_pcrs(out, o, f) || !put_file(out, "hypervisor", o->hypervisor, f) ||
	    !put_file(out, "signer", o->signer, f) || !put_file(out, "boot-list", o->boot_list, f) ||
	    !put_file(out, "policy", o->policy, f))
		return false;
	for (size_t i = 0; i < o->manifests; i++)
		if (!put_manifest(out, o->manifest[i], f))
			return false;
	return true;
}

int command_reference(int argc, char **argv)
{
	struct reference *check = calloc(1, sizeof(*check));
	struct fault f = { 0 };
	struct options o;
	char *text = NULL;
	size_t length = 0;
	FILE *out;
	bool ok;

	if (!check ||
	    !command_parse(argc, argv, "loader! hypervisor! boot-list! signer! policy! manifest! pcr out!", &o) ||
	    !(out = open_memstream(&text, &length))) {
		free(check);
		return 2;
	}
	ok = put_all(out, &o, &f);
	fclose(out);
	ok = ok && reference_parse((struct bytes){ (const uint8_t *)text, length }, o.out, check, &f) &&
	     file_write(o.out, (struct bytes){ (const uint8_t *)text, length }, &f);
	free(text);
	free(check);
	return ok ? 0 : command_fail(&f);
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
			put_digest(stdout, words, pcrs[i]);
	}
	file_free(&content);
	return error == EVENTLOG_OK ? 0 : command_fail(&f);
}
