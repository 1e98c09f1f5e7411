/* SPDX-License-Identifier: Apache-2.0 */
/* The data plane on the fake machine, with the lab's site: what its tests share. */
#ifndef TEST_PLANE_RIG_H
#define TEST_PLANE_RIG_H

#include "fake.h"
#include "lab.h"
#include "plane.h"

#define LINK(end) (20 + (end))
#define CONTROL PORTS
#define ATTESTOR_VM (ATTESTOR + 3)

extern struct plane plane;
extern struct buffer buffers[POOL_MAX];
extern uint8_t element[BUFFER_SIZE], out[BUFFER_SIZE];
extern uint32_t all_buffers;            /* that the pool has when nothing is on its way */

/* Rounds until there is nothing to do. */
void run(void);
/* The hypervisor's message to an end; false when it has no buffer for it. */
bool deliver(unsigned end, unsigned type, uint64_t instance, uint32_t generation, const void *payload, uint32_t length);
void up(unsigned end, uint64_t instance);
void down(unsigned end, uint64_t instance);
bool put_frame(unsigned end, uint64_t instance, const struct lab_frame *f);
/* What the end gets next: the payload is in `out` behind the header, its length is returned; -1 for nothing. */
int collect(unsigned end, uint64_t instance);
struct lzr_control_message ask(uint32_t op, uint32_t port, const uint8_t *result);
void admit(unsigned port);
int plane_rig_setup(void **state);
/* Every buffer is where it was after start-up. */
int plane_rig_teardown(void **state);

#endif
