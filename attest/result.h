/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's signed results (lazaret/lease.h): leases and revocations. */
#ifndef ATTEST_RESULT_H
#define ATTEST_RESULT_H

#include <lazaret/lease.h>

#include "evidence.h"
#include "key.h"

/* The result that a VM's evidence earns: a lease of `duration_ns` counted from its port nonce. */
void result_lease(const struct evidence *e, uint64_t duration_ns, uint64_t serial, struct lzr_result *out);
/* Ends `lease`: same VM, instance and port nonce. */
void result_revocation(const struct lzr_result *lease, uint64_t serial, struct lzr_result *out);

bool result_sign(struct key *k, const struct lzr_result *r, uint8_t out[LZR_RESULT_SIZE], struct fault *f);
/* Form and signature; what it says is the switch's to compare. */
bool result_open(struct key *k, struct bytes message, struct lzr_result *r, struct fault *f);

#endif
