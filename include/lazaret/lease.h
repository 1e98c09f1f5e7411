/* SPDX-License-Identifier: MIT */
/*
 * Admission: the verifier's signed results, and the control channel between attestor and switch.
 *
 * A result is a COSE_Sign1 (RFC 9052, section 4.2) with deterministic encoding, protected header {1: -35} (ES384),
 * empty unprotected header, and a payload that is exactly one struct lzr_result.  Every field has a fixed size, so the
 * whole message has: LZR_RESULT_HEAD, the payload, LZR_RESULT_TAIL, 96 bytes of signature (r || s).  The switch
 * compares head and tail byte by byte and needs no CBOR decoder.  The bytes that are signed: LZR_RESULT_TBS, then the
 * payload (RFC 9052, section 4.4).  All integers are little-endian.
 */
#ifndef LAZARET_LEASE_H
#define LAZARET_LEASE_H

#include <lazaret/boot.h>
#include <lazaret/label.h>

#define LZR_PORT_NONCE_SIZE 32
#define LZR_RESULT_MAGIC "LZRRES1"

enum lzr_result_type {
	LZR_RESULT_LEASE = 1,
	LZR_RESULT_REVOCATION = 2,      /* port_nonce: the last one the verifier answered for this instance */
};

struct lzr_result {
	char magic[8];
	uint32_t type;                          /* enum lzr_result_type */
	uint32_t vm;                            /* VM number */
	uint64_t instance;
	struct lzr_label label;
	char name[LZR_NAME_MAX];
	uint8_t measurement[LZR_DIGEST_SIZE];
	uint8_t policy[LZR_DIGEST_SIZE];
	uint8_t port_nonce[LZR_PORT_NONCE_SIZE];
	uint64_t duration_ns;                   /* lease, counted from the port nonce's issue; 0 in a revocation */
	uint64_t serial;                        /* the verifier's own counter, for its log; nothing in the switch */
};
_Static_assert(sizeof(struct lzr_result) == 232, "result layout");
_Static_assert(offsetof(struct lzr_result, port_nonce) == 184, "result layout");

/* tag 18, array(4), bstr(4) protected {1: -35}, map(0) unprotected, bstr(232) payload */
#define LZR_RESULT_HEAD { 0xd2, 0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x58, 0xe8 }
#define LZR_RESULT_HEAD_SIZE 10
/* bstr(96) signature */
#define LZR_RESULT_TAIL { 0x58, 0x60 }
#define LZR_RESULT_TAIL_SIZE 2
/* array(4), "Signature1", protected, external_aad empty, bstr(232) */
#define LZR_RESULT_TBS { 0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1', \
	0x44, 0xa1, 0x01, 0x38, 0x22, 0x40, 0x58, 0xe8 }
#define LZR_RESULT_TBS_SIZE 20
#define LZR_RESULT_SIZE (LZR_RESULT_HEAD_SIZE + 232 + LZR_RESULT_TAIL_SIZE + 96)

/*
 * Control channel: payloads of LZR_MSG_DATA between attestor and switch, one struct lzr_control_message each (the
 * result bytes behind it in CONTROL_RESULT).  The attestor asks, the switch answers each message with one of the same
 * op and seq.
 */
enum lzr_control_op {
	LZR_CONTROL_NONCE = 1,  /* draw a new nonce for `port` (rate-limited); answer: port state with the nonce */
	LZR_CONTROL_RESULT = 2, /* LZR_RESULT_SIZE bytes follow; answer: status, and the port's state after it */
	LZR_CONTROL_STATE = 3,  /* answer: the port's state and counters, nothing changes */
	LZR_CONTROL_RULE = 4,   /* `port`: a rule, or the number of rules + a network; answer: frames_in says how many
				   packets it decided on, or that none of the network's rules fitted */
};

enum lzr_control_status {
	LZR_CTL_OK = 0,
	LZR_CTL_NO_PORT = 1,            /* no such port, or no VM on it */
	LZR_CTL_RATE = 2,               /* too soon; the outstanding nonce stays */
	LZR_CTL_MALFORMED = 3,          /* size, head, tail, magic or type */
	LZR_CTL_SIGNATURE = 4,          /* by none of the verifier keys that are pinned for the port */
	LZR_CTL_WRONG_VM = 5,           /* name or number is not that of the port's VM */
	LZR_CTL_WRONG_INSTANCE = 6,
	LZR_CTL_WRONG_MEASUREMENT = 7,
	LZR_CTL_WRONG_LABEL = 8,
	LZR_CTL_WRONG_POLICY = 9,
	LZR_CTL_WRONG_NONCE = 10,       /* not the outstanding one (void, used, another port's) */
	LZR_CTL_EXPIRED = 11,           /* duration over already */
	LZR_CTL_DURATION = 12,          /* zero or beyond the policy's maximum */
	LZR_CTL_KIND = 13,              /* an infrastructure port takes no lease */
	LZR_CTL_SHUT = 14,              /* its lease ran out, and the policy wants the VM to start anew then */
};

enum lzr_port_state {
	LZR_PORT_DOWN = 0,              /* no VM instance there */
	LZR_PORT_QUARANTINED = 1,
	LZR_PORT_ADMITTED = 2,
	LZR_PORT_BLOCKED = 3,           /* revoked: stays closed until the instance changes or a new lease; or shut at
					   its lease's end: until the instance changes */
	LZR_PORT_INFRASTRUCTURE = 4,
};

struct lzr_control_message {
	uint32_t op;                    /* enum lzr_control_op */
	uint32_t seq;                   /* the asker's; echoed */
	uint32_t port;                  /* port number: index in the switch configuration */
	uint32_t status;                /* answer: enum lzr_control_status; request: 0 */
	uint32_t state;                 /* answer: enum lzr_port_state */
	uint32_t vm;                    /* answer: VM number */
	uint64_t instance;              /* answer */
	uint64_t lease_left_ns;         /* answer: 0 unless admitted */
	uint8_t nonce[LZR_PORT_NONCE_SIZE];     /* answer to NONCE: the outstanding nonce; zero if none */
	uint64_t frames_in;             /* answer: frames taken from the VM and forwarded */
	uint64_t frames_out;            /* answer: frames delivered to the VM */
	uint64_t dropped_quarantine;    /* answer: frames dropped because the port, or the other end's, was closed */
	uint64_t dropped_label;         /* answer: ... because the labels differ */
	uint64_t dropped_spoof;         /* answer: ... because MAC, IPv4 or ARP sender was not the port's own */
	uint64_t dropped_rules;         /* answer: ... because the network's rules do not allow them */
	uint64_t dropped_rate;          /* answer: ... because they are more than port, network or inspection may */
	uint64_t dropped_other;         /* answer: malformed, no destination, endpoint not listed, full queue */
};
_Static_assert(sizeof(struct lzr_control_message) == 136, "control message layout");
_Static_assert(offsetof(struct lzr_control_message, nonce) == 40, "control message layout");

#endif
