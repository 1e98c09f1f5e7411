/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for the drivers of bare-metal VMs, linked in place of guests/rt/io.c: PCI configuration space, the link
 * device's I/O BAR with the hypervisor's end of its queues, MSI-X tables, and network cards whose other end is the
 * test.
 */
#ifndef TEST_FAKE_H
#define TEST_FAKE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lazaret/link.h>

#include "e1000e.h"
#include "virtq.h"

#define FAKE_LINK_SLOT 6u
#define FAKE_NIC_SLOT 4u                /* the second card is in the next slot */
#define FAKE_NICS 2u
#define FAKE_QUEUES 32u
#define FAKE_BAR 0xc300u

struct fake_queue {
	uint64_t address[3];            /* descriptors, available, used */
	uint16_t size;
	uint16_t vector;
	bool enabled;
	uint16_t taken;                 /* available entries the device took */
	unsigned notified;
};

struct fake_nic {
	uint32_t registers[0x6000 / 4];
	uint32_t rx_head, tx_head;      /* the card's */
	unsigned told;                  /* writes of its transmit tail */
	bool stuck;                     /* never comes out of reset */
};

struct fake_label {
	uint64_t level, categories;
};

extern struct fake {
	uint8_t config[32][256];
	uint32_t address;
	uint8_t status;
	uint32_t feature_select, driver_select;
	uint64_t features, driver_features;
	uint16_t queue_count, queue_size, queue_select;
	struct fake_queue queues[FAKE_QUEUES];
	uint32_t msix_table[3][16];
	struct fake_nic nics[FAKE_NICS];
	unsigned lines;                 /* printed */
	char panic[160];
	struct fake_label labels[FAKE_NICS];    /* of the cards, in the policy */
	uint64_t clock;                 /* what rt_clock says, and how far each look moves it */
	uint64_t tick;
	bool refuse_vector, refuse_features, refuse_start;
} fake;

/* A machine with a link device of 16 pairs and two cards. */
void fake_reset(void);
/* The next rt_panic comes back here: setjmp(fake_panic) first. */
extern jmp_buf fake_panic;

/* The hypervisor puts `length` bytes into the next receive chain of a queue; false when there is none. */
bool fake_put(unsigned queue, const void *data, uint32_t length);
/* The hypervisor takes the next transmit chain; its bytes, or -1. */
int fake_take(unsigned queue, uint8_t *out, uint32_t capacity);

/* A frame arrives at a card; false when it has no descriptor.  `status` and `errors` as the card would write them. */
bool fake_arrive(unsigned nic, const void *data, uint16_t length, uint8_t status, uint8_t errors);
/* The card sends the next frame it was told of; its bytes, or -1. */
int fake_depart(unsigned nic, uint8_t *out, uint32_t capacity);

#endif
