/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#define COMMAND 0x04u
#define COMMAND_ON 0x0406u              /* memory, bus master, no INTx */
#define CAPABILITY_MSI 0x05
#define CAPABILITY_MSIX 0x11

/* QEMU, docs/specs/edu.txt. */
#define EDU_DMA_FROM 0x80u
#define EDU_DMA_TO 0x88u
#define EDU_DMA_COUNT 0x90u
#define EDU_DMA_COMMAND 0x98u
#define EDU_DMA_RUN 1u
#define EDU_DMA_TO_RAM 2u
#define EDU_DMA_IRQ 4u
#define EDU_IRQ_STATUS 0x24u
#define EDU_IRQ_ACK 0x64u
#define EDU_MEMORY 0x40000u

/* Intel 82574 GbE Controller Family Datasheet, "Driver Programming Interface". */
#define NIC_CTRL_EXT 0x0018u
#define NIC_ICS 0x00c8u
#define NIC_IMS 0x00d0u
#define NIC_EIAC 0x00dcu
#define NIC_IVAR 0x00e4u
#define NIC_RAL 0x5400u
#define NIC_CAUSE_RXQ0 (1u << 20)

static volatile char *edu;

uint32_t config_read(unsigned slot, unsigned offset)
{
	out32(0xcf8, 0x80000000 | slot << 11 | (offset & 0xfc));
	return in32(0xcfc);
}

void config_write(unsigned slot, unsigned offset, uint32_t value)
{
	out32(0xcf8, 0x80000000 | slot << 11 | (offset & 0xfc));
	out32(0xcfc, value);
}

unsigned config_capability(unsigned slot, uint8_t id)
{
	unsigned at = config_read(slot, 0x34) & 0xfc;

	for (unsigned i = 0; at && i < 48; i++) {
		uint32_t header = config_read(slot, at);

		if ((header & 0xff) == id)
			return at;
		at = header >> 8 & 0xfc;
	}
	return 0;
}

void config_enable(unsigned slot)
{
	config_write(slot, COMMAND, COMMAND_ON);
}

/* The TSC's rate is not known here; a millisecond of the rig's is about two million. */
void wait_ms(uint64_t ms)
{
	uint64_t end = rdtsc() + ms * 2000000;

	while (rdtsc() < end)
		__asm__ volatile("pause");
}

bool wait_interrupts(uint32_t count, uint64_t ms)
{
	uint64_t end = rdtsc() + ms * 2000000;

	wrmsr(MSR_SVR, 0x1ff);
	/* Not PAUSE: QEMU 7.2 keeps the shadow of STI across it, so that the window never opens. */
	while (irq_count < count && rdtsc() < end)
		__asm__ volatile("sti; nop; nop; nop; cli");
	return irq_count >= count;
}

static void edu_write(unsigned offset, uint64_t value)
{
	*(volatile uint64_t *)(edu + offset) = value;
}

static void edu_run(uint64_t from, uint64_t to, uint64_t command)
{
	edu_write(EDU_DMA_FROM, from);
	edu_write(EDU_DMA_TO, to);
	edu_write(EDU_DMA_COUNT, WORDS * 8);
	edu_write(EDU_DMA_COMMAND, command | EDU_DMA_RUN);
	while (*(volatile uint64_t *)(edu + EDU_DMA_COMMAND) & EDU_DMA_RUN)
		__asm__ volatile("pause");
}

void edu_take(uint64_t address)
{
	edu_run(address, EDU_MEMORY, 0);
}

void edu_give(uint64_t address)
{
	edu_run(EDU_MEMORY, address, EDU_DMA_TO_RAM);
}

void edu_give_interrupt(uint64_t address)
{
	edu_run(EDU_MEMORY, address, EDU_DMA_TO_RAM | EDU_DMA_IRQ);
	(void)wait_interrupts(irq_count + 1, 2000);
	*(volatile uint32_t *)(edu + EDU_IRQ_ACK) = *(volatile uint32_t *)(edu + EDU_IRQ_STATUS);
}

bool edu_start(void)
{
	unsigned msi = config_capability(SLOT_EDU, CAPABILITY_MSI);

	if (config_read(SLOT_EDU, 0) != 0x11e81234 || !msi)
		return false;
	edu = (volatile char *)(uint64_t)(config_read(SLOT_EDU, 0x10) & ~0xfu);
	config_enable(SLOT_EDU);
	config_write(SLOT_EDU, msi + 4, 0xfee00000);
	config_write(SLOT_EDU, msi + 8, 0);
	config_write(SLOT_EDU, msi + 12, TG_VECTOR);
	config_write(SLOT_EDU, msi, config_read(SLOT_EDU, msi) | 1u << 16);
	return true;
}

/* The card clears a cause's mask bit when it has sent the interrupt. */
static void nic_raise(volatile char *nic)
{
	*(volatile uint32_t *)(nic + NIC_IMS) = NIC_CAUSE_RXQ0;
	*(volatile uint32_t *)(nic + NIC_ICS) = NIC_CAUSE_RXQ0;
}

void nic_test(void)
{
	unsigned msix = config_capability(SLOT_NIC, CAPABILITY_MSIX);
	volatile char *nic = (volatile char *)(uint64_t)(config_read(SLOT_NIC, 0x10) & ~0xfu);
	volatile uint32_t *table;
	unsigned bar;
	uint32_t before = irq_count;

	if (config_read(SLOT_NIC, 0) != 0x10d38086 || !msix) {
		put("nic absent\n");
		return;
	}
	config_enable(SLOT_NIC);
	tell("nic address", *(volatile uint32_t *)(nic + NIC_RAL));
	bar = config_read(SLOT_NIC, msix + 4) & 7;
	table = (volatile uint32_t *)(uint64_t)(config_read(SLOT_NIC, 0x10 + 4 * bar) & ~0xfu);
	put(table[3] & 1 ? "nic table masked\n" : "nic table NOT masked\n");
	table[0] = 0xfee00000;
	table[1] = 0;
	table[2] = TG_VECTOR;
	table[3] = 0;
	config_write(SLOT_NIC, msix, config_read(SLOT_NIC, msix) | 1u << 31);
	*(volatile uint32_t *)(nic + NIC_EIAC) = NIC_CAUSE_RXQ0;
	*(volatile uint32_t *)(nic + NIC_IVAR) = 8;     /* receive queue 0: entry 0, valid */
	nic_raise(nic);
	put(wait_interrupts(before + 1, 2000) ? "nic interrupt arrives\n" : "nic interrupt LOST\n");
	before = irq_count;
	table[3] = 1;
	nic_raise(nic);
	put(wait_interrupts(before + 1, 300) ? "nic interrupt WHILE MASKED\n" : "nic interrupt held while masked\n");
	table[3] = 0;
	put(wait_interrupts(before + 1, 2000) ? "nic interrupt after unmask\n" : "nic interrupt LOST by mask\n");
}
