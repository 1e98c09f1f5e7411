/* SPDX-License-Identifier: MIT */
/*
 * Links: what the hypervisor's virtqueue router carries between two VMs.
 *
 * A link joins one queue pair of a virtio device in VM A with one queue pair of a virtio device in VM B.  Pair n of a
 * device is queue 2n (receive) and queue 2n+1 (transmit).  The hypervisor copies each transmit chain of one end into
 * one receive chain of the other; it knows nothing of what the bytes mean, and no page is ever mapped in two VMs.
 *
 * An end is either raw (an ordinary Linux virtio driver) or a service end.  At a service end every element starts with
 * the end's constant prefix (from the manifest; empty for bare-metal services, 26 bytes of virtio-net and Ethernet
 * header for a Linux service that uses a packet socket) and struct lzr_msg.  On transmit the prefix is skipped unread.
 * All integers are little-endian.
 */
#ifndef LAZARET_LINK_H
#define LAZARET_LINK_H

#include <lazaret/boot.h>
#include <lazaret/label.h>

#define LZR_MSG_MAGIC 0x314d5a4cu       /* "LZM1" */
#define LZR_MSG_PAYLOAD_MAX 4096u       /* payload bytes of a message, at most */
#define LZR_LINK_ETHERTYPE 0x88b5u      /* in a Linux service's prefix (IEEE 802 local experimental) */

enum lzr_msg_type {
	LZR_MSG_DATA = 1,       /* either way: payload for or from the peer's posted (one-way) chains */
	LZR_MSG_UP = 2,         /* to service: the peer's driver is ready; payload struct lzr_peer; a new generation */
	LZR_MSG_DOWN = 3,       /* to service: the peer reset its device, stopped or died; its chains are void */
	LZR_MSG_REQUEST = 4,    /* to service: a chain with writable bytes awaits COMPLETE; `token`, `capacity` set */
	LZR_MSG_COMPLETE = 5,   /* from service: answers a REQUEST of this generation, once; length <= capacity */
	LZR_MSG_HELLO = 6,      /* from service: "I know nothing": UP comes again, unanswered requests end; no payload,
	                         * all other fields zero.  For a service whose driver was ready before it listened */
};

/*
 * A message from a service counts only when magic, link, peer, instance and generation are those of the UP that it was
 * told last and that still holds (and, for COMPLETE, the token is outstanding and the length within its capacity);
 * otherwise it is dropped and counted.
 *
 * UP comes before anything else of a generation, and DOWN before the next UP; changes that the service had no receive
 * chains for become one.  A chain that carries writable bytes on a raw end's transmit queue is a REQUEST; when the
 * service goes away, its unanswered requests end with no bytes written.  What a raw end sends while its peer is not
 * ready is dropped.  A sender waits for receive chains of its peer, but a service never waits for a raw end: without a
 * receive chain there, or with one that is too small, its message is dropped.
 */
struct lzr_msg {
	uint32_t magic;
	uint16_t type;          /* enum lzr_msg_type */
	uint16_t reserved;      /* zero */
	uint32_t link;          /* link number, from the policy's order */
	uint32_t peer;          /* VM number of the other end */
	uint64_t instance;      /* of the peer VM; rises at each of its starts */
	uint32_t generation;    /* of the peer's device; rises at each DRIVER_OK */
	uint32_t token;         /* REQUEST, COMPLETE: the chain; else 0 */
	uint32_t length;        /* payload bytes that follow this header */
	uint32_t capacity;      /* REQUEST: writable bytes of the chain; else 0 */
};
_Static_assert(sizeof(struct lzr_msg) == 40, "link message layout");
_Static_assert(offsetof(struct lzr_msg, instance) == 16, "link message layout");

#define LZR_PEER_SERVICE 1u             /* the policy makes it a service VM */

/* Payload of LZR_MSG_UP: who is at the other end, in the hypervisor's words.  A switch believes only this. */
struct lzr_peer {
	uint32_t vm;                            /* VM number */
	uint32_t flags;                         /* LZR_PEER_* */
	uint64_t instance;
	struct lzr_label label;                 /* the link's: what flows on it; a single-level VM's own, too */
	struct lzr_label vm_label;              /* the VM's own, as its evidence and a lease have it */
	char name[LZR_NAME_MAX];                /* VM name */
	uint8_t measurement[LZR_DIGEST_SIZE];   /* SHA-384 of the VM's manifest */
	uint8_t policy[LZR_DIGEST_SIZE];        /* SHA-384 of the policy */
};
_Static_assert(sizeof(struct lzr_peer) == 192, "peer layout");
_Static_assert(offsetof(struct lzr_peer, measurement) == 96, "peer layout");

/*
 * The virtio-pci 1.x transport of every virtual device: one I/O BAR (BAR 0, 128 bytes) with fixed offsets, one 4 KiB
 * memory BAR (BAR 1) that is plain guest RAM and holds the MSI-X table at 0 and the pending bits at 0x800.
 * notify_off_multiplier is 0: every queue is notified at LZR_VIRTIO_NOTIFY with its number.
 */
#define LZR_VIRTIO_COMMON 0x00u
#define LZR_VIRTIO_ISR 0x38u
#define LZR_VIRTIO_DEVICE 0x40u
#define LZR_VIRTIO_DEVICE_MAX 32u
#define LZR_VIRTIO_NOTIFY 0x60u
#define LZR_VIRTIO_BAR_SIZE 0x80u
#define LZR_VIRTIO_QUEUE_MAX 256u       /* descriptors a queue, at most */

#define LZR_VIRTIO_PCI_VENDOR 0x1af4u
#define LZR_VIRTIO_PCI_NET 0x1041u
#define LZR_VIRTIO_PCI_CONSOLE 0x1043u
#define LZR_VIRTIO_PCI_LINK 0x107fu     /* bare-metal service device: pairs of link queues, no device configuration */

#endif
