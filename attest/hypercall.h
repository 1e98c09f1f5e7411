/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls from user space (lazaret/hypercall.h): the VM's policy decides, not the ring.  Tests link a fake. */
#ifndef ATTEST_HYPERCALL_H
#define ATTEST_HYPERCALL_H

#include <lazaret/hypercall.h>

struct hypercall_result {
	uint64_t status;        /* enum lzr_status */
	uint64_t value[4];      /* RBX, RCX, RDX, RSI */
};

struct hypercall_result hypercall(enum lzr_call call, uint64_t first, uint64_t second);

#endif
