/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What attestation needs to know of a compiled policy (lazaret/policy.h): who the VMs are, which images and labels they
 * have, who is the attestor, who is the switch, and how low the attestor's own port is.  The bytes were measured and
 * the hypervisor has checked their signature; they are still read as hostile.
 */
#ifndef ATTEST_POLICYVIEW_H
#define ATTEST_POLICYVIEW_H

#include <lazaret/boot.h>
#include <lazaret/label.h>
#include <lazaret/policy.h>

#include "digest.h"
#include "fault.h"

#define POLICYVIEW_NAMES_MAX 64u
#define POLICYVIEW_NONE 0xffffffffu

struct policyview_vm {
	char name[LZR_NAME_MAX];
	char image[LZR_NAME_MAX];
	struct lzr_label label;
	bool attests, service, has_device, bypasses_firewall;
	uint32_t port;                  /* of the switch, by number; POLICYVIEW_NONE: none */
	uint64_t introspects;           /* bit n: reads VM n's memory */
	bool has_measurement;           /* otherwise: measure-only */
	uint8_t measurement[SHA384_SIZE];
};

struct policyview {
	uint64_t version;
	bool allow_without_iommu;
	uint8_t next_signer[SHA384_SIZE];       /* key file that may sign the next policy; zero: none */
	size_t vm_count;
	struct policyview_vm vm[LZR_VM_MAX];
	uint32_t attestor, firewall;    /* VM numbers; POLICYVIEW_NONE: none */
	uint32_t ports;                 /* links into networks: at most so many ports has the switch */
	struct lzr_label release;       /* of the network that the attestor's port is on; the lowest if there is none */
	size_t level_count, category_count;
	char level[POLICYVIEW_NAMES_MAX][LZR_NAME_MAX];
	char category[POLICYVIEW_NAMES_MAX][LZR_NAME_MAX];
};

bool policyview_read(struct bytes policy, struct policyview *v, struct fault *f);
/* What the hypervisor's flow digest (lazaret/flow.h) must be under this policy. */
bool policyview_flow(struct bytes policy, uint8_t digest[SHA384_SIZE], struct fault *f);
/* "SECRET", "SECRET+nuclear", "level 3" into `out`. */
void policyview_label(const struct policyview *v, const struct lzr_label *label, char *out, size_t size);

#endif
