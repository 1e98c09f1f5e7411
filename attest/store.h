/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's state: one SQLite file, its format in `PRAGMA user_version` (STORE_FORMAT).  The tables are in
 * store_schema.c.  Rollback journal: at rest there is one file and nothing else, and a process that dies leaves what
 * was committed last.  Several processes may work on it at once: each waits for the others, STORE_BUSY_MS at most.
 *
 * A machine is its attestation key (AK).  A VM is a machine and a name: the same name on two machines is two VMs.
 * Whatever belongs to a machine, its messages above all, reaches this machine's session only.
 *
 * What is decided is checked, signed, saved and queued between store_begin and store_end, in one transaction: it is
 * there whole or not at all, and what was read in it was not changed by anybody meanwhile.  Every other call here is a
 * transaction of its own unless one is open; "in a transaction" says that it must be.
 *
 * A process has one struct store for a file, and does not take it through fork.
 */
#ifndef ATTEST_STORE_H
#define ATTEST_STORE_H

#include <lazaret/lease.h>

#include "fault.h"
#include "verify.h"

#define STORE_FORMAT 1
#define STORE_APPLICATION 0x4c5a5256    /* "LZRV" */
#define STORE_BUSY_MS 20000
#define STORE_BY_MAX 64u
#define STORE_REASON_MAX 600u
#define STORE_SUBJECT_MAX 160u
#define STORE_PENDING_MAX 64u           /* TPMs that wait for an approval */
#define STORE_EVENTS_MAX 100000u        /* newest of a machine, and of all that belong to none */
#define STORE_ANSWERED_MAX 1000u        /* messages of a machine that the switch has answered */

struct sqlite3;

struct store {
	struct sqlite3 *db;
	int lock_fd;                    /* holds this process's session lock; open for as long as `db` is */
	int64_t session;                /* of this process, 0: none */
	bool writable;
	char path[4096];
};

/* --- the file (store.c) ------------------------------------------------------------------------------------------ */

/* Makes a new state; refuses if anything is there already. */
bool store_init(const char *path, struct fault *f);
/*
 * Opens a state.  Refuses one that is not there, is another user's, is damaged, is none, or has another format; makes
 * nothing.  A file that cannot be written is opened to be read: see store_writable.  store_close is right after a
 * failure, too.
 */
bool store_open(struct store *s, const char *path, struct fault *f);
/* For a command that will write: FAULT_INPUT if it cannot. */
bool store_writable(struct store *s, struct fault *f);
void store_close(struct store *s);

/* Nobody else writes from here on. */
bool store_begin(struct store *s, struct fault *f);
/* Commits if `good`, else takes everything back; false if it was not committed. */
bool store_end(struct store *s, bool good, struct fault *f);

/* The next number for a result, each once.  In a transaction, so that a number belongs to what was saved with it. */
bool store_next_serial(struct store *s, uint64_t *serial, struct fault *f);

/* --- machines (store_machine.c) ---------------------------------------------------------------------------------- */

struct store_machine {
	int64_t id;
	struct ak_record ak;
	int64_t enrolled_ms, proven_ms; /* since the epoch; proven_ms 0: no good evidence yet */
	int64_t approval;               /* by which it came in; 0: taken back since */
	bool open;                      /* a proven session of it is open now */
	char shown[13];                 /* how commands name it: the first digits of its AK's digest */
};

/* FAULT_AK_UNKNOWN if there is no such machine. */
bool store_find_machine(struct store *s, struct bytes ak_name, struct store_machine *out, struct fault *f);
/* The same, its AK only. */
bool store_load_ak(struct store *s, struct bytes ak_name, struct ak_record *out, struct fault *f);
/* All of them, in the order of enrolment, in memory that the caller frees. */
bool store_list_machines(struct store *s, struct store_machine **out, size_t *count, struct fault *f);
/*
 * A new machine; `id` receives its number.  One whose AK is known stays as it is, its clock above all: the same EK is
 * good, another is FAULT_EK_KEY.  In a transaction.
 */
bool store_add_machine(struct store *s, const struct ak_record *ak, int64_t approval, int64_t *id, struct fault *f);
/* Raises the clock to a good quote's.  FAULT_QUOTE_CLOCK if a newer one was seen meanwhile.  In a transaction. */
bool store_raise_clock(struct store *s, int64_t machine, const struct quote *q, struct fault *f);
/* Forgets the machine and all that is its.  In a transaction. */
bool store_forget_machine(struct store *s, int64_t machine, struct fault *f);
/* The digits that name a machine to people: the first 12 of the digest in its AK's Name. */
void store_show_machine(struct bytes ak_name, char out[13]);

/* --- who may enrol (store_approval.c) ---------------------------------------------------------------------------- */

enum store_approval_kind {
	STORE_APPROVE_EK = 1,           /* one TPM, by its endorsement key */
	STORE_APPROVE_ANY_OF = 2,       /* every TPM whose EK certificate leads to this one */
};

struct store_approval {
	int64_t id;
	enum store_approval_kind kind;
	uint8_t digest[SHA384_SIZE];    /* of the EK's SubjectPublicKeyInfo; ANY_OF: of the certificate */
	char subject[STORE_SUBJECT_MAX];
	char by[STORE_BY_MAX];
	int64_t made_ms;
	uint8_t *certificate;           /* ANY_OF: DER */
	size_t certificate_length;
};

struct store_pending {
	int64_t id;
	uint8_t ek[SHA384_SIZE];
	char subject[STORE_SUBJECT_MAX];
	int64_t first_ms, last_ms;
	int64_t tries;
};

/* Records an approval; what is approved already stays as it was recorded first.  `id` receives its number. */
bool store_approve(struct store *s, enum store_approval_kind kind, const uint8_t digest[SHA384_SIZE],
		   const char *subject, struct bytes certificate, int64_t *id, struct fault *f);
/* Takes one back, for enrolments to come; machines that came in by it stay.  FAULT_USAGE if there is none. */
bool store_unapprove(struct store *s, int64_t id, struct fault *f);
bool store_list_approvals(struct store *s, struct store_approval **out, size_t *count, struct fault *f);
void store_free_approvals(struct store_approval *list, size_t count);
/* The approval of one EK; 0: none. */
bool store_approval_of_ek(struct store *s, const uint8_t ek[SHA384_SIZE], int64_t *id, struct fault *f);
/* Notes a TPM that asked and is not approved.  At most STORE_PENDING_MAX; the one that asked longest ago goes. */
bool store_add_pending(struct store *s, const uint8_t ek[SHA384_SIZE], const char *subject, int64_t *id,
		       struct fault *f);
bool store_list_pending(struct store *s, struct store_pending **out, size_t *count, struct fault *f);

/* --- VMs, leases, revocations (store_vm.c) ----------------------------------------------------------------------- */

enum store_end_kind {
	STORE_END_NONE = 0,
	STORE_END_OPERATOR = 1,         /* revoked: no lease until an operator takes it back */
	STORE_END_WITHDRAWN = 2,        /* its appraisal turned bad: leases again when that is good */
};

struct store_vm {
	int64_t id, machine;
	char name[LZR_NAME_MAX];
	/* As the newest good platform's evidence has it. */
	int64_t seen_ms;
	bool has_port;                  /* takes leases */
	struct lzr_result told;         /* number, instance, label, name, measurement, policy, port nonce; type 0 */
	uint32_t port, port_state;      /* enum lzr_port_state */
	char verdict[STORE_REASON_MAX]; /* "good", or why not */
	uint64_t undone_instance;       /* whose block an operator took back; 0: none */
	/* The last lease. */
	bool has_lease;
	struct lzr_result lease;
	int64_t lease_ends_ms;          /* by this clock; 0: revoked, or the switch did not take it */
	/* Why its lease was ended. */
	enum store_end_kind end;
	uint64_t end_instance;          /* the instance that a revocation named last */
	int64_t end_ms;
	bool end_confirmed;             /* the switch has said that this instance is blocked */
	char end_reason[STORE_REASON_MAX], end_by[STORE_BY_MAX];
};

/* FAULT_USAGE if the machine has no VM of that name. */
bool store_find_vm(struct store *s, int64_t machine, const char *name, struct store_vm *out, struct fault *f);
/* All VMs of a machine (0: of all machines), in memory that the caller frees. */
bool store_list_vms(struct store *s, int64_t machine, struct store_vm **out, size_t *count, struct fault *f);
/*
 * What evidence told: a new VM, or news about one; vm->id and what the store knew of it are filled in.  A port that it
 * shows blocked confirms the end of that instance's lease.
 */
bool store_see_vm(struct store *s, struct store_vm *vm, struct fault *f);
/*
 * Saves a lease and queues its message for this process's session, and for no other: another would have drawn another
 * nonce.  Ends a WITHDRAWN end.  In a transaction.
 */
bool store_give_lease(struct store *s, const struct store_vm *vm, const struct lzr_result *lease,
		      const uint8_t message[LZR_RESULT_SIZE], struct fault *f);
/*
 * Records why the VM's lease ends, and queues the signed revocation in the place of earlier ones for that VM that the
 * switch has not answered, and of leases that were not sent.  An OPERATOR's end stays one.  In a transaction.
 */
bool store_end_lease(struct store *s, const struct store_vm *vm, enum store_end_kind kind, const char *reason,
		     const struct lzr_result *revocation, const uint8_t message[LZR_RESULT_SIZE], struct fault *f);
/* Takes an end back, and the block of the instance that evidence showed last.  In a transaction. */
bool store_undo_end(struct store *s, const struct store_vm *vm, struct fault *f);

/* --- sessions and the outbox (store_outbox.c) -------------------------------------------------------------------- */

/* Marks this process as holding a session; the mark goes with the process, however it ends. */
bool store_session_begin(struct store *s, struct fault *f);
/*
 * Good evidence of this machine came in it: from now on it is the machine's session, and another is not.
 * FAULT_PROTOCOL if another proved itself since this one did.  In a transaction.
 */
bool store_session_proven(struct store *s, int64_t machine, struct fault *f);
/* Still the machine's session?  False, without a fault, when a newer one proved itself or the machine is forgotten. */
bool store_session_current(struct store *s, int64_t machine, bool *current, struct fault *f);
bool store_session_end(struct store *s, struct fault *f);
/* A proven session of this machine is open, in whatever process. */
bool store_session_open(struct store *s, int64_t machine, bool *open, struct fault *f);

enum store_message_kind { STORE_MESSAGE_LEASE = 1, STORE_MESSAGE_REVOCATION = 2, STORE_MESSAGE_FILE = 3 };

struct store_message {
	int64_t id, machine, vm;        /* vm 0: a file's */
	enum store_message_kind kind;
	uint64_t serial;                /* as the result has it; a file's may be anything */
	uint32_t port;                  /* LZR_PORT_OF_VM: whichever its VM is on */
	uint8_t result[LZR_RESULT_SIZE];
	int64_t sent_ms;
	bool answered;
	uint32_t status, port_state;    /* the switch's answer */
};

/* Queues a signed result as it is; `id` receives the message's number. */
bool store_post(struct store *s, int64_t machine, uint32_t port, const uint8_t result[LZR_RESULT_SIZE], int64_t *id,
		struct fault *f);
/* The oldest message for this process's session, which takes it: nobody else gets it while the session lives. */
bool store_take_message(struct store *s, int64_t machine, struct store_message *out, bool *found, struct fault *f);
/* How many messages this session took that the switch has not answered. */
bool store_unanswered(struct store *s, unsigned int *count, struct fault *f);
/*
 * The switch's answer to a result that this session sent.  OK takes it out of the outbox; so does a refusal, which is
 * kept as one: what it was for is in the VM's row, and the next evidence makes a new message.  `found` false: no such
 * message waits here.  In a transaction.
 */
bool store_answer(struct store *s, uint64_t serial, uint32_t status, uint32_t port_state, struct store_message *out,
		  bool *found, struct fault *f);
bool store_find_message(struct store *s, int64_t id, struct store_message *out, bool *found, struct fault *f);
/* The newest revocation of a VM. */
bool store_last_revocation(struct store *s, int64_t vm, struct store_message *out, bool *found, struct fault *f);

/* --- what happened (store_log.c) --------------------------------------------------------------------------------- */

/* A line for the record; machine 0: nobody's that is known.  Inside a transaction it is there if that is. */
bool store_event(struct store *s, int64_t machine, struct fault *f, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Hands the events after number `after` to `each`, oldest first; returns the last one's number in `last`. */
bool store_each_event(struct store *s, int64_t after,
		      void (*each)(void *context, int64_t at_ms, const char *machine, const char *text), void *context,
		      int64_t *last, struct fault *f);

struct store_report {
	int64_t machine;
	int64_t at_ms;
	bool platform_good, all_good;   /* all_good: the platform and every VM */
	uint8_t nonce[NONCE_MAX];       /* what was sent, and the bundle answers */
	size_t nonce_length;
	struct bytes bundle;
	char *text, *json;
};

/* A machine has two: the last one with a good platform, and the last one without. */
bool store_save_report(struct store *s, const struct store_report *r, struct fault *f);
/* The newest of a machine, or of all (machine 0); FAULT_INPUT if there is none.  Release with store_free_report. */
bool store_load_report(struct store *s, int64_t machine, struct store_report *out, struct fault *f);
void store_free_report(struct store_report *r);

#endif
