/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000u

/* The network need not learn to the nanosecond when the switch was asked. */
static uint64_t whole_seconds(uint64_t ns)
{
	return (ns / SECOND_NS + (ns % SECOND_NS >= SECOND_NS / 2)) * SECOND_NS;
}

bool ports_take_control(struct ports *p, struct link *l)
{
	if (!l->up || !(l->peer.flags & LZR_PEER_SERVICE) || l->peer.vm != p->agent->view.firewall ||
	    p->control.link.fd >= 0)
		return false;
	p->control.link = *l;
	l->fd = -1;
	l->up = false;
	return true;
}

static struct agent_port *port_of(struct ports *p, const struct lzr_control_message *m)
{
	return m->vm < p->agent->view.vm_count ? &p->agent->port[m->vm] : NULL;
}

/* Keeps what the switch said about a port, under the VM that is on it. */
static void note(struct ports *p, const struct lzr_control_message *m)
{
	struct agent_port *port = port_of(p, m);

	if (!port || m->status == LZR_CTL_NO_PORT)
		return;
	port->known = true;
	port->state = *m;
	port->state.lease_left_ns = whole_seconds(m->lease_left_ns);
}

void ports_refresh(struct ports *p)
{
	struct lzr_control_message answer;

	for (size_t i = 0; i < p->agent->view.vm_count; i++)
		p->agent->port[i].known = false;
	for (uint32_t i = 0; i < p->agent->view.ports; i++) {
		if (!control_ask(&p->control, LZR_CONTROL_STATE, i, NULL, &answer))
			return;
		note(p, &answer);
	}
}

static bool takes_lease(const struct agent_port *port)
{
	return port->known && port->state.state != LZR_PORT_DOWN && port->state.state != LZR_PORT_INFRASTRUCTURE;
}

void ports_draw_nonces(void *ports)
{
	struct ports *p = ports;
	struct lzr_control_message answer;

	ports_refresh(p);
	for (size_t i = 0; i < p->agent->view.vm_count; i++)
		if (takes_lease(&p->agent->port[i]) &&
		    control_ask(&p->control, LZR_CONTROL_NONCE, p->agent->port[i].state.port, NULL, &answer))
			note(p, &answer);
}

void ports_deliver(void *ports, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], uint64_t answer[5])
{
	struct ports *p = ports;
	struct lzr_control_message reply = { .status = LZR_CTL_NO_PORT };
	struct lzr_result r;

	memcpy(&r, result + LZR_RESULT_HEAD_SIZE, sizeof(r));
	if (port == LZR_PORT_OF_VM && r.vm < p->agent->view.vm_count && p->agent->port[r.vm].known)
		port = p->agent->port[r.vm].state.port;
	if (port != LZR_PORT_OF_VM && control_ask(&p->control, LZR_CONTROL_RESULT, port, result, &reply)) {
		note(p, &reply);
		if (reply.status == LZR_CTL_OK && reply.state == LZR_PORT_ADMITTED && p->admitted) {
			p->admitted(p->agent);
			p->admitted = NULL;
		}
	}
	answer[0] = r.serial;
	answer[1] = r.vm;
	answer[2] = reply.status;
	answer[3] = reply.state;
	answer[4] = whole_seconds(reply.lease_left_ns);
	fprintf(stderr, "attestor: result %llu for VM %u: switch says %u, port state %u\n",
		(unsigned long long)r.serial, r.vm, reply.status, reply.state);
}
