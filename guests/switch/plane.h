/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch VM's data plane: moves buffers between the queue pairs of the "ports" service device, the network cards
 * and the dataplane library, which decides.  A frame is never copied: its buffer goes from the receive ring of one end
 * to the transmit ring of another; only a gateway's announcement is copied, once for each port that hears it.  Each
 * round gives each end a bounded burst, and the control channel one message; another end begins each round, and no
 * sender can take the room that another has in a transmit ring (fair.h).
 */
#ifndef SWITCH_PLANE_H
#define SWITCH_PLANE_H

#include "control.h"
#include "e1000e.h"
#include "fair.h"
#include "io.h"
#include "pool.h"
#include "vdev.h"

#define PLANE_BURST 32u                 /* frames of one end in one round */
#define PLANE_POSTED 32u                /* receive buffers of a queue pair */
#define PLANE_ENDS (LZR_SWITCH_PORT_MAX + 1)

struct plane_end {                      /* one queue pair of the service device */
	struct virtq rx;
	struct virtq tx;
	struct fair room;               /* of tx */
	uint16_t pair;
	bool is_control;
	uint8_t port;                   /* unless control */
	bool up;                        /* the four below are the peer's */
	uint32_t link;
	uint32_t peer;
	uint64_t instance;
	uint32_t generation;
	uint32_t posted;                /* buffers in rx */
	uint64_t bad;                   /* messages that are none */
};

struct plane {
	struct nswitch sw;
	struct vdev device;
	struct plane_end ends[PLANE_ENDS];      /* ports in their order, then the control channel */
	uint32_t end_count;
	struct e1000e uplinks[LZR_SWITCH_UPLINK_MAX];
	struct fair uplink_room[LZR_SWITCH_UPLINK_MAX];
	uint32_t first;                 /* whose turn begins the next round: an end, or behind them an uplink */
	uint64_t now;                   /* read anew after all that takes long */
	uint32_t lines;                 /* console lines that may still be written, */
	uint64_t line_time;             /* refilled from here */
};

/*
 * Opens the service device, the cards and all queues as sw.config says; NULL, or what is wrong, and `*where` which
 * one.
 */
const char *plane_open(struct plane *plane, uint32_t *where);
/* One round; true when there was anything to do. */
bool plane_round(struct plane *plane);
/* Asks all rings for interrupts, or not. */
void plane_interrupts(struct plane *plane, bool on);
/* Is there anything for plane_round?  Asked after interrupts were switched on, before waiting for one. */
bool plane_has_work(const struct plane *plane);

#endif
