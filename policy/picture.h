/* SPDX-License-Identifier: Apache-2.0 */
/* What the picture of a policy's flows shows (picture.c), before it is written for graphviz (graph.c). */
#ifndef POLICY_PICTURE_H
#define POLICY_PICTURE_H

#include "edges.h"

struct picture_link {           /* one line between two shapes, for all edges between them */
	uint32_t tail, head;    /* nodes of the flow graph; the tail stands above the head */
	bool down, up;          /* something flows from tail to head; from head to tail */
	unsigned causes;        /* bits: 1 << enum cause_kind */
	unsigned rights;        /* bits: 1 << enum right, of the tail over the head */
	const struct policy_port *port; /* one of its ports whose VM is not shut off before its admission, or NULL */
	unsigned count;         /* how many edges */
	uint32_t edge;          /* the first of them */
	uint32_t hop, last_hop; /* which hops of the counter-example it is, from 1; 0: none */
	bool hop_down;          /* the first of them leads from tail to head */
};

struct picture {
	const struct flows *flows;
	const struct flow_result *result;
	uint32_t *shape;        /* of each node: the node that stands for it, or NONE when nothing does */
	unsigned *alike;        /* of each node that stands for itself: how many VMs it stands for */
	uint32_t *last;         /* the last of those */
	uint32_t *network;      /* of each node: the one network inside which it is drawn, or NONE */
	bool *on_path;          /* of each node */
	struct picture_link *links;
	unsigned link_count, link_room;
};

void picture_make(struct picture *picture, const struct flows *flows, const struct flow_result *result);
void picture_free(struct picture *picture);

#endif
