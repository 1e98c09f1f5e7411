/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: what the attestor states about one VM (EAT claims, RFC 9711, signed as COSE_Sign1), and the bundle in which
 * such statements travel with the TPM quote that vouches for their signer.  docs/evidence.md describes every byte.
 *
 * Decoding checks form only: encoding, order, sizes, ranges, nothing after the end.  What the bytes say is verify.h's.
 */
#ifndef ATTEST_EVIDENCE_H
#define ATTEST_EVIDENCE_H

#include <lazaret/hypercall.h>
#include <lazaret/lease.h>
#include <lazaret/policy.h>

#include "digest.h"
#include "fault.h"
#include "key.h"
#include "merkle.h"

#define EVIDENCE_PROFILE "tag:lazaret,2026:evidence-1"
#define EVIDENCE_EAT_MAX 4096u
#define EVIDENCE_VM_KEY_MAX 1024u
#define EVIDENCE_PCR_COUNT 11u          /* PCR 0-9 and 11 */
#define EVIDENCE_LOG_MAX (256u << 10)
#define EVIDENCE_KEY_FILE_MAX 1024u
#define EVIDENCE_QUOTE_MAX 512u
#define EVIDENCE_BUNDLE_MAX (1u << 20)

/* Registers in the order of struct bundle's pcrs. */
extern const uint8_t evidence_pcr[EVIDENCE_PCR_COUNT];

enum evidence_release {
	RELEASE_NETWORK = 1,    /* by the attestor's port: carries nothing that the VM chose */
	RELEASE_CHANNEL = 2,    /* on the VM's own channel, asked for by the VM */
};

struct evidence_port {
	uint32_t number;        /* in the switch configuration */
	uint32_t state;         /* enum lzr_port_state */
	uint64_t lease_left_ns;
	uint8_t nonce[LZR_PORT_NONCE_SIZE];     /* zero: none outstanding */
};

struct evidence {
	uint8_t nonce[NONCE_MAX];       /* the challenger's */
	size_t nonce_length;
	uint32_t release;               /* enum evidence_release */
	uint32_t vm;
	char name[LZR_NAME_MAX];
	uint64_t instance;
	uint32_t state;                 /* enum lzr_vm_state */
	uint8_t measurement[LZR_DIGEST_SIZE];
	struct lzr_label label;
	uint8_t flow[LZR_DIGEST_SIZE];          /* flow policy */
	uint8_t dma[LZR_DIGEST_SIZE];           /* zero: no device */
	uint8_t firewall[LZR_DIGEST_SIZE]; /* the switch's measurement, which covers its configuration; zero: none */
	bool firewall_bypassed;                 /* "firewall not on path" */
	bool has_port;
	struct evidence_port port;
	uint64_t epoch;
	uint32_t starts, restores;
	uint64_t audit_size, audit_lost;
	uint8_t audit_root[LZR_DIGEST_SIZE];
	uint64_t policy_version;
	uint8_t policy[LZR_DIGEST_SIZE];
	uint32_t platform_flags;                /* LZR_PLATFORM_* */
	uint64_t attestor_instance;
	uint8_t list_head[LZR_DIGEST_SIZE];
	uint8_t vm_key[EVIDENCE_VM_KEY_MAX];    /* SubjectPublicKeyInfo; only with RELEASE_CHANNEL */
	size_t vm_key_length;                   /* 0: none */
};

/* The signed statement's bytes into `out`; returns their number, 0 on failure. */
size_t evidence_sign(struct key *k, const struct evidence *e, uint8_t *out, size_t size);
/* The claims of a payload. */
bool evidence_decode(struct bytes payload, struct evidence *e, struct fault *f);

/* All spans point into the bytes that were decoded, or into the encoder's caller's memory. */
struct bundle {
	size_t eat_count;
	struct bytes eat[LZR_VM_MAX];
	struct bytes quote;             /* TPMS_ATTEST */
	struct bytes signature;         /* TPMT_SIGNATURE */
	uint8_t pcr[EVIDENCE_PCR_COUNT][LZR_DIGEST_SIZE];       /* SHA-384 bank */
	struct bytes log;
	struct bytes ak_name;
	uint8_t key[KEY_POINT_SIZE];    /* attestor's signing key */
	struct merkle_path path;
	struct lzr_platform_record platform;
	size_t vm_count;
	struct lzr_vm_record vms[LZR_VM_MAX];
	struct bytes policy;
	struct bytes signer_key;        /* the signer key file */
};

size_t bundle_encode(const struct bundle *b, uint8_t *out, size_t size);
bool bundle_decode(struct bytes in, struct bundle *b, struct fault *f);

/* Head of the measurement list: fold of H(head || record) over the platform record and each VM record, from zero. */
void evidence_list_head(const struct lzr_platform_record *platform, const struct lzr_vm_record *vms, size_t count,
			uint8_t head[SHA384_SIZE]);

/* What the quote's extraData must be. */
void evidence_extra_data(const uint8_t root[SHA384_SIZE], const uint8_t key[KEY_POINT_SIZE],
			 const uint8_t list_head[SHA384_SIZE], uint64_t attestor_instance, uint8_t out[SHA384_SIZE]);

#endif
