/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I/O ports.  Few are claimed: PCI configuration, the virtual devices' blocks, and what the manifest's `ports` node
 * names. The others read all ones and ignore writes, told to the audit log once per instance.
 */
#include "vcpu.h"

#define PCI_FIRST 0xcf8u
#define PCI_LAST 0xcffu
#define UART_PORTS 8u

#define POWER_CONTROL 0u
#define POWER_RESET 2u
#define POWER_PORTS 3u
#define SLEEP_S5 0x34u                  /* SLP_EN with the _S5 object's SLP_TYP, as the DSDT has them */

static void power_access(struct vm *vm, unsigned reg, bool write, uint32_t *value)
{
	if (!write) {
		*value = 0;
		return;
	}
	if (reg == POWER_CONTROL && (*value & 0xff) == SLEEP_S5)
		vm_stop(vm, LZR_STOP_POWER_OFF, 0);
	else if (reg == POWER_RESET)
		vm_stop(vm, LZR_STOP_RESET, 0);
}

static void uart_access(struct vm *vm, unsigned reg, bool write, uint32_t *value)
{
	uint8_t byte = (uint8_t)*value;
	int out;

	spin_lock(&vm->lock);
	out = vuart_access(&vm_private(vm)->uart, reg, write, &byte);
	spin_unlock(&vm->lock);
	if (out >= 0)
		say_vm(vm->number, (char)out);
	*value = byte;
}

static void debug_access(struct vm *vm, bool write, uint32_t *value)
{
	if (write)
		say_vm(vm->number, (char)*value);
	else
		*value = 0xe9;          /* what readers of such a port look for */
}

/* A virtual device's registers; an access that leaves its block belongs to nobody. */
static enum io_result vdev_access(struct vm *vm, unsigned port, unsigned size, bool write, uint32_t *value)
{
	uint8_t owner = vm_private(vm)->io_owner[port / LZR_VIRTIO_BAR_SIZE];
	unsigned offset = port % LZR_VIRTIO_BAR_SIZE;

	if (!owner || offset + size > LZR_VIRTIO_BAR_SIZE)
		return IO_UNCLAIMED;
	vdev_io(vm->vdevs[owner - 1], offset, size, write, value);
	return IO_DONE;
}

static enum io_result byte_access(struct vm *vm, unsigned port, bool write, uint32_t *value)
{
	const struct image_config *image = vm->image;

	if (image->uart && port - image->uart < UART_PORTS)
		uart_access(vm, port - image->uart, write, value);
	else if (image->debug && port == image->debug)
		debug_access(vm, write, value);
	else if (image->power && port - image->power < POWER_PORTS)
		power_access(vm, port - image->power, write, value);
	else
		return IO_UNCLAIMED;
	return IO_DONE;
}

static enum io_result dispatch(struct vm *vm, unsigned port, unsigned size, bool write, uint32_t *value)
{
	if (size == 1 && byte_access(vm, port, write, value) == IO_DONE)
		return IO_DONE;
	if (port >= PCI_FIRST && port <= PCI_LAST)
		return vpci_access(vm, port, size, write, value);
	return vdev_access(vm, port, size, write, value);
}

void ioport_access(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	uint64_t mask = exit->size == 4 ? UINT32_MAX : (1ull << exit->size * 8) - 1, rax = vcpu->regs.gpr[RAX];
	uint32_t value = exit->write ? (uint32_t)(rax & mask) : (uint32_t)mask;
	struct vm *vm = vcpu->vm;

	if (dispatch(vm, exit->port, exit->size, exit->write, &value) == IO_UNCLAIMED) {
		value = (uint32_t)mask;
		if (once_first(&vm_private(vm)->ports, exit->port))
			audit(vm->number, LZR_AUDIT_PORT_UNCLAIMED, exit->port, exit->write);
	}
	if (exit->write)
		return;
	/* A 32-bit result clears the upper half, narrower ones keep the rest of RAX. */
	vcpu->regs.gpr[RAX] = exit->size == 4 ? value : (rax & ~mask) | (value & mask);
}
