/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What root mode does with each vector, and the tables that the CPU finds its handlers and stacks by (AMD64
 * Architecture Programmer's Manual, volume 2, "Long-Mode Interrupt Control Transfers", "System Segment Descriptors").
 */
#include "cpu_fake.h"
#include "plat_fake.h"

/* Included, not linked: the tables and the frame are its own. */
#include "../../hv/trap.c"

char trap_stubs[256 * 16];
struct cpu cpus[LZR_CPU_MAX];

static unsigned device_vector, devices, iommu_faults, eois, nmis, begun;
static struct descriptor_pointer loaded_gdt, loaded_idt;

void devices_irq(uint8_t vector)
{
	device_vector = vector;
	devices++;
}

void dma_fault_irq(void) { iommu_faults++; }
void apic_eoi(void) { eois++; }
unsigned cpu_current(void) { return 0; }
void time_arm(uint64_t deadline) { (void)deadline; }
void time_disarm(void) { }
void gdt_load(const struct descriptor_pointer *gdt) { loaded_gdt = *gdt; }
void arch_load_idt(const void *table) { memcpy(&loaded_idt, table, sizeof(loaded_idt)); }

void panic_begin(void)
{
	assert_int_equal(fake_said[0], 0);
	begun++;
}

void panic_end(void)
{
	longjmp(fake_panic, 1);
}

void panic_nmi(void)
{
	nmis++;
	longjmp(fake_panic, 1);
}

static int set_up(void **state)
{
	fake_reset(state);
	device_vector = devices = iommu_faults = eois = nmis = begun = 0;
	return cpu_fake_reset(state);
}

static void deliver(unsigned vector)
{
	struct trap_frame frame = { .vector = vector, .error = 0x11, .rip = 0xabcdef };

	trap_handle(&frame);
}

static void exceptions_end_everything(void **state)
{
	for (volatile unsigned vector = 0; vector < 32; vector++) {
		if (vector == 1)
			continue;       /* may be a guest's doing: below */
		set_up(state);
		assert_panics(deliver(vector));
		assert_int_equal(nmis, vector == 2);
		assert_int_equal(begun, vector != 2);
		assert_int_equal(eois, 0);
		if (vector != 2)
			assert_said("abcdef");
	}
}

/* What a guest left armed: gone, its instruction let pass, nobody's GS needed, told once by the scheduler. */
static void a_debug_exception_is_taken_away(void **state)
{
	struct trap_frame frame = { .vector = 1, .rip = 0xabcdef, .rflags = 0x102 }, expected = frame;

	(void)state;
	cpu_fake.dr7 = 0x402;
	cpu_fake.dr6 = 0xffff0ff1;
	expected.rflags = 0x10002;
	trap_handle(&frame);
	assert_memory_equal(&frame, &expected, sizeof(frame));
	cpu_fake_traced("dr7=400 dr6=ffff0ff0");
	trap_handle(&frame);
	assert_int_equal(begun + eois + nmis, 0);
	assert_string_equal(fake_said, "");
	trap_tell_strays();
	assert_said("2 debug exceptions in root mode");
	fake_said[0] = 0;
	trap_tell_strays();
	assert_string_equal(fake_said, "");
}

/* Each is acknowledged once, but for the spurious one, which was never in service. */
static void interrupts(void **state)
{
	for (unsigned vector = 32; vector < 256; vector++) {
		bool device = vector >= 0x40 && vector <= 0xdf;

		set_up(state);
		deliver(vector);
		assert_int_equal(devices, device);
		if (device)
			assert_int_equal(device_vector, vector);
		assert_int_equal(iommu_faults, vector == 0xf0);
		assert_int_equal(eois, vector != 0xff);
	}
}

/* Interrupt gates all of them, so that none nests; stacks of their own for what may come at any instruction. */
static void gates(void **state)
{
	(void)state;
	trap_init();
	for (unsigned i = 0; i < 256; i++) {
		uint64_t words[2], at;

		memcpy(words, &idt[i], sizeof(words));
		at = (words[0] & 0xffff) | (words[0] >> 48) << 16 | words[1] << 32;
		assert_int_equal(at, (uint64_t)trap_stubs + 16 * i);
		assert_int_equal(words[0] >> 16 & 0xffff, 0x08);
		assert_int_equal(words[0] >> 32 & 0xff, i == 2 ? 1 : i == 18 ? 2 : i == 8 ? 3 : 0);
		assert_int_equal(words[0] >> 40 & 0xff, 0x8e);
		assert_int_equal(words[1] >> 32, 0);
	}
}

static void descriptors_of_a_cpu(void **state)
{
	struct cpu *cpu = &cpus[1];
	const uint64_t *gdt = cpu->gdt;
	uint64_t base;

	(void)state;
	cpu_fake.cr4 = 0x20;
	cpu_load(cpu);
	assert_ptr_equal(cpu->self, cpu);
	assert_int_equal(loaded_gdt.base, (uint64_t)gdt);
	assert_int_equal(loaded_gdt.limit, 6 * 8 - 1);
	assert_int_equal(loaded_idt.base, (uint64_t)idt);
	assert_int_equal(loaded_idt.limit, 4095);
	assert_int_equal(gdt[0], 0);
	assert_int_equal(gdt[1], 0x00af9b000000ffff);   /* long mode, ring 0, execute and read */
	assert_int_equal(gdt[2], 0x00cf93000000ffff);   /* ring 0, read and write */
	base = (gdt[3] >> 16 & 0xffffff) | (gdt[3] >> 56) << 24 | gdt[4] << 32;
	assert_int_equal(base, (uint64_t)&cpu->tss);
	assert_int_equal((gdt[3] & 0xffff) | (gdt[3] >> 48 & 0xf) << 16, sizeof(struct tss) - 1);
	assert_int_equal(gdt[3] >> 40 & 0xff, 0x89);    /* available 64-bit TSS, ring 0, present */
	assert_int_equal(gdt[4] >> 32, 0);
	cpu_fake.trace[0] = 0;
	assert_int_equal(*cpu_fake_msr(0xc0000101), (uint64_t)cpu);
	assert_int_equal(cpu_fake.cr4, 0x60);
	assert_int_equal(cpu_fake.dr7, 0x400);          /* whatever the firmware left */
}

static void stacks_of_a_cpu(void **state)
{
	struct cpu *cpu = &cpus[0];

	(void)state;
	cpu_load(cpu);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(cpu->tss.ist[i], (uint64_t)&cpu->ist[i][4096]);
		assert_int_equal(cpu->tss.ist[i] % 16, 0);
	}
	for (unsigned i = 3; i < 7; i++)
		assert_int_equal(cpu->tss.ist[i], 0);
	assert_int_equal(cpu->tss.io_map, 104);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exceptions_end_everything), TEST(a_debug_exception_is_taken_away), TEST(interrupts), TEST(gates),
		TEST(descriptors_of_a_cpu),
		TEST(stacks_of_a_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
