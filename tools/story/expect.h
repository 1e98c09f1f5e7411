/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy lets happen: the policy's own switch is asked (policy/ask.h, as `lzr-policy explain` does), with those
 * VMs admitted that the verifier will admit.
 */
#ifndef STORY_EXPECT_H
#define STORY_EXPECT_H

#include <stdbool.h>

#include "ask.h"

#define EXPECT_FLOW_PORT 7007u  /* UDP and TCP of lzr-flow (guests/linux) */
#define EXPECT_COPY_PORT 9000u  /* TCP of guests/linux/receive */
#define EXPECT_RULE 64

struct expect {
	const struct policy *policy;
	struct nswitch *sw;
	bool admissible[LZR_SWITCH_PORT_MAX];   /* by port: the verifier will admit its VM */
};

struct expect_end {
	unsigned port;                  /* of the policy, or NONE: an address behind the uplink */
	uint8_t ip[4];
};

struct expected {
	bool first;                     /* it passes, and the answer, while everybody is in quarantine */
	bool now;                       /* ... once everybody is admitted who may be */
	bool arrives;                   /* frames of it may get there, at one time or another */
	char rule[EXPECT_RULE];         /* what decides now: "rule surf", "quarantine", "network" .. */
};

/* `protocol`: enum protocol or ASK_ARP; one of the ends is a port.  False: no network leads from one to the other. */
bool expect_flow(const struct expect *e, const struct expect_end *from, const struct expect_end *to, unsigned protocol,
		 uint16_t port, struct expected *out);
/* May the VM on this port send frames of any kind through its network's uplink, once it is admitted? */
bool expect_wire(const struct expect *e, unsigned port);

#endif
