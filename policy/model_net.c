/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks with their ports, the switch with its quarantine and infrastructure part, channels.
 *
 * The links come out in this order: ports of networks, infrastructure ports, the control channel, channels.  The
 * switch's queue pairs count up along the first three; that is the one place where they are chosen.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define FRAME_RATE_MAX 100000000u
#define BANDWIDTH_MAX 1000000000000ull
#define LEASE_MAX_NS (30ull * 24 * 3600 * 1000000000)
#define NONCE_INTERVAL_MAX_NS (3600ull * 1000000000)

static void take_limits(struct node *node, uint64_t *frame_rate, uint64_t *bandwidth, struct report *report)
{
	take_number(node, "frame-rate", false, UNIT_COUNT, 1, FRAME_RATE_MAX, frame_rate, report);
	take_number(node, "bandwidth", false, UNIT_RATE, 1000, BANDWIDTH_MAX, bandwidth, report);
}

static void add_port(struct policy *policy, struct node *node, const char *type, unsigned network,
		     struct report *report)
{
	struct policy_port port = { .node = node, .network = network, .infrastructure = network == NONE };

	node->type = type;
	if (!take_node_name(node, port.name, report))
		return;
	port.vm = take_vm(policy, node, "vm", true, report);
	if (port.infrastructure)
		port.network = take_reference(node, "network", true, "a network of this policy",
					      &policy->networks_by_name, report);
	take_name(node, "device", true, port.device, report);
	take_mac(node, "mac", true, port.mac, report);
	take_host(node, "ip", true, port.ip, report);
	take_limits(node, &port.frame_rate, &port.bandwidth, report);
	take_u32(node, "queue-size", false, 1, 32768, &port.queue_size, report);
	port.quarantine.inspection = NONE;
	*ARRAY_ADD(policy->ports, policy->port_count, policy->port_room) = port;
	if (!port.infrastructure)
		table_add_text(&policy->networks[network].ports_by_name, node->name, policy->port_count - 1);
}

static void read_network(struct policy *policy, struct node *node, struct report *report)
{
	char name[LZR_NAME_MAX];

	node->type = "network";
	if (!take_node_name(node, name, report))
		return;
	struct policy_network *network = ARRAY_ADD(policy->networks, policy->network_count, policy->network_room);
	*network = (struct policy_network){ .node = node, .uplink = NONE };
	memcpy(network->name, name, LZR_NAME_MAX);
	table_add_text(&policy->networks_by_name, node->name, policy->network_count - 1);
	take_label(policy, node, "label", true, &network->label, report);
	network->uplink = take_reference(node, "uplink", false, "a device of this policy", &policy->devices_by_name,
					 report);
	network->has_gateway = take_host(node, "gateway", false, network->gateway, report);
	take_limits(node, &network->frame_rate, &network->bandwidth, report);
	struct node *ports = node_list(node, "ports", report);
	for (unsigned i = 0; ports && i < ports->child_count; i++)
		add_port(policy, ports->children[i], "port", policy->network_count - 1, report);
}

void model_read_networks(struct policy *policy, struct report *report)
{
	struct node *networks = node_list(policy->root, "networks", report);

	for (unsigned i = 0; networks && i < networks->child_count; i++)
		read_network(policy, networks->children[i], report);
}

/* --- the switch --------------------------------------------------------------------------------------------------- */

static void read_endpoint(struct policy *policy, unsigned port, struct node *node, struct report *report)
{
	static const char *const protocols[] = { "tcp", "udp", NULL };
	unsigned protocol = 0;

	node->type = "endpoint";
	struct policy_endpoint *e = ARRAY_ADD(policy->endpoints, policy->endpoint_count, policy->endpoint_room);
	*e = (struct policy_endpoint){ .node = node, .port = port };
	take_host(node, "ip", true, e->ip, report);
	take_choice(node, "protocol", true, protocols, &protocol, report);
	e->protocol = protocol ? PROTOCOL_UDP : PROTOCOL_TCP;
	take_u32(node, "port", true, 1, 65535, &e->l4port, report);
}

static void read_infrastructure(struct policy *policy, struct node *node, struct report *report)
{
	unsigned port = policy->port_count;

	add_port(policy, node, "infrastructure port", NONE, report);
	struct node *endpoints = node_child(node, "endpoints");
	if (!endpoints || !endpoints->child_count)
		complain(report, endpoints ? endpoints->where : node->where,
			 "infrastructure port \"%s\": expected node \"endpoints\" with at least one, found none",
			 node->name);
	for (unsigned i = 0; port < policy->port_count && endpoints && i < endpoints->child_count; i++)
		read_endpoint(policy, port, endpoints->children[i], report);
}

static unsigned add_key(struct policy *policy, const struct property *p, unsigned index, const char *keys_dir,
			struct report *report)
{
	const char *file = p->strings[index];
	struct policy_key key = { .file = file };
	char path[4096];

	unsigned found = table_find_text(&policy->keys_by_name, file);
	if (found != NONE)
		return found;
	snprintf(path, sizeof(path), "%s/%s", keys_dir, file);
	if (strchr(file, '/') || !key_file_point(path, key.x, key.y)) {
		complain(report, value_place(p, index),
			 "verifier: expected a public key file in the keys' folder, found \"%s\": %s", file,
			 strchr(file, '/') ? "a path" : key_error());
		return NONE;
	}
	*ARRAY_ADD(policy->keys, policy->key_count, policy->key_room) = key;
	table_add_text(&policy->keys_by_name, file, policy->key_count - 1);
	return policy->key_count - 1;
}

/* What is not said stays as it was. */
static void read_quarantine(struct policy *policy, struct node *node, bool whole, const char *keys_dir,
			    struct policy_quarantine *q, struct report *report)
{
	static const char *const ends[] = { [LEASE_END_QUARANTINE] = "quarantine", [LEASE_END_BLOCK] = "block", NULL };
	struct property *keys = take_strings(node, "verifier", whole, report);
	unsigned word;

	take_number(node, "lease-max", whole, UNIT_TIME, 1, LEASE_MAX_NS, &q->lease_max_ns, report);
	if (take_choice(node, "lease-end", false, ends, &word, report))
		q->lease_end = word;
	if (!keys)
		return;
	q->keys = memory_get(keys->count * sizeof(*q->keys));
	q->key_count = 0;
	for (unsigned i = 0; i < keys->count; i++) {
		unsigned key = add_key(policy, keys, i, keys_dir, report);
		for (unsigned j = 0; j < q->key_count; j++)
			if (key != NONE && q->keys[j] == key)
				complain(report, value_place(keys, i), "verifier: \"%s\" is listed twice",
					 keys->strings[i]);
		if (key != NONE)
			q->keys[q->key_count++] = key;
	}
}

static void read_port_quarantine(struct policy *policy, struct policy_port *port, const char *keys_dir,
				 struct report *report)
{
	struct policy_quarantine *q = &port->quarantine;

	*q = policy->fabric.quarantine;
	q->inspection = NONE;
	struct node *node = node_child(port->node, "quarantine");
	if (!node)
		return;
	read_quarantine(policy, node, false, keys_dir, q, report);
	if (q->lease_max_ns > policy->fabric.quarantine.lease_max_ns)
		complain(report, where_of(node, "lease-max"),
			 "port \"%s\": expected a lease-max of at most the switch's, %llu ms, found %llu ms",
			 port->name, (unsigned long long)policy->fabric.quarantine.lease_max_ns / 1000000,
			 (unsigned long long)q->lease_max_ns / 1000000);
	q->inspection = take_reference(node, "inspection", false, "a port of the same network",
				       &policy->networks[port->network].ports_by_name, report);
	if (q->inspection != NONE) {
		q->inspection_where = where_of(node, "inspection");
		take_number(node, "inspection-rate", true, UNIT_COUNT, 1, FRAME_RATE_MAX, &q->inspection_rate, report);
		if (&policy->ports[q->inspection] == port)
			complain(report, q->inspection_where, "inspection: expected another port, found itself");
	}
}

void model_read_switch(struct policy *policy, const char *keys_dir, struct report *report)
{
	struct policy_switch *fabric = &policy->fabric;
	struct node *node = node_child(policy->root, "switch");

	fabric->vm = fabric->control_vm = NONE;
	fabric->node = node;
	if (!node)
		return;
	fabric->vm = take_vm(policy, node, "vm", true, report);
	take_name(node, "device", true, fabric->device, report);
	struct node *quarantine = node_child(node, "quarantine");
	if (quarantine) {
		read_quarantine(policy, quarantine, true, keys_dir, &fabric->quarantine, report);
		fabric->has_verifier = fabric->quarantine.key_count != 0;
		take_number(quarantine, "nonce-interval", true, UNIT_TIME, 0, NONCE_INTERVAL_MAX_NS,
			    &fabric->nonce_interval_ns, report);
	} else {
		complain(report, node->where,
			 "switch: expected node \"quarantine\" with verifier, lease-max, nonce-interval, found none");
	}
	for (unsigned i = 0; i < policy->port_count; i++)
		read_port_quarantine(policy, &policy->ports[i], keys_dir, report);
	struct node *infrastructure = node_child(node, "infrastructure");
	for (unsigned i = 0; infrastructure && i < infrastructure->child_count; i++)
		read_infrastructure(policy, infrastructure->children[i], report);
	fabric->control = node_child(node, "control");
	if (fabric->control) {
		fabric->control_vm = take_vm(policy, fabric->control, "vm", true, report);
		fabric->has_control =
			take_name(fabric->control, "device", true, fabric->control_device, report);
	}
}

/* --- channels and links ------------------------------------------------------------------------------------------- */

/* A channel has the label of the end that has only one; between two that have several its author says which. */
static void take_channel_label(struct policy *policy, struct policy_channel *channel, struct report *report)
{
	const struct policy_vm *vm = channel->vm == NONE ? NULL : &policy->vms[channel->vm];
	const struct policy_vm *service = channel->service == NONE ? NULL : &policy->vms[channel->service];

	if (take_label(policy, channel->node, "label", false, &channel->label, report))
		return;
	if (vm && !vm->trusted)
		channel->label = vm->label;
	else if (service && !service->trusted)
		channel->label = service->label;
	else if (vm && service && !take(channel->node, "label"))
		complain(report, channel->node->where,
			 "channel \"%s\": expected property \"label\", since both ends are trusted over several, found "
			 "none",
			 channel->name);
}

static void read_channel(struct policy *policy, struct node *node, struct report *report)
{
	struct policy_channel channel = { .node = node, .link = NONE };

	node->type = "channel";
	if (!take_node_name(node, channel.name, report))
		return;
	channel.vm = take_vm(policy, node, "vm", true, report);
	channel.service = take_vm(policy, node, "service", true, report);
	take_name(node, "device", true, channel.device, report);
	take_name(node, "service-device", true, channel.service_device, report);
	take_channel_label(policy, &channel, report);
	*ARRAY_ADD(policy->channels, policy->channel_count, policy->channel_room) = channel;
	table_add_text(&policy->channels_by_name, node->name, policy->channel_count - 1);
}

void model_read_channels(struct policy *policy, struct report *report)
{
	struct node *channels = node_list(policy->root, "channels", report);

	for (unsigned i = 0; channels && i < channels->child_count; i++)
		read_channel(policy, channels->children[i], report);
}

static struct policy_link *add_link(struct policy *policy, struct node *node, unsigned vm, const char *device,
				    unsigned other, const char *other_device)
{
	struct policy_link *link = ARRAY_ADD(policy->links, policy->link_count, policy->link_room);

	*link = (struct policy_link){ .node = node, .vm = { vm, other }, .network = NONE, .channel = NONE };
	memcpy(link->device[0], device, LZR_NAME_MAX);
	memcpy(link->device[1], other_device, LZR_NAME_MAX);
	return link;
}

void model_read_links(struct policy *policy, struct report *report)
{
	struct policy_switch *fabric = &policy->fabric;

	if (policy->port_count && !fabric->node)
		complain(report, policy->ports[0].node->where,
			 "port \"%s\": expected node \"switch\" that names its backend, found none",
			 policy->ports[0].name);
	for (unsigned i = 0; fabric->node && i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];
		struct policy_link *link =
			add_link(policy, port->node, port->vm, port->device, fabric->vm, fabric->device);
		link->pair[1] = i;
		link->network = port->network;
		if (port->network != NONE)
			link->label = policy->networks[port->network].label;
	}
	if (fabric->has_control) {
		struct policy_link *link = add_link(policy, fabric->control, fabric->control_vm,
						    fabric->control_device, fabric->vm, fabric->device);
		link->pair[1] = switch_control_pair(policy);
		if (fabric->control_vm != NONE)
			link->label = policy->vms[fabric->control_vm].label;
	}
	for (unsigned i = 0; i < policy->channel_count; i++) {
		struct policy_channel *channel = &policy->channels[i];
		struct policy_link *link = add_link(policy, channel->node, channel->vm, channel->device,
						    channel->service, channel->service_device);
		link->channel = i;
		link->label = channel->label;
		channel->link = policy->link_count - 1;
	}
}
