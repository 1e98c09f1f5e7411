/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

#include <string.h>

#include "crypto.h"
#include "frame.h"

void port_init(struct port *port, const struct lzr_switch_port *config, const struct lzr_label *network_label)
{
	memset(port, 0, sizeof(*port));
	port->kind = (uint8_t)config->kind;
	port->vm = config->vm;
	port->network = config->network;
	port->label = *network_label;
	port->mac = frame_mac(config->mac);
	port->ip = frame_ip(config->ipv4);
	port->gateway = frame_ip(config->gateway);
	port->lease_end_action = config->lease_end;
	port->verifiers = config->verifiers;
	port->lease_max = config->lease_max_ns;
	port->inspection = config->inspection;
	rate_frames(&port->frames, config->frame_rate);
	rate_bits(&port->bytes, config->bandwidth);
	port->limited = config->frame_rate != 0 || config->bandwidth != 0;
	rate_frames(&port->inspected[0], config->inspection_rate);
	rate_frames(&port->inspected[1], config->inspection_rate);
	port->state = LZR_PORT_DOWN;
}

void port_block(struct port *port, bool shut)
{
	port->state = LZR_PORT_BLOCKED;
	port->blocked_instance = port->peer.instance;
	port->shut = shut;
}

void port_unblock(struct port *port)
{
	port->blocked_instance = 0;
	port->shut = false;
}

void port_down(struct port *port)
{
	if (port->state == LZR_PORT_ADMITTED && port->lease_end_action == LZR_LEASE_END_BLOCK)
		port_block(port, true);         /* a lease ends with the device as it does with time */
	port->state = LZR_PORT_DOWN;
	port->epoch++;
	memset(&port->peer, 0, sizeof(port->peer));
	port->generation = 0;
	port->lease_end = 0;
	port->has_nonce = false;
	port->has_lease_nonce = false;
	memset(port->nonce, 0, sizeof(port->nonce));
	memset(port->lease_nonce, 0, sizeof(port->lease_nonce));
	port->nonce_issued = 0;
}

/* The nonce before is void even when no new one can be had. */
static bool draw(struct port *port, uint64_t now)
{
	port->has_nonce = crypto_random(port->nonce, sizeof(port->nonce));
	port->nonce_issued = now;
	return port->has_nonce;
}

bool port_up(struct port *port, const struct lzr_peer *peer, uint32_t generation, uint64_t now)
{
	port_down(port);
	if (peer->vm != port->vm || peer->instance == 0)
		return false;
	if (!lzr_label_equal(&peer->label, &port->label))
		return false;
	if (port->kind == LZR_PORT_GUEST ? !draw(port, now) : !(peer->flags & LZR_PEER_SERVICE))
		return false;
	port->peer = *peer;
	port->generation = generation;
	port->state = port->kind == LZR_PORT_GUEST ? LZR_PORT_QUARANTINED : LZR_PORT_INFRASTRUCTURE;
	if (peer->instance == port->blocked_instance)
		port_block(port, port->shut);
	else
		port_unblock(port);
	return true;
}

void port_expire(struct port *port)
{
	port->state = LZR_PORT_QUARANTINED;
	if (port->lease_end_action == LZR_LEASE_END_BLOCK)
		port_block(port, true);
	port->lease_end = 0;
	port->epoch++;
}

enum lzr_control_status port_draw_nonce(struct port *port, uint64_t interval, uint64_t now)
{
	if (port->state == LZR_PORT_DOWN)
		return LZR_CTL_NO_PORT;
	if (port->kind != LZR_PORT_GUEST)
		return LZR_CTL_KIND;
	if (port->has_requested && now - port->last_request < interval)
		return LZR_CTL_RATE;
	port->has_requested = true;
	port->last_request = now;
	return draw(port, now) ? LZR_CTL_OK : LZR_CTL_RATE;
}

uint64_t port_lease_left(struct port *port, uint64_t now)
{
	return port_state(port, now) == LZR_PORT_ADMITTED ? port->lease_end - now : 0;
}
