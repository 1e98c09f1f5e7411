/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine that never was: event log, policy, records, and a software key in the place of the TPM's AK, all
 * consistent. Tests change one thing, rebuild what depends on it (or not), and look for the one error that this must
 * give.
 */
#ifndef ATTEST_FIXTURE_H
#define ATTEST_FIXTURE_H

#include "../evidence.h"
#include "../platform.h"
#include "../reference.h"
#include "../verify.h"

enum fixture_vm { VM_RED, VM_BLUE, VM_VISITOR, VM_SWITCH, VM_ATTESTOR, VM_COUNT };

extern const char *const fixture_name[VM_COUNT];
extern const uint8_t fixture_level[VM_COUNT];

/* The least that a loader's PE can be: headers of 0x200 bytes, one section of 0x100 zeros. */
#define FIXTURE_PE_SIZE 0x300u
void fixture_pe(uint8_t pe[FIXTURE_PE_SIZE]);

struct fixture_event {
	uint32_t pcr, type;
	uint8_t data[96] __attribute__((aligned(8)));
	uint32_t length;
	uint8_t sha384[48];
	uint8_t sha256[32];
};

#define FIXTURE_EVENTS 64u
/* Where files' descriptors stand; each file's own event is the next. */
enum { FIXTURE_KEY = 10, FIXTURE_LIST = 12, FIXTURE_POLICY = 14, FIXTURE_MANIFESTS = 16 };

struct fixture {
	size_t event_count;
	struct fixture_event event[FIXTURE_EVENTS];
	uint8_t log[32768];
	size_t log_length;
	uint8_t pcr[EVIDENCE_PCR_COUNT][48];
	uint8_t policy[16384] __attribute__((aligned(8)));
	size_t policy_length;
	uint8_t signer[256];
	size_t signer_length;
	uint8_t manifest[VM_COUNT][48];         /* digests */
	struct snapshot now;
	struct key attestor;
	uint8_t point[KEY_POINT_SIZE];
	struct key ak_key;
	struct ak_record ak;
	struct reference reference;
	uint8_t nonce[32];
	struct merkle_path path;
	uint8_t root[48];
	/* The quote, before it is signed. */
	uint32_t magic;
	uint16_t type;
	uint8_t selection[10];
	uint8_t pcr_digest[48];
	uint8_t extra[48];
	uint64_t clock;
	uint32_t resets, restarts;
	uint8_t quote[512], signature[256];
	size_t quote_length, signature_length;
	size_t quote_extra_bytes;
	struct evidence claim[VM_COUNT];
	uint8_t eat[VM_COUNT][EVIDENCE_EAT_MAX];
	size_t eat_length[VM_COUNT];
	size_t stated_count;                    /* statements in the bundle, and about whom */
	int stated[VM_COUNT + 2];
	uint8_t bundle[EVIDENCE_BUNDLE_MAX];
	size_t bundle_length;
	struct verify_report report;
	bool allow_development_key;
	enum evidence_release release;
	const char *vm;                         /* of the question */
	struct bytes vm_key;
};

/* A good machine, everything built.  `seed` tells machines apart.  Release with fixture_free. */
struct fixture *fixture_new(uint8_t seed);
void fixture_free(struct fixture *x);
/* Both for cmocka, with seed 1. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Rebuilding, in the order of dependence; each step only itself. */
void fixture_relist(struct fixture *x);         /* the boot list's event from the others' names */
void fixture_write_log(struct fixture *x);
void fixture_replay(struct fixture *x);         /* registers from the events */
void fixture_fill_quote(struct fixture *x);     /* digest and extraData from the present state */
void fixture_sign_quote(struct fixture *x);
void fixture_fill_claims(struct fixture *x);
void fixture_sign_claims(struct fixture *x);
void fixture_pack(struct fixture *x);
/* The platform record's lengths and digests of log, policy and key file as they are. */
void fixture_fill_platform(struct fixture *x);
/* The bundle has a statement about each VM, as it begins; or one VM's own channel's, and the question is that. */
void fixture_state_all(struct fixture *x);
void fixture_state_one(struct fixture *x, int vm);
/* All of them after the log or the records changed. */
void fixture_rebuild(struct fixture *x);

/* Makes VM `reader` (none: VM_COUNT) introspect the attestor in policies written from now on. */
extern int fixture_reader;
void fixture_refer(struct fixture *x);          /* reference values = what is there */
void fixture_event_hash(struct fixture_event *e);
size_t fixture_write_policy(uint8_t *out, size_t size, const uint8_t (*manifest)[48]);

/* Appraises the packed bundle with the fixture's nonce; the platform's verdict. */
enum fault_code fixture_verify(struct fixture *x);

#endif
