/* SPDX-License-Identifier: Apache-2.0 */
#include "switch.h"

#include <string.h>

#include "crypto.h"

/* Multiplicative hash; addresses are static and few, so short probes are enough. */
static unsigned slot_of(uint64_t key)
{
	return (unsigned)((key * 0x9e3779b97f4a7c15ull) >> 56) % SWITCH_SLOTS;
}

static void insert(uint8_t *table, uint64_t key, unsigned port)
{
	unsigned slot = slot_of(key);

	while (table[slot] != 0)
		slot = (slot + 1) % SWITCH_SLOTS;
	table[slot] = (uint8_t)(port + 1);
}

static struct port *port_by_mac(struct nswitch *sw, uint64_t mac)
{
	unsigned slot;

	for (slot = slot_of(mac); sw->by_mac[slot] != 0; slot = (slot + 1) % SWITCH_SLOTS) {
		if (sw->ports[sw->by_mac[slot] - 1].mac == mac)
			return &sw->ports[sw->by_mac[slot] - 1];
	}
	return NULL;
}

static struct port *port_by_ip(struct nswitch *sw, uint32_t ip)
{
	unsigned slot;

	for (slot = slot_of(ip); sw->by_ip[slot] != 0; slot = (slot + 1) % SWITCH_SLOTS) {
		if (sw->ports[sw->by_ip[slot] - 1].ip == ip)
			return &sw->ports[sw->by_ip[slot] - 1];
	}
	return NULL;
}

bool switch_init(struct nswitch *sw)
{
	struct siphash_key key;
	uint32_t i;

	if (!crypto_random((uint8_t *)&key, sizeof(key)))
		return false;

	memset(sw->ports, 0, sizeof(sw->ports));
	memset(sw->uplinks, 0, sizeof(sw->uplinks));
	memset(sw->by_mac, 0, sizeof(sw->by_mac));
	memset(sw->by_ip, 0, sizeof(sw->by_ip));
	memset(sw->rule_hits, 0, sizeof(sw->rule_hits));
	memset(sw->no_rule_hits, 0, sizeof(sw->no_rule_hits));
	for (i = 0; i < sw->config.header.network_count; i++) {
		rate_frames(&sw->frames[i], sw->config.networks[i].frame_rate);
		rate_bits(&sw->bytes[i], sw->config.networks[i].bandwidth);
		rate_frames(&sw->news[i], SWITCH_NEWS_RATE);
		sw->limited[i] = sw->config.networks[i].frame_rate != 0 || sw->config.networks[i].bandwidth != 0;
	}
	nf_rules_build(&sw->rules, &sw->config);
	conn_init(&sw->connections, sw->config.header.port_count, &key);
	for (i = 0; i < sw->config.header.port_count; i++) {
		const struct lzr_switch_port *config = &sw->config.ports[i];

		port_init(&sw->ports[i], config, &sw->config.networks[config->network].label);
		insert(sw->by_mac, sw->ports[i].mac, i);
		insert(sw->by_ip, sw->ports[i].ip, i);
	}
	return true;
}

static struct switch_end to_port(const struct nswitch *sw, const struct port *port)
{
	return (struct switch_end){ SWITCH_PORT, (uint8_t)(port - sw->ports) };
}

static struct switch_end to_uplink(uint32_t uplink)
{
	return (struct switch_end){ SWITCH_UPLINK, (uint8_t)uplink };
}

static bool is_arp(const struct frame *f)
{
	return f->kind == FRAME_ARP_REQUEST || f->kind == FRAME_ARP_REPLY;
}

/* May the frame be exchanged between infrastructure port `port` and {uplink, ip, l4port}? */
static bool is_listed(const struct nswitch *sw, const struct port *port, const struct frame *f, uint32_t uplink,
		      uint32_t ip, uint16_t l4port)
{
	uint8_t protocol = f->kind == FRAME_TCP ? 6 : 17;
	uint32_t i;

	if (is_arp(f) && port->gateway != 0 && ip == port->gateway &&
	    uplink == sw->config.networks[port->network].uplink)
		return true;
	for (i = 0; i < sw->config.header.endpoint_count; i++) {
		const struct lzr_switch_endpoint *e = &sw->config.endpoints[i];

		if (&sw->ports[e->port] != port || e->uplink != uplink || frame_ip(e->ipv4) != ip)
			continue;
		if (is_arp(f))
			return true;
		if ((f->kind == FRAME_TCP || f->kind == FRAME_UDP) && e->protocol == protocol && e->l4port == l4port)
			return true;
	}
	return false;
}

/* A group address: only the ARP request passes, and only to whom it asks for. */
static enum nf_reason find_target(struct nswitch *sw, const struct frame *f, struct port **target)
{
	if ((f->mac_target & FRAME_MAC_GROUP) == 0)
		*target = port_by_mac(sw, f->mac_target);
	else if (f->mac_target == FRAME_MAC_BROADCAST && f->kind == FRAME_ARP_REQUEST)
		*target = port_by_ip(sw, f->ip_target);
	else
		return NF_GROUP;
	return NF_PASS;
}

/* A port's ARP about its own address: no other port may have it, so only somebody outside can want to know. */
static bool is_about_itself(const struct port *from, const struct frame *f)
{
	return f->kind == FRAME_ARP_REQUEST && f->mac_target == FRAME_MAC_BROADCAST && f->ip_target == from->ip;
}

/* --- infrastructure ports ----------------------------------------------------------------------------------------- */

/* What it sends to an endpoint opens a connection. */
static enum nf_reason follow_out(struct nswitch *sw, const struct port *from, const struct frame *f, uint64_t now)
{
	const struct conn_way way = { to_port(sw, from).index, CONN_OUTSIDE };
	enum nf_reason reason;

	if (is_arp(f))
		return NF_PASS;
	reason = conn_pass(&sw->connections, sw->ports, &way, f, now);
	return reason == NF_STATE ? conn_open(&sw->connections, sw->ports, &way, f, now) : reason;
}

static enum nf_reason route_infrastructure(struct nswitch *sw, struct port *from, const struct frame *f, uint64_t now,
					   struct switch_end *to)
{
	struct port *target;
	enum nf_reason reason = find_target(sw, f, &target);
	uint32_t i;

	if (reason != NF_PASS)
		return reason;
	i = sw->config.networks[from->network].uplink;
	if (i != LZR_SWITCH_NONE && (is_about_itself(from, f) || (target == NULL && frame_is_probe_answer(f)))) {
		*to = to_uplink(i);
		return NF_PASS;
	}
	if (target != NULL || f->fragment)
		return NF_ENDPOINT;
	for (i = 0; i < sw->config.header.uplink_count; i++) {
		if (is_listed(sw, from, f, i, f->ip_target, f->l4_target)) {
			*to = to_uplink(i);
			return follow_out(sw, from, f, now);
		}
	}
	return NF_ENDPOINT;
}

/* To it comes what belongs to its connections, and of ICMP only that a packet of them was too big for the way. */
static enum nf_reason route_to_infrastructure(struct nswitch *sw, uint32_t uplink, struct port *target,
					      const struct frame *f, uint64_t now)
{
	const struct conn_way way = { CONN_OUTSIDE, to_port(sw, target).index };
	bool is_listed_one = is_listed(sw, target, f, uplink, f->ip_source, f->l4_source);

	if (f->fragment)
		return NF_ENDPOINT;
	if (is_arp(f))
		return is_listed_one || frame_is_probe(f) ? NF_PASS : NF_ENDPOINT;
	if (f->kind == FRAME_ICMP ? f->icmp_type != FRAME_ICMP_UNREACHABLE || f->icmp_code != FRAME_ICMP_TOO_BIG ||
				    uplink != sw->config.networks[target->network].uplink
				  : !is_listed_one)
		return NF_ENDPOINT;
	return conn_pass(&sw->connections, sw->ports, &way, f, now);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

/* What the network's rules and connections say about a frame that may pass otherwise. */
static enum nf_reason filter(struct nswitch *sw, uint32_t network, struct switch_end from, const struct frame *f,
			     uint64_t now, struct switch_verdict *v)
{
	const struct conn_way way = { from.kind == SWITCH_PORT ? from.index : CONN_OUTSIDE,
				      v->to.kind == SWITCH_PORT ? v->to.index : CONN_OUTSIDE };
	struct nf_tuple tuple;
	enum nf_reason reason;

	if (f->fragment)
		return NF_FRAGMENT;
	reason = conn_pass(&sw->connections, sw->ports, &way, f, now);
	if (reason != NF_STATE)
		return reason;
	tuple = nf_tuple_of(f);
	v->decision = nf_rules_decide(&sw->rules, network, &tuple);
	v->looked_up = true;
	if (v->decision.rule == LZR_SWITCH_NONE) {
		sw->no_rule_hits[network]++;
		return NF_NO_RULE;
	}
	sw->rule_hits[v->decision.rule]++;
	if (!v->decision.allow)
		return NF_RULE;
	if (v->decision.stateless)
		return NF_PASS;
	return conn_open(&sw->connections, sw->ports, &way, f, now);
}

/* ARP, which no rule names, passes where a rule lets anybody meet: its bytes are a way between ports, too. */
static enum nf_reason filtered(struct nswitch *sw, uint32_t network, struct switch_end from, const struct frame *f,
			       uint64_t now, struct switch_verdict *v)
{
	if (sw->rules.all[network])
		return NF_PASS;
	if (!is_arp(f))
		return filter(sw, network, from, f, now, v);
	if (!sw->rules.nothing[network])
		return NF_PASS;
	sw->no_rule_hits[network]++;
	return NF_NO_RULE;
}

/* --- ways --------------------------------------------------------------------------------------------------------- */

static bool is_inspection_of(const struct nswitch *sw, const struct port *inspection, const struct port *port)
{
	return port->inspection != LZR_SWITCH_NONE && &sw->ports[port->inspection] == inspection;
}

/* Both ends are guest ports of one network. */
static enum nf_reason route_between(struct nswitch *sw, struct port *from, struct port *target, const struct frame *f,
				    uint64_t now, struct switch_verdict *v)
{
	enum lzr_port_state own = port_state(from, now), state = port_state(target, now);

	if (own == LZR_PORT_QUARANTINED && !is_inspection_of(sw, target, from))
		return NF_INSPECTION;
	if (own == LZR_PORT_ADMITTED && state == LZR_PORT_QUARANTINED && is_inspection_of(sw, from, target))
		own = LZR_PORT_QUARANTINED;
	else if (state != LZR_PORT_ADMITTED)
		return NF_PEER_CLOSED;
	if (!lzr_label_equal(&from->peer.label, &target->peer.label))
		return NF_LABEL;
	v->to = to_port(sw, target);
	if (own == LZR_PORT_QUARANTINED)
		return NF_PASS;
	return filtered(sw, from->network, to_port(sw, from), f, now, v);
}

static enum nf_reason route_guest(struct nswitch *sw, struct port *from, const struct frame *f, uint64_t now,
				  struct switch_verdict *v)
{
	struct port *target, *owner = port_by_ip(sw, f->ip_target);
	enum nf_reason reason = find_target(sw, f, &target);
	uint32_t uplink = sw->config.networks[from->network].uplink;

	if (reason != NF_PASS)
		return reason;
	if ((target != NULL && target->network != from->network) || (owner != NULL && owner->network != from->network))
		return NF_NETWORK;
	if (is_about_itself(from, f))
		target = owner = NULL;
	if (frame_is_probe_answer(f))
		owner = target;
	if (target != owner || target == from)
		return NF_MISMATCH;
	if (target != NULL)
		return target->kind == LZR_PORT_GUEST ? route_between(sw, from, target, f, now, v) : NF_ENDPOINT;
	if (from->state == LZR_PORT_QUARANTINED)
		return NF_INSPECTION;
	if (uplink == LZR_SWITCH_NONE)
		return NF_NO_DESTINATION;
	v->to = to_uplink(uplink);
	return filtered(sw, from->network, to_port(sw, from), f, now, v);
}

/* Somebody has taken the gateway's address over, or says again that he has it. */
static bool is_gateway_news(struct nswitch *sw, uint32_t uplink, const struct frame *f)
{
	uint32_t i;

	if (f->mac_target != FRAME_MAC_BROADCAST || !frame_is_announcement(f))
		return false;
	for (i = 0; i < sw->config.header.port_count; i++) {
		if (sw->ports[i].gateway == f->ip_source && sw->ports[i].network == sw->config.uplinks[uplink].network)
			return true;
	}
	return false;
}

bool switch_hears(struct nswitch *sw, struct switch_end to, uint32_t port, uint64_t now)
{
	struct port *p = &sw->ports[port];
	enum lzr_port_state state = port_state(p, now);

	if (p->network != to.index || p->gateway == 0)
		return false;
	return state == LZR_PORT_INFRASTRUCTURE || (state == LZR_PORT_ADMITTED && !sw->rules.nothing[to.index]);
}

static enum nf_reason route_uplink(struct nswitch *sw, uint32_t uplink, const struct frame *f, uint64_t now,
				   struct switch_verdict *v)
{
	uint32_t network = sw->config.uplinks[uplink].network;
	enum lzr_port_state state;
	enum nf_reason reason;
	struct port *target;

	if (is_gateway_news(sw, uplink, f)) {
		v->to = (struct switch_end){ SWITCH_GATEWAY_OF, (uint8_t)network };
		return rate_take(&sw->news[network], 1, now) ? NF_PASS : NF_RATE;
	}
	reason = find_target(sw, f, &target);
	if (reason != NF_PASS)
		return reason;
	if (target == NULL)
		return NF_NO_DESTINATION;
	v->to = to_port(sw, target);
	v->target = v->to.index;
	if (target->ip != f->ip_target && !frame_is_probe_answer(f))
		return NF_MISMATCH;
	state = port_state(target, now);
	if (target->kind != LZR_PORT_GUEST) {
		if (state != LZR_PORT_INFRASTRUCTURE)
			return NF_PEER_CLOSED;
		return route_to_infrastructure(sw, uplink, target, f, now);
	}
	if (sw->config.networks[target->network].uplink != uplink)
		return NF_NETWORK;
	if (state != LZR_PORT_ADMITTED)
		return NF_PEER_CLOSED;
	return filtered(sw, target->network, to_uplink(uplink), f, now, v);
}

/* --- deciding ----------------------------------------------------------------------------------------------------- */

/* A port that sends must be who it is. */
static enum nf_reason from_port(struct nswitch *sw, struct port *from, const struct frame *f, uint64_t now,
				struct switch_verdict *v)
{
	if (f->mac_source != from->mac)
		return NF_SPOOF_MAC;
	if (f->ip_source != from->ip && !frame_is_probe(f))
		return is_arp(f) ? NF_SPOOF_ARP : NF_SPOOF_IPV4;
	return from->kind == LZR_PORT_GUEST ? route_guest(sw, from, f, now, v)
					    : route_infrastructure(sw, from, f, now, &v->to);
}

/* Nobody outside may use an address of a port. */
static enum nf_reason from_uplink(struct nswitch *sw, uint32_t uplink, const struct frame *f, uint64_t now,
				  struct switch_verdict *v)
{
	if (port_by_mac(sw, f->mac_source) != NULL)
		return NF_SPOOF_MAC;
	if (port_by_ip(sw, f->ip_source) != NULL)
		return is_arp(f) ? NF_SPOOF_ARP : NF_SPOOF_IPV4;
	return route_uplink(sw, uplink, f, now, v);
}

/* May the port send at all, for now?  One that has nobody to meet is not listened to. */
static bool is_open(struct port *port, uint64_t now)
{
	enum lzr_port_state state = port_state(port, now);

	return state == LZR_PORT_ADMITTED || state == LZR_PORT_INFRASTRUCTURE ||
	       (state == LZR_PORT_QUARANTINED && port->inspection != LZR_SWITCH_NONE);
}

/* Frames of a port that is not open do not get here. */
static enum nf_reason decide(struct nswitch *sw, struct switch_end from, const struct frame *f, uint64_t now,
			     struct switch_verdict *v)
{
	return from.kind == SWITCH_PORT ? from_port(sw, &sw->ports[from.index], f, now, v)
					: from_uplink(sw, from.index, f, now, v);
}

struct switch_verdict switch_decide(struct nswitch *sw, struct switch_end from, const struct frame *f, uint64_t now)
{
	struct switch_verdict v = { .reason = NF_CLOSED, .target = LZR_SWITCH_NONE };

	if (from.kind != SWITCH_PORT || is_open(&sw->ports[from.index], now))
		v.reason = decide(sw, from, f, now, &v);
	return v;
}

static struct port_counters *counters_of(struct nswitch *sw, struct switch_end end)
{
	return end.kind == SWITCH_PORT ? &sw->ports[end.index].counters : &sw->uplinks[end.index];
}

/* What the port may send, whatever it is. */
static bool may_send(struct port *port, uint32_t length, uint64_t now)
{
	if (port->limited && !(rate_take(&port->frames, 1, now) && rate_take(&port->bytes, length, now)))
		return false;
	return port->state != LZR_PORT_QUARANTINED || rate_take(&port->inspected[0], 1, now);
}

/* What a frame that passes may still cost: its network's share, and the inspection of a port in quarantine. */
static bool may_arrive(struct nswitch *sw, struct switch_end from, struct switch_end to, uint32_t length, uint64_t now)
{
	struct port *guest;
	uint32_t network;

	if (to.kind == SWITCH_GATEWAY_OF)
		return true;            /* what has a rate of its own */
	guest = &sw->ports[from.kind == SWITCH_PORT ? from.index : to.index];
	network = guest->network;
	if (to.kind == SWITCH_PORT && sw->ports[to.index].state == LZR_PORT_QUARANTINED &&
	    !rate_take(&sw->ports[to.index].inspected[1], 1, now))
		return false;
	if (!sw->limited[network] || guest->kind != LZR_PORT_GUEST)
		return true;
	return rate_take(&sw->frames[network], 1, now) && rate_take(&sw->bytes[network], length, now);
}

static enum nf_reason judge(struct nswitch *sw, struct switch_end from, const uint8_t *bytes, uint32_t length,
			    uint64_t now, struct switch_verdict *v)
{
	enum nf_reason reason;
	struct frame f;

	if (from.kind == SWITCH_PORT) {
		if (!is_open(&sw->ports[from.index], now))
			return NF_CLOSED;
		if (!may_send(&sw->ports[from.index], length, now))
			return NF_RATE;
	}
	reason = frame_parse(bytes, length, &f);
	if (reason == NF_PASS)
		reason = decide(sw, from, &f, now, v);
	if (reason == NF_PASS && !may_arrive(sw, from, v->to, length, now))
		return NF_RATE;
	return reason;
}

enum nf_reason switch_forward(struct nswitch *sw, struct switch_end from, const uint8_t *bytes, uint32_t length,
			      uint64_t now, struct switch_end *to)
{
	struct switch_verdict v = { .target = LZR_SWITCH_NONE };
	enum nf_reason reason = judge(sw, from, bytes, length, now, &v);

	if (reason == NF_PASS) {
		*to = v.to;
		return NF_PASS;
	}
	if (v.target != LZR_SWITCH_NONE)
		sw->ports[v.target].counters.dropped[reason]++;
	switch_dropped(sw, from, reason);
	return reason;
}

void switch_delivered(struct nswitch *sw, struct switch_end from, struct switch_end to)
{
	counters_of(sw, from)->in++;
	counters_of(sw, to)->out++;
}

void switch_dropped(struct nswitch *sw, struct switch_end from, enum nf_reason reason)
{
	counters_of(sw, from)->dropped[reason]++;
}

const struct port_counters *switch_counters(const struct nswitch *sw, struct switch_end end)
{
	return end.kind == SWITCH_PORT ? &sw->ports[end.index].counters : &sw->uplinks[end.index];
}
