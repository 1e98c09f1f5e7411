/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions are tied to each other, so that one cannot be given away without the other.  Gone after the seal.
 *
 * A function's isolation group is everything that can reach it, or pass for it, without going through the IOMMU:
 *  - the other functions of its device (no multi-function ACS is relied on);
 *  - everything else on its bus, unless that is the root bus, where each device has its own place in the root complex;
 *  - whatever is behind a bridge that does not keep its peers apart.  So each bridge above must be a PCI Express port;
 *    on root and downstream ports ACS (source validation, request and completion redirect, upstream forwarding) is
 *    turned on, or the function is refused.  A conventional bridge takes over its children's source ids: refused.
 * A function is assigned only if it is alone in its group.
 */
#include "assign.h"

static enum hv_err refuse_neighbour(const struct assigned *device, const struct pci_function *other)
{
	say("%s: refused: %x:%x.%x is in its isolation group", device->config->name, other->at.bus, other->at.device,
	    other->at.function);
	return HV_CONFLICT;
}

static enum hv_err check_neighbours(const struct assigned *device)
{
	bool found = false;

	for (unsigned i = 0; i < pci_function_count(); i++) {
		const struct pci_function *other = pci_function(i);
		bool same_device = other->at.device == device->at.device;

		if (pci_same(other->at, device->at)) {
			if (other->header != PCI_HEADER_ENDPOINT)
				return assign_refuse(device, HV_CONFLICT, "it was a bridge before");
			found = true;
		}
		if (other->at.bus != device->at.bus || pci_same(other->at, device->at))
			continue;
		if (same_device || device->at.bus != 0)
			return refuse_neighbour(device, other);
	}
	if (!found)
		return assign_refuse(device, HV_CONFLICT, "it was not there when the buses were looked at");
	return HV_OK;
}

static enum hv_err check_bridge(const struct assigned *device, const struct pci_function *bridge)
{
	switch (bridge->express) {
	case PCI_TYPE_UPSTREAM:
		return HV_OK;
	case PCI_TYPE_ROOT_PORT:
	case PCI_TYPE_DOWNSTREAM:
		if (pci_isolate_port(bridge->at) == HV_OK)
			return HV_OK;
		say("%s: refused: the port at %x:%x.%x above it cannot keep it apart from its peers (no ACS)",
		    device->config->name, bridge->at.bus, bridge->at.device, bridge->at.function);
		return HV_UNSUPPORTED;
	default:
		say("%s: refused: the bridge at %x:%x.%x above it is not a PCI Express port", device->config->name,
		    bridge->at.bus, bridge->at.device, bridge->at.function);
		return HV_UNSUPPORTED;
	}
}

/* The bus numbers are the bridges' registers: each above must lead to the bus, and no other bridge. */
static enum hv_err check_numbers(const struct assigned *device)
{
	uint8_t bus = device->at.bus;

	for (unsigned i = 0; i < pci_function_count(); i++) {
		const struct pci_function *f = pci_function(i);
		bool leads = f->header == PCI_HEADER_BRIDGE && f->secondary && f->secondary <= bus &&
			     bus <= f->subordinate;
		bool above = false;

		for (unsigned n = 0; n < device->bridge_count; n++)
			above |= pci_same(device->bridges[n], f->at);
		if (leads == above)
			continue;
		say("%s: refused: the bridge at %x:%x.%x, buses %x to %x: expected %s bus %x", device->config->name,
		    f->at.bus, f->at.device, f->at.function, f->secondary, f->subordinate,
		    above ? "them to hold" : "no other way to", bus);
		return HV_BAD_INPUT;
	}
	return HV_OK;
}

enum hv_err assign_group_check(struct assigned *device)
{
	uint8_t bus = device->at.bus;
	enum hv_err err = check_neighbours(device);

	device->bridge_count = 0;
	while (!err && bus != 0) {
		const struct pci_function *bridge = pci_bridge_to(bus);

		if (!bridge || bridge->at.bus >= bus)
			return assign_refuse(device, HV_BAD_INPUT, "no single bridge leads to its bus");
		if (device->bridge_count == ASSIGN_BRIDGE_MAX)
			return assign_refuse(device, HV_NO_MEMORY, "too many bridges above it");
		device->bridges[device->bridge_count++] = bridge->at;
		err = check_bridge(device, bridge);
		bus = bridge->at.bus;
	}
	return err ? err : check_numbers(device);
}
