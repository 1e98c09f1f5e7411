/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers and descriptors: Intel 82574 GbE Controller Family Datasheet, "Driver Programing Interface", "Inline
 * Functions".
 */
#include "e1000e.h"

#include <stddef.h>
#include <string.h>

#include <lazaret/manifest.h>

#include "io.h"
#include "pci.h"
#include "rt.h"

#define REG_CTRL 0x0000u
#define CTRL_FULL_DUPLEX (1u << 0)
#define CTRL_LINK_UP (1u << 6)
#define CTRL_RESET (1u << 26)
#define REG_CTRL_EXT 0x0018u
#define CTRL_EXT_PBA (1u << 31)
#define REG_ICR 0x00c0u
#define REG_ITR 0x00c4u
#define REG_IMS 0x00d0u
#define IMS_LINK (1u << 2)
#define IMS_RX (1u << 4 | 1u << 6 | 1u << 7)    /* threshold, overrun, timer */
#define IMS_RXQ0 (1u << 20)
#define IMS_OTHER (1u << 24)
#define REG_IMC 0x00d8u
#define REG_EIAC 0x00dcu
#define REG_IVAR 0x00e4u
#define IVAR_ALL_TO_0 (1u << 3 | 1u << 7 | 1u << 11 | 1u << 15 | 1u << 19)
#define REG_RCTL 0x0100u
#define RCTL_ENABLE (1u << 1)
#define RCTL_ALL_UNICAST (1u << 3)
#define RCTL_BROADCAST (1u << 15)
#define RCTL_STRIP_FCS (1u << 26)
#define REG_TCTL 0x0400u
#define TCTL_ENABLE (1u << 1)
#define TCTL_PAD (1u << 3)
#define TCTL_COLLISION (0x0fu << 4 | 0x3fu << 12)
#define REG_TIPG 0x0410u
#define TIPG_COPPER 0x00602008u
#define REG_RDBAL 0x2800u
#define REG_RDBAH 0x2804u
#define REG_RDLEN 0x2808u
#define REG_RDH 0x2810u
#define REG_RDT 0x2818u
#define REG_TDBAL 0x3800u
#define REG_TDBAH 0x3804u
#define REG_TDLEN 0x3808u
#define REG_TDH 0x3810u
#define REG_TDT 0x3818u
#define REG_RXCSUM 0x5000u
#define REG_RFCTL 0x5008u
#define REG_MTA 0x5200u
#define MTA_WORDS 128u

#define RX_DONE 1u
#define RX_END 2u
#define TX_END 1u
#define TX_ADD_FCS 2u
#define TX_REPORT 8u
#define TX_DONE 1u

#define ETHERNET_CLASS 0x0200u
#define RESET_READS 100000u

static uint32_t read_register(const struct e1000e *nic, uint32_t reg)
{
	return mmio_read32(nic->registers + reg);
}

static void write_register(const struct e1000e *nic, uint32_t reg, uint32_t value)
{
	mmio_write32(nic->registers + reg, value);
}

static bool reset(const struct e1000e *nic)
{
	unsigned left;

	write_register(nic, REG_IMC, 0xffffffffu);
	write_register(nic, REG_RCTL, 0);
	write_register(nic, REG_TCTL, 0);
	write_register(nic, REG_CTRL, read_register(nic, REG_CTRL) | CTRL_RESET);
	for (left = RESET_READS; left != 0; left--) {
		io_pause();
		if ((read_register(nic, REG_CTRL) & CTRL_RESET) == 0)
			break;
	}
	write_register(nic, REG_IMC, 0xffffffffu);
	write_register(nic, REG_ICR, 0xffffffffu);
	return left != 0;
}

static void write_ring(const struct e1000e *nic, uint32_t low, const volatile void *ring, uint32_t size)
{
	uint64_t address = io_address((const void *)ring);

	write_register(nic, low, (uint32_t)address);
	write_register(nic, low + 4, (uint32_t)(address >> 32));
	write_register(nic, low + 8, size);
}

static void start(struct e1000e *nic)
{
	uint32_t i;

	for (i = 0; i < MTA_WORDS; i++)
		write_register(nic, REG_MTA + i * 4, 0);
	write_register(nic, REG_RFCTL, 0);      /* legacy receive descriptors */
	write_register(nic, REG_RXCSUM, 0);
	write_register(nic, REG_ITR, 0);
	write_register(nic, REG_EIAC, 0);
	if (nic->msix) {
		write_register(nic, REG_CTRL_EXT, read_register(nic, REG_CTRL_EXT) | CTRL_EXT_PBA);
		write_register(nic, REG_IVAR, IVAR_ALL_TO_0);
	}
	write_ring(nic, REG_RDBAL, nic->rx, sizeof(nic->rx));
	write_register(nic, REG_RDH, 0);
	write_register(nic, REG_RDT, 0);
	write_ring(nic, REG_TDBAL, nic->tx, sizeof(nic->tx));
	write_register(nic, REG_TDH, 0);
	write_register(nic, REG_TDT, 0);
	write_register(nic, REG_TIPG, TIPG_COPPER);
	write_register(nic, REG_TCTL, TCTL_ENABLE | TCTL_PAD | TCTL_COLLISION);
	write_register(nic, REG_CTRL, read_register(nic, REG_CTRL) | CTRL_LINK_UP | CTRL_FULL_DUPLEX);
	/* Buffers of 2 KiB, long frames refused: nothing is ever written behind 1522 bytes. */
	write_register(nic, REG_RCTL, RCTL_ENABLE | RCTL_ALL_UNICAST | RCTL_BROADCAST | RCTL_STRIP_FCS);
}

const char *e1000e_open(struct e1000e *nic, unsigned slot)
{
	bool is_io;

	memset(nic, 0, sizeof(*nic));
	if (pci_read16(slot, PCI_ID) != E1000E_VENDOR || pci_read16(slot, PCI_CLASS + 2) != ETHERNET_CLASS)
		return "no Intel network card in the slot";
	pci_write16(slot, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	nic->registers = pci_bar(slot, 0, &is_io);
	if (is_io || nic->registers < LZR_WINDOW32_BASE || nic->registers >= LZR_WINDOW32_END)
		return "BAR 0 does not lie in the 32-bit window";
	if (!reset(nic))
		return "card does not come out of reset";
	if (!pci_enable_message(slot, trap_msi_address(), trap_msi_data(), &nic->msix))
		return "card has neither MSI-X nor MSI";
	start(nic);
	return NULL;
}

/* One descriptor always stays empty: head equal to tail means that the card has none. */
void e1000e_refill(struct e1000e *nic)
{
	uint32_t before = nic->rx_tail;
	struct buffer *buffer;

	while (nic->rx_posted < E1000E_RING - 1 && (buffer = pool_get()) != NULL) {
		nic->rx_buffers[nic->rx_tail] = buffer;
		nic->rx[nic->rx_tail].address = io_address(buffer->bytes + BUFFER_FRAME);
		nic->rx[nic->rx_tail].status = 0;
		nic->rx_tail = (nic->rx_tail + 1) % E1000E_RING;
		nic->rx_posted++;
	}
	if (nic->rx_tail != before) {
		io_barrier();
		write_register(nic, REG_RDT, nic->rx_tail);
	}
}

struct buffer *e1000e_receive(struct e1000e *nic, uint32_t *length)
{
	struct buffer *buffer;
	uint8_t status, errors;

	while (nic->rx_posted != 0 && (nic->rx[nic->rx_next].status & RX_DONE) != 0) {
		io_barrier();
		status = nic->rx[nic->rx_next].status;
		errors = nic->rx[nic->rx_next].errors;
		*length = nic->rx[nic->rx_next].length;
		buffer = nic->rx_buffers[nic->rx_next];
		nic->rx_buffers[nic->rx_next] = NULL;
		nic->rx[nic->rx_next].status = 0;
		nic->rx_next = (nic->rx_next + 1) % E1000E_RING;
		nic->rx_posted--;
		if ((status & RX_END) != 0 && errors == 0 && !nic->in_pieces && *length <= BUFFER_SIZE - BUFFER_FRAME)
			return buffer;
		nic->in_pieces = (status & RX_END) == 0;
		nic->bad++;
		pool_put(buffer);
	}
	return NULL;
}

struct buffer *e1000e_sent(struct e1000e *nic)
{
	struct buffer *buffer;

	if (nic->tx_clean == nic->tx_told || (nic->tx[nic->tx_clean].status & TX_DONE) == 0)
		return NULL;
	buffer = nic->tx_buffers[nic->tx_clean];
	nic->tx_buffers[nic->tx_clean] = NULL;
	nic->tx[nic->tx_clean].status = 0;
	nic->tx_clean = (nic->tx_clean + 1) % E1000E_TX_RING;
	return buffer;
}

bool e1000e_send(struct e1000e *nic, struct buffer *buffer, uint32_t length)
{
	volatile struct e1000e_tx *tx = &nic->tx[nic->tx_tail];
	uint32_t next = (nic->tx_tail + 1) % E1000E_TX_RING;

	if (next == nic->tx_clean)
		return false;
	tx->address = io_address(buffer->bytes + BUFFER_FRAME);
	tx->length = (uint16_t)length;
	tx->checksum_offset = 0;
	tx->command = TX_END | TX_ADD_FCS | TX_REPORT;
	tx->status = 0;
	tx->checksum_start = 0;
	tx->special = 0;
	nic->tx_buffers[nic->tx_tail] = buffer;
	nic->tx_tail = next;
	return true;
}

void e1000e_tell(struct e1000e *nic)
{
	if (nic->tx_told == nic->tx_tail)
		return;
	io_barrier();
	nic->tx_told = nic->tx_tail;
	write_register(nic, REG_TDT, nic->tx_tail);
}

void e1000e_interrupts(struct e1000e *nic, bool on)
{
	if (on) {
		write_register(nic, REG_IMS, IMS_LINK | IMS_RX | (nic->msix ? IMS_RXQ0 | IMS_OTHER : 0));
	} else {
		write_register(nic, REG_IMC, 0xffffffffu);
		write_register(nic, REG_ICR, 0xffffffffu);
	}
}

bool e1000e_has_work(const struct e1000e *nic)
{
	return nic->rx_posted != 0 && (nic->rx[nic->rx_next].status & RX_DONE) != 0;
}
