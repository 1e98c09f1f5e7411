/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow of information over a graph, and whether any of it flows down.  This file knows nothing of policies; edges.c
 * makes a graph of one.
 *
 * A node is one of three:
 *   FIXED    has one label: it sends and receives at that label.
 *   TRUSTED  has a range: it receives up to the high end and is trusted with what it lets out at the low end.
 *   CARRIER  has no label of its own: whatever flows in flows on.
 * Something flows down when a path leads from a FIXED or TRUSTED node through carriers only to another such node whose
 * high end does not dominate the first one's low end.
 *
 * The result is one of two: a certificate, which gives every node its bounds (a carrier the join of all that reaches
 * it, nothing above it), or a counter-example, the shortest path along which something flows down.
 */
#ifndef POLICY_FLOW_H
#define POLICY_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <lazaret/label.h>

enum flow_kind { FLOW_FIXED, FLOW_TRUSTED, FLOW_CARRIER };

struct flow_bounds {
	struct lzr_label low;           /* what it may send as */
	struct lzr_label high;          /* the most that it may receive; only a TRUSTED node's differs from `low` */
};

struct flow_node {
	enum flow_kind kind;
	struct flow_bounds bounds;      /* not of a CARRIER */
};

struct flow_edge {
	uint32_t from, to;
	uint32_t cause;                 /* the caller's number of what makes information flow here */
};

/* All zero is an empty graph. */
struct flow_graph {
	uint32_t node_count, node_room, edge_count, edge_room;
	struct flow_node *nodes;
	struct flow_edge *edges;
};

struct flow_result {
	bool clean;
	struct flow_bounds *bounds;     /* of each node; the certificate when clean */
	uint32_t *path;                 /* edges of the counter-example, first to last; NULL when clean */
	uint32_t path_length;
};

uint32_t flow_node_add(struct flow_graph *graph, const struct flow_node *node);       /* its number */
void flow_edge_add(struct flow_graph *graph, uint32_t from, uint32_t to, uint32_t cause);
void flow_edges_both(struct flow_graph *graph, uint32_t a, uint32_t b, uint32_t cause);
void flow_graph_free(struct flow_graph *graph);

/* The least label that dominates both. */
struct lzr_label flow_join(const struct lzr_label *a, const struct lzr_label *b);

/*
 * Every FIXED node's bounds must be equal and every TRUSTED node's high end must dominate its low end.  Cost:
 * near-linear in the edges.  Of several shortest paths, the same one is told each time.
 */
void flow_analyse(const struct flow_graph *graph, struct flow_result *result);
void flow_result_free(struct flow_result *result);

/*
 * The check that the hypervisor does with its own code: each edge by itself, against the bounds given.  Trusts nothing
 * of how they were found.
 */
bool flow_certificate_check(const struct flow_graph *graph, const struct flow_bounds *bounds);

#endif
