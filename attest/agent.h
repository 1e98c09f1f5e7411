/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestor's knowledge and its statements: platform files, audit logs, ports, the signing key, and bundles made of
 * them.
 *
 * Two ways out.  RELEASE_NETWORK goes by the attestor's port, to the label of its network: a statement about every VM,
 * with the challenger's nonce, port nonces and the hypervisor's records; nothing in it was chosen by a VM, and its
 * quote covers no nonce of a VM.  RELEASE_CHANNEL goes to one VM on its own channel: a statement about that VM only,
 * under a quote of its own; what changes about VMs that it does not dominate is zeroed in the records it gets.
 */
#ifndef ATTEST_AGENT_H
#define ATTEST_AGENT_H

#include "control.h"
#include "platform.h"
#include "policyview.h"
#include "tpm.h"

struct audit_view {             /* the audit log as one label may see it */
	struct lzr_label label;
	struct merkle_log log;
	uint64_t lost;
};

struct agent_port {
	bool known;
	struct lzr_control_message state;       /* the switch's last answer */
};

struct agent {
	struct tpm tpm;
	struct key key;                 /* fresh at each start, in RAM only */
	uint8_t point[KEY_POINT_SIZE];
	uint32_t self;
	uint64_t instance;
	struct bytes log, policy, signer;
	struct policyview view;
	struct snapshot now;
	uint64_t audit_next[LZR_VM_MAX + 1];    /* by ring: number of the next record, */
	uint64_t audit_lost[LZR_VM_MAX + 1];    /* and the hypervisor's count of what it had no room for */
	struct audit_view network_audit;
	struct audit_view vm_audit[LZR_VM_MAX];
	struct agent_port port[LZR_VM_MAX];     /* by VM number */
};

bool agent_open(struct agent *a, TSS2_TCTI_CONTEXT *tcti, struct fault *f);
/* Takes new audit records in. */
bool agent_drain_audit(struct agent *a, struct fault *f);

struct agent_request {
	enum evidence_release release;
	uint32_t vm;                    /* RELEASE_CHANNEL: the one that asked */
	struct bytes nonce;
	struct bytes vm_key;            /* RELEASE_CHANNEL only */
};
/* The bundle's bytes into `out`; 0 with a fault. */
size_t agent_bundle(struct agent *a, const struct agent_request *request, uint8_t *out, size_t size, struct fault *f);

#endif
