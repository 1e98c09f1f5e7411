/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the audit ring until the stormy VM has ended, then says what is in there of each VM, and whether the numbers
 * are without holes.
 */
#include "guest.h"

#define VMS 16u
#define STORM 0u

static struct { uint32_t records, stops, gaps; uint64_t lost; } seen[VMS];

static bool read_record(uint64_t number, struct lzr_audit_record *out)
{
	uint64_t *to = (uint64_t *)out;

	for (unsigned half = 0; half < 2; half++) {
		struct call_result r = call(LZR_CALL_READ, LZR_STREAM_AUDIT, number * sizeof(*out) + 32 * half);

		if (r.status != LZR_OK)
			return false;
		to[4 * half] = r.rbx;
		to[4 * half + 1] = r.rcx;
		to[4 * half + 2] = r.rdx;
		to[4 * half + 3] = r.rsi;
	}
	return out->sequence == number && out->event;
}

static uint64_t read_from(uint64_t number)
{
	struct lzr_audit_record r;

	for (; read_record(number, &r); number++) {
		if (r.vm >= VMS)
			continue;
		seen[r.vm].records++;
		seen[r.vm].stops += r.event == LZR_AUDIT_VM_STOP;
		if (r.event == LZR_AUDIT_GAP) {
			seen[r.vm].gaps++;
			seen[r.vm].lost += r.arg0;
		}
	}
	return number;
}

void guest_main(void)
{
	uint64_t number = 0, start = call(LZR_CALL_CLOCK, 0, 0).rbx;

	while (!seen[STORM].stops)
		number = read_from(number);
	for (unsigned vm = 0; vm < VMS; vm++) {
		put("vm ");
		put_number(vm);
		put(" records ");
		put_number(seen[vm].records);
		put(" stops ");
		put_number(seen[vm].stops);
		tell(" lost", seen[vm].lost);
	}
	put("records ");
	put_number(number);
	tell(" seconds", (call(LZR_CALL_CLOCK, 0, 0).rbx - start) / 1000000000);
}
