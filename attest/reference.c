/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"
#include "file.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 4u
#define LINE_MAX 512u

/* Splits at blanks; returns the number of words, WORDS_MAX if there are too many. */
static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t count = 0;

	line[strcspn(line, "#\r")] = 0;
	for (char *rest = line, *word; count < WORDS_MAX && (word = strsep(&rest, " \t")) != NULL;)
		if (*word)
			words[count++] = word;
	return count;
}

/* Each of these takes part of a line in, or returns what it should have been. */
static const char *digest_of(const char *hex, uint8_t value[SHA384_SIZE])
{
	return hex_decode(value, SHA384_SIZE, hex) ? NULL : "a digest of 96 hexadecimal digits (SHA-384)";
}

static const char *set_add(struct reference_set *set, const char *hex)
{
	uint8_t value[SHA384_SIZE];
	const char *expected = digest_of(hex, value);

	if (expected)
		return expected;
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(set->value[i], value, sizeof(value)) == 0)
			return "each value of a kind once";
	if (set->unchecked)
		return "either values or unchecked for a register, not both";
	if (set->count == REFERENCE_VALUES_MAX)
		return "at most 8 values of a kind";
	memcpy(set->value[set->count++], value, sizeof(value));
	return NULL;
}

static const char *pcr_add(struct reference *r, const char *number, const char *value)
{
	struct reference_set *set;

	if (number[0] < '0' || number[0] > '7' || number[1])
		return "a firmware register from 0 to 7";
	set = &r->pcr[number[0] - '0'];
	if (strcmp(value, "unchecked") != 0)
		return set_add(set, value);
	if (number[0] == '4')
		return "a value for PCR 4: it cannot be unchecked, all else rests on the loader";
	if (set->count)
		return "either values or unchecked for a register, not both";
	if (set->unchecked)
		return "unchecked once for a register";
	set->unchecked = true;
	return NULL;
}

static const char *image_add(struct reference *r, const char *name, const char *hex)
{
	struct reference_image *image = &r->image[r->image_count];
	uint8_t value[SHA384_SIZE];
	const char *expected = digest_of(hex, value);

	if (expected)
		return expected;
	if (strlen(name) >= LZR_NAME_MAX)
		return "an image name of at most 47 characters";
	for (size_t i = 0; i < r->image_count; i++)
		if (strcmp(r->image[i].name, name) == 0 && memcmp(r->image[i].digest, value, SHA384_SIZE) == 0)
			return "each value of an image once";
	if (r->image_count == REFERENCE_IMAGES_MAX)
		return "at most 64 image lines";
	memcpy(image->digest, value, SHA384_SIZE);
	snprintf(image->name, sizeof(image->name), "%s", name);
	r->image_count++;
	return NULL;
}

static struct reference_set *set_of(struct reference *r, const char *word)
{
	return strcmp(word, "hypervisor") == 0 ? &r->hypervisor
	       : strcmp(word, "signer") == 0   ? &r->signer
	       : strcmp(word, "boot-list") == 0 ? &r->boot_list
	       : strcmp(word, "policy") == 0	? &r->policy
						: NULL;
}

static const char *line_add(struct reference *r, char *words[WORDS_MAX], size_t count)
{
	struct reference_set *set = set_of(r, words[0]);

	if (strcmp(words[0], "pcr") == 0)
		return count == 3 ? pcr_add(r, words[1], words[2]) : "'pcr NUMBER DIGEST' or 'pcr NUMBER unchecked'";
	if (strcmp(words[0], "image") == 0)
		return count == 3 ? image_add(r, words[1], words[2]) : "'image NAME DIGEST'";
	if (!set)
		return "a line that begins with pcr, hypervisor, signer, boot-list, policy or image";
	return count == 2 ? set_add(set, words[1]) : "one digest behind the word, and nothing else";
}

static bool complete(const struct reference *r, const char *name, struct fault *f)
{
	const struct {
		const char *what;
		size_t count;
	} kinds[] = {
		{ "a line 'hypervisor'", r->hypervisor.count }, { "a line 'signer'", r->signer.count },
		{ "a line 'boot-list'", r->boot_list.count },	{ "a line 'policy'", r->policy.count },
		{ "a line 'image'", r->image_count },
	};
	char what[32];

	for (unsigned int i = 0; i < REFERENCE_PCRS; i++) {
		snprintf(what, sizeof(what), "a line 'pcr %u'", i);
		if (!r->pcr[i].unchecked && r->pcr[i].count == 0)
			return fault_set(f, FAULT_REFERENCE_MISSING, name, what, "none");
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!kinds[i].count)
			return fault_set(f, FAULT_REFERENCE_MISSING, name, kinds[i].what, "none");
	return true;
}

/* The next line of the text without its end; false, with the reason, when it is no line. */
static bool next_line(struct bytes text, size_t *at, char line[LINE_MAX], const char **expected)
{
	const uint8_t *end = memchr(text.data + *at, '\n', text.length - *at);
	size_t length = end ? (size_t)(end - (text.data + *at)) : text.length - *at;

	*expected = NULL;
	if (length >= LINE_MAX)
		*expected = "lines of at most 511 characters";
	else if (memchr(text.data + *at, 0, length))
		*expected = "text without zero bytes";
	if (*expected)
		return false;
	memcpy(line, text.data + *at, length);
	line[length] = 0;
	*at += length + (end ? 1 : 0);
	return true;
}

bool reference_parse(struct bytes text, const char *name, struct reference *r, struct fault *f)
{
	size_t at = 0;
	bool first = true;

	memset(r, 0, sizeof(*r));
	for (unsigned int number = 1; at < text.length; number++) {
		char line[LINE_MAX], shown[80] = "", *words[WORDS_MAX];
		const char *expected;
		size_t count = 1;

		if (next_line(text, &at, line, &expected)) {
			snprintf(shown, sizeof(shown), ": %.77s", line);
			count = split(line, words);
			if (count == 0)
				continue;
			if (first && (count != 2 || strcmp(words[0], "lazaret-reference") || strcmp(words[1], "1")))
				expected = "'lazaret-reference 1' first";
			else if (!first)
				expected = line_add(r, words, count);
		}
		if (expected)
			return fault_set_text(f, FAULT_FORMAT, name, expected, "line %u%s", number, shown);
		first = false;
	}
	return complete(r, name, f);
}

bool reference_load(const char *path, struct reference *r, struct fault *f)
{
	struct bytes text;
	bool ok;

	if (!file_read(path, REFERENCE_FILE_MAX, &text, f))
		return false;
	ok = reference_parse(text, path, r, f);
	file_free(&text);
	return ok;
}

bool reference_match(const struct reference_set *set, const char *component, const uint8_t value[SHA384_SIZE],
		     struct fault *f)
{
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(set->value[i], value, SHA384_SIZE) == 0)
			return true;
	if (set->count == 0)
		return fault_set(f, FAULT_REFERENCE_MISSING, component, "a reference value", "none");
	return fault_set_digest(f, FAULT_REFERENCE, component, set->value[0], value, SHA384_SIZE);
}

bool reference_match_image(const struct reference *r, const char *image, const uint8_t value[SHA384_SIZE],
			   struct fault *f)
{
	const struct reference_image *named = NULL;
	char component[LZR_NAME_MAX + 16], hex[2 * SHA384_SIZE + 1];

	snprintf(component, sizeof(component), "image %s", image);
	for (size_t i = 0; i < r->image_count; i++) {
		if (strcmp(r->image[i].name, image) != 0)
			continue;
		if (memcmp(r->image[i].digest, value, SHA384_SIZE) == 0)
			return true;
		named = named ? named : &r->image[i];
	}
	if (named)
		return fault_set_digest(f, FAULT_REFERENCE, component, named->digest, value, SHA384_SIZE);
	hex_encode(hex, value, SHA384_SIZE);
	return fault_set(f, FAULT_REFERENCE_MISSING, component, "a reference value for this image", hex);
}
