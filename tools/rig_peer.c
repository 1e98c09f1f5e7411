/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire with a hand on it: the card, QEMU's own network, and a test's end, each by a pair of datagram sockets
 * (qemu(1), -netdev dgram).  What the test sends goes to the card alone: QEMU's network takes every frame for its own,
 * whatever its address.  What the card sends to an address that the test has used goes to the test alone; all else to
 * both.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig_internal.h"

#define FRAME_MAX 65536u
#define WAIT_MS 100

enum { CARD, NETWORK, TEST, ENDS };

struct rig_wire {
	int ours[ENDS], theirs[ENDS];   /* theirs: QEMU's two, until it has them, and the test's */
	pthread_t pump;
	atomic_bool going;
	bool has_mac;
	uint8_t mac[6];                 /* the last that the test sent from */
	uint8_t frame[FRAME_MAX];
};

struct rig_wire *rig_wire_make(int *card, int *network)
{
	struct rig_wire *w = calloc(1, sizeof(*w));

	for (unsigned i = 0; w && i < ENDS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0 || fcntl(pair[0], F_SETFD, FD_CLOEXEC) != 0 ||
		    fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
			abort();
		w->ours[i] = pair[0];
		w->theirs[i] = pair[1];
	}
	if (!w || fcntl(w->theirs[TEST], F_SETFD, FD_CLOEXEC) != 0 || fcntl(w->theirs[TEST], F_SETFL, O_NONBLOCK) != 0)
		abort();
	*card = w->theirs[CARD];
	*network = w->theirs[NETWORK];
	return w;
}

/* One that is not taken at once is lost, as on any wire; but the card gets its time. */
static void give(struct rig_wire *w, unsigned end, size_t length)
{
	struct pollfd p = { .fd = w->ours[end], .events = POLLOUT };

	while (send(w->ours[end], w->frame, length, MSG_NOSIGNAL) < 0)
		if (end != CARD || (errno != EAGAIN && errno != ENOBUFS) || poll(&p, 1, WAIT_MS) != 1)
			return;
}

static void pass(struct rig_wire *w, unsigned from)
{
	const ssize_t n = recv(w->ours[from], w->frame, sizeof(w->frame), 0);
	const size_t length = n < 14 ? 0 : (size_t)n;

	if (!length)
		return;
	if (from == TEST) {
		memcpy(w->mac, w->frame + 6, sizeof(w->mac));
		w->has_mac = true;
		give(w, CARD, length);
		return;
	}
	give(w, TEST, length);
	if (from == NETWORK)
		give(w, CARD, length);
	else if (!w->has_mac || memcmp(w->frame, w->mac, sizeof(w->mac)) != 0)
		give(w, NETWORK, length);
}

static void *pump(void *argument)
{
	struct rig_wire *w = argument;

	while (w->going) {
		struct pollfd p[ENDS];

		for (unsigned i = 0; i < ENDS; i++)
			p[i] = (struct pollfd){ .fd = w->ours[i], .events = POLLIN };
		if (poll(p, ENDS, WAIT_MS) < 1)
			continue;
		for (unsigned i = 0; i < ENDS; i++)
			if (p[i].revents & POLLIN)
				pass(w, i);
	}
	return NULL;
}

void rig_wire_start(struct rig_wire *w)
{
	close(w->theirs[CARD]);
	close(w->theirs[NETWORK]);
	w->theirs[CARD] = w->theirs[NETWORK] = -1;
	w->going = true;
	if (pthread_create(&w->pump, NULL, pump, w))
		abort();
}

void rig_wire_end(struct rig_wire *w)
{
	if (!w)
		return;
	if (w->going) {
		w->going = false;
		pthread_join(w->pump, NULL);
	}
	for (unsigned i = 0; i < ENDS; i++) {
		close(w->ours[i]);
		if (w->theirs[i] >= 0)
			close(w->theirs[i]);
	}
	free(w);
}

int rig_peer(struct rig *rig, unsigned uplink)
{
	return rig->wire[uplink] ? rig->wire[uplink]->theirs[TEST] : -1;
}
