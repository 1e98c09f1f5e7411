/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: the attestor asks, the switch answers (lazaret/lease.h). */
#ifndef NETFILTER_CONTROL_H
#define NETFILTER_CONTROL_H

#include "lease.h"
#include "switch.h"

/*
 * Handles one message of `length` bytes at `request` and writes the answer.  False when there is nothing to answer: the
 * message is too short to be one.
 */
bool control_handle(struct nswitch *sw, const uint8_t *request, uint32_t length, lease_clock *clock,
		    struct lzr_control_message *answer);

#endif
