/* SPDX-License-Identifier: Apache-2.0 */
#include "switchrules.h"

#include <stdlib.h>
#include <string.h>

#define ICMP_ECHO 8u            /* what "icmp" in a service means; its answers belong to the connection */

struct members {
	struct lzr_switch_member *list;
	unsigned count, room;
	bool any;               /* the list has "*" */
};

static void add_prefix(struct members *out, const uint8_t ip[4], unsigned bits)
{
	struct lzr_switch_member *m = ARRAY_ADD(out->list, out->count, out->room);

	m->kind = LZR_MEMBER_PREFIX;
	m->bits = (uint8_t)bits;
	memcpy(m->ipv4, ip, 4);
}

static void add_ends(struct members *out, const struct policy *policy, unsigned network, const struct policy_end *ends,
		     unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct policy_set *set;
		struct lzr_switch_member *m;

		switch (ends[i].kind) {
		case END_ANY:
			out->any = true;
			break;
		case END_PORT:
			m = ARRAY_ADD(out->list, out->count, out->room);
			m->kind = LZR_MEMBER_PORT;
			m->port = ends[i].index;
			break;
		case END_UPLINK:
			m = ARRAY_ADD(out->list, out->count, out->room);
			m->kind = LZR_MEMBER_OUTSIDE;
			break;
		case END_GATEWAY:
			add_prefix(out, policy->networks[network].gateway, 32);
			break;
		case END_RANGE:
			add_prefix(out, ends[i].ip, ends[i].prefix);
			break;
		case END_SET:
			set = &policy->sets[ends[i].index];
			add_ends(out, policy, network, set->members, set->member_count);
			break;
		}
	}
}

/* The number of the list among those that were there before, or its new one; the bytes are the list's from here on. */
static unsigned number_of(struct switch_list **lists, unsigned *count, unsigned *room, struct table *seen, void *bytes,
			  size_t size)
{
	unsigned known = table_find(seen, bytes, size);

	if (known != NONE) {
		free(bytes);
		return known;
	}
	*ARRAY_ADD(*lists, *count, *room) = (struct switch_list){ bytes, size };
	table_add(seen, bytes, size, *count - 1);
	return *count - 1;
}

/* No list stands for "any" in the switch: an empty one must never be written as none. */
static void must_not_be_empty(const struct policy_rule *rule, const char *what, unsigned count)
{
	if (count)
		return;
	fprintf(stderr, "lzr-policy: rule \"%s\": \"%s\" is empty, which no check has refused: a fault of lzr-policy\n",
		rule->name, what);
	abort();
}

static uint32_t set_of(struct switch_rules *out, const struct policy *policy, const struct policy_rule *rule, bool to)
{
	struct members members = { 0 };
	unsigned before = out->set_count, set;

	add_ends(&members, policy, rule->network, to ? rule->to : rule->from, to ? rule->to_count : rule->from_count);
	if (members.any) {
		free(members.list);
		return LZR_SWITCH_NONE;
	}
	must_not_be_empty(rule, to ? "to" : "from", members.count);
	set = number_of(&out->sets, &out->set_count, &out->set_room, &out->sets_seen, members.list,
			members.count * sizeof(*members.list));
	out->member_count += set == before ? members.count : 0;
	return set;
}

static uint32_t service_of(struct switch_rules *out, const struct policy *policy, const struct policy_rule *rule)
{
	struct lzr_switch_match *list = NULL;
	unsigned count = 0, room = 0, before = out->service_count, number;

	if (!rule->services)
		return LZR_SWITCH_NONE;
	for (unsigned i = 0; i < rule->service_count; i++) {
		const struct policy_service *service = &policy->services[rule->services[i]];

		for (unsigned j = 0; j < service->item_count; j++) {
			struct lzr_switch_match *m = ARRAY_ADD(list, count, room);
			bool icmp = service->items[j].protocol == PROTOCOL_ICMP;

			m->protocol = (uint8_t)service->items[j].protocol;
			m->low = icmp ? ICMP_ECHO : service->items[j].low;
			m->high = icmp ? ICMP_ECHO : service->items[j].high;
		}
	}
	must_not_be_empty(rule, "service", count);
	number = number_of(&out->services, &out->service_count, &out->service_room, &out->services_seen, list,
			   count * sizeof(*list));
	out->match_count += number == before ? count : 0;
	return number;
}

void switch_rules_make(struct switch_rules *out, const struct policy *policy)
{
	memset(out, 0, sizeof(*out));
	out->rules = memory_get((policy->rule_count ? policy->rule_count : 1) * sizeof(*out->rules));
	out->rule_count = policy->rule_count;
	for (unsigned i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		out->rules[i] = (struct lzr_switch_rule){
			.from = set_of(out, policy, rule, false),
			.to = set_of(out, policy, rule, true),
			.service = service_of(out, policy, rule),
			.action = rule->allow ? LZR_RULE_ALLOW : LZR_RULE_DENY,
			.flags = rule->stateless ? LZR_RULE_STATELESS : 0,
		};
	}
}

static void free_lists(struct switch_list *lists, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(lists[i].bytes);
	free(lists);
}

void switch_rules_free(struct switch_rules *rules)
{
	table_free(&rules->sets_seen);
	table_free(&rules->services_seen);
	free_lists(rules->sets, rules->set_count);
	free_lists(rules->services, rules->service_count);
	free(rules->rules);
}

size_t switch_rules_size(const struct switch_rules *rules)
{
	return rules->rule_count * sizeof(struct lzr_switch_rule) + rules->set_count * sizeof(struct lzr_switch_set) +
	       rules->member_count * sizeof(struct lzr_switch_member) +
	       rules->service_count * sizeof(struct lzr_switch_service) +
	       rules->match_count * sizeof(struct lzr_switch_match);
}

/* The ranges, then what they are ranges of; sets and services have one form. */
static uint8_t *put_lists(uint8_t *at, const struct switch_list *lists, unsigned count, size_t element)
{
	_Static_assert(sizeof(struct lzr_switch_set) == sizeof(struct lzr_switch_service), "one form");
	uint32_t first = 0;

	for (unsigned i = 0; i < count; i++) {
		struct lzr_switch_set range = { first, (uint32_t)(lists[i].size / element) };
		memcpy(at, &range, sizeof(range));
		at += sizeof(range);
		first += range.count;
	}
	for (unsigned i = 0; i < count; i++) {
		memcpy(at, lists[i].bytes, lists[i].size);
		at += lists[i].size;
	}
	return at;
}

uint8_t *switch_rules_put(uint8_t *at, const struct switch_rules *rules)
{
	memcpy(at, rules->rules, rules->rule_count * sizeof(*rules->rules));
	at += rules->rule_count * sizeof(*rules->rules);
	at = put_lists(at, rules->sets, rules->set_count, sizeof(struct lzr_switch_member));
	return put_lists(at, rules->services, rules->service_count, sizeof(struct lzr_switch_match));
}
