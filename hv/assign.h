/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An assigned device: shared by assign*.c and reset.c only.
 *
 * Members: [I] fixed before the seal, [L] under the device's lock, [a] atomic.
 * Lock order: a device's lock, then assign_run.c's bridge lock, then the IOMMU backend's.
 */
#ifndef HV_ASSIGN_H
#define HV_ASSIGN_H

#include "iommu.h"
#include "pci.h"
#include "vm.h"
#include "vmsix.h"

#define ASSIGN_VECTOR_MAX LZR_DEVICE_VECTORS /* of one device; the guest sees a table of that size */
#define ASSIGN_BRIDGE_MAX 8u            /* bridges above a function */

enum assign_reset { ASSIGN_RESET_FLR, ASSIGN_RESET_AF, ASSIGN_RESET_BUS };

struct assigned_bar {
	uint64_t base, size;            /* size 0: not there, or an I/O BAR, which is not granted */
	uint32_t flags;                 /* low four bits of the register */
	bool wide;                      /* the next register is its upper half */
};

struct assigned {
	const struct device_config *config;     /* [I] */
	const struct assign_config *place;      /* [I] */
	struct vm *vm;                          /* [I] */
	bool present;                           /* [I] a PCI function; false: platform device, nothing below is used */
	struct pci_address at;                  /* [I] */
	uint16_t source;                        /* [I] */
	struct pci_address bridges[ASSIGN_BRIDGE_MAX];  /* [I] nearest first */
	unsigned bridge_count;                  /* [I] */
	enum assign_reset reset;                /* [I] */
	struct assigned_bar bars[PCI_BAR_COUNT];        /* [I] */
	uint32_t bar_registers[PCI_BAR_COUNT];  /* [I] as the firmware set them */
	uint8_t express, af, pm, msi, msix;     /* [I] offsets of capabilities, 0: absent */
	uint16_t express_control, express_link, express_control2;       /* [I] restored after a reset */
	bool express_long;                      /* [I] has the version 2 registers */

	uint8_t initial[256];                   /* [I] configuration space as the guest first sees it */
	uint8_t writable[256];                  /* [I] bits that the guest may change there */
	uint8_t shadow[256];                    /* [L] as the guest sees it now */
	uint8_t sizing;                         /* [L] bit n: BAR register n holds its size mask */

	volatile uint32_t *table;               /* [I] real MSI-X table, uncached; NULL: none */
	struct vmsix msix_virtual;              /* [I] and [a], see vmsix.h */
	uint8_t *overlay;                       /* [I] RAM that the guest sees in the table's place */
	uint32_t overlay_length;                /* [I] */
	unsigned vectors;                       /* [I] interrupt entries; 1 for MSI only */
	uint32_t irq_first;                     /* [I] first interrupt entry */
	struct { uint8_t cpu, vector; } irqs[ASSIGN_VECTOR_MAX];        /* [I] */

	struct spinlock lock;
	bool active;                            /* [L] attached: its VM runs */
	bool clean;                             /* [L] reset verified and registers restored since it was last active */
	uint64_t reset_done;                    /* [L] time_ns() from when on the function may be touched again */
	uint8_t canary_at;                      /* [L] offset of the register that shows a reset, 0: none was written */
};

/* --- reset.c ---------------------------------------------------------------------------------------------------- */

/* Writes the canary and starts the reset; the function must not be touched until reset_done. */
HV_MUST_CHECK enum hv_err reset_begin(struct assigned *device);
/* Waits for the function to come back, checks that the canary is gone, restores what a reset clears. */
HV_MUST_CHECK enum hv_err reset_finish(struct assigned *device);
/* Waits, bounded, until the function has no transaction under way. */
void reset_wait_quiet(const struct assigned *device);

/* --- assign_config.c -------------------------------------------------------------------------------------------- */

/* Before the seal: what the guest sees, from what the device has. */
void assign_config_build(struct assigned *device);
/* As after a reset. */
void assign_config_reset(struct assigned *device);
uint32_t assign_shadow(const struct assigned *device, unsigned offset, unsigned size);

/* --- assign_run.c ----------------------------------------------------------------------------------------------- */

/* The real function's bus mastering, MSI and MSI-X enables, as the guest's registers ask and its state allows. */
void assign_apply(struct assigned *device);
extern struct assigned assigned_devices[LZR_DEVICE_MAX];
extern unsigned assigned_count;
/* Before the seal: a host vector on `cpu` for interrupt `index` of the device. */
HV_MUST_CHECK enum hv_err assign_vector(struct assigned *device, unsigned index, unsigned cpu);

/* --- before the seal -------------------------------------------------------------------------------------------- */

/* assign_group.c: nothing else shares the function's isolation group; fills in the bridges above it. */
HV_MUST_CHECK enum hv_err assign_group_check(struct assigned *device);
/* assign_bars.c: sizes, checks, claims and maps the memory BARs; sets the MSI-X table and overlay. */
HV_MUST_CHECK enum hv_err assign_bars_create(struct assigned *device);
/* Says why a device is refused; returns err. */
HV_MUST_CHECK enum hv_err assign_refuse(const struct assigned *device, enum hv_err err, const char *why);

#endif
