/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as text, and "did you mean". */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

void text_tame(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at; at++)
		if ((*at < ' ' && *at != '\n') || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
			*at = '?';
}

void print_tame_list(FILE *out, const char *format, va_list arguments)
{
	va_list again;

	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *text = memory_get((size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	text_tame(text);
	fputs(text, out);
	free(text);
}

void print_tame(FILE *out, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_tame_list(out, format, arguments);
	va_end(arguments);
}

static void add_finding(struct report *report, struct place where, const char *kind, const char *format,
			va_list arguments)
{
	char place[PLACE_TEXT];
	va_list again;

	if (!report->text)
		report->text = memory_get(report->room = 1);
	if (report->written == REPORT_SHOWN)
		return;
	report->written++;
	place_text(where, place);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	size_t need = report->length + strlen(place) + strlen(kind) + (size_t)length + sizeof(": : \n");
	if (need > report->room)
		report->text = memory_resize(report->text, report->room = 2 * need);
	char *line = report->text + report->length;
	report->length += (size_t)sprintf(line, "%s: %s: ", place, kind);
	report->length += (size_t)vsprintf(report->text + report->length, format, arguments);
	text_tame(line);        /* a path of several hops has a line for each */
	report->length += (size_t)sprintf(report->text + report->length, "\n");
}

void complain(struct report *report, struct place where, const char *format, ...)
{
	va_list arguments;

	report->errors++;
	va_start(arguments, format);
	add_finding(report, where, "error", format, arguments);
	va_end(arguments);
}

void warn(struct report *report, struct place where, const char *format, ...)
{
	va_list arguments;

	report->warnings++;
	va_start(arguments, format);
	add_finding(report, where, "warning", format, arguments);
	va_end(arguments);
}

void report_print(const struct report *report, FILE *out)
{
	unsigned all = report->errors + report->warnings;

	if (report->text)
		fputs(report->text, out);
	if (all > report->written)
		fprintf(out, "lzr-policy: and %u more %s(s)\n", all - report->written,
			report->errors ? "error" : "warning");
}

void report_free(struct report *report)
{
	free(report->text);
	*report = (struct report){ 0 };
}

/* Edit distance with a cost of one for a change, a loss, an addition, or two neighbours swapped. */
static unsigned distance_of(const char *a, const char *b)
{
	unsigned rows[3][LZR_NAME_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > LZR_NAME_MAX || b_length > LZR_NAME_MAX)
		return NONE;
	for (unsigned j = 0; j <= b_length; j++)
		last[j] = j;
	for (unsigned i = 1; i <= a_length; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= b_length; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		unsigned *old = before;
		before = last;
		last = now;
		now = old;
	}
	return last[b_length];
}

void nearest_begin(struct nearest *nearest, const char *wanted)
{
	*nearest = (struct nearest){ .wanted = wanted, .distance = NONE };
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
	unsigned distance = distance_of(nearest->wanted, candidate);

	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->best = candidate;
	}
}

/* Near is: one letter of three, two of seven, three of more are wrong. */
const char *nearest_text(const struct nearest *nearest, char out[NEAREST_TEXT])
{
	size_t length = strlen(nearest->wanted);

	out[0] = 0;
	if (nearest->best && nearest->distance <= (length < 4 ? 1 : length < 8 ? 2 : 3) &&
	    nearest->distance < strlen(nearest->best))
		snprintf(out, NEAREST_TEXT, " (did you mean \"%s\"?)", nearest->best);
	return out;
}
