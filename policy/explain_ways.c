/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way in which data gets from one to another: through what no VM stands behind (networks, channels, devices,
 * rights), each way by its last step; if there is none, the shortest way through other VMs, at best one through none
 * that is trusted to keep labels apart.
 */
#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "explain.h"

struct ways {
	FILE *out;
	const struct policy *policy;
	struct flows flows;
	uint32_t from, to;
	uint32_t *first, *next;         /* edges that leave a node, chained: edge + 1, 0 ends */
	uint32_t *came_by;              /* edge + 1 by which the search came to a node; 0: it did not */
	uint32_t *queue;
};

enum through { THROUGH_NO_VM, THROUGH_UNTRUSTED, THROUGH_ALL };

static void link_edges(struct ways *w)
{
	const struct flow_graph *graph = &w->flows.graph;

	w->first = memory_get((graph->node_count + 1) * sizeof(*w->first));
	w->came_by = memory_get((graph->node_count + 1) * sizeof(*w->came_by));
	w->queue = memory_get((graph->node_count + 1) * sizeof(*w->queue));
	w->next = memory_get((graph->edge_count + 1) * sizeof(*w->next));
	for (uint32_t e = graph->edge_count; e-- > 0;) {
		w->next[e] = w->first[graph->edges[e].from];
		w->first[graph->edges[e].from] = e + 1;
	}
}

static bool may_pass(const struct ways *w, uint32_t node, enum through through)
{
	if (node == w->from)
		return true;
	if (through == THROUGH_NO_VM)
		return w->flows.things[node].kind != THING_VM;
	return through == THROUGH_ALL || w->flows.graph.nodes[node].kind != FLOW_TRUSTED;
}

/* Breadth first from `from`; the target is reached but not passed. */
static void search(struct ways *w, enum through through)
{
	const struct flow_graph *graph = &w->flows.graph;
	uint32_t head = 0, tail = 0;

	memset(w->came_by, 0, graph->node_count * sizeof(*w->came_by));
	w->queue[tail++] = w->from;
	while (head < tail) {
		uint32_t node = w->queue[head++];
		for (uint32_t e = w->first[node]; e; e = w->next[e - 1]) {
			uint32_t to = graph->edges[e - 1].to;
			if (to == w->from || w->came_by[to])
				continue;
			w->came_by[to] = e;
			if (to != w->to && may_pass(w, to, through))
				w->queue[tail++] = to;
		}
	}
}

/* The way to the tail of `last`, and that edge. */
static void tell_way(const struct ways *w, uint32_t last)
{
	const struct flow_edge *edges = w->flows.graph.edges;
	uint32_t count = 0, *path = memory_get((w->flows.graph.node_count + 1) * sizeof(*path));
	char name[FLOWS_TEXT], place[PLACE_TEXT];

	path[count++] = last;
	for (uint32_t node = edges[last].from; node != w->from; node = edges[path[count - 1]].from)
		path[count++] = w->came_by[node] - 1;
	fprintf(w->out, "  %s", flows_name(&w->flows, w->from, name));
	for (uint32_t i = count; i-- > 0;)
		fprintf(w->out, " -> %s", flows_name(&w->flows, edges[path[i]].to, name));
	fputc('\n', w->out);
	for (uint32_t i = count; i-- > 0;)
		fprintf(w->out, "      %s: %s\n", place_text(flows_place(&w->flows, path[i]), place),
			flows_reason(&w->flows, path[i], name));
	for (uint32_t i = count; i-- > 1;)
		if (w->flows.graph.nodes[edges[path[i]].to].kind == FLOW_TRUSTED)
			fprintf(w->out, "      only as far as %s lets it: it is trusted over several labels\n",
				flows_name(&w->flows, edges[path[i]].to, name));
	free(path);
}

static unsigned tell_direct(struct ways *w)
{
	const struct flow_graph *graph = &w->flows.graph;
	unsigned found = 0;

	search(w, THROUGH_NO_VM);
	for (uint32_t e = 0; e < graph->edge_count; e++) {
		uint32_t from = graph->edges[e].from;
		if (graph->edges[e].to == w->to && may_pass(w, from, THROUGH_NO_VM) &&
		    (from == w->from || w->came_by[from])) {
			tell_way(w, e);
			found++;
		}
	}
	return found;
}

static int tell_indirect(struct ways *w)
{
	for (enum through through = THROUGH_UNTRUSTED; through <= THROUGH_ALL; through++) {
		search(w, through);
		if (!w->came_by[w->to])
			continue;
		fprintf(w->out, "not directly, but through %s:\n", through == THROUGH_ALL ? "what is trusted"
			: "others");
		tell_way(w, w->came_by[w->to] - 1);
		return through == THROUGH_ALL ? EXPLAIN_TRUSTED : EXPLAIN_YES;
	}
	return EXPLAIN_NO;
}

/* A VM before a network, device, channel of the same name. */
static uint32_t find_node(const struct ways *w, const char *name)
{
	const struct policy *policy = w->policy;
	const struct thing things[] = {
		{ THING_VM, find_vm(policy, name) }, { THING_NETWORK, find_network(policy, name) },
		{ THING_DEVICE, find_device(policy, name) }, { THING_CHANNEL, find_channel(policy, name) },
	};

	for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		for (uint32_t n = 0; things[i].index != NONE && n < w->flows.graph.node_count; n++)
			if (w->flows.things[n].kind == things[i].kind && w->flows.things[n].index == things[i].index)
				return n;
	fprintf(stderr, "lzr-policy explain: expected a VM, network, device or channel, found \"%s\"\n", name);
	return NONE;
}

int explain_ways(FILE *out, const struct policy *policy, const char *from, const char *to)
{
	struct ways w = { .out = out, .policy = policy };
	int status = EXPLAIN_ERROR;

	flows_make(&w.flows, policy);
	link_edges(&w);
	w.from = find_node(&w, from);
	w.to = w.from == NONE ? NONE : find_node(&w, to);
	if (w.to != NONE && w.from != w.to) {
		fprintf(out, "from %s to %s\n", from, to);
		status = tell_direct(&w) ? EXPLAIN_YES : tell_indirect(&w);
		if (status == EXPLAIN_NO)
			fprintf(out,
				"nothing flows: no chain of networks, channels, devices, rights and VMs leads there\n");
	} else if (w.to != NONE) {
		fprintf(stderr, "lzr-policy explain: expected two different ends, found \"%s\" twice\n", from);
	}
	free(w.first);
	free(w.next);
	free(w.came_by);
	free(w.queue);
	flows_free(&w.flows);
	return status;
}
