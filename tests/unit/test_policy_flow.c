/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow analysis: by hand on small graphs, against a brute-force search on random ones, and with one hidden edge in
 * graphs that are clean without it.
 *
 *   policy-flow [GRAPHS [SEED]]     the random tests with that many graphs each; the seed is always printed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow.h"
#include "policy_flow_brute.h"

#define NODES_MAX 16u

static unsigned long graphs = 50000;
static uint64_t seed = 20261121, state;

/* Each test has its own sequence, whichever tests run before it. */
static void start(unsigned test)
{
	state = (seed + test) * 0x9e3779b97f4a7c15ull | 1;
}

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static uint32_t add(struct flow_graph *graph, enum flow_kind kind, unsigned low, unsigned high)
{
	return flow_node_add(graph, &(struct flow_node){ .kind = kind,
							 .bounds = { { .level = (uint8_t)low },
								     { .level = (uint8_t)high } } });
}

static void edge(struct flow_graph *graph, uint32_t from, uint32_t to)
{
	flow_edge_add(graph, from, to, graph->edge_count);
}

static void an_empty_graph_is_clean(void **unused)
{
	struct flow_graph graph = { 0 };
	struct flow_result result;

	(void)unused;
	flow_analyse(&graph, &result);
	assert_true(result.clean);
	assert_true(flow_certificate_check(&graph, result.bounds));
	flow_result_free(&result);
	flow_graph_free(&graph);
}

static void a_carrier_has_the_join_of_what_flows_in(void **unused)
{
	struct flow_graph graph = { 0 };
	struct flow_result result;

	(void)unused;
	uint32_t a = add(&graph, FLOW_FIXED, 3, 3), b = add(&graph, FLOW_FIXED, 1, 1),
		 first = add(&graph, FLOW_CARRIER, 0, 0), second = add(&graph, FLOW_CARRIER, 0, 0),
		 alone = add(&graph, FLOW_CARRIER, 0, 0);
	graph.nodes[a].bounds.low.categories = graph.nodes[a].bounds.high.categories = 1;
	graph.nodes[b].bounds.low.categories = graph.nodes[b].bounds.high.categories = 6;
	edge(&graph, a, first);
	edge(&graph, b, first);
	flow_edges_both(&graph, first, second, 0);
	flow_analyse(&graph, &result);
	assert_true(result.clean);
	assert_int_equal(result.bounds[second].low.level, 3);
	assert_int_equal(result.bounds[second].low.categories, 7);
	assert_true(lzr_label_equal(&result.bounds[second].low, &result.bounds[second].high));
	assert_int_equal(result.bounds[alone].low.level, 0);
	assert_int_equal(result.bounds[alone].low.categories, 0);
	flow_result_free(&result);
	flow_graph_free(&graph);
}

/* high -> carrier -> trusted over both -> carrier -> low; then around the trusted one. */
static void only_a_trusted_node_takes_down(void **unused)
{
	struct flow_graph graph = { 0 };
	struct flow_result result;

	(void)unused;
	uint32_t high = add(&graph, FLOW_FIXED, 2, 2), low = add(&graph, FLOW_FIXED, 0, 0),
		 guard = add(&graph, FLOW_TRUSTED, 0, 2), in = add(&graph, FLOW_CARRIER, 0, 0),
		 out = add(&graph, FLOW_CARRIER, 0, 0);
	edge(&graph, high, in);
	edge(&graph, in, guard);
	edge(&graph, guard, out);
	edge(&graph, out, low);
	flow_analyse(&graph, &result);
	assert_true(result.clean);
	assert_int_equal(result.bounds[in].low.level, 2);
	assert_int_equal(result.bounds[out].low.level, 0);
	flow_result_free(&result);

	edge(&graph, in, out);
	flow_analyse(&graph, &result);
	assert_false(result.clean);
	assert_int_equal(result.path_length, 3);
	assert_int_equal(result.path[0], 0);
	assert_int_equal(result.path[1], 4);
	assert_int_equal(result.path[2], 3);
	flow_result_free(&result);
	flow_graph_free(&graph);
}

static void a_trusted_node_has_its_limits(void **unused)
{
	struct flow_graph graph = { 0 };
	struct flow_result result;

	(void)unused;
	uint32_t guard = add(&graph, FLOW_TRUSTED, 1, 2), top = add(&graph, FLOW_FIXED, 3, 3),
		 bottom = add(&graph, FLOW_FIXED, 0, 0);
	edge(&graph, bottom, guard);
	edge(&graph, guard, top);
	flow_analyse(&graph, &result);
	assert_true(result.clean);
	flow_result_free(&result);
	edge(&graph, top, guard);
	flow_analyse(&graph, &result);
	assert_false(result.clean);
	assert_int_equal(result.path[0], 2);
	flow_result_free(&result);
	graph.edges[2] = (struct flow_edge){ .from = guard, .to = bottom };
	flow_analyse(&graph, &result);
	assert_false(result.clean);
	assert_int_equal(result.path[0], 2);
	flow_result_free(&result);
	flow_graph_free(&graph);
}

/* What a certificate may not say: another label than declared, a range for what is not trusted, an edge downwards. */
static void the_check_refuses_what_is_not_a_certificate(void **unused)
{
	struct flow_graph graph = { 0 };
	struct flow_result result;

	(void)unused;
	uint32_t a = add(&graph, FLOW_FIXED, 1, 1), carrier = add(&graph, FLOW_CARRIER, 0, 0),
		 guard = add(&graph, FLOW_TRUSTED, 0, 2);
	edge(&graph, a, carrier);
	edge(&graph, carrier, guard);
	flow_analyse(&graph, &result);
	assert_true(flow_certificate_check(&graph, result.bounds));
	static const struct {
		unsigned node;
		uint8_t low, high;
	} bad[] = { { 0, 0, 1 }, { 0, 1, 2 }, { 0, 2, 2 }, { 0, 0, 0 }, { 1, 0, 0 }, { 1, 1, 2 }, { 1, 0, 1 },
		    { 1, 3, 3 }, { 2, 1, 2 }, { 2, 0, 1 }, { 2, 0, 3 }, { 2, 2, 0 } };
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct flow_bounds was = result.bounds[bad[i].node];
		result.bounds[bad[i].node] = (struct flow_bounds){ { .level = bad[i].low }, { .level = bad[i].high } };
		assert_false(flow_certificate_check(&graph, result.bounds));
		result.bounds[bad[i].node] = was;
	}
	assert_true(flow_certificate_check(&graph, result.bounds));
	flow_result_free(&result);
	flow_graph_free(&graph);
}

/* --- random ------------------------------------------------------------------------------------------------------- */

/* A lattice small enough that labels meet, at any place of the whole one. */
struct lattice {
	unsigned level_count, category_count;
	uint8_t levels[8];
	uint8_t categories[8];
};

static struct lattice random_lattice(void)
{
	struct lattice lattice = { .level_count = 1 + draw(6), .category_count = draw(9) };

	for (unsigned i = 0; i < 8; i++) {
		lattice.levels[i] = (uint8_t)draw(256);
		lattice.categories[i] = (uint8_t)draw(64);
	}
	return lattice;
}

static struct lzr_label random_label(const struct lattice *lattice)
{
	struct lzr_label label = { .level = lattice->levels[draw(lattice->level_count)] };

	for (unsigned i = 0; i < lattice->category_count; i++)
		if (draw(2))
			label.categories |= 1ull << lattice->categories[i];
	return label;
}

static struct flow_bounds random_bounds(const struct lattice *lattice, enum flow_kind kind)
{
	struct flow_bounds bounds = { .low = random_label(lattice) };

	bounds.high = bounds.low;
	if (kind == FLOW_TRUSTED) {
		struct lzr_label other = random_label(lattice);
		bounds.high = flow_join(&bounds.low, &other);
	}
	return bounds;
}

static bool touches_carrier(const struct flow_graph *graph, uint32_t from, uint32_t to)
{
	return graph->nodes[from].kind == FLOW_CARRIER || graph->nodes[to].kind == FLOW_CARRIER;
}

/*
 * Nodes of all kinds; in secret[] also carriers have bounds, and edges between nodes whose secret bounds allow them
 * give a graph that is clean for sure.  `wild` edges do not ask, and
 * mostly touch a carrier, so that paths are long.
 */
static void random_graph(struct flow_graph *graph, struct flow_bounds *secret, unsigned nodes, unsigned edges,
			 unsigned wild)
{
	struct lattice lattice = random_lattice();
	unsigned carriers = draw(3) ? 4 + draw(4) : draw(10);

	for (unsigned i = 0; i < nodes; i++) {
		enum flow_kind kind = draw(10) < carriers ? FLOW_CARRIER : draw(4) ? FLOW_FIXED : FLOW_TRUSTED;
		secret[i] = random_bounds(&lattice, kind);
		struct flow_node node = { .kind = kind };
		if (kind != FLOW_CARRIER)
			node.bounds = secret[i];
		flow_node_add(graph, &node);
	}
	for (unsigned i = 0; i < edges + wild; i++) {
		uint32_t from = draw(nodes), to = draw(nodes);
		while (i >= edges && !touches_carrier(graph, from, to) && draw(8)) {
			from = draw(nodes);
			to = draw(nodes);
		}
		if (i >= edges || brute_may_flow(&secret[from].low, &secret[to].high))
			edge(graph, from, to);
	}
}

/* The path hangs together, leads from a node with a label of its own through carriers to another, and down. */
static void assert_path(const struct flow_graph *graph, const struct flow_result *result)
{
	const struct flow_edge *first = &graph->edges[result->path[0]],
			       *last = &graph->edges[result->path[result->path_length - 1]];

	assert_int_not_equal(graph->nodes[first->from].kind, FLOW_CARRIER);
	assert_int_not_equal(graph->nodes[last->to].kind, FLOW_CARRIER);
	for (uint32_t i = 0; i + 1 < result->path_length; i++) {
		const struct flow_edge *here = &graph->edges[result->path[i]],
				       *next = &graph->edges[result->path[i + 1]];
		assert_int_equal(here->to, next->from);
		assert_int_equal(graph->nodes[here->to].kind, FLOW_CARRIER);
	}
	assert_false(brute_may_flow(&graph->nodes[first->from].bounds.low, &graph->nodes[last->to].bounds.high));
}

/* Both analyses agree; returns the length of the path. */
static uint32_t assert_agree(const struct flow_graph *graph, struct flow_result *result)
{
	struct lzr_label labels[2 * NODES_MAX];
	uint32_t length = brute_analyse(graph, labels);

	flow_analyse(graph, result);
	assert_int_equal(result->clean, length == 0);
	assert_int_equal(flow_certificate_check(graph, result->bounds), length == 0);
	for (uint32_t n = 0; n < graph->node_count; n++) {
		const struct flow_node *node = &graph->nodes[n];
		bool carrier = node->kind == FLOW_CARRIER;
		assert_memory_equal(&result->bounds[n].low, carrier ? &labels[n] : &node->bounds.low, 16);
		assert_memory_equal(&result->bounds[n].high, carrier ? &labels[n] : &node->bounds.high, 16);
	}
	if (length) {
		assert_int_equal(result->path_length, length);
		assert_path(graph, result);
	} else {
		assert_null(result->path);
	}
	return length;
}

static void both_searches_agree(void **unused)
{
	unsigned long refused = 0, hops = 0;

	(void)unused;
	start(0);
	for (unsigned long i = 0; i < graphs; i++) {
		struct flow_graph graph = { 0 };
		struct flow_bounds secret[NODES_MAX];
		struct flow_result result;
		unsigned nodes = 1 + draw(NODES_MAX);
		random_graph(&graph, secret, nodes, draw(2 * nodes), draw(5) ? 1 + draw(8) : 0);
		uint32_t length = assert_agree(&graph, &result);
		refused += length != 0;
		hops += length;
		flow_result_free(&result);
		flow_graph_free(&graph);
	}
	printf("           %lu graphs, %lu with a path down, %lu hops\n", graphs, refused, hops);
	assert_in_range(refused, graphs / 8, graphs * 7 / 8);
	assert_true(hops > refused + refused / 4);
}

/* A clean graph, and one edge more that makes something flow down: the path told contains it. */
static void a_hidden_edge_is_told(void **unused)
{
	unsigned long told = 0;

	(void)unused;
	start(1);
	while (told < graphs / 2) {
		struct flow_graph graph = { 0 };
		struct flow_bounds secret[NODES_MAX];
		struct flow_result result;
		unsigned nodes = 2 + draw(NODES_MAX - 1);
		random_graph(&graph, secret, nodes, nodes + draw(4 * nodes), 0);
		assert_int_equal(assert_agree(&graph, &result), 0);
		flow_result_free(&result);
		uint32_t hidden = graph.edge_count;
		edge(&graph, draw(nodes), draw(nodes));
		if (assert_agree(&graph, &result) != 0) {
			unsigned seen = 0;
			for (uint32_t i = 0; i < result.path_length; i++)
				seen += result.path[i] == hidden;
			assert_int_equal(seen, 1);
			told++;
		}
		flow_result_free(&result);
		flow_graph_free(&graph);
	}
	printf("           %lu hidden edges told\n", told);
}

/* A chain of carriers that nothing else touches, from a node to one that may not receive it: told edge by edge. */
static void a_hidden_chain_is_told_edge_by_edge(void **unused)
{
	unsigned long told = 0;

	(void)unused;
	start(2);
	while (told < graphs / 4) {
		struct flow_graph graph = { 0 };
		struct flow_bounds secret[NODES_MAX];
		struct flow_result result;
		unsigned nodes = 2 + draw(NODES_MAX - 1);
		random_graph(&graph, secret, nodes, nodes + draw(4 * nodes), 0);
		uint32_t from = draw(nodes), to = draw(nodes), last = from, links = draw(8);
		if (graph.nodes[from].kind != FLOW_CARRIER && graph.nodes[to].kind != FLOW_CARRIER &&
		    !brute_may_flow(&secret[from].low, &secret[to].high)) {
			uint32_t first = graph.edge_count;
			for (uint32_t i = 0; i < links; i++) {
				uint32_t next = add(&graph, FLOW_CARRIER, 0, 0);
				edge(&graph, last, next);
				last = next;
			}
			edge(&graph, last, to);
			assert_agree(&graph, &result);
			assert_int_equal(result.path_length, links + 1);
			for (uint32_t i = 0; i <= links; i++)
				assert_int_equal(result.path[i], first + i);
			flow_result_free(&result);
			told++;
		}
		flow_graph_free(&graph);
	}
	printf("           %lu hidden chains told\n", told);
}

/* What is too large for the brute-force search: every level and category in turn through one long ring of carriers. */
static void labels_of_all_kinds_pass_a_long_ring(void **unused)
{
	const uint32_t length = 20000;
	struct flow_graph graph = { 0 };
	struct flow_result result;
	uint32_t ring = 0;

	(void)unused;
	for (uint32_t i = 0; i < length; i++)
		add(&graph, FLOW_CARRIER, 0, 0);
	for (uint32_t i = 0; i < length; i++)
		edge(&graph, ring + i, ring + (i + 1) % length);
	for (unsigned i = 0; i < 64; i++) {
		uint32_t node = add(&graph, FLOW_FIXED, 4 * i, 4 * i);
		graph.nodes[node].bounds.low.categories = graph.nodes[node].bounds.high.categories = 1ull << i;
		edge(&graph, node, i * (length / 64));
	}
	flow_analyse(&graph, &result);
	assert_true(result.clean);
	assert_int_equal(result.bounds[length / 2].low.level, 252);
	assert_int_equal(result.bounds[length / 2].low.categories, UINT64_MAX);
	flow_result_free(&result);

	uint32_t low = add(&graph, FLOW_FIXED, 255, 255);
	graph.nodes[low].bounds.low.categories = graph.nodes[low].bounds.high.categories = UINT64_MAX - 1;
	edge(&graph, length - 1, low);
	flow_analyse(&graph, &result);
	assert_false(result.clean);
	assert_int_equal(result.path_length, length + 1);
	flow_result_free(&result);
	flow_graph_free(&graph);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_graph_is_clean),
		cmocka_unit_test(a_carrier_has_the_join_of_what_flows_in),
		cmocka_unit_test(only_a_trusted_node_takes_down),
		cmocka_unit_test(a_trusted_node_has_its_limits),
		cmocka_unit_test(the_check_refuses_what_is_not_a_certificate),
		cmocka_unit_test(both_searches_agree),
		cmocka_unit_test(a_hidden_edge_is_told),
		cmocka_unit_test(a_hidden_chain_is_told_edge_by_edge),
		cmocka_unit_test(labels_of_all_kinds_pass_a_long_ring),
	};

	graphs = argc > 1 ? strtoul(argv[1], NULL, 0) : graphs;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : seed;
	printf("           seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
