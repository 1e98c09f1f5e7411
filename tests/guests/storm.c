/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that tries everything that must not end it nor touch anybody else: all hypercalls, all registers, all ports,
 * all of PCI, every instruction for hosts, interrupts of every kind.  It counts what should have been refused and was
 * not.
 */
#include "guest.h"

#define MSR_ICR 0x830u
#define MSR_EFER 0xc0000080u
#define POWER_PORT 0x600u
#define CALLS 64u
#define AP_CODE 0x8000u

extern uint64_t idt[256][2];

static uint64_t random_state = 1;
static volatile uint32_t wrong;

static uint64_t roll(void)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return random_state ^ random_state >> 29;
}

static void bad(const char *what, uint64_t detail)
{
	if (wrong++ < 20) {
		put("BAD ");
		tell(what, detail);
	}
}

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

static void try_call(uint64_t number, uint64_t first, uint64_t second)
{
	struct call_result r = call(number, first, second);
	bool answers = number == LZR_CALL_VERSION || number == LZR_CALL_CLOCK;

	if (answers ? r.status != LZR_OK : r.status != LZR_DENIED && r.status != LZR_UNKNOWN)
		bad("call", number);
	if (!answers && r.rsi != second)
		bad("call changed a register", number);
}

static void hypercalls(void)
{
	for (uint64_t number = 0; number < CALLS; number++)
		for (unsigned round = 0; round < 16; round++)
			try_call(number, roll() >> (round * 4), roll() >> (round * 4) & ~31ull);
	for (unsigned bit = 6; bit < 64; bit++)
		for (unsigned number = 0; number < 8; number++)
			try_call(1ull << bit | number, roll(), roll());
	for (uint64_t stream = 0; stream < 16; stream++)
		try_call(LZR_CALL_READ, stream, 0);
	for (uint64_t vm = 0; vm < 40; vm++)
		for (uint64_t operation = 0; operation < 5; operation++)
			try_call(LZR_CALL_CONTROL, vm, operation);
	tell("calls", CALLS);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

static uint32_t msr_faults, msr_answers;

static bool msr_write_faults(uint32_t msr, uint64_t value)
{
	return FAULT_OF("wrmsr", (uint32_t)value, msr, value >> 32) == 13;
}

static void try_msr(uint32_t msr)
{
	if (FAULT_OF("rdmsr", 0, msr, 0) == 13) {
		msr_faults++;
		if (!msr_write_faults(msr, 0) && msr != 0x80b && msr != 0x83f && msr != 0x10)
			bad("msr written that cannot be read", msr);
		msr_write_faults(msr, ~0ull);
		return;
	}
	uint64_t before = rdmsr(msr);

	msr_answers++;
	if (msr == MSR_ICR)
		return;
	msr_write_faults(msr, 0);
	msr_write_faults(msr, roll());
	msr_write_faults(msr, ~0ull);
	msr_write_faults(msr, before);
}

static void registers(void)
{
	for (uint32_t msr = 0; msr <= 0x2000; msr++)
		try_msr(msr);
	for (uint32_t msr = 0xc0000000; msr <= 0xc0000200; msr++)
		try_msr(msr);
	for (uint32_t msr = 0xc0010000; msr <= 0xc0011100; msr++)
		try_msr(msr);
	for (uint32_t bit = 0; bit < 32; bit++)
		try_msr(1u << bit);
	/* EFER: SVME and whatever else is not the guest's. */
	for (unsigned bit = 0; bit < 64; bit++)
		if (bit != 0 && bit != 8 && bit != 10 && bit != 11 &&
		    !msr_write_faults(MSR_EFER, (rdmsr(MSR_EFER) & ~(1ull << 10)) | 1ull << 8 | 1ull << bit))
			bad("efer bit", bit);
	if (rdmsr(MSR_EFER) & 0x1000)
		bad("efer shows svme", rdmsr(MSR_EFER));
	/* kvm-clock: places that are not RAM, bits that do not exist. */
	for (unsigned i = 0; i < 64; i++) {
		msr_write_faults(0x4b564d00, roll() >> i | 1ull << 40);
		msr_write_faults(0x4b564d01, roll() >> i | 1ull << 40 | 1);
	}
	msr_write_faults(0x4b564d01, 0xfee00001);
	msr_write_faults(0x4b564d01, 0xfffffffffffff001);
	msr_write_faults(0x4b564d01, 0);
	tell("msrs refused", msr_faults);
	tell("msrs answered", msr_answers);
}

#define SET_EACH_BIT(name, bits) \
	for (unsigned bit = 0; bit < 64; bit++) \
		if ((bits) >> bit & 1) \
			FAULT_OF("mov %%" name ", %%rcx; mov %%rcx, %%rsi; or %%rax, %%rcx; mov %%rcx, %%" name "; " \
				 "mov %%rsi, %%" name, 1ull << bit, 0, 0)

/* Single steps end here, and do not go on. */
__asm__(".globl step_entry\nstep_entry: incl step_count(%rip)\nandl $~0x100, 16(%rsp)\niretq");
extern char step_entry[];
volatile uint32_t step_count;

static void breakpoints(void)
{
	uint64_t kept[2] = { idt[1][0], idt[1][1] };

	for (unsigned i = 0; i < 200; i++) {
		if (FAULT_OF("lea 7f(%%rip), %%rcx; mov %%rcx, %%db0; mov %%rax, %%db7\n7: cpuid", 0x401, 0, 0) != 1)
			bad("no breakpoint", i);
		FAULT_OF("mov %%rax, %%db7", 0x400, 0, 0);
		FAULT_OF("mov %%rax, %%db7; mov %%db7, %%rcx", 0x2400, 0, 0);
		FAULT_OF("mov %%rax, %%db7", 0x400, 0, 0);
		FAULT_OF(".byte 0xf1", 0, 0, 0);
	}
	set_gate(1, (uint64_t)step_entry);
	for (unsigned i = 0; i < 200; i++) {
		__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" : : : "memory");
		__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; cpuid; nop; nop"
				 :
				 :
				 : "rax", "rbx", "rcx", "rdx", "memory");
		__asm__ volatile(
			"mov %%ss, %%eax; pushfq; orl $0x100, (%%rsp); popfq; mov %%eax, %%ss; vmmcall; nop; nop"
			:
			:
			: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "memory");
	}
	if (step_count < 200)
		bad("steps", step_count);
	idt[1][0] = kept[0];
	idt[1][1] = kept[1];
}

static void control_registers(void)
{
	/* The emulator ends the guest for reserved bits of CR4 (tests/guests/ending.c), where a CPU gives #GP. */
	SET_EACH_BIT("cr0", 0xffffffffull);
	SET_EACH_BIT("cr4", 0x1507ffull);
	SET_EACH_BIT("cr8", ~0ull);
	SET_EACH_BIT("cr2", ~0ull);
	SET_EACH_BIT("db6", 0xffffffffull);
	SET_EACH_BIT("db7", 0xffffffffull);
	FAULT_OF("mov %%rax, %%cr8", 0, 0, 0);
	FAULT_OF("mov %%rax, %%db7", 0x400, 0, 0);
	FAULT_OF("mov %%rax, %%db4; mov %%rax, %%db5", ~0ull, 0, 0);
	breakpoints();
	put("control registers\n");
}

/* --- instructions ------------------------------------------------------------------------------------------------- */

#define UNDEFINED(text) do { \
	int found_ = FAULT_OF(text, roll(), roll(), roll()); \
	if (found_ != 6 && found_ != 13) \
		bad(text, (uint64_t)found_); } while (0)

static void instructions(void)
{
	for (unsigned i = 0; i < 100; i++) {
		UNDEFINED("vmrun %%rax");
		UNDEFINED("vmload %%rax");
		UNDEFINED("vmsave %%rax");
		UNDEFINED("stgi");
		UNDEFINED("clgi");
		UNDEFINED("invlpga %%rax, %%ecx");
		UNDEFINED(".byte 0x0f, 0x01, 0xde");    /* SKINIT */
		UNDEFINED("rsm");
		UNDEFINED("vmcall");
		UNDEFINED("vmlaunch");
		UNDEFINED("rdpmc");
		FAULT_OF("monitor", roll(), 0, 0);
		FAULT_OF("xsetbv", roll(), i % 3, roll());
		FAULT_OF("wbinvd; invd", 0, 0, 0);
	}
	put("instructions\n");
}

/*
 * XSETBV goes through where the emulator does not intercept it: every value that the CPU takes, then one that others
 * use.
 */
static void extended_state(void)
{
	FAULT_OF("mov %%cr4, %%rcx; or %%rax, %%rcx; mov %%rcx, %%cr4", 1u << 18, 0, 0);
	for (uint64_t value = 0; value < 1024; value++)
		FAULT_OF("xsetbv", value, 0, value & 512 ? 1u << 30 : 0);
	FAULT_OF("xsetbv", 1, 0, 0);
	/* A long while with x87 only, so that others on this CPU run in between. */
	for (volatile uint32_t wait = 0; wait < 3000000; wait++)
		;
	put("extended state\n");
}

/* --- ports and PCI ------------------------------------------------------------------------------------------------ */

static void ports(void)
{
	for (uint32_t port = 0; port < 0x10000; port++) {
		uint64_t found = 0;

		__asm__ volatile("inb %w1, %b0" : "+a"(found) : "d"(port));
		if (port % 16 == 0 || port > 0xfff0)
			__asm__ volatile("inw %w1, %w0; inl %w1, %k0" : "+a"(found) : "d"(port));
		if (port - POWER_PORT < 3 || port == 0xe9 || port - 0x3f8 < 8)
			continue;
		__asm__ volatile("outb %b0, %w1" : : "a"(0xff), "d"(port));
		if (port % 16 == 0)
			__asm__ volatile("outw %w0, %w1; outl %k0, %w1" : : "a"(0xffffffff), "d"(port));
	}
	put("ports\n");
}

static void pci(void)
{
	static const uint32_t buses[] = { 0, 1, 255 };

	for (unsigned b = 0; b < 3; b++)
		for (uint32_t function = 0; function < 256; function += b ? 5 : 1)
			for (uint32_t at = 0; at < 256; at += b ? 16 : 4) {
				__asm__ volatile("outl %0, %w1"
						 :
						 : "a"(0x80000000 | buses[b] << 16 | function << 8 | at), "d"(0xcf8));
				__asm__ volatile("outl %0, %w1" : : "a"(0xffffffff), "d"(0xcfc));
				__asm__ volatile("outb %b0, %w1" : : "a"(0xff), "d"(0xcff));
				if (function && in32(0xcfc) != UINT32_MAX)
					bad("a function that is not there answers", function << 8 | at);
			}
	put("pci\n");
}

/* --- interrupts --------------------------------------------------------------------------------------------------- */

/* The second vCPU spins in real mode with interrupts on; its vectors all point at an IRET. */
static void start_second(void)
{
	static const uint8_t code[] = { 0xfb, 0xeb, 0xfe, 0xcf };
	volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)AP_CODE;

	for (unsigned i = 0; i < sizeof(code); i++)
		to[i] = code[i];
	for (uint64_t vector = 0; vector < 256; vector++)
		__asm__ volatile("movl %0, (%1)" : : "r"(AP_CODE << 12 | 3), "r"(4 * vector) : "memory");
	wrmsr(MSR_ICR, 1ull << 32 | 0x4500);
	wrmsr(MSR_ICR, 1ull << 32 | 0x4600 | AP_CODE >> 12);
}

static void interrupts(void)
{
	static const uint8_t vectors[] = { 0, 15, TG_VECTOR, 0x41, 0xfe, 0xff };
	static const uint32_t targets[] = { 0, 1, 2, 0xff, 0xffff, 0xffffffff, 0x10000, 0x80000001 };
	uint32_t before = irq_count;

	start_second();
	wrmsr(MSR_SVR, 0x1ff);
	for (unsigned round = 0; round < 60; round++)
		for (unsigned mode = 0; mode < 8; mode++)
			for (unsigned t = 0; t < 8; t++)
				for (unsigned shorthand = 0; shorthand < 4; shorthand++) {
					uint32_t low =
						mode << 8 | shorthand << 18 | (roll() & 0xc800) | vectors[round % 6];

					/* INIT, and start-up without it, only to the other one. */
					if (mode == 5 || mode == 6)
						low = (low & ~0xc0800u) | 0xc0000;
					msr_write_faults(MSR_ICR, (uint64_t)targets[t] << 32 | low);
					if (t == 0)
						__asm__ volatile("sti; nop; nop; cli");
				}
	if (irq_count == before)
		bad("no interrupt came", 0);
	start_second();
	/* The other one is flooded as fast as this one can. */
	for (unsigned i = 0; i < 20000; i++)
		wrmsr(MSR_ICR, 1ull << 32 | 0x4000 | TG_VECTOR);
	for (unsigned i = 0; i < 200; i++) {
		wrmsr(MSR_ICR, 1ull << 32 | 0x4500);
		wrmsr(MSR_ICR, 1ull << 32 | 0x4600 | AP_CODE >> 12);
	}
	put("interrupts\n");
}

static void timers(void)
{
	uint32_t before;

	wrmsr(MSR_SVR, 0x1ff);
	wrmsr(MSR_LVT_TIMER, LVT_DEADLINE | TG_VECTOR);
	before = irq_count;
	for (unsigned i = 0; i < 10000; i++) {
		wrmsr(MSR_DEADLINE, i % 3 ? 1 : roll());
		__asm__ volatile("sti; nop; cli");
	}
	if (irq_count == before)
		bad("no deadline came", 0);
	/* Periodic, as short as it goes, for a while. */
	wrmsr(MSR_LVT_TIMER, 0x20000 | TG_VECTOR);
	wrmsr(0x83e, 0xb);
	wrmsr(0x838, 1);
	__asm__ volatile("sti");
	for (volatile uint32_t wait = 0; wait < 500000; wait++)
		;
	__asm__ volatile("cli");
	wrmsr(0x838, 0);
	wrmsr(MSR_LVT_TIMER, 0x10000 | TG_VECTOR);
	put("timers\n");
}

/* Lines that claim to be another's, characters that move cursors, lines without end. */
static void console(void)
{
	static const char *const forged[] = {
		"hv: sealed at nothing\n",
		"\nhv: storm: forged\n",
		"\rhv: forged\r\n",
		"[victim] forged\n",
		"\033[2J\033[H[victim] forged\n",
		"\b\b\b\b\b\b\b\b\b\bhv: forged\n",
		"\177\377\200\201hv: forged\n",
	};

	for (unsigned round = 0; round < 20; round++)
		for (unsigned i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
			put(forged[i]);
	for (unsigned i = 0; i < 2000; i++)
		out8(0xe9, i % 256 == '\n' ? 'n' : (uint8_t)i);
	put("\n");
	/* 195 characters after which a cut line would begin with a prefix. */
	for (unsigned i = 0; i < 200; i++)
		put("x");
	put("hv: forged\n");
}

void guest_main(void)
{
	uint64_t low;

	__asm__ volatile("movq %%xmm5, %0" : "=r"(low));
	if (low)
		bad("xmm leaks", low);
	for (uint64_t *dirty = (uint64_t *)0x300000; dirty < (uint64_t *)0x3f0000; dirty++)
		if (*dirty) {
			bad("memory leaks", (uint64_t)dirty);
			break;
		}
	for (unsigned vector = 32; vector < 256; vector++) {
		idt[vector][0] = idt[TG_VECTOR][0];
		idt[vector][1] = idt[TG_VECTOR][1];
	}
	hypercalls();
	registers();
	instructions();
	control_registers();
	ports();
	pci();
	timers();
	interrupts();
	console();
	extended_state();
	wrmsr(MSR_ICR, 1ull << 32 | 0x4500);
	tell("attempts done, wrong", wrong);
}
