/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service end of a link (lazaret/link.h) as a Linux service sees it: a virtio-net interface whose frames carry one
 * message each, reached by a packet socket.  Who is at the other end comes in LZR_MSG_UP and from nowhere else.
 */
#ifndef ATTEST_LINK_H
#define ATTEST_LINK_H

#include <lazaret/link.h>

#include "digest.h"
#include "fault.h"

#define LINK_PAYLOAD_MAX 1024u  /* what this service puts into one message */

struct link {
	int fd;
	char interface[16];
	bool up;
	struct lzr_msg address;         /* of the peer's present generation */
	struct lzr_peer peer;           /* valid while up */
};

/* Brings the interface up and opens it, without waiting on reads. */
bool link_open(struct link *l, const char *interface, struct fault *f);

enum link_event { LINK_NOTHING, LINK_DATA, LINK_UP, LINK_DOWN };
/* Takes one message; LINK_DATA: its payload lies in `buffer`. */
enum link_event link_receive(struct link *l, uint8_t buffer[LZR_MSG_PAYLOAD_MAX], struct bytes *payload);
/* One message of at most LINK_PAYLOAD_MAX bytes; false if the peer is down or the queue is full. */
bool link_send(struct link *l, struct bytes payload);

/* The message in a frame; used by link_receive, and by tests. */
enum link_event link_parse(struct link *l, struct bytes frame, struct bytes *payload);
/* The frame of a message to the present peer; returns its length. */
size_t link_frame(const struct link *l, struct bytes payload, uint8_t *out, size_t size);

#endif
