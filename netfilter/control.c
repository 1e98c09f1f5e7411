/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <string.h>

/* Which of the answer's sums a reason belongs to. */
enum sum { SUM_OTHER, SUM_QUARANTINE, SUM_LABEL, SUM_SPOOF, SUM_RULES, SUM_RATE };

static enum sum sum_of(unsigned reason)
{
	switch (reason) {
	case NF_CLOSED:
	case NF_PEER_CLOSED:
	case NF_INSPECTION:
		return SUM_QUARANTINE;
	case NF_NETWORK:
	case NF_LABEL:
		return SUM_LABEL;
	case NF_SPOOF_MAC:
	case NF_SPOOF_IPV4:
	case NF_SPOOF_ARP:
		return SUM_SPOOF;
	case NF_FRAGMENT:
	case NF_RULE:
	case NF_NO_RULE:
	case NF_STATE:
	case NF_WINDOW:
	case NF_TABLE:
		return SUM_RULES;
	case NF_RATE:
		return SUM_RATE;
	default:
		return SUM_OTHER;
	}
}

static void describe(struct port *port, uint64_t now, struct lzr_control_message *answer)
{
	uint64_t *const sums[] = {
		[SUM_OTHER] = &answer->dropped_other,
		[SUM_QUARANTINE] = &answer->dropped_quarantine,
		[SUM_LABEL] = &answer->dropped_label,
		[SUM_SPOOF] = &answer->dropped_spoof,
		[SUM_RULES] = &answer->dropped_rules,
		[SUM_RATE] = &answer->dropped_rate,
	};
	unsigned reason;

	answer->state = port_state(port, now);
	answer->vm = port->vm;
	answer->instance = port->peer.instance;
	answer->lease_left_ns = port_lease_left(port, now);
	if (port->has_nonce)
		memcpy(answer->nonce, port->nonce, sizeof(answer->nonce));
	answer->frames_in = port->counters.in;
	answer->frames_out = port->counters.out;
	for (reason = NF_PASS + 1; reason < NF_REASON_COUNT; reason++)
		*sums[sum_of(reason)] += port->counters.dropped[reason];
}

/* A rule's counter, or a network's of what none of its rules fitted. */
static enum lzr_control_status describe_rule(const struct nswitch *sw, uint32_t rule, uint64_t *packets)
{
	uint32_t rules = sw->config.header.rule_count;

	if (rule < rules)
		*packets = sw->rule_hits[rule];
	else if (rule - rules < sw->config.header.network_count)
		*packets = sw->no_rule_hits[rule - rules];
	else
		return LZR_CTL_NO_PORT;
	return LZR_CTL_OK;
}

bool control_handle(struct nswitch *sw, const uint8_t *request, uint32_t length, lease_clock *clock,
		    struct lzr_control_message *answer)
{
	struct lzr_control_message ask;
	const struct lzr_switch_header *config = &sw->config.header;
	struct port *port;

	if (length < sizeof(ask))
		return false;
	memcpy(&ask, request, sizeof(ask));
	memset(answer, 0, sizeof(*answer));
	answer->op = ask.op;
	answer->seq = ask.seq;
	answer->port = ask.port;
	if (ask.op == LZR_CONTROL_RULE && length == sizeof(ask)) {
		answer->status = describe_rule(sw, ask.port, &answer->frames_in);
		return true;
	}
	if (ask.port >= config->port_count) {
		answer->status = LZR_CTL_NO_PORT;
		return true;
	}
	port = &sw->ports[ask.port];
	if (ask.op == LZR_CONTROL_RESULT)
		answer->status = lease_apply(port, request + sizeof(ask), length - sizeof(ask), clock);
	else if (length != sizeof(ask))
		answer->status = LZR_CTL_MALFORMED;
	else if (ask.op == LZR_CONTROL_NONCE)
		answer->status = port_draw_nonce(port, config->nonce_interval_ns, clock());
	else if (ask.op == LZR_CONTROL_STATE)
		answer->status = port->state == LZR_PORT_DOWN ? LZR_CTL_NO_PORT : LZR_CTL_OK;
	else
		answer->status = LZR_CTL_MALFORMED;
	describe(port, clock(), answer);
	return true;
}
