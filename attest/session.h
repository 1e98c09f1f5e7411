/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session between attestor and verifier, over any stream: frames of a 12-byte header and a payload.  The attestor
 * dials. Nothing here is believed for having come over the session: evidence, credentials and results carry their own
 * proof. docs/evidence.md, "Session", has the payloads.
 */
#ifndef ATTEST_SESSION_H
#define ATTEST_SESSION_H

#include "digest.h"
#include "evidence.h"
#include "fault.h"

#define SESSION_MAGIC 0x31535a4cu       /* "LZS1" */
#define SESSION_VERSION 1u

struct session_header {         /* little-endian */
	uint32_t magic;
	uint16_t version;
	uint16_t type;          /* enum session_type */
	uint32_t length;        /* of the payload */
};
_Static_assert(sizeof(struct session_header) == 12, "session header layout");

enum session_type {
	SESSION_HELLO = 1,              /* attestor: [AK name] */
	SESSION_ENROL = 2,              /* verifier: the AK is not enrolled; no payload */
	SESSION_ENDORSEMENT = 3,        /* attestor: [EK certificate, EK public area, AK public area] */
	SESSION_CREDENTIAL = 4,         /* verifier: [credential blob, encrypted seed] */
	SESSION_ACTIVATED = 5,          /* attestor: [secret] */
	SESSION_CHALLENGE = 6,          /* verifier: [nonce] */
	SESSION_EVIDENCE = 7,           /* attestor: a bundle with a statement for each VM */
	SESSION_RESULT = 8,             /* verifier: [port, result] */
	SESSION_STATUS = 9,             /* attestor: [serial, VM, status, port state, lease left]: the switch's word */
	SESSION_RENEW = 10,             /* attestor: asks for a challenge; no payload */
	SESSION_REFUSED = 11,           /* either: [text]; then the sender closes */
	SESSION_ASK = 12,               /* guest, on its own channel: struct session_ask, nonce, key */
};

/* What a guest sends to its attestor; fixed layout, little-endian, so that the client needs no CBOR. */
struct session_ask {
	uint32_t nonce_length;
	uint32_t key_length;            /* SubjectPublicKeyInfo to be bound; 0: none */
};
_Static_assert(sizeof(struct session_ask) == 8, "ask layout");

/* Port number of a SESSION_RESULT that is meant for whatever port its VM is on. */
#define LZR_PORT_OF_VM 0xffffffffu

#define SESSION_PAYLOAD_MAX EVIDENCE_BUNDLE_MAX
#define SESSION_SMALL_MAX 8192u         /* any payload but a bundle */
#define SESSION_ASK_MAX (sizeof(struct session_ask) + NONCE_MAX + EVIDENCE_VM_KEY_MAX)

/* Collects a frame from a stream that comes in pieces. */
struct session_input {
	uint8_t *data;          /* SESSION_PAYLOAD_MAX or less, the owner's */
	size_t size;
	size_t used;
};

enum session_poll { SESSION_MORE, SESSION_FRAME, SESSION_BAD };

/*
 * Looks for a whole frame at the start of what was collected.  SESSION_BAD: not our protocol or too long; the stream is
 * lost. After SESSION_FRAME was handled, session_drop() forgets it.
 */
enum session_poll session_frame(const struct session_input *in, uint16_t *type, struct bytes *payload, struct fault *f);
void session_drop(struct session_input *in);

/* Header into `out`. */
void session_put_header(uint8_t out[sizeof(struct session_header)], uint16_t type, size_t length);
/* Whole frame to a file descriptor, non-blocking or not; waits five seconds at most if it is. */
bool session_send(int fd, uint16_t type, struct bytes payload, struct fault *f);

/* Payloads that are an array of byte strings, at most four. */
size_t session_put_strings(uint8_t *out, size_t size, const struct bytes *strings, size_t count);
bool session_get_strings(struct bytes payload, struct bytes *strings, const size_t *max, size_t count, struct fault *f);
/* ... of unsigned integers. */
size_t session_put_numbers(uint8_t *out, size_t size, const uint64_t *numbers, size_t count);
bool session_get_numbers(struct bytes payload, uint64_t *numbers, size_t count, struct fault *f);

#endif
