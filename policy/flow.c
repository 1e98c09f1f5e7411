/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The analysis.  First the least labels of all carriers, by joining along edges until nothing changes: a label rises at
 * most 255 + 64 times, in practice as often as there are labels in the policy, so the cost is linear in the edges.
 * An edge whose source's low end is not dominated by its target's high end is a violation; there is a path along which
 * something flows down exactly when there is such an edge, since a join is dominated when every part of it is.
 *
 * Only then is the shortest path looked for.  A label does not dominate another for a plain reason: it lacks a
 * category, or its level is lower.  For each such reason that some violation shows, one breadth-first search from all
 * nodes that send it, through carriers, to the nearest node that may not receive it: again linear, times at most
 * 255 + 64.
 */
#include "flow.h"
#include "policy.h"

#include <stdlib.h>
#include <string.h>

/* --- the graph ---------------------------------------------------------------------------------------------------- */

uint32_t flow_node_add(struct flow_graph *graph, const struct flow_node *node)
{
	if (graph->node_count == graph->node_room) {
		graph->node_room = graph->node_room ? 2 * graph->node_room : 64;
		graph->nodes = memory_resize(graph->nodes, graph->node_room * sizeof(*graph->nodes));
	}
	graph->nodes[graph->node_count] = *node;
	return graph->node_count++;
}

void flow_edge_add(struct flow_graph *graph, uint32_t from, uint32_t to, uint32_t cause)
{
	if (graph->edge_count == graph->edge_room) {
		graph->edge_room = graph->edge_room ? 2 * graph->edge_room : 256;
		graph->edges = memory_resize(graph->edges, graph->edge_room * sizeof(*graph->edges));
	}
	graph->edges[graph->edge_count++] = (struct flow_edge){ .from = from, .to = to, .cause = cause };
}

void flow_edges_both(struct flow_graph *graph, uint32_t a, uint32_t b, uint32_t cause)
{
	flow_edge_add(graph, a, b, cause);
	flow_edge_add(graph, b, a, cause);
}

void flow_graph_free(struct flow_graph *graph)
{
	free(graph->nodes);
	free(graph->edges);
	*graph = (struct flow_graph){ 0 };
}

/* --- the certificate ---------------------------------------------------------------------------------------------- */

struct lzr_label flow_join(const struct lzr_label *a, const struct lzr_label *b)
{
	return (struct lzr_label){ .level = a->level > b->level ? a->level : b->level,
				   .categories = a->categories | b->categories };
}

/* Edges sorted by where they start: those of node n are order[first[n]] .. order[first[n + 1] - 1], in their order. */
struct fan {
	uint32_t *first, *order;
};

static struct fan fan_out(const struct flow_graph *graph)
{
	struct fan fan = { memory_resize(NULL, ((size_t)graph->node_count + 2) * sizeof(uint32_t)),
			   memory_resize(NULL, graph->edge_count * sizeof(uint32_t)) };

	memset(fan.first, 0, ((size_t)graph->node_count + 2) * sizeof(uint32_t));
	for (uint32_t e = 0; e < graph->edge_count; e++)
		fan.first[graph->edges[e].from + 2]++;
	for (uint32_t n = 0; n < graph->node_count; n++)
		fan.first[n + 2] += fan.first[n + 1];
	for (uint32_t e = 0; e < graph->edge_count; e++)
		fan.order[fan.first[graph->edges[e].from + 1]++] = e;
	return fan;
}

static void fan_free(struct fan *fan)
{
	free(fan->first);
	free(fan->order);
}

/* Nodes that wait, first come first served, each at most once: a ring as large as there are nodes. */
struct queue {
	uint32_t *ring, size, head, count;
};

static void queue_put(struct queue *queue, uint32_t node)
{
	queue->ring[(queue->head + queue->count++) % queue->size] = node;
}

static uint32_t queue_take(struct queue *queue)
{
	uint32_t node = queue->ring[queue->head];

	queue->head = (queue->head + 1) % queue->size;
	queue->count--;
	return node;
}

static void least_bounds(const struct flow_graph *graph, const struct fan *fan, struct flow_bounds *bounds)
{
	struct queue queue = { .ring = memory_resize(NULL, graph->node_count * sizeof(uint32_t)),
			       .size = graph->node_count };
	bool *waits = memory_resize(NULL, graph->node_count * sizeof(bool));

	for (uint32_t n = 0; n < graph->node_count; n++) {
		bool carrier = graph->nodes[n].kind == FLOW_CARRIER;
		bounds[n] = carrier ? (struct flow_bounds){ 0 } : graph->nodes[n].bounds;
		waits[n] = !carrier;
		if (!carrier)
			queue_put(&queue, n);
	}
	while (queue.count) {
		uint32_t n = queue_take(&queue);
		waits[n] = false;
		for (uint32_t i = fan->first[n]; i < fan->first[n + 1]; i++) {
			uint32_t to = graph->edges[fan->order[i]].to;
			if (graph->nodes[to].kind != FLOW_CARRIER ||
			    lzr_label_dominates(&bounds[to].low, &bounds[n].low))
				continue;
			bounds[to].low = bounds[to].high = flow_join(&bounds[to].low, &bounds[n].low);
			if (!waits[to])
				queue_put(&queue, to);
			waits[to] = true;
		}
	}
	free(waits);
	free(queue.ring);
}

/* --- the counter-example ------------------------------------------------------------------------------------------ */

/* Why one label does not dominate another: it lacks a category (level 0), or its level is below this one. */
struct lack {
	unsigned level;
	uint64_t category;
};

static bool sends(const struct flow_node *node, const struct lack *lack)
{
	const struct lzr_label *low = &node->bounds.low;

	return node->kind != FLOW_CARRIER &&
	       (lack->category ? (low->categories & lack->category) != 0 : low->level >= lack->level);
}

static bool may_not_receive(const struct flow_node *node, const struct lack *lack)
{
	const struct lzr_label *high = &node->bounds.high;

	return node->kind != FLOW_CARRIER &&
	       (lack->category ? (high->categories & lack->category) == 0 : high->level < lack->level);
}

struct search {
	const struct flow_graph *graph;
	const struct fan *fan;
	uint32_t *reached_by;   /* the edge by which a search came to a carrier, or NONE */
	uint32_t *depth;
	struct queue queue;
};

/* Writes the path that ends with `last` backwards from there, and keeps it. */
static void keep_path(const struct search *search, uint32_t last, uint32_t length, struct flow_result *result)
{
	result->path = memory_resize(result->path, length * sizeof(uint32_t));
	result->path_length = length;
	for (uint32_t e = last; length-- > 0; e = search->reached_by[search->graph->edges[e].from])
		result->path[length] = e;
}

/* One breadth-first search; a path shorter than the one known replaces it. */
static void search_lack(struct search *search, const struct lack *lack, struct flow_result *result)
{
	const struct flow_graph *graph = search->graph;

	search->queue.head = search->queue.count = 0;
	for (uint32_t n = 0; n < graph->node_count; n++) {
		search->reached_by[n] = NONE;
		search->depth[n] = 0;
		if (sends(&graph->nodes[n], lack))
			queue_put(&search->queue, n);
	}
	while (search->queue.count) {
		uint32_t n = queue_take(&search->queue), length = search->depth[n] + 1;
		if (result->path && length >= result->path_length)
			return;
		for (uint32_t i = search->fan->first[n]; i < search->fan->first[n + 1]; i++) {
			uint32_t e = search->fan->order[i], to = graph->edges[e].to;
			if (may_not_receive(&graph->nodes[to], lack)) {
				keep_path(search, e, length, result);
				return;
			}
			if (graph->nodes[to].kind != FLOW_CARRIER || search->reached_by[to] != NONE)
				continue;
			search->reached_by[to] = e;
			search->depth[to] = length;
			queue_put(&search->queue, to);
		}
	}
}

/* Which levels and categories are too much somewhere; false when none is. */
static bool violations(const struct flow_graph *graph, const struct flow_bounds *bounds, bool levels[256],
		       uint64_t *categories)
{
	bool sent[256] = { false }, any = false;
	unsigned lowest = 256, highest = 0;

	for (uint32_t n = 0; n < graph->node_count; n++)
		sent[graph->nodes[n].kind == FLOW_CARRIER ? 0 : bounds[n].low.level] = true;
	*categories = 0;
	for (uint32_t e = 0; e < graph->edge_count; e++) {
		const struct lzr_label *low = &bounds[graph->edges[e].from].low,
				       *high = &bounds[graph->edges[e].to].high;
		if (lzr_label_dominates(high, low))
			continue;
		any = true;
		*categories |= low->categories & ~high->categories;
		if (low->level > high->level) {
			lowest = high->level < lowest ? high->level : lowest;
			highest = low->level > highest ? low->level : highest;
		}
	}
	for (unsigned level = 0; level < 256; level++)
		levels[level] = sent[level] && level > lowest && level <= highest;
	return any;
}

static void shortest_path(const struct flow_graph *graph, const struct fan *fan, const bool levels[256],
			  uint64_t categories, struct flow_result *result)
{
	struct search search = { .graph = graph,
				 .fan = fan,
				 .reached_by = memory_resize(NULL, graph->node_count * sizeof(uint32_t)),
				 .depth = memory_resize(NULL, graph->node_count * sizeof(uint32_t)),
				 .queue = { .ring = memory_resize(NULL, graph->node_count * sizeof(uint32_t)),
					    .size = graph->node_count } };

	for (unsigned level = 255; level > 0; level--)
		if (levels[level])
			search_lack(&search, &(struct lack){ .level = level }, result);
	for (unsigned bit = 0; bit < 64; bit++)
		if (categories >> bit & 1)
			search_lack(&search, &(struct lack){ .category = 1ull << bit }, result);
	free(search.reached_by);
	free(search.depth);
	free(search.queue.ring);
}

void flow_analyse(const struct flow_graph *graph, struct flow_result *result)
{
	struct fan fan = fan_out(graph);
	bool levels[256];
	uint64_t categories;

	*result = (struct flow_result){ .bounds = memory_resize(NULL, graph->node_count * sizeof(struct flow_bounds)) };
	least_bounds(graph, &fan, result->bounds);
	result->clean = !violations(graph, result->bounds, levels, &categories);
	if (!result->clean)
		shortest_path(graph, &fan, levels, categories, result);
	fan_free(&fan);
}

void flow_result_free(struct flow_result *result)
{
	free(result->bounds);
	free(result->path);
	*result = (struct flow_result){ 0 };
}

/* --- the check ---------------------------------------------------------------------------------------------------- */

bool flow_certificate_check(const struct flow_graph *graph, const struct flow_bounds *bounds)
{
	for (uint32_t n = 0; n < graph->node_count; n++) {
		const struct flow_node *node = &graph->nodes[n];
		if (!lzr_label_dominates(&bounds[n].high, &bounds[n].low))
			return false;
		if (node->kind != FLOW_TRUSTED && !lzr_label_equal(&bounds[n].high, &bounds[n].low))
			return false;
		if (node->kind != FLOW_CARRIER && (!lzr_label_equal(&bounds[n].low, &node->bounds.low) ||
						   !lzr_label_equal(&bounds[n].high, &node->bounds.high)))
			return false;
	}
	for (uint32_t e = 0; e < graph->edge_count; e++)
		if (!lzr_label_dominates(&bounds[graph->edges[e].to].high, &bounds[graph->edges[e].from].low))
			return false;
	return true;
}
