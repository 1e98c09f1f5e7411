/* SPDX-License-Identifier: Apache-2.0 */
/* The flow analysis once more, as simply as possible and as slow as it likes: what policy/flow.c is held against. */
#ifndef POLICY_FLOW_BRUTE_H
#define POLICY_FLOW_BRUTE_H

#include "flow.h"

/* True when what `from` sends may be known to `to`, decided level by level and category by category. */
bool brute_may_flow(const struct lzr_label *from, const struct lzr_label *to);

/*
 * The length of the shortest path along which something flows down, 0 if there is none.  labels[n] of every carrier is
 * set to the join of all that reaches it.
 */
uint32_t brute_analyse(const struct flow_graph *graph, struct lzr_label *labels);

#endif
