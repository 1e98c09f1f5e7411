/* SPDX-License-Identifier: Apache-2.0 */
#include "turns.h"
#include "dial.h"

bool turns_guests_heard(const struct turns *t, bool network_waits, uint64_t now_ms)
{
	const uint64_t at = now_ms % DIAL_SECOND_MS;

	if (now_ms / DIAL_SECOND_MS == t->worked_second)
		return false;
	if (at >= DIAL_HALF_MS && at < DIAL_HALF_MS + TURNS_HEAR_MS)
		return !network_waits || now_ms - t->open_ms >= TURNS_OWED_MS;
	return now_ms - t->open_ms >= TURNS_LOST_MS;
}

void turns_guests_had(struct turns *t, bool worked, uint64_t now_ms)
{
	t->open_ms = now_ms;
	if (worked)
		t->worked_second = now_ms / DIAL_SECOND_MS;
}
