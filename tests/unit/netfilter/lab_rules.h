/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lab's network RESTRICTED with rules: 0 blue -> green tcp/80, allowed.  1 blue -> any udp/53, denied.  2 blue ->
 * outside udp and echo, allowed.  3 green -> blue udp/9, allowed, stateless.  4 10.0.3.77 -> blue tcp/22, allowed.
 * Blue and green are admitted.
 */
#ifndef TEST_LAB_RULES_H
#define TEST_LAB_RULES_H

#include "lab.h"

enum { ALLOW_80, DENY_53, ALLOW_OUT, STATELESS_9, ALLOW_22, RULES };
enum { SET_BLUE, SET_GREEN, SET_OUTSIDE, SET_HOST, SETS };
enum { TCP_80, UDP_53, UDP_ECHO, UDP_9, TCP_22, SERVICES };

#define FROM_PORT(p) ((struct switch_end){ SWITCH_PORT, p })
#define FROM_UPLINK ((struct switch_end){ SWITCH_UPLINK, UP_RESTRICTED })
#define SHARE (CONN_MAX / PORTS)

#define SYN FRAME_TCP_SYN
#define ACK FRAME_TCP_ACK
#define FIN (FRAME_TCP_FIN | FRAME_TCP_ACK)
#define RST FRAME_TCP_RST

extern struct nswitch sw;
extern struct switch_end to;
extern const uint8_t host[4], other_host[4];

/* The site as a fixture, and its rules in a configuration of lab_config's. */
int lab_rules_setup(void **state);
void lab_rules(struct swconf *c);

enum nf_reason send(struct switch_end from, const struct lab_frame *f, uint64_t now);
struct lab_frame tcp(unsigned from, unsigned target, uint16_t source_port, uint16_t target_port, uint8_t flags);
/* Blue's to an address outside, and from there to blue. */
struct lab_frame outwards(uint8_t kind, const uint8_t ip[4]);
/* The same flow's frame the other way. */
struct lab_frame back(const struct lab_frame *f);

/* Both ends of a TCP connection that keep to the protocol. */
struct lab_tcp {
	struct switch_end end[2];       /* [0] opens */
	struct lab_frame way[2];        /* what each end's frames look like */
	uint32_t next[2];               /* sequence number of its next byte */
	uint16_t window;
};
/* Opens from blue's `port` to green's 80, up to the third segment. */
struct lab_tcp lab_tcp_open(uint16_t port, uint64_t now);
/* From outside: host's `port` to blue's 22. */
struct lab_tcp lab_tcp_from_host(uint16_t port);
/* A segment as the end would send it now; lab_tcp_send takes its sequence numbers into account. */
struct lab_frame lab_tcp_segment(const struct lab_tcp *t, unsigned from, uint8_t flags, uint16_t payload);
enum nf_reason lab_tcp_send(struct lab_tcp *t, unsigned from, uint8_t flags, uint16_t payload, uint64_t now);
/* A byte each way; both pass, or neither does: that. */
enum nf_reason lab_tcp_talk(struct lab_tcp *t, uint64_t now);

#endif
