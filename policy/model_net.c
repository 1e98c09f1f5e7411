/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks with their ports, the switch with its infrastructure part, channels.
 *
 * The links come out in this order: ports of networks, infrastructure ports, the control channel, channels.  The
 * switch's queue pairs count up along the first three; that is the one place where they are chosen.
 */
#include <stdio.h>
#include <string.h>

#include "policy.h"

static void read_port_address(struct policy_port *port, struct report *report)
{
	take_name(port->node, "device", true, port->device, report);
	take_mac(port->node, "mac", true, port->mac, report);
	take_ipv4(port->node, "ip", true, port->ip, report);
}

static void add_port(struct policy *policy, struct node *node, unsigned network, unsigned vm, bool infrastructure,
		     struct report *report)
{
	node->used = true;
	if (policy->port_count == LZR_SWITCH_PORT_MAX) {
		complain(report, node->where, "expected at most %u ports", LZR_SWITCH_PORT_MAX);
		return;
	}
	struct policy_port *port = &policy->ports[policy->port_count++];
	*port = (struct policy_port){ .node = node, .network = network, .vm = vm, .infrastructure = infrastructure };
	read_port_address(port, report);
}

static unsigned find_device(const struct policy *policy, const char *name)
{
	for (unsigned i = 0; i < policy->device_count; i++)
		if (!strcmp(policy->devices[i].name, name))
			return i;
	return NONE;
}

static unsigned find_network(const struct policy *policy, const char *name)
{
	for (unsigned i = 0; i < policy->network_count; i++)
		if (!strcmp(policy->networks[i].name, name))
			return i;
	return NONE;
}

static void read_network(struct policy *policy, struct node *node, struct report *report)
{
	struct policy_network *network = &policy->networks[policy->network_count];
	const char *uplink;

	node->used = true;
	if (policy->network_count == LZR_NETWORK_MAX) {
		complain(report, node->where, "expected at most %u networks", LZR_NETWORK_MAX);
		return;
	}
	*network = (struct policy_network){ .node = node, .uplink = NONE };
	if (!take_node_name(node, network->name, report))
		return;
	policy->network_count++;
	take_label(policy, node, "label", true, &network->label, report);
	if (take_string(node, "uplink", false, &uplink, report)) {
		network->uplink = find_device(policy, uplink);
		if (network->uplink == NONE)
			complain(report, where_of(node, "uplink"),
				 "uplink: expected a device of this policy, found \"%s\"", uplink);
	}
	network->has_gateway = take_ipv4(node, "gateway", false, network->gateway, report);
	struct node *ports = node_child(node, "ports");
	for (unsigned i = 0; ports && i < ports->child_count; i++) {
		struct node *child = ports->children[i];
		unsigned vm = take_vm(policy, child, "vm", true, report);
		add_port(policy, child, policy->network_count - 1, vm, false, report);
	}
}

void model_read_networks(struct policy *policy, struct report *report)
{
	struct node *networks = node_child(policy->root, "networks");

	for (unsigned i = 0; networks && i < networks->child_count; i++)
		read_network(policy, networks->children[i], report);
}

static void read_endpoint(struct policy *policy, unsigned port, struct node *node, struct report *report)
{
	const char *protocol = "";
	uint64_t number = 0;

	node->used = true;
	if (policy->endpoint_count == LZR_SWITCH_ENDPOINT_MAX) {
		complain(report, node->where, "expected at most %u endpoints", LZR_SWITCH_ENDPOINT_MAX);
		return;
	}
	struct policy_endpoint *e = &policy->endpoints[policy->endpoint_count++];
	*e = (struct policy_endpoint){ .node = node, .port = port };
	take_ipv4(node, "ip", true, e->ip, report);
	if (take_string(node, "protocol", true, &protocol, report) && strcmp(protocol, "tcp") &&
	    strcmp(protocol, "udp"))
		complain(report, where_of(node, "protocol"), "protocol: expected \"tcp\" or \"udp\", found \"%s\"",
			 protocol);
	e->protocol = !strcmp(protocol, "udp") ? 17 : 6;
	if (take_number(node, "port", true, 65535, &number, report) && number == 0)
		complain(report, where_of(node, "port"), "port: expected 1 to 65535, found 0");
	e->l4port = (unsigned)number;
}

static void read_infrastructure(struct policy *policy, struct node *node, struct report *report)
{
	const char *name = "";
	unsigned network = NONE;

	node->used = true;
	unsigned vm = take_vm(policy, node, "vm", true, report);
	if (take_string(node, "network", true, &name, report)) {
		network = find_network(policy, name);
		if (network == NONE)
			complain(report, where_of(node, "network"),
				 "network: expected a network of this policy, found \"%s\"", name);
	}
	unsigned port = policy->port_count;
	add_port(policy, node, network, vm, true, report);
	struct node *endpoints = node_child(node, "endpoints");
	if (!endpoints || !endpoints->child_count)
		complain(report, node->where,
			 "infrastructure port \"%s\": expected node \"endpoints\" with at least one", node->name);
	for (unsigned i = 0; endpoints && i < endpoints->child_count; i++)
		read_endpoint(policy, port, endpoints->children[i], report);
}

static void read_quarantine(struct policy *policy, struct node *node, const char *keys_dir, struct report *report)
{
	struct policy_switch *fabric = &policy->fabric;
	char path[4096];
	const char *key;

	take_number(node, "lease-max", true, 30ull * 24 * 3600 * 1000000000, &fabric->lease_max_ns, report);
	if (fabric->lease_max_ns == 0)
		complain(report, where_of(node, "lease-max"), "lease-max: expected more than 0, such as \"300s\"");
	take_number(node, "nonce-interval", true, 3600ull * 1000000000, &fabric->nonce_interval_ns, report);
	if (!take_string(node, "verifier", true, &key, report))
		return;
	snprintf(path, sizeof(path), "%s/%s", keys_dir, key);
	if (strchr(key, '/') || !key_point(path, fabric->verifier_x, fabric->verifier_y))
		complain(report, where_of(node, "verifier"),
			 "verifier: expected a public key file in the keys' folder: %s",
			 strchr(key, '/') ? key : key_error());
	else
		fabric->has_verifier = true;
}

void model_read_switch(struct policy *policy, const char *keys_dir, struct report *report)
{
	struct policy_switch *fabric = &policy->fabric;
	struct node *node = node_child(policy->root, "switch");

	if (!node)
		return;
	fabric->node = node;
	fabric->vm = take_vm(policy, node, "vm", true, report);
	take_name(node, "device", true, fabric->device, report);
	struct node *quarantine = node_child(node, "quarantine");
	if (quarantine)
		read_quarantine(policy, quarantine, keys_dir, report);
	else
		complain(report, node->where,
			 "switch: expected node \"quarantine\" with verifier, lease-max, nonce-interval");
	struct node *infrastructure = node_child(node, "infrastructure");
	for (unsigned i = 0; infrastructure && i < infrastructure->child_count; i++)
		read_infrastructure(policy, infrastructure->children[i], report);
	struct node *control = node_child(node, "control");
	if (control) {
		fabric->control_vm = take_vm(policy, control, "vm", true, report);
		fabric->has_control = take_name(control, "device", true, fabric->control_device, report);
	}
}

static struct policy_link *add_link(struct policy *policy, struct node *node, struct report *report)
{
	if (policy->link_count == LZR_LINK_MAX) {
		complain(report, node->where, "expected at most %u links", LZR_LINK_MAX);
		return NULL;
	}
	struct policy_link *link = &policy->links[policy->link_count++];
	*link = (struct policy_link){ .node = node, .network = NONE };
	return link;
}

static void link_to_switch(struct policy *policy, struct node *node, unsigned vm, const char *device, unsigned pair,
			   unsigned network, struct report *report)
{
	const struct policy_switch *fabric = &policy->fabric;
	struct policy_link *link = add_link(policy, node, report);

	if (!link || vm == NONE || fabric->vm == NONE)
		return;
	link->vm[0] = vm;
	memcpy(link->device[0], device, LZR_NAME_MAX);
	link->vm[1] = fabric->vm;
	memcpy(link->device[1], fabric->device, LZR_NAME_MAX);
	link->pair[1] = pair;
	link->network = network;
	link->label = network == NONE ? policy->vms[vm].label : policy->networks[network].label;
}

static void read_channel(struct policy *policy, struct node *node, struct report *report)
{
	node->used = true;
	unsigned vm = take_vm(policy, node, "vm", true, report);
	unsigned service = take_vm(policy, node, "service", true, report);
	struct policy_link *link = add_link(policy, node, report);
	if (!link)
		return;
	take_name(node, "device", true, link->device[0], report);
	take_name(node, "service-device", true, link->device[1], report);
	link->vm[0] = vm;
	link->vm[1] = service;
	if (vm != NONE)
		link->label = policy->vms[vm].label;
}

void model_read_channels(struct policy *policy, struct report *report)
{
	struct policy_switch *fabric = &policy->fabric;
	struct node *channels = node_child(policy->root, "channels");

	if (policy->port_count && !fabric->node)
		complain(report, policy->ports[0].node->where,
			 "port \"%s\": expected node \"switch\" that names its backend, found none",
			 policy->ports[0].node->name);
	for (unsigned i = 0; fabric->node && i < policy->port_count; i++)
		link_to_switch(policy, policy->ports[i].node, policy->ports[i].vm, policy->ports[i].device, i,
			       policy->ports[i].network, report);
	if (fabric->has_control)
		link_to_switch(policy, node_child(fabric->node, "control"), fabric->control_vm, fabric->control_device,
			       switch_control_pair(policy), NONE, report);
	for (unsigned i = 0; channels && i < channels->child_count; i++)
		read_channel(policy, channels->children[i], report);
}
