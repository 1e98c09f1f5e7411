/* SPDX-License-Identifier: Apache-2.0 */
/* From every node that has a label of its own, walk as far as carriers go; look at each place where the walk ends. */
#include "policy_flow_brute.h"

#include <stdlib.h>

#define FAR 0xffffffffu

static bool has(const struct lzr_label *label, unsigned category)
{
	return (label->categories >> category) % 2 == 1;
}

bool brute_may_flow(const struct lzr_label *from, const struct lzr_label *to)
{
	for (unsigned category = 0; category < 64; category++)
		if (has(from, category) && !has(to, category))
			return false;
	return from->level <= to->level;
}

static void add_to(struct lzr_label *label, const struct lzr_label *more)
{
	for (unsigned category = 0; category < 64; category++)
		if (has(more, category) && !has(label, category))
			label->categories += 1ull << category;
	if (more->level > label->level)
		label->level = more->level;
}

/* steps[n]: how many edges from `source` to n, with only carriers between. */
static void walk(const struct flow_graph *graph, uint32_t source, uint32_t *steps)
{
	bool changed = true;

	for (uint32_t n = 0; n < graph->node_count; n++)
		steps[n] = n == source ? 0 : FAR;
	while (changed) {
		changed = false;
		for (uint32_t e = 0; e < graph->edge_count; e++) {
			uint32_t from = graph->edges[e].from, to = graph->edges[e].to;
			bool passes = from == source || graph->nodes[from].kind == FLOW_CARRIER;
			if (passes && steps[from] != FAR && steps[from] + 1 < steps[to]) {
				steps[to] = steps[from] + 1;
				changed = true;
			}
		}
	}
}

uint32_t brute_analyse(const struct flow_graph *graph, struct lzr_label *labels)
{
	uint32_t *steps = calloc(graph->node_count + 1, sizeof(*steps)), shortest = 0;

	for (uint32_t n = 0; n < graph->node_count; n++)
		labels[n] = (struct lzr_label){ 0 };
	for (uint32_t source = 0; source < graph->node_count; source++) {
		if (graph->nodes[source].kind == FLOW_CARRIER)
			continue;
		walk(graph, source, steps);
		for (uint32_t n = 0; n < graph->node_count; n++) {
			if (steps[n] == FAR)
				continue;
			if (graph->nodes[n].kind == FLOW_CARRIER)
				add_to(&labels[n], &graph->nodes[source].bounds.low);
			else if (!brute_may_flow(&graph->nodes[source].bounds.low, &graph->nodes[n].bounds.high) &&
				 (shortest == 0 || steps[n] < shortest))
				shortest = steps[n];
		}
	}
	free(steps);
	return shortest;
}
