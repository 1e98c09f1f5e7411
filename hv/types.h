/* SPDX-License-Identifier: Apache-2.0 */
/* Types that every file of the hypervisor uses. */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses are distinct types, so that a guest's address cannot be used as the machine's. */
typedef struct { uint64_t a; } gpa_t;   /* guest-physical */
typedef struct { uint64_t a; } hpa_t;   /* host-physical */

static inline gpa_t gpa(uint64_t a) { return (gpa_t){ a }; }
static inline hpa_t hpa(uint64_t a) { return (hpa_t){ a }; }

/*
 * A number that a guest chose.  It is no integer, so it indexes nothing: guest_index() alone takes it out, and what
 * comes out is below `count`, by arithmetic and not by a branch, so also where a CPU runs ahead of the comparison that
 * is to refuse it.  guest_below() is that comparison.
 */
typedef struct { uint64_t n; } guest_number_t;
static inline guest_number_t guest_number(uint64_t n) { return (guest_number_t){ n }; }
static inline bool guest_below(guest_number_t number, uint64_t count) { return number.n < count; }
static inline uint64_t guest_index(guest_number_t number, uint64_t count)
{
	uint64_t mask;

	/* All ones if the subtraction borrows. */
	__asm__("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(number.n), "er"(count) : "cc");
	return number.n & mask;
}

#define PAGE_SIZE 4096ul
#define LARGE_PAGE_SIZE (2ul << 20)

/* Results inside the hypervisor.  What a guest sees is enum lzr_status (lazaret/hypercall.h). */
enum hv_err {
	HV_OK = 0,
	HV_NO_MEMORY,           /* a pool that the policy sized is exhausted */
	HV_BAD_INPUT,           /* firmware, file or guest input fails its check */
	HV_NOT_OWNED,           /* the page-ownership array says no */
	HV_CONFLICT,            /* already there, already owned */
	HV_UNSUPPORTED,         /* the hardware lacks it */
	HV_TIMEOUT,             /* the hardware did not answer in time */
	HV_DENIED,              /* the policy does not grant it */
};

/* Clears a secret that nobody reads again, which a plain memset may leave out. */
static inline void wipe(void *secret, size_t length)
{
	__builtin_memset(secret, 0, length);
	__asm__ volatile("" : : "r"(secret) : "memory");
}

#define HV_MUST_CHECK __attribute__((warn_unused_result))
/* Gone after the seal: functions, data.  Read-only after the seal: HV_SEALED data (starts as zero). */
#define HV_BOOT __attribute__((section(".boot.text"), noinline, cold))
#define HV_BOOT_DATA __attribute__((section(".boot.data")))
#define HV_SEALED __attribute__((section(".sealed")))
#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#endif
