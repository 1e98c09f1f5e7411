/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in for hypervisor and switch in the attestor's tests. */
#ifndef ATTEST_FAKE_H
#define ATTEST_FAKE_H

#include "fixture.h"
#include "../control.h"

extern struct fixture *fake_machine;
extern unsigned int fake_changes;       /* so many readings of the VM records are disturbed */
#define FAKE_HV 0xffffffffu             /* the hypervisor itself */
extern struct lzr_audit_ring fake_audit[VM_COUNT + 1];
/* Records of this VM until the ring has had so many. */
void fake_audit_fill(uint32_t vm, uint64_t next);

/* Port n is VM n's; port 3 the attestor's own.  A result counts if it is signed and names VM, instance and nonce. */
extern struct key *fake_verifier_key;
extern struct lzr_control_message fake_port[4];
void fake_switch_start(void);

#endif
