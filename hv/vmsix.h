/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual MSI-X.  The guest sees the vector table as plain RAM, so it changes under our eyes: an entry is read as
 * control, message, control again, and counts only when it was unmasked both times.  What cannot be delivered leaves a
 * pending bit here, never in the guest's page, and is retried (vmsix_deliver) at VM entries and ticks.
 *
 * msix_entry_read serves virtual devices and assigned ones alike (the latter with the overlay page of the real table).
 * Everything here is lock-free: pending bits are atomic, and one interrupt too many is harmless.
 */
#ifndef HV_VMSIX_H
#define HV_VMSIX_H

#include "vm.h"

#define MSIX_ENTRY_SIZE 16u
#define MSIX_VECTOR_MAX 128u            /* entries that fit before the pending bits of our layout */
#define MSIX_PENDING_OFFSET 0x800u      /* lazaret/link.h: the pending bits in BAR 1 */
#define MSIX_NONE 0xffffu              /* VIRTIO_MSI_NO_VECTOR */

/* PCI Local Bus Specification 3.0, "MSI-X Capability and Table Structures". */
#define MSIX_CONTROL 2u                 /* message control, from the capability's start */
#define   MSIX_CONTROL_ENABLE 0x8000u
#define   MSIX_CONTROL_MASK 0x4000u
#define MSIX_ENTRY_CONTROL_MASK 1u      /* vector control, bit 0 */

enum msix_entry_state {
	MSIX_ENTRY_MASKED,      /* masked, or changing: keep a pending bit and try again */
	MSIX_ENTRY_BAD,         /* unmasked, but not a message that can be an interrupt: drop it */
	MSIX_ENTRY_READY,       /* *out is the message */
};

struct msix_message {
	uint64_t address;       /* 0xFEExxxxx */
	uint32_t data;
};

/* A consistent, validated copy of entry `index` of a table in guest-writable memory; the caller bounds `index`. */
enum msix_entry_state msix_entry_read(const volatile void *table, unsigned index, struct msix_message *out);

/* Fields of a message that msix_entry_read called ready: the vector is 16..255, delivery fixed or lowest priority. */
static inline uint8_t msix_message_vector(const struct msix_message *message)
{
	return (uint8_t)message->data;
}

static inline uint8_t msix_message_destination(const struct msix_message *message)
{
	return (uint8_t)(message->address >> 12);
}

static inline bool msix_message_logical(const struct msix_message *message)
{
	return message->address & 4;
}

/* One virtual function's MSI-X. */
struct vmsix {
	struct vm *vm;                  /* [I] */
	volatile uint8_t *page;         /* [I] one page of the guest's: table at 0, pending bits at 0x800 */
	unsigned vectors;               /* [I] at most MSIX_VECTOR_MAX */
	uint32_t control;               /* [a] message control as the guest wrote it */
	uint64_t pending[MSIX_VECTOR_MAX / 64];         /* [a] */
};

/* As at the VM's start: disabled, every entry masked, nothing pending. */
void vmsix_power_on(struct vmsix *msix);
/* Message control was written. */
void vmsix_set_control(struct vmsix *msix, uint16_t control);
/* Forgets everything that is pending: device reset. */
void vmsix_clear(struct vmsix *msix);
/* Marks a vector for delivery; MSIX_NONE and disabled MSI-X do nothing.  Allowed under any lock. */
void vmsix_raise(struct vmsix *msix, unsigned vector);
/* Delivers what it can; true when something stays pending because it is masked. */
bool vmsix_deliver(struct vmsix *msix);

#endif
