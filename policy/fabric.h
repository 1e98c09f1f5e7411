/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules of a policy let through, decided by the very code that the switch runs (netfilter/rules.h). */
#ifndef POLICY_FABRIC_H
#define POLICY_FABRIC_H

#include "../netfilter/rules.h"
#include "outline.h"

struct fabric {
	struct swconf config;
	struct nf_rules rules;
};

/*
 * The switch as this policy configures it, its rules in the policy's order; NULL when it has none, or
 * the switch has no room for it.
 */
struct fabric *fabric_make(const struct policy *policy);

/* One network's rules in words, a line each, with sets and services spelt out. */
char *rules_text(const struct policy *policy, unsigned network);
/* A network in a word or two: "firewall", "allows all", "allows nothing". */
const char *rules_kind(const struct policy *policy, unsigned network);
char *rule_text(const struct policy *policy, const struct policy_rule *rule);

/* Adds the lines "blue may now reach gateway tcp/443". */
void diff_flows(struct diff *diff, const struct policy *from, const struct policy *to);

#endif
