/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room in a transmit ring, so that nobody who may send to it finds it full of others' frames.  Each source has a share
 * that is kept free for it.  Of the rest it may have twice as much as is left, so that all who flood have equally much
 * of the ring, and with it of the way out, whoever comes first (Choudhury and Hahne, "Dynamic queue length thresholds
 * for shared-memory packet switches", 1998).
 */
#ifndef SWITCH_FAIR_H
#define SWITCH_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#include <lazaret/switch.h>

#define FAIR_SOURCES (LZR_SWITCH_PORT_MAX + LZR_SWITCH_UPLINK_MAX)

struct fair {
	uint16_t free;                  /* slots of the ring */
	uint16_t share;                 /* of each source */
	uint16_t kept;                  /* of the free ones, those that the sources' shares still claim */
	uint16_t used[FAIR_SOURCES];
};

/* An empty ring of `slots`, for at most `sources` that will ever send to it. */
void fair_init(struct fair *fair, uint16_t slots, uint16_t sources);
/* Takes a slot for this source; false: it has its share, and as much of the rest as it may. */
bool fair_take(struct fair *fair, unsigned source);
/* Gives it back. */
void fair_give(struct fair *fair, unsigned source);

#endif
