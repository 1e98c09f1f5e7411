/* SPDX-License-Identifier: Apache-2.0 */
/* Rules in words. */
#include <stdlib.h>
#include <string.h>

#include "fabric.h"

static char *end_text(const struct policy *policy, const struct policy_end *end);

static char *ends_text(const struct policy *policy, const struct policy_end *ends, unsigned count)
{
	char *text = text_of("%s", "");

	for (unsigned i = 0; i < count; i++) {
		char *one = end_text(policy, &ends[i]);
		text = text_add(text, ", ", one);
		free(one);
	}
	return text;
}

/* A set stands for its members; no set is inside a set. */
static char *end_text(const struct policy *policy, const struct policy_end *end)
{
	switch (end->kind) {
	case END_ANY:
		return text_of("*");
	case END_PORT:
		return text_of("%s", policy->ports[end->index].name);
	case END_UPLINK:
		return text_of("uplink");
	case END_GATEWAY:
		return text_of("gateway");
	case END_RANGE:
		return text_of("%u.%u.%u.%u/%u", end->ip[0], end->ip[1], end->ip[2], end->ip[3], end->prefix);
	case END_SET:
		return ends_text(policy, policy->sets[end->index].members, policy->sets[end->index].member_count);
	}
	return text_of("?");
}

static char *item_text(const struct policy_service_item *item)
{
	const char *name = item->protocol == PROTOCOL_TCP ? "tcp" : item->protocol == PROTOCOL_UDP ? "udp" : "icmp";

	if (item->protocol == PROTOCOL_ICMP)
		return text_of("%s", name);
	return item->low == item->high ? text_of("%s/%u", name, item->low)
				       : text_of("%s/%u-%u", name, item->low, item->high);
}

char *rule_text(const struct policy *policy, const struct policy_rule *rule)
{
	char *from = ends_text(policy, rule->from, rule->from_count);
	char *to = ends_text(policy, rule->to, rule->to_count), *services = text_of("%s", "");

	for (unsigned i = 0; i < rule->service_count; i++) {
		const struct policy_service *service = &policy->services[rule->services[i]];
		for (unsigned j = 0; j < service->item_count; j++) {
			char *item = item_text(&service->items[j]);
			services = text_add(services, ", ", item);
			free(item);
		}
	}
	char *text = text_of("%s%s from %s to %s: %s", rule->allow ? "allow" : "deny",
			     rule->stateless ? ", without answers," : "", from, to,
			     rule->service_count ? services : "every protocol");
	free(from);
	free(to);
	free(services);
	return text;
}

const char *rules_kind(const struct policy *policy, unsigned network)
{
	if (policy->networks[network].allow_all)
		return "allows all";
	for (unsigned i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].network == network && policy->rules[i].allow)
			return "firewall";
	return "allows nothing";
}

char *rules_text(const struct policy *policy, unsigned network)
{
	char *text = text_of("%s", "");

	for (unsigned i = 0; i < policy->rule_count; i++) {
		if (policy->rules[i].network != network)
			continue;
		char *rule = rule_text(policy, &policy->rules[i]);
		text = text_add(text, "\n", rule);
		free(rule);
	}
	return text;
}
