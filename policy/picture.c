/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the flow graph to what a person can take in at a glance: a channel is a line and no shape of its own, all edges
 * between the same two shapes are one line, and VMs that differ in nothing but their names are one shape.
 */
#include "picture.h"

#include <stdlib.h>

#define ALIKE_LEAST 4u          /* fewer are drawn one by one */

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* The two shapes that an edge joins, and whether it leads from the upper one to the lower one. */
struct span {
	uint32_t tail, head;
	bool down;
};

static struct span channel_span(uint32_t client, uint32_t service, bool at_service, bool from_vm)
{
	return (struct span){ .tail = service, .head = client, .down = at_service == from_vm };
}

/*
 * Services that speak with many stand on top, VMs below them, then networks and devices, and the switch at the bottom.
 * An uplink is between its network and the switch.
 */
static struct span edge_span(const struct picture *picture, const struct flow_edge *edge)
{
	const struct flows *flows = picture->flows;
	const struct policy *policy = flows->policy;
	const struct cause *cause = &flows->causes[edge->cause];
	uint32_t from = edge->from, to = edge->to;
	bool from_vm = flows->things[from].kind == THING_VM, from_device = flows->things[from].kind == THING_DEVICE;
	bool from_network = flows->things[from].kind == THING_NETWORK, down = true;

	switch (cause->kind) {
	case CAUSE_CHANNEL:
		return channel_span(policy->channels[cause->a].vm, policy->channels[cause->a].service, cause->b,
				    from_vm);
	case CAUSE_CONTROL:
		return channel_span(policy->fabric.vm, policy->fabric.control_vm, !cause->b, from_vm);
	case CAUSE_PORT:
		down = from_vm;
		break;
	case CAUSE_SWITCH:
	case CAUSE_UPLINK:
		down = from_network;
		break;
	case CAUSE_DEVICE:
		down = from_vm != (policy->fabric.node && policy->devices[cause->a].vm == policy->fabric.vm);
		break;
	case CAUSE_RIGHT:
		down = from == cause->a;
		break;
	default:
		down = from_device;
		break;
	}
	return (struct span){ .tail = down ? from : to, .head = down ? to : from, .down = down };
}

struct pair {
	uint32_t low, high;
};

static const struct policy_port *port_of(const struct flows *flows, const struct cause *cause)
{
	return cause->kind == CAUSE_PORT ? &flows->policy->ports[cause->a] : NULL;
}

/* The line between two shapes; a new one's key is put into `key`. */
static struct picture_link *link_of(struct picture *picture, struct table *pairs, struct pair *key, uint32_t tail,
				    uint32_t head)
{
	*key = (struct pair){ tail < head ? tail : head, tail < head ? head : tail };
	unsigned found = table_add(pairs, key, sizeof(*key), picture->link_count);
	if (found != NONE)
		return &picture->links[found];
	struct picture_link *link = ARRAY_ADD(picture->links, picture->link_count, picture->link_room);
	*link = (struct picture_link){ .tail = tail, .head = head };
	return link;
}

static uint32_t hop_of(const struct flow_result *result, uint32_t edge)
{
	for (uint32_t i = 0; i < result->path_length; i++)
		if (result->path[i] == edge)
			return i + 1;
	return 0;
}

static void add_links(struct picture *picture)
{
	const struct flow_graph *graph = &picture->flows->graph;
	struct pair *keys = memory_get(graph->edge_count * sizeof(*keys));
	struct table pairs = { 0 };

	for (uint32_t e = 0; e < graph->edge_count; e++) {
		const struct cause *cause = &picture->flows->causes[graph->edges[e].cause];
		struct span span = edge_span(picture, &graph->edges[e]);
		uint32_t tail = picture->shape[span.tail], head = picture->shape[span.head];
		if (tail == NONE || head == NONE || tail == head)
			continue;
		struct picture_link *link = link_of(picture, &pairs, &keys[e], tail, head);
		bool turned = link->tail != tail;
		link->down |= span.down != turned;
		link->up |= span.down == turned;
		link->causes |= 1u << cause->kind;
		if (cause->kind == CAUSE_RIGHT)
			link->rights |= 1u << cause->b;
		const struct policy_port *port = port_of(picture->flows, cause);
		if (port && (port->infrastructure || port->quarantine.inspection != NONE))
			link->port = port;
		link->edge = link->count++ ? link->edge : e;
		uint32_t hop = hop_of(picture->result, e);
		if (hop && (!link->hop || hop < link->hop)) {
			link->hop = hop;
			link->hop_down = span.down != turned;
		}
		link->last_hop = hop > link->last_hop ? hop : link->last_hop;
	}
	table_free(&pairs);
	free(keys);
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */

/* Channels are lines; what devices share is drawn where there are two; a VM's inside and run state are where it is. */
static void choose_shapes(struct picture *picture)
{
	const struct flows *flows = picture->flows;
	unsigned *edges_to = memory_get(flows->graph.node_count * sizeof(*edges_to));

	for (uint32_t e = 0; e < flows->graph.edge_count; e++)
		edges_to[flows->graph.edges[e].to]++;
	for (uint32_t n = 0; n < flows->graph.node_count; n++) {
		enum thing_kind kind = flows->things[n].kind;
		bool shared = kind == THING_IOMMU_GROUP || kind == THING_INTERRUPT_LINE;
		picture->shape[n] = n;
		if (kind == THING_CHANNEL || kind == THING_CONTROL || (shared && edges_to[n] < 2))
			picture->shape[n] = NONE;
		else if (kind == THING_INSIDE || kind == THING_RUN_STATE)
			picture->shape[n] = flows->things[n].index;
	}
	free(edges_to);
}

static uint64_t mix(uint64_t value)
{
	value ^= value >> 31;
	value *= 0x9e3779b97f4a7c15ull;
	value ^= value >> 29;
	value *= 0xbf58476d1ce4e5b9ull;
	return value ^ value >> 32;
}

/* A sum over a VM's lines, the same for VMs with lines of the same kinds to the same others. */
static uint64_t *line_sums(const struct picture *picture)
{
	const struct flows *flows = picture->flows;
	uint64_t *sums = memory_get(flows->graph.node_count * sizeof(*sums));

	for (uint32_t e = 0; e < flows->graph.edge_count; e++) {
		const struct cause *cause = &flows->causes[flows->graph.edges[e].cause];
		struct span span = edge_span(picture, &flows->graph.edges[e]);
		uint64_t kind =
			1 + (unsigned)cause->kind * 16 + (cause->kind == CAUSE_RIGHT ? cause->b * 2 : 0) + span.down;
		const struct policy_port *port = port_of(flows, cause);
		if (port)
			kind += mix(2 + port->infrastructure) + port->quarantine.inspection;
		sums[span.tail] += mix(mix(kind) + span.head);
		sums[span.head] += mix(mix(kind + 512) + span.tail);
	}
	return sums;
}

struct kinship {
	uint64_t lines, level, categories;
};

static void join_alike(struct picture *picture)
{
	const struct policy *policy = picture->flows->policy;
	uint64_t *sums = line_sums(picture);
	struct kinship *keys = memory_get(policy->vm_count * sizeof(*keys));
	struct table first = { 0 };

	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < policy->vm_count; i++) {
			const struct policy_vm *vm = &policy->vms[i];
			if (vm->trusted || picture->on_path[i])
				continue;
			keys[i] = (struct kinship){ sums[i], vm->label.level, vm->label.categories };
			unsigned other = table_add(&first, &keys[i], sizeof(keys[i]), i);
			other = other == NONE ? i : other;
			if (pass == 0) {
				picture->alike[other] += other != i;
				picture->last[other] = i;
			} else if (picture->alike[other] >= ALIKE_LEAST) {
				picture->shape[i] = other;
			} else {
				picture->alike[i] = 1;
			}
		}
	table_free(&first);
	free(keys);
	free(sums);
}

/* A VM of one network is drawn inside it, and so is an uplink. */
static void choose_networks(struct picture *picture)
{
	const struct flows *flows = picture->flows;

	for (unsigned i = 0; i < picture->link_count; i++) {
		const struct picture_link *link = &picture->links[i];
		bool port = link->causes & 1u << CAUSE_PORT, uplink = link->causes & 1u << CAUSE_UPLINK;
		if (!port && !uplink)
			continue;
		bool tail_is = flows->things[link->tail].kind == THING_NETWORK;
		uint32_t network = tail_is ? link->tail : link->head, other = tail_is ? link->head : link->tail;
		if (flows->graph.nodes[other].kind != FLOW_FIXED)
			continue;
		picture->network[other] = picture->network[other] == NONE ? network : network + flows->graph.node_count;
	}
	for (uint32_t n = 0; n < flows->graph.node_count; n++)
		if (picture->network[n] != NONE && picture->network[n] >= flows->graph.node_count)
			picture->network[n] = NONE;
}

void picture_make(struct picture *picture, const struct flows *flows, const struct flow_result *result)
{
	uint32_t count = flows->graph.node_count;

	*picture = (struct picture){ .flows = flows,
				     .result = result,
				     .shape = memory_get(count * sizeof(uint32_t)),
				     .alike = memory_get(count * sizeof(unsigned)),
				     .last = memory_get(count * sizeof(uint32_t)),
				     .network = memory_get(count * sizeof(uint32_t)),
				     .on_path = memory_get(count * sizeof(bool)) };
	for (uint32_t n = 0; n < count; n++) {
		picture->alike[n] = 1;
		picture->last[n] = n;
		picture->network[n] = NONE;
	}
	choose_shapes(picture);
	for (uint32_t i = 0; i < result->path_length; i++) {
		picture->on_path[flows->graph.edges[result->path[i]].from] = true;
		picture->on_path[flows->graph.edges[result->path[i]].to] = true;
	}
	join_alike(picture);
	add_links(picture);
	choose_networks(picture);
}

void picture_free(struct picture *picture)
{
	free(picture->shape);
	free(picture->alike);
	free(picture->last);
	free(picture->network);
	free(picture->on_path);
	free(picture->links);
	*picture = (struct picture){ 0 };
}
