/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local APIC of each CPU: x2APIC where the firmware left it on and does not ask to be spared it, else the
 * memory-mapped one.  Interrupt entries have the same form as the mode (vtd_setup.c).
 */
#include <arch_x86.h>

#include "plat.h"

#define APIC_BASE_X2APIC (1ul << 10)
#define APIC_BASE_ENABLE (1ul << 11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ul
#define DMAR_FLAGS 37u                          /* VT-d specification, "DMA Remapping Reporting Structure" */
#define DMAR_OPT_OUT 0x3u                       /* INTR_REMAP and X2APIC_OPT_OUT, which needs the first */
#define MSR_X2APIC 0x800u

#define APIC_ID 0x20
#define APIC_EOI 0xb0
#define APIC_SVR 0xf0
#define APIC_SVR_ENABLE 0x100
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_ICR_FIXED 0x0000
#define APIC_ICR_NMI 0x0400
#define APIC_ICR_INIT 0x4500                    /* level assert */
#define APIC_ICR_STARTUP 0x4600
#define APIC_ICR_PENDING 0x1000
#define APIC_ICR_OTHERS 0xc0000
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_LVT_MASKED 0x10000
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_TIMER_DIVIDE_1 0xb

static HV_SEALED bool x2apic;
static HV_SEALED volatile uint32_t *registers;

static uint32_t apic_read(unsigned at)
{
	return x2apic ? (uint32_t)arch_rdmsr(MSR_X2APIC + at / 16) : registers[at / 4];
}

static void apic_write(unsigned at, uint32_t value)
{
	if (x2apic)
		arch_wrmsr(MSR_X2APIC + at / 16, value);
	else
		registers[at / 4] = value;
}

static void apic_send(uint32_t apic_id, uint32_t command)
{
	if (x2apic) {
		arch_fence_wrmsr();
		arch_wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_id << 32 | command);
		return;
	}
	while (registers[APIC_ICR / 4] & APIC_ICR_PENDING)
		arch_pause();
	registers[APIC_ICR_HIGH / 4] = apic_id << 24;
	registers[APIC_ICR / 4] = command;
}

/* Once, on the boot CPU: the mode, the registers, the legacy interrupt controller silent and out of the way. */
HV_BOOT void apic_init(void)
{
	uint64_t base = arch_rdmsr(MSR_APIC_BASE);
	uint32_t length = 0;
	const uint8_t *dmar = acpi_table("DMAR", &length);

	x2apic = base & APIC_BASE_X2APIC &&
		 !(dmar && length > DMAR_FLAGS && (dmar[DMAR_FLAGS] & DMAR_OPT_OUT) == DMAR_OPT_OUT);
	if (mem_claim_mmio(hpa(base & APIC_BASE_ADDRESS), PAGE_SIZE, OWNER_HV) != HV_OK)
		refuse("local APIC: %lx is taken", base & APIC_BASE_ADDRESS);
	registers = mmio_map(hpa(base & APIC_BASE_ADDRESS), PAGE_SIZE);
	CHECK(registers);
	static const struct { uint8_t port, value; } pic[] = {  /* vectors 0x20.., all masked */
		{ 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, 0x20 }, { 0xa1, 0x28 }, { 0x21, 4 }, { 0xa1, 2 }, { 0x21, 1 },
		{ 0xa1, 1 }, { 0x21, 0xff }, { 0xa1, 0xff },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(pic); i++)
		arch_out8(pic[i].port, pic[i].value);
}

HV_BOOT void apic_enable(void)
{
	static const uint16_t lvt[] = {
		APIC_LVT_THERMAL, APIC_LVT_PERF, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR,
	};
	uint64_t base = arch_rdmsr(MSR_APIC_BASE) & ~APIC_BASE_X2APIC;

	if (!x2apic && arch_rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC)
		arch_wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_ENABLE);    /* the one way back from x2APIC */
	arch_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | (x2apic ? APIC_BASE_X2APIC : 0));
	for (unsigned i = 0; i < ARRAY_LENGTH(lvt); i++)
		apic_write(lvt[i], APIC_LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_1);
	apic_write(APIC_LVT_TIMER, HOST_VECTOR_TIMER);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | HOST_VECTOR_SPURIOUS);
}

HV_BOOT bool apic_is_x2apic(void)
{
	return x2apic;
}

HV_BOOT uint32_t apic_id(void)
{
	return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_timer_start(uint32_t count)
{
	apic_write(APIC_TIMER_INITIAL, count);
}

uint32_t apic_timer_count(void)
{
	return apic_read(APIC_TIMER_CURRENT);
}

HV_BOOT void apic_init_startup(uint32_t id, uint64_t page, void (*wait_us)(uint64_t))
{
	apic_send(id, APIC_ICR_INIT);
	wait_us(10000);
	for (unsigned i = 0; i < 2; i++) {
		apic_send(id, APIC_ICR_STARTUP | (uint32_t)(page / PAGE_SIZE));
		wait_us(200);
	}
}

HV_BOOT void apic_init_stop(uint32_t id)
{
	apic_send(id, APIC_ICR_INIT);
}

void apic_nmi_others(void)
{
	if (registers)
		apic_send(0, APIC_ICR_NMI | APIC_ICR_OTHERS);
}

void cpu_kick(unsigned cpu)
{
	apic_send(cpu_apic_id(cpu), APIC_ICR_FIXED | HOST_VECTOR_KICK);
}
