/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit rings: one for each VM and the hypervisor's own, each numbered for itself without holes, so that nothing in
 * one tells of another.  A record stays for KEEP_NS at least; what finds no room meanwhile is counted instead.
 * Lock: audit; nothing is taken inside it.
 */
#include <string.h>

#include "config.h"
#include "plat.h"
#include "records.h"

#define KEEP_NS 60000000000ull

static struct lzr_audit_ring rings[LZR_VM_MAX + 1];     /* the hypervisor's, then VM n's at n + 1 */
static struct spinlock lock;

void audit(uint32_t vm, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1)
{
	CHECK(vm == AUDIT_HV || vm < LZR_VM_MAX);
	struct lzr_audit_ring *ring = &rings[vm == AUDIT_HV ? 0 : vm + 1];

	spin_lock(&lock);
	struct lzr_audit_record *record = &ring->records[ring->head.next % LZR_AUDIT_SLOTS];
	uint64_t now = time_ns();

	if (record->event && now - record->time_ns < KEEP_NS)
		ring->head.lost++;
	else
		*record = (struct lzr_audit_record){
			.sequence = ring->head.next++, .time_ns = now, .vm = vm, .event = event,
			.arg0 = arg0, .arg1 = arg1,
		};
	spin_unlock(&lock);
}

/* The hypervisor's own records are about the whole machine: for those who may read of every VM. */
void audit_read(uint64_t readable, uint64_t offset, uint64_t out[4])
{
	uint64_t ring = offset / sizeof(rings[0]);
	const uint8_t *from = (const uint8_t *)rings + guest_index(guest_number(offset), sizeof(rings));

	if (offset % 32 || ring > machine.vm_count)
		return;
	if (ring == 0 ? ~readable << (64 - machine.vm_count) != 0 : !(readable >> (ring - 1) & 1))
		return;
	spin_lock(&lock);
	memcpy(out, from, 32);
	spin_unlock(&lock);
}
