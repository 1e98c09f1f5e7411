/* SPDX-License-Identifier: Apache-2.0 */
/* Places in source files, down to the single value. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "source.h"

#define BLOCK (1u << 20)
#define SOURCE_FILE_MAX (256u << 20)

struct source_file {
	struct source *source;
	char *name;
	bool loaded;
	char *text;             /* NULL: cannot be read */
	size_t size;
	size_t *lines;          /* offset of each line */
	unsigned line_count, line_room;
};

struct block {
	struct block *next;
	size_t used, room;
	char bytes[];
};

struct asked {                  /* what nodes of one type are asked for */
	const char *type;
	const char **names;
	unsigned count, room;
};

struct source {
	struct block *blocks;
	struct source_file **files;
	unsigned file_count, file_room;
	struct table files_by_name;
	struct source_file *last;       /* the one that the line before was from */
	struct asked *asked;
	unsigned asked_count, asked_room;
};

struct source *source_open(void)
{
	return memory_get(sizeof(struct source));
}

void source_close(struct source *source)
{
	for (unsigned i = 0; i < source->file_count; i++) {
		free(source->files[i]->text);
		free(source->files[i]->lines);
		free(source->files[i]);
	}
	for (unsigned i = 0; i < source->asked_count; i++)
		free(source->asked[i].names);
	while (source->blocks) {
		struct block *block = source->blocks;
		source->blocks = block->next;
		free(block);
	}
	table_free(&source->files_by_name);
	free(source->files);
	free(source->asked);
	free(source);
}

struct source *source_of(const struct node *root)
{
	return root->where.file->source;
}

char *source_text(struct source *source, const char *from, size_t length)
{
	if (!source->blocks || source->blocks->room - source->blocks->used <= length) {
		size_t room = length < BLOCK ? BLOCK : length + 1;
		struct block *block = memory_resize(NULL, sizeof(*block) + room);
		block->next = source->blocks;
		block->used = 0;
		block->room = room;
		source->blocks = block;
	}
	char *copy = source->blocks->bytes + source->blocks->used;
	memcpy(copy, from, length);
	copy[length] = 0;
	source->blocks->used += length + 1;
	return copy;
}

struct source_file *source_file(struct source *source, const char *name)
{
	if (source->last && !strcmp(name, source->last->name))
		return source->last;
	unsigned found = table_find_text(&source->files_by_name, name);
	if (found == NONE) {
		struct source_file *file = memory_get(sizeof(*file));
		file->source = source;
		file->name = source_text(source, name, strlen(name));
		found = source->file_count;
		*ARRAY_ADD(source->files, source->file_count, source->file_room) = file;
		table_add_text(&source->files_by_name, file->name, found);
	}
	source->last = source->files[found];
	return source->last;
}

/* "FILE:LINE:COLUMN", taken apart from its end. */
static bool split_place(char *text, unsigned *line, unsigned *column)
{
	char *second = strrchr(text, ':'), *end;

	if (!second)
		return false;
	*column = (unsigned)strtoul(second + 1, &end, 10);
	if (*end || end == second + 1)
		return false;
	*second = 0;
	char *first = strrchr(text, ':');
	*line = first ? (unsigned)strtoul(first + 1, &end, 10) : 0;
	if (!first || *end || end == first + 1) {
		*second = ':';
		return false;
	}
	*first = 0;
	return true;
}

struct place source_place(struct source *source, char *text)
{
	struct place place = { 0 };
	char *more = strstr(text, ", "), *dash = NULL;

	if (more)
		*more = 0;
	for (char *at = text; (at = strchr(at, '-')) != NULL; at++)
		dash = at;
	if (dash)
		*dash = 0;
	if (!split_place(text, &place.line, &place.column) && dash) {
		*dash = '-';
		split_place(text, &place.line, &place.column);
	}
	place.file = source_file(source, text);
	return place;
}

const char *place_file(struct place place)
{
	return place.file ? place.file->name : "lzr-policy";
}

const char *place_text(struct place place, char out[PLACE_TEXT])
{
	if (place.line && place.column)
		snprintf(out, PLACE_TEXT, "%.1000s:%u:%u", place_file(place), place.line, place.column);
	else if (place.line)
		snprintf(out, PLACE_TEXT, "%.1000s:%u", place_file(place), place.line);
	else
		snprintf(out, PLACE_TEXT, "%.1000s", place_file(place));
	return out;
}

static void load(struct source_file *file)
{
	char why[512];

	file->loaded = true;
	file->text = file_load(file->name, SOURCE_FILE_MAX, &file->size, why, sizeof(why));
	if (!file->text)
		return;
	file->text[file->size] = 0;
	*ARRAY_ADD(file->lines, file->line_count, file->line_room) = 0;
	for (size_t i = 0; i < file->size; i++)
		if (file->text[i] == '\n')
			*ARRAY_ADD(file->lines, file->line_count, file->line_room) = i + 1;
}

/* The text from there on; NULL if the file is not what dtc read. */
static const char *text_at(struct place place)
{
	if (!place.file || !place.line || !place.column)
		return NULL;
	if (!place.file->loaded)
		load(place.file);
	if (!place.file->text || place.line > place.file->line_count)
		return NULL;
	size_t at = place.file->lines[place.line - 1] + place.column - 1;
	return at < place.file->size ? place.file->text + at : NULL;
}

static struct place place_behind(struct place place, const char *from, const char *to)
{
	for (; from < to; from++) {
		place.column = *from == '\n' ? 1 : place.column + 1;
		place.line += *from == '\n';
	}
	return place;
}

/* Behind the last word or sign before `place` that is no blank and no comment. */
struct place place_before(struct place place, char *last)
{
	const char *end = text_at(place), *at = end ? place.file->text : NULL, *behind = NULL;

	*last = 0;
	while (at && at < end) {
		const char *from = at;

		if (!strncmp(at, "/*", 2))
			at = strstr(at + 2, "*/") ? strstr(at + 2, "*/") + 2 : end;
		else if (!strncmp(at, "//", 2))
			at += strcspn(at, "\n");
		else if (*at == '"')
			for (at++; at < end && *at != '"'; at++)
				at += *at == '\\';
		else
			at++;
		if (*from == '"' || (at == from + 1 && !isspace((unsigned char)*from))) {
			behind = *from == '"' ? ++at : at;
			*last = *from;
		}
	}
	return behind && behind <= end ? place_behind((struct place){ place.file, 1, 1 }, place.file->text, behind)
				       : place;
}

struct place place_of_name(struct place brace)
{
	const char *at = text_at(brace);
	struct place place = brace;

	if (!at || *at != '{')
		return brace;
	while (place.column > 1 && (at[-1] == ' ' || at[-1] == '\t'))
		at--, place.column--;
	while (place.column > 1 && !isspace((unsigned char)at[-1]) && !strchr(";{}", at[-1]))
		at--, place.column--;
	return *at == '{' || isspace((unsigned char)*at) ? brace : place;
}

/* Behind white space and comments. */
static const char *skip_blank(const char *at)
{
	for (;;) {
		const char *end = NULL;
		if (isspace((unsigned char)*at)) {
			at++;
			continue;
		}
		if (at[0] == '/' && at[1] == '/')
			end = strchr(at, '\n');
		else if (at[0] == '/' && at[1] == '*' && (end = strstr(at + 2, "*/")))
			end += 2;
		if (!end)
			return at;
		at = end;
	}
}

/* Behind one string, number or word. */
static const char *skip_value(const char *at)
{
	if (*at == '"') {
		const char *end = strchr(at + 1, '"');
		return end ? end + 1 : at + strlen(at);
	}
	while (*at && !isspace((unsigned char)*at) && !strchr(",;<>\"", *at))
		at++;
	return at;
}

bool has_incbin(struct place property)
{
	const char *at = text_at(property);

	while (at && *(at = skip_blank(at)) && *at != ';' && strncmp(at, "/incbin/", 8) != 0)
		at = *at == '"' ? skip_value(at) : at + 1;
	return at && *at == '/';
}

struct place value_place(const struct property *property, unsigned index)
{
	const char *begin = text_at(property->where), *at = begin;
	size_t length = strlen(property->name);

	if (!at || strncmp(at, property->name, length) || *(at = skip_blank(at + length)) != '=')
		return property->where;
	at = skip_blank(at + 1);
	for (unsigned i = 0; *at && *at != ';'; at = skip_blank(at)) {
		if (strchr(",<>", *at)) {
			at++;
			continue;
		}
		if (i++ == index)
			return place_behind(property->where, begin, at);
		at = skip_value(at);
	}
	return property->where;
}

struct place where_of(struct node *node, const char *property)
{
	for (unsigned i = 0; property && i < node->property_count; i++)
		if (!strcmp(node->properties[i].name, property))
			return value_place(&node->properties[i], 0);
	return node->where;
}

/* --- what nodes are asked for ------------------------------------------------------------------------------------- */

static struct asked *asked_of(struct node *node)
{
	struct source *source = source_of(node);

	for (unsigned i = 0; i < source->asked_count; i++)
		if (source->asked[i].type == node->type || !strcmp(source->asked[i].type, node->type))
			return &source->asked[i];
	struct asked *asked = ARRAY_ADD(source->asked, source->asked_count, source->asked_room);
	asked->type = node->type;
	return asked;
}

void node_asked(struct node *node, const char *name)
{
	if (!node->type)
		return;
	struct asked *asked = asked_of(node);
	for (unsigned i = 0; i < asked->count; i++)
		if (asked->names[i] == name)
			return;
	*ARRAY_ADD(asked->names, asked->count, asked->room) = name;
}

static void unknown(struct node *node, struct place where, const char *what, const char *name, struct report *report)
{
	struct asked *asked = asked_of(node);
	struct nearest nearest;
	char hint[NEAREST_TEXT];

	nearest_begin(&nearest, name);
	for (unsigned i = 0; i < asked->count; i++)
		nearest_try(&nearest, asked->names[i]);
	complain(report, where, "unknown %s \"%s\" in node \"%s\"%s", what, name, node->name,
		 nearest_text(&nearest, hint));
}

void source_unused(struct node *node, struct report *report)
{
	for (unsigned i = 0; i < node->property_count; i++)
		if (!node->properties[i].used)
			unknown(node, node->properties[i].where, "property", node->properties[i].name, report);
	for (unsigned i = 0; i < node->child_count; i++) {
		if (!node->children[i]->type)
			unknown(node, node->children[i]->where, "node", node->children[i]->name, report);
		else
			source_unused(node->children[i], report);
	}
}
