/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <string.h>

#define SERVICE_END 0x30000u    /* services are numbered: protocol's place * 0x10000 + port or type */

/* Where a protocol's services begin; only the three that the parser lets through get here. */
static uint32_t service_base(uint8_t protocol)
{
	return protocol == 1 ? 0 : protocol == 6 ? 0x10000 : 0x20000;
}

static uint32_t number(uint32_t ip)
{
	return __builtin_bswap32(ip);
}

/* --- compiling ---------------------------------------------------------------------------------------------------- */

struct range {
	uint32_t low, high;
};

static struct range range_of_port(const struct swconf *config, uint32_t port)
{
	uint32_t ip = number(frame_ip(config->ports[port].ipv4));

	return (struct range){ ip, ip };
}

/* One that is outside: all addresses. */
static struct range range_of_member(const struct swconf *config, const struct lzr_switch_member *member)
{
	uint32_t low, behind;

	if (member->kind == LZR_MEMBER_PORT)
		return range_of_port(config, member->port);
	if (member->kind == LZR_MEMBER_OUTSIDE)
		return (struct range){ 0, 0xffffffffu };
	low = number(frame_ip(member->ipv4));
	behind = (uint32_t)(0xffffffffull >> member->bits);
	return (struct range){ low, low | behind };
}

static struct range range_of_match(const struct lzr_switch_match *match)
{
	uint32_t base = service_base(match->protocol);

	return (struct range){ base + match->low, base + match->high };
}

/* The interval that `value` lies in. */
static uint32_t find(const uint32_t *cuts, uint32_t count, uint32_t value)
{
	uint32_t low = 0, half;

	while (count > 1) {
		half = count / 2;
		low += cuts[low + half] <= value ? half : 0;
		count -= half;
	}
	return low;
}

static void sink(uint32_t *values, uint32_t at, uint32_t count)
{
	uint32_t child, value = values[at];

	while ((child = 2 * at + 1) < count) {
		child += child + 1 < count && values[child + 1] > values[child];
		if (values[child] <= value)
			break;
		values[at] = values[child];
		at = child;
	}
	values[at] = value;
}

/* Heap sort: in place, and no input makes it slow.  Returns how many different values are left. */
static uint32_t sort(uint32_t *values, uint32_t count)
{
	uint32_t i, left, value;

	for (i = count / 2; i-- != 0;)
		sink(values, i, count);
	for (i = count; i-- > 1;) {
		value = values[0];
		values[0] = values[i];
		values[i] = value;
		sink(values, 0, i);
	}
	for (i = left = 1; i < count; i++) {
		if (values[i] != values[left - 1])
			values[left++] = values[i];
	}
	return left;
}

static uint32_t add_cuts(uint32_t *cuts, uint32_t count, struct range range, uint32_t last)
{
	cuts[count++] = range.low;
	if (range.high != last)
		cuts[count++] = range.high + 1;
	return count;
}

static void make_cuts(struct nf_rules *rules, const struct swconf *config)
{
	const struct lzr_switch_header *h = &config->header;
	uint32_t i, count = 1;

	rules->address[0] = 0;
	for (i = 0; i < h->member_count; i++)
		count = add_cuts(rules->address, count, range_of_member(config, &config->members[i]), 0xffffffffu);
	for (i = 0; i < h->port_count; i++)
		count = add_cuts(rules->address, count, range_of_port(config, i), 0xffffffffu);
	rules->address_cuts = sort(rules->address, count);
	rules->service[0] = 0;
	for (i = 0, count = 1; i < h->match_count; i++)
		count = add_cuts(rules->service, count, range_of_match(&config->matches[i]), SERVICE_END - 1);
	rules->service_cuts = sort(rules->service, count);
}

static void merge(struct nf_bits *out, uint32_t first, uint32_t last, const struct nf_bits *mask)
{
	for (uint32_t i = first; i <= last; i++) {
		for (unsigned w = 0; w < NF_RULE_WORDS; w++)
			out[i].word[w] |= mask->word[w];
	}
}

static bool is_empty(const struct nf_bits *mask)
{
	uint64_t all = 0;

	for (unsigned w = 0; w < NF_RULE_WORDS; w++)
		all |= mask->word[w];
	return all == 0;
}

static void set_bit(struct nf_bits *mask, uint32_t rule)
{
	mask->word[rule / 64] |= 1ull << rule % 64;
}

/* Marks the rules of `from` and `to` in the intervals of set `set`; LZR_SWITCH_NONE: all intervals. */
static void mark_set(struct nf_rules *rules, const struct swconf *config, uint32_t set)
{
	const struct lzr_switch_set *s = &config->sets[set == LZR_SWITCH_NONE ? 0 : set];
	struct nf_bits from = { 0 }, to = { 0 };
	uint32_t i, first, last;
	struct range range;

	for (i = 0; i < config->header.rule_count; i++) {
		if (config->rules[i].from == set)
			set_bit(&from, i);
		if (config->rules[i].to == set)
			set_bit(&to, i);
	}
	if (is_empty(&from) && is_empty(&to))
		return;
	if (set == LZR_SWITCH_NONE) {
		merge(rules->from, 0, rules->address_cuts - 1, &from);
		merge(rules->to, 0, rules->address_cuts - 1, &to);
		return;
	}
	for (i = s->first; i < s->first + s->count; i++) {
		range = range_of_member(config, &config->members[i]);
		last = find(rules->address, rules->address_cuts, range.high);
		for (first = find(rules->address, rules->address_cuts, range.low); first <= last; first++) {
			if (config->members[i].kind == LZR_MEMBER_OUTSIDE && rules->is_port[first])
				continue;
			merge(rules->from, first, first, &from);
			merge(rules->to, first, first, &to);
		}
	}
}

static void mark_service(struct nf_rules *rules, const struct swconf *config, uint32_t service)
{
	const struct lzr_switch_service *s = &config->services[service == LZR_SWITCH_NONE ? 0 : service];
	struct nf_bits what = { 0 };
	struct range range;
	uint32_t i;

	for (i = 0; i < config->header.rule_count; i++) {
		if (config->rules[i].service == service)
			set_bit(&what, i);
	}
	if (service == LZR_SWITCH_NONE) {
		merge(rules->what, 0, rules->service_cuts - 1, &what);
		return;
	}
	for (i = s->first; i < s->first + s->count; i++) {
		range = range_of_match(&config->matches[i]);
		merge(rules->what, find(rules->service, rules->service_cuts, range.low),
		      find(rules->service, rules->service_cuts, range.high), &what);
	}
}

/* May anything pass on this network?  What nothing is said of may not. */
static bool allows_nothing(const struct swconf *config, const struct lzr_switch_network *network)
{
	uint32_t i;

	if ((network->flags & LZR_NETWORK_ALLOW_ALL) != 0)
		return false;
	for (i = 0; i < network->rule_count; i++) {
		if (config->rules[network->rule_first + i].action == LZR_RULE_ALLOW)
			return false;
	}
	return true;
}

void nf_rules_build(struct nf_rules *rules, const struct swconf *config)
{
	const struct lzr_switch_header *h = &config->header;
	uint32_t i;

	memset(rules, 0, sizeof(*rules));
	make_cuts(rules, config);
	for (i = 0; i < h->port_count; i++)
		rules->is_port[find(rules->address, rules->address_cuts, range_of_port(config, i).low)] = true;
	mark_set(rules, config, LZR_SWITCH_NONE);
	for (i = 0; i < h->set_count; i++)
		mark_set(rules, config, i);
	mark_service(rules, config, LZR_SWITCH_NONE);
	for (i = 0; i < h->service_count; i++)
		mark_service(rules, config, i);
	for (i = 0; i < h->rule_count; i++) {
		rules->action[i] = config->rules[i].action;
		rules->flags[i] = config->rules[i].flags;
	}
	for (i = 0; i < h->network_count; i++) {
		rules->all[i] = (config->networks[i].flags & LZR_NETWORK_ALLOW_ALL) != 0;
		rules->nothing[i] = allows_nothing(config, &config->networks[i]);
		rules->first[i] = (uint16_t)config->networks[i].rule_first;
		rules->count[i] = (uint16_t)config->networks[i].rule_count;
	}
}

/* --- deciding ----------------------------------------------------------------------------------------------------- */

struct nf_tuple nf_tuple_of(const struct frame *f)
{
	return (struct nf_tuple){
		.from = number(f->ip_source),
		.to = number(f->ip_target),
		.protocol = f->kind == FRAME_ICMP ? 1 : f->kind == FRAME_TCP ? 6 : 17,
		.target = f->kind == FRAME_ICMP ? f->icmp_type : f->l4_target,
	};
}

struct nf_decision nf_rules_decide(const struct nf_rules *rules, uint32_t network, const struct nf_tuple *tuple)
{
	const struct nf_decision denied = { false, false, LZR_SWITCH_NONE };
	uint32_t first = rules->first[network], end = first + rules->count[network], w, rule, service;
	const uint64_t *from, *to, *what;
	uint64_t common;

	if (first == end)
		return denied;
	from = rules->from[find(rules->address, rules->address_cuts, tuple->from)].word;
	to = rules->to[find(rules->address, rules->address_cuts, tuple->to)].word;
	service = service_base(tuple->protocol) + tuple->target;
	what = rules->what[find(rules->service, rules->service_cuts, service)].word;
	for (w = first / 64; w <= (end - 1) / 64; w++) {
		common = from[w] & to[w] & what[w];
		if (w == first / 64)
			common &= ~0ull << first % 64;
		if (common == 0)
			continue;
		rule = w * 64 + (uint32_t)__builtin_ctzll(common);
		if (rule >= end)
			return denied;
		return (struct nf_decision){ rules->action[rule] == LZR_RULE_ALLOW,
					     (rules->flags[rule] & LZR_RULE_STATELESS) != 0, rule };
	}
	return denied;
}
