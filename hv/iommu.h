/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one view that the hypervisor has of an IOMMU, whoever made it.  A backend is two const tables: what is done
 * before the seal (and is gone afterwards), and what runs for ever.  dma.c picks the backend once, at boot.
 *
 * A source is a PCI bus/device/function as 16 bits (pci_source).  A domain is a VM's own RAM as its devices see it:
 * device addresses equal guest-physical addresses.  Nothing is mapped that mem_check_owner does not give to the
 * domain's owner.
 */
#ifndef HV_IOMMU_H
#define HV_IOMMU_H

#include "platform.h"

struct iommu_domain;                    /* the backend's */

struct iommu_fault {
	uint16_t source;
	uint8_t reason;                 /* the backend's number for it */
	bool write;
	bool interrupt;                 /* an interrupt that was blocked; `address` is then its entry */
	uint64_t address;
};

struct iommu_ops {
	/* Lets the source reach the domain's memory; it must have been prepared.  On failure it is blocked. */
	enum hv_err (*attach)(struct iommu_domain *domain, uint16_t source);
	/* Blocks the source and waits until the hardware forgot every translation for it. */
	enum hv_err (*detach)(struct iommu_domain *domain, uint16_t source);
	/* Interrupt entry: `vector` on `cpu`, for the source it was made for only.  Cleared entries are blocked. */
	enum hv_err (*irq_set)(uint32_t entry, unsigned cpu, uint8_t vector);
	enum hv_err (*irq_clear)(uint32_t entry);
	/* What the device must send for the entry. */
	void (*irq_message)(uint32_t entry, uint64_t *address, uint32_t *data);
	/* Takes one recorded fault; false: there is none. */
	bool (*fault_next)(struct iommu_fault *fault);
	/* Fault interrupts on or off. */
	void (*fault_listen)(bool on);
};

struct iommu_setup {
	const char *name;
	const struct iommu_ops *ops;
	/* Finds and checks the hardware, changes nothing.  HV_UNSUPPORTED: not there. */
	enum hv_err (*probe)(void);
	/* Every unit on, every source blocked; *irq_remapped says whether interrupts are blocked, too. */
	enum hv_err (*block_all)(bool *irq_remapped);
	/* HV_DENIED: no unit covers the source; HV_CONFLICT: the firmware keeps memory for it. */
	enum hv_err (*source_check)(uint16_t source);
	/* An empty domain for device addresses below `limit`. */
	enum hv_err (*domain_create)(unsigned owner, uint64_t limit, struct iommu_domain **out);
	enum hv_err (*domain_map)(struct iommu_domain *domain, gpa_t at, hpa_t from, uint64_t length);
	/* Reserves what attach needs, so that it cannot run out of memory. */
	enum hv_err (*source_prepare)(uint16_t source);
	/* Reserves `count` consecutive interrupt entries for a source, all blocked. */
	enum hv_err (*irq_allocate)(uint16_t source, unsigned count, uint32_t *first);
};

/* What dma_block_all reached; constant after it. */
struct dma_state {
	const struct iommu_ops *ops;    /* NULL: no IOMMU */
	bool irq_remapped;
};
extern struct dma_state dma_state;

/* The chosen backend's setup table, before the seal only; NULL: no IOMMU. */
const struct iommu_setup *iommu_setup(void);
/* Called at every tick: lets fault reports through again after a storm. */
void dma_poll(void);

extern const struct iommu_setup vtd_setup;

#endif
