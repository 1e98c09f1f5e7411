/* SPDX-License-Identifier: Apache-2.0 */
/* Verifier's sessions on one state, each a process of its own, and the machines that dial them. */
#ifndef ATTEST_SERVE_RIG_H
#define ATTEST_SERVE_RIG_H

#include <sys/types.h>

#include "fixture.h"
#include "../serve.h"

struct peer {
	struct fixture *x;              /* the machine */
	uint8_t port_nonce;             /* every byte of its ports' nonces, plus the VM's number; 0: the fixture's */
	uint32_t port_state[VM_COUNT];  /* that its evidence shows; 0: quarantined */
	int fd;
	pid_t verifier;
};

struct rig {
	struct key key;                 /* the verifier's */
	struct store store;             /* of this process: what operators see and do */
	char directory[64], state[96], reference[96];
	bool watch;                     /* sessions look at the file `reference` */
	int send_buffer;                /* bytes, of the verifier's socket; 0: the system's */
	unsigned int patience_seconds;
	uint64_t lease_ns;
	struct peer peer[2];            /* two machines, both enrolled */
	int64_t machine[2];
};

extern struct rig *rig;

/* For cmocka.  The second machine is made by rig_second(). */
int rig_setup(void **state);
int rig_teardown(void **state);
void rig_second(void);
/* Another connection of the same machine as `p`: its own session. */
struct peer rig_again(const struct peer *p);

/* Starts a verifier's process for `p`; its end, and the fault that ended it. */
void peer_dials(struct peer *p);
void peer_hangs_up(struct peer *p);
void peer_ended_with(struct peer *p, enum fault_code code);
/* The verifier's process is killed as by kill -9. */
void peer_verifier_dies(struct peer *p);

void peer_says(struct peer *p, uint16_t type, struct bytes payload);
uint16_t peer_hears(struct peer *p, uint8_t *payload, size_t size, size_t *length);
/* Nothing comes for this long. */
bool peer_hears_nothing(struct peer *p, int ms);
/* Says hello with its AK and takes the nonce. */
void peer_hello(struct peer *p);
void peer_takes_challenge(struct peer *p);
/* Evidence for that nonce, with the ports' states and nonces as they stand in `p`. */
void peer_shows(struct peer *p);
/* The three. */
void peer_proves(struct peer *p);
void peer_renews(struct peer *p);
/* The same, with the next wish for a challenge in the same breath as the evidence. */
void peer_renews_late(struct peer *p);

/* The next result, and the switch's answer to it. */
struct lzr_result peer_gets_result(struct peer *p);
void peer_answers(struct peer *p, const struct lzr_result *r, uint32_t status, uint32_t port_state);
/* Takes the two leases that good evidence earns, red's and blue's, and says that they were taken. */
void peer_takes_leases(struct peer *p);

/* Until the record has such a line of machine `n` (0, 1; -1: whichever's). */
void rig_waits_for_event(int n, const char *text);
bool rig_has_event(const char *text);
struct store_vm rig_vm(int n, const char *name);
/* Signs and queues a revocation as `lzr-verify revoke` does. */
void rig_revokes(int n, const char *name);
/* Queues a message that is none of a VM's; its serial. */
void rig_posts(int n, uint64_t serial);
/* Messages of machine `n` that the switch has not answered. */
unsigned int rig_outbox(int n);
/* Writes the machine's reference values to rig->reference, without the line of image `without` (NULL: all). */
void rig_refers(const struct reference *r, const char *without);

#endif
