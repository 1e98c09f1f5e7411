/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hunters set breakpoints on all of the hypervisor's code, on its stacks and data, and on the code and data of the VMs
 * that share their CPU.  Prey must never see one of them; a user of debug registers must see its own, all of them, and
 * nobody else's.  Which a VM is, its number says (tests/policies/vcpu_registers.dts).
 */
#include "guest.h"
#include "hv_places.h"

#define HUNTERS 2u                      /* VM 0 and 1; 2 and 3 are prey, 4 a user */
#define PREY_LAST 3u
#define STACKS 0xffffff0000000000ull    /* hv/layout.h: of CPU n at 64 KiB * n, the upper 16 KiB */
#define STACK_STRIDE 0x10000ull
#define DIRECT 0xffff800000000000ull
#define SHARE 256u                      /* sets between two waits, in which the others run */
#define WAIT_NS 3000000ull
#define REPORT_NS 1000000000ull

#define DR7_EXECUTE 0x00000755ull       /* four of them, locally; LE, GE */
#define DR7_WRITE 0xdddd0755ull
#define DR7_ACCESS 0xbbbb0755ull        /* 8 bytes each */

static volatile uint64_t counter, touched;

static uint64_t now(void) { return call(LZR_CALL_CLOCK, 0, 0).rbx; }

static void wait(void)
{
	for (uint64_t end = now() + WAIT_NS; now() < end;)
		;
}

static void set(uint64_t first, uint64_t stride, uint64_t dr7)
{
	__asm__ volatile("mov %0, %%db7; mov %1, %%db0; mov %2, %%db1; mov %3, %%db2; mov %4, %%db3; mov %5, %%db7"
			 : : "r"(0x400ull), "r"(first), "r"(first + stride), "r"(first + 2 * stride),
			     "r"(first + 3 * stride), "r"(dr7) : "memory");
}

/* What a guest does all day: each of these leaves it and comes back. */
static void leave(void)
{
	uint32_t out[4];

	cpuid(1, 0, out);
	call(LZR_CALL_VERSION, 0, 0);
	wrmsr(MSR_EOI, 0);
}

static void sweep(const char *what, uint64_t first, uint64_t end, uint64_t stride, uint64_t dr7)
{
	uint64_t sets = 0;

	for (uint64_t at = first; at < end; at += 4 * stride) {
		set(at, stride, dr7);
		leave();
		if (++sets % SHARE == 0)
			wait();
	}
	/* Moved while it is armed, to where the CPU is right behind the exit. */
	set((uint64_t)&touched, 0, dr7);
	for (uint64_t at = HV_SVM_ENTER; at < HV_SVM_ENTER + 1024; at++)
		__asm__ volatile("mov %0, %%db0" : : "r"(at));
	__asm__ volatile("mov %0, %%db7" : : "r"(0x400ull));
	put("hunted ");
	put(what);
	put("\n");
}

/* Alike in all these VMs: what one of them breaks on, the others execute and write. */
__attribute__((noinline)) static void path(void)
{
	counter++;
	__asm__ volatile(".globl path_inside\npath_inside: incq %0" : "+m"(touched));
}
extern char path_inside[];

static void hunt(void)
{
	sweep("code", HV_BOOT_END, HV_TEXT_END, 1, DR7_EXECUTE);
	for (uint64_t cpu = 0; cpu < 3; cpu++)
		sweep("stack", STACKS + STACK_STRIDE * (cpu + 1) - 0x4000, STACKS + STACK_STRIDE * (cpu + 1), 8,
		      DR7_ACCESS);
	sweep("data", HV_CPUS, HV_CPUS + 0x2000, 8, DR7_ACCESS);
	sweep("gates", HV_IDT, HV_IDT + 4096, 8, DR7_ACCESS);
	sweep("memory", DIRECT, DIRECT + (1ull << 30), 0x101000, DR7_WRITE);
	for (;;) {
		set((uint64_t)path_inside, 0, DR7_EXECUTE);
		wait();
		set((uint64_t)&counter, 0, DR7_WRITE);
		wait();
	}
}

static void prey(void)
{
	uint64_t said = 0, rounds = 0;

	for (;;) {
		for (unsigned i = 0; i < 1000; i++)
			path();
		if (now() - said >= REPORT_NS) {
			said = now();
			tell("whole", rounds++);
		}
	}
}

/* --- a user of debug registers ------------------------------------------------------------------------------------ */

static volatile uint32_t hits;
static volatile uint64_t hit_dr6;

struct frame { uint64_t rip, cs, rflags, rsp, ss; };

/* The RF flag lets the instruction pass that was broken on; TF ends. */
__attribute__((interrupt)) static void on_debug(struct frame *frame)
{
	uint64_t dr6;

	__asm__ volatile("mov %%db6, %0; mov %1, %%db6" : "=&r"(dr6) : "r"(0xffff0ff0ull));
	hit_dr6 = dr6;
	hits++;
	frame->rflags = (frame->rflags & ~0x100ull) | 0x10000;
}

static bool hit(const char *what, uint32_t expected, uint64_t bits)
{
	bool good = hits == expected && (!expected || (hit_dr6 & 0xe00f) == bits);

	if (!good) {
		put(what);
		tell(" WRONG, hits", hits);
		tell("dr6", hit_dr6);
	}
	hits = 0;
	return good;
}

static uint64_t dr7(void)
{
	uint64_t value;

	__asm__ volatile("mov %%db7, %0" : "=r"(value));
	return value;
}

static bool own_breakpoints(void)
{
	bool good;

	set((uint64_t)path_inside, 0x100, 0x701);
	wait();                                 /* others run on this CPU */
	path();
	good = hit("code", 1, 1) && dr7() == 0x701;
	set((uint64_t)&touched - 0x10, 8, 0x09000710);  /* DR2 at `touched`, 8 bytes, written */
	wait();
	path();
	good &= hit("data", 1, 4);
	set((uint64_t)path_inside, 0, 0x400);
	path();
	return good & hit("nothing armed", 0, 0);
}

/* TF over instructions that leave the guest: one #DB each, right behind. */
static bool own_steps(void)
{
	bool good;

	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; cpuid" : : : "rax", "rbx", "rcx", "rdx", "memory", "cc");
	good = hit("cpuid", 1, 0x4000);
	__asm__ volatile("mov $0x80, %%edx; pushfq; orl $0x100, (%%rsp); popfq; outb %%al, %%dx"
			 : : : "rdx", "memory", "cc");
	good &= hit("out", 1, 0x4000);
	__asm__ volatile("mov $0x1b, %%ecx; pushfq; orl $0x100, (%%rsp); popfq; rdmsr"
			 : : : "rax", "rcx", "rdx", "memory", "cc");
	good &= hit("rdmsr", 1, 0x4000);
	__asm__ volatile("mov %%db7, %%rcx; pushfq; orl $0x100, (%%rsp); popfq; mov %%rcx, %%db7"
			 : : : "rcx", "memory", "cc");
	good &= hit("mov to dr7", 1, 0x4000);
	__asm__ volatile("mov %%cr4, %%rcx; pushfq; orl $0x100, (%%rsp); popfq; mov %%rcx, %%cr4"
			 : : : "rcx", "memory", "cc");
	good &= hit("mov to cr4", 1, 0x4000);
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; hlt" : : : "memory", "cc");
	return good & hit("hlt", 1, 0x4000);
}

/* General detect: the access is refused with BD, and the handler's own are not. */
static bool own_detect(void)
{
	bool good;

	__asm__ volatile("mov %0, %%db7" : : "r"(0x2400ull));
	hits = 0;
	good = FAULT_OF("mov %%rax, %%db0", 0, 0, 0) == -1 && hits == 1 && hit_dr6 & 0x2000 && dr7() == 0x400;
	if (!good)
		tell("detect WRONG", hit_dr6);
	hits = 0;
	return good;
}

static void use(void)
{
	uint64_t said = 0, rounds = 0;

	set_gate(1, (uint64_t)on_debug);
	for (;;) {
		if (!own_breakpoints() || !own_steps() || !own_detect())
			return;
		if (now() - said >= REPORT_NS) {
			said = now();
			tell("works", rounds++);
		}
	}
}

void guest_main(void)
{
	uint64_t number = call(LZR_CALL_VERSION, 0, 0).rcx;

	wrmsr(MSR_SVR, 0x1ff);
	if (number < HUNTERS)
		hunt();
	else if (number <= PREY_LAST)
		prey();
	else
		use();
}
