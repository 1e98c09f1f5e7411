/* SPDX-License-Identifier: Apache-2.0 */
/* What the dataplane's tests share: a small site, frames, and a verifier that signs results. */
#ifndef TEST_LAB_H
#define TEST_LAB_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "control.h"
#include "switch.h"

enum { RED, ARCHIVE, BLUE, VISITOR, ATTESTOR, GREEN, ALONE, PORTS };
enum { NET_SECRET, NET_RESTRICTED, NET_UNTRUSTED, NET_OTHER, NETWORKS };
enum { UP_RESTRICTED, UP_UNTRUSTED, UPLINKS };

#define SECOND 1000000000ull
#define LEASE_MAX (60 * SECOND)
#define NONCE_INTERVAL (SECOND / 2)

/* A switch configuration as the policy compiler would write it; `size` bytes of `block`. */
struct lab_block {
	_Alignas(8) uint8_t bytes[sizeof(struct swconf)];
	uint32_t size;
};
void lab_write(const struct swconf *config, struct lab_block *out);
/*
 * The site: red and archive on a network without uplink; blue, green and the attestor on RESTRICTED; visitor on
 * UNTRUSTED; alone has RESTRICTED's label on a network of its own.
 */
void lab_config(struct swconf *out);
/* The site loaded, keys pinned, every port down. */
void lab_switch(struct nswitch *sw);
/* The same of another configuration. */
void lab_switch_of(struct nswitch *sw, const struct swconf *config);
/* The site with everybody up, and all guests but visitor admitted. */
void lab_switch_admitted(struct nswitch *sw);

/* Who the hypervisor says is at a port. */
struct lzr_peer lab_peer(const struct swconf *config, unsigned port, uint64_t instance);
void lab_up(struct nswitch *sw, unsigned port, uint64_t instance, uint64_t now);
/* A lease that fits, for the port's present peer and nonce. */
struct lzr_result lab_lease(const struct port *port, uint64_t duration);
/* Signs with the verifier's key, or with another one. */
void lab_sign(const struct lzr_result *result, uint8_t out[LZR_RESULT_SIZE]);
void lab_sign_other(const struct lzr_result *result, uint8_t out[LZR_RESULT_SIZE]);
/* The other one, as a configuration pins it. */
struct lzr_switch_key lab_other_key(void);
/* lease_apply and control_handle at time `now`. */
enum lzr_control_status lab_apply(struct port *port, const uint8_t *result, uint32_t length, uint64_t now);
bool lab_handle(struct nswitch *sw, const uint8_t *request, uint32_t length, uint64_t now,
		struct lzr_control_message *answer);
/* The clock that they use, and how far each look moves it: 0 unless a test says else. */
extern uint64_t lab_now, lab_tick;
uint64_t lab_clock(void);
/* Up and admitted for LEASE_MAX. */
void lab_admit(struct nswitch *sw, unsigned port, uint64_t instance, uint64_t now);

/* A frame under construction. */
struct lab_frame {
	uint8_t target[6], source[6];
	uint16_t type;
	uint8_t kind;                   /* enum frame_kind */
	uint8_t ip_source[4], ip_target[4];
	uint16_t l4_source, l4_target;
	uint16_t fragment;              /* flags and offset field */
	uint8_t tcp_flags;
	uint32_t tcp_sequence, tcp_acknowledged;
	uint16_t tcp_window;
	uint8_t tcp_scale;              /* window scale option + 1; 0: none */
	uint16_t payload;               /* TCP: bytes of data */
	uint16_t trailing;              /* IPv4: bytes behind the packet */
	uint8_t icmp_type;              /* echo unless changed */
	uint8_t icmp_code;
	const struct lab_frame *about;  /* ICMP error: what it tells of */
	uint16_t icmp_echo;
	uint8_t arp_sender[6];
	uint8_t arp_target[6];
};
/* From port to port (or to an address outside), UDP 1000 to 2000 unless changed. */
struct lab_frame lab_frame(const struct swconf *config, unsigned from, unsigned to);
/* A frame from outside to a port. */
struct lab_frame lab_frame_in(const struct swconf *config, const uint8_t ip[4], unsigned to);
void lab_arp(struct lab_frame *f, bool request);
/* Its bytes, at least 60; returns the length. */
uint32_t lab_bytes(const struct lab_frame *f, uint8_t out[FRAME_MAX]);
/* Writes the IPv4 header's checksum. */
void lab_checksum(uint8_t *frame);

extern const uint8_t lab_outside_mac[6];
extern const uint8_t lab_verifier_ip[4];        /* the listed endpoint, TCP LAB_VERIFIER_PORT on UP_RESTRICTED */
#define LAB_VERIFIER_PORT 4433

#endif
