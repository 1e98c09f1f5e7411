/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares a CPU with guests that misbehave: keeps memory, vector and x87 registers, debug registers and model-specific
 * registers full of its own values, and looks all the time whether they are still there.  A service VM: it asks for its
 * seed twice.
 */
#include "guest.h"

#define CANARY ((volatile uint64_t *)0x280000)
#define CANARIES (0x100000 / 8)
#define PIECE 4096u
#define REPORT_NS 1000000000ull

static const uint32_t registers[] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101,
				      0xc0000102, 0xc0000103, 0x174,	  0x175,      0x176 };
#define REGISTERS (sizeof(registers) / sizeof(registers[0]))

static uint64_t ymm[16][4] __attribute__((aligned(32)));
static uint64_t found[16][4] __attribute__((aligned(32)));
static bool has_avx;

static uint64_t value_of(uint64_t what)
{
	return (what + 1) * 0x9e3779b97f4a7c15ull & 0x7fffffffull;
}

/* SYSENTER_CS is a selector. */
static uint64_t register_value(unsigned index)
{
	return value_of(200 + index) & (registers[index] == 0x174 ? 0xffff : UINT32_MAX);
}

static void state_set(void)
{
	/* The image shows AVX where the CPU has it; the emulated one has. */
	has_avx = FAULT_OF("mov %%cr4, %%rax; or $0x40000, %%rax; mov %%rax, %%cr4", 0, 0, 0) == -1 &&
		  FAULT_OF("xsetbv", 7, 0, 0) == -1;
	put(has_avx ? "ymm\n" : "xmm\n");
	for (unsigned i = 0; i < 64; i++)
		ymm[i / 4][i % 4] = value_of(i) << 20 | i;
#define LOAD(n) if (has_avx) __asm__ volatile("vmovdqa %0, %%ymm" #n : : "m"(ymm[n])); \
	else __asm__ volatile("movdqa %0, %%xmm" #n : : "m"(ymm[n]));
	LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7)
	LOAD(8) LOAD(9) LOAD(10) LOAD(11) LOAD(12) LOAD(13) LOAD(14) LOAD(15)
	__asm__ volatile("fninit; fldpi; fldl2e" : : : "memory");
	__asm__ volatile("mov %0, %%db0; mov %1, %%db1; mov %2, %%db2; mov %3, %%db3"
			 : : "r"(value_of(100)), "r"(value_of(101)), "r"(value_of(102)), "r"(value_of(103)));
	for (unsigned i = 0; i < REGISTERS; i++)
		wrmsr(registers[i], register_value(i));
	for (unsigned i = 0; i < CANARIES; i++)
		CANARY[i] = value_of(i) << 32 | i;
}

static bool vectors_kept(void)
{
#define STORE(n) if (has_avx) __asm__ volatile("vmovdqa %%ymm" #n ", %0" : "=m"(found[n])); \
	else __asm__ volatile("movdqa %%xmm" #n ", %0" : "=m"(found[n]));
	STORE(0) STORE(1) STORE(2) STORE(3) STORE(4) STORE(5) STORE(6) STORE(7)
	STORE(8) STORE(9) STORE(10) STORE(11) STORE(12) STORE(13) STORE(14) STORE(15)
	for (unsigned i = 0; i < 16; i++)
		for (unsigned j = 0; j < (has_avx ? 4 : 2); j++)
			if (((volatile uint64_t (*)[4])found)[i][j] != ymm[i][j])
				return false;
	return true;
}

static bool x87_kept(void)
{
	uint64_t top = 0, next = 0;

	__asm__ volatile("fstl %0; fxch; fstl %1; fxch" : "+m"(top), "+m"(next));
	return top == 0x3ff71547652b82fe && next == 0x400921fb54442d18;
}

static bool debug_kept(void)
{
	uint64_t d[4];

	__asm__ volatile("mov %%db0, %0; mov %%db1, %1; mov %%db2, %2; mov %%db3, %3"
			 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]));
	for (unsigned i = 0; i < 4; i++)
		if (d[i] != value_of(100 + i))
			return false;
	return true;
}

static bool registers_kept(void)
{
	uint32_t low = 7, high = 0;

	for (unsigned i = 0; i < REGISTERS; i++)
		if (rdmsr(registers[i]) != register_value(i))
			return false;
	if (has_avx)
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low == 7 && !high;
}

static bool memory_kept(unsigned round)
{
	unsigned first = round * PIECE % CANARIES;

	for (unsigned i = first; i < first + PIECE; i++)
		if (CANARY[i] != (value_of(i) << 32 | i))
			return false;
	return true;
}

static void seed(void)
{
	struct call_result first = call(LZR_CALL_SEED, 0, 0), second = call(LZR_CALL_SEED, 0, 0);

	put(first.status == LZR_OK && (first.rbx | first.rcx | first.rdx | first.rsi) ? "seed given\n"
										      : "seed MISSING\n");
	put(second.status == LZR_DENIED ? "seed once\n" : "seed TWICE\n");
	for (uint64_t stream = 0; stream < 10; stream++)
		if (call(LZR_CALL_READ, stream, 0).status != LZR_DENIED)
			tell("stream LEAKS", stream);
}

void guest_main(void)
{
	uint64_t said = 0, seconds = 0;

	seed();
	state_set();
	for (unsigned round = 0;; round++) {
		const char *lost = !vectors_kept() ? "vector registers LOST" : !x87_kept() ? "x87 LOST" :
				   !debug_kept() ? "debug registers LOST" : !registers_kept() ? "msr LOST" :
				   !memory_kept(round) ? "memory LOST" : NULL;
		uint64_t now = call(LZR_CALL_CLOCK, 0, 0).rbx;

		if (lost) {
			tell(lost, round);
			return;
		}
		if (now - said >= REPORT_NS) {
			said = now;
			tell("whole", seconds++);
		}
	}
}
