/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over networks, ports, channels and the switch that joins them. */
#include <stdlib.h>
#include <string.h>

#include <lazaret/link.h>

#include "check.h"

#define PCI_CLASS_NETWORK 2u

static void check_port_device(const struct policy *policy, const struct policy_port *port, struct report *report)
{
	const struct policy_vm *vm = &policy->vms[port->vm];

	if (!vm->facts)
		return;
	const struct fact_device *device = facts_device(vm->facts, port->device);
	if (!device || device->kind != FACT_VDEV || device->virtio_id != LZR_VIRTIO_PCI_NET || device->service) {
		complain(report, where_of(port->node, "device"),
			 "port \"%s\": expected a network device \"%s\" in the manifest of VM \"%s\", found %s",
			 port->name, port->device, vm->name, device ? "a device of another kind" : "none");
		return;
	}
	if (!device->has_mac || memcmp(device->mac, port->mac, 6))
		complain(report, where_of(port->node, "mac"),
			 "port \"%s\": expected the MAC address of \"%s\" in the manifest of VM \"%s\", "
			 "%02x:%02x:%02x:%02x:%02x:%02x, found %02x:%02x:%02x:%02x:%02x:%02x",
			 port->name, port->device, vm->name, device->mac[0], device->mac[1], device->mac[2],
			 device->mac[3], device->mac[4], device->mac[5], port->mac[0], port->mac[1], port->mac[2],
			 port->mac[3], port->mac[4], port->mac[5]);
	if (port->queue_size && port->queue_size != device->queue_size)
		complain(report, where_of(port->node, "queue-size"),
			 "port \"%s\": expected the queue size of \"%s\" in the manifest of VM \"%s\", %u, found %u",
			 port->name, port->device, vm->name, device->queue_size, port->queue_size);
}

static void check_infrastructure(const struct policy *policy, const struct policy_port *port, struct report *report)
{
	const struct policy_vm *vm = &policy->vms[port->vm];

	if (!vm->rights[RIGHT_ATTESTS].property)
		complain(report, where_of(port->node, "vm"),
			 "infrastructure port \"%s\": expected a VM that attests, found \"%s\"", port->name, vm->name);
	if (!vm->service)
		complain(report, where_of(port->node, "vm"),
			 "infrastructure port \"%s\": expected flag \"service\" in VM \"%s\", found none", port->name,
			 vm->name);
	if (policy->networks[port->network].uplink == NONE)
		complain(report, where_of(port->node, "network"),
			 "infrastructure port \"%s\": expected a network with an uplink, found \"%s\"", port->name,
			 policy->networks[port->network].name);
}

/* "IP address is also port ..": what the place, a port's or an endpoint's, says of `ip` in the table. */
static void check_ip(const struct policy *policy, const struct table *ips, const char *what, struct node *node,
		     const uint8_t ip[4], unsigned self, struct report *report)
{
	unsigned other = table_find(ips, ip, 4);
	char place[PLACE_TEXT];

	if (other != NONE && other != self)
		complain(report, where_of(node, "ip"), "%s \"%s\": IP address is also port \"%s\"'s (%s)", what,
			 node->name, policy->ports[other].name, place_text(policy->ports[other].node->where, place));
}

/* The switch tells ports apart by their addresses, whatever network they are on. */
static void check_addresses(const struct policy *policy, struct report *report)
{
	struct table macs = { 0 }, ips = { 0 }, gateways = { 0 };
	char place[PLACE_TEXT];

	for (unsigned i = 0; i < policy->network_count; i++)
		if (policy->networks[i].has_gateway)
			table_add(&gateways, policy->networks[i].gateway, 4, i);
	for (unsigned i = 0; i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];
		unsigned other = table_add(&macs, port->mac, sizeof(port->mac), i);
		if (other != NONE)
			complain(report, where_of(port->node, "mac"),
				 "port \"%s\": MAC address is also port \"%s\"'s (%s)",
				 port->name, policy->ports[other].name,
				 place_text(policy->ports[other].node->where, place));
		table_add(&ips, port->ip, 4, i);
		check_ip(policy, &ips, "port", port->node, port->ip, i, report);
		other = table_find(&gateways, port->ip, 4);
		if (other != NONE)
			complain(report, where_of(port->node, "ip"),
				 "port \"%s\": IP address is that of network \"%s\"'s gateway", port->name,
				 policy->networks[other].name);
	}
	for (unsigned i = 0; i < policy->endpoint_count; i++)
		check_ip(policy, &ips, "endpoint", policy->endpoints[i].node, policy->endpoints[i].ip, NONE, report);
	table_free(&macs);
	table_free(&ips);
	table_free(&gateways);
}

static void check_uplink(const struct policy *policy, const struct policy_network *network, struct report *report)
{
	const struct policy_device *uplink = &policy->devices[network->uplink];

	if (uplink->mmio || !policy->fabric.node || uplink->vm != policy->fabric.vm)
		complain(report, where_of(network->node, "uplink"),
			 "network \"%s\": expected its uplink \"%s\" to be a PCI device assigned to the switch's VM",
			 network->name, uplink->name);
	else if (!uplink->slot)
		complain(report, uplink->node->where,
			 "device \"%s\" is an uplink: expected property \"slot\", found none", uplink->name);
	if (uplink->bypasses_firewall)
		complain(report, where_of(uplink->node, "bypasses-firewall"),
			 "device \"%s\" is the uplink of network \"%s\": expected no bypasses-firewall", uplink->name,
			 network->name);
}

/* The hypervisor refuses it, too. */
static void check_card(const struct policy *policy, const struct policy_device *device, struct report *report)
{
	const struct policy_vm *vm = device->vm == NONE ? NULL : &policy->vms[device->vm];
	const struct fact_device *place = vm && vm->facts ? facts_device(vm->facts, device->place) : NULL;

	if (place && place->kind == FACT_ASSIGN && place->class_code >> 16 == PCI_CLASS_NETWORK &&
	    !device->bypasses_firewall)
		complain(report, device->node->where,
			 "device \"%s\" is a network card and no network's uplink: expected flag "
			 "\"bypasses-firewall\", found none",
			 device->name);
}

/* A network that nothing is on does nothing. */
static void check_empty(const struct policy *policy, struct report *report)
{
	bool *used = memory_get(policy->network_count * sizeof(*used));

	for (unsigned i = 0; i < policy->port_count; i++)
		if (policy->ports[i].network != NONE)
			used[policy->ports[i].network] = true;
	for (unsigned i = 0; i < policy->network_count; i++)
		if (!used[i])
			complain(report, policy->networks[i].node->where,
				 "network \"%s\" is never used: it has no port", policy->networks[i].name);
	free(used);
}

static void check_networks(const struct policy *policy, struct report *report)
{
	unsigned *taken = memory_get(policy->device_count * sizeof(*taken));   /* network of each uplink, plus one */

	check_empty(policy, report);
	if (policy->fabric.node && !policy->port_count)
		complain(report, policy->fabric.node->where, "switch: expected a network with a port, found none");
	for (unsigned i = 0; i < policy->network_count; i++) {
		const struct policy_network *network = &policy->networks[i];
		if (network->has_gateway && !take(network->node, "uplink"))
			complain(report, where_of(network->node, "gateway"),
				 "network \"%s\": expected an uplink, since it has a gateway, found none",
				 network->name);
		if (network->uplink == NONE)
			continue;
		if (taken[network->uplink])
			complain(report, where_of(network->node, "uplink"),
				 "network \"%s\": uplink \"%s\" is also network \"%s\"'s", network->name,
				 policy->devices[network->uplink].name,
				 policy->networks[taken[network->uplink] - 1].name);
		taken[network->uplink] = i + 1;
		check_uplink(policy, network, report);
	}
	for (unsigned i = 0; i < policy->device_count; i++)
		if (!taken[i])
			check_card(policy, &policy->devices[i], report);
	free(taken);
}

/* --- links -------------------------------------------------------------------------------------------------------- */

/* Every link needs one end that serves; that VM must have the right to. */
static void check_link_ends(const struct policy *policy, const struct policy_link *link, struct report *report)
{
	bool known = true, served = false;

	for (unsigned end = 0; end < 2; end++) {
		const struct policy_vm *vm = &policy->vms[link->vm[end]];
		const struct fact_device *device = vm->facts ? facts_device(vm->facts, link->device[end]) : NULL;
		known = known && vm->facts;
		if (!vm->facts)
			continue;
		if (!device || device->kind != FACT_VDEV) {
			complain(report,
				 where_of(link->node, end && link->channel != NONE ? "service-device" : "device"),
				 "link \"%s\": expected a virtual device \"%s\" in the manifest of VM \"%s\", found %s",
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
		if (device->service && !vm->service)
			complain(report, link->node->where,
				 "link \"%s\": VM \"%s\" serves it, expected flag \"service\" in that VM, found none",
				 link->node->name, vm->name);
	}
	if (known && !served)
		complain(report, link->node->where,
			 "link \"%s\" has no backend: expected a service end at \"%s\" or \"%s\", found none",
			 link->node->name, policy->vms[link->vm[0]].name, policy->vms[link->vm[1]].name);
}

/* A guard's links are its two ends, nothing else. */
static bool of_guard(const struct policy_vm *vm, const struct policy_link *link)
{
	const struct policy_conduit *ends[] = { &vm->from, &vm->to };

	for (unsigned i = 0; i < 2; i++)
		if ((ends[i]->kind == CONDUIT_NETWORK && link->network == ends[i]->index) ||
		    (ends[i]->kind == CONDUIT_CHANNEL && link->channel == ends[i]->index))
			return true;
	return false;
}

static void check_link_guards(const struct policy *policy, const struct policy_link *link, struct report *report)
{
	for (unsigned end = 0; end < 2; end++) {
		const struct policy_vm *vm = &policy->vms[link->vm[end]];
		if (vm->guard && !of_guard(vm, link))
			complain(report, link->node->where,
				 "link \"%s\": expected no link of guard \"%s\" beside its two ends", link->node->name,
				 vm->name);
	}
}

static void check_link(const struct policy *policy, const struct policy_link *link, struct report *report)
{
	if (link->vm[0] == link->vm[1])
		complain(report, link->node->where, "link \"%s\": expected two VMs, found both ends at \"%s\"",
			 link->node->name, policy->vms[link->vm[0]].name);
	check_link_guards(policy, link, report);
	check_link_ends(policy, link, report);
}

struct end_key {
	unsigned vm, pair;
	char device[LZR_NAME_MAX];
};

static bool link_complete(const struct policy_link *link)
{
	return link->vm[0] != NONE && link->vm[1] != NONE && link->device[0][0] && link->device[1][0];
}

static void check_ends_once(const struct policy *policy, struct report *report)
{
	struct end_key *keys = memory_get(2 * policy->link_count * sizeof(*keys));
	struct table seen = { 0 };
	char place[PLACE_TEXT];

	for (unsigned i = 0; i < 2 * policy->link_count; i++) {
		const struct policy_link *link = &policy->links[i / 2];
		if (!link_complete(link))
			continue;
		keys[i].vm = link->vm[i & 1];
		keys[i].pair = link->pair[i & 1];
		memcpy(keys[i].device, link->device[i & 1], LZR_NAME_MAX);
		unsigned other = table_add(&seen, &keys[i], sizeof(keys[i]), i / 2);
		if (other != NONE)
			complain(report, link->node->where,
				 "link \"%s\": device \"%s\" of VM \"%s\" is already used by \"%s\" (%s)",
				 link->node->name, keys[i].device, policy->vms[keys[i].vm].name,
				 policy->links[other].node->name,
				 place_text(policy->links[other].node->where, place));
	}
	table_free(&seen);
	free(keys);
}

/* Each end of a guard must be a link that it has, once. */
static void check_guards(const struct policy *policy, struct report *report)
{
	unsigned *counts = memory_get(policy->vm_count * 2 * sizeof(*counts));

	for (unsigned i = 0; i < policy->link_count; i++)
		for (unsigned end = 0; end < 2; end++) {
			const struct policy_link *link = &policy->links[i];
			const struct policy_vm *vm = link->vm[end] == NONE ? NULL : &policy->vms[link->vm[end]];
			if (!vm || !vm->guard)
				continue;
			const struct policy_conduit *ends[] = { &vm->from, &vm->to };
			for (unsigned j = 0; j < 2; j++)
				counts[2 * link->vm[end] + j] +=
					(ends[j]->kind == CONDUIT_NETWORK && link->network == ends[j]->index) ||
					(ends[j]->kind == CONDUIT_CHANNEL && link->channel == ends[j]->index);
		}
	for (unsigned i = 0; i < 2 * policy->vm_count; i++) {
		const struct policy_vm *vm = &policy->vms[i / 2];
		const struct policy_conduit *end = i & 1 ? &vm->to : &vm->from;
		if (vm->guard && end->kind != CONDUIT_NONE && counts[i] != 1)
			complain(report, end->where, "guard \"%s\": expected one link of it to \"%s\", found %u",
				 vm->name, end->kind == CONDUIT_NETWORK ? policy->networks[end->index].name
							      : policy->channels[end->index].name,
				 counts[i]);
	}
	for (unsigned i = 0; i < policy->vm_count; i++)
		for (unsigned right = 0; policy->vms[i].guard && right < RIGHT_COUNT; right++)
			if (policy->vms[i].rights[right].property)
				complain(report, where_of(policy->vms[i].node, right_names[right]),
					 "guard \"%s\": expected no rights, found %s", policy->vms[i].name,
					 right_names[right]);
	for (unsigned i = 0; i < policy->vm_count; i++)
		if (policy->vms[i].guard && policy->vms[i].max_restarts)
			complain(report, where_of(policy->vms[i].node, "max-restarts"),
				 "guard \"%s\": expected no max-restarts, since a new instance does not know what the "
				 "one before it has passed, found %u",
				 policy->vms[i].name, policy->vms[i].max_restarts);
	free(counts);
}

/* A lease is for a VM, and evidence tells of one port: nothing serves a second one of a VM, nor a second attestor. */
static void check_ports_once(const struct policy *policy, struct report *report)
{
	unsigned *ports = memory_get(policy->vm_count * sizeof(*ports));        /* the VM's first one, plus one */
	unsigned infrastructure = NONE;
	char place[PLACE_TEXT];

	for (unsigned i = 0; i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];
		if (port->infrastructure && infrastructure != NONE)
			complain(report, port->node->where,
				 "infrastructure port \"%s\": expected no other one, found \"%s\" (%s)", port->name,
				 policy->ports[infrastructure].name,
				 place_text(policy->ports[infrastructure].node->where, place));
		else if (port->vm != NONE && ports[port->vm])
			complain(report, where_of(port->node, "vm"),
				 "port \"%s\": expected no other port of VM \"%s\", found \"%s\" (%s)", port->name,
				 policy->vms[port->vm].name, policy->ports[ports[port->vm] - 1].name,
				 place_text(policy->ports[ports[port->vm] - 1].node->where, place));
		if (port->infrastructure && infrastructure == NONE)
			infrastructure = i;
		if (port->vm != NONE && !ports[port->vm])
			ports[port->vm] = i + 1;
	}
	free(ports);
}

void check_links(struct policy *policy, struct report *report)
{
	check_networks(policy, report);
	check_addresses(policy, report);
	check_ports_once(policy, report);
	for (unsigned i = 0; i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];
		if (port->network == NONE || port->vm == NONE)
			continue;
		if (port->infrastructure)
			check_infrastructure(policy, port, report);
		check_port_device(policy, port, report);
	}
	check_ends_once(policy, report);
	for (unsigned i = 0; i < policy->link_count; i++)
		if (link_complete(&policy->links[i]))
			check_link(policy, &policy->links[i], report);
	check_guards(policy, report);
}
