/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and checks the switch's configuration.  Whatever it does not fully understand, it refuses. */
#include "swconf.h"

#include <string.h>

#include <lazaret/name.h>
#include <lazaret/policy.h>

#include "frame.h"
#include "rate.h"

#define TIME_MAX (1ull << 62)   /* nanoseconds: sums of two do not wrap */

static bool is_zero(const void *p, size_t length)
{
	const uint8_t *bytes = p;
	uint8_t all = 0;

	while (length-- != 0)
		all |= *bytes++;
	return all == 0;
}

static const char *check_header(const struct lzr_switch_header *h)
{
	uint32_t i;

	if (memcmp(h->magic, LZR_SWITCH_MAGIC, sizeof(h->magic)) != 0)
		return "magic is not " LZR_SWITCH_MAGIC;
	if (h->version != LZR_SWITCH_VERSION)
		return "version is not 3";
	if (h->network_count == 0 || h->network_count > LZR_SWITCH_NETWORK_MAX)
		return "number of networks is out of range";
	if (h->uplink_count > LZR_SWITCH_UPLINK_MAX)
		return "number of uplinks is out of range";
	if (h->port_count == 0 || h->port_count > LZR_SWITCH_PORT_MAX)
		return "number of ports is out of range";
	if (h->endpoint_count > LZR_SWITCH_ENDPOINT_MAX)
		return "number of endpoints is out of range";
	if (h->rule_count > LZR_SWITCH_RULE_MAX)
		return "number of rules is out of range";
	if (h->set_count > LZR_SWITCH_SET_MAX || h->member_count > LZR_SWITCH_MEMBER_MAX)
		return "number of sets or of their members is out of range";
	if (h->service_count > LZR_SWITCH_SERVICE_MAX || h->match_count > LZR_SWITCH_MATCH_MAX)
		return "number of services or of their matches is out of range";
	if (h->control_pair >= SWCONF_PAIR_MAX && h->control_pair != LZR_SWITCH_NONE)
		return "control pair is out of range";
	if (h->reserved != 0)
		return "reserved field of the header is not zero";
	if (h->nonce_interval_ns > TIME_MAX)
		return "least time between nonces is out of range";
	if (h->verifier_count == 0 || h->verifier_count > LZR_SWITCH_VERIFIER_MAX)
		return "number of verifier keys is out of range";
	for (i = 0; i < LZR_SWITCH_VERIFIER_MAX; i++) {
		if (i < h->verifier_count && is_zero(&h->verifiers[i], sizeof(h->verifiers[i])))
			return "verifier key is missing";
		if (i >= h->verifier_count && !is_zero(&h->verifiers[i], sizeof(h->verifiers[i])))
			return "verifier key beyond their number";
	}
	return NULL;
}

static bool is_bandwidth(uint64_t bits)
{
	return bits == 0 || (bits >= RATE_BANDWIDTH_MIN && bits <= RATE_BANDWIDTH_MAX);
}

/* Rules of the networks lie one behind the other and are all of them. */
static const char *check_network_rules(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_network *n = &c->networks[i];
	uint32_t begin = i == 0 ? 0 : c->networks[i - 1].rule_first + c->networks[i - 1].rule_count;

	if (!is_bandwidth(n->bandwidth))
		return "network's bandwidth is out of range";
	if ((n->flags & ~LZR_NETWORK_ALLOW_ALL) != 0)
		return "network's flags are unknown";
	if (n->rule_first != begin || n->rule_count > c->header.rule_count - begin)
		return "network's rules do not begin behind those of the one before, or do not exist";
	if (n->rule_count != 0 && (n->flags & LZR_NETWORK_ALLOW_ALL) != 0)
		return "network has rules and allows all";
	if (i + 1 == c->header.network_count && begin + n->rule_count != c->header.rule_count)
		return "a rule belongs to no network";
	return NULL;
}

static const char *check_network(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_network *n = &c->networks[i];
	uint32_t j;

	if (n->reserved != 0 || !is_zero(n->label.reserved, sizeof(n->label.reserved)))
		return "reserved field of a network is not zero";
	if (!lzr_name_is_valid(n->name))
		return "network name is empty or not terminated";
	if (n->uplink != LZR_SWITCH_NONE) {
		if (n->uplink >= c->header.uplink_count)
			return "network's uplink does not exist";
		if (c->uplinks[n->uplink].network != i)
			return "network and its uplink do not name each other";
	}
	for (j = 0; j < i; j++) {
		if (strcmp(c->networks[j].name, n->name) == 0)
			return "two networks have one name";
	}
	return check_network_rules(c, i);
}

static const char *check_uplink(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_uplink *u = &c->uplinks[i];
	uint32_t j;

	if (u->slot == 0 || u->slot > 31)
		return "uplink's slot is out of range";
	if (!lzr_name_is_valid(u->name))
		return "uplink name is empty or not terminated";
	if (u->network >= c->header.network_count)
		return "uplink's network does not exist";
	if (c->networks[u->network].uplink != i)
		return "network and its uplink do not name each other";
	for (j = 0; j < i; j++) {
		if (c->uplinks[j].slot == u->slot)
			return "two uplinks are in one slot";
	}
	return NULL;
}

/* What the port may send, what becomes of it without a lease, whom it may meet then. */
static const char *check_port_limits(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_port *p = &c->ports[i], *q;

	if (!is_bandwidth(p->bandwidth))
		return "port's bandwidth is out of range";
	if (p->kind != LZR_PORT_GUEST) {
		if (p->lease_end != 0 || p->verifiers != 0 || p->lease_max_ns != 0)
			return "infrastructure port takes leases";
	} else {
		if (p->lease_end != LZR_LEASE_END_QUARANTINE && p->lease_end != LZR_LEASE_END_BLOCK)
			return "what becomes of a port at its lease's end is unknown";
		if (p->verifiers == 0 || p->verifiers >> c->header.verifier_count != 0)
			return "port's verifier key does not exist, or it has none";
		if (p->lease_max_ns == 0 || p->lease_max_ns > TIME_MAX)
			return "port's longest lease is out of range";
	}
	if (p->inspection == LZR_SWITCH_NONE)
		return p->inspection_rate == 0 ? NULL : "port without inspection has a rate of it";
	if (p->kind != LZR_PORT_GUEST || p->inspection >= c->header.port_count || p->inspection == i)
		return "port's inspection port does not exist, is itself, or the port is infrastructure";
	q = &c->ports[p->inspection];
	if (q->kind != LZR_PORT_GUEST || q->network != p->network || q->inspection != LZR_SWITCH_NONE)
		return "inspection port is infrastructure, on another network, or inspected itself";
	return p->inspection_rate == 0 ? "port's inspection has no rate" : NULL;
}

static const char *check_port(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_port *p = &c->ports[i], *q;
	uint64_t mac = frame_mac(p->mac);
	uint32_t j;

	if (p->kind != LZR_PORT_GUEST && p->kind != LZR_PORT_ATTESTOR)
		return "port kind is unknown";
	if (p->pair >= SWCONF_PAIR_MAX || p->pair == c->header.control_pair)
		return "port's queue pair is out of range or the control pair";
	if (p->vm >= LZR_VM_MAX)
		return "port's VM number is out of range";
	if (p->network >= c->header.network_count)
		return "port's network does not exist";
	if (mac == 0 || (mac & FRAME_MAC_GROUP) != 0)
		return "port's MAC address is zero or a group address";
	if (!frame_ip_is_host(frame_ip(p->ipv4)))
		return "port's IPv4 address cannot be a host's";
	if (frame_ip(p->gateway) != 0 && !frame_ip_is_host(frame_ip(p->gateway)))
		return "port's gateway address cannot be a host's";
	if (p->reserved != 0)
		return "reserved field of a port is not zero";
	for (j = 0; j < c->header.port_count; j++) {
		q = &c->ports[j];
		if (frame_ip(p->gateway) == frame_ip(q->ipv4))
			return "port's gateway address is a port's";
		if (j >= i)
			continue;
		if (p->pair == q->pair)
			return "two ports are on one queue pair";
		if (p->vm == q->vm)     /* a lease names a VM, and the attestor keeps one port of each */
			return "two ports are one VM's; nothing serves a second one yet";
		if (p->kind == LZR_PORT_ATTESTOR && q->kind == LZR_PORT_ATTESTOR)
			return "two ports are infrastructure; nothing serves a second one yet";
		if (mac == frame_mac(q->mac))
			return "two ports have one MAC address";
		if (frame_ip(p->ipv4) == frame_ip(q->ipv4))
			return "two ports have one IPv4 address";
	}
	return check_port_limits(c, i);
}

static const char *check_endpoint(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_endpoint *e = &c->endpoints[i];
	uint32_t j;

	if (e->port >= c->header.port_count || c->ports[e->port].kind != LZR_PORT_ATTESTOR)
		return "endpoint's port is not an infrastructure port";
	if (e->uplink >= c->header.uplink_count)
		return "endpoint's uplink does not exist";
	if (c->uplinks[e->uplink].network != c->ports[e->port].network)
		return "endpoint's uplink is another network's than its port";
	if (!frame_ip_is_host(frame_ip(e->ipv4)))
		return "endpoint's IPv4 address cannot be a host's";
	if ((e->protocol != 6 && e->protocol != 17) || e->l4port == 0)
		return "endpoint's protocol is neither TCP nor UDP, or its port is zero";
	if (e->reserved != 0)
		return "reserved field of an endpoint is not zero";
	for (j = 0; j < c->header.port_count; j++) {
		if (frame_ip(c->ports[j].ipv4) == frame_ip(e->ipv4))
			return "endpoint's IPv4 address is a port's";
	}
	return NULL;
}

const char *swconf_load(struct swconf *out, const void *block, uint64_t capacity, uint32_t *where)
{
	struct lzr_switch_header *h = &out->header;
	const struct {
		void *to;
		size_t size;
		const uint32_t *count;
		const char *(*check)(const struct swconf *, uint32_t);
	} arrays[] = {
		{ out->networks, sizeof(out->networks[0]), &h->network_count, check_network },
		{ out->uplinks, sizeof(out->uplinks[0]), &h->uplink_count, check_uplink },
		{ out->ports, sizeof(out->ports[0]), &h->port_count, check_port },
		{ out->endpoints, sizeof(out->endpoints[0]), &h->endpoint_count, check_endpoint },
		{ out->rules, sizeof(out->rules[0]), &h->rule_count, swconf_check_rule },
		{ out->sets, sizeof(out->sets[0]), &h->set_count, swconf_check_set },
		{ out->members, sizeof(out->members[0]), &h->member_count, swconf_check_member },
		{ out->services, sizeof(out->services[0]), &h->service_count, swconf_check_service },
		{ out->matches, sizeof(out->matches[0]), &h->match_count, swconf_check_match },
	};
	const unsigned count = sizeof(arrays) / sizeof(arrays[0]);
	const uint8_t *from = block;
	const char *wrong;
	size_t size = sizeof(*h);
	unsigned i;

	*where = 0;
	memset(out, 0, sizeof(*out));
	if (capacity < sizeof(*h))
		return "block is shorter than its header";
	memcpy(h, from, sizeof(*h));
	wrong = check_header(h);
	if (wrong != NULL)
		return wrong;
	for (i = 0; i < count; i++)
		size += *arrays[i].count * arrays[i].size;
	if (h->size > capacity || h->size != size)
		return "size is not that of the header and its arrays";
	from += sizeof(*h);
	for (i = 0; i < count; i++) {
		memcpy(arrays[i].to, from, *arrays[i].count * arrays[i].size);
		from += *arrays[i].count * arrays[i].size;
	}
	for (i = 0; i < count; i++) {
		for (*where = 0; *where < *arrays[i].count; (*where)++) {
			wrong = arrays[i].check(out, *where);
			if (wrong != NULL)
				return wrong;
		}
	}
	return NULL;
}
