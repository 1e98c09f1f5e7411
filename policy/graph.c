/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture in graphviz' language.  Each label is a column; a network is a frame in its column, with the VMs that
 * have no other network in it.  What is trusted over several labels stands outside all columns, above or below them.
 */
#include "fabric.h"
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "picture.h"

#define RED "#c8102e"
#define GREY "#5a6570"
#define FONT "Helvetica,Arial,sans-serif"

/* --- text --------------------------------------------------------------------------------------------------------- */

/* Between the quotes of a string, and in text that graphviz reads as HTML. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"')
			fputs("&quot;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '\\')
			fputs("\\\\", out);
		else
			fputc(*text, out);
	}
}

/* Levels go from green over blue to violet; red is kept for what must not be. */
static double level_hue(const struct policy *policy, unsigned level)
{
	return policy->level_count < 2 ? 0.55 : 0.36 + 0.42 * level / (policy->level_count - 1);
}

static void put_fill(FILE *out, const struct policy *policy, unsigned level, const char *shade)
{
	fprintf(out, "\"%.3f %s\"", level_hue(policy, level), shade);
}

#define SHADE_COLUMN "0.06 0.99"
#define SHADE_SHAPE "0.24 0.97"
#define SHADE_LINE "0.70 0.55"

/* --- shapes ------------------------------------------------------------------------------------------------------- */

static bool drawn(const struct picture *picture, uint32_t node)
{
	return picture->shape[node] == node;
}

static void put_vm_words(FILE *out, const struct picture *picture, uint32_t node)
{
	const struct policy_vm *vms = picture->flows->policy->vms;
	char text[FLOWS_TEXT];

	fprintf(out, "<b>%s</b>", vms[node].name);
	if (picture->alike[node] > 1)
		fprintf(out, " .. <b>%s</b><br/><font point-size=\"10\">%u VMs alike</font>",
			vms[picture->last[node]].name, picture->alike[node]);
	if (picture->flows->graph.nodes[node].kind != FLOW_TRUSTED)
		return;
	label_text(picture->flows->policy, &vms[node].low, text, sizeof(text));
	fprintf(out, "<br/><font point-size=\"10\">%s %s<br/>", vms[node].guard ? "guard down to" : "trusted from",
		text);
	label_text(picture->flows->policy, &vms[node].high, text, sizeof(text));
	fprintf(out, "%s %s</font>", vms[node].guard ? "from" : "to", text);
}

static void put_words(FILE *out, const struct picture *picture, uint32_t node)
{
	const struct thing *thing = &picture->flows->things[node];
	const struct policy *policy = picture->flows->policy;
	char text[FLOWS_TEXT];

	if (thing->kind == THING_VM) {
		put_vm_words(out, picture, node);
	} else if (thing->kind == THING_NETWORK) {
		fprintf(out, "network <b>%s</b>, %s", policy->networks[thing->index].name,
			rules_kind(policy, thing->index));
	} else if (thing->kind == THING_DEVICE) {
		fprintf(out, "<b>%s</b>%s", policy->devices[thing->index].name,
			policy->devices[thing->index].bypasses_firewall ? "<br/>bypasses the firewall" : "");
	} else {
		put_text(out, flows_name(picture->flows, node, text));
	}
}

static const char *shape_of(const struct picture *picture, uint32_t node)
{
	bool trusted = picture->flows->graph.nodes[node].kind == FLOW_TRUSTED;

	switch (picture->flows->things[node].kind) {
	case THING_VM:
		if (trusted && picture->flows->policy->vms[node].guard)
			return "shape=cds, peripheries=2, style=filled, margin=\"0.35,0.2\"";
		if (trusted)
			return "shape=octagon, peripheries=2, style=filled";
		return "shape=box, style=\"filled,rounded\"";
	case THING_NETWORK:
		return "shape=box, style=\"filled,rounded\", width=1.9, height=0.3, penwidth=0";
	case THING_DEVICE:
		return "shape=component, style=filled, fontsize=11, margin=\"0.14,0.04\"";
	default:
		return "shape=ellipse, style=filled, fontsize=11";
	}
}

static void put_shape(FILE *out, const struct picture *picture, uint32_t node)
{
	const struct flows *flows = picture->flows;
	const struct lzr_label *label = &picture->result->bounds[node].low;
	bool network = flows->things[node].kind == THING_NETWORK;
	bool guard = flows->things[node].kind == THING_VM && flows->policy->vms[node].guard;

	fprintf(out, "n%u [%s, label=<", node, shape_of(picture, node));
	put_words(out, picture, node);
	fprintf(out, ">, fillcolor=");
	if (flows->graph.nodes[node].kind != FLOW_FIXED || flows->things[node].kind == THING_DEVICE)
		fprintf(out, "%s", guard ? "\"#fff0b8\"" : "white");
	else
		put_fill(out, flows->policy, label->level, network ? SHADE_LINE : SHADE_SHAPE);
	fprintf(out, ", color=");
	if (picture->on_path[node])
		fprintf(out, "\"%s\", penwidth=3", RED);
	else if (flows->graph.nodes[node].kind != FLOW_FIXED)
		fprintf(out, "\"#222222\"");
	else
		put_fill(out, flows->policy, label->level, SHADE_LINE);
	fprintf(out, "%s", network ? ", fontcolor=white" : "");
	if (picture->alike[node] > 1)
		fprintf(out, ", peripheries=3");
	fprintf(out, "];\n");
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static int by_label(const void *left, const void *right)
{
	const struct lzr_label *a = left, *b = right;

	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	return a->categories < b->categories ? -1 : a->categories > b->categories;
}

static bool in_column(const struct picture *picture, uint32_t node)
{
	return drawn(picture, node) && picture->flows->graph.nodes[node].kind == FLOW_FIXED;
}

/* Every label that some shape has, lowest first, each once. */
static struct lzr_label *columns_of(const struct picture *picture, unsigned *count)
{
	const struct flow_graph *graph = &picture->flows->graph;
	struct lzr_label *columns = memory_get(graph->node_count * sizeof(*columns));
	unsigned all = 0;

	for (uint32_t n = 0; n < graph->node_count; n++)
		if (in_column(picture, n))
			columns[all++] = graph->nodes[n].bounds.low;
	qsort(columns, all, sizeof(*columns), by_label);
	*count = 0;
	for (unsigned i = 0; i < all; i++)
		if (i == 0 || by_label(&columns[i], &columns[*count - 1]))
			columns[(*count)++] = columns[i];
	return columns;
}

/* Its shapes sorted by column, then by network; a network's own node comes first of its frame. */
struct seat {
	unsigned column;
	uint32_t frame, node; /* frame: its network's node, NONE when it stands free */
};

static int by_seat(const void *left, const void *right)
{
	const struct seat *a = left, *b = right;

	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	if (a->frame != b->frame)
		return a->frame < b->frame ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static unsigned seat_all(const struct picture *picture, const struct lzr_label *columns, unsigned column_count,
			 struct seat *seats)
{
	const struct flow_graph *graph = &picture->flows->graph;
	unsigned count = 0;

	for (uint32_t n = 0; n < graph->node_count; n++) {
		if (!in_column(picture, n))
			continue;
		const struct lzr_label *label = &graph->nodes[n].bounds.low;
		const struct lzr_label *column = bsearch(label, columns, column_count, sizeof(*columns), by_label);
		uint32_t frame = picture->flows->things[n].kind == THING_NETWORK ? n : picture->network[n];
		if (frame != NONE && !lzr_label_equal(&graph->nodes[frame].bounds.low, label))
			frame = NONE;
		seats[count++] = (struct seat){ (unsigned)(column - columns), frame, n };
	}
	qsort(seats, count, sizeof(*seats), by_seat);
	return count;
}

static void begin_column(FILE *out, const struct picture *picture, const struct lzr_label *label, unsigned number)
{
	const struct policy *policy = picture->flows->policy;
	char text[LABEL_TEXT];

	label_text(policy, label, text, sizeof(text));
	fprintf(out,
		"subgraph cluster_c%u { label=<<b>%s</b>>; labelloc=t; fontsize=17; style=\"filled,rounded\"; "
		"margin=16; ",
		number, text);
	fprintf(out, "fontcolor=");
	put_fill(out, policy, label->level, SHADE_LINE);
	fprintf(out, "; color=");
	put_fill(out, policy, label->level, SHADE_SHAPE);
	fprintf(out, "; fillcolor=");
	put_fill(out, policy, label->level, SHADE_COLUMN);
	fprintf(out, ";\n");
}

static void begin_frame(FILE *out, const struct picture *picture, uint32_t network)
{
	fprintf(out, "subgraph cluster_n%u { label=\"\"; style=\"filled,rounded\"; fillcolor=white; margin=10; color=",
		network);
	put_fill(out, picture->flows->policy, picture->flows->graph.nodes[network].bounds.low.level, SHADE_LINE);
	fprintf(out, ";\n");
}

/* The lowest label on the left: an invisible line through a network, or else a shape, of each column. */
static void order_columns(FILE *out, const struct picture *picture, const struct seat *seats, unsigned count)
{
	fprintf(out, "{ edge [style=invis, constraint=false]; ");
	for (unsigned i = 0, end; i < count; i = end) {
		uint32_t chosen = seats[i].node;
		for (end = i; end < count && seats[end].column == seats[i].column; end++)
			if (picture->flows->things[seats[end].node].kind == THING_NETWORK)
				chosen = seats[end].node;
		fprintf(out, "%sn%u", i ? " -> " : "", chosen);
	}
	fprintf(out, " }\n");
}

static void put_columns(FILE *out, const struct picture *picture)
{
	struct seat *seats = memory_get(picture->flows->graph.node_count * sizeof(*seats));
	unsigned column_count;
	struct lzr_label *columns = columns_of(picture, &column_count);
	unsigned count = seat_all(picture, columns, column_count, seats);

	for (unsigned i = 0; i < count; i++) {
		const struct seat *seat = &seats[i], *before = i ? &seats[i - 1] : NULL;
		bool new_column = !before || before->column != seat->column;
		bool new_frame = new_column || before->frame != seat->frame;
		if (before && new_frame && before->frame != NONE)
			fprintf(out, "}\n");
		if (before && new_column)
			fprintf(out, "}\n");
		if (new_column)
			begin_column(out, picture, &columns[seat->column], seat->column);
		if (new_frame && seat->frame != NONE)
			begin_frame(out, picture, seat->frame);
		put_shape(out, picture, seat->node);
	}
	if (count)
		fprintf(out, seats[count - 1].frame != NONE ? "}\n}\n" : "}\n");
	order_columns(out, picture, seats, count);
	free(columns);
	free(seats);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* What a line's kind alone does not tell: rights, and who may use a port before it is admitted. */
static void put_authority(FILE *out, const struct policy *policy, const struct picture_link *link)
{
	const char *between = "";

	if (!link->rights && !link->port)
		return;
	fprintf(out, ", label=<");
	for (unsigned right = 0; right < RIGHT_COUNT; right++)
		if (link->rights & 1u << right) {
			fprintf(out, "%s%s", between, right_names[right]);
			between = "<br/>";
		}
	if (link->port && link->port->infrastructure)
		fprintf(out, "open from the<br/>start to endpoints");
	else if (link->port)
		fprintf(out, "unless admitted,<br/>to port %s only",
			policy->ports[link->port->quarantine.inspection].name);
	fprintf(out, ">");
}

/* One with a label, in a column; those that are trusted stand above or below them. */
static bool is_vm(const struct picture *picture, uint32_t node)
{
	return picture->flows->things[node].kind == THING_VM && in_column(picture, node);
}

static void put_link(FILE *out, const struct picture *picture, const struct picture_link *link)
{
	const struct flows *flows = picture->flows;
	bool right_only = link->causes == 1u << CAUSE_RIGHT;
	bool frames = link->causes & (1u << CAUSE_PORT | 1u << CAUSE_SWITCH | 1u << CAUSE_UPLINK);
	char text[FLOWS_TEXT], place[PLACE_TEXT];

	bool down = link->hop ? link->hop_down : link->down, up = link->hop ? !link->hop_down : link->up;
	fprintf(out, "n%u -> n%u [dir=%s", link->tail, link->head, down && up ? "both" : down ? "forward" : "back");
	if (is_vm(picture, link->tail) && is_vm(picture, link->head))
		fprintf(out, ", constraint=false");
	if (link->hop) {
		fprintf(out, ", color=\"%s\", penwidth=3.5, label=<<font color=\"%s\"><b>hop %u", RED, RED, link->hop);
		if (link->last_hop != link->hop)
			fprintf(out, "-%u", link->last_hop);
		fprintf(out, "</b><br/>");
		put_text(out, flows_reason(flows, picture->result->path[link->hop - 1], text));
		fprintf(out, "</font>>");
	} else {
		fprintf(out, ", color=\"%s\", penwidth=%s", GREY, frames ? "2" : "1");
		fprintf(out, "%s", right_only ? ", style=dashed" : "");
		put_authority(out, flows->policy, link);
	}
	fprintf(out, ", edgetooltip=\"");
	put_text(out, flows_reason(flows, link->edge, text));
	fprintf(out, " (");
	put_text(out, place_text(flows_place(flows, link->edge), place));
	fprintf(out, ")");
	if (link->count > 2)
		fprintf(out, " and %u flows more", link->count - 1);
	fprintf(out, "\"];\n");
}

/* --- around it ---------------------------------------------------------------------------------------------------- */

static void put_legend(FILE *out, const struct policy *policy)
{
	static const char *const marks[][2] = {
		{ "rounded box", "VM with one label" },
		{ "double octagon", "VM trusted to keep labels apart" },
		{ "yellow arrow shape", "guard, the only way down" },
		{ "bar in a frame", "network and its VMs" },
		{ "tabbed box", "device" },
		{ "stacked box", "VMs that differ only by name" },
		{ "thick line", "frames of a network" },
		{ "thin line", "channel, assigned device" },
		{ "dashed line", "nothing but a right over another VM" },
		{ "red line", "something flows down" },
	};
	unsigned count = sizeof(marks) / sizeof(marks[0]);

	fprintf(out,
		"legend [shape=plaintext, fontsize=11, label=<<table border=\"1\" color=\"#b0b8c0\" "
		"cellborder=\"0\" cellspacing=\"4\" cellpadding=\"2\"><tr><td align=\"left\">levels, lowest first:"
		"</td><td align=\"left\"><table border=\"0\" cellborder=\"0\" cellspacing=\"4\"><tr>");
	for (unsigned level = 0; level < policy->level_count; level++) {
		fprintf(out, "<td bgcolor=");
		put_fill(out, policy, level, SHADE_SHAPE);
		fprintf(out, "><b> %s </b></td>", policy->levels[level]);
	}
	fprintf(out, "</tr></table></td></tr>");
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "%s<td align=\"left\"><b>%s</b>: %s</td>%s", i % 2 ? "" : "<tr>", marks[i][0], marks[i][1],
			i % 2 || i + 1 == count ? "</tr>" : "");
	fprintf(out, "</table>>];\n");
}

/* Below everything that has nothing below it. */
static void place_legend(FILE *out, const struct picture *picture)
{
	uint32_t count = picture->flows->graph.node_count;
	bool *is_tail = memory_get(count * sizeof(*is_tail));

	for (unsigned i = 0; i < picture->link_count; i++)
		is_tail[picture->links[i].tail] = true;
	for (uint32_t n = 0; n < count; n++)
		if (drawn(picture, n) && !is_tail[n])
			fprintf(out, "n%u -> legend [style=invis, weight=0];\n", n);
	free(is_tail);
}

static void put_title(FILE *out, const struct picture *picture, const char *source)
{
	const struct policy *policy = picture->flows->policy;
	const char *slash = strrchr(source, '/');
	char text[FLOWS_TEXT];

	fprintf(out, "label=<<font point-size=\"24\"><b>");
	put_text(out, slash ? slash + 1 : source);
	fprintf(out, "</b>, version %llu</font><br/>", (unsigned long long)policy->version);
	if (picture->result->clean) {
		fprintf(out, "<font point-size=\"15\">nothing flows down: %u parts, %u flows looked at</font>",
			picture->flows->graph.node_count, picture->flows->graph.edge_count);
	} else {
		fprintf(out, "<font point-size=\"17\" color=\"%s\"><b>", RED);
		put_text(out, flows_verdict(picture->flows, picture->result, text));
		fprintf(out, "</b> in %u hop%s</font>", picture->result->path_length,
			picture->result->path_length == 1 ? "" : "s");
	}
	fprintf(out, "<br/>>; labelloc=t;\n");
}

static void put_picture(FILE *out, const struct picture *picture, const char *source)
{
	const struct flow_graph *graph = &picture->flows->graph;

	fprintf(out,
		"digraph policy {\ngraph [fontname=\"%s\", rankdir=TB, nodesep=0.35, ranksep=0.6, "
		"splines=true, bgcolor=white, pad=0.3];\n",
		FONT);
	fprintf(out, "node [fontname=\"%s\", fontsize=13, penwidth=1.5];\n", FONT);
	fprintf(out, "edge [fontname=\"%s\", fontsize=10, arrowsize=0.7, fontcolor=\"%s\"];\n", FONT, GREY);
	put_title(out, picture, source);
	put_columns(out, picture);
	for (uint32_t n = 0; n < graph->node_count; n++)
		if (drawn(picture, n) && !in_column(picture, n))
			put_shape(out, picture, n);
	for (unsigned i = 0; i < picture->link_count; i++)
		put_link(out, picture, &picture->links[i]);
	put_legend(out, picture->flows->policy);
	place_legend(out, picture);
	fprintf(out, "}\n");
}

char *graph_text(const struct policy *policy, const char *source, size_t *size)
{
	struct flows flows;
	struct flow_result result;
	struct picture picture;
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out)
		return NULL;
	flows_make(&flows, policy);
	flow_analyse(&flows.graph, &result);
	picture_make(&picture, &flows, &result);
	put_picture(out, &picture, source);
	picture_free(&picture);
	flow_result_free(&result);
	flows_free(&flows);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
