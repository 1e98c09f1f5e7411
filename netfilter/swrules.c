/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the configuration's firewall: rules, sets, services. */
#include "frame.h"
#include "swconf.h"

const char *swconf_check_rule(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_rule *r = &c->rules[i];

	if (r->action != LZR_RULE_ALLOW && r->action != LZR_RULE_DENY)
		return "rule's action is unknown";
	if ((r->flags & ~LZR_RULE_STATELESS) != 0 || (r->flags != 0 && r->action != LZR_RULE_ALLOW))
		return "rule's flags are unknown, or it denies and is stateless";
	if (r->reserved[0] != 0 || r->reserved[1] != 0)
		return "reserved field of a rule is not zero";
	if ((r->from != LZR_SWITCH_NONE && r->from >= c->header.set_count) ||
	    (r->to != LZR_SWITCH_NONE && r->to >= c->header.set_count))
		return "rule's set does not exist";
	if (r->service != LZR_SWITCH_NONE && r->service >= c->header.service_count)
		return "rule's service does not exist";
	return NULL;
}

/* A range begins where the one before ended, is not empty, and the last ends at `total`. */
static bool is_tile(uint32_t begin, uint32_t first, uint32_t length, bool last, uint32_t total)
{
	if (first != begin || length == 0 || length > total - begin)
		return false;
	return !last || begin + length == total;
}

const char *swconf_check_set(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_set *s = &c->sets[i];
	uint32_t begin = i == 0 ? 0 : s[-1].first + s[-1].count;

	if (!is_tile(begin, s->first, s->count, i + 1 == c->header.set_count, c->header.member_count))
		return "set is empty, or its members are not those behind the set before, or some belong to none";
	return NULL;
}

const char *swconf_check_member(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_member *m = &c->members[i];

	if (c->header.set_count == 0)
		return "member belongs to no set";
	if (m->reserved[0] != 0 || m->reserved[1] != 0)
		return "reserved field of a member is not zero";
	if (m->kind == LZR_MEMBER_PORT)
		return m->bits == 0 && m->port < c->header.port_count ? NULL : "member's port does not exist";
	if (m->kind == LZR_MEMBER_OUTSIDE)
		return m->bits == 0 && m->port == 0 ? NULL : "member that is outside has an address";
	if (m->kind != LZR_MEMBER_PREFIX)
		return "member's kind is unknown";
	if (m->bits > 32 || (__builtin_bswap32(frame_ip(m->ipv4)) & (uint32_t)(0xffffffffull >> m->bits)) != 0)
		return "member's prefix is longer than 32 bits or has bits behind it";
	return NULL;
}

const char *swconf_check_service(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_service *s = &c->services[i];
	uint32_t begin = i == 0 ? 0 : s[-1].first + s[-1].count;

	if (!is_tile(begin, s->first, s->count, i + 1 == c->header.service_count, c->header.match_count))
		return "service is empty, or its matches are not those behind the one before, or some belong to none";
	return NULL;
}

const char *swconf_check_match(const struct swconf *c, uint32_t i)
{
	const struct lzr_switch_match *m = &c->matches[i];

	if (c->header.service_count == 0)
		return "match belongs to no service";
	if (m->reserved != 0 || m->reserved2 != 0)
		return "reserved field of a match is not zero";
	if (m->protocol != 1 && m->protocol != 6 && m->protocol != 17)
		return "match's protocol is neither ICMP, TCP nor UDP";
	if (m->low > m->high || (m->protocol == 1 && m->high > 255))
		return "match's range is backwards or beyond ICMP's types";
	return NULL;
}
