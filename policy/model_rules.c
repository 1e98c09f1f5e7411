/* SPDX-License-Identifier: Apache-2.0 */
/* The firewall: services, and each network's sets and rules. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static void add_item(struct policy_service *service, enum protocol protocol, unsigned low, unsigned high)
{
	*ARRAY_ADD(service->items, service->item_count, service->item_room) =
		(struct policy_service_item){ protocol, (uint16_t)low, (uint16_t)high };
}

/* tcp = <80 443>; or tcp = "8000-8099", "80"; */
static void read_ports(struct policy_service *service, const char *name, enum protocol protocol,
		       struct report *report)
{
	struct property *p = take(service->node, name);
	unsigned low, high;
	int used;

	if (!p)
		return;
	if ((p->kind != KIND_CELLS && p->kind != KIND_STRINGS) || !p->count) {
		complain(report, value_place(p, 0),
			 "%s: expected ports such as <80 443> or \"8000-8099\", found something else", name);
		return;
	}
	for (unsigned i = 0; i < p->count; i++) {
		if (p->kind == KIND_CELLS) {
			low = high = p->cells[i];
			if (low < 1 || low > 65535) {
				complain(report, value_place(p, i), "%s: expected 1 to 65535, found %u", name, low);
				continue;
			}
		} else if (sscanf(p->strings[i], "%5u-%5u%n", &low, &high, &used) != 2 || p->strings[i][used] ||
			   low < 1 || high > 65535 || low > high) {
			complain(report, value_place(p, i),
				 "%s: expected a range of ports such as \"8000-8099\", found \"%s\"", name,
				 p->strings[i]);
			continue;
		}
		add_item(service, protocol, low, high);
	}
}

static void read_service(struct policy *policy, struct node *node, struct report *report)
{
	struct policy_service service = { .node = node };

	node->type = "service";
	if (!take_node_name(node, service.name, report))
		return;
	read_ports(&service, "tcp", PROTOCOL_TCP, report);
	read_ports(&service, "udp", PROTOCOL_UDP, report);
	if (take_flag(node, "icmp", report))
		add_item(&service, PROTOCOL_ICMP, 0, 0);
	if (!service.item_count && !take(node, "tcp") && !take(node, "udp"))
		complain(report, node->where, "service \"%s\": expected tcp, udp or icmp, found none", node->name);
	*ARRAY_ADD(policy->services, policy->service_count, policy->service_room) = service;
	table_add_text(&policy->services_by_name, node->name, policy->service_count - 1);
}

void model_read_services(struct policy *policy, struct report *report)
{
	struct node *services = node_list(policy->root, "services", report);

	for (unsigned i = 0; services && i < services->child_count; i++)
		read_service(policy, services->children[i], report);
}

/* "10.0.0.0/24" or one address. */
static bool parse_range(const char *text, struct policy_end *end)
{
	char address[16];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	unsigned prefix = 32;
	int used = 0;

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = 0;
	if (!parse_ipv4(address, end->ip) ||
	    (slash && (sscanf(slash + 1, "%2u%n", &prefix, &used) != 1 || slash[1 + used] || prefix > 32)))
		return false;
	uint32_t bits = (uint32_t)end->ip[0] << 24 | (uint32_t)end->ip[1] << 16 |
			(uint32_t)end->ip[2] << 8 | end->ip[3];
	end->kind = END_RANGE;
	end->prefix = prefix;
	return prefix == 32 || !(bits & (prefix ? 0xffffffffu >> prefix : 0xffffffffu));
}

static void no_end(const struct policy *policy, unsigned network, const struct property *p, unsigned index,
		   bool sets, struct report *report)
{
	const struct policy_network *n = &policy->networks[network];
	char hint[NEAREST_TEXT];
	struct nearest nearest;

	nearest_begin(&nearest, p->strings[index]);
	table_nearest(&n->ports_by_name, &nearest);
	if (sets)
		table_nearest(&n->sets_by_name, &nearest);
	nearest_try(&nearest, "uplink");
	nearest_try(&nearest, "gateway");
	complain(report, value_place(p, index),
		 "%s: expected a port%s of network \"%s\", \"uplink\", \"gateway\", \"*\", or an address such as "
		 "\"10.0.1.0/24\" without bits behind its prefix, found \"%s\"%s",
		 p->name, sets ? " or set" : "", n->name, p->strings[index], nearest_text(&nearest, hint));
}

static void read_end(struct policy *policy, unsigned network, const struct property *p, unsigned index, bool sets,
		     struct policy_end *end, struct report *report)
{
	const struct policy_network *n = &policy->networks[network];
	const char *text = p->strings[index];

	end->where = p->where;
	if (!strcmp(text, "*")) {
		end->kind = END_ANY;
	} else if (!strcmp(text, "uplink") || !strcmp(text, "gateway")) {
		end->kind = *text == 'u' ? END_UPLINK : END_GATEWAY;
		if (*text == 'u' ? n->uplink == NONE : !n->has_gateway)
			complain(report, value_place(p, index), "%s: network \"%s\" has no %s", p->name, n->name, text);
	} else if ((end->index = find_port(policy, network, text)) != NONE) {
		end->kind = END_PORT;
	} else if (sets && (end->index = find_set(policy, network, text)) != NONE) {
		end->kind = END_SET;
		policy->sets[end->index].used = true;
	} else if (!parse_range(text, end)) {
		no_end(policy, network, p, index, sets, report);
	}
}

static struct policy_end *read_ends(struct policy *policy, unsigned network, struct property *p, bool sets,
				    unsigned *count, struct report *report)
{
	struct policy_end *ends = memory_get(p->count * sizeof(*ends));
	struct table seen = { 0 };

	*count = p->count;
	for (unsigned i = 0; i < p->count; i++) {
		read_end(policy, network, p, i, sets, &ends[i], report);
		if (table_add_text(&seen, p->strings[i], i) != NONE)
			complain(report, value_place(p, i), "%s: \"%s\" is listed twice", p->name, p->strings[i]);
	}
	table_free(&seen);
	return ends;
}

static void read_sets(struct policy *policy, unsigned network, struct report *report)
{
	struct node *node = node_child(policy->networks[network].node, "sets");

	for (unsigned i = 0; node && i < node->property_count; i++) {
		struct property *p = &node->properties[i];
		struct policy_set set = { .node = node, .property = p, .network = network };
		p->used = true;
		if (!lzr_name_text_is_valid(p->name) || !strcmp(p->name, "uplink") || !strcmp(p->name, "gateway") ||
		    find_port(policy, network, p->name) != NONE) {
			complain(report, p->where,
				 "set \"%s\": expected a name that is not a port's, \"uplink\" or \"gateway\"",
				 p->name);
			continue;
		}
		if (p->kind != KIND_STRINGS) {
			complain(report, value_place(p, 0), "set \"%s\": expected ports and addresses as text",
				 p->name);
			continue;
		}
		memcpy(set.name, p->name, strlen(p->name));
		set.members = read_ends(policy, network, p, false, &set.member_count, report);
		*ARRAY_ADD(policy->sets, policy->set_count, policy->set_room) = set;
		table_add_text(&policy->networks[network].sets_by_name, p->name, policy->set_count - 1);
	}
}

static void read_rule_services(struct policy *policy, struct policy_rule *rule, struct report *report)
{
	struct property *p = take_strings(rule->node, "service", false, report);

	if (!p)
		return;
	rule->services = memory_get(p->count * sizeof(*rule->services));
	for (unsigned i = 0; i < p->count; i++) {
		unsigned service = find_service(policy, p->strings[i]);
		if (service == NONE) {
			no_such(p, i, "a service of this policy", &policy->services_by_name, report);
			continue;
		}
		for (unsigned j = 0; j < rule->service_count; j++)
			if (rule->services[j] == service)
				complain(report, value_place(p, i), "service: \"%s\" is listed twice", p->strings[i]);
		policy->services[service].used = true;
		rule->services[rule->service_count++] = service;
	}
}

static void read_rule(struct policy *policy, unsigned network, struct node *node, struct report *report)
{
	struct policy_rule rule = { .node = node, .network = network };

	node->type = "rule";
	if (!take_node_name(node, rule.name, report))
		return;
	rule.allow = take_flag(node, "allow", report);
	bool deny = take_flag(node, "deny", report);
	if (rule.allow == deny)
		complain(report, deny ? where_of(node, "deny") : node->where,
			 "rule \"%s\": expected either \"allow\" or \"deny\", found %s", node->name,
			 deny ? "both" : "neither");
	rule.stateless = take_flag(node, "stateless", report);
	if (rule.stateless && deny)
		complain(report, where_of(node, "stateless"), "rule \"%s\": stateless means nothing for \"deny\"",
			 node->name);
	struct property *from = take_strings(node, "from", true, report), *to = take_strings(node, "to", true, report);
	if (from)
		rule.from = read_ends(policy, network, from, true, &rule.from_count, report);
	if (to)
		rule.to = read_ends(policy, network, to, true, &rule.to_count, report);
	read_rule_services(policy, &rule, report);
	*ARRAY_ADD(policy->rules, policy->rule_count, policy->rule_room) = rule;
}

/* allow = "all"; in the place of rules.  A network that has neither denies everything. */
static void read_allow(struct policy_network *network, const struct node *rules, struct report *report)
{
	static const char *const words[] = { "all", NULL };
	unsigned word;

	network->allow_all = take_choice(network->node, "allow", false, words, &word, report);
	if (network->allow_all && rules)
		complain(report, where_of(network->node, "allow"),
			 "network \"%s\": expected rules or allow = \"all\", found both", network->name);
}

void model_read_rules(struct policy *policy, struct report *report)
{
	for (unsigned network = 0; network < policy->network_count; network++) {
		read_sets(policy, network, report);
		struct node *rules = node_list(policy->networks[network].node, "rules", report);
		read_allow(&policy->networks[network], rules, report);
		for (unsigned i = 0; rules && i < rules->child_count; i++)
			read_rule(policy, network, rules->children[i], report);
	}
}
