/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over networks, ports, channels and the switch that joins them. */
#include <stdio.h>
#include <string.h>

#include <lazaret/link.h>

#include "policy.h"

#define LABEL_TEXT 256

static bool within_range(const struct policy_vm *vm, const struct lzr_label *label)
{
	if (!vm->trusted)
		return lzr_label_equal(&vm->label, label);
	return lzr_label_dominates(&vm->high, label) && lzr_label_dominates(label, &vm->low);
}

static void check_port_label(const struct policy *policy, const struct policy_port *port, struct report *report)
{
	const struct policy_network *network = &policy->networks[port->network];
	const struct policy_vm *vm = &policy->vms[port->vm];
	char want[LABEL_TEXT], have[LABEL_TEXT];

	if (within_range(vm, &network->label))
		return;
	label_text(policy, &network->label, want, sizeof(want));
	label_text(policy, &vm->label, have, sizeof(have));
	complain(report, where_of(port->node, "vm"),
		 "port \"%s\" would join labels: network \"%s\" has %s, expected a VM of that label or trusted over "
		 "it, found "
		 "\"%s\" with %s",
		 port->node->name, network->name, want, vm->name, have);
}

static void check_port_device(const struct policy *policy, const struct policy_port *port, struct report *report)
{
	const struct policy_vm *vm = &policy->vms[port->vm];

	if (!vm->has_facts)
		return;
	const struct fact_device *device = facts_device(&vm->facts, port->device);
	if (!device || device->kind != FACT_VDEV || device->virtio_id != LZR_VIRTIO_PCI_NET || device->service)
		complain(report, where_of(port->node, "device"),
			 "port \"%s\": expected a network device \"%s\" in the manifest of VM \"%s\", found %s",
			 port->node->name, port->device, vm->name, device ? "a device of another kind" : "none");
	else if (!device->has_mac || memcmp(device->mac, port->mac, 6))
		complain(report, where_of(port->node, "mac"),
			 "port \"%s\": expected the MAC address of \"%s\" in the manifest of VM \"%s\", "
			 "%02x:%02x:%02x:%02x:%02x:%02x, found %02x:%02x:%02x:%02x:%02x:%02x",
			 port->node->name, port->device, vm->name, device->mac[0], device->mac[1], device->mac[2],
			 device->mac[3], device->mac[4], device->mac[5], port->mac[0], port->mac[1], port->mac[2],
			 port->mac[3], port->mac[4], port->mac[5]);
}

static void check_port(const struct policy *policy, unsigned index, struct report *report)
{
	const struct policy_port *port = &policy->ports[index];

	for (unsigned i = 0; i < index; i++) {
		const struct policy_port *other = &policy->ports[i];
		if (!memcmp(port->mac, other->mac, 6))
			complain(report, where_of(port->node, "mac"),
				 "port \"%s\": MAC address is also port \"%s\"'s (%s)", port->node->name,
				 other->node->name, other->node->where);
		if (!memcmp(port->ip, other->ip, 4) && port->network == other->network)
			complain(report, where_of(port->node, "ip"),
				 "port \"%s\": IP address is also port \"%s\"'s (%s)", port->node->name,
				 other->node->name, other->node->where);
	}
	if (port->network == NONE || port->vm == NONE)
		return;
	const struct policy_network *network = &policy->networks[port->network];
	if (network->has_gateway && !memcmp(port->ip, network->gateway, 4))
		complain(report, where_of(port->node, "ip"), "port \"%s\": IP address is the gateway's",
			 port->node->name);
	if (port->infrastructure && !(policy->vms[port->vm].rights & RIGHT_ATTESTS))
		complain(report, where_of(port->node, "vm"),
			 "infrastructure port \"%s\": expected a VM that attests, found \"%s\"", port->node->name,
			 policy->vms[port->vm].name);
	if (port->infrastructure && network->uplink == NONE)
		complain(report, where_of(port->node, "network"),
			 "infrastructure port \"%s\": network \"%s\" has no uplink", port->node->name, network->name);
	check_port_label(policy, port, report);
	check_port_device(policy, port, report);
}

static void check_network(const struct policy *policy, unsigned index, struct report *report)
{
	const struct policy_network *network = &policy->networks[index];
	char want[LABEL_TEXT], have[LABEL_TEXT];

	if (network->has_gateway && network->uplink == NONE)
		complain(report, where_of(network->node, "gateway"), "network \"%s\": a gateway needs an uplink",
			 network->name);
	if (network->uplink == NONE)
		return;
	const struct policy_device *uplink = &policy->devices[network->uplink];
	for (unsigned i = 0; i < index; i++)
		if (policy->networks[i].uplink == network->uplink)
			complain(report, where_of(network->node, "uplink"),
				 "network \"%s\": uplink \"%s\" is also network \"%s\"'s", network->name, uplink->name,
				 policy->networks[i].name);
	if (uplink->mmio || !policy->fabric.node || uplink->vm != policy->fabric.vm)
		complain(report, where_of(network->node, "uplink"),
			 "network \"%s\": expected its uplink \"%s\" to be a PCI device assigned to the switch's VM",
			 network->name, uplink->name);
	else if (!uplink->slot)
		complain(report, uplink->node->where,
			 "device \"%s\" is an uplink: expected property \"slot\", found none", uplink->name);
	if (!lzr_label_equal(&uplink->label, &network->label)) {
		label_text(policy, &network->label, want, sizeof(want));
		label_text(policy, &uplink->label, have, sizeof(have));
		complain(report, where_of(network->node, "uplink"),
			 "network \"%s\" would join labels: expected an uplink of label %s, found \"%s\" with %s",
			 network->name, want, uplink->name, have);
	}
}

static void check_channel_labels(const struct policy *policy, const struct policy_link *link, struct report *report)
{
	const struct policy_vm *a = &policy->vms[link->vm[0]], *b = &policy->vms[link->vm[1]];
	char want[LABEL_TEXT], have[LABEL_TEXT];

	if (within_range(b, &link->label) && within_range(a, &link->label))
		return;
	label_text(policy, &link->label, want, sizeof(want));
	label_text(policy, &b->label, have, sizeof(have));
	complain(
		report, link->node->where,
		"channel \"%s\" would join labels: expected \"%s\" to have label %s or to be trusted over it, found %s",
		link->node->name, b->name, want, have);
}

/* Every link needs one end that serves; that VM must have the right to. */
static void check_link_ends(const struct policy *policy, const struct policy_link *link, struct report *report)
{
	bool known = true, served = false;

	for (unsigned end = 0; end < 2; end++) {
		const struct policy_vm *vm = &policy->vms[link->vm[end]];
		const struct fact_device *device = vm->has_facts ? facts_device(&vm->facts, link->device[end]) : NULL;
		known = known && vm->has_facts;
		if (!vm->has_facts)
			continue;
		if (!device || device->kind != FACT_VDEV) {
			complain(report, link->node->where,
				 "link \"%s\": expected a virtual device \"%s\" in the manifest of VM "
				 "\"%s\", found %s",
				 link->node->name, link->device[end], vm->name, device ? "a place" : "none");
			known = false;
			continue;
		}
		if (link->pair[end] >= device->pairs)
			complain(report, link->node->where,
				 "link \"%s\": expected device \"%s\" of VM \"%s\" to have queue pair %u, found %u "
				 "pair(s)",
				 link->node->name, link->device[end], vm->name, link->pair[end], device->pairs);
		served = served || device->service;
		if (device->service && !(vm->rights & RIGHT_SERVICE))
			complain(report, link->node->where,
				 "link \"%s\": VM \"%s\" serves it, expected flag \"service\" in that VM",
				 link->node->name, vm->name);
	}
	if (known && !served)
		complain(report, link->node->where,
			 "link \"%s\" has no backend: expected a service end at \"%s\" or \"%s\"", link->node->name,
			 policy->vms[link->vm[0]].name, policy->vms[link->vm[1]].name);
}

static void check_link(const struct policy *policy, unsigned index, struct report *report)
{
	const struct policy_link *link = &policy->links[index];

	if (link->vm[0] == NONE || link->vm[1] == NONE || !link->device[0][0] || !link->device[1][0])
		return;
	for (unsigned i = 0; i < index; i++)
		for (unsigned x = 0; x < 4; x++) {
			const struct policy_link *other = &policy->links[i];
			unsigned mine = x & 1, theirs = x >> 1;
			if (link->vm[mine] == other->vm[theirs] && link->pair[mine] == other->pair[theirs] &&
			    !strcmp(link->device[mine], other->device[theirs]))
				complain(report, link->node->where,
					 "link \"%s\": device \"%s\" of VM \"%s\" is already used by \"%s\" (%s)",
					 link->node->name, link->device[mine], policy->vms[link->vm[mine]].name,
					 other->node->name, other->node->where);
		}
	if (link->vm[0] == link->vm[1])
		complain(report, link->node->where, "link \"%s\": both ends are VM \"%s\"", link->node->name,
			 policy->vms[link->vm[0]].name);
	if (link->network == NONE)
		check_channel_labels(policy, link, report);
	else if (!within_range(&policy->vms[link->vm[1]], &link->label))
		complain(report, policy->fabric.node->where,
			 "switch \"%s\" joins networks of several labels: expected trusted-low and trusted-high over "
			 "all of them",
			 policy->vms[link->vm[1]].name);
	check_link_ends(policy, link, report);
}

void check_links(struct policy *policy, struct report *report)
{
	unsigned uplinks = 0;

	for (unsigned i = 0; i < policy->network_count; i++)
		uplinks += policy->networks[i].uplink != NONE;
	if (uplinks > LZR_SWITCH_UPLINK_MAX)
		complain(report, policy->root->where, "expected at most %u networks with uplinks, found %u",
			 LZR_SWITCH_UPLINK_MAX, uplinks);
	for (unsigned i = 0; i < policy->network_count; i++)
		check_network(policy, i, report);
	for (unsigned i = 0; i < policy->port_count; i++)
		check_port(policy, i, report);
	for (unsigned i = 0; i < policy->link_count; i++)
		check_link(policy, i, report);
}
