/* SPDX-License-Identifier: Apache-2.0 */
/* The flow analysis against the brute-force search, over graphs that the input's bytes describe. */
#include <stdlib.h>

#include "flow.h"
#include "policy_flow_brute.h"

#define NODES_MAX 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;

static uint8_t take(void)
{
	return left ? (left--, *input++) : 0;
}

static struct lzr_label take_label(void)
{
	struct lzr_label label = { .level = take() };
	uint8_t some = take();

	label.categories = (uint64_t)(some & 0xf) << (some >> 4) * 4;
	return label;
}

static void take_graph(struct flow_graph *graph)
{
	unsigned nodes = 1 + take() % NODES_MAX;

	for (unsigned i = 0; i < nodes; i++) {
		struct flow_node node = { .kind = take() % 3 };

		if (node.kind != FLOW_CARRIER)
			node.bounds.low = node.bounds.high = take_label();
		if (node.kind == FLOW_TRUSTED) {
			struct lzr_label more = take_label();
			node.bounds.high = flow_join(&node.bounds.low, &more);
		}
		flow_node_add(graph, &node);
	}
	while (left && graph->edge_count < 8 * NODES_MAX) {
		uint32_t from = take() % nodes, to = take() % nodes;

		flow_edge_add(graph, from, to, graph->edge_count);
	}
}

static bool path_holds(const struct flow_graph *graph, const struct flow_result *result)
{
	const struct flow_node *first = &graph->nodes[graph->edges[result->path[0]].from];
	const struct flow_node *last = &graph->nodes[graph->edges[result->path[result->path_length - 1]].to];
	bool good = first->kind != FLOW_CARRIER && last->kind != FLOW_CARRIER &&
		    !brute_may_flow(&first->bounds.low, &last->bounds.high);

	for (uint32_t i = 0; good && i + 1 < result->path_length; i++) {
		uint32_t at = graph->edges[result->path[i]].to;

		good = at == graph->edges[result->path[i + 1]].from && graph->nodes[at].kind == FLOW_CARRIER;
	}
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lzr_label labels[NODES_MAX] = { 0 };
	struct flow_graph graph = { 0 };
	struct flow_result result;

	input = data;
	left = size;
	take_graph(&graph);
	flow_analyse(&graph, &result);
	uint32_t length = brute_analyse(&graph, labels);
	if (result.clean != (length == 0) || flow_certificate_check(&graph, result.bounds) != result.clean)
		abort();
	if (length && (result.path_length != length || !path_holds(&graph, &result)))
		abort();
	for (uint32_t n = 0; n < graph.node_count; n++)
		if (graph.nodes[n].kind == FLOW_CARRIER && (!lzr_label_equal(&result.bounds[n].low, &labels[n]) ||
							   !lzr_label_equal(&result.bounds[n].high, &labels[n])))
			abort();
	flow_result_free(&result);
	flow_graph_free(&graph);
	return 0;
}
