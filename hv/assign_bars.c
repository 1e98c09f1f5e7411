/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of an assigned function: its BARs at guest = host address, with RAM of the VM in the place of the MSI-X table,
 * which the hypervisor keeps.  Gone after the seal.  I/O BARs are not granted: the guest does not see them.
 */
#include "assign.h"

#define MSIX_TABLE_ENTRY 16u
#define PAGE_OF(a) ((a) & ~(PAGE_SIZE - 1))
#define PAGE_UP(a) PAGE_OF((a) + PAGE_SIZE - 1)

struct table_place { unsigned bar; uint64_t offset, length; };  /* whole pages */

enum hv_err assign_refuse(const struct assigned *device, enum hv_err err, const char *why)
{
	say("%s (%x:%x.%x): refused: %s", device->config->name, device->config->bus, device->config->device,
	    device->config->function, why);
	return err;
}

static enum hv_err size_bars(struct assigned *device)
{
	struct pci_address at = device->at;

	pci_change16(at, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER, PCI_COMMAND_INTX_OFF);
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
		device->bar_registers[i] = pci_get(at, PCI_BAR0 + 4 * i, 4);
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		struct assigned_bar *bar = &device->bars[i];
		uint32_t low = device->bar_registers[i];
		bool wide = (low & PCI_BAR_TYPE) == PCI_BAR_64;

		if (low & PCI_BAR_IO)
			continue;
		if ((low & PCI_BAR_TYPE & ~PCI_BAR_64) || (wide && i + 1 == PCI_BAR_COUNT))
			return assign_refuse(device, HV_BAD_INPUT, "a BAR of unknown type");
		bar->size = pci_bar_size(at, PCI_BAR0 + 4 * i, ~PCI_BAR_FLAGS, wide);
		bar->base = (low & ~PCI_BAR_FLAGS) | (wide ? (uint64_t)device->bar_registers[i + 1] << 32 : 0);
		bar->flags = low & PCI_BAR_FLAGS;
		bar->wide = wide;
		if (bar->size & (bar->size - 1))
			return assign_refuse(device, HV_BAD_INPUT, "a BAR whose size is not a power of two");
		if (wide)
			i++;
	}
	return HV_OK;
}

static bool inside(uint64_t base, uint64_t size, uint64_t window, uint64_t end)
{
	return base >= window && size <= end - window && base <= end - size;
}

static enum hv_err check_bars(const struct assigned *device)
{
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		const struct assigned_bar *bar = &device->bars[i];
		const char *why;

		if (bar->size == 0)
			continue;
		if (bar->base == 0 || bar->base % bar->size != 0)
			return assign_refuse(device, HV_BAD_INPUT, "the firmware gave a BAR no proper address");
		if (!inside(bar->base, bar->size, LZR_WINDOW32_BASE, LZR_WINDOW32_END) &&
		    !inside(bar->base, bar->size, LZR_WINDOW64_BASE, LZR_WINDOW64_END)) {
			say("%s: BAR %u at %lx, %lx bytes", device->config->name, i, (unsigned long)bar->base,
			    (unsigned long)bar->size);
			return assign_refuse(device, HV_UNSUPPORTED, "a BAR lies outside the guest's windows");
		}
		why = pci_range_refusal(device->at, i, bar->base, bar->size, device->bridges, device->bridge_count);
		if (why) {
			say("%s: BAR %u at %lx, %lx bytes", device->config->name, i, (unsigned long)bar->base,
			    (unsigned long)bar->size);
			return assign_refuse(device, HV_CONFLICT, why);
		}
	}
	return HV_OK;
}

/* The guest is told where the pending bits are: inside a BAR of its own. */
static bool holds_pending_bits(const struct assigned *device, unsigned entries)
{
	uint32_t where = pci_get(device->at, device->msix + PCI_MSIX_PENDING, 4);
	unsigned index = where & PCI_MSIX_BAR;
	uint64_t bytes = (entries + 63) / 64 * 8;

	return index < PCI_BAR_COUNT && inside(where & ~PCI_MSIX_BAR, bytes, 0, device->bars[index].size);
}

/* Where the MSI-X table is, in whole pages that hold nothing else but, as the specification allows, pending bits. */
static enum hv_err find_table(struct assigned *device, struct table_place *place)
{
	unsigned bar_index, entries;
	uint32_t where;
	uint64_t offset, bytes;

	*place = (struct table_place){ .bar = PCI_BAR_COUNT };
	if (!device->msix)
		return HV_OK;
	where = pci_get(device->at, device->msix + PCI_MSIX_TABLE, 4);
	entries = (pci_get(device->at, device->msix + PCI_MSIX_CONTROL, 2) & PCI_MSIX_SIZE) + 1;
	bar_index = where & PCI_MSIX_BAR;
	offset = where & ~PCI_MSIX_BAR;
	bytes = entries * MSIX_TABLE_ENTRY;
	if (bar_index >= PCI_BAR_COUNT || device->bars[bar_index].size == 0)
		return assign_refuse(device, HV_BAD_INPUT, "its MSI-X table is in no memory BAR");
	if (offset + bytes > device->bars[bar_index].size)
		return assign_refuse(device, HV_BAD_INPUT, "its MSI-X table reaches beyond its BAR");
	if ((device->bars[bar_index].base + offset) % PAGE_SIZE != 0)
		return assign_refuse(device, HV_CONFLICT, "its MSI-X table shares a page with other registers");
	if (!holds_pending_bits(device, entries))
		return assign_refuse(device, HV_BAD_INPUT, "its MSI-X pending bits are in no memory BAR");
	*place = (struct table_place){ bar_index, offset, PAGE_UP(bytes) };
	device->vectors = entries < ASSIGN_VECTOR_MAX ? entries : ASSIGN_VECTOR_MAX;
	return HV_OK;
}

static enum hv_err map_range(struct assigned *device, uint64_t base, uint64_t length)
{
	enum hv_err err;

	if (length == 0)
		return HV_OK;
	err = mem_claim_bar(hpa(base), length, OWNER_VM0 + device->vm->number);
	if (!err)
		err = vm_map(device->vm, gpa(base), hpa(base), length, MAP_READ | MAP_WRITE | MAP_UNCACHED);
	if (err) {
		say("%s: %lx bytes at %lx cannot be given to %s (error %u)", device->config->name,
		    (unsigned long)length, (unsigned long)base, device->vm->config->name, err);
		return assign_refuse(device, err, "its registers are not free");
	}
	return HV_OK;
}

static enum hv_err map_table(struct assigned *device, uint64_t base, uint64_t length)
{
	enum hv_err err = mem_claim_bar(hpa(base), length, OWNER_HV);
	void *ram;

	if (err)
		return assign_refuse(device, err, "its MSI-X table is not free");
	device->table = mmio_map(hpa(base), length);
	if (!device->table)
		return assign_refuse(device, HV_NO_MEMORY, "no room to map its MSI-X table");
	err = vm_map_registers(device->vm, gpa(base), length, &ram);
	if (err)
		return assign_refuse(device, err, "no memory in the place of its MSI-X table");
	device->overlay = ram;
	device->overlay_length = (uint32_t)length;
	device->msix_virtual.vm = device->vm;
	device->msix_virtual.page = device->overlay;
	device->msix_virtual.vectors = device->vectors;
	return HV_OK;
}

enum hv_err assign_bars_create(struct assigned *device)
{
	struct table_place table;
	enum hv_err err = size_bars(device);

	if (!err)
		err = check_bars(device);
	if (!err)
		err = find_table(device, &table);
	for (unsigned i = 0; !err && i < PCI_BAR_COUNT; i++) {
		const struct assigned_bar *bar = &device->bars[i];
		uint64_t length = PAGE_UP(bar->size), base = PAGE_OF(bar->base);

		if (bar->size == 0)
			continue;
		if (i != table.bar) {
			err = map_range(device, base, length);
			continue;
		}
		err = map_range(device, base, table.offset);
		if (!err)
			err = map_table(device, base + table.offset, table.length);
		if (!err)
			err = map_range(device, base + table.offset + table.length,
					length - table.offset - table.length);
	}
	return err;
}
