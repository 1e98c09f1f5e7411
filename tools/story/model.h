/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the story knows: the VMs and ports that the policy names, what is expected of each, and what was seen on the
 * consoles and in the verifier's events.  Expectations come from the policy, whose switch is asked (expect.h), and the
 * reference values, never from a list of names: the same program tells anybody's policy.
 */
#ifndef STORY_MODEL_H
#define STORY_MODEL_H

#include <lazaret/switch.h>

#include "expect.h"
#include "policyview.h"
#include "reference.h"
#include "words.h"

#define STORY_PROTOS 4
#define STORY_FLOWS_MAX (LZR_SWITCH_PORT_MAX * (LZR_SWITCH_PORT_MAX + 1) * STORY_PROTOS)
#define STORY_WHY 96

/* The emulated machine's networks (tools/rig.h): wire n is 10.0.X.0/24, its card behind root port n. */
#define STORY_WIRES 2
extern const uint8_t story_wire_net[STORY_WIRES];       /* that X */
extern const char *const story_protos[STORY_PROTOS];    /* arp icmp udp tcp */

enum story_result { STORY_UNSEEN, STORY_DENIED, STORY_ALLOWED };

struct story_vm {
	const struct policyview_vm *policy;
	int port;                       /* first of the policy's ports that is its, -1: none */
	bool expect_admitted;           /* a guest port whose image a reference value names, and somebody to admit it */
	bool has_reference;             /* a reference value names its image */
	bool has_channel;               /* to the attestor */
	char words[WORDS_MAX];          /* of its image's command line; empty: it is no guest of this tree */
	unsigned rounds;                /* in which it has tried, as it says */
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
	bool by_vm;                     /* its sender tells of it; of what comes from a wire the arrival only */
	char untried[STORY_WHY];        /* why nobody can be asked to try it; empty: it is tried */
	struct expected expected;
	enum story_result first, last;
	enum story_result held;         /* the last one before the verifier said anything */
	uint64_t attempts;
	uint64_t arrived; /* frames of it that the other end says it saw, rounded down to a power of two */
};

struct story {
	struct policyview view;
	struct reference reference;
	struct policy policy;
	struct expect expect;
	const char *unverified;         /* why nobody can be admitted; NULL: the verifier is reached, and the switch */
	const struct policy_endpoint *endpoint; /* the verifier's, unless `unverified` */
	unsigned verifier_key;          /* of the policy's keys[], what the verifier signs with; NONE: none is */
	struct story_vm vm[LZR_VM_MAX];
	struct story_flow flow[STORY_FLOWS_MAX];
	unsigned flow_count;
	char copy[200], disk[200];      /* last LZR-COPY and LZR-DISK lines, empty: none */
	const struct story_vm *disk_vm; /* whose disk it is */
	bool copy_good, disk_good;
	bool sealed, released;          /* released: the verifier may speak */
	unsigned changes;               /* grows with everything that was not so before */
	unsigned errors;                /* LZR-ERROR lines and VMs that stopped */
	char first_error[200];
	uint64_t awaited_serial;        /* the result whose answer by the switch is waited for */
	char awaited_status[32];        /* that answer, empty: none yet */
};

struct story_files {
	const char *source, *keys;      /* the policy's source; the folder of its keys, the verifier's among them */
	const char *policy, *reference; /* compiled policy, reference values */
	const char *images[4];          /* folders with manifests and segments */
	unsigned image_count;
};

/* Reads all that; false after a message on stderr. */
bool story_load(struct story *s, const struct story_files *files);
/* Its second half, when s->policy, view, reference and the VMs' words are there: all that is expected. */
bool story_set_up(struct story *s);
/* A line of the machine's console, without its newline. */
void story_console(struct story *s, const char *line);
/* A line of the verifier's events. */
void story_event(struct story *s, const char *line);

struct story_vm *story_find_vm(struct story *s, const char *name);
/* The row of the flow; NULL: no such protocol, or no room. */
struct story_flow *story_flow(struct story *s, const char *from, const char *to, unsigned proto);
/* The wire of the emulated machine that this device of the policy is the card of; false: it has no such card. */
bool story_on_rig(const struct policy *p, unsigned device, unsigned *wire);
/* The device behind the network of this port, or NONE. */
unsigned story_uplink(const struct story *s, unsigned port);
bool story_is_guest(const struct story *s, const struct story_vm *vm);
/* What the verifier must say of the VM, or the beginning of it; NULL: nothing. */
const char *story_expected_verdict(const struct story *s, const struct story_vm *vm);
/* Does its image ask for evidence about itself, and can it? */
bool story_expects_ask(const struct story_vm *vm);
/* Whether the VM with the disk has somebody to send a file to. */
bool story_expects_copy(const struct story *s);
/* A flow did, so far, what it should. */
bool story_flow_good(const struct story_flow *flow);

/*
 * What is still waited for, in words, into `out` (empty when nothing is): that every VM tries everything from
 * quarantine; that all that is expected has been seen.  True when it has been.
 */
#define STORY_WAIT 200
bool story_tries_any(const struct story *s);    /* is there anything that an image is asked to try? */
bool story_all_tried(const struct story *s, char out[STORY_WAIT]);
bool story_complete(const struct story *s, char out[STORY_WAIT]);

#endif
