/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel to the switch (lazaret/lease.h): one question, one answer, a time limit. */
#ifndef ATTEST_CONTROL_H
#define ATTEST_CONTROL_H

#include <lazaret/lease.h>

#include "link.h"

struct control {
	struct link link;
	uint32_t seq;
};

/* False if the switch is down or silent; `result` only with LZR_CONTROL_RESULT. */
bool control_ask(struct control *c, enum lzr_control_op op, uint32_t port, const uint8_t result[LZR_RESULT_SIZE],
		 struct lzr_control_message *answer);
/* Takes messages that nobody waits for: the switch coming and going. */
void control_poll(struct control *c);

#endif
