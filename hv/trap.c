/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions and interrupts of root mode.  An exception here is our own bug or broken hardware: everything stops, with
 * a record.  #DB alone may be a guest's doing.  Interrupt vectors are hints: each handler re-reads its device's state.
 */
#include <arch_x86.h>

#include "plat.h"
#include "vm.h"

/* AMD64 Architecture Programmer's Manual, volume 2, "Long-Mode Interrupt Control Transfers". */
struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "gate layout");
#define GATE_INTERRUPT 0x8e

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_DF 8
#define VECTOR_MC 18
#define VECTOR_EXCEPTION_LAST 31

#define RFLAGS_TF 0x100ull
#define RFLAGS_RF 0x10000ull

#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_DATA 0x00cf93000000ffffull
#define GDT_TSS_PRESENT 0x89ull

extern char trap_stubs[];
void gdt_load(const struct descriptor_pointer *gdt);
void trap_handle(struct trap_frame *frame);

static HV_SEALED struct gate idt[256];
static uint32_t strays;                 /* [a] debug exceptions */

HV_BOOT void trap_init(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)trap_stubs + 16 * i;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)at,
			.offset_mid = (uint16_t)(at >> 16),
			.offset_high = (uint32_t)(at >> 32),
			.selector = HOST_CS,
			.type = GATE_INTERRUPT,
			.ist = i == VECTOR_NMI	? IST_NMI
			       : i == VECTOR_MC ? IST_MC
			       : i == VECTOR_DF ? IST_DF
						: 0,
		};
	}
}

HV_BOOT void cpu_load(struct cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss;
	struct descriptor_pointer gdt = { sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt };
	struct descriptor_pointer table = { sizeof(idt) - 1, (uint64_t)idt };

	cpu->self = cpu;
	cpu->tss.io_map = sizeof(cpu->tss);
	for (unsigned i = 0; i < ARRAY_LENGTH(cpu->ist); i++)
		cpu->tss.ist[i] = (uint64_t)(cpu->ist[i] + IST_SIZE);
	cpu->gdt[HOST_CS / 8] = GDT_CODE64;
	cpu->gdt[HOST_DS / 8] = GDT_DATA;
	cpu->gdt[HOST_TSS / 8] = (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 | GDT_TSS_PRESENT << 40 |
		(tss >> 24 & 0xff) << 56;
	cpu->gdt[HOST_TSS / 8 + 1] = tss >> 32;
	gdt_load(&gdt);
	arch_load_idt(&table);
	arch_wrmsr(MSR_GS_BASE, (uint64_t)cpu);
	arch_write_cr4(arch_read_cr4() | CR4_MCE);      /* else a machine check resets the machine without a word */
	arch_write_dr7(DR7_OFF);
}

static void exception(const struct trap_frame *f)
{
	panic_begin();
	say("exception %lu, error %lx, at %lx, cr2 %lx, cpu %u", f->vector, f->error, f->rip, arch_read_cr2(),
		cpu_current());
	say("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx", f->rax, f->rbx, f->rcx, f->rdx, f->rsi, f->rdi);
	say("rbp %lx rsp %lx r8 %lx r9 %lx r10 %lx r11 %lx", f->rbp, f->rsp, f->r8, f->r9, f->r10, f->r11);
	say("r12 %lx r13 %lx r14 %lx r15 %lx rflags %lx", f->r12, f->r13, f->r14, f->r15, f->rflags);
	say("PANIC: exception %lu in root mode", f->vector);
	panic_end();
}

/*
 * Root mode sets no breakpoint and takes no single steps, so this one was left behind by a guest: it is disarmed,
 * counted, and whoever was interrupted goes on.  GS may be the guest's still.
 */
static void debug_exception(struct trap_frame *frame)
{
	arch_write_dr7(DR7_OFF);
	arch_write_dr6(DR6_NONE);
	frame->rflags = (frame->rflags & ~RFLAGS_TF) | RFLAGS_RF;
	__atomic_fetch_add(&strays, 1, __ATOMIC_RELAXED);
}

void trap_tell_strays(void)
{
	if (__atomic_load_n(&strays, __ATOMIC_RELAXED))
		say("cpu: %u debug exceptions in root mode, a guest's: disarmed",
		    __atomic_exchange_n(&strays, 0, __ATOMIC_RELAXED));
}

void trap_handle(struct trap_frame *frame)
{
	uint8_t vector = (uint8_t)frame->vector;

	if (vector == VECTOR_DB) {
		debug_exception(frame);
		return;
	}
	if (vector == VECTOR_NMI)
		panic_nmi();
	if (vector <= VECTOR_EXCEPTION_LAST)
		exception(frame);
	if (vector == HOST_VECTOR_SPURIOUS)
		return;
	if (vector >= HOST_VECTOR_DEVICE_FIRST && vector <= HOST_VECTOR_DEVICE_LAST)
		devices_irq(vector);
	else if (vector == HOST_VECTOR_IOMMU)
		dma_fault_irq();
	apic_eoi();
}

void host_interrupt_window(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

void cpu_idle(uint64_t deadline)
{
	if (deadline == UINT64_MAX)
		time_disarm();
	else
		time_arm(deadline);
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}
