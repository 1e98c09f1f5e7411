/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM with places for an NVMe disk, a network card and the TPM, functions shaped like QEMU's, and an IOMMU that
 * writes into the simulation's log what it is told.
 */
#ifndef TEST_ASSIGN_RIG_H
#define TEST_ASSIGN_RIG_H

#include "assign.h"
#include "sim.h"

#define RIG_NVME_BAR 0xe040000000ull
#define RIG_CARD_BAR 0xc0000000ull

struct iommu_domain { unsigned owner; };
extern struct iommu_domain the_domain;
extern const struct iommu_ops f_ops;
/* What the IOMMU answers. */
extern enum hv_err source_says, attach_says, detach_says, set_says;

extern struct image_config image;
extern struct sim_function *nvme, *card, *port;
extern uint8_t tpm2[52];

int assign_setup(void **state);
int assign_teardown(void **state);
/* A device of the policy for VM 0. */
struct device_config *grant(const char *name, unsigned bus, unsigned device, uint32_t id, bool flr);
/* 00:05.0 with FLR; 01:00.0 without, alone behind the port 00:03.0.  Both with their device of the policy. */
void use_nvme(void);
void use_card(void);
/* Scans the buses and assigns. */
enum hv_err create(void);
/* create() fails with `err`, says `words`, and leaves no bus mastering on. */
void expect_refusal(enum hv_err err, const char *words);

#endif
