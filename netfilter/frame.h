/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame parser: Ethernet II with ARP or IPv4, and inside that ICMP, UDP or TCP.  Everything else is refused with a
 * reason. It reads a frame that nobody changes meanwhile, never past its length, and keeps no state.
 */
#ifndef NETFILTER_FRAME_H
#define NETFILTER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "reason.h"

#define FRAME_MAX 1514u         /* Ethernet header and 1500 bytes; no FCS */
#define FRAME_PADDED 64u        /* an ARP frame up to this length may carry padding behind its packet */
#define FRAME_HEADER 14u

#define FRAME_MAC_GROUP 1ull            /* bit of struct frame's addresses: group address */
#define FRAME_MAC_BROADCAST 0xffffffffffffull

#define FRAME_TCP_FIN 0x01u
#define FRAME_TCP_SYN 0x02u
#define FRAME_TCP_RST 0x04u
#define FRAME_TCP_ACK 0x10u
#define FRAME_ICMP_REPLY 0u
#define FRAME_ICMP_UNREACHABLE 3u
#define FRAME_ICMP_TOO_BIG 4u   /* code of FRAME_ICMP_UNREACHABLE: fragmentation needed, RFC 1191 */
#define FRAME_ICMP_ECHO 8u
#define FRAME_ICMP_TIME 11u
#define FRAME_ICMP_PARAMETER 12u
#define FRAME_NO_SCALE 0xffu

enum frame_kind { FRAME_ARP_REQUEST = 1, FRAME_ARP_REPLY, FRAME_ICMP, FRAME_UDP, FRAME_TCP };

/* The packet that an ICMP error is about: the head of its IPv4 header and eight bytes behind it. */
struct frame_inner {
	uint32_t ip_source, ip_target;
	uint32_t tcp_sequence;
	uint16_t l4_source, l4_target;  /* ICMP echo or its reply: the identifier, twice */
	uint8_t kind;                   /* enum frame_kind, or 0: nothing that could be told apart */
	uint8_t icmp_type;
};

/* Addresses are the bytes of the frame read as little-endian numbers: good for comparison, not for arithmetic. */
struct frame {
	uint64_t mac_target;
	uint64_t mac_source;
	uint32_t ip_source;     /* ARP: sender's; 0: a probe (RFC 5227) */
	uint32_t ip_target;     /* ARP: target's; 0: answer to a probe */
	uint16_t l4_source;     /* UDP, TCP, not a fragment: port as a number; else 0 */
	uint16_t l4_target;
	uint8_t kind;           /* enum frame_kind */
	bool fragment;          /* IPv4: a piece of a packet; nothing behind its header is looked at */
	uint8_t tcp_flags;      /* TCP, not a fragment: FRAME_TCP_* and the others of RFC 9293 */
	uint8_t icmp_type;      /* ICMP, not a fragment */
	uint8_t icmp_code;
	uint16_t icmp_echo;     /* ICMP echo or its reply: identifier as a number; else 0 */
	/* TCP, not a fragment */
	uint32_t tcp_sequence, tcp_acknowledged;
	uint16_t tcp_length;    /* sequence numbers that it takes: payload, SYN, FIN */
	uint16_t tcp_window;    /* as it stands there */
	uint8_t tcp_scale;      /* SYN: the window scale that it offers, at most 14, or FRAME_NO_SCALE (RFC 7323) */
	struct frame_inner inner;       /* ICMP errors; else its kind is 0 */
};

/*
 * RFC 5227, section 1.1: an announcement tells everybody the sender's address, a probe asks whether somebody has one;
 * who answers a probe has no IPv4 address to answer to.
 */
static inline bool frame_is_announcement(const struct frame *f)
{
	return f->kind <= FRAME_ARP_REPLY && f->ip_source == f->ip_target;
}

static inline bool frame_is_probe(const struct frame *f)
{
	return f->kind == FRAME_ARP_REQUEST && f->ip_source == 0;
}

static inline bool frame_is_probe_answer(const struct frame *f)
{
	return f->kind == FRAME_ARP_REPLY && f->ip_target == 0;
}

/* The six, four bytes at `p` as struct frame holds them. */
uint64_t frame_mac(const uint8_t p[6]);
uint32_t frame_ip(const uint8_t p[4]);
/* True when `ip` can be a host's own address: not zero, loopback, multicast or beyond. */
bool frame_ip_is_host(uint32_t ip);

/* Takes `length` bytes apart into `out`.  NF_PASS, or the reason; `out` then is not to be used. */
enum nf_reason frame_parse(const uint8_t *bytes, uint32_t length, struct frame *out);

#endif
