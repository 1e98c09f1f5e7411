/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a session share: serve.c talks, serve_enrol.c enrols, serve_judge.c appraises and decides. */
#ifndef ATTEST_SERVE_INTERNAL_H
#define ATTEST_SERVE_INTERNAL_H

#include <time.h>

#include "ekcert.h"
#include "serve.h"

struct server {
	const struct serve_options *o;
	int out;
	/* Who it is: the AK that its first word named.  Evidence and enrolment are of this one, or refused. */
	uint8_t ak_name[TPM_NAME_MAX];
	size_t ak_name_length;
	int64_t machine;                /* 0: not enrolled */
	struct enrolment enrolment;
	uint8_t ek_certificate[EKCERT_MAX];
	size_t ek_certificate_length;
	/* The challenge. */
	uint8_t nonce[NONCE_MIN];
	time_t nonce_until;             /* 0: none outstanding */
	bool renewal;                   /* the attestor wants another one */
	bool proven;                    /* a quote of that AK over our nonce came in this session */
	time_t until;                   /* when the next good evidence must have come */
	unsigned int frames_left;
	/* Results that the switch has not answered. */
	unsigned int unanswered;
	time_t answer_until;
	time_t evidence_until;          /* a revocation named an old nonce: when evidence must have told a new; 0 */
	/* The last good bundle, to be judged again when the reference values change. */
	uint8_t *last;
	size_t last_length;
	uint8_t last_nonce[NONCE_MIN];
	struct verify_report report;
	/* Reference values: the options', or `read` as the file is now. */
	const struct reference *reference;
	struct reference *read;
	uint8_t reference_digest[SHA384_SIZE];
	time_t looked;
	time_t unreadable_since;        /* 0: it can be read */
	bool unreadable_told, unreadable_ended;
	/* Why the session ends once the switch has answered what was sent. */
	struct fault closing;
};

#define SERVE_PATIENCE_SECONDS 120

time_t serve_now(void);
unsigned int serve_patience(const struct server *s);
void serve_expect_evidence(struct server *s, uint64_t seconds);
/* Tells the peer and the record why; returns false. */
bool serve_refuse(struct server *s, const struct fault *why);
/* Sends a fresh nonce. */
bool serve_challenge(struct server *s, struct fault *f);

bool serve_hello(struct server *s, struct bytes payload, struct fault *f);
bool serve_endorsement(struct server *s, struct bytes payload, struct fault *f);
bool serve_activated(struct server *s, struct bytes payload, struct fault *f);

bool serve_evidence(struct server *s, struct bytes bundle, struct fault *f);
/* Looks at the reference file; what it no longer says ends the leases that rested on it. */
bool serve_watch(struct server *s, struct fault *f);

#endif
