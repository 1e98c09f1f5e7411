/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this version of the hypervisor and of the switch has room for, and what of the language they cannot do: a
 * policy that asks for it is refused here, since it would be accepted and not enforced otherwise.
 */
#include "policy.h"

static void limit(struct report *report, struct place where, unsigned found, unsigned most, const char *what)
{
	if (found > most)
		complain(report, where, "%s: expected at most %u, which the hypervisor has room for, found %u",
			 what, most, found);
}

static struct place list_place(const struct policy *policy, const char *list)
{
	struct node *node = node_child(policy->root, list);

	return node ? node->where : policy->root->where;
}

static void check_counts(const struct policy *policy, struct report *report)
{
	unsigned uplinks = 0;

	for (unsigned i = 0; i < policy->network_count; i++)
		uplinks += policy->networks[i].uplink != NONE;
	limit(report, list_place(policy, "machine"), policy->machine_cpus, LZR_CPU_MAX, "machine: CPUs");
	limit(report, list_place(policy, "vms"), policy->vm_count, LZR_VM_MAX, "VMs");
	limit(report, list_place(policy, "devices"), policy->device_count, LZR_DEVICE_MAX, "devices");
	limit(report, list_place(policy, "networks"), policy->network_count,
	      LZR_NETWORK_MAX < LZR_SWITCH_NETWORK_MAX ? LZR_NETWORK_MAX : LZR_SWITCH_NETWORK_MAX, "networks");
	limit(report, list_place(policy, "networks"), uplinks, LZR_SWITCH_UPLINK_MAX, "networks with an uplink");
	limit(report, list_place(policy, "networks"), policy->port_count, LZR_SWITCH_PORT_MAX, "ports");
	limit(report, list_place(policy, "switch"), policy->endpoint_count, LZR_SWITCH_ENDPOINT_MAX, "endpoints");
	limit(report, list_place(policy, "channels"), policy->link_count, LZR_LINK_MAX, "links (ports and channels)");
}

static void cannot(struct report *report, struct node *node, const char *property, const char *what)
{
	complain(report, where_of(node, property), "%s: %s", property, what);
}

static void check_devices(const struct policy *policy, struct report *report)
{
	for (unsigned i = 0; i < policy->device_count; i++)
		if (policy->devices[i].hop_count)
			cannot(report, policy->devices[i].node, "location",
			       "expected pci, since this hypervisor finds devices by bus, device and function only");
}

static void check_rights(const struct policy *policy, struct report *report)
{
	for (unsigned i = 0; i < policy->vm_count; i++) {
		const struct policy_vm *vm = &policy->vms[i];
		if (vm->rights[RIGHT_INTROSPECTS].property)
			cannot(report, vm->node, "introspects",
			       "expected none, since this hypervisor has no introspection");
	}
}

static void check_platform(const struct policy *policy, struct report *report)
{
	/* IOMMU and interrupt remapping it always insists on, but with allow-without-iommu. */
	static const char *const requirements[] = { "secure-boot", "measured-boot", "signer", "next-signer" };

	for (unsigned i = 0; policy->platform.node && i < sizeof(requirements) / sizeof(requirements[0]); i++)
		if (take(policy->platform.node, requirements[i]))
			cannot(report, policy->platform.node, requirements[i],
			       "expected none, since this hypervisor does not check it");
}

static void check_quarantine(const struct policy *policy, const struct policy_quarantine *q, struct node *node,
			     struct report *report)
{
	const struct policy_quarantine *all = &policy->fabric.quarantine;

	if (q->key_count > 1 || (q != all && q->keys != all->keys))
		cannot(report, node, "verifier", "expected one for all ports, since this switch knows one");
	if (q != all && q->lease_max_ns != all->lease_max_ns)
		cannot(report, node, "lease-max", "expected the switch's, since this switch knows one");
	if (q->lease_end != LEASE_END_QUARANTINE)
		cannot(report, node, "lease-end", "expected \"quarantine\", since this switch knows nothing else");
	if (q != all && q->inspection != NONE)
		cannot(report, node, "inspection",
		       "expected none, since this switch lets nothing through before admission");
}

static void check_switch(const struct policy *policy, struct report *report)
{
	static const char *const shapes[] = { "frame-rate", "bandwidth" };

	if (!policy->fabric.node)
		return;
	for (unsigned i = 0; i < policy->network_count; i++) {
		for (unsigned j = 0; j < 2; j++)
			if (take(policy->networks[i].node, shapes[j]))
				cannot(report, policy->networks[i].node, shapes[j],
				       "expected none, since this switch does not limit it");
		if (policy->networks[i].has_rules)
			complain(report, node_child(policy->networks[i].node, "rules")->where,
				 "rules: expected none, since this switch has no firewall");
	}
	for (unsigned i = 0; i < policy->port_count; i++) {
		for (unsigned j = 0; j < 2; j++)
			if (take(policy->ports[i].node, shapes[j]))
				cannot(report, policy->ports[i].node, shapes[j],
				       "expected none, since this switch does not limit it");
		struct node *node = node_child(policy->ports[i].node, "quarantine");
		if (node)
			check_quarantine(policy, &policy->ports[i].quarantine, node, report);
	}
	check_quarantine(policy, &policy->fabric.quarantine, node_child(policy->fabric.node, "quarantine"), report);
}

void check_limits(const struct policy *policy, struct report *report)
{
	check_counts(policy, report);
	check_devices(policy, report);
	check_rights(policy, report);
	check_platform(policy, report);
	check_switch(policy, report);
}
