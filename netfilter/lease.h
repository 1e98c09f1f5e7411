/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's results (lazaret/lease.h): checked in full first, then applied in one step that cannot fail.  A result
 * that is refused changes nothing and does not use up the nonce.
 */
#ifndef NETFILTER_LEASE_H
#define NETFILTER_LEASE_H

#include "port.h"

/* The hypervisor's clock; asked after a signature was checked, because that takes long. */
typedef uint64_t lease_clock(void);

/*
 * Checks `length` bytes of a signed result against the port's bound identity, its outstanding nonce, its pinned keys
 * (crypto.h) and the clock, and applies it: a lease admits the port until nonce issue + duration and uses up the nonce;
 * a revocation that names the outstanding nonce or the last lease's blocks the port and voids both.
 */
enum lzr_control_status lease_apply(struct port *port, const uint8_t *result, uint32_t length, lease_clock *clock);

#endif
