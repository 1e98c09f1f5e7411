/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token bucket.  Credit is time: it grows with the clock up to a tenth of a second (or one whole frame, when that is
 * more), and a frame costs the time that it may take.
 */
#ifndef NETFILTER_RATE_H
#define NETFILTER_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_BURST_NS 100000000ull
#define RATE_BANDWIDTH_MIN 1000ull              /* bits a second */
#define RATE_BANDWIDTH_MAX 1000000000000ull

struct rate {                   /* times in 1/65536 ns */
	uint64_t unit;          /* cost of one frame, or of one byte; 0: no limit */
	uint64_t most;          /* credit never exceeds this */
	uint64_t credit;
	uint64_t last;          /* ns: when credit was last added */
};

/* A limit of `per_second` frames; 0: none.  The bucket is full. */
void rate_frames(struct rate *rate, uint32_t per_second);
/* A limit of `bits` a second, RATE_BANDWIDTH_MIN to RATE_BANDWIDTH_MAX; 0: none. */
void rate_bits(struct rate *rate, uint64_t bits);
/* Takes `units` (1 frame; bytes of at most one frame) at time `now`; false: there is not enough, nothing is taken. */
bool rate_take(struct rate *rate, uint32_t units, uint64_t now);

#endif
