/* SPDX-License-Identifier: Apache-2.0 */
/* The switch's configuration block (lazaret/switch.h).  Hosts that build are little-endian, as the block is. */
#include <stdlib.h>
#include <string.h>

#include "switchrules.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the block is written as it lies in memory");

unsigned switch_control_pair(const struct policy *policy)
{
	return policy->port_count;
}

static unsigned uplink_index(const struct policy *policy, unsigned network)
{
	unsigned index = 0;

	if (policy->networks[network].uplink == NONE)
		return LZR_SWITCH_NONE;
	for (unsigned i = 0; i < network; i++)
		index += policy->networks[i].uplink != NONE;
	return index;
}

static uint8_t *put(uint8_t *at, const void *structure, size_t size)
{
	memcpy(at, structure, size);
	return at + size;
}

/* Rules and uplinks of the networks lie in the order of the networks. */
static uint8_t *put_networks(uint8_t *at, const struct policy *policy)
{
	unsigned rule = 0, uplinks = 0;

	for (unsigned i = 0; i < policy->network_count; i++) {
		const struct policy_network *from = &policy->networks[i];
		struct lzr_switch_network network = {
			.label = from->label,
			.uplink = from->uplink == NONE ? LZR_SWITCH_NONE : uplinks++,
			.flags = from->allow_all ? LZR_NETWORK_ALLOW_ALL : 0,
			.rule_first = rule,
			.frame_rate = (uint32_t)from->frame_rate,
			.bandwidth = from->bandwidth,
		};

		while (rule < policy->rule_count && policy->rules[rule].network == i)
			rule++;
		network.rule_count = rule - network.rule_first;
		memcpy(network.name, from->name, LZR_NAME_MAX);
		at = put(at, &network, sizeof(network));
	}
	for (unsigned i = 0; i < policy->network_count; i++) {
		if (policy->networks[i].uplink == NONE)
			continue;
		const struct policy_device *device = &policy->devices[policy->networks[i].uplink];
		struct lzr_switch_uplink uplink = { .slot = device->slot, .network = i };
		memcpy(uplink.name, device->name, LZR_NAME_MAX);
		at = put(at, &uplink, sizeof(uplink));
	}
	return at;
}

static struct lzr_switch_port port_of(const struct policy *policy, unsigned index)
{
	const struct policy_port *from = &policy->ports[index];
	const struct policy_quarantine *q = &from->quarantine;
	struct lzr_switch_port port = {
		.kind = from->infrastructure ? LZR_PORT_ATTESTOR : LZR_PORT_GUEST,
		.pair = index,
		.vm = from->vm,
		.network = from->network,
		.inspection = LZR_SWITCH_NONE,
		.frame_rate = (uint32_t)from->frame_rate,
		.bandwidth = from->bandwidth,
	};

	memcpy(port.mac, from->mac, 6);
	memcpy(port.ipv4, from->ip, 4);
	if (policy->networks[from->network].has_gateway)
		memcpy(port.gateway, policy->networks[from->network].gateway, 4);
	if (from->infrastructure)
		return port;
	port.lease_end = q->lease_end == LEASE_END_BLOCK ? LZR_LEASE_END_BLOCK : LZR_LEASE_END_QUARANTINE;
	port.lease_max_ns = q->lease_max_ns;
	for (unsigned i = 0; i < q->key_count; i++)
		port.verifiers |= (uint8_t)(1u << q->keys[i]);
	if (q->inspection != NONE) {
		port.inspection = q->inspection;
		port.inspection_rate = (uint32_t)q->inspection_rate;
	}
	return port;
}

static uint8_t *put_ports(uint8_t *at, const struct policy *policy)
{
	for (unsigned i = 0; i < policy->port_count; i++) {
		struct lzr_switch_port port = port_of(policy, i);
		at = put(at, &port, sizeof(port));
	}
	for (unsigned i = 0; i < policy->endpoint_count; i++) {
		const struct policy_endpoint *from = &policy->endpoints[i];
		struct lzr_switch_endpoint endpoint = {
			.port = from->port,
			.uplink = uplink_index(policy, policy->ports[from->port].network),
			.protocol = (uint8_t)from->protocol,
			.l4port = (uint16_t)from->l4port,
		};
		memcpy(endpoint.ipv4, from->ip, 4);
		at = put(at, &endpoint, sizeof(endpoint));
	}
	return at;
}

static struct lzr_switch_header header_of(const struct policy *policy, const struct switch_rules *rules)
{
	struct lzr_switch_header header = {
		.magic = LZR_SWITCH_MAGIC,
		.version = LZR_SWITCH_VERSION,
		.network_count = policy->network_count,
		.port_count = policy->port_count,
		.endpoint_count = policy->endpoint_count,
		.rule_count = rules->rule_count,
		.set_count = rules->set_count,
		.member_count = rules->member_count,
		.service_count = rules->service_count,
		.match_count = rules->match_count,
		.verifier_count = policy->key_count,
		.control_pair = policy->fabric.has_control ? switch_control_pair(policy) : LZR_SWITCH_NONE,
		.nonce_interval_ns = policy->fabric.nonce_interval_ns,
	};

	for (unsigned i = 0; i < policy->network_count; i++)
		header.uplink_count += policy->networks[i].uplink != NONE;
	for (unsigned i = 0; i < policy->key_count; i++) {
		memcpy(header.verifiers[i].x, policy->keys[i].x, 48);
		memcpy(header.verifiers[i].y, policy->keys[i].y, 48);
	}
	return header;
}

void *emit_switch(const struct policy *policy, size_t *size)
{
	struct lzr_switch_header header;
	struct switch_rules rules;
	uint8_t *block;

	if (policy->key_count > LZR_SWITCH_VERIFIER_MAX)
		return NULL;
	switch_rules_make(&rules, policy);
	header = header_of(policy, &rules);
	*size = sizeof(header) + header.network_count * sizeof(struct lzr_switch_network) +
		header.uplink_count * sizeof(struct lzr_switch_uplink) +
		header.port_count * sizeof(struct lzr_switch_port) +
		header.endpoint_count * sizeof(struct lzr_switch_endpoint) + switch_rules_size(&rules);
	header.size = (uint32_t)*size;
	block = calloc(1, *size);
	if (block)
		switch_rules_put(put_ports(put_networks(put(block, &header, sizeof(header)), policy), policy), &rules);
	switch_rules_free(&rules);
	return block;
}
