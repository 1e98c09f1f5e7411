/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source as a tree.  dtc does the language (syntax, includes, references, duplicate names); asked for annotated
 * source output, it writes one node or property a line, each with a comment that says where it came from.  That output
 * is what is read here, so every later message can name file and line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy.h"

#define SOURCE_MAX (4u << 20)
#define DEPTH_MAX 8u

void complain(struct report *report, const char *where, const char *format, ...)
{
	char line[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	report->errors++;
	int written =
		snprintf(report->text + report->length, REPORT_MAX - report->length, "%s: error: %s\n", where, line);
	if (written > 0 && (size_t)written < REPORT_MAX - report->length)
		report->length += (size_t)written;
	else
		report->text[report->length] = 0;
}

static void *grow(void *array, size_t size)
{
	void *bigger = realloc(array, size);

	if (!bigger) {
		fprintf(stderr, "lzr-policy: out of memory\n");
		exit(2);
	}
	return bigger;
}

static char *copy_text(const char *from, size_t length)
{
	char *copy = grow(NULL, length + 1);

	memcpy(copy, from, length);
	copy[length] = 0;
	return copy;
}

static struct node *node_new(struct node *parent, const char *name, size_t length, const char *where)
{
	struct node *node = grow(NULL, sizeof(*node));

	*node = (struct node){ .name = copy_text(name, length),
			       .where = copy_text(where, strlen(where)),
			       .parent = parent };
	if (parent) {
		parent->children = grow(parent->children, (parent->child_count + 1) * sizeof(node));
		parent->children[parent->child_count++] = node;
	}
	return node;
}

void node_free(struct node *node)
{
	if (!node)
		return;
	for (unsigned i = 0; i < node->property_count; i++) {
		struct property *p = &node->properties[i];
		for (unsigned j = 0; p->strings && j < p->count; j++)
			free(p->strings[j]);
		free(p->strings);
		free(p->cells);
		free(p->name);
		free(p->where);
	}
	for (unsigned i = 0; i < node->child_count; i++)
		node_free(node->children[i]);
	free(node->properties);
	free(node->children);
	free(node->name);
	free(node->where);
	free(node);
}

/* One string literal; returns the text behind it, NULL if it is not one or has an escape. */
static char *parse_string(char *at, struct property *p)
{
	char *end = at + 1;

	while (*end && *end != '"' && *end != '\\')
		end++;
	if (*end != '"')
		return NULL;
	p->strings = grow(p->strings, (p->count + 1) * sizeof(char *));
	p->strings[p->count++] = copy_text(at + 1, (size_t)(end - at - 1));
	return end + 1;
}

static char *parse_cells(char *at, struct property *p)
{
	at++;
	for (;;) {
		while (*at == ' ')
			at++;
		if (*at == '>')
			return at + 1;
		char *end;
		unsigned long value = strtoul(at, &end, 0);
		if (end == at || value > UINT32_MAX)
			return NULL;
		p->cells = grow(p->cells, (p->count + 1) * sizeof(uint32_t));
		p->cells[p->count++] = (uint32_t)value;
		at = end;
	}
}

/* The values between '=' and ';'.  Anything but a list of strings or a list of cells is KIND_MIXED. */
static void parse_values(char *at, struct property *p)
{
	p->kind = KIND_MIXED;
	while (*at == ' ')
		at++;
	enum kind kind = *at == '"' ? KIND_STRINGS : *at == '<' ? KIND_CELLS : KIND_MIXED;
	while (kind != KIND_MIXED) {
		if (*at != (kind == KIND_STRINGS ? '"' : '<'))
			return;
		at = kind == KIND_STRINGS ? parse_string(at, p) : parse_cells(at, p);
		if (!at)
			return;
		while (*at == ' ')
			at++;
		if (*at == 0)
			break;
		if (*at++ != ',')
			return;
		while (*at == ' ')
			at++;
	}
	p->kind = kind;
}

static void parse_property(struct node *node, char *line, const char *where)
{
	char *equals = strstr(line, " = ");
	size_t length = equals ? (size_t)(equals - line) : strlen(line);

	node->properties = grow(node->properties, (node->property_count + 1) * sizeof(struct property));
	struct property *p = &node->properties[node->property_count++];
	*p = (struct property){ .name = copy_text(line, length), .where = copy_text(where, strlen(where)) };
	if (equals)
		parse_values(equals + 3, p);
}

/* Splits a line at the comment that ends it, which names the place; false for a line without one. */
static bool split_comment(char *line, const char **where)
{
	size_t length = strlen(line);
	char *comment = NULL;

	if (length < 6 || strcmp(line + length - 3, " */"))
		return false;
	line[length - 3] = 0;
	for (char *at = line; (at = strstr(at, " /* ")) != NULL; at++)
		comment = at;
	if (!comment)
		return false;
	*comment = 0;
	*where = comment + 4;
	return true;
}

/* dtc names files as seen from the first one's folder; a reader wants them as seen from where the command was given. */
static const char *place(const char *dir, const char *where, char *out, size_t size)
{
	snprintf(out, size, "%s%s", *where == '/' ? "" : dir, where);
	return out;
}

/* One line of dtc's output; *node is the innermost open node.  False when it is not understood. */
static bool parse_line(char *line, const char *dir, struct node **node, struct node **root, unsigned *depth)
{
	const char *where = "";
	char full[4096];

	while (*line == '\t' || *line == ' ')
		line++;
	if (*line == 0 || !strncmp(line, "/dts-v1/", 8) || !strncmp(line, "/memreserve/", 12))
		return true;
	if (!split_comment(line, &where))
		return false;
	where = place(dir, where, full, sizeof(full));
	size_t length = strlen(line);
	if (!strcmp(line, "};")) {
		if (!*node)
			return false;
		*node = (*node)->parent;
		(*depth)--;
		return true;
	}
	if (length > 2 && !strcmp(line + length - 2, " {")) {
		char *name = strrchr(line, ':') ? strrchr(line, ':') + 2 : line; /* dtc keeps labels: "a: node {" */
		if (++*depth > DEPTH_MAX || (!*node && *root))
			return false;
		*node = node_new(*node, name, strlen(name) - 2, where);
		if (!*root)
			*root = *node;
		return true;
	}
	if (!*node || line[length - 1] != ';')
		return false;
	line[length - 1] = 0;
	parse_property(*node, line, where);
	return true;
}

struct node *source_parse(char *text, const char *dir, struct report *report)
{
	struct node *root = NULL, *node = NULL;
	unsigned depth = 0, number = 0;
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		number++;
		if (!parse_line(line, dir, &node, &root, &depth)) {
			complain(report, "dtc output", "line %u is not understood: %.60s", number, line);
			node_free(root);
			return NULL;
		}
	}
	if (!root || node) {
		complain(report, "dtc output", "expected one complete tree");
		node_free(root);
		return NULL;
	}
	return root;
}

static char *run_dtc(const char *path, struct report *report)
{
	size_t size = 0, room = 0;
	char *text = NULL;
	int pipes[2], status;

	if (pipe(pipes) != 0) {
		complain(report, path, "cannot start dtc: %s", strerror(errno));
		return NULL;
	}
	pid_t child = fork();
	if (child == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execlp("dtc", "dtc", "-q", "-I", "dts", "-O", "dts", "-T", "--", path, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	for (ssize_t got = 1; child > 0 && got > 0 && size < SOURCE_MAX; size += got > 0 ? (size_t)got : 0) {
		if (room - size < 4096)
			text = grow(text, room += 65536);
		got = read(pipes[0], text + size, room - size - 1);
	}
	close(pipes[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) || !text) {
		complain(report, path, "dtc does not accept it (its message is above)");
		free(text);
		return NULL;
	}
	text[size] = 0;
	return text;
}

struct node *source_read(const char *path, struct report *report)
{
	const char *slash = strrchr(path, '/');
	char *dir = copy_text(path, slash ? (size_t)(slash + 1 - path) : 0), *text = run_dtc(path, report);
	struct node *root = text ? source_parse(text, dir, report) : NULL;

	free(dir);
	free(text);
	return root;
}

void source_unused(struct node *node, struct report *report)
{
	for (unsigned i = 0; i < node->property_count; i++)
		if (!node->properties[i].used)
			complain(report, node->properties[i].where, "unknown property \"%s\" in node \"%s\"",
				 node->properties[i].name, node->name);
	for (unsigned i = 0; i < node->child_count; i++) {
		if (!node->children[i]->used)
			complain(report, node->children[i]->where, "unknown node \"%s\" in node \"%s\"",
				 node->children[i]->name, node->name);
		else
			source_unused(node->children[i], report);
	}
}
