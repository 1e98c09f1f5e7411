/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resetting an assigned function, and knowing that it happened.
 *
 * The method is the policy's: a function-level reset (PCI Express capability, or Advanced Features), or a reset of
 * the secondary bus below the port that the function is alone behind.  Before it, a canary is written to a register
 * that does nothing by itself and that either kind of reset clears: Interrupt Line, else Cache Line Size (PCI Express
 * Base Specification, "Function Level Reset"; QEMU's pci_do_device_reset clears both).  A function on which the
 * canary does not stay, or stays after the reset, is not used.  Beginning and finishing are two calls, so that nobody
 * waits in between.
 */
#include <arch_x86.h>

#include "assign.h"

#define CANARY 0x5au
#define MS 1000000ull
#define PENDING_LIMIT_NS (100 * MS)     /* for transactions under way */
#define RESET_SETTLE_NS (100 * MS)      /* before the first configuration access */
#define RESET_RETURN_NS (1000 * MS)     /* until the function must answer */
#define BUS_RESET_HOLD_NS (2 * MS)

static void wait_until(uint64_t deadline)
{
	while (time_ns() < deadline)
		arch_pause();
}

static bool transactions_pending(const struct assigned *device)
{
	if (device->express)
		return pci_get(device->at, device->express + PCI_EXPRESS_DEVSTA, 2) & PCI_EXPRESS_DEVSTA_PENDING;
	if (device->af)
		return pci_get(device->at, device->af + PCI_AF_STATUS, 1) & 1;
	return false;
}

void reset_wait_quiet(const struct assigned *device)
{
	uint64_t deadline = time_ns() + PENDING_LIMIT_NS;

	while (transactions_pending(device) && time_ns() < deadline)
		arch_pause();
}

static bool register_keeps(struct pci_address at, unsigned offset, uint8_t value)
{
	pci_set(at, offset, 1, value);
	return pci_get(at, offset, 1) == value;
}

/* Offset of the register that took the canary, 0: none did. */
static uint8_t canary_write(struct pci_address at)
{
	static const uint8_t registers[] = { PCI_INTERRUPT_LINE, PCI_CACHE_LINE };

	for (unsigned i = 0; i < ARRAY_LENGTH(registers); i++) {
		if (register_keeps(at, registers[i], (uint8_t)~CANARY) && register_keeps(at, registers[i], CANARY))
			return registers[i];
	}
	return 0;
}

static void bus_reset(struct pci_address port)
{
	pci_change16(port, PCI_BRIDGE_CONTROL, 0, PCI_BRIDGE_RESET);
	wait_until(time_ns() + BUS_RESET_HOLD_NS);
	pci_change16(port, PCI_BRIDGE_CONTROL, PCI_BRIDGE_RESET, 0);
}

enum hv_err reset_begin(struct assigned *device)
{
	device->clean = false;
	device->canary_at = canary_write(device->at);
	if (!device->canary_at) {
		say("%s: no register of the function keeps a value by which a reset would show", device->config->name);
		return HV_UNSUPPORTED;
	}
	switch (device->reset) {
	case ASSIGN_RESET_FLR:
		pci_change16(device->at, device->express + PCI_EXPRESS_DEVCTL, 0, PCI_EXPRESS_DEVCTL_FLR);
		break;
	case ASSIGN_RESET_AF:
		pci_set(device->at, device->af + PCI_AF_CONTROL, 1, 1);
		break;
	case ASSIGN_RESET_BUS:
		bus_reset(device->bridges[0]);
		break;
	}
	device->reset_done = time_ns() + RESET_SETTLE_NS;
	return HV_OK;
}

static void restore(const struct assigned *device)
{
	struct pci_address at = device->at;

	for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
		pci_set(at, PCI_BAR0 + 4 * i, 4, device->bar_registers[i]);
	pci_set(at, PCI_ROM, 4, 0);
	if (device->express) {
		pci_set(at, device->express + PCI_EXPRESS_DEVCTL, 2, device->express_control);
		if (device->express_long) {
			pci_set(at, device->express + PCI_EXPRESS_LNKCTL, 2, device->express_link);
			pci_set(at, device->express + PCI_EXPRESS_DEVCTL2, 2, device->express_control2);
		}
	}
	pci_set(at, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
}

static bool restored(const struct assigned *device)
{
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		if (pci_get(device->at, PCI_BAR0 + 4 * i, 4) != device->bar_registers[i])
			return false;
	}
	return true;
}

enum hv_err reset_finish(struct assigned *device)
{
	uint32_t id = (uint32_t)device->config->device_id << 16 | device->config->vendor_id;
	uint64_t deadline;

	if (!device->canary_at)
		return HV_UNSUPPORTED;
	wait_until(device->reset_done);
	deadline = time_ns() + RESET_RETURN_NS;
	while (pci_get(device->at, PCI_VENDOR, 4) != id) {
		if (time_ns() > deadline) {
			say("%s: does not come back from its reset", device->config->name);
			return HV_TIMEOUT;
		}
		arch_pause();
	}
	if (pci_get(device->at, device->canary_at, 1) == CANARY) {
		say("%s: was not reset: the value written before is still there", device->config->name);
		return HV_UNSUPPORTED;
	}
	restore(device);
	if (!restored(device)) {
		say("%s: its BARs cannot be restored after the reset", device->config->name);
		return HV_UNSUPPORTED;
	}
	device->clean = true;
	return HV_OK;
}
