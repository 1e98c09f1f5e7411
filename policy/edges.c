/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct policy -> flow graph.  What flows where:
 *
 *   port              both ways between VM and network, and between network and switch, which serves it
 *   uplink            both ways between device and network (and between the device and its VM, the switch, as below)
 *   device            both ways between it and its VM; between devices of one IOMMU group (they reach each other past
 *                     the IOMMU); between devices that share an interrupt line (when they raise it is seen by both)
 *   channel           both ways between it and each end; the switch's control channel is one too
 *   introspects "b"   from b to the holder, likewise reads-audit "b" and attests "b"
 *   controls "b"      to b (stop, start), and back (whether it runs)
 *
 * None of these rights asks b, however trusted: what is read of it is at its high end, that it stops is seen at its low
 * end.  hv/flow.c has the same rules, and tests/unit/test_policy_agree.c compares the two.
 *
 * Rules of the firewall take nothing away here: what they let through in one direction is answered in the other.
 */
#include "edges.h"

#include <stdlib.h>

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static uint32_t add_thing(struct flows *flows, enum thing_kind kind, unsigned index, const struct flow_node *node)
{
	*ARRAY_ADD(flows->things, flows->thing_count, flows->thing_room) = (struct thing){ kind, index };
	return flow_node_add(&flows->graph, node);
}

static uint32_t add_fixed(struct flows *flows, enum thing_kind kind, unsigned index, const struct lzr_label *label)
{
	return add_thing(flows, kind, index,
			 &(struct flow_node){ .kind = FLOW_FIXED, .bounds = { .low = *label, .high = *label } });
}

static uint32_t add_carrier(struct flows *flows, enum thing_kind kind, unsigned index)
{
	return add_thing(flows, kind, index, &(struct flow_node){ .kind = FLOW_CARRIER });
}

static void add_vms(struct flows *flows)
{
	for (unsigned i = 0; i < flows->policy->vm_count; i++) {
		const struct policy_vm *vm = &flows->policy->vms[i];
		if (vm->trusted)
			add_thing(flows, THING_VM, i,
				  &(struct flow_node){ .kind = FLOW_TRUSTED, .bounds = { vm->low, vm->high } });
		else
			add_fixed(flows, THING_VM, i, &vm->label);
	}
}

/* --- edges -------------------------------------------------------------------------------------------------------- */

static uint32_t add_cause(struct flows *flows, enum cause_kind kind, unsigned a, unsigned b, unsigned c)
{
	*ARRAY_ADD(flows->causes, flows->cause_count, flows->cause_room) = (struct cause){ kind, a, b, c };
	return flows->cause_count - 1;
}

static void both(struct flows *flows, uint32_t x, uint32_t y, enum cause_kind kind, unsigned a, unsigned b)
{
	flow_edges_both(&flows->graph, x, y, add_cause(flows, kind, a, b, 0));
}

static void add_networks(struct flows *flows, uint32_t first_device)
{
	const struct policy *policy = flows->policy;
	uint32_t first = flows->graph.node_count;
	bool *served = memory_get(policy->network_count * sizeof(*served));

	for (unsigned i = 0; i < policy->network_count; i++)
		add_fixed(flows, THING_NETWORK, i, &policy->networks[i].label);
	for (unsigned i = 0; i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];
		both(flows, port->vm, first + port->network, CAUSE_PORT, i, 0);
		served[port->network] = true;
	}
	for (unsigned i = 0; i < policy->network_count; i++) {
		if (policy->networks[i].uplink != NONE)
			both(flows, first_device + policy->networks[i].uplink, first + i, CAUSE_UPLINK, i, 0);
		if (served[i] && policy->fabric.node)
			both(flows, first + i, policy->fabric.vm, CAUSE_SWITCH, i, 0);
	}
	free(served);
}

/* A node for each number that some device declares, between all devices that declare it. */
static void add_shared(struct flows *flows, uint32_t first_device, enum thing_kind thing, enum cause_kind cause)
{
	const struct policy *policy = flows->policy;
	struct table numbers = { 0 };

	for (unsigned i = 0; i < policy->device_count; i++) {
		const struct policy_device *device = &policy->devices[i];
		const unsigned *number = thing == THING_IOMMU_GROUP ? &device->iommu_group : &device->interrupt_line;
		if (*number == NONE)
			continue;
		uint32_t node = table_find(&numbers, number, sizeof(*number));
		if (node == NONE) {
			node = add_carrier(flows, thing, *number);
			table_add(&numbers, number, sizeof(*number), node);
		}
		both(flows, first_device + i, node, cause, i, 0);
	}
	table_free(&numbers);
}

static uint32_t add_devices(struct flows *flows)
{
	const struct policy *policy = flows->policy;
	uint32_t first = flows->graph.node_count;

	for (unsigned i = 0; i < policy->device_count; i++)
		add_fixed(flows, THING_DEVICE, i, &policy->devices[i].label);
	for (unsigned i = 0; i < policy->device_count; i++)
		both(flows, first + i, policy->devices[i].vm, CAUSE_DEVICE, i, 0);
	add_shared(flows, first, THING_IOMMU_GROUP, CAUSE_IOMMU_GROUP);
	add_shared(flows, first, THING_INTERRUPT_LINE, CAUSE_INTERRUPT_LINE);
	return first;
}

/* Only a channel whose author gave it a label has one; others carry what their ends send. */
static void add_channels(struct flows *flows)
{
	const struct policy *policy = flows->policy;

	for (unsigned i = 0; i < policy->channel_count; i++) {
		const struct policy_channel *channel = &policy->channels[i];
		uint32_t node = take(channel->node, "label") ? add_fixed(flows, THING_CHANNEL, i, &channel->label)
							     : add_carrier(flows, THING_CHANNEL, i);
		both(flows, channel->vm, node, CAUSE_CHANNEL, i, 0);
		both(flows, channel->service, node, CAUSE_CHANNEL, i, 1);
	}
	if (policy->fabric.has_control) {
		uint32_t node = add_carrier(flows, THING_CONTROL, 0);
		both(flows, policy->fabric.control_vm, node, CAUSE_CONTROL, 0, 0);
		both(flows, policy->fabric.vm, node, CAUSE_CONTROL, 0, 1);
	}
}

/*
 * The end of a VM's range that a right over it reaches, past what the VM itself lets through: who looks inside sees all
 * that it holds; that it is stopped shows at the lowest label that it serves.
 */
static uint32_t end_of(struct flows *flows, unsigned vm, enum right which, uint32_t *ends)
{
	const struct policy_vm *object = &flows->policy->vms[vm];
	bool low = which == RIGHT_CONTROLS;
	uint32_t *end = &ends[2 * vm + low];

	if (!object->trusted)
		return vm;
	if (!*end) {
		uint32_t cause = add_cause(flows, low ? CAUSE_RUN_STATE : CAUSE_INSIDE, vm, 0, 0);
		*end = add_fixed(flows, low ? THING_RUN_STATE : THING_INSIDE, vm, low ? &object->low : &object->high);
		flow_edge_add(&flows->graph, vm, *end, cause);
		if (low)
			flow_edge_add(&flows->graph, *end, vm, cause);
	}
	return *end;
}

static void add_rights(struct flows *flows)
{
	const struct policy *policy = flows->policy;
	uint32_t *ends = memory_get(2 * policy->vm_count * sizeof(*ends));

	for (unsigned holder = 0; holder < policy->vm_count; holder++)
		for (unsigned which = 0; which < RIGHT_COUNT; which++) {
			const struct policy_right *right = &policy->vms[holder].rights[which];
			for (unsigned i = 0; i < right->count; i++) {
				unsigned object = right->vms[i];
				if (object == holder)
					continue;
				uint32_t cause = add_cause(flows, CAUSE_RIGHT, holder, which, i);
				uint32_t end = end_of(flows, object, which, ends);
				flow_edge_add(&flows->graph, end, holder, cause);
				if (which == RIGHT_CONTROLS)
					flow_edge_add(&flows->graph, holder, end, cause);
			}
		}
	free(ends);
}

void flows_make(struct flows *flows, const struct policy *policy)
{
	*flows = (struct flows){ .policy = policy };
	add_vms(flows);
	add_networks(flows, add_devices(flows));
	add_channels(flows);
	add_rights(flows);
}

void flows_free(struct flows *flows)
{
	flow_graph_free(&flows->graph);
	free(flows->things);
	free(flows->causes);
	*flows = (struct flows){ 0 };
}

/* --- words and places --------------------------------------------------------------------------------------------- */

const char *flows_name(const struct flows *flows, uint32_t node, char out[FLOWS_TEXT])
{
	const struct policy *policy = flows->policy;
	unsigned index = flows->things[node].index;

	switch (flows->things[node].kind) {
	case THING_VM:
		snprintf(out, FLOWS_TEXT, "%s", policy->vms[index].name);
		break;
	case THING_NETWORK:
		snprintf(out, FLOWS_TEXT, "network %s", policy->networks[index].name);
		break;
	case THING_DEVICE:
		snprintf(out, FLOWS_TEXT, "device %s", policy->devices[index].name);
		break;
	case THING_CHANNEL:
		snprintf(out, FLOWS_TEXT, "channel %s", policy->channels[index].name);
		break;
	case THING_CONTROL:
		snprintf(out, FLOWS_TEXT, "control channel");
		break;
	case THING_INSIDE:
		snprintf(out, FLOWS_TEXT, "inside of %s", policy->vms[index].name);
		break;
	case THING_RUN_STATE:
		snprintf(out, FLOWS_TEXT, "run state of %s", policy->vms[index].name);
		break;
	case THING_IOMMU_GROUP:
		snprintf(out, FLOWS_TEXT, "IOMMU group %u", index);
		break;
	case THING_INTERRUPT_LINE:
		snprintf(out, FLOWS_TEXT, "interrupt line %u", index);
		break;
	}
	return out;
}

const char *flows_label(const struct flows *flows, const struct flow_result *result, uint32_t node,
			char out[FLOWS_TEXT])
{
	const struct flow_bounds *bounds = &result->bounds[node];
	char low[LABEL_TEXT], high[LABEL_TEXT];

	label_text(flows->policy, &bounds->low, low, sizeof(low));
	label_text(flows->policy, &bounds->high, high, sizeof(high));
	if (flows->graph.nodes[node].kind == FLOW_TRUSTED)
		snprintf(out, FLOWS_TEXT, "trusted from %s to %s", low, high);
	else
		snprintf(out, FLOWS_TEXT, "%s", low);
	return out;
}

static const char *right_reason(const struct flows *flows, const struct cause *cause, bool back, char out[FLOWS_TEXT])
{
	static const char *const words[] = {
		[RIGHT_INTROSPECTS] = "\"%s\" introspects \"%s\"",
		[RIGHT_CONTROLS] = "\"%s\" controls \"%s\" and learns whether it runs",
		[RIGHT_READS_AUDIT] = "\"%s\" reads the audit records of \"%s\"",
		[RIGHT_ATTESTS] = "\"%s\" attests \"%s\"",
	};
	const struct policy *policy = flows->policy;
	const struct policy_vm *holder = &policy->vms[cause->a];
	const char *object = policy->vms[holder->rights[cause->b].vms[cause->c]].name;

	if (cause->b == RIGHT_CONTROLS && !back)
		snprintf(out, FLOWS_TEXT, "\"%s\" controls \"%s\": stops and starts it", holder->name, object);
	else
		snprintf(out, FLOWS_TEXT, words[cause->b], holder->name, object);
	return out;
}

const char *flows_reason(const struct flows *flows, uint32_t edge, char out[FLOWS_TEXT])
{
	const struct policy *policy = flows->policy;
	const struct cause *cause = &flows->causes[flows->graph.edges[edge].cause];
	unsigned a = cause->a;

	switch (cause->kind) {
	case CAUSE_PORT:
		snprintf(out, FLOWS_TEXT, "%s \"%s\"", policy->ports[a].infrastructure ? "infrastructure port" : "port",
			 policy->ports[a].name);
		break;
	case CAUSE_SWITCH:
		snprintf(out, FLOWS_TEXT, "the switch serves the network's ports");
		break;
	case CAUSE_UPLINK:
		snprintf(out, FLOWS_TEXT, "uplink of network \"%s\"", policy->networks[a].name);
		break;
	case CAUSE_DEVICE:
		snprintf(out, FLOWS_TEXT, "the device is assigned to \"%s\"", policy->vms[policy->devices[a].vm].name);
		break;
	case CAUSE_CHANNEL:
		snprintf(out, FLOWS_TEXT, "\"%s\" is the channel's %s",
			 policy->vms[cause->b ? policy->channels[a].service : policy->channels[a].vm].name,
			 cause->b ? "service" : "client");
		break;
	case CAUSE_CONTROL:
		snprintf(out, FLOWS_TEXT, "\"%s\" %s",
			 policy->vms[cause->b ? policy->fabric.vm : policy->fabric.control_vm].name,
			 cause->b ? "is the switch" : "has the switch's control channel");
		break;
	case CAUSE_RIGHT:
		return right_reason(flows, cause, flows->graph.edges[edge].to == cause->a, out);
	case CAUSE_INSIDE:
		snprintf(out, FLOWS_TEXT, "\"%s\" is trusted not to let out all that it holds; inside, all of it is",
			 policy->vms[a].name);
		break;
	case CAUSE_RUN_STATE:
		snprintf(out, FLOWS_TEXT, "whether \"%s\" runs is seen by all that it serves", policy->vms[a].name);
		break;
	case CAUSE_IOMMU_GROUP:
		snprintf(out, FLOWS_TEXT, "device \"%s\" is in the group: its devices reach each other past the IOMMU",
			 policy->devices[a].name);
		break;
	case CAUSE_INTERRUPT_LINE:
		snprintf(out, FLOWS_TEXT,
			 "device \"%s\" shares the line: each of its devices' VMs sees when it is raised",
			 policy->devices[a].name);
		break;
	}
	return out;
}

struct place flows_place(const struct flows *flows, uint32_t edge)
{
	const struct policy *policy = flows->policy;
	const struct cause *cause = &flows->causes[flows->graph.edges[edge].cause];
	unsigned a = cause->a;

	switch (cause->kind) {
	case CAUSE_PORT:
		return where_of(policy->ports[a].node, "vm");
	case CAUSE_SWITCH:
		return where_of(policy->fabric.node, "vm");
	case CAUSE_UPLINK:
		return where_of(policy->networks[a].node, "uplink");
	case CAUSE_DEVICE:
		return where_of(policy->devices[a].node, "vm");
	case CAUSE_CHANNEL:
		return where_of(policy->channels[a].node, cause->b ? "service" : "vm");
	case CAUSE_CONTROL:
		return where_of(cause->b ? policy->fabric.node : policy->fabric.control, "vm");
	case CAUSE_RIGHT:
		return right_place(&policy->vms[a].rights[cause->b], cause->c);
	case CAUSE_INSIDE:
		return where_of(policy->vms[a].node, "trusted-high");
	case CAUSE_RUN_STATE:
		return where_of(policy->vms[a].node, "trusted-low");
	case CAUSE_IOMMU_GROUP:
		return where_of(policy->devices[a].node, "iommu-group");
	case CAUSE_INTERRUPT_LINE:
		return where_of(policy->devices[a].node, "interrupt-line");
	}
	return policy->root->where;
}

const char *flows_verdict(const struct flows *flows, const struct flow_result *result, char out[FLOWS_TEXT])
{
	uint32_t first = flows->graph.edges[result->path[0]].from;
	uint32_t last = flows->graph.edges[result->path[result->path_length - 1]].to;
	const struct lzr_label *sent = &result->bounds[first].low, *most = &result->bounds[last].high;
	char from[LABEL_TEXT], to[LABEL_TEXT];

	label_text(flows->policy, sent, from, sizeof(from));
	label_text(flows->policy, most, to, sizeof(to));
	snprintf(out, FLOWS_TEXT, "%s flows %s to %s", from, lzr_label_dominates(sent, most) ? "down" : "across", to);
	return out;
}

/* --- the check ---------------------------------------------------------------------------------------------------- */

static void complain_path(const struct flows *flows, const struct flow_result *result, struct report *report)
{
	char place[PLACE_TEXT], text[FLOWS_TEXT], *message = NULL;
	size_t size;
	FILE *out = open_memstream(&message, &size);

	if (!out)
		abort();
	fprintf(out, "%s:", flows_verdict(flows, result, text));
	for (uint32_t i = 0; i < result->path_length; i++) {
		const struct flow_edge *edge = &flows->graph.edges[result->path[i]];
		fprintf(out, "\n%s: hop %u: %s ", place_text(flows_place(flows, result->path[i]), place), i + 1,
			flows_name(flows, edge->from, text));
		fprintf(out, "(%s) -> ", flows_label(flows, result, edge->from, text));
		fprintf(out, "%s ", flows_name(flows, edge->to, text));
		fprintf(out, "(%s): ", flows_label(flows, result, edge->to, text));
		fprintf(out, "%s", flows_reason(flows, result->path[i], text));
	}
	fclose(out);
	complain(report, flows_place(flows, result->path[0]), "%s", message);
	free(message);
}

void check_flows(struct policy *policy, struct report *report)
{
	struct flows flows;
	struct flow_result result;

	flows_make(&flows, policy);
	flow_analyse(&flows.graph, &result);
	if (!result.clean)
		complain_path(&flows, &result, report);
	else if (!flow_certificate_check(&flows.graph, result.bounds))
		abort();
	for (uint32_t n = 0; result.clean && n < flows.graph.node_count; n++) {
		const struct lzr_label *label = &result.bounds[n].low;
		if (flows.things[n].kind == THING_CHANNEL) {
			struct policy_channel *channel = &policy->channels[flows.things[n].index];
			channel->label = policy->links[channel->link].label = *label;
		} else if (flows.things[n].kind == THING_CONTROL) {
			policy->links[policy->port_count].label = *label;
		}
	}
	flow_result_free(&result);
	flows_free(&flows);
}

void print_certificate(const struct policy *policy, FILE *out)
{
	char name[FLOWS_TEXT], label[FLOWS_TEXT];
	struct flows flows;
	struct flow_result result;

	flows_make(&flows, policy);
	flow_analyse(&flows.graph, &result);
	if (!result.clean)
		abort();
	fprintf(out, "nothing flows down: %u parts, %u flows\n", flows.graph.node_count, flows.graph.edge_count);
	for (uint32_t n = 0; n < flows.graph.node_count; n++)
		fprintf(out, "%s%-*s %s\n", flows.things[n].kind == THING_VM ? "VM " : "",
			flows.things[n].kind == THING_VM ? 29 : 32, flows_name(&flows, n, name),
			flows_label(&flows, &result, n, label));
	flow_result_free(&result);
	flows_free(&flows);
}
