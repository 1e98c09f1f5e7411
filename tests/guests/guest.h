/* SPDX-License-Identifier: Apache-2.0 */
/* What the tiny test guests share: console, hypercalls, registers, instructions that are expected to fault. */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <lazaret/hypercall.h>

#define TG_VECTOR 0x40

void guest_main(void);

extern volatile uint32_t irq_count;
extern volatile uint32_t fault_vector;
extern volatile uint64_t fault_recover;

void put(const char *text);
void put_number(uint64_t value);
/* "TEXT NUMBER\n" */
void tell(const char *text, uint64_t value);
void set_gate(unsigned vector, uint64_t address);

struct call_result { uint64_t status, rbx, rcx, rdx, rsi; };

static inline struct call_result call(uint64_t number, uint64_t rdi, uint64_t rsi)
{
	struct call_result r;

	r.rsi = rsi;
	__asm__ volatile("vmmcall"
			 : "=a"(r.status), "=b"(r.rbx), "=c"(r.rcx), "=d"(r.rdx), "+S"(r.rsi)
			 : "a"(number), "D"(rdi) : "memory");
	return r;
}

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}

/* Runs instructions (with RAX, RCX, RDX set) and says which exception they raised, or -1. */
#define FAULT_OF(code, rax, rcx, rdx) ({ \
	uint64_t a_ = (rax), c_ = (rcx), d_ = (rdx); \
	fault_vector = UINT32_MAX; \
	__asm__ volatile("lea 9f(%%rip), %%rbx; mov %%rbx, fault_recover\n\t" code "\n9:\tmovq $0, fault_recover" \
			 : "+a"(a_), "+c"(c_), "+d"(d_) : : "rbx", "rsi", "rdi", "memory"); \
	(int)fault_vector; })

#define MSR_DEADLINE 0x6e0u
#define MSR_EOI 0x80bu
#define MSR_SVR 0x80fu
#define MSR_LVT_TIMER 0x832u
#define LVT_DEADLINE 0x40000u

#endif
