/* SPDX-License-Identifier: Apache-2.0 */
/* The firewall of a policy in the switch's terms: each different list of ends once, each different list of services. */
#ifndef POLICY_SWITCHRULES_H
#define POLICY_SWITCHRULES_H

#include "policy.h"

struct switch_list {                    /* members of a set, matches of a service */
	void *bytes;
	size_t size;
};

struct switch_rules {
	struct lzr_switch_rule *rules;  /* as the policy's, in their order */
	struct switch_list *sets, *services;
	unsigned rule_count, set_count, set_room, service_count, service_room;
	unsigned member_count, match_count;
	struct table sets_seen, services_seen;
};

void switch_rules_make(struct switch_rules *out, const struct policy *policy);
void switch_rules_free(struct switch_rules *rules);
/* Appends rules, sets, members, services, matches at `at`; returns what is behind them. */
uint8_t *switch_rules_put(uint8_t *at, const struct switch_rules *rules);
size_t switch_rules_size(const struct switch_rules *rules);

#endif
