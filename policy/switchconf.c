/* SPDX-License-Identifier: Apache-2.0 */
/* The switch's configuration block (lazaret/switch.h).  Hosts that build are little-endian, as the block is. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

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

static uint8_t *put_networks(uint8_t *at, const struct policy *policy)
{
	for (unsigned i = 0; i < policy->network_count; i++) {
		struct lzr_switch_network network = { .label = policy->networks[i].label,
						      .uplink = uplink_index(policy, i) };

		memcpy(network.name, policy->networks[i].name, LZR_NAME_MAX);
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

static uint8_t *put_ports(uint8_t *at, const struct policy *policy)
{
	for (unsigned i = 0; i < policy->port_count; i++) {
		const struct policy_port *from = &policy->ports[i];
		struct lzr_switch_port port = { .kind = from->infrastructure ? LZR_PORT_ATTESTOR : LZR_PORT_GUEST,
						.pair = i, .vm = from->vm, .network = from->network,
						.inspection = LZR_SWITCH_NONE,
						.lease_end = from->infrastructure ? 0 : LZR_LEASE_END_QUARANTINE };

		memcpy(port.mac, from->mac, 6);
		memcpy(port.ipv4, from->ip, 4);
		if (policy->networks[from->network].has_gateway)
			memcpy(port.gateway, policy->networks[from->network].gateway, 4);
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

void *emit_switch(const struct policy *policy, size_t *size)
{
	const struct policy_switch *fabric = &policy->fabric;
	struct lzr_switch_header header = {
		.magic = LZR_SWITCH_MAGIC,
		.version = LZR_SWITCH_VERSION,
		.network_count = policy->network_count,
		.port_count = policy->port_count,
		.endpoint_count = policy->endpoint_count,
		.control_pair = fabric->has_control ? switch_control_pair(policy) : LZR_SWITCH_NONE,
		.lease_max_ns = fabric->quarantine.lease_max_ns,
		.nonce_interval_ns = fabric->nonce_interval_ns,
		.verifier_count = 1,
	};

	for (unsigned i = 0; i < policy->network_count; i++)
		header.uplink_count += policy->networks[i].uplink != NONE;
	memcpy(header.verifiers[0].x, policy->keys[fabric->quarantine.keys[0]].x, 48);
	memcpy(header.verifiers[0].y, policy->keys[fabric->quarantine.keys[0]].y, 48);
	*size = sizeof(header) + header.network_count * sizeof(struct lzr_switch_network) +
		header.uplink_count * sizeof(struct lzr_switch_uplink) +
		header.port_count * sizeof(struct lzr_switch_port) +
		header.endpoint_count * sizeof(struct lzr_switch_endpoint);
	header.size = (uint32_t)*size;
	uint8_t *block = calloc(1, *size);
	if (block)
		put_ports(put_networks(put(block, &header, sizeof(header)), policy), policy);
	return block;
}
