/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DMA as a whole: the first act of the boot (nothing may master the bus, everything is blocked), the choice of the
 * IOMMU backend, and what happens when the hardware reports that it blocked something.
 *
 * Reports are throttled: after FAULT_BURST of them within FAULT_WINDOW_NS the fault interrupt is masked until dma_poll
 * finds the window over, so that a device gone wild costs a bounded share of a CPU.  What it does stays blocked.
 */
#include "iommu.h"
#include "pci.h"
#include "vm.h"

#define FAULT_BURST 16u
#define FAULT_WINDOW_NS 1000000000ull

HV_SEALED struct dma_state dma_state;

HV_BOOT_DATA static const struct iommu_setup *setup = NULL;

static struct {
	struct spinlock lock;
	uint64_t window_end;            /* [lock] */
	uint32_t reports;               /* [lock] in this window */
	bool quiet;                     /* [lock] the interrupt is masked */
} faults;

HV_BOOT const struct iommu_setup *iommu_setup(void)
{
	return setup;
}

HV_BOOT enum hv_err dma_block_all(void)
{
	enum hv_err err = pci_scan();

	say("dma: bus mastering off on %u PCI functions", pci_function_count());
	if (err)
		return err;
	err = vtd_setup.probe();
	if (err == HV_UNSUPPORTED)
		say("dma: no IOMMU: DMA is not confined");
	if (err)
		return err;
	err = vtd_setup.block_all(&dma_state.irq_remapped);
	if (err)
		return err;
	setup = &vtd_setup;
	dma_state.ops = setup->ops;
	if (!dma_state.irq_remapped)
		say("dma: the %s units cannot remap interrupts", setup->name);
	return dma_state.irq_remapped ? HV_OK : HV_UNSUPPORTED;
}

/* The VM that a source is assigned to, or AUDIT_HV. */
static uint32_t owner_of(uint16_t source)
{
	for (unsigned i = 0; i < machine.device_count; i++) {
		const struct device_config *d = &machine.devices[i];

		if (!d->mmio && pci_source((struct pci_address){ d->bus, d->device, d->function }) == source)
			return d->vm;
	}
	return AUDIT_HV;
}

static void report(const struct iommu_fault *fault)
{
	audit(owner_of(fault->source), LZR_AUDIT_DMA_FAULT, fault->source, fault->address);
	say("dma: blocked %s of %x:%x.%x at %lx (reason %u)",
	    fault->interrupt ? "interrupt" : fault->write ? "write" : "read", fault->source >> 8,
	    fault->source >> 3 & 31, fault->source & 7, (unsigned long)fault->address, fault->reason);
}

/* Counts a report; false once the window's share is used up. */
static bool may_report(void)
{
	uint64_t now = time_ns();

	if (now >= faults.window_end) {
		faults.window_end = now + FAULT_WINDOW_NS;
		faults.reports = 0;
	}
	return faults.reports++ < FAULT_BURST;
}

static void drain(void)
{
	struct iommu_fault fault;

	faults.quiet = false;
	while (dma_state.ops->fault_next(&fault)) {
		if (!may_report()) {
			faults.quiet = true;
			break;
		}
		report(&fault);
	}
	dma_state.ops->fault_listen(!faults.quiet);
}

void dma_fault_irq(void)
{
	if (!dma_state.ops)
		return;
	spin_lock(&faults.lock);
	drain();
	spin_unlock(&faults.lock);
}

void dma_poll(void)
{
	if (!__atomic_load_n(&faults.quiet, __ATOMIC_RELAXED))
		return;
	spin_lock(&faults.lock);
	if (faults.quiet && time_ns() >= faults.window_end)
		drain();
	spin_unlock(&faults.lock);
}
