/* SPDX-License-Identifier: Apache-2.0 */
/* The virtqueue router: links between queue pairs of virtual devices (lazaret/link.h).  Lock order: link.c. */
#ifndef HV_LINK_H
#define HV_LINK_H

#include "virtio.h"

/* A chain of a raw end that its service has not answered yet; its number is the chain's head. */
struct link_slot {
	uint16_t capacity;      /* writable bytes the service was told; 0: no request outstanding */
	uint16_t sequence;      /* upper half of the token, so that an old answer does not fit a later request */
};

struct link_end {
	struct link *link;              /* [I] */
	struct link_end *peer;          /* [I] */
	struct vdev *vdev;              /* [I] */
	unsigned pair;                  /* [I] */
	struct link_slot *slots;        /* [d] LZR_VIRTIO_QUEUE_MAX of them, used when raw and the peer is a service */
	unsigned outstanding;           /* [d] slots in use */
	uint64_t drops;                 /* [d] of what it transmitted */
	bool awaited;                   /* [d] the peer waits for receive chains here */
	uint32_t told;                  /* [d] service: the peer's generation it knows to be up; 0: none */
	uint64_t told_instance;         /* [d] service: and the instance */
};

struct link {
	unsigned number;                /* [I] in machine.links */
	struct link_end end[2];         /* [I] */
};

extern struct link links[LZR_LINK_MAX];

static inline struct virtqueue *link_end_receive(const struct link_end *end)
{
	return &end->vdev->queues[2 * end->pair];
}

static inline struct virtqueue *link_end_transmit(const struct link_end *end)
{
	return &end->vdev->queues[2 * end->pair + 1];
}

static inline bool link_end_is_service(const struct link_end *end)
{
	return end->vdev->config->service;
}

/* link_move.c, both VMs' locks held. */

/* Moves what `from` transmits; true when its allowance is used up and chains are left. */
HV_MUST_CHECK bool link_move(struct link_end *from);
/* Tells a service end whether its peer is up, as far as it has receive chains. */
void link_tell(struct link_end *end);
/* Answers the requests of a raw end whose service is gone. */
void link_requests_fail(struct link_end *end);

/* link.c */

/* The device was reset (its VM's lock held): forget what was under way. */
void link_end_reset(struct link_end *end);
/* The device became ready or stopped being so (its VM's lock held): its links will be looked at by links_poll. */
void link_vdev_changed(struct vdev *vdev);
/* The driver notified a queue; no lock held. */
void link_notify(struct vdev *vdev, guest_number_t number);
/* Delivers the device's pending interrupts, or leaves them to links_poll; no lock held. */
void link_deliver(struct vdev *vdev);

#endif
