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

static bool set_add(struct reference_set *set, const char *hex)
{
	uint8_t value[SHA384_SIZE];

	if (set->unchecked || set->count == REFERENCE_VALUES_MAX || !hex_decode(value, sizeof(value), hex))
		return false;
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(set->value[i], value, sizeof(value)) == 0)
			return false;
	memcpy(set->value[set->count++], value, sizeof(value));
	return true;
}

static bool pcr_add(struct reference *r, const char *number, const char *value)
{
	struct reference_set *set;

	if (number[0] < '0' || number[0] > '7' || number[1])
		return false;
	set = &r->pcr[number[0] - '0'];
	if (strcmp(value, "unchecked") != 0)
		return set_add(set, value);
	if (set->unchecked || set->count || number[0] == '4')
		return false;
	set->unchecked = true;
	return true;
}

static bool image_add(struct reference *r, const char *name, const char *hex)
{
	struct reference_image *image = &r->image[r->image_count];

	if (r->image_count == REFERENCE_IMAGES_MAX || strlen(name) >= LZR_NAME_MAX ||
	    !hex_decode(image->digest, SHA384_SIZE, hex))
		return false;
	for (size_t i = 0; i < r->image_count; i++)
		if (strcmp(r->image[i].name, name) == 0 && memcmp(r->image[i].digest, image->digest, SHA384_SIZE) == 0)
			return false;
	snprintf(image->name, sizeof(image->name), "%s", name);
	r->image_count++;
	return true;
}

static bool line_add(struct reference *r, char *words[WORDS_MAX], size_t count)
{
	if (count == 3 && strcmp(words[0], "pcr") == 0)
		return pcr_add(r, words[1], words[2]);
	if (count == 3 && strcmp(words[0], "image") == 0)
		return image_add(r, words[1], words[2]);
	if (count != 2)
		return false;
	if (strcmp(words[0], "hypervisor") == 0)
		return set_add(&r->hypervisor, words[1]);
	if (strcmp(words[0], "signer") == 0)
		return set_add(&r->signer, words[1]);
	if (strcmp(words[0], "boot-list") == 0)
		return set_add(&r->boot_list, words[1]);
	if (strcmp(words[0], "policy") == 0)
		return set_add(&r->policy, words[1]);
	return false;
}

static bool complete(const struct reference *r, const char *name, struct fault *f)
{
	char what[32];

	for (unsigned int i = 0; i < REFERENCE_PCRS; i++) {
		snprintf(what, sizeof(what), "a line 'pcr %u'", i);
		if (!r->pcr[i].unchecked && r->pcr[i].count == 0)
			return fault_set(f, FAULT_REFERENCE_MISSING, name, what, "none");
	}
	if (!r->hypervisor.count || !r->signer.count || !r->boot_list.count || !r->policy.count || !r->image_count)
		return fault_set(f, FAULT_REFERENCE_MISSING, name,
				 "hypervisor, signer, boot-list, policy and image lines", "one kind is missing");
	return true;
}

bool reference_parse(struct bytes text, const char *name, struct reference *r, struct fault *f)
{
	size_t at = 0;
	bool first = true;

	memset(r, 0, sizeof(*r));
	for (unsigned int number = 1; at < text.length; number++) {
		const uint8_t *end = memchr(text.data + at, '\n', text.length - at);
		size_t length = end ? (size_t)(end - (text.data + at)) : text.length - at;
		char line[LINE_MAX], shown[80], *words[WORDS_MAX];
		size_t count;

		if (length >= sizeof(line) || memchr(text.data + at, 0, length))
			return fault_set_text(f, FAULT_FORMAT, name, "lines of text", "line %u is none", number);
		memcpy(line, text.data + at, length);
		line[length] = 0;
		snprintf(shown, sizeof(shown), "%.79s", line);
		at += length + (end ? 1 : 0);
		count = split(line, words);
		if (count == 0)
			continue;
		if (first && (count != 2 || strcmp(words[0], "lazaret-reference") != 0 || strcmp(words[1], "1") != 0))
			return fault_set_text(f, FAULT_FORMAT, name, "'lazaret-reference 1' first", "line %u: %s",
					      number, shown);
		if (!first && !line_add(r, words, count))
			return fault_set_text(f, FAULT_FORMAT, name,
					      "pcr, hypervisor, signer, boot-list, policy or image, once",
					      "line %u: %s", number, shown);
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
