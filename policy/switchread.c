/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A switch's configuration back into a model (outline.h).  Whatever the model cannot hold would be lost, and with it
 * what a comparison has to tell: so the model is turned into a configuration again, which must be the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "../netfilter/swconf.h"
#include "outline.h"

static struct node from_switch; /* stands for the source's node "switch" */

static void read_levels(struct policy *policy, const void *dtb)
{
	int length;
	const char *at;

	for (int i = 0; i < (int)LEVEL_MAX && (at = fdt_stringlist_get(dtb, 0, "levels", i, &length)) != NULL; i++)
		policy->levels[policy->level_count++] = at;
	for (int i = 0; i < (int)CATEGORY_MAX && (at = fdt_stringlist_get(dtb, 0, "categories", i, &length)) != NULL;
	     i++)
		policy->categories[policy->category_count++] = at;
}

static void read_vms(struct policy *policy, const void *dtb)
{
	struct dtb_names names = { 0 };

	dtb_names_read(&names, dtb, "/vms");
	for (unsigned i = 0; i < names.count; i++)
		memcpy(ARRAY_ADD(policy->vms, policy->vm_count, policy->vm_room)->name, names.text[i], LZR_NAME_MAX);
	free(names.text);
}

static void read_networks(struct policy *policy, const struct swconf *config)
{
	for (unsigned i = 0; i < config->header.network_count; i++) {
		const struct lzr_switch_network *from = &config->networks[i];
		struct policy_network *to =
			ARRAY_ADD(policy->networks, policy->network_count, policy->network_room);

		*to = (struct policy_network){
			.label = from->label, .uplink = NONE, .frame_rate = from->frame_rate,
			.bandwidth = from->bandwidth, .allow_all = (from->flags & LZR_NETWORK_ALLOW_ALL) != 0,
		};
		memcpy(to->name, from->name, LZR_NAME_MAX);
		if (from->uplink == LZR_SWITCH_NONE)
			continue;
		struct policy_device *device =
			ARRAY_ADD(policy->devices, policy->device_count, policy->device_room);
		to->uplink = policy->device_count - 1;
		device->slot = config->uplinks[from->uplink].slot;
		memcpy(device->name, config->uplinks[from->uplink].name, LZR_NAME_MAX);
	}
	for (unsigned i = 0; i < policy->network_count; i++)
		table_add_text(&policy->networks_by_name, policy->networks[i].name, i);
}

static void read_keys(struct policy *policy, const struct swconf *config)
{
	static const char *const names[LZR_SWITCH_VERIFIER_MAX] = { "1", "2", "3", "4" };

	for (unsigned i = 0; i < config->header.verifier_count; i++) {
		struct policy_key *key = ARRAY_ADD(policy->keys, policy->key_count, policy->key_room);
		key->file = names[i];
		memcpy(key->x, config->header.verifiers[i].x, sizeof(key->x));
		memcpy(key->y, config->header.verifiers[i].y, sizeof(key->y));
	}
}

static void read_quarantine(struct policy_quarantine *q, const struct lzr_switch_port *from)
{
	q->lease_max_ns = from->lease_max_ns;
	q->lease_end = from->lease_end == LZR_LEASE_END_BLOCK ? LEASE_END_BLOCK : LEASE_END_QUARANTINE;
	q->keys = memory_get(LZR_SWITCH_VERIFIER_MAX * sizeof(*q->keys));
	for (unsigned i = 0; i < LZR_SWITCH_VERIFIER_MAX; i++)
		if (from->verifiers >> i & 1)
			q->keys[q->key_count++] = i;
	if (from->inspection != LZR_SWITCH_NONE) {
		q->inspection = from->inspection;
		q->inspection_rate = from->inspection_rate;
	}
}

/* The VM's name, with a number from its second port on one network on. */
static void name_port(const struct policy *policy, struct policy_port *port)
{
	unsigned before = 0;

	for (const struct policy_port *other = policy->ports; other < port; other++)
		before += other->vm == port->vm && other->network == port->network;
	if (before)
		snprintf(port->name, LZR_NAME_MAX, "%.38s#%u", policy->vms[port->vm].name, before + 1);
	else
		memcpy(port->name, policy->vms[port->vm].name, LZR_NAME_MAX);
}

static bool read_ports(struct policy *policy, const struct swconf *config)
{
	for (unsigned i = 0; i < config->header.port_count; i++) {
		const struct lzr_switch_port *from = &config->ports[i];
		struct policy_port *to = ARRAY_ADD(policy->ports, policy->port_count, policy->port_room);

		*to = (struct policy_port){
			.network = from->network, .vm = from->vm, .infrastructure = from->kind == LZR_PORT_ATTESTOR,
			.frame_rate = from->frame_rate, .bandwidth = from->bandwidth,
			.quarantine = { .inspection = NONE },
		};
		if (from->vm >= policy->vm_count)
			return false;
		memcpy(to->mac, from->mac, sizeof(to->mac));
		memcpy(to->ip, from->ipv4, sizeof(to->ip));
		name_port(policy, to);
		struct policy_network *network = &policy->networks[from->network];
		memcpy(network->gateway, from->gateway, sizeof(network->gateway));
		network->has_gateway = memcmp(from->gateway, (const uint8_t[4]){ 0 }, 4) != 0;
		if (!to->infrastructure)
			read_quarantine(&to->quarantine, from);
	}
	for (unsigned i = 0; i < config->header.endpoint_count; i++) {
		const struct lzr_switch_endpoint *from = &config->endpoints[i];
		struct policy_endpoint *to =
			ARRAY_ADD(policy->endpoints, policy->endpoint_count, policy->endpoint_room);
		*to = (struct policy_endpoint){ .port = from->port, .protocol = from->protocol,
						.l4port = from->l4port };
		memcpy(to->ip, from->ipv4, sizeof(to->ip));
	}
	return true;
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static struct policy_end *read_ends(const struct swconf *config, uint32_t set, unsigned *count)
{
	const struct lzr_switch_set *from = set == LZR_SWITCH_NONE ? NULL : &config->sets[set];
	struct policy_end *ends = memory_get((*count = from ? from->count : 1) * sizeof(*ends));

	for (unsigned i = 0; from && i < from->count; i++) {
		const struct lzr_switch_member *m = &config->members[from->first + i];
		ends[i].kind = m->kind == LZR_MEMBER_PORT    ? END_PORT
			       : m->kind == LZR_MEMBER_PREFIX ? END_RANGE
							      : END_UPLINK;
		ends[i].index = m->kind == LZR_MEMBER_PORT ? m->port : 0;
		ends[i].prefix = m->bits;
		if (m->kind == LZR_MEMBER_PREFIX)
			memcpy(ends[i].ip, m->ipv4, sizeof(ends[i].ip));
	}
	return ends;
}

static void read_services(struct policy *policy, const struct swconf *config)
{
	for (unsigned i = 0; i < config->header.service_count; i++) {
		struct policy_service *to =
			ARRAY_ADD(policy->services, policy->service_count, policy->service_room);
		for (unsigned j = 0; j < config->services[i].count; j++) {
			const struct lzr_switch_match *m = &config->matches[config->services[i].first + j];
			*ARRAY_ADD(to->items, to->item_count, to->item_room) =
				(struct policy_service_item){ m->protocol, m->low, m->high };
		}
	}
}

static void read_rules(struct policy *policy, const struct swconf *config)
{
	for (unsigned network = 0; network < config->header.network_count; network++)
		for (unsigned i = 0; i < config->networks[network].rule_count; i++) {
			const struct lzr_switch_rule *from = &config->rules[config->networks[network].rule_first + i];
			struct policy_rule *to = ARRAY_ADD(policy->rules, policy->rule_count, policy->rule_room);

			to->network = network;
			to->allow = from->action == LZR_RULE_ALLOW;
			to->stateless = (from->flags & LZR_RULE_STATELESS) != 0;
			to->from = read_ends(config, from->from, &to->from_count);
			to->to = read_ends(config, from->to, &to->to_count);
			if (from->service == LZR_SWITCH_NONE)
				continue;
			to->services = memory_get(sizeof(*to->services));
			to->services[to->service_count++] = from->service;
		}
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static uint32_t cell(const void *dtb, int node, const char *name)
{
	int length;
	const fdt32_t *value = fdt_getprop(dtb, node, name, &length);

	return value && length == 4 ? fdt32_ld(value) : NONE;
}

static bool same_network(const struct policy *policy, const struct policy_network *network, const char *name,
			 const struct dtb_names *devices, const void *dtb, int node)
{
	uint32_t uplink = cell(dtb, node, "uplink");
	fdt32_t label[3] = { cpu_to_fdt32(network->label.level),
			     cpu_to_fdt32((uint32_t)(network->label.categories >> 32)),
			     cpu_to_fdt32((uint32_t)network->label.categories) };
	int length;
	const void *value = fdt_getprop(dtb, node, "label", &length);

	if (strcmp(name, network->name) || !value || length != (int)sizeof(label) ||
	    memcmp(value, label, sizeof(label)))
		return false;
	if (network->uplink == NONE || uplink == NONE)
		return network->uplink == uplink;
	return uplink < devices->count &&
	       !strcmp(devices->text[uplink], policy->devices[network->uplink].name);
}

/* The compiled policy has the same networks and, in the same order, links of the same VMs to them. */
static bool belongs(const struct policy *policy, const void *dtb)
{
	struct dtb_names names = { 0 }, devices = { 0 };
	unsigned port = 0, network = 0;
	int node;

	dtb_names_read(&names, dtb, "/networks");
	dtb_names_read(&devices, dtb, "/devices");
	bool same = names.count == policy->network_count;
	fdt_for_each_subnode(node, dtb, fdt_path_offset(dtb, "/networks")) {
		same = same && same_network(policy, &policy->networks[network], names.text[network], &devices, dtb,
					    node);
		network++;
	}
	free(names.text);
	free(devices.text);
	fdt_for_each_subnode(node, dtb, fdt_path_offset(dtb, "/links")) {
		if (cell(dtb, node, "network") == NONE)
			continue;
		same = same && port < policy->port_count && cell(dtb, node, "a") == policy->ports[port].vm &&
		       cell(dtb, node, "network") == policy->ports[port].network;
		port++;
	}
	return same && port == policy->port_count;
}

static bool same_bytes(const struct policy *policy, const void *block, size_t size)
{
	size_t again = 0;
	void *bytes = emit_switch(policy, &again);
	bool same = bytes && again == size && !memcmp(bytes, block, size);

	free(bytes);
	return same;
}

const char *switch_read(struct policy *policy, const void *block, size_t size, const void *dtb)
{
	struct swconf *config = memory_get(sizeof(*config));
	uint32_t entry;
	const char *wrong = swconf_load(config, block, size, &entry);

	*policy = (struct policy){ .fabric = { .node = &from_switch, .vm = NONE, .control_vm = NONE } };
	read_levels(policy, dtb);
	read_vms(policy, dtb);
	if (!wrong) {
		policy->fabric.nonce_interval_ns = config->header.nonce_interval_ns;
		policy->fabric.has_control = config->header.control_pair != LZR_SWITCH_NONE;
		read_networks(policy, config);
		read_keys(policy, config);
		if (!read_ports(policy, config))
			wrong = "it names VMs that the compiled policy does not have";
	}
	if (!wrong) {
		read_services(policy, config);
		read_rules(policy, config);
		wrong = !belongs(policy, dtb) ? "its networks and ports are not those of the compiled policy"
			: !same_bytes(policy, block, size) ? "it is not as \"lzr-policy switch\" writes it"
							   : NULL;
	}
	free(config);
	return wrong;
}
