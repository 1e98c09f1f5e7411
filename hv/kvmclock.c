/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-clock: the page that tells a guest how to turn the TSC into nanoseconds, and the wall clock.  The TSC is
 * invariant, the same on all CPUs and not offset, so a page is written once.
 * Linux Documentation/virt/kvm/x86/msr.rst.
 */
#include "vcpu.h"

#define WALL_CLOCK 0x4b564d00u
#define CLOCK_ENABLE 1ull
#define CLOCK_STABLE 1u

struct pvclock_page {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
};
_Static_assert(sizeof(struct pvclock_page) == 32, "pvclock page");

struct pvclock_wall {
	uint32_t version;
	uint32_t seconds;
	uint32_t nanoseconds;
};
_Static_assert(sizeof(struct pvclock_wall) == 12, "pvclock wall clock");

/* ns = (ticks << shift) * mul >> 32, with mul as large as fits. */
static void scale(uint32_t khz, uint32_t *mul, int8_t *shift)
{
	uint64_t value = (1000000ull << 32) / khz;

	*shift = 0;
	while (value > UINT32_MAX) {
		value >>= 1;
		++*shift;
	}
	while (value < 1u << 31) {
		--*shift;
		value = (1000000ull << (32 - *shift)) / khz;
	}
	*mul = (uint32_t)value;
}

static bool write_time(struct vcpu *vcpu, uint64_t value)
{
	uint64_t start = vm_private(vcpu->vm)->start_ns;
	struct pvclock_page page = {
		.version = 2,
		.tsc_timestamp = time_to_tsc(start),
		.flags = CLOCK_STABLE,
	};

	vcpu->clock_gpa = value;
	if (!(value & CLOCK_ENABLE))
		return true;
	scale(time_tsc_khz(), &page.tsc_to_system_mul, &page.tsc_shift);
	return guest_write(vcpu->vm, gpa(value & ~CLOCK_ENABLE), &page, sizeof(page));
}

static bool write_wall_clock(struct vcpu *vcpu, uint64_t value)
{
	uint64_t start = vm_private(vcpu->vm)->start_ns;
	struct pvclock_wall wall = {
		.version = 2,
		.seconds = (uint32_t)(records_wall_clock() + start / 1000000000u),
		.nanoseconds = (uint32_t)(start % 1000000000u),
	};

	return guest_write(vcpu->vm, gpa(value), &wall, sizeof(wall));
}

bool kvmclock_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	return msr == WALL_CLOCK ? write_wall_clock(vcpu, value) : write_time(vcpu, value);
}

bool kvmclock_read(const struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	*value = msr == WALL_CLOCK ? 0 : vcpu->clock_gpa;
	return true;
}
