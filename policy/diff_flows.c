/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flows that two policies let through, compared.
 *
 * The rules of both cut addresses and services into pieces that no rule tells apart.  For every pair of ends, and every
 * piece of the services, both policies' decisions are taken; what differs is said, the pieces put together again.  Ends
 * are the network's ports, by name, and the pieces of the addresses behind its uplink.
 */
#include <stdlib.h>
#include <string.h>

#include "fabric.h"

#define WORK_MAX 8000000ull     /* decisions for one network; beyond that only the rules' texts are compared */

struct fabric *fabric_make(const struct policy *policy)
{
	uint32_t where;
	size_t size;
	void *block = policy->fabric.node ? emit_switch(policy, &size) : NULL;

	if (!block)
		return NULL;
	struct fabric *fabric = memory_get(sizeof(*fabric));
	if (swconf_load(&fabric->config, block, size, &where) == NULL &&
	    fabric->config.header.rule_count == policy->rule_count) {
		nf_rules_build(&fabric->rules, &fabric->config);
	} else {
		free(fabric);
		fabric = NULL;
	}
	free(block);
	return fabric;
}

struct end {
	const char *name;               /* of a port; NULL: addresses behind the uplink */
	uint32_t low, high;
	unsigned port[2];               /* in each policy, or NONE */
};

struct piece {                          /* of the services */
	uint8_t protocol;
	uint16_t low, high;
};

enum passes { PASSES_NOT, PASSES_ONE_WAY, PASSES };     /* one way: answers do not */

struct comparison {
	struct diff *diff;
	const struct policy *policies[2];
	const struct fabric *fabrics[2];
	unsigned networks[2];           /* of each policy, or NONE */
	const char *network_name;
	unsigned end_count, end_room, piece_count, piece_room;
	struct end *ends;
	struct piece *pieces;
};

static uint32_t address(const uint8_t ip[4])
{
	return (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct cuts {
	uint64_t *at;
	unsigned count, room;
};

static void cut(struct cuts *cuts, uint64_t at)
{
	*ARRAY_ADD(cuts->at, cuts->count, cuts->room) = at;
}

static void cut_sort(struct cuts *cuts)
{
	unsigned kept = 0;

	qsort(cuts->at, cuts->count, sizeof(*cuts->at), compare_numbers);
	for (unsigned i = 0; i < cuts->count; i++)
		if (!kept || cuts->at[kept - 1] != cuts->at[i])
			cuts->at[kept++] = cuts->at[i];
	cuts->count = kept;
}

static bool is_guest(const struct policy *policy, unsigned port, unsigned network)
{
	return policy->ports[port].network == network && !policy->ports[port].infrastructure;
}

static void add_ports(struct comparison *c, unsigned side)
{
	const struct policy *policy = c->policies[side];

	for (unsigned i = 0; c->networks[side] != NONE && i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];
		unsigned known = 0;
		if (!is_guest(policy, i, c->networks[side]))
			continue;
		/* A compiled policy's ports may have one name: each is an end of its own. */
		while (known < c->end_count &&
		       (c->ends[known].port[side] != NONE || strcmp(c->ends[known].name, port->name)))
			known++;
		if (known == c->end_count)
			*ARRAY_ADD(c->ends, c->end_count, c->end_room) =
				(struct end){ .name = port->name, .port = { NONE, NONE } };
		c->ends[known].port[side] = i;
	}
}

/* The addresses behind the uplink: all but those of ports, be it of another network, in pieces. */
static void add_outside(struct comparison *c)
{
	struct cuts cuts = { 0 };

	cut(&cuts, 0);
	cut(&cuts, 1ull << 32);
	for (unsigned side = 0; side < 2; side++) {
		const struct policy *policy = c->policies[side];
		for (unsigned i = 0; i < c->fabrics[side]->rules.address_cuts; i++)
			cut(&cuts, c->fabrics[side]->rules.address[i]);
		for (unsigned i = 0; i < policy->port_count; i++) {
			cut(&cuts, address(policy->ports[i].ip));
			cut(&cuts, address(policy->ports[i].ip) + 1ull);
		}
	}
	cut_sort(&cuts);
	for (unsigned i = 0; i + 1 < cuts.count; i++)
		*ARRAY_ADD(c->ends, c->end_count, c->end_room) =
			(struct end){ .low = (uint32_t)cuts.at[i], .high = (uint32_t)(cuts.at[i + 1] - 1) };
	free(cuts.at);
}

static void add_services(struct comparison *c)
{
	static const uint8_t protocols[] = { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP };

	for (unsigned p = 0; p < 3; p++) {
		struct cuts cuts = { 0 };
		cut(&cuts, 0);
		cut(&cuts, protocols[p] == PROTOCOL_ICMP ? 256 : 65536);
		for (unsigned side = 0; side < 2; side++) {
			const struct swconf *config = &c->fabrics[side]->config;
			for (unsigned i = 0; i < config->header.match_count; i++)
				if (config->matches[i].protocol == protocols[p]) {
					cut(&cuts, config->matches[i].low);
					cut(&cuts, config->matches[i].high + 1ull);
				}
		}
		cut_sort(&cuts);
		for (unsigned i = 0; i + 1 < cuts.count; i++)
			*ARRAY_ADD(c->pieces, c->piece_count, c->piece_room) = (struct piece){
				protocols[p], (uint16_t)cuts.at[i], (uint16_t)(cuts.at[i + 1] - 1)
			};
		free(cuts.at);
	}
}

/* Where the end is in this policy; false when it is nowhere. */
static bool end_address(const struct comparison *c, unsigned side, const struct end *end, uint32_t *out)
{
	const struct policy *policy = c->policies[side];

	if (end->name) {
		if (end->port[side] == NONE)
			return false;
		*out = address(policy->ports[end->port[side]].ip);
		return true;
	}
	*out = end->low;
	if (policy->networks[c->networks[side]].uplink == NONE)
		return false;
	for (unsigned i = 0; end->low == end->high && i < policy->port_count; i++)
		if (address(policy->ports[i].ip) == end->low)
			return false;
	return true;
}

static enum passes decide(const struct comparison *c, unsigned side, const struct end *from, const struct end *to,
			  const struct piece *piece)
{
	unsigned network = c->networks[side];
	struct nf_tuple tuple = { .protocol = piece->protocol, .target = piece->low };

	if (network == NONE || !end_address(c, side, from, &tuple.from) || !end_address(c, side, to, &tuple.to))
		return PASSES_NOT;
	if (c->fabrics[side]->rules.all[network])
		return PASSES;
	struct nf_decision decision = nf_rules_decide(&c->fabrics[side]->rules, network, &tuple);
	return !decision.allow ? PASSES_NOT : decision.stateless ? PASSES_ONE_WAY : PASSES;
}

static char *piece_text(const struct piece *piece)
{
	const char *name = piece->protocol == PROTOCOL_TCP ? "tcp" : piece->protocol == PROTOCOL_UDP ? "udp" : "icmp";

	if (piece->low == 0 && piece->high == (piece->protocol == PROTOCOL_ICMP ? 255 : 65535))
		return text_of("%s", name);
	if (piece->protocol == PROTOCOL_ICMP && piece->low == 8 && piece->high == 8)
		return text_of("icmp echo");
	return piece->low == piece->high ? text_of("%s/%u", name, piece->low)
					 : text_of("%s/%u-%u", name, piece->low, piece->high);
}

struct change {
	char *services;                 /* "" : none */
	unsigned pieces;                /* how many make it up */
	struct piece last;              /* not yet in `services` when it has a protocol */
};

static void change_flush(struct change *change)
{
	if (!change->last.protocol)
		return;
	char *text = piece_text(&change->last);
	change->services = text_add(change->services, ", ", text);
	change->last.protocol = 0;
	free(text);
}

static void change_add(struct change *change, const struct piece *piece)
{
	change->pieces++;
	if (change->last.protocol == piece->protocol && change->last.high + 1 == piece->low) {
		change->last.high = piece->high;
		return;
	}
	change_flush(change);
	change->last = *piece;
}

enum { GAINED, GAINED_ONE_WAY, ANSWERED, LOST, UNANSWERED, WAYS };

static const struct {
	char mark;
	const char *verb;
} ways[WAYS] = {
	[GAINED] = { '!', "may now reach" },
	[GAINED_ONE_WAY] = { '!', "may now send, without answers, to" },
	[ANSWERED] = { '!', "may now get answers from" },
	[LOST] = { '-', "may no longer reach" },
	[UNANSWERED] = { '-', "may no longer get answers from" },
};

static int way_of(enum passes before, enum passes after)
{
	if (before == after)
		return -1;
	if (after == PASSES_NOT)
		return LOST;
	if (before == PASSES_NOT)
		return after == PASSES ? GAINED : GAINED_ONE_WAY;
	return after == PASSES ? ANSWERED : UNANSWERED;
}

static void compare_pair(const struct comparison *c, const struct end *from, const struct end *to,
			 struct change changes[WAYS])
{
	for (unsigned way = 0; way < WAYS; way++)
		changes[way] = (struct change){ .services = text_of("%s", "") };
	for (unsigned i = 0; i < c->piece_count; i++) {
		int way = way_of(decide(c, 0, from, to, &c->pieces[i]), decide(c, 1, from, to, &c->pieces[i]));
		if (way >= 0)
			change_add(&changes[way], &c->pieces[i]);
	}
	for (unsigned way = 0; way < WAYS; way++) {
		change_flush(&changes[way]);
		if (changes[way].pieces == c->piece_count) {
			free(changes[way].services);
			changes[way].services = text_of("by every protocol");
		}
	}
}

static bool is_gateway(const struct comparison *c, uint32_t ip)
{
	for (unsigned side = 0; side < 2; side++) {
		unsigned network = c->networks[side];
		if (network != NONE && c->policies[side]->networks[network].has_gateway &&
		    address(c->policies[side]->networks[network].gateway) == ip)
			return true;
	}
	return false;
}

static char *dotted(uint32_t ip)
{
	return text_of("%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

/* A port may have a name that is not its VM's, or even another's: then both are said. */
static char *port_name(const struct comparison *c, const struct end *end)
{
	unsigned side = end->port[1] == NONE ? 0 : 1, vm = c->policies[side]->ports[end->port[side]].vm;
	const char *name = c->policies[side]->vms[vm].name;

	return strcmp(name, end->name) ? text_of("%s (port %s)", name, end->name) : text_of("%s", name);
}

static char *end_name(const struct comparison *c, const struct end *end)
{
	uint32_t size = end->high - end->low + 1;

	if (end->name)
		return port_name(c, end);
	if (size == 0)
		return text_of("everything behind the uplink of %s", c->network_name);
	if (size == 1 && is_gateway(c, end->low))
		return text_of("gateway");
	char *low = dotted(end->low), *high = dotted(end->high), *text;
	if (size == 1)
		text = text_of("%s", low);
	else if ((size & (size - 1)) == 0 && end->low % size == 0)
		text = text_of("%s/%u", low, 32 - (unsigned)__builtin_ctz(size));
	else
		text = text_of("%s to %s", low, high);
	free(low);
	free(high);
	return text;
}

/* A line that may grow while the ends that follow, behind the uplink, say the same. */
struct pending {
	bool is, outside_from, outside_to;
	struct end from, to;
	char *services;
};

static void pending_say(const struct comparison *c, struct pending *pending, unsigned way)
{
	if (!pending->is)
		return;
	char *from = end_name(c, &pending->from), *to = end_name(c, &pending->to);
	diff_line(c->diff, ways[way].mark, "%s %s %s %s", from, ways[way].verb, to, pending->services);
	free(from);
	free(to);
	free(pending->services);
	pending->is = false;
}

/* Only a port's address may lie in the gap, and of ports the lines beside this one tell. */
static bool continues(const struct comparison *c, const struct end *before, const struct end *end)
{
	if (before->name || end->name)
		return false;
	for (unsigned i = 0; i < c->end_count; i++) {
		const struct end *between = &c->ends[i];
		uint32_t unused;
		if (between->name || between->low <= before->high || between->high >= end->low)
			continue;
		for (unsigned side = 0; side < 2; side++)
			if (c->networks[side] != NONE && end_address(c, side, between, &unused))
				return false;
	}
	return true;
}

static void pending_add(const struct comparison *c, struct pending *pending, unsigned way, const struct end *from,
			const struct end *to, struct change *change)
{
	struct end *grows = from->name ? &pending->to : &pending->from;
	const struct end *more = from->name ? to : from;

	if (!*change->services) {
		free(change->services);
		return;
	}
	if (pending->is && !strcmp(pending->services, change->services) && continues(c, grows, more)) {
		grows->high = more->high;
		free(change->services);
		return;
	}
	pending_say(c, pending, way);
	*pending = (struct pending){ .is = true, .from = *from, .to = *to, .services = change->services };
}

/* `fixed` and each of the others, one way or the other. */
static void compare_fixed(const struct comparison *c, const struct end *fixed, bool as_source)
{
	struct pending pending[WAYS] = { 0 };
	struct change changes[WAYS];

	for (unsigned i = 0; i < c->end_count; i++) {
		const struct end *other = &c->ends[i];
		const struct end *from = as_source ? fixed : other, *to = as_source ? other : fixed;
		/* Pairs of ports are told as the source's; an end does not talk to itself. */
		if (other == fixed || (other->name && !as_source))
			continue;
		compare_pair(c, from, to, changes);
		for (unsigned way = 0; way < WAYS; way++)
			pending_add(c, &pending[way], way, from, to, &changes[way]);
	}
	for (unsigned way = 0; way < WAYS; way++)
		pending_say(c, &pending[way], way);
}

static void compare_texts(const struct comparison *c, char mark, const char *what)
{
	char *texts[2];

	for (unsigned side = 0; side < 2; side++)
		texts[side] = c->networks[side] == NONE ? text_of("%s", "")
							: rules_text(c->policies[side], c->networks[side]);
	if (strcmp(texts[0], texts[1]))
		diff_line(c->diff, mark, "rules of network %s %s", c->network_name, what);
	free(texts[0]);
	free(texts[1]);
}

static void compare_network(struct diff *diff, const struct policy *const policies[2],
			    const struct fabric *const fabrics[2], const char *name)
{
	struct comparison c = { .diff = diff, .network_name = name };
	static const char unknown[] = "changed (they cannot be compared flow by flow)";
	unsigned said = diff->changes;
	uint64_t outside = 0, ports;

	for (unsigned side = 0; side < 2; side++) {
		c.policies[side] = policies[side];
		c.fabrics[side] = fabrics[side];
		c.networks[side] = find_network(policies[side], name);
	}
	if (!fabrics[0] || !fabrics[1]) {
		compare_texts(&c, '!', unknown);
		return;
	}
	add_ports(&c, 0);
	add_ports(&c, 1);
	ports = c.end_count;
	add_outside(&c);
	outside = c.end_count - ports;
	add_services(&c);
	if ((ports * ports + 2 * ports * outside) * c.piece_count > WORK_MAX) {
		compare_texts(&c, '!', unknown);
	} else {
		for (unsigned i = 0; i < ports; i++) {
			compare_fixed(&c, &c.ends[i], true);
			compare_fixed(&c, &c.ends[i], false);
		}
		if (diff->changes == said)
			compare_texts(&c, ' ', "are written otherwise, and let through the same");
	}
	free(c.ends);
	free(c.pieces);
}

void diff_flows(struct diff *diff, const struct policy *from, const struct policy *to)
{
	const struct policy *const policies[2] = { from, to };
	struct fabric *fabrics[2] = { fabric_make(from), fabric_make(to) };

	for (unsigned i = 0; i < to->network_count; i++)
		compare_network(diff, policies, (const struct fabric *const *)fabrics, to->networks[i].name);
	for (unsigned i = 0; i < from->network_count; i++)
		if (find_network(to, from->networks[i].name) == NONE)
			compare_network(diff, policies, (const struct fabric *const *)fabrics, from->networks[i].name);
	free(fabrics[0]);
	free(fabrics[1]);
}
