/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy's switch does with a packet.  The switch is set up out of the dataplane's sources and the configuration
 * that "lzr-policy switch" writes, and asked: what it says here is what it will do on the machine.
 */
#ifndef POLICY_ASK_H
#define POLICY_ASK_H

#include "../netfilter/switch.h"
#include "policy.h"

#define ASK_ARP 0u              /* in the place of enum protocol */

struct ask_end {
	unsigned port;                  /* of the policy, or NONE: an address behind the uplink */
	uint8_t ip[4];
};

struct ask {
	const struct policy *policy;
	struct nswitch *sw;             /* its config is filled: by fabric_make, ask_open */
	struct ask_end from, to;        /* one of them is a port */
	unsigned network;               /* of the port that sends, or else of the one that gets it */
	unsigned protocol;              /* enum protocol, or ASK_ARP */
	uint16_t port;                  /* destination of TCP and UDP */
};

/* The switch as this policy configures it; NULL when it has none, or the switch has no room for it.  free() it. */
struct nswitch *ask_open(const struct policy *policy);

/* What the hypervisor tells the switch of a VM: the network's label when the VM may have it. */
struct lzr_label ask_label(const struct policy *policy, const struct policy_port *port);

/*
 * The decision on the first packet of such a connection when all ports are up and all guests admitted but those with a
 * true in `quarantined` (an element a port; NULL: none).
 */
struct switch_verdict ask_first(const struct ask *ask, const bool *quarantined);
/* After ask_first, which let the packet pass: the decision on the answer to it. */
struct switch_verdict ask_answer(const struct ask *ask);

#endif
