/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and checks the switch's configuration.  Whatever it does not fully understand, it refuses. */
#include "swconf.h"

#include <string.h>

#include <lazaret/policy.h>

#include "frame.h"

#define TIME_MAX (1ull << 62)   /* nanoseconds: sums of two do not wrap */

static bool is_zero(const void *p, size_t length)
{
	const uint8_t *bytes = p;
	uint8_t all = 0;

	while (length-- != 0)
		all |= *bytes++;
	return all == 0;
}

/* At least one character, and nothing behind the terminating zero. */
static bool is_name(const char name[LZR_NAME_MAX])
{
	size_t length = strnlen(name, LZR_NAME_MAX);

	return length > 0 && length < LZR_NAME_MAX && is_zero(name + length, LZR_NAME_MAX - length);
}

static const char *check_header(const struct lzr_switch_header *h)
{
	if (memcmp(h->magic, LZR_SWITCH_MAGIC, sizeof(h->magic)) != 0)
		return "magic is not " LZR_SWITCH_MAGIC;
	if (h->version != LZR_SWITCH_VERSION)
		return "version is not 1";
	if (h->network_count == 0 || h->network_count > LZR_SWITCH_NETWORK_MAX)
		return "number of networks is out of range";
	if (h->uplink_count > LZR_SWITCH_UPLINK_MAX)
		return "number of uplinks is out of range";
	if (h->port_count == 0 || h->port_count > LZR_SWITCH_PORT_MAX)
		return "number of ports is out of range";
	if (h->endpoint_count > LZR_SWITCH_ENDPOINT_MAX)
		return "number of endpoints is out of range";
	if (h->control_pair >= SWCONF_PAIR_MAX && h->control_pair != LZR_SWITCH_NONE)
		return "control pair is out of range";
	if (h->reserved != 0)
		return "reserved field of the header is not zero";
	if (h->lease_max_ns == 0 || h->lease_max_ns > TIME_MAX || h->nonce_interval_ns > TIME_MAX)
		return "a time is out of range";
	if (is_zero(h->verifier_x, sizeof(h->verifier_x)) && is_zero(h->verifier_y, sizeof(h->verifier_y)))
		return "verifier key is missing";
	return NULL;
}

static const char *check_network(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_network *n = &c->networks[i];
	uint32_t j;

	if (n->reserved != 0 || !is_zero(n->label.reserved, sizeof(n->label.reserved)))
		return "reserved field of a network is not zero";
	if (!is_name(n->name))
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
	return NULL;
}

static const char *check_uplink(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_uplink *u = &c->uplinks[i];
	uint32_t j;

	if (u->slot == 0 || u->slot > 31)
		return "uplink's slot is out of range";
	if (!is_name(u->name))
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
	if (p->reserved[0] != 0 || p->reserved[1] != 0)
		return "reserved field of a port is not zero";
	for (j = 0; j < c->header.port_count; j++) {
		q = &c->ports[j];
		if (frame_ip(p->gateway) == frame_ip(q->ipv4))
			return "port's gateway address is a port's";
		if (j >= i)
			continue;
		if (p->pair == q->pair)
			return "two ports are on one queue pair";
		if (mac == frame_mac(q->mac))
			return "two ports have one MAC address";
		if (frame_ip(p->ipv4) == frame_ip(q->ipv4))
			return "two ports have one IPv4 address";
	}
	return NULL;
}

static const char *check_endpoint(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_endpoint *e = &c->endpoints[i];
	uint32_t j;

	if (e->port >= c->header.port_count || c->ports[e->port].kind != LZR_PORT_ATTESTOR)
		return "endpoint's port is not an infrastructure port";
	if (e->uplink >= c->header.uplink_count)
		return "endpoint's uplink does not exist";
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

/* Copies an array of the block and moves the cursor behind it; the sizes were checked. */
static void take(void *out, const uint8_t **from, size_t length)
{
	memcpy(out, *from, length);
	*from += length;
}

const char *swconf_load(struct swconf *out, const void *block, uint64_t capacity, uint32_t *where)
{
	static const char *(*const checks[])(const struct swconf *, uint32_t) = {check_network, check_uplink,
										 check_port, check_endpoint};
	struct lzr_switch_header *h = &out->header;
	const uint8_t *from = block;
	const char *wrong;
	uint32_t counts[4];
	unsigned kind;

	*where = 0;
	memset(out, 0, sizeof(*out));
	if (capacity < sizeof(*h))
		return "block is shorter than its header";
	take(h, &from, sizeof(*h));
	wrong = check_header(h);
	if (wrong != NULL)
		return wrong;
	if (h->size > capacity || h->size != sizeof(*h) + h->network_count * sizeof(out->networks[0]) +
						 h->uplink_count * sizeof(out->uplinks[0]) +
						 h->port_count * sizeof(out->ports[0]) +
						 h->endpoint_count * sizeof(out->endpoints[0]))
		return "size is not that of the header and its arrays";
	take(out->networks, &from, h->network_count * sizeof(out->networks[0]));
	take(out->uplinks, &from, h->uplink_count * sizeof(out->uplinks[0]));
	take(out->ports, &from, h->port_count * sizeof(out->ports[0]));
	take(out->endpoints, &from, h->endpoint_count * sizeof(out->endpoints[0]));
	counts[0] = h->network_count;
	counts[1] = h->uplink_count;
	counts[2] = h->port_count;
	counts[3] = h->endpoint_count;
	for (kind = 0; kind < 4; kind++) {
		for (*where = 0; *where < counts[kind]; (*where)++) {
			wrong = checks[kind](out, *where);
			if (wrong != NULL)
				return wrong;
		}
	}
	return NULL;
}
