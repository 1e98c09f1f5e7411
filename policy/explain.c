/* SPDX-License-Identifier: Apache-2.0 */
/* What the switch does with a packet (ask.h), and why. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "explain.h"
#include "fabric.h"

static const char *const reasons[NF_REASON_COUNT] = {
	[NF_PASS] = "passes",
	[NF_CLOSED] = "the sender's port is closed",
	[NF_IPV4] = "no packet has such an address",
	[NF_SPOOF_IPV4] = "the source address is that of a port",
	[NF_NO_DESTINATION] = "nobody has this address, and the network has no uplink",
	[NF_MISMATCH] = "the destination is the sender",
	[NF_NETWORK] = "they are on different networks, and nothing passes between networks",
	[NF_LABEL] = "their labels differ",
	[NF_PEER_CLOSED] = "the receiver's port is closed",
	[NF_ENDPOINT] = "an infrastructure port exchanges frames with its listed endpoints only",
	[NF_INSPECTION] = "in quarantine it may meet its inspection port only",
	[NF_RULE] = "a rule denies it",
	[NF_NO_RULE] = "no rule fits",
};

static const char *reason_text(enum nf_reason reason)
{
	return reason < NF_REASON_COUNT && reasons[reason] ? reasons[reason] : "the switch refuses such a packet";
}

struct end {
	const char *text;               /* as it was asked for */
	unsigned port;                  /* or NONE: an address behind the uplink */
	uint8_t ip[4];
};

struct asked {
	FILE *out;
	const struct policy *policy;
	const struct explain_packet *packet;
	struct nswitch *sw;
	struct end from, to;
	unsigned network;               /* of the port that sends, or else of the one that gets it */
};

static void stage(const struct asked *asked, const char *name, struct place where, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void stage(const struct asked *asked, const char *name, struct place where, const char *format, ...)
{
	char text[PLACE_TEXT];
	va_list arguments;

	fprintf(asked->out, "  %-12s%s: ", name, place_text(where, text));
	va_start(arguments, format);
	vfprintf(asked->out, format, arguments);
	va_end(arguments);
	fputc('\n', asked->out);
}

/* --- asking the switch -------------------------------------------------------------------------------------------- */

static const struct policy_port *port_of(const struct asked *asked, const struct end *end)
{
	return end->port == NONE ? NULL : &asked->policy->ports[end->port];
}

static const char *vm_of(const struct asked *asked, const struct end *end)
{
	const struct policy_port *port = port_of(asked, end);

	return port ? asked->policy->vms[port->vm].name : end->text;
}

/* All ports are up, and all guests admitted except for `held` (or NONE), which is in quarantine. */
static struct switch_verdict ask(const struct asked *asked, unsigned held)
{
	struct ask question = {
		.policy = asked->policy,
		.sw = asked->sw,
		.from.port = asked->from.port,
		.to.port = asked->to.port,
		.network = asked->network,
		.protocol = asked->packet->protocol,
		.port = asked->packet->port,
	};
	bool quarantined[LZR_SWITCH_PORT_MAX] = { false };

	memcpy(question.from.ip, asked->from.ip, 4);
	memcpy(question.to.ip, asked->to.ip, 4);
	if (held != NONE)
		quarantined[held] = true;
	return ask_first(&question, quarantined);
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static void tell_port(const struct asked *asked, const struct end *end)
{
	const struct policy *policy = asked->policy;
	const struct policy_port *port = port_of(asked, end);
	char own[LABEL_TEXT], networks[LABEL_TEXT], place[PLACE_TEXT];

	if (!port)
		return;
	const struct policy_vm *vm = &policy->vms[port->vm];
	const struct policy_network *network = &policy->networks[port->network];
	struct lzr_label told = ask_label(policy, port);
	label_text(policy, &vm->label, own, sizeof(own));
	label_text(policy, &network->label, networks, sizeof(networks));
	place_text(where_of(network->node, "label"), place);
	stage(asked, "port", port->node->where, "%s is on network %s by %sport %s, %u.%u.%u.%u", vm->name,
		network->name,
	      port->infrastructure ? "infrastructure " : "", port->name, port->ip[0], port->ip[1], port->ip[2],
	      port->ip[3]);
	if (!lzr_label_equal(&told, &network->label))
		stage(asked, "label", where_of(vm->node, "label"),
		      "%s has %s, the network %s (%s): its port never comes up", vm->name, own, networks, place);
	else if (vm->trusted)
		stage(asked, "label", where_of(vm->node, "trusted-high"), "%s is trusted over the network's %s (%s)",
		      vm->name, networks, place);
	else
		stage(asked, "label", where_of(vm->node, "label"), "%s has %s, as the network has (%s)", vm->name, own,
		      place);
}

static struct place quarantine_place(const struct asked *asked, const struct policy_port *port, const char *property)
{
	struct node *own = node_child(port->node, "quarantine"), *all = node_child(asked->policy->fabric.node,
		"quarantine");

	for (unsigned i = 0; own && i < own->property_count; i++)
		if (!strcmp(own->properties[i].name, property))
			return where_of(own, property);
	return where_of(all ? all : port->node, property);
}

static void tell_quarantine(struct asked *asked, const struct end *end)
{
	const struct policy_port *port = port_of(asked, end);

	if (!port || port->infrastructure)
		return;
	const struct policy_quarantine *q = &port->quarantine;
	struct switch_verdict verdict = ask(asked, end->port);
	if (q->inspection == NONE)
		stage(asked, "quarantine", port->node->where, "before %s is admitted: denied, its port is closed",
		      vm_of(asked, end));
	else if (verdict.reason == NF_PASS)
		stage(asked, "quarantine", q->inspection_where,
		      "before %s is admitted: allowed, for inspection, at %llu frames/s", vm_of(asked, end),
		      (unsigned long long)q->inspection_rate);
	else
		stage(asked, "quarantine", q->inspection_where,
		      "before %s is admitted: denied, %s", vm_of(asked, end), reason_text(verdict.reason));
	char *lease = text_time(q->lease_max_ns), *keys = text_of("%s", "");
	for (unsigned i = 0; i < q->key_count; i++)
		keys = text_add(keys, " or ", asked->policy->keys[q->keys[i]].file);
	stage(asked, "lease", quarantine_place(asked, port, "lease-max"),
		"%s is admitted by %s, for %s at most, then %s",
	      vm_of(asked, end), keys, lease, q->lease_end == LEASE_END_BLOCK ? "blocked" : "in quarantine again");
	free(lease);
	free(keys);
}

static void tell_rules(const struct asked *asked, const struct switch_verdict *verdict)
{
	const struct policy *policy = asked->policy;
	const struct policy_network *network = &policy->networks[asked->network];

	if (verdict->looked_up && verdict->decision.rule < policy->rule_count) {
		const struct policy_rule *rule = &policy->rules[verdict->decision.rule];
		char *text = rule_text(policy, rule);
		stage(asked, "rules", rule->node->where, "the first rule that fits is %s: %s", rule->name, text);
		free(text);
	} else if (verdict->looked_up && !asked->sw->rules.count[asked->network]) {
		stage(asked, "rules", network->node->where,
		      "network %s has no rule, and not allow = \"all\": nothing passes on it", network->name);
	} else if (verdict->looked_up) {
		stage(asked, "rules", network->node->where, "no rule of network %s fits, so it is denied",
			network->name);
	} else if (verdict->reason == NF_PASS && asked->sw->rules.all[asked->network]) {
		stage(asked, "rules", where_of(network->node, "allow"),
		      "network %s allows all: whoever is on it may meet", network->name);
	}
}

static void tell_endpoint(const struct asked *asked)
{
	const struct policy_port *port = port_of(asked, &asked->from);

	for (unsigned i = 0; port && port->infrastructure && i < asked->policy->endpoint_count; i++) {
		const struct policy_endpoint *e = &asked->policy->endpoints[i];
		if (e->port == asked->from.port && !memcmp(e->ip, asked->to.ip, 4) &&
		    e->protocol == asked->packet->protocol && e->l4port == asked->packet->port)
			stage(asked, "endpoint", e->node->where, "it is endpoint %s of the infrastructure port",
			      e->node->name);
	}
}

static char *packet_text(const struct explain_packet *packet)
{
	return packet->protocol == PROTOCOL_ICMP
		       ? text_of("icmp echo")
		       : text_of("%s/%u", packet->protocol == PROTOCOL_TCP ? "tcp" : "udp", packet->port);
}

/* The end that gets the packet through before it is admitted, for inspection; NULL: neither does. */
static const struct policy_port *inspected(struct asked *asked)
{
	const struct end *ends[] = { &asked->from, &asked->to };

	for (unsigned i = 0; i < 2; i++) {
		const struct policy_port *port = port_of(asked, ends[i]);
		if (port && !port->infrastructure && port->quarantine.inspection != NONE &&
		    ask(asked, ends[i]->port).reason == NF_PASS)
			return port;
	}
	return NULL;
}

/* What quarantine allows, which is otherwise denied, is told first. */
static void tell_denied(const struct asked *asked, const struct policy_port *port, enum nf_reason reason)
{
	if (port)
		fprintf(asked->out, "allowed before %s is admitted, for inspection, at %llu frames/s; then denied, "
			"%s\n",
			asked->policy->vms[port->vm].name, (unsigned long long)port->quarantine.inspection_rate,
			reason_text(reason));
	else
		fprintf(asked->out, "denied, %s\n", reason_text(reason));
}

static int tell(struct asked *asked)
{
	const struct policy_port *before = inspected(asked);
	struct switch_verdict verdict = ask(asked, NONE);
	const struct policy_port *from = port_of(asked, &asked->from), *to = port_of(asked, &asked->to);
	bool allowed = verdict.reason == NF_PASS, guest = from && !from->infrastructure;
	char *what = packet_text(asked->packet), *when = text_of("%s", guest ? vm_of(asked, &asked->from) : "");

	if (to && !to->infrastructure)
		when = text_add(when, " and ", vm_of(asked, &asked->to));
	fprintf(asked->out, "%s to %s, %s: ", asked->from.text, asked->to.text, what);
	if (allowed && *when)
		fprintf(asked->out, "allowed while %s %s admitted\n", when, guest && to ? "are" : "is");
	else if (allowed)
		fprintf(asked->out, "allowed\n");
	else
		tell_denied(asked, before, verdict.reason);
	tell_port(asked, &asked->from);
	tell_port(asked, &asked->to);
	tell_quarantine(asked, &asked->from);
	tell_quarantine(asked, &asked->to);
	tell_endpoint(asked);
	verdict = ask(asked, NONE);
	tell_rules(asked, &verdict);
	if (allowed)
		fprintf(asked->out, "  %-12s%s\n", "answers",
			verdict.looked_up && verdict.decision.stateless ? "do not pass by this rule (stateless)"
				: "pass");
	free(what);
	free(when);
	return allowed ? EXPLAIN_YES : before ? EXPLAIN_QUARANTINE : EXPLAIN_NO;
}

/* --- who is meant ------------------------------------------------------------------------------------------------- */

struct ends {
	unsigned count, room;
	struct end *all;
	bool gateway;           /* of whatever network the other end is on */
};

static void add_end(struct ends *ends, const char *text, unsigned port, const uint8_t ip[4])
{
	struct end *end = ARRAY_ADD(ends->all, ends->count, ends->room);

	*end = (struct end){ .text = text, .port = port };
	memcpy(end->ip, ip, 4);
}

static bool find_ends(const struct policy *policy, const char *text, struct ends *ends)
{
	unsigned vm = find_vm(policy, text);
	uint8_t ip[4];

	*ends = (struct ends){ .gateway = !strcmp(text, "gateway") };
	bool is_ip = parse_ipv4(text, ip);
	for (unsigned i = 0; i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];
		if (is_ip ? !memcmp(port->ip, ip, 4) : vm != NONE ? port->vm == vm : !strcmp(port->name, text))
			add_end(ends, text, i, port->ip);
	}
	if (is_ip && !ends->count)
		add_end(ends, text, NONE, ip);
	if (ends->count || ends->gateway)
		return true;
	if (vm == NONE)
		fprintf(stderr,
			"lzr-policy explain: expected a VM, a port, \"gateway\" or an address, found \"%s\"\n", text);
	else
		fprintf(stderr, "lzr-policy explain: VM \"%s\" has no port, so no packet gets to it or from it\n",
			text);
	return false;
}

/* Points the question at these two; false when there is no such way at all. */
static bool aim(struct asked *asked, const struct end *from, const struct end *to)
{
	const struct policy *policy = asked->policy;

	asked->from = *from;
	asked->to = *to;
	if (from->port == NONE && to->port == NONE)
		return false;
	asked->network = policy->ports[from->port != NONE ? from->port : to->port].network;
	return from->port != NONE || policy->networks[asked->network].uplink != NONE;
}

static bool meet(const struct policy *policy, const struct end *from, const struct end *to)
{
	return from->port == NONE || to->port == NONE ||
	       policy->ports[from->port].network == policy->ports[to->port].network;
}

/* "gateway" is the one of each network that the others are on. */
static void resolve_gateway(const struct policy *policy, struct ends *ends, const struct ends *others, const char *text)
{
	for (unsigned i = 0; ends->gateway && i < others->count; i++) {
		unsigned port = others->all[i].port;
		const struct policy_network *network = port == NONE ? NULL
			: &policy->networks[policy->ports[port].network];
		if (network && network->has_gateway)
			add_end(ends, text, NONE, network->gateway);
	}
}

static int tell_pairs(struct asked *asked, const struct ends *from, const struct ends *to)
{
	int status = EXPLAIN_ERROR;

	/* Those that share a network; when there are none, the first shows why not. */
	for (unsigned pass = 0; pass < 2 && status == EXPLAIN_ERROR; pass++)
		for (unsigned i = 0; i < from->count; i++)
			for (unsigned j = 0; j < to->count && (!pass || status == EXPLAIN_ERROR); j++) {
				if ((!pass && !meet(asked->policy, &from->all[i], &to->all[j])) ||
				    !aim(asked, &from->all[i], &to->all[j]))
					continue;
				int one = tell(asked);
				if (status == EXPLAIN_ERROR || one == EXPLAIN_YES ||
				    (one == EXPLAIN_QUARANTINE && status == EXPLAIN_NO))
					status = one;
			}
	return status;
}

int explain_packet(FILE *out, const struct policy *policy, const struct explain_packet *packet)
{
	struct asked asked = { .out = out, .policy = policy, .packet = packet };
	struct ends from = { 0 }, to = { 0 };
	int status = EXPLAIN_ERROR;

	asked.sw = ask_open(policy);
	if (!asked.sw) {
		fprintf(stderr, "lzr-policy explain: the policy has no switch, or more than the switch has room for\n");
	} else if (find_ends(policy, packet->from, &from) && find_ends(policy, packet->to, &to)) {
		resolve_gateway(policy, &from, &to, packet->from);
		resolve_gateway(policy, &to, &from, packet->to);
		status = tell_pairs(&asked, &from, &to);
		if (status == EXPLAIN_ERROR)
			fprintf(stderr, "lzr-policy explain: %s and %s: no network leads from one to the other\n",
				packet->from, packet->to);
	}
	free(asked.sw);
	free(from.all);
	free(to.all);
	return status;
}
