/* SPDX-License-Identifier: Apache-2.0 */
#include "expect.h"

#include <stdio.h>
#include <string.h>

struct way {                    /* a question and the switch's two answers */
	bool there, back;
	struct switch_verdict verdict;  /* the one that decided */
};

static struct way go(const struct ask *ask, const bool *quarantined)
{
	struct way w = { .verdict = ask_first(ask, quarantined) };

	w.there = w.verdict.reason == NF_PASS;
	if (w.there) {
		const struct switch_verdict back = ask_answer(ask);

		w.back = back.reason == NF_PASS;
		if (!w.back)
			w.verdict = back;
	}
	return w;
}

/* The quarantine of everybody who may not be admitted. */
static void hold(const struct expect *e, bool *quarantined)
{
	for (unsigned i = 0; i < LZR_SWITCH_PORT_MAX; i++)
		quarantined[i] = !e->admissible[i];
}

static void name_decision(const struct expect *e, const struct ask *ask, const struct way *w, char *out)
{
	static const char *const words[NF_REASON_COUNT] = {
		[NF_CLOSED] = "quarantine", [NF_PEER_CLOSED] = "quarantine", [NF_INSPECTION] = "quarantine",
		[NF_NETWORK] = "network", [NF_NO_DESTINATION] = "network", [NF_LABEL] = "label",
		[NF_ENDPOINT] = "endpoint", [NF_NO_RULE] = "no rule", [NF_STATE] = "no rule", [NF_MISMATCH] = "address",
	};
	const struct switch_verdict *v = &w->verdict;
	const unsigned port = ask->from.port != NONE ? ask->from.port : ask->to.port;

	if (v->looked_up && v->decision.rule < e->policy->rule_count)
		snprintf(out, EXPECT_RULE, "rule %s", e->policy->rules[v->decision.rule].name);
	else if (v->reason != NF_PASS)
		snprintf(out, EXPECT_RULE, "%s%s", w->there ? "answer: " : "",
			 v->reason < NF_REASON_COUNT && words[v->reason] ? words[v->reason] : "form");
	else if (e->policy->ports[port].infrastructure)
		snprintf(out, EXPECT_RULE, "endpoint");
	else if ((ask->from.port != NONE && e->sw->ports[ask->from.port].state == LZR_PORT_QUARANTINED) ||
		 (ask->to.port != NONE && e->sw->ports[ask->to.port].state == LZR_PORT_QUARANTINED))
		snprintf(out, EXPECT_RULE, "inspection");
	else if (e->sw->rules.all[ask->network])
		snprintf(out, EXPECT_RULE, "allow all");
	else
		snprintf(out, EXPECT_RULE, "rules");
}

/* In quarantine, after it, and while one is admitted before the other. */
static bool may_pass(const struct expect *e, const struct ask *ask, const struct ask *turned)
{
	const unsigned ends[2] = { ask->from.port, ask->to.port };
	bool quarantined[LZR_SWITCH_PORT_MAX];

	for (unsigned state = 0; state < 4; state++) {
		struct way asked, answered;

		hold(e, quarantined);
		for (unsigned i = 0; i < 2; i++)
			if (ends[i] != NONE && state & 1u << i)
				quarantined[ends[i]] = true;
		asked = go(ask, quarantined);
		answered = go(turned, quarantined);
		if (asked.there || (answered.there && answered.back))
			return true;
	}
	return false;
}

/* Frames get there as questions, or as answers to the other's questions, on any port that anybody here uses. */
static bool may_arrive(const struct expect *e, const struct ask *ask)
{
	struct ask there = *ask, turned = *ask;

	turned.from = ask->to;
	turned.to = ask->from;
	if (turned.from.port != NONE)
		turned.network = ask->policy->ports[turned.from.port].network;
	for (unsigned i = 0; i < 2 + e->policy->endpoint_count; i++) {
		there.port = turned.port = i == 0 ? ask->port : i == 1 ? EXPECT_COPY_PORT
			: (uint16_t)e->policy->endpoints[i - 2].l4port;
		if (may_pass(e, &there, &turned))
			return true;
	}
	return false;
}

bool expect_flow(const struct expect *e, const struct expect_end *from, const struct expect_end *to, unsigned protocol,
		 uint16_t port, struct expected *out)
{
	struct ask ask = { .policy = e->policy, .sw = e->sw, .from.port = from->port, .to.port = to->port,
			   .protocol = protocol, .port = port };
	bool quarantined[LZR_SWITCH_PORT_MAX];
	struct way w;

	*out = (struct expected){ .rule = "network" };
	if (from->port == NONE && to->port == NONE)
		return false;
	memcpy(ask.from.ip, from->ip, 4);
	memcpy(ask.to.ip, to->ip, 4);
	ask.network = e->policy->ports[from->port != NONE ? from->port : to->port].network;
	if (from->port == NONE && e->policy->networks[ask.network].uplink == NONE)
		return false;
	memset(quarantined, true, sizeof(quarantined));
	w = go(&ask, quarantined);
	out->first = w.there && w.back;
	out->arrives = may_arrive(e, &ask);
	hold(e, quarantined);
	w = go(&ask, quarantined);
	out->now = w.there && w.back;
	name_decision(e, &ask, &w, out->rule);
	return true;
}

bool expect_wire(const struct expect *e, unsigned port)
{
	const struct policy_port *p = &e->policy->ports[port];
	const struct policy_network *network = &e->policy->networks[p->network];

	if (network->uplink == NONE)
		return false;
	if (p->infrastructure)
		return true;
	/* An address resolution passes wherever a rule lets anybody meet; no frame passes where none does. */
	return e->admissible[port] && (e->sw->rules.all[p->network] || !e->sw->rules.nothing[p->network]);
}
