/* SPDX-License-Identifier: Apache-2.0 */
/* Ending a VM's lease: one signed message, recorded and queued together. */
#ifndef ATTEST_REVOKE_H
#define ATTEST_REVOKE_H

#include "key.h"
#include "store.h"

/*
 * Signs a revocation of what the switch knows of this VM, and saves and queues it.  FAULT_USAGE for a VM whose port
 * never told a nonce: there is nothing to close.  In a transaction.
 */
bool revoke_vm(struct store *s, struct key *key, const struct store_vm *vm, enum store_end_kind kind,
	       const char *reason, struct fault *f);
/* Whether a lease of it may be in force. */
bool revoke_has_lease(const struct store_vm *vm);
/*
 * Whether its port is blocked since the lease of its present instance ran out, which a policy may ask for
 * (lease-end = "block"): only a new start of the VM opens it.  Evidence does not tell that from a block by another
 * verifier later on.
 */
bool revoke_lease_ran_out(const struct store_vm *vm);

#endif
