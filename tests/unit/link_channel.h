/* SPDX-License-Identifier: Apache-2.0 */
/* The channel between red and the service on link_rig.h's machine, from both ends. */
#ifndef LINK_CHANNEL_H
#define LINK_CHANNEL_H

#include "link_rig.h"

extern struct driver red_chan, ports;
/* What a service received last. */
extern struct lzr_msg got;
extern uint8_t got_payload[8192];
/* The service's receive buffers that channel_start left. */
extern uint64_t spare_buffer[QUEUE_SIZE];

/* Starts the service and red's channel, takes the UP message, leaves `spare` more receive buffers at the service. */
void channel_start(unsigned spare);
/* Reads the message that has arrived in this buffer of a service; false if none has. */
bool service_receive(struct driver_queue *queue, uint64_t buffer, unsigned prefix);
/* Sends a message from a service: prefix, header, payload. */
void service_send(struct driver_queue *queue, unsigned prefix, struct lzr_msg msg, const void *payload,
	uint32_t length);
/* The header of a message to whoever sent what came last. */
struct lzr_msg channel_answer(enum lzr_msg_type type, uint32_t length);
/* Sends red `bytes` zeros under this header, which must be dropped. */
void channel_refuses(struct lzr_msg msg, uint32_t bytes);

#endif
