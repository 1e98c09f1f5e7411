/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the audit rings until the stormy VM has ended, then says what is in there of each VM, and whether the numbers
 * are without holes.
 */
#include "guest.h"

#define VMS 16u
#define STORM 0u

static struct { uint64_t next, lost; uint32_t stops, wrong; } seen[VMS];

/* `length` is a multiple of 32. */
static bool read(uint64_t at, void *out, uint64_t length)
{
	uint64_t *to = out;

	for (uint64_t done = 0; done < length; done += 32, to += 4) {
		struct call_result r = call(LZR_CALL_READ, LZR_STREAM_AUDIT, at + done);

		if (r.status != LZR_OK)
			return false;
		to[0] = r.rbx;
		to[1] = r.rcx;
		to[2] = r.rdx;
		to[3] = r.rsi;
	}
	return true;
}

static void read_ring(unsigned vm)
{
	uint64_t ring = (vm + 1) * sizeof(struct lzr_audit_ring);
	struct lzr_audit_record r;
	struct lzr_audit_head head;

	if (!read(ring, &head, sizeof(head)))
		return;
	seen[vm].lost = head.lost;
	for (; seen[vm].next < head.next; seen[vm].next++) {
		if (!read(ring + sizeof(head) + seen[vm].next % LZR_AUDIT_SLOTS * sizeof(r), &r, sizeof(r)))
			return;
		seen[vm].stops += r.event == LZR_AUDIT_VM_STOP;
		seen[vm].wrong += r.sequence != seen[vm].next || r.vm != vm || !r.event;
	}
}

void guest_main(void)
{
	uint64_t records = 0, wrong = 0, start = call(LZR_CALL_CLOCK, 0, 0).rbx;

	while (!seen[STORM].stops)
		for (unsigned vm = 0; vm < VMS; vm++)
			read_ring(vm);
	for (unsigned vm = 0; vm < VMS; vm++) {
		put("vm ");
		put_number(vm);
		put(" records ");
		put_number(seen[vm].next);
		put(" stops ");
		put_number(seen[vm].stops);
		tell(" lost", seen[vm].lost);
		records += seen[vm].next;
		wrong += seen[vm].wrong;
	}
	put("records ");
	put_number(records);
	put(" wrong ");
	put_number(wrong);
	tell(" seconds", (call(LZR_CALL_CLOCK, 0, 0).rbx - start) / 1000000000);
}
