/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's side of a test that also links the compiler: its reader of compiled policies and its flow check,
 * behind plain types, since the two have names in common.
 */
#ifndef POLICY_AGREE_HV_H
#define POLICY_AGREE_HV_H

#include <stdbool.h>
#include <stdint.h>

#define AGREE_MEMORY (2u << 20)         /* of each VM, which has one vCPU and a measurement of zeros */

/* The manifests that the policy's images have; as many as asked for, no virtual devices yet. */
void agree_images(unsigned count);
void agree_image(unsigned image, const char *name);
/* Unless it is there: a virtual device with that many queue pairs, a place for a PCI function. */
void agree_device(unsigned image, const char *name, unsigned pairs);
void agree_place(unsigned image, const char *name);

enum agree { AGREE_UNREADABLE, AGREE_REFUSED, AGREE_ACCEPTED };
/* What the hypervisor says to these bytes; `why` then holds its words. */
enum agree agree_boot(void *dtb, uint64_t size, const char **why);
/* The flow digest that it then records, and the one that the verifier takes from the same bytes; false: unreadable. */
bool agree_flow(const void *dtb, uint64_t size, uint8_t hypervisor[48], uint8_t verifier[48]);

#endif
