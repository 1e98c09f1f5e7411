/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame buffers.  A buffer has one owner at a time: the pool, a receive ring, a transmit ring, or the function at work
 * on it.  There are as many buffers as all rings together hold, so nobody can starve anybody of them.
 *
 * Layout for a frame on its way: struct lzr_msg, virtio-net header, Ethernet frame.  An uplink receives the frame at
 * its place, so that headers only have to be written in front.
 */
#ifndef SWITCH_POOL_H
#define SWITCH_POOL_H

#include <stdint.h>

#include <lazaret/link.h>

#define NET_HEADER 12u                  /* struct virtio_net_hdr with num_buffers */
#define BUFFER_SIZE 2048u
#define BUFFER_PAYLOAD (sizeof(struct lzr_msg))
#define BUFFER_FRAME (BUFFER_PAYLOAD + NET_HEADER)

struct buffer {
	_Alignas(64) uint8_t bytes[BUFFER_SIZE];
};

/* Hands all `count` buffers at `memory` to the pool; count is at most POOL_MAX. */
#define POOL_MAX 7168u
void pool_init(struct buffer *memory, uint32_t count);
/* A buffer, or NULL when there is none. */
struct buffer *pool_get(void);
/* Gives a buffer back. */
void pool_put(struct buffer *buffer);
/* Who sent what is in it, a number below 256; the pool only remembers it. */
void pool_set_source(const struct buffer *buffer, unsigned source);
unsigned pool_source(const struct buffer *buffer);
/* Buffers that the pool holds now. */
uint32_t pool_count(void);

#endif
