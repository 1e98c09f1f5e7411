/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest sees of its own CPU where the hypervisor stands behind: CR4 within what CPUID shows, every general
 * register as the operand of a move that exits, the task priority that lets an interrupt pass without an exit, timers.
 */
#include "guest.h"

#define MSR_INITIAL 0x838u
#define MSR_CURRENT 0x839u
#define MSR_DIVIDE 0x83eu
#define MSR_SELF 0x83fu
#define ROUNDS 500u

static unsigned wrong;

static void check(const char *what, bool good)
{
	if (good)
		return;
	wrong++;
	put("WRONG: ");
	put(what);
	put("\n");
}

static uint64_t read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static int write_cr4(uint64_t value)
{
	return FAULT_OF("mov %%rax, %%cr4", value, 0, 0);
}

/* Bits that may be set are set, read back and taken back; the others give #GP and change nothing. */
static void control(void)
{
	uint64_t start = read_cr4();
	uint32_t one[4], seven[4];

	cpuid(1, 0, one);
	cpuid(7, 0, seven);
	check("CR4 starts with MCE", !(start & 0x40));
	for (unsigned bit = 0; bit < 64; bit++) {
		static const uint8_t edx[] = { 1, 1, 4, 2, 3, 6, 7, 13, 32, 24, 25 };
		bool shown = bit == 8 || (bit < 11 && bit != 8 && one[3] >> edx[bit] & 1) ||
			     (bit == 11 && seven[2] & 4) || (bit == 16 && seven[1] & 1) ||
			     (bit == 18 && one[2] >> 26 & 1) || (bit == 20 && seven[1] >> 7 & 1) ||
			     (bit == 21 && seven[1] >> 20 & 1);

		if (write_cr4(start | 1ull << bit) != (shown ? -1 : 13))
			tell("WRONG: CR4 bit", bit), wrong++;
		if (read_cr4() != (shown ? start | 1ull << bit : start))
			tell("WRONG: CR4 reads back, bit", bit), wrong++;
		write_cr4(start);
	}
	check("PAE leaves long mode", write_cr4(start & ~0x20ull) == 13);
	check("CR4 changed", read_cr4() == start);
	cpuid(1, 0, one);
	check("OSXSAVE without XSAVE", !(one[2] & 1u << 27) || one[2] & 1u << 26);
	put("control\n");
}

/* Each general register as the source of a move that exits; RSP is one of them. */
#define MOVE_DR(name, number) do { \
	uint64_t found_; \
	slot = 0x123456789000ull + (number); \
	__asm__ volatile("mov %%" name ", saved; mov slot, %%" name "; mov %%" name ", %%db1; mov saved, %%" name \
			 "; mov %%db1, %0" : "=r"(found_) : : "memory"); \
	if (found_ != slot) \
		tell("WRONG: debug register from register", number), wrong++; } while (0)

#define MOVE_CR4(name, number) do { \
	uint64_t found_; \
	slot = start ^ (number & 1 ? 4 : 8); \
	__asm__ volatile("mov %%" name ", saved; mov slot, %%" name "; mov %%" name ", %%cr4; mov $0, %%" name "; " \
			 "mov %%cr4, %%" name "; mov %%" name ", slot; mov saved, %%" name \
			 : : : "memory"); \
	found_ = slot; \
	if (found_ != (start ^ (number & 1 ? 4 : 8))) \
		tell("WRONG: CR4 by register", number), wrong++; } while (0)

volatile uint64_t slot, saved;

#define EACH(what) do { \
	what("rax", 0); what("rcx", 1); what("rdx", 2); what("rbx", 3); what("rsp", 4); what("rbp", 5); \
	what("rsi", 6); what("rdi", 7); what("r8", 8); what("r9", 9); what("r10", 10); what("r11", 11); \
	what("r12", 12); what("r13", 13); what("r14", 14); what("r15", 15); } while (0)

static void operands(void)
{
	uint64_t start = read_cr4();

	EACH(MOVE_DR);
	EACH(MOVE_CR4);
	check("CR4 taken back", write_cr4(start) == -1);
	check("upper half of DR7", FAULT_OF("mov %%rax, %%db7", 1ull << 32 | 0x400, 0, 0) == 13);
	check("DR5 is DR7", FAULT_OF("mov %%rax, %%db5; mov %%db7, %%rcx", 0x400, 0, 0) == -1);
	check("CR4.DE", write_cr4(start | 8) == -1);
	check("no DR5 then", FAULT_OF("mov %%rax, %%db5", 0x400, 0, 0) == 6);
	check("CR4.DE back", write_cr4(start) == -1);
	put("operands\n");
}

/* MOV to CR8 does not exit, and what it lets pass comes behind it, not some time later. */
static void priority(void)
{
	uint32_t late = 0, early = 0;

	__asm__ volatile("sti" : : : "memory");
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t blocking = TG_VECTOR >> 4;
		uint32_t before;

		if (i & 1)
			blocking = 15;
		__asm__ volatile("mov %0, %%cr8" : : "r"(blocking) : "memory");
		before = irq_count;
		wrmsr(MSR_SELF, TG_VECTOR);
		for (volatile unsigned wait = 0; wait < 20; wait++)
			;
		early += irq_count != before;
		__asm__ volatile("mov %0, %%cr8; nop; nop" : : "r"((uint64_t)(TG_VECTOR >> 4) - 1) : "memory");
		late += irq_count != before + 1;
	}
	__asm__ volatile("mov %0, %%cr8" : : "r"(0ull) : "memory");
	check("an interrupt came in spite of the task priority", !early);
	check("an interrupt did not come at once", !late);
	/* Let in while interrupts are off: HLT wakes, or does not even sleep. */
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t before = irq_count;

		__asm__ volatile("cli; mov %0, %%cr8" : : "r"(15ull) : "memory");
		wrmsr(MSR_SELF, TG_VECTOR);
		__asm__ volatile("mov %0, %%cr8; sti; hlt" : : "r"(0ull) : "memory");
		check("HLT did not take it", irq_count == before + 1);
	}
	__asm__ volatile("cli" : : : "memory");
	/* Moved while one waits for interrupts to be on. */
	for (uint64_t level = 0; level < 16; level++) {
		uint32_t before = irq_count;

		wrmsr(MSR_SELF, TG_VECTOR);
		__asm__ volatile("mov %0, %%cr8; mov %1, %%cr8; sti; nop; nop; cli"
				 : : "r"(level), "r"(level & 1) : "memory");
		check("it did not come with interrupts on", irq_count == before + 1);
	}
	put("priority\n");
}

static void deadline(void)
{
	unsigned late = 0;

	wrmsr(MSR_LVT_TIMER, LVT_DEADLINE | TG_VECTOR);
	__asm__ volatile("sti" : : : "memory");
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t before = irq_count;

		wrmsr(MSR_DEADLINE, rdtsc());
		__asm__ volatile("nop; nop" : : : "memory");
		late += irq_count != before + 1 || rdmsr(MSR_DEADLINE);
	}
	__asm__ volatile("cli" : : : "memory");
	check("a deadline that was over did not come at once", !late);
	put("deadline\n");
}

/* One-shot and periodic share a count; the deadline mode has its own. */
static void modes(void)
{
	wrmsr(MSR_DIVIDE, 0xb);
	wrmsr(MSR_LVT_TIMER, 0x10000 | TG_VECTOR);
	wrmsr(MSR_INITIAL, 4000000000u);
	wrmsr(MSR_LVT_TIMER, 0x30000 | TG_VECTOR);
	check("periodic lost the count", rdmsr(MSR_INITIAL) == 4000000000u && rdmsr(MSR_CURRENT));
	wrmsr(MSR_LVT_TIMER, 0x10000 | TG_VECTOR);
	check("one-shot lost the count", rdmsr(MSR_INITIAL) == 4000000000u && rdmsr(MSR_CURRENT));
	wrmsr(MSR_LVT_TIMER, 0x50000 | TG_VECTOR);
	check("deadline kept the count", !rdmsr(MSR_INITIAL) && !rdmsr(MSR_CURRENT));
	put("modes\n");
}

/* Leaves at the end of what CPUID knows; ECX must not matter. */
static void leaves(void)
{
	static const uint32_t far[] = { 0xc0000000, 0xffffffff, 0x3fffffff, 0x7fffffff, 0xbfffffff };
	uint32_t out[4];

	for (unsigned i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		for (uint32_t subleaf = 0; subleaf < 1000; subleaf++) {
			cpuid(far[i], subleaf, out);
			check("a leaf that is not there answers", !(out[0] | out[1] | out[2] | out[3]));
		}
	put("leaves\n");
}

void guest_main(void)
{
	wrmsr(MSR_SVR, 0x1ff);
	control();
	operands();
	priority();
	deadline();
	modes();
	leaves();
	tell("registers done, wrong", wrong);
	for (;;)
		__asm__ volatile("" : : : "memory");
}
