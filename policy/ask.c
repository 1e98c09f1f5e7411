/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <stdlib.h>
#include <string.h>

#include "../netfilter/crypto.h"
#include "fabric.h"

#define NOW 1u
#define CLIENT_PORT 40000u
#define FRAME_HEADER_SIZE 14u
#define IPV4_SIZE 20u
#define UDP_SIZE 8u             /* and that of an ICMP echo request */
#define TCP_SIZE 20u
#define ARP_SIZE 28u
#define PACKET_MAX (FRAME_HEADER_SIZE + IPV4_SIZE + TCP_SIZE)

/* What the dataplane wants random numbers for, nonces and the order of chains, does not matter here. */
bool crypto_random(uint8_t *out, size_t length)
{
	memset(out, 1, length);
	return true;
}

struct nswitch *ask_open(const struct policy *policy)
{
	struct fabric *fabric = fabric_make(policy);
	struct nswitch *sw = fabric ? memory_get(sizeof(*sw)) : NULL;

	if (sw)
		sw->config = fabric->config;
	free(fabric);
	return sw;
}

struct lzr_label ask_label(const struct policy *policy, const struct policy_port *port)
{
	const struct policy_vm *vm = &policy->vms[port->vm];
	const struct lzr_label *label = &policy->networks[port->network].label;

	return lzr_label_dominates(&vm->high, label) && lzr_label_dominates(label, &vm->low) ? *label : vm->label;
}

static void set_up(const struct ask *ask, const bool *quarantined)
{
	const struct policy *policy = ask->policy;

	switch_init(ask->sw);
	for (unsigned i = 0; i < policy->port_count; i++) {
		struct lzr_peer peer = { .vm = policy->ports[i].vm, .instance = 1,
					 .label = ask_label(policy, &policy->ports[i]),
					 .flags = policy->ports[i].infrastructure ? LZR_PEER_SERVICE : 0 };
		struct port *port = &ask->sw->ports[i];
		if (!port_up(port, &peer, 1, NOW) || port->state != LZR_PORT_QUARANTINED ||
		    (quarantined && quarantined[i]))
			continue;
		port->state = LZR_PORT_ADMITTED;
		port->lease_end = UINT64_MAX;
	}
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

/* An address of nobody in the policy, for what is behind the uplink. */
static void outside_mac(const struct policy *policy, uint8_t mac[6])
{
	static const uint8_t first[6] = { 0x02, 0xff, 0xff, 0xff, 0xff, 1 };
	unsigned i = 0;

	memcpy(mac, first, 6);
	while (i < policy->port_count)
		if (!memcmp(policy->ports[i].mac, mac, 6)) {
			mac[4]--;
			i = 0;
		} else {
			i++;
		}
}

static void end_mac(const struct policy *policy, const struct ask_end *end, uint8_t mac[6])
{
	if (end->port == NONE)
		outside_mac(policy, mac);
	else
		memcpy(mac, policy->ports[end->port].mac, 6);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t make_arp(const struct ask *ask, bool answer, uint8_t *bytes)
{
	static const uint8_t ethernet_ipv4[6] = { 0, 1, 8, 0, 6, 4 };
	uint8_t *arp = bytes + FRAME_HEADER_SIZE;

	put16(bytes + 12, 0x0806);
	memcpy(arp, ethernet_ipv4, 6);
	put16(arp + 6, answer ? 2 : 1);
	memcpy(arp + 8, bytes + 6, 6);
	memcpy(arp + 14, ask->from.ip, 4);
	if (answer)
		memcpy(arp + 18, bytes, 6);
	else
		memset(bytes, 0xff, 6);
	memcpy(arp + 24, ask->to.ip, 4);
	return FRAME_HEADER_SIZE + ARP_SIZE;
}

static void make_ipv4(const struct ask *ask, uint8_t *bytes, uint32_t length)
{
	uint8_t *ip = bytes + FRAME_HEADER_SIZE;
	uint32_t sum = 0;

	put16(bytes + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, IPV4_SIZE + length);
	ip[8] = 64;
	ip[9] = (uint8_t)ask->protocol;
	memcpy(ip + 12, ask->from.ip, 4);
	memcpy(ip + 16, ask->to.ip, 4);
	for (unsigned i = 0; i < IPV4_SIZE; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)));
}

/* The packet, or the answer to it, as bytes; their number.  Its checksum of layer 4 nobody looks at. */
static uint32_t make_packet(const struct ask *ask, bool answer, uint8_t bytes[PACKET_MAX])
{
	const uint32_t length = ask->protocol == PROTOCOL_TCP ? TCP_SIZE : UDP_SIZE;
	uint8_t *l4 = bytes + FRAME_HEADER_SIZE + IPV4_SIZE;

	memset(bytes, 0, PACKET_MAX);
	end_mac(ask->policy, &ask->to, bytes);
	end_mac(ask->policy, &ask->from, bytes + 6);
	if (ask->protocol == ASK_ARP)
		return make_arp(ask, answer, bytes);
	make_ipv4(ask, bytes, length);
	if (ask->protocol == PROTOCOL_ICMP) {
		l4[0] = answer ? FRAME_ICMP_REPLY : FRAME_ICMP_ECHO;
		put16(l4 + 4, 1);
		return FRAME_HEADER_SIZE + IPV4_SIZE + length;
	}
	put16(l4, answer ? ask->port : CLIENT_PORT);
	put16(l4 + 2, answer ? CLIENT_PORT : ask->port);
	if (ask->protocol == PROTOCOL_UDP) {
		put16(l4 + 4, length);
	} else {
		l4[12] = TCP_SIZE / 4 << 4;
		l4[13] = answer ? FRAME_TCP_SYN | FRAME_TCP_ACK : FRAME_TCP_SYN;
	}
	return FRAME_HEADER_SIZE + IPV4_SIZE + length;
}

static struct switch_verdict decide(const struct ask *ask, bool answer)
{
	struct switch_end end = { SWITCH_PORT, (uint8_t)ask->from.port };
	uint8_t bytes[PACKET_MAX];
	struct frame frame;
	enum nf_reason reason = frame_parse(bytes, make_packet(ask, answer, bytes), &frame);

	if (reason != NF_PASS)
		return (struct switch_verdict){ .reason = reason, .target = LZR_SWITCH_NONE };
	if (ask->from.port == NONE)
		end = (struct switch_end){ SWITCH_UPLINK, (uint8_t)ask->sw->config.networks[ask->network].uplink };
	return switch_decide(ask->sw, end, &frame, NOW);
}

struct switch_verdict ask_first(const struct ask *ask, const bool *quarantined)
{
	set_up(ask, quarantined);
	return decide(ask, false);
}

struct switch_verdict ask_answer(const struct ask *ask)
{
	struct ask back = *ask;

	back.from = ask->to;
	back.to = ask->from;
	if (back.from.port != NONE)
		back.network = ask->policy->ports[back.from.port].network;
	return decide(&back, true);
}
