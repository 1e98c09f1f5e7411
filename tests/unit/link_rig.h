/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine of four VMs for the tests of virtual devices: simulated guest memory between canaries, drivers that speak
 * the transport through vdev_io, and fakes of what the devices need from the rest of the hypervisor.
 *
 *  link 0: red.net0 (raw)     <-> blue.net0 (raw)
 *  link 1: red.chan0 (raw)    <-> svc.ports pair 0 (service, no prefix)
 *  link 2: blue.chan0 (raw)   <-> svc.ports pair 1
 *  link 3: svc.peer (service) <-> svc2.ctl (service, prefix of 26 bytes)
 */
#ifndef LINK_RIG_H
#define LINK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

#include <cmocka.h>

enum { RED, BLUE, SVC, SVC2, VM_COUNT };
#define RAM_SIZE (2u << 20)
#define QUEUE_SIZE 64u
#define PREFIX 26u

#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define DESC_INDIRECT 4u

struct desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

/* One queue as its driver sees it; the rings lie in the VM's RAM. */
struct driver_queue {
	struct driver *driver;
	unsigned number;
	unsigned size;
	uint64_t gpa;
	struct desc *desc;
	uint16_t *avail, *used;         /* [0] flags, [1] index, then the rings */
	uint16_t next_desc, next_used;
};

struct driver {
	struct vdev *vdev;
	struct driver_queue queues[4];
	uint64_t next_buffer;
};

struct rig_part { uint32_t length; bool write; };

extern unsigned rig_msis[VM_COUNT];             /* interrupts delivered */
extern uint8_t rig_vector[VM_COUNT];            /* the last one's vector */
extern unsigned rig_audits[32];                 /* by event */
extern uint64_t rig_fault;                      /* enum lzr_ring_fault of the last such record */
/* Of both ends of a link. */
uint64_t rig_drops(unsigned link);
extern unsigned rig_says;
extern bool rig_no_memory;
extern uint8_t *rig_ram[VM_COUNT];

void rig_setup(void);                           /* config, VMs, links_create */
void rig_configure(void);                       /* the same without links_create */
void rig_teardown(void);                        /* checks canaries and locks, frees */
/* Both for cmocka. */
int rig_test_setup(void **state);
int rig_test_teardown(void **state);
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_test_setup, rig_test_teardown)
struct vdev *rig_vdev(unsigned vm, unsigned index);

uint32_t io_read(struct vdev *vdev, unsigned offset, unsigned size);
void io_write(struct vdev *vdev, unsigned offset, unsigned size, uint32_t value);

/* Resets and initializes the device with all its queues, vector n for queue n, MSI-X on and unmasked. */
void driver_start(struct driver *driver, struct vdev *vdev, unsigned size);
/* The same up to FEATURES_OK. */
void driver_negotiate(struct driver *driver, struct vdev *vdev);
void driver_queue_setup(struct driver *driver, unsigned number, unsigned size);
/* Adds a chain of fresh buffers; *gpas receives each buffer's address. */
uint16_t driver_add(struct driver_queue *queue, const struct rig_part *parts, unsigned count, uint64_t *gpas);
void driver_publish(struct driver_queue *queue, uint16_t head);
void driver_kick(struct driver_queue *queue);
bool driver_used(struct driver_queue *queue, uint32_t *id, uint32_t *length);
/* One readable buffer with these bytes, published and kicked; its head. */
uint16_t driver_send(struct driver_queue *queue, const void *bytes, uint32_t length);
/* One writable buffer, published and kicked; its address. */
uint64_t driver_post(struct driver_queue *queue, uint32_t length);

#endif
