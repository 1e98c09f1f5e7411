/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <string.h>

#include "lease.h"

/* Which of the answer's sums a reason belongs to. */
enum sum { SUM_OTHER, SUM_QUARANTINE, SUM_LABEL, SUM_SPOOF };

static enum sum sum_of(unsigned reason)
{
	switch (reason) {
	case NF_CLOSED:
	case NF_PEER_CLOSED:
		return SUM_QUARANTINE;
	case NF_NETWORK:
	case NF_LABEL:
		return SUM_LABEL;
	case NF_SPOOF_MAC:
	case NF_SPOOF_IPV4:
	case NF_SPOOF_ARP:
		return SUM_SPOOF;
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

bool control_handle(struct nswitch *sw, const uint8_t *request, uint32_t length, uint64_t now,
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
	if (ask.port >= config->port_count) {
		answer->status = LZR_CTL_NO_PORT;
		return true;
	}
	port = &sw->ports[ask.port];
	if (ask.op == LZR_CONTROL_RESULT)
		answer->status = lease_apply(port, request + sizeof(ask), length - sizeof(ask), now);
	else if (length != sizeof(ask))
		answer->status = LZR_CTL_MALFORMED;
	else if (ask.op == LZR_CONTROL_NONCE)
		answer->status = port_draw_nonce(port, config->nonce_interval_ns, now);
	else if (ask.op == LZR_CONTROL_STATE)
		answer->status = port->state == LZR_PORT_DOWN ? LZR_CTL_NO_PORT : LZR_CTL_OK;
	else
		answer->status = LZR_CTL_MALFORMED;
	describe(port, now, answer);
	return true;
}
