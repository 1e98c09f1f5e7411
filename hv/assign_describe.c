/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical bytes that say what a VM's devices can reach and what can reach the VM.  Gone after the seal; the
 * hypervisor digests them once (struct lzr_vm_record, dma).
 *
 * Little-endian, no padding:
 *   "LZRDMA1\0", u32 number of memory ranges, per range: u64 device address, u64 length, u32 rights (1 read, 2 write);
 *   all of them lead to the VM's own RAM at the same guest-physical address
 *   u32 number of devices, in the order of the manifest's places, per device:
 *     u32 kind (1 PCI function, 2 platform), u32 source id (PCI; else 0), u32 vendor | device << 16, u32 class
 *     u32 number of register ranges, per range: u64 guest-physical = host address, u64 length
 *     u32 number of interrupts, u32 lowest, u32 highest host vector that they may have
 * A VM without devices has no bytes.
 */
#include "assign.h"

struct cursor { uint8_t *at; uint32_t used, capacity; };

static void put(struct cursor *c, uint64_t value, unsigned bytes)
{
	CHECK(c->used + bytes <= c->capacity);
	for (unsigned i = 0; i < bytes; i++)
		c->at[c->used++] = (uint8_t)(value >> 8 * i);
}

static void describe_function(struct cursor *c, const struct assigned *device)
{
	uint32_t ranges = 0;

	put(c, 1, 4);
	put(c, device->source, 4);
	put(c, (uint32_t)device->config->device_id << 16 | device->config->vendor_id, 4);
	put(c, device->place->class_code, 4);
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
		ranges += device->bars[i].size != 0;
	put(c, ranges, 4);
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		if (device->bars[i].size == 0)
			continue;
		put(c, device->bars[i].base, 8);
		put(c, device->bars[i].size, 8);
	}
	put(c, device->vectors, 4);
	put(c, HOST_VECTOR_DEVICE_FIRST, 4);
	put(c, HOST_VECTOR_DEVICE_LAST, 4);
}

static void describe_platform(struct cursor *c, const struct assigned *device)
{
	put(c, 2, 4);
	put(c, 0, 4);
	put(c, 0, 4);
	put(c, 0, 4);
	put(c, 1, 4);
	put(c, device->config->base, 8);
	put(c, device->config->length, 8);
	put(c, 0, 4);
	put(c, 0, 4);
	put(c, 0, 4);
}

uint32_t devices_describe(const struct vm *vm, uint8_t *out, uint32_t capacity)
{
	static const char magic[8] = "LZRDMA1";
	struct cursor c = { out, 0, capacity };
	uint32_t count = 0;

	for (unsigned i = 0; i < vm->image->assign_count; i++)
		count += vm->assigned[i] != NULL;
	if (count == 0)
		return 0;
	for (unsigned i = 0; i < sizeof(magic); i++)
		put(&c, (uint8_t)magic[i], 1);
	put(&c, vm->domain ? 1 : 0, 4);
	if (vm->domain) {
		put(&c, 0, 8);
		put(&c, vm->image->memory, 8);
		put(&c, 3, 4);
	}
	put(&c, count, 4);
	for (unsigned i = 0; i < vm->image->assign_count; i++) {
		if (vm->assigned[i] && vm->assigned[i]->present)
			describe_function(&c, vm->assigned[i]);
		else if (vm->assigned[i])
			describe_platform(&c, vm->assigned[i]);
	}
	return c.used;
}
