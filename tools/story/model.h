/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the story knows: the VMs and ports that the policy names, what is expected of each, and what was seen on the
 * consoles and in the verifier's events.  Expectations come from policy, switch configuration and reference values,
 * never from a list of names: the same program tells anybody's policy.
 */
#ifndef STORY_MODEL_H
#define STORY_MODEL_H

#include <lazaret/switch.h>

#include "policyview.h"
#include "reference.h"

#define STORY_PROTOS 4
#define STORY_FLOWS_MAX 512

extern const char *const story_protos[STORY_PROTOS];    /* arp icmp udp tcp */

enum story_result { STORY_UNSEEN, STORY_DENIED, STORY_ALLOWED };

struct story_vm {
	const struct policyview_vm *policy;
	int port;                       /* index in the switch configuration, -1: none */
	bool expect_admitted;           /* a guest port whose image a reference value names */
	bool ready;                     /* its console said so */
	char verdict[320];              /* the verifier's last word */
	char state[24];                 /* quarantined, admitted, blocked, infrastructure, service */
	uint64_t leases;                /* given by the verifier */
	uint64_t serial;                /* of the last lease given, 0: none */
	unsigned told;                  /* of its events, how many were worth saying */
	bool asked, ask_good;           /* its own request over its channel was answered, and well */
};

struct story_flow {
	char from[LZR_NAME_MAX], to[LZR_NAME_MAX];
	unsigned proto;
	enum story_result first, last;
	uint64_t attempts;
	uint64_t arrived; /* frames of it that the other end says it saw, rounded down to a power of two */
};

struct story {
	struct policyview view;
	struct reference reference;
	struct lzr_switch_header header;
	struct lzr_switch_network networks[LZR_SWITCH_NETWORK_MAX];
	struct lzr_switch_uplink uplinks[LZR_SWITCH_UPLINK_MAX];
	struct lzr_switch_port ports[LZR_SWITCH_PORT_MAX];
	struct lzr_switch_endpoint endpoints[LZR_SWITCH_ENDPOINT_MAX];
	struct story_vm vm[LZR_VM_MAX];
	struct story_flow flow[STORY_FLOWS_MAX];
	unsigned flow_count;
	char copy[200], disk[200];      /* last LZR-COPY and LZR-DISK lines, empty: none */
	const struct story_vm *disk_vm; /* whose disk it is */
	bool copy_good, disk_good;
	bool sealed;
	unsigned errors;                /* LZR-ERROR lines and VMs that stopped */
	char first_error[200];
	uint64_t awaited_serial;        /* the result whose answer by the switch is waited for */
	char awaited_status[32];        /* that answer, empty: none yet */
};

/* Reads compiled policy, switch configuration and reference values; false after a message on stderr. */
bool story_load(struct story *s, const char *policy, const char *switch_config, const char *reference);
/* A line of the machine's console, without its newline. */
void story_console(struct story *s, const char *line);
/* A line of the verifier's events. */
void story_event(struct story *s, const char *line);

struct story_vm *story_find_vm(struct story *s, const char *name);
/*
 * Whether a flow is expected to pass once every good VM is admitted, and the rule that decides: "label", "quarantine",
 * "network", "endpoint".
 */
bool story_expected(struct story *s, const struct story_flow *flow, const char **rule);
/* True when every guest port's VM has tried every other target at least once. */
bool story_all_tried(const struct story *s);
/* Whether the VM with the disk has somebody of equal label to send a file to. */
bool story_expects_copy(const struct story *s);
/* True when what the expectations ask for has been seen. */
bool story_complete(struct story *s);

#endif
