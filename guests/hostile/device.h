/* SPDX-License-Identifier: Apache-2.0 */
/* Assigned devices as a bare-metal guest drives them: configuration space, MSI, MSI-X, QEMU's edu and e1000e. */
#ifndef HOSTILE_DEVICE_H
#define HOSTILE_DEVICE_H

#include "guest.h"

#define SLOT_EDU 4u
#define SLOT_NIC 5u
#define PAGE 4096u
#define WORDS 511u              /* of a transfer: QEMU 7.2's edu refuses its last 8 bytes */

static inline void out32(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

uint32_t config_read(unsigned slot, unsigned offset);
void config_write(unsigned slot, unsigned offset, uint32_t value);
/* Offset of a capability, 0: none. */
unsigned config_capability(unsigned slot, uint8_t id);
/* Memory decode and bus mastering on. */
void config_enable(unsigned slot);

/* Interrupts at TG_VECTOR while this waits for `count` of them in all; false after about `ms` milliseconds. */
bool wait_interrupts(uint32_t count, uint64_t ms);
void wait_ms(uint64_t ms);

/* WORDS between device memory and RAM, by the edu device's own DMA; `address` is a device address. */
void edu_take(uint64_t address);
void edu_give(uint64_t address);
/* edu_give that raises an interrupt when it is done. */
void edu_give_interrupt(uint64_t address);
bool edu_start(void);

/* The network card: a test interrupt through MSI-X, with its table entry masked and unmasked meanwhile. */
void nic_test(void);

#endif
