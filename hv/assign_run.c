/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assigned devices while VMs run: start, stop, interrupts.
 *
 * Start: the function is reset and restored, then its context entry is set, then the bridges above it may master the
 * bus, then it may itself, when its guest asks.  Stop goes the other way: function quiet, interrupts blocked, reset
 * begun, context entry cleared and forgotten by the hardware, bridges off.  Tables stay as they are.
 */
#include "assign.h"

#define HOST_VECTORS (HOST_VECTOR_DEVICE_LAST - HOST_VECTOR_DEVICE_FIRST + 1u)
_Static_assert(HOST_VECTORS == LZR_CPU_VECTORS, "lzr-policy counts with it");
#define TABLE_ENTRY_WORDS 4u
#define MSIX_VECTOR_MASKED 1u

struct assigned assigned_devices[LZR_DEVICE_MAX];
HV_SEALED unsigned assigned_count;

/* Which device and interrupt a host vector is, on each CPU. */
HV_SEALED static struct { struct assigned *device; uint8_t index; } vectors[LZR_CPU_MAX][HOST_VECTORS];

static struct spinlock bridge_lock;     /* bridges' bus mastering, and `active` of every device with it */

HV_BOOT enum hv_err assign_vector(struct assigned *device, unsigned index, unsigned cpu)
{
	if (cpu >= LZR_CPU_MAX)
		return HV_BAD_INPUT;
	for (unsigned i = 0; i < HOST_VECTORS; i++) {
		if (vectors[cpu][i].device)
			continue;
		vectors[cpu][i].device = device;
		vectors[cpu][i].index = (uint8_t)index;
		device->irqs[index].cpu = (uint8_t)cpu;
		device->irqs[index].vector = (uint8_t)(HOST_VECTOR_DEVICE_FIRST + i);
		return HV_OK;
	}
	return HV_NO_MEMORY;
}

static bool msix_enabled(const struct assigned *device)
{
	return device->msix && (assign_shadow(device, device->msix + PCI_MSIX_CONTROL, 2) & PCI_MSIX_ENABLE);
}

static bool msi_enabled(const struct assigned *device)
{
	return device->msi && !msix_enabled(device) &&
	       (assign_shadow(device, device->msi + PCI_MSI_CONTROL, 2) & PCI_MSI_ENABLE);
}

void assign_apply(struct assigned *device)
{
	uint32_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF;

	if (device->active)
		command |= assign_shadow(device, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
	if (device->msix) {
		vmsix_set_control(&device->msix_virtual,
				  (uint16_t)assign_shadow(device, device->msix + PCI_MSIX_CONTROL, 2));
		pci_set(device->at, device->msix + PCI_MSIX_CONTROL, 2,
			device->active && msix_enabled(device) ? PCI_MSIX_ENABLE : 0);
	}
	if (device->msi)
		pci_change16(device->at, device->msi + PCI_MSI_CONTROL, 0x7f,
			     device->active && msi_enabled(device) ? PCI_MSI_ENABLE : 0);
	pci_set(device->at, PCI_COMMAND, 2, command);
}

static bool bridge_needed(struct pci_address bridge)
{
	for (unsigned i = 0; i < assigned_count; i++) {
		const struct assigned *d = &assigned_devices[i];

		for (unsigned n = 0; d->active && n < d->bridge_count; n++) {
			if (pci_same(d->bridges[n], bridge))
				return true;
		}
	}
	return false;
}

/* Marks the device active or not, and lets exactly those bridges master the bus that an active device needs. */
static void set_active(struct assigned *device, bool active)
{
	spin_lock(&bridge_lock);
	device->active = active;
	for (unsigned i = device->bridge_count; i-- > 0;) {
		struct pci_address bridge = device->bridges[i];

		if (bridge_needed(bridge))
			pci_change16(bridge, PCI_COMMAND, 0, PCI_COMMAND_MASTER);
		else
			pci_change16(bridge, PCI_COMMAND, PCI_COMMAND_MASTER, 0);
	}
	spin_unlock(&bridge_lock);
}

/* Every entry is written, so that a failure leaves none of the device's interrupts through. */
static enum hv_err block_interrupts(const struct assigned *device)
{
	enum hv_err result = HV_OK;

	for (unsigned i = 0; i < device->vectors; i++) {
		enum hv_err err = dma_state.ops->irq_clear(device->irq_first + i);

		if (err)
			result = err;
	}
	return result;
}

static void program_msi(const struct assigned *device)
{
	bool wide = pci_get(device->at, device->msi + PCI_MSI_CONTROL, 2) & PCI_MSI_64;
	uint64_t address;
	uint32_t data;

	dma_state.ops->irq_message(device->irq_first, &address, &data);
	pci_set(device->at, device->msi + 4u, 4, (uint32_t)address);
	if (wide)
		pci_set(device->at, device->msi + 8u, 4, (uint32_t)(address >> 32));
	pci_set(device->at, device->msi + (wide ? 12u : 8u), 2, data);
}

static enum hv_err allow_interrupts(const struct assigned *device)
{
	for (unsigned i = 0; i < device->vectors; i++) {
		enum hv_err err = dma_state.ops->irq_set(device->irq_first + i, device->irqs[i].cpu,
							 device->irqs[i].vector);
		uint64_t address;
		uint32_t data;

		if (err)
			return err;
		if (!device->table)
			continue;
		dma_state.ops->irq_message(device->irq_first + i, &address, &data);
		device->table[i * TABLE_ENTRY_WORDS + 0] = (uint32_t)address;
		device->table[i * TABLE_ENTRY_WORDS + 1] = (uint32_t)(address >> 32);
		device->table[i * TABLE_ENTRY_WORDS + 2] = data;
		device->table[i * TABLE_ENTRY_WORDS + 3] = 0;
	}
	if (device->msi)
		program_msi(device);
	return HV_OK;
}

/* The guest's view of a device that was just reset. */
static void reset_view(struct assigned *device)
{
	assign_config_reset(device);
	vmsix_clear(&device->msix_virtual);
	for (uint32_t i = 0; i < device->overlay_length; i++)
		device->overlay[i] = 0;
	for (unsigned i = 0; device->overlay && i < device->vectors; i++)
		device->overlay[i * MSIX_ENTRY_SIZE + 12] = MSIX_VECTOR_MASKED;
}

static void stop(struct assigned *device)
{
	enum hv_err err;

	if (!device->active)
		return;
	/* Function quiet: off the bus, whatever the bridges still let others do. */
	pci_set(device->at, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
	reset_wait_quiet(device);
	err = block_interrupts(device);
	if (err)
		say("%s: its interrupts could not be blocked in time", device->config->name);
	if (reset_begin(device))
		say("%s: its reset cannot be started; it will not be used again", device->config->name);
	err = dma_state.ops->detach(device->vm->domain, device->source);
	if (err)
		say("%s: it could not be detached in time", device->config->name);
	set_active(device, false);
	vmsix_set_control(&device->msix_virtual, 0);
}

void devices_vm_stopped(struct vm *vm)
{
	for (unsigned i = 0; i < assigned_count; i++) {
		struct assigned *device = &assigned_devices[i];

		if (device->vm != vm || !device->present)
			continue;
		spin_lock(&device->lock);
		stop(device);
		spin_unlock(&device->lock);
	}
}

static enum hv_err start(struct assigned *device)
{
	enum hv_err err = HV_OK;

	CHECK(!device->active);
	if (!device->clean)
		err = reset_finish(device);
	if (err)
		return err;
	reset_view(device);
	err = dma_state.ops->attach(device->vm->domain, device->source);
	if (err)
		return err;
	set_active(device, true);
	err = allow_interrupts(device);
	if (err)
		stop(device);
	else
		assign_apply(device);
	return err;
}

bool devices_vm_ready(const struct vm *vm)
{
	for (unsigned i = 0; i < assigned_count; i++) {
		const struct assigned *device = &assigned_devices[i];

		if (device->vm == vm && device->present && !device->clean && time_ns() < device->reset_done)
			return false;
	}
	return true;
}

enum hv_err devices_vm_started(struct vm *vm)
{
	enum hv_err err = HV_OK;

	for (unsigned i = 0; !err && i < assigned_count; i++) {
		struct assigned *device = &assigned_devices[i];

		if (device->vm != vm || !device->present)
			continue;
		spin_lock(&device->lock);
		err = start(device);
		spin_unlock(&device->lock);
		if (err)
			say("%s: cannot be started for %s (error %u)", device->config->name, vm->config->name, err);
	}
	if (err)
		devices_vm_stopped(vm);
	return err;
}

/* MSI: the one message is in the guest's configuration space. */
static void deliver_msi(struct assigned *device)
{
	bool wide, enabled;
	uint64_t address;
	uint32_t data;

	spin_lock(&device->lock);
	enabled = device->active && msi_enabled(device);
	wide = assign_shadow(device, device->msi + PCI_MSI_CONTROL, 2) & PCI_MSI_64;
	address = assign_shadow(device, device->msi + 4u, 4);
	if (wide)
		address |= (uint64_t)assign_shadow(device, device->msi + 8u, 4) << 32;
	data = assign_shadow(device, device->msi + (wide ? 12u : 8u), 2);
	spin_unlock(&device->lock);
	if (enabled)
		vm_msi(device->vm, address, data);
}

void devices_irq(uint8_t vector)
{
	unsigned cpu = cpu_current(), slot = vector - HOST_VECTOR_DEVICE_FIRST;
	struct assigned *device = cpu < LZR_CPU_MAX && slot < HOST_VECTORS ? vectors[cpu][slot].device : NULL;

	if (!device)
		return;
	vmsix_raise(&device->msix_virtual, vectors[cpu][slot].index);
	vmsix_deliver(&device->msix_virtual);
	if (device->msi && vectors[cpu][slot].index == 0)
		deliver_msi(device);
}

void devices_poll(struct vm *vm)
{
	for (unsigned i = 0; i < assigned_count; i++) {
		if (assigned_devices[i].vm == vm)
			vmsix_deliver(&assigned_devices[i].msix_virtual);
	}
	dma_poll();
}
