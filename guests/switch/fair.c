/* SPDX-License-Identifier: Apache-2.0 */
#include "fair.h"

#include <string.h>

void fair_init(struct fair *fair, uint16_t slots, uint16_t sources)
{
	memset(fair, 0, sizeof(*fair));
	fair->free = slots;
	if (slots < sources)
		return;                 /* no share for each: what is over is all there is */
	fair->share = sources > 1 ? (uint16_t)(slots / (2 * sources)) : slots;
	if (fair->share == 0)
		fair->share = 1;
	fair->kept = (uint16_t)(fair->share * sources);
}

bool fair_take(struct fair *fair, unsigned source)
{
	bool own = fair->used[source] < fair->share;

	if (fair->free == 0 || (!own && fair->used[source] - fair->share >= 2 * (fair->free - fair->kept)))
		return false;
	fair->kept = (uint16_t)(fair->kept - own);
	fair->free--;
	fair->used[source]++;
	return true;
}

void fair_give(struct fair *fair, unsigned source)
{
	fair->used[source]--;
	fair->kept = (uint16_t)(fair->kept + (fair->used[source] < fair->share));
	fair->free++;
}
