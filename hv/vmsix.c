/* SPDX-License-Identifier: Apache-2.0 */
#include "vmsix.h"

#define MSI_ADDRESS_MASK 0xfffffffffff00000ull
#define MSI_ADDRESS_BASE 0x00000000fee00000ull
#define MSI_DATA_VECTOR 0x000000ffu
#define MSI_DATA_MODE 0x00000700u       /* 0 fixed, 1 lowest priority */
#define   MSI_DATA_MODE_LOWEST 0x00000100u
#define MSI_DATA_LEVEL 0x00008000u
#define MSI_VECTOR_FIRST 16u

/*
 * One aligned 32-bit load of hostile memory; volatile keeps the loads in program order, and x86 does not reorder loads.
 */
static uint32_t entry_word(const volatile void *table, unsigned index, unsigned word)
{
	return ((const volatile uint32_t *)table)[index * (MSIX_ENTRY_SIZE / 4) + word];
}

enum msix_entry_state msix_entry_read(const volatile void *table, unsigned index, struct msix_message *out)
{
	uint32_t before = entry_word(table, index, 3);
	uint64_t address = entry_word(table, index, 0);
	uint32_t data, mode;

	address |= (uint64_t)entry_word(table, index, 1) << 32;
	data = entry_word(table, index, 2);
	if ((before | entry_word(table, index, 3)) & MSIX_ENTRY_CONTROL_MASK)
		return MSIX_ENTRY_MASKED;
	mode = data & MSI_DATA_MODE;
	if ((address & MSI_ADDRESS_MASK) != MSI_ADDRESS_BASE || (data & MSI_DATA_VECTOR) < MSI_VECTOR_FIRST)
		return MSIX_ENTRY_BAD;
	if ((mode != 0 && mode != MSI_DATA_MODE_LOWEST) || (data & MSI_DATA_LEVEL))
		return MSIX_ENTRY_BAD;
	*out = (struct msix_message){ .address = address, .data = data };
	return MSIX_ENTRY_READY;
}

void vmsix_power_on(struct vmsix *msix)
{
	__builtin_memset((void *)msix->page, 0, PAGE_SIZE);
	for (unsigned i = 0; i < msix->vectors; i++)
		((volatile uint32_t *)msix->page)[i * (MSIX_ENTRY_SIZE / 4) + 3] = MSIX_ENTRY_CONTROL_MASK;
	vmsix_set_control(msix, 0);
}

void vmsix_set_control(struct vmsix *msix, uint16_t control)
{
	__atomic_store_n(&msix->control, control, __ATOMIC_SEQ_CST);
	if (!(control & MSIX_CONTROL_ENABLE))
		vmsix_clear(msix);
}

void vmsix_clear(struct vmsix *msix)
{
	for (unsigned i = 0; i < ARRAY_LENGTH(msix->pending); i++)
		__atomic_store_n(&msix->pending[i], 0, __ATOMIC_SEQ_CST);
}

void vmsix_raise(struct vmsix *msix, unsigned vector)
{
	uint64_t index = guest_index(guest_number(vector), msix->vectors);

	if (!guest_below(guest_number(vector), msix->vectors))
		return;
	if (!(__atomic_load_n(&msix->control, __ATOMIC_SEQ_CST) & MSIX_CONTROL_ENABLE))
		return;
	__atomic_fetch_or(&msix->pending[index / 64], 1ull << (index % 64), __ATOMIC_SEQ_CST);
}

/*
 * One vector: true when it stays pending.  The bit is cleared before the message goes, so a raise meanwhile is not
 * lost.
 */
static bool vector_deliver(struct vmsix *msix, unsigned vector)
{
	uint64_t bit = 1ull << (vector % 64);
	struct msix_message message;
	enum msix_entry_state state = msix_entry_read(msix->page, vector, &message);

	if (state == MSIX_ENTRY_MASKED)
		return true;
	if (!(__atomic_fetch_and(&msix->pending[vector / 64], ~bit, __ATOMIC_SEQ_CST) & bit))
		return false;
	if (state == MSIX_ENTRY_READY)
		vm_msi(msix->vm, message.address, message.data);
	return false;
}

bool vmsix_deliver(struct vmsix *msix)
{
	uint32_t control = __atomic_load_n(&msix->control, __ATOMIC_SEQ_CST);
	bool stays = false;

	if (!(control & MSIX_CONTROL_ENABLE))
		return false;
	for (unsigned i = 0; i < ARRAY_LENGTH(msix->pending); i++) {
		uint64_t bits = __atomic_load_n(&msix->pending[i], __ATOMIC_SEQ_CST);
		volatile uint64_t *shown = (volatile uint64_t *)(msix->page + MSIX_PENDING_OFFSET) + i;

		if (!bits)
			continue;
		if (control & MSIX_CONTROL_MASK) {
			stays = true;
		} else {
			for (uint64_t left = bits; left; left &= left - 1)
				stays |= vector_deliver(msix, i * 64 + (unsigned)__builtin_ctzll(left));
		}
		*shown = __atomic_load_n(&msix->pending[i], __ATOMIC_SEQ_CST);
	}
	return stays;
}
