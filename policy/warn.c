/* SPDX-License-Identifier: Apache-2.0 */
/* What is legal and surely not meant.  None of it is an error: "check" and "build" say it and go on. */
#include <string.h>

#include "check.h"

#define GUEST_PREFIX 24u        /* what this tree's guests give their addresses */

/* --- who is ever admitted ----------------------------------------------------------------------------------------- */

/* The VM that speaks with the verifier, or NONE. */
static unsigned find_attestor(const struct policy *policy)
{
	for (unsigned i = 0; i < policy->port_count; i++)
		if (policy->ports[i].infrastructure)
			return policy->ports[i].vm;
	return NONE;
}

static void warn_of_admission(const struct policy *policy, struct report *report)
{
	const struct policy_switch *fabric = &policy->fabric;

	if (fabric->node && !fabric->has_control)
		warn(report, fabric->node->where,
		     "switch: expected a control channel (control), found none: nobody is ever admitted");
}

bool policy_attests(const struct policy *policy, unsigned who, unsigned vm)
{
	const struct policy_right *right = &policy->vms[who].rights[RIGHT_ATTESTS];

	for (unsigned i = 0; right->property && i < right->count; i++)
		if (right->vms[i] == vm)
			return true;
	return false;
}

/* Evidence has a statement of every VM, or a verifier refuses all of it. */
static void warn_of_evidence(const struct policy *policy, unsigned attestor, struct report *report)
{
	const struct policy_vm *vm = &policy->vms[attestor];
	unsigned left = 0, first = NONE;

	for (unsigned i = 0; i < policy->vm_count; i++) {
		if (policy_attests(policy, attestor, i))
			continue;
		left++;
		first = first == NONE ? i : first;
	}
	if (left)
		warn(report, where_of(vm->node, right_names[RIGHT_ATTESTS]),
		     "VM \"%s\" attests %u of %u VMs, not \"%s\": evidence that leaves a VM out is refused, so nobody "
		     "is ever admitted; expected attests = \"*\"",
		     vm->name, policy->vm_count - left, policy->vm_count, policy->vms[first].name);
}

/* Without an attestor of the machine: VMs that ask for evidence by channels, if there are any. */
static void warn_of_unattested(const struct policy *policy, struct report *report)
{
	bool any = false;

	for (unsigned i = 0; i < policy->vm_count; i++)
		any = any || policy->vms[i].rights[RIGHT_ATTESTS].property;
	for (unsigned i = 0; any && i < policy->vm_count; i++) {
		bool is = false;

		for (unsigned j = 0; j < policy->vm_count; j++)
			is = is || policy_attests(policy, j, i);
		if (!is)
			warn(report, policy->vms[i].node->where,
			     "VM \"%s\": no VM attests it, so nobody is told what runs in it", policy->vms[i].name);
	}
}

/* --- rules that never decide -------------------------------------------------------------------------------------- */

static bool in_range(const struct policy_end *range, const uint8_t ip[4], unsigned prefix)
{
	if (prefix < range->prefix)
		return false;
	for (unsigned bit = 0; bit < range->prefix; bit++)
		if ((range->ip[bit / 8] ^ ip[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	return true;
}

/* No set; sets are taken apart before.  False when it cannot be told. */
static bool end_covers(const struct policy *policy, unsigned network, const struct policy_end *a,
		       const struct policy_end *b)
{
	const uint8_t *gateway = policy->networks[network].gateway;

	if (a->kind == END_ANY)
		return true;
	switch (b->kind) {
	case END_PORT:
		return a->kind == END_PORT ? a->index == b->index
					   : a->kind == END_RANGE && in_range(a, policy->ports[b->index].ip, 32);
	case END_UPLINK:
		return a->kind == END_UPLINK;
	case END_GATEWAY:
		return a->kind == END_GATEWAY || a->kind == END_UPLINK ||
		       (a->kind == END_RANGE && in_range(a, gateway, 32));
	case END_RANGE:
		return a->kind == END_RANGE && in_range(a, b->ip, b->prefix);
	default:
		return false;
	}
}

static bool list_covers_end(const struct policy *policy, unsigned network, const struct policy_end *list,
			    unsigned count, const struct policy_end *b)
{
	for (unsigned i = 0; i < count; i++) {
		const struct policy_set *set = list[i].kind == END_SET ? &policy->sets[list[i].index] : NULL;

		if (set ? list_covers_end(policy, network, set->members, set->member_count, b)
			: end_covers(policy, network, &list[i], b))
			return true;
	}
	return false;
}

static bool list_covers(const struct policy *policy, unsigned network, const struct policy_end *a, unsigned a_count,
			const struct policy_end *b, unsigned b_count)
{
	for (unsigned i = 0; i < b_count; i++) {
		const struct policy_set *set = b[i].kind == END_SET ? &policy->sets[b[i].index] : NULL;

		if (set ? !list_covers(policy, network, a, a_count, set->members, set->member_count)
			: !list_covers_end(policy, network, a, a_count, &b[i]))
			return false;
	}
	return true;
}

static bool services_cover_item(const struct policy *policy, const struct policy_rule *rule,
				const struct policy_service_item *item)
{
	for (unsigned i = 0; i < rule->service_count; i++) {
		const struct policy_service *service = &policy->services[rule->services[i]];

		for (unsigned j = 0; j < service->item_count; j++) {
			const struct policy_service_item *a = &service->items[j];

			if (a->protocol == item->protocol && a->low <= item->low && a->high >= item->high)
				return true;
		}
	}
	return false;
}

static bool services_cover(const struct policy *policy, const struct policy_rule *a, const struct policy_rule *b)
{
	if (!a->services)
		return true;
	for (unsigned i = 0; i < b->service_count; i++) {
		const struct policy_service *service = &policy->services[b->services[i]];

		for (unsigned j = 0; j < service->item_count; j++)
			if (!services_cover_item(policy, a, &service->items[j]))
				return false;
	}
	return b->services != NULL;
}

/* Does `a`, which stands before `b`, match all that `b` does?  Two rules that do so together are not found. */
static bool rule_covers(const struct policy *policy, const struct policy_rule *a, const struct policy_rule *b)
{
	return list_covers(policy, b->network, a->from, a->from_count, b->from, b->from_count) &&
	       list_covers(policy, b->network, a->to, a->to_count, b->to, b->to_count) && services_cover(policy, a, b);
}

static void warn_of_rules(const struct policy *policy, struct report *report)
{
	char place[PLACE_TEXT];
	unsigned begin = 0;

	for (unsigned i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		unsigned j = begin = policy->rules[begin].network == rule->network ? begin : i;

		while (j < i && !rule_covers(policy, &policy->rules[j], rule))
			j++;
		if (j < i)
			warn(report, rule->node->where,
			     "rule \"%s\" never decides: rule \"%s\" (%s) stands before it and fits all that it fits",
			     rule->name, policy->rules[j].name, place_text(policy->rules[j].node->where, place));
	}
}

/* --- single values ------------------------------------------------------------------------------------------------ */

static void warn_of_gateways(const struct policy *policy, struct report *report)
{
	for (unsigned i = 0; i < policy->network_count; i++) {
		const struct policy_network *network = &policy->networks[i];
		const struct policy_port *port = NULL;
		bool near = false;

		for (unsigned j = 0; j < policy->port_count && !near; j++) {
			if (policy->ports[j].network != i)
				continue;
			port = &policy->ports[j];
			near = memcmp(port->ip, network->gateway, GUEST_PREFIX / 8) == 0;
		}
		if (network->has_gateway && port && !near)
			warn(report, where_of(network->node, "gateway"),
			     "network \"%s\": gateway: expected an address beside its ports', such as %u.%u.%u.0/%u, "
			     "found %u.%u.%u.%u",
			     network->name, port->ip[0], port->ip[1], port->ip[2], GUEST_PREFIX, network->gateway[0],
			     network->gateway[1], network->gateway[2], network->gateway[3]);
	}
}

/* Where that quarantine names the key, if it does. */
static void warn_of_key(const struct policy *policy, struct node *owner, struct report *report)
{
	const struct policy_platform *platform = &policy->platform;
	struct node *quarantine = node_child(owner, "quarantine");
	struct property *keys = quarantine ? take(quarantine, "verifier") : NULL;

	for (unsigned i = 0; keys && i < keys->count; i++) {
		unsigned index = table_find_text(&policy->keys_by_name, keys->strings[i]);
		const struct policy_key *key = &policy->keys[index];

		if ((platform->has_signer && key_is_signer(key->x, key->y, platform->signer_digest)) ||
		    (platform->has_next_signer && key_is_signer(key->x, key->y, platform->next_signer_digest)))
			warn(report, value_place(keys, i),
			     "verifier \"%s\": expected a key of its own, found the policy signer's: whoever runs the "
			     "verifier could sign policies",
			     key->file);
		else if (!platform->has_signer && strcmp(key->file, "signer.lzrkey") == 0)
			warn(report, value_place(keys, i),
			     "verifier \"%s\": expected a key of its own, found one that by its name is the policy "
			     "signer's",
			     key->file);
	}
}

static void warn_of_keys(const struct policy *policy, struct report *report)
{
	if (!policy->fabric.node)
		return;
	warn_of_key(policy, policy->fabric.node, report);
	for (unsigned i = 0; i < policy->port_count; i++)
		if (!policy->ports[i].infrastructure)
			warn_of_key(policy, policy->ports[i].node, report);
}

/* On a machine with one CPU there is no choice, and no other CPU that could do it harm. */
static void warn_of_cpus(const struct policy *policy, struct report *report)
{
	for (unsigned i = 0; policy->machine_cpus > 1 && i < policy->vm_count; i++) {
		const struct policy_vm *vm = &policy->vms[i];

		for (unsigned j = 0; j < vm->cpu_count; j++)
			if (vm->cpus[j] == 0)
				warn(report, value_place(take(vm->node, "cpus"), j),
				     "VM \"%s\" is on CPU 0, where VMs may die on the emulated machine; hardware "
				     "is not known to mind",
				     vm->name);
	}
}

void check_warnings(const struct policy *policy, struct report *report)
{
	const unsigned attestor = find_attestor(policy);

	warn_of_admission(policy, report);
	if (attestor != NONE)
		warn_of_evidence(policy, attestor, report);
	else
		warn_of_unattested(policy, report);
	warn_of_rules(policy, report);
	warn_of_gateways(policy, report);
	warn_of_keys(policy, report);
	warn_of_cpus(policy, report);
}
