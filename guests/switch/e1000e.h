/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver of an Intel 82574 network card (e1000e) with legacy descriptors: polled, with an interrupt only for who waits.
 * Buffers go in and out by pointer; DMA addresses are guest-physical.  What the card writes into descriptors is
 * checked.
 */
#ifndef SWITCH_E1000E_H
#define SWITCH_E1000E_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

#define E1000E_VENDOR 0x8086u
#define E1000E_RING 64u                 /* receive descriptors: a multiple of 8 */
#define E1000E_TX_RING 128u             /* and those to transmit: more than a network has ports (fair.h) */

struct e1000e_rx {
	uint64_t address;
	uint16_t length;
	uint16_t checksum;
	uint8_t status;
	uint8_t errors;
	uint16_t special;
};
_Static_assert(sizeof(struct e1000e_rx) == 16, "receive descriptor layout");

struct e1000e_tx {
	uint64_t address;
	uint16_t length;
	uint8_t checksum_offset;
	uint8_t command;
	uint8_t status;
	uint8_t checksum_start;
	uint16_t special;
};
_Static_assert(sizeof(struct e1000e_tx) == 16, "transmit descriptor layout");

struct e1000e {
	_Alignas(128) volatile struct e1000e_rx rx[E1000E_RING];
	_Alignas(128) volatile struct e1000e_tx tx[E1000E_TX_RING];
	struct buffer *rx_buffers[E1000E_RING];
	struct buffer *tx_buffers[E1000E_TX_RING];
	uint64_t registers;             /* address of BAR 0 */
	uint32_t rx_next;               /* next descriptor the card fills */
	uint32_t rx_posted;             /* descriptors the card has */
	uint32_t rx_tail;               /* next descriptor to post */
	uint32_t tx_clean;              /* oldest descriptor not taken back */
	uint32_t tx_tail;               /* next descriptor to fill */
	uint32_t tx_told;               /* tail that the card knows */
	bool msix;
	bool in_pieces;                 /* inside a frame of several descriptors, which is dropped */
	uint64_t bad;                   /* frames the card marked bad or cut in pieces */
};

/* Resets the card in this slot and starts it with empty rings; NULL, or what is wrong. */
const char *e1000e_open(struct e1000e *nic, unsigned slot);
/* Posts buffers from the pool until the receive ring is full. */
void e1000e_refill(struct e1000e *nic);
/*
 * The next frame received: the buffer is the caller's, the frame lies at BUFFER_FRAME, its bytes in `*length`.  NULL
 * when there is none.
 */
struct buffer *e1000e_receive(struct e1000e *nic, uint32_t *length);
/* Queues `length` bytes at BUFFER_FRAME; the buffer is the driver's then.  False, and still the caller's: ring full. */
bool e1000e_send(struct e1000e *nic, struct buffer *buffer, uint32_t length);
/* Tells the card about what was queued. */
void e1000e_tell(struct e1000e *nic);
/* The next buffer that was sent, the caller's again; NULL when there is none. */
struct buffer *e1000e_sent(struct e1000e *nic);
/* Interrupts on (before waiting) or off. */
void e1000e_interrupts(struct e1000e *nic, bool on);
/* Is there something to receive or to take back? */
bool e1000e_has_work(const struct e1000e *nic);

#endif
