/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port of the switch: who is behind it, whether it is open, and the counters.
 *
 * State belongs to one {VM, instance, generation}: port_up binds it in quarantine with nothing left from before,
 * port_down closes it.  Only lease.c opens a guest's port; an infrastructure port opens at port_up and never takes a
 * lease.  `now` is always the hypervisor's clock in nanoseconds.
 */
#ifndef NETFILTER_PORT_H
#define NETFILTER_PORT_H

#include <stdbool.h>

#include <lazaret/lease.h>
#include <lazaret/link.h>
#include <lazaret/switch.h>

#include "rate.h"
#include "reason.h"

struct port_counters {
	uint64_t in;                            /* frames taken from this end and forwarded */
	uint64_t out;                           /* frames delivered to this end */
	uint64_t dropped[NF_REASON_COUNT];
};

struct port {
	/* Fixed at init */
	uint8_t kind;                           /* enum lzr_switch_port_kind */
	uint32_t vm;                            /* VM number that must be there */
	uint32_t network;
	struct lzr_label label;                 /* the network's */
	uint64_t mac;                           /* as struct frame has it */
	uint32_t ip;
	uint32_t gateway;                       /* 0: none */
	uint8_t lease_end_action;               /* enum lzr_lease_end */
	bool limited;                           /* `frames` or `bytes` is a limit */
	uint8_t verifiers;                      /* keys that may sign its results */
	uint64_t lease_max;
	uint32_t inspection;                    /* port, or LZR_SWITCH_NONE */
	/* Bound at port_up */
	enum lzr_port_state state;              /* read it with port_state(), which looks at the clock */
	struct lzr_peer peer;
	uint32_t generation;
	uint64_t lease_end;                     /* admitted until here */
	bool has_nonce;                         /* `nonce` is outstanding */
	bool has_lease_nonce;                   /* `lease_nonce` is that of the last lease */
	uint8_t nonce[LZR_PORT_NONCE_SIZE];
	uint8_t lease_nonce[LZR_PORT_NONCE_SIZE];
	uint64_t nonce_issued;
	/* Kept across resets of the VM's device, until another instance is there */
	uint64_t blocked_instance;              /* held blocked; 0: none */
	bool shut;                              /* blocked at its lease's end; no lease opens it */
	/* Kept across instances */
	uint32_t epoch;                         /* another one after each lease, instance and revocation */
	struct rate frames, bytes;              /* what the VM may send */
	struct rate inspected[2];               /* what it may send, and get, in quarantine */
	bool has_requested;
	uint64_t last_request;                  /* when the attestor last drew a nonce */
	struct port_counters counters;
};

/* Readies a port from its checked configuration; it is down. */
void port_init(struct port *port, const struct lzr_switch_port *config, const struct lzr_label *network_label);
/*
 * The hypervisor says who is there now.  Whatever was bound before is gone.  False, and the port stays down, when that
 * is not the VM the configuration names, its label is not the network's (guest ports), or no nonce can be drawn.
 */
bool port_up(struct port *port, const struct lzr_peer *peer, uint32_t generation, uint64_t now);
/* Closes the port and forgets who was there.  An instance that is blocked is so when it comes back. */
void port_down(struct port *port);
/* Blocks who is there now; a reset of its device does not end that.  `shut`: nor does a lease. */
void port_block(struct port *port, bool shut);
/* What blocked the port is over. */
void port_unblock(struct port *port);
/* Ends a lease that has run out: the port is in quarantine or blocked, for good. */
void port_expire(struct port *port);
/* The state at this moment. */
static inline enum lzr_port_state port_state(struct port *port, uint64_t now)
{
	if (port->state == LZR_PORT_ADMITTED && now >= port->lease_end)
		port_expire(port);
	return port->state;
}
/* Draws a nonce on request; the one before is void.  LZR_CTL_OK, NO_PORT, KIND or RATE. */
enum lzr_control_status port_draw_nonce(struct port *port, uint64_t interval, uint64_t now);
/* Nanoseconds that are left of the running lease, 0 without one. */
uint64_t port_lease_left(struct port *port, uint64_t now);

#endif
