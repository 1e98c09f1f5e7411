/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI configuration through 0xCF8 and 0xCFC: bus 0, function 0 of each slot.  Slot 0 is the host bridge from the
 * manifest, the others are the VM's virtual and assigned devices; everything else is absent.
 * PCI Local Bus Specification 3.0, "Software Generation of Configuration Transactions".
 */
#include "vcpu.h"

#define ADDRESS_PORT 0xcf8u
#define DATA_PORT 0xcfcu
#define ADDRESS_ENABLE (1u << 31)
#define ADDRESS_BITS 0x80fffffcu
#define OWNER_ASSIGNED 0x80u

/* Who answers where: the links and assignments are made after the VM, so this is done at each start. */
void vpci_reset(struct vm *vm)
{
	const struct image_config *image = vm->image;
	struct vm_private *private = vm_private(vm);

	__atomic_store_n(&private->pci_address, 0, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < image->vdev_count; i++) {
		if (!vm->vdevs[i])
			continue;
		private->pci_owner[image->vdevs[i].slot % PCI_SLOTS] = (uint8_t)(i + 1);
		private->io_owner[image->vdevs[i].io_base / LZR_VIRTIO_BAR_SIZE] = (uint8_t)(i + 1);
	}
	for (uint32_t i = 0; i < image->assign_count; i++)
		if (vm->assigned[i] && !image->assigns[i].mmio)
			private->pci_owner[image->assigns[i].slot % PCI_SLOTS] = (uint8_t)(OWNER_ASSIGNED | i);
}

static uint32_t ones(unsigned size)
{
	return size == 4 ? UINT32_MAX : (1u << size * 8) - 1;
}

static uint32_t bridge_read(const struct vm *vm, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)vm->image->host_bridge[offset + i] << i * 8;
	return value;
}

static uint32_t config_read(struct vm *vm, unsigned slot, unsigned offset, unsigned size)
{
	uint8_t owner = vm_private(vm)->pci_owner[slot];

	if (!slot)
		return bridge_read(vm, offset, size);
	if (!owner)
		return ones(size);
	if (owner & OWNER_ASSIGNED)
		return assigned_config_read(vm->assigned[owner & ~OWNER_ASSIGNED], offset, size);
	return vdev_config_read(vm->vdevs[owner - 1], offset, size);
}

static void config_write(struct vm *vm, unsigned slot, unsigned offset, unsigned size, uint32_t value)
{
	uint8_t owner = vm_private(vm)->pci_owner[slot];

	if (!slot || !owner)
		return;
	if (owner & OWNER_ASSIGNED)
		assigned_config_write(vm->assigned[owner & ~OWNER_ASSIGNED], offset, size, value);
	else
		vdev_config_write(vm->vdevs[owner - 1], offset, size, value);
}

static void data_access(struct vm *vm, unsigned byte, unsigned size, bool write, uint32_t *value)
{
	uint32_t address = __atomic_load_n(&vm_private(vm)->pci_address, __ATOMIC_RELAXED);
	unsigned slot = address >> 11 & 31, offset = (address & 0xfc) + byte;

	/* Bus and function must be 0: no bridges, no multi-function devices. */
	if (!(address & ADDRESS_ENABLE) || address & 0xffff00 & ~0xf800u || byte % size) {
		if (!write)
			*value = ones(size);
		return;
	}
	if (write)
		config_write(vm, slot, offset, size, *value);
	else
		*value = config_read(vm, slot, offset, size);
}

enum io_result vpci_access(struct vm *vm, unsigned port, unsigned size, bool write, uint32_t *value)
{
	uint32_t *address = &vm_private(vm)->pci_address;

	if (port >= DATA_PORT) {
		data_access(vm, port - DATA_PORT, size, write, value);
		return IO_DONE;
	}
	/* The address register answers as a whole only; Linux writes a byte to 0xCFB before its probe. */
	if (port == ADDRESS_PORT && size == 4) {
		if (write)
			__atomic_store_n(address, *value & ADDRESS_BITS, __ATOMIC_RELAXED);
		else
			*value = __atomic_load_n(address, __ATOMIC_RELAXED);
	} else if (!write) {
		*value = ones(size);
	}
	return IO_DONE;
}
