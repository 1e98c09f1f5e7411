/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include <string.h>

#include "frame.h"

#define SHIFT 16
#define SECOND (1000000000ull << SHIFT)

static void fill(struct rate *rate, uint64_t unit, uint64_t largest)
{
	memset(rate, 0, sizeof(*rate));
	rate->unit = unit;
	rate->most = RATE_BURST_NS << SHIFT;
	if (rate->most < unit * largest)
		rate->most = unit * largest;
	rate->credit = rate->most;
}

void rate_frames(struct rate *rate, uint32_t per_second)
{
	fill(rate, per_second == 0 ? 0 : SECOND / per_second, 1);
}

void rate_bits(struct rate *rate, uint64_t bits)
{
	fill(rate, bits == 0 ? 0 : SECOND * 8 / bits, FRAME_MAX);
}

bool rate_take(struct rate *rate, uint32_t units, uint64_t now)
{
	uint64_t passed, cost = rate->unit * units;

	if (rate->unit == 0)
		return true;
	passed = now - rate->last;
	rate->last = now;
	if (passed >= rate->most >> SHIFT || rate->credit + (passed << SHIFT) > rate->most)
		rate->credit = rate->most;
	else
		rate->credit += passed << SHIFT;
	if (rate->credit < cost)
		return false;
	rate->credit -= cost;
	return true;
}
