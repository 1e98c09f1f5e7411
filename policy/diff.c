/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two policies compared.  Each change is a line; '!' marks what widens authority, '-' what narrows it, a blank what
 * does neither.  A change that is not known to be harmless widens.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "outline.h"

void diff_line(struct diff *diff, char mark, const char *format, ...)
{
	va_list arguments;

	diff->changes++;
	diff->widening += mark == '!';
	diff->narrowing += mark == '-';
	fprintf(diff->out, "%c ", mark);
	va_start(arguments, format);
	print_tame_list(diff->out, format, arguments);
	va_end(arguments);
	fputc('\n', diff->out);
}

static char mark_gained(enum judge judge)
{
	switch (judge) {
	case JUDGE_ANY:
	case JUDGE_PRESENT:
	case JUDGE_MORE:
		return '!';
	case JUDGE_ABSENT:
	case JUDGE_LESS:
	case JUDGE_LIMIT:
		return '-';
	case JUDGE_NEVER:
		break;
	}
	return ' ';
}

static char mark_lost(enum judge judge)
{
	switch (judge) {
	case JUDGE_ANY:
	case JUDGE_ABSENT:
	case JUDGE_LESS:
	case JUDGE_LIMIT:
		return '!';
	case JUDGE_PRESENT:
	case JUDGE_MORE:
		return '-';
	case JUDGE_NEVER:
		break;
	}
	return ' ';
}

static char mark_changed(const struct outline_line *from, const struct outline_line *to)
{
	uint64_t a = from->number, b = to->number;

	if (from->judge != to->judge)
		return '!';
	switch (to->judge) {
	case JUDGE_ANY:
	case JUDGE_PRESENT:
	case JUDGE_ABSENT:
		break;
	case JUDGE_MORE:
		return b < a ? '-' : '!';
	case JUDGE_LESS:
		return b > a ? '-' : '!';
	case JUDGE_LIMIT:
		return b && (!a || b < a) ? '-' : '!';
	case JUDGE_NEVER:
		return ' ';
	}
	return '!';
}

static void say_changed(struct diff *diff, const char *title, const struct outline_line *from,
			const struct outline_line *to)
{
	char mark = mark_changed(from, to);

	switch (to->phrase) {
	case PHRASE_MOVES:
		diff_line(diff, mark, "%s moves from %s to %s", title, from->value, to->value);
		break;
	case PHRASE_CHANGED:
		diff_line(diff, mark, "%s of %s changed: %.16s.. -> %.16s..", to->name, title, from->value, to->value);
		break;
	case PHRASE_RAISED:
		diff_line(diff, mark, "%s: %s %s from %s to %s", title, to->name,
			  from->number == to->number  ? "changed"
			  : from->number < to->number ? "raised"
						      : "lowered",
			  from->value, to->value);
		break;
	case PHRASE_ARROW:
		diff_line(diff, mark, "%s: %s %s -> %s", title, to->name, from->value, to->value);
		break;
	}
}

/* A flag is said by its name alone. */
static void say_one(struct diff *diff, char mark, const char *title, const char *word, const struct outline_line *line)
{
	diff_line(diff, mark, "%s: %s%s%s%s", title, word, line->name, *line->value ? " " : "", line->value);
}

static void compare_subject(struct diff *diff, const struct outline_subject *from, const struct outline_subject *to)
{
	for (unsigned i = 0; i < to->count; i++) {
		const struct outline_line *line = &to->lines[i], *old = outline_line(from, line->name);
		if (!old)
			say_one(diff, mark_gained(line->judge), to->title, "now ", line);
		else if (!(old->inherited && line->inherited) &&
			 (strcmp(old->value, line->value) || old->number != line->number))
			say_changed(diff, to->title, old, line);
	}
	for (unsigned i = 0; i < from->count; i++)
		if (!outline_line(to, from->lines[i].name))
			say_one(diff, mark_lost(from->lines[i].judge), to->title, "no longer ", &from->lines[i]);
}

static void say_gained(struct diff *diff, const struct outline_subject *subject)
{
	char *details = text_of("%s", ""), digest[20];

	for (unsigned i = 0; i < subject->count; i++) {
		const struct outline_line *line = &subject->lines[i];
		details = text_add(details, ", ", line->name);
		if (line->phrase == PHRASE_CHANGED)
			snprintf(digest, sizeof(digest), "%.16s..", line->value);
		if (*line->value)
			details = text_add(details, " ", line->phrase == PHRASE_CHANGED ? digest : line->value);
	}
	if (subject->gained)
		diff_line(diff, mark_gained(subject->judge), "%s", subject->gained);
	else
		diff_line(diff, mark_gained(subject->judge), "new %s%s%s", subject->title, *details ? ": " : "",
			details);
	free(details);
}

void diff_outlines(struct diff *diff, const struct outline *from, const struct outline *to)
{
	for (unsigned i = 0; i < to->count; i++) {
		const struct outline_subject *subject = &to->subjects[i];
		unsigned old = table_find_text(&from->by_key, subject->key);
		if (old == NONE)
			say_gained(diff, subject);
		else
			compare_subject(diff, &from->subjects[old], subject);
	}
	for (unsigned i = 0; i < from->count; i++) {
		const struct outline_subject *subject = &from->subjects[i];
		if (table_find_text(&to->by_key, subject->key) != NONE)
			continue;
		if (subject->lost)
			diff_line(diff, mark_lost(subject->judge), "%s", subject->lost);
		else
			diff_line(diff, mark_lost(subject->judge), "%s is gone", subject->title);
	}
}

int diff_end(struct diff *diff)
{
	if (!diff->changes)
		fprintf(diff->out, "no difference\n");
	else
		fprintf(diff->out, "%u change%s: %u widen%s authority (!), %u narrow%s it (-)\n", diff->changes,
			diff->changes == 1 ? "" : "s", diff->widening, diff->widening == 1 ? "s" : "", diff->narrowing,
			diff->narrowing == 1 ? "s" : "");
	return diff->widening ? DIFF_WIDENS : diff->changes ? DIFF_DIFFERS : DIFF_SAME;
}
