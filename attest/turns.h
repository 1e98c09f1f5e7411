/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the attestor hears the guests.  One message a second, at its half, and not while the network's words wait for
 * the whole second (dial.h says why).  But whoever speaks to the attestor from the network has no priority over guests:
 * when none was heard for TURNS_OWED_MS, the next half of a second is theirs, whatever waits; and when work for the
 * network went over that, too, they are heard as soon as it ends.
 */
#ifndef ATTEST_TURNS_H
#define ATTEST_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#define TURNS_HEAR_MS 100u      /* after the half of a second: who is heard then is done before it ends */
#define TURNS_OWED_MS 2500u     /* so that the third half of a second is theirs */
#define TURNS_LOST_MS 4500u

struct turns {
	uint64_t open_ms;       /* when guests could last be heard, whether one spoke or not */
	uint64_t worked_second; /* in which a guest's request was worked on */
};

/* Are guests heard now?  `network_waits`: words for the network wait for the whole second. */
bool turns_guests_heard(const struct turns *t, bool network_waits, uint64_t now_ms);
/* They were, and a request of one was worked on, or not. */
void turns_guests_had(struct turns *t, bool worked, uint64_t now_ms);

#endif
