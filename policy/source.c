/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source as a tree.  dtc does the language (syntax, includes, references, duplicate names); asked twice for
 * annotated source output, it writes one node or property a line, each with a comment that says from which lines and
 * columns it came.  That output is what is read here; where a single value is, the source files themselves tell.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy.h"
#include "source.h"

#define OUTPUT_MAX (512u << 20)
#define DEPTH_MAX 8u
#define LIST_TOO_LONG \
	" in dtc's parser: expected at most some 3000 nodes in one pair of braces; write a longer list in several " \
	"parts, such as \"vms\", \"vms@2\", \"vms@3\""

static struct node *node_new(struct source *source, struct node *parent, const char *name, size_t length,
			     struct place where)
{
	struct node *node = memory_get(sizeof(*node));

	node->name = source_text(source, name, length);
	node->where = where;
	node->parent = parent;
	if (parent)
		*ARRAY_ADD(parent->children, parent->child_count, parent->child_room) = node;
	return node;
}

static void node_free(struct node *node)
{
	if (!node)
		return;
	for (unsigned i = 0; i < node->property_count; i++) {
		free(node->properties[i].strings);
		free(node->properties[i].cells);
	}
	for (unsigned i = 0; i < node->child_count; i++)
		node_free(node->children[i]);
	free(node->properties);
	free(node->children);
	free(node);
}

void source_free(struct node *root)
{
	if (!root)
		return;
	struct source *source = source_of(root);
	node_free(root);
	source_close(source);
}

/* One string literal; returns the text behind it, NULL if it is not one or has an escape. */
static char *parse_string(struct source *source, char *at, struct property *p)
{
	char *end = at + 1;

	while (*end && *end != '"' && *end != '\\')
		end++;
	if (*end != '"')
		return NULL;
	*ARRAY_ADD(p->strings, p->count, p->room) = source_text(source, at + 1, (size_t)(end - at - 1));
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
		*ARRAY_ADD(p->cells, p->count, p->room) = (uint32_t)value;
		at = end;
	}
}

/* The values between '=' and ';'.  Anything but a list of strings or a list of cells is KIND_MIXED. */
static void parse_values(struct source *source, char *at, struct property *p)
{
	p->kind = KIND_MIXED;
	while (*at == ' ')
		at++;
	enum kind kind = *at == '"' ? KIND_STRINGS : *at == '<' ? KIND_CELLS : KIND_MIXED;
	while (kind != KIND_MIXED) {
		if (*at != (kind == KIND_STRINGS ? '"' : '<'))
			return;
		at = kind == KIND_STRINGS ? parse_string(source, at, p) : parse_cells(at, p);
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

static void parse_property(struct source *source, struct node *node, char *line, struct place where,
			   struct report *report)
{
	char *equals = strstr(line, " = ");
	size_t length = equals ? (size_t)(equals - line) : strlen(line);
	struct property *p = ARRAY_ADD(node->properties, node->property_count, node->property_room);

	p->name = source_text(source, line, length);
	p->where = where;
	if (equals)
		parse_values(source, equals + 3, p);
	if (has_incbin(where))
		complain(report, where, "property \"%s\": expected a value that is written here, found /incbin/",
			 p->name);
}

/* Splits a line at the comment that ends it, which names the place; false for a line without one. */
static bool split_comment(char *line, char **where)
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

struct parser {
	struct source *source;
	struct report *report;
	struct node *root, *node;       /* `node`: the innermost open one */
	unsigned depth;
};

static bool open_node(struct parser *parser, char *line, size_t length, struct place where)
{
	char *label = strrchr(line, ':');       /* dtc keeps labels: "a: node {" */
	char *name = label ? label + 2 : line;

	if ((!parser->node && parser->root) || name >= line + length - 2)
		return false;
	if (++parser->depth > DEPTH_MAX) {
		complain(parser->report, place_of_name(where), "node \"%.*s\": expected at most %u levels of nodes",
			 (int)(length - 2 - (size_t)(name - line)), name, DEPTH_MAX);
		return false;
	}
	parser->node = node_new(parser->source, parser->node, name, length - 2 - (size_t)(name - line),
				place_of_name(where));
	if (!parser->root)
		parser->root = parser->node;
	return true;
}

static bool check_twice(struct table *seen, const char *what, const char *name, struct place where, unsigned index,
			const struct place *first, struct report *report)
{
	char place[PLACE_TEXT];

	if (table_add_text(seen, name, index) == NONE)
		return false;
	complain(report, where, "%s \"%s\" is given twice: it is also in %s", what, name,
		 place_text(*first, place));
	return true;
}

static void check_children(const struct node *node, struct report *report)
{
	struct table children = { 0 };

	for (unsigned i = 0; i < node->child_count; i++) {
		struct node *child = node->children[i];
		unsigned first = table_find_text(&children, child->name);
		check_twice(&children, "node", child->name, child->where, i,
			    &node->children[first == NONE ? i : first]->where, report);
	}
	table_free(&children);
}

/* Nothing of a name twice in one node.  Another part of the source that says "/ { .. };" again adds to it. */
static void close_node(struct node *node, struct report *report)
{
	struct table properties = { 0 };

	for (unsigned i = 0; i < node->property_count; i++) {
		struct property *p = &node->properties[i];
		unsigned first = table_find_text(&properties, p->name);
		p->used = check_twice(&properties, "property", p->name, p->where, i,
			    &node->properties[first == NONE ? i : first].where, report);
	}
	check_children(node, report);
	table_free(&properties);
}

static bool is_part(const struct node *node, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(node->name, name, length) && (node->name[length] == 0 || node->name[length] == '@');
}

struct node *node_list(struct node *node, const char *name, struct report *report)
{
	struct node *list = NULL;
	unsigned parts = 0;

	node_asked(node, name);
	for (unsigned i = 0; i < node->child_count; i++) {
		struct node *part = node->children[i];
		if (!is_part(part, name))
			continue;
		part->type = name;
		parts++;
		if (!list)
			list = part;
		for (unsigned j = 0; part != list && j < part->child_count; j++) {
			*ARRAY_ADD(list->children, list->child_count, list->child_room) = part->children[j];
			part->children[j]->parent = list;
		}
		part->child_count = part != list ? 0 : part->child_count;
	}
	if (parts > 1)
		check_children(list, report);
	if (list)
		check_alike(list, report);
	return list;
}

/* One line of dtc's output.  False when it is not understood. */
static bool parse_line(struct parser *parser, char *line)
{
	char *comment;

	while (*line == '\t' || *line == ' ')
		line++;
	if (*line == 0 || !strncmp(line, "/dts-v1/", 8) || !strncmp(line, "/memreserve/", 12))
		return true;
	if (!split_comment(line, &comment))
		return false;
	size_t length = strlen(line);
	if (!strcmp(line, "};")) {
		if (!parser->node)
			return false;
		close_node(parser->node, parser->report);
		parser->node = parser->node->parent;
		parser->depth--;
		return true;
	}
	struct place where = source_place(parser->source, comment);
	if (length > 2 && !strcmp(line + length - 2, " {"))
		return open_node(parser, line, length, where);
	if (!parser->node || length < 2 || line[length - 1] != ';')
		return false;
	line[length - 1] = 0;
	parse_property(parser->source, parser->node, line, where, parser->report);
	return true;
}

struct node *source_parse(char *text, struct report *report)
{
	struct parser parser = { .source = source_open(), .report = report };
	struct place output = { source_file(parser.source, "dtc output"), 0, 0 };
	unsigned number = 0, errors;
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		number++;
		errors = report->errors;
		if (parse_line(&parser, line))
			continue;
		if (report->errors == errors)
			complain(report, output, "line %u is not understood: %.60s", number, line);
		break;
	}
	if (!line && (!parser.root || parser.node))
		complain(report, output, "expected one complete tree");
	else if (!line)
		return parser.root;
	node_free(parser.root);
	source_close(parser.source);
	return NULL;
}

/*
 * dtc stumbles over what follows, often a line later.  What ends a value or a node, and no sign that goes on: the place
 * behind it.
 */
static bool semicolon_is_missing(struct place *place)
{
	char last;
	struct place before = place_before(*place, &last);

	if (!last || !strchr(">\"]}", last))
		return false;
	*place = before;
	return true;
}

/* dtc's own message, "Error: FILE:LINE.COLUMN-END text" or "FILE:LINE.COLUMN-END: ERROR (check): text". */
static void dtc_says(struct source *source, struct place whole, char *text, struct report *report)
{
	unsigned said = report->errors;
	char *line, *colon;

	while ((line = strsep(&text, "\n")) != NULL) {
		unsigned row, column;
		if (!strncmp(line, "Error: ", 7))
			line += 7;
		if (!*line || !strncmp(line, "ERROR: Input tree", 17) ||
		    (!strncmp(line, "FATAL ERROR: ", 13) && report->errors > said))
			continue;
		for (colon = strchr(line, ':'); colon && sscanf(colon, ":%u.%u", &row, &column) != 2;)
			colon = strchr(colon + 1, ':');
		char *message = colon ? strchr(colon, ' ') : NULL;
		if (message) {
			*colon = 0;
			struct place place = { source_file(source, line), row, column };
			if (!strcmp(message + 1, "syntax error") && semicolon_is_missing(&place))
				complain(report, place,
					 "syntax error: expected \";\" here, since something else begins at %u:%u",
					 row, column);
			else
				complain(report, place, "%s%s", message + 1,
					 strcmp(message + 1, "memory exhausted") ? "" : LIST_TOO_LONG);
		} else {
			complain(report, whole, "%s", strncmp(line, "FATAL ERROR: ", 13) ? line : line + 13);
		}
	}
	if (report->errors == said)
		complain(report, whole, "dtc does not accept it");
}

/* All that comes from a descriptor. */
static char *read_all(int fd, size_t *size)
{
	size_t room = 0;
	char *text = NULL;

	*size = 0;
	for (ssize_t got = 1; got > 0 && *size < OUTPUT_MAX; *size += got > 0 ? (size_t)got : 0) {
		if (room - *size < 65536)
			text = memory_resize(text, room = 2 * room + (1u << 18));
		got = read(fd, text + *size, room - *size - 1);
		if (got < 0 && errno == EINTR)
			got = 0, errno = 0;
	}
	text[*size] = 0;
	return text;
}

/*
 * Checks of dtc that only warn, and only of device trees of boards.  Nobody reads what they say, and they took most of
 * dtc's time, one of them by comparing each pair of nodes.
 */
static const char *const unwanted[] = {
	"no-addr_size_cells", "no-address_cells_is_cell", "no-alias_paths", "no-avoid_default_addr_size",
	"no-avoid_unnecessary_addr_size", "no-chosen_node_bootargs", "no-chosen_node_is_root",
	"no-chosen_node_stdout_path", "no-clocks_is_cell", "no-clocks_property", "no-compatible_is_string_list",
	"no-cooling_device_is_cell", "no-cooling_device_property", "no-deprecated_gpio_property",
	"no-device_type_is_string", "no-dma_ranges_format", "no-dmas_is_cell", "no-dmas_property",
	"no-gpios_property", "no-graph_child_address", "no-graph_endpoint", "no-graph_nodes", "no-graph_port",
	"no-hwlocks_is_cell", "no-hwlocks_property", "no-i2c_bus_bridge", "no-i2c_bus_reg", "no-interrupt_provider",
	"no-interrupts_extended_is_cell", "no-interrupts_extended_property", "no-interrupts_property",
	"no-io_channels_is_cell", "no-io_channels_property", "no-iommus_is_cell", "no-iommus_property",
	"no-label_is_string", "no-mboxes_is_cell", "no-mboxes_property", "no-model_is_string",
	"no-msi_parent_is_cell", "no-msi_parent_property", "no-mux_controls_is_cell", "no-mux_controls_property",
	"no-name_is_string", "no-names_is_string_list", "no-node_name_chars_strict",
	"no-node_name_vs_property_name", "no-obsolete_chosen_interrupt_controller", "no-pci_bridge",
	"no-pci_device_bus_num", "no-pci_device_reg", "no-phys_is_cell", "no-phys_property",
	"no-power_domains_is_cell", "no-power_domains_property", "no-property_name_chars_strict", "no-pwms_is_cell",
	"no-pwms_property", "no-reg_format", "no-resets_is_cell", "no-resets_property", "no-simple_bus_bridge",
	"no-simple_bus_reg", "no-size_cells_is_cell", "no-sound_dai_is_cell", "no-sound_dai_property",
	"no-spi_bus_bridge", "no-spi_bus_reg", "no-status_is_string", "no-thermal_sensors_is_cell",
	"no-thermal_sensors_property", "no-unique_unit_address", "no-unique_unit_address_if_enabled",
	"no-unit_address_format", "no-unit_address_vs_reg",
};

/* Does not come back. */
static void exec_dtc(const char *path)
{
	static const char *const first[] = { "dtc", "-q", "-I", "dts", "-O", "dts", "-T", "-T",
					     "-E", "no-duplicate_node_names", "-E", "no-duplicate_property_names" };
	const char *line[sizeof(first) / sizeof(first[0]) + 2 * sizeof(unwanted) / sizeof(unwanted[0]) + 3];
	unsigned count = sizeof(first) / sizeof(first[0]);

	memcpy(line, first, sizeof(first));
	for (unsigned i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
		line[count++] = "-W";
		line[count++] = unwanted[i];
	}
	line[count++] = "--";
	line[count++] = path;
	line[count] = NULL;
	execvp(line[0], (char *const *)(uintptr_t)line);
	fprintf(stderr, "cannot execute dtc: %s\n", strerror(errno));
	_exit(127);
}

static char *run_dtc(const char *path, struct source *source, struct place whole, struct report *report)
{
	int pipes[2], status = 0;
	FILE *errors = tmpfile();
	size_t size, said;

	if (!errors || pipe(pipes) != 0) {
		complain(report, whole, "cannot start dtc: %s", strerror(errno));
		return NULL;
	}
	pid_t child = fork();
	if (child == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(fileno(errors), STDERR_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		exec_dtc(path);
	}
	close(pipes[1]);
	char *text = read_all(pipes[0], &size);
	close(pipes[0]);
	bool good = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
	if (!good || size >= OUTPUT_MAX) {
		rewind(errors);
		free(text);
		text = read_all(fileno(errors), &said);
		dtc_says(source, whole, text, report);
		free(text);
		text = NULL;
	}
	fclose(errors);
	return text;
}

struct node *source_read(const char *path, struct report *report)
{
	struct source *source = source_open();
	char *text = run_dtc(path, source, (struct place){ source_file(source, path), 0, 0 }, report);
	struct node *root = text ? source_parse(text, report) : NULL;

	source_close(source);
	free(text);
	return root;
}
