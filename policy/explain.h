/* SPDX-License-Identifier: Apache-2.0 */
/* Why something may, or may not, get from one to another. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "policy.h"

#define EXPLAIN_YES 0
#define EXPLAIN_NO 1
#define EXPLAIN_ERROR 2         /* said on stderr */
#define EXPLAIN_TRUSTED 3       /* only as far as a VM that is trusted over several labels lets it */
#define EXPLAIN_QUARANTINE 4    /* denied to admitted VMs, but allowed for inspection before one is admitted */

struct explain_packet {
	const char *from, *to;          /* a VM, a port, "gateway", or an address */
	enum protocol protocol;
	uint16_t port;                  /* destination; 0 for ICMP */
};

/* The switch's decision on the first packet of a connection, stage by stage, with the source's lines. */
int explain_packet(FILE *out, const struct policy *policy, const struct explain_packet *packet);
/* Every way in which data gets from one VM, network, device or channel to another. */
int explain_ways(FILE *out, const struct policy *policy, const char *from, const char *to);

#endif
