/* SPDX-License-Identifier: Apache-2.0 */
/* A switch of four ports in the place of control.c. */
#include "fake.h"
#include "../result.h"

#include <string.h>

struct key *fake_verifier_key;
struct lzr_control_message fake_port[4];

void fake_switch_start(void)
{
	memset(fake_port, 0, sizeof(fake_port));
	for (uint32_t i = 0; i < 4; i++) {
		fake_port[i].port = i;
		fake_port[i].vm = i == 3 ? VM_ATTESTOR : i;
		fake_port[i].state = i == 3 ? LZR_PORT_INFRASTRUCTURE : LZR_PORT_QUARANTINED;
		fake_port[i].instance = fake_machine->now.vms[fake_port[i].vm].instance;
	}
}

static uint32_t apply(struct lzr_control_message *port, const uint8_t result[LZR_RESULT_SIZE])
{
	struct fault f = { 0 };
	struct lzr_result r;

	if (!result_open(fake_verifier_key, (struct bytes){ result, LZR_RESULT_SIZE }, &r, &f))
		return LZR_CTL_SIGNATURE;
	if (r.vm != port->vm)
		return LZR_CTL_WRONG_VM;
	if (r.instance != port->instance)
		return LZR_CTL_WRONG_INSTANCE;
	if (memcmp(r.port_nonce, port->nonce, sizeof(r.port_nonce)) != 0)
		return LZR_CTL_WRONG_NONCE;
	port->state = r.type == LZR_RESULT_LEASE ? LZR_PORT_ADMITTED : LZR_PORT_BLOCKED;
	port->lease_left_ns = r.duration_ns;
	return LZR_CTL_OK;
}

bool control_ask(struct control *c, enum lzr_control_op op, uint32_t port, const uint8_t result[LZR_RESULT_SIZE],
		 struct lzr_control_message *answer)
{
	uint32_t status = LZR_CTL_OK;

	(void)c;
	if (port >= 4)
		return false;
	if (op == LZR_CONTROL_NONCE)
		random_fill(fake_port[port].nonce, sizeof(fake_port[port].nonce));
	else if (op == LZR_CONTROL_RESULT)
		status = apply(&fake_port[port], result);
	*answer = fake_port[port];
	answer->status = status;
	return true;
}

void control_poll(struct control *c)
{
	(void)c;
}
