/* SPDX-License-Identifier: Apache-2.0 */
/* The switch's ports as the attestor follows them: states, nonces, results. */
#ifndef ATTEST_PORTS_H
#define ATTEST_PORTS_H

#include "agent.h"
#include "control.h"

struct ports {
	struct control control;
	struct agent *agent;
	void (*admitted)(struct agent *agent);  /* once, when the verifier has believed this boot; may be NULL */
};

/*
 * Takes a link over, descriptor and all, as the control channel if the VM that the measured policy makes the switch is
 * at its other end.  False, and the link stays the caller's: somebody else is there, or there is one already.
 */
bool ports_take_control(struct ports *p, struct link *l);
/* Asks for every port's state. */
void ports_refresh(struct ports *p);
/* ... and draws a nonce for each that takes a lease. */
void ports_draw_nonces(void *ports);
/* Hands a result to its port; `answer` as in SESSION_STATUS. */
void ports_deliver(void *ports, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], uint64_t answer[5]);

#endif
