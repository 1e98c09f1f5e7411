/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit ring: what happened, numbered without holes.  Each VM may add BURST records at once and one more each
 * second; what it loses to that quota is counted, and said in a gap record as soon as the quota allows one.
 * Lock: audit; nothing is taken inside it.
 */
#include <string.h>

#include "config.h"
#include "plat.h"
#include "records.h"

#define BURST 32u
#define REFILL_NS 1000000000ull

static struct lzr_audit_record ring[AUDIT_SLOTS];
static uint64_t next;
static struct source {
	uint32_t used;                  /* of BURST */
	uint64_t refilled_ns;
	uint64_t lost;
} sources[LZR_VM_MAX + 1];              /* the last: the hypervisor */
static struct spinlock lock;

static void add(uint32_t vm, uint32_t event, uint64_t arg0, uint64_t arg1)
{
	ring[next % AUDIT_SLOTS] = (struct lzr_audit_record){
		.sequence = next, .time_ns = time_ns(), .vm = vm, .event = event, .arg0 = arg0, .arg1 = arg1,
	};
	next++;
}

/* Gives back what time has earned; tells a gap if there is room for it. */
static void refill(struct source *source, uint32_t vm)
{
	uint64_t earned = (time_ns() - source->refilled_ns) / REFILL_NS;

	source->refilled_ns += earned * REFILL_NS;
	source->used = earned < source->used ? source->used - (uint32_t)earned : 0;
	if (source->lost && source->used < BURST) {
		add(vm, LZR_AUDIT_GAP, source->lost, 0);
		source->lost = 0;
		source->used++;
	}
}

static uint32_t source_vm(unsigned index)
{
	return index == LZR_VM_MAX ? AUDIT_HV : index;
}

void audit(uint32_t vm, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1)
{
	CHECK(vm == AUDIT_HV || vm < LZR_VM_MAX);
	struct source *source = &sources[vm == AUDIT_HV ? LZR_VM_MAX : vm];

	spin_lock(&lock);
	refill(source, vm);
	if (source->used < BURST) {
		add(vm, event, arg0, arg1);
		source->used++;
	} else {
		source->lost++;
	}
	spin_unlock(&lock);
}

uint64_t audit_next(void)
{
	spin_lock(&lock);
	for (unsigned i = 0; i <= LZR_VM_MAX; i++)
		if (sources[i].lost)
			refill(&sources[i], source_vm(i));
	uint64_t number = next;

	spin_unlock(&lock);
	return number;
}

/* The hypervisor's own records are about the whole machine: for those who may read of every VM. */
void audit_read(uint64_t readable, uint64_t offset, uint64_t out[4])
{
	if (offset % 32 || offset >= sizeof(ring))
		return;
	spin_lock(&lock);
	uint32_t vm = ring[offset / sizeof(ring[0])].vm;

	if (vm == AUDIT_HV ? !(~readable << (64 - machine.vm_count)) : readable >> vm & 1)
		memcpy(out, (const uint8_t *)ring + offset, 32);
	spin_unlock(&lock);
}
