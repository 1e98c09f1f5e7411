/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's flow graph (flow.h): a node for everything that can hold or carry information, edges for every way by
 * which it gets from one to another, each with its cause, and for each cause the place in the source and words.
 */
#ifndef POLICY_EDGES_H
#define POLICY_EDGES_H

#include "flow.h"
#include "policy.h"

enum thing_kind {
	THING_VM,               /* index: of vms[]; these come first, so a VM's node has its number */
	THING_NETWORK,
	THING_DEVICE,
	THING_CHANNEL,
	THING_CONTROL,          /* the control channel of the switch */
	THING_INSIDE,           /* of a trusted VM: all that it ever received; its memory, and what is noted of it */
	THING_RUN_STATE,        /* of a trusted VM: whether it runs, which shows at all labels that it serves */
	THING_IOMMU_GROUP,      /* index: the declared number */
	THING_INTERRUPT_LINE,
};

enum cause_kind {
	CAUSE_PORT,             /* a: of ports[] */
	CAUSE_SWITCH,           /* a: of networks[] that the switch serves */
	CAUSE_UPLINK,           /* a: of networks[] */
	CAUSE_DEVICE,           /* a: of devices[], at its VM */
	CAUSE_CHANNEL,          /* a: of channels[]; b: 0 at the client's end, 1 at the service's */
	CAUSE_CONTROL,          /* b: 0 at the one who asks, 1 at the switch */
	CAUSE_RIGHT,            /* a: of vms[], its holder; b: which; c: index in its list of VMs */
	CAUSE_INSIDE,           /* a: of vms[] */
	CAUSE_RUN_STATE,        /* a: of vms[] */
	CAUSE_IOMMU_GROUP,      /* a: of devices[] */
	CAUSE_INTERRUPT_LINE,
};

struct thing {
	enum thing_kind kind;
	unsigned index;
};

struct cause {
	enum cause_kind kind;
	unsigned a, b, c;
};

struct flows {
	const struct policy *policy;
	struct flow_graph graph;
	struct thing *things;                   /* of each node */
	unsigned thing_count, thing_room;
	struct cause *causes;
	unsigned cause_count, cause_room;
};

void flows_make(struct flows *flows, const struct policy *policy);
void flows_free(struct flows *flows);

/* All write into `out` and return it. */
#define FLOWS_TEXT (2 * LABEL_TEXT + 256)
const char *flows_name(const struct flows *flows, uint32_t node, char out[FLOWS_TEXT]);         /* network guest */
const char *flows_label(const struct flows *flows, const struct flow_result *result, uint32_t node,
			char out[FLOWS_TEXT]);                                                  /* SECRET */
const char *flows_reason(const struct flows *flows, uint32_t edge, char out[FLOWS_TEXT]);       /* port "red" */
struct place flows_place(const struct flows *flows, uint32_t edge);
/* What a counter-example shows, without its hops. */
const char *flows_verdict(const struct flows *flows, const struct flow_result *result, char out[FLOWS_TEXT]);

/*
 * Complains with the counter-example, hop by hop, or gives every channel its label of the certificate.  Every name of
 * the policy must be known.
 */
void check_flows(struct policy *policy, struct report *report);

/* Of a policy in which nothing flows down: every node with its label or trusted range, a line each. */
void print_certificate(const struct policy *policy, FILE *out);

#endif
