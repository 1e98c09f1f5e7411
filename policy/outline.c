/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what a policy says: memory, and values as text. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "outline.h"

char *text_of(const char *format, ...)
{
	size_t room = 128;
	char *text = memory_get(room);
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(text, room, format, arguments);
	va_end(arguments);
	if ((size_t)length >= room) {
		text = memory_resize(text, (size_t)length + 1);
		va_start(arguments, format);
		vsnprintf(text, (size_t)length + 1, format, arguments);
		va_end(arguments);
	}
	return text;
}

char *text_size(uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned unit = 0;

	while (bytes && bytes % 1024 == 0 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	return text_of("%" PRIu64 " %s", bytes, units[unit]);
}

char *text_time(uint64_t ns)
{
	static const struct { uint64_t factor; const char *unit; } units[] = {
		{ 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" },
	};
	unsigned i = 0;

	while (ns % units[i].factor)
		i++;
	return text_of("%" PRIu64 " %s", ns / units[i].factor, units[i].unit);
}

char *text_hex(const uint8_t *bytes, size_t size)
{
	char *text = memory_get(2 * size + 1);

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

char *text_add(char *text, const char *separator, const char *more)
{
	size_t length = strlen(text), gap = length ? strlen(separator) : 0;

	text = memory_resize(text, length + gap + strlen(more) + 1);
	memcpy(text + length, separator, gap);
	strcpy(text + length + gap, more);
	return text;
}

struct outline_subject *outline_add(struct outline *outline, char *key, char *title, enum judge judge)
{
	struct outline_subject *subject = ARRAY_ADD(outline->subjects, outline->count, outline->room);

	*subject = (struct outline_subject){ .key = key ? key : text_of("%s", title), .title = title, .judge = judge };
	for (unsigned copy = 2; table_add_text(&outline->by_key, subject->key, outline->count - 1) != NONE; copy++) {
		char *numbered = text_of("%s #%u", title, copy);
		free(subject->key);
		subject->key = numbered;
	}
	return subject;
}

struct outline_subject *outline_find(struct outline *outline, char *title)
{
	unsigned found = table_find_text(&outline->by_key, title);

	if (found == NONE)
		return outline_add(outline, NULL, title, JUDGE_PRESENT);
	free(title);
	return &outline->subjects[found];
}

struct outline_line *outline_say(struct outline_subject *subject, const char *name, enum judge judge, char *value)
{
	struct outline_line *line = ARRAY_ADD(subject->lines, subject->count, subject->room);

	*line = (struct outline_line){ .name = name, .value = value, .judge = judge };
	return line;
}

void outline_number(struct outline_subject *subject, const char *name, enum judge judge, enum phrase phrase,
		    uint64_t number, char *value)
{
	struct outline_line *line = outline_say(subject, name, judge, value);

	line->number = number;
	line->phrase = phrase;
}

void outline_may(struct outline *outline, const char *who, const char *verb, const char *whom)
{
	struct outline_subject *subject =
		outline_add(outline, NULL, text_of("%s may %s %s", who, verb, whom), JUDGE_PRESENT);

	subject->gained = text_of("%s may now %s %s", who, verb, whom);
	subject->lost = text_of("%s may no longer %s %s", who, verb, whom);
}

void outline_audit(struct outline *outline, const char *who, const bool *audited, unsigned count)
{
	bool all = count != 0;

	for (unsigned i = 0; i < count; i++)
		all = all && audited[i];
	if (all)
		outline_may(outline, who, READ_AUDIT, "the hypervisor");
}

const struct outline_line *outline_line(const struct outline_subject *subject, const char *name)
{
	for (unsigned i = 0; i < subject->count; i++)
		if (!strcmp(subject->lines[i].name, name))
			return &subject->lines[i];
	return NULL;
}

void outline_free(struct outline *outline)
{
	for (unsigned i = 0; i < outline->count; i++) {
		struct outline_subject *subject = &outline->subjects[i];
		for (unsigned j = 0; j < subject->count; j++)
			free(subject->lines[j].value);
		free(subject->lines);
		free(subject->key);
		free(subject->title);
		free(subject->gained);
		free(subject->lost);
	}
	free(outline->subjects);
	table_free(&outline->by_key);
	*outline = (struct outline){ 0 };
}
