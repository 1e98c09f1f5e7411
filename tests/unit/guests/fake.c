/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <stdio.h>
#include <string.h>

#include "io.h"
#include "rt.h"

#define MSIX_BASE 0xfe000000u           /* tables of the link device and the two cards, 4 KiB apart */
#define NIC_BASE 0x80000000u
#define NIC_SIZE 0x20000u

struct fake fake;
jmp_buf fake_panic;

static void put32(unsigned slot, unsigned offset, uint32_t value)
{
	memcpy(fake.config[slot] + offset, &value, 4);
}

static void add_function(unsigned slot, uint32_t id, uint32_t class, unsigned table)
{
	memset(fake.config[slot], 0, 256);
	put32(slot, 0x00, id);
	put32(slot, 0x04, 0x100000);    /* has capabilities */
	put32(slot, 0x08, class << 8);
	put32(slot, 0x14, MSIX_BASE + table * 0x1000);
	put32(slot, 0x34, 0x40);
	put32(slot, 0x40, 0x00035009);  /* vendor specific, next 0x50 */
	put32(slot, 0x50, 0x00030011);  /* MSI-X, four entries, last */
	put32(slot, 0x54, 1);           /* in BAR 1 */
}

void fake_reset(void)
{
	unsigned i;

	memset(&fake, 0, sizeof(fake));
	memset(fake.config, 0xff, sizeof(fake.config));
	add_function(FAKE_LINK_SLOT, LZR_VIRTIO_PCI_VENDOR | LZR_VIRTIO_PCI_LINK << 16, 0xff0000, 0);
	put32(FAKE_LINK_SLOT, 0x10, FAKE_BAR | 1);
	for (i = 0; i < FAKE_NICS; i++) {
		add_function(FAKE_NIC_SLOT + i, 0x10d38086, 0x020000, 1 + i);
		put32(FAKE_NIC_SLOT + i, 0x10, NIC_BASE + i * NIC_SIZE);
	}
	fake.labels[0] = (struct fake_label){ 1, 1 };
	fake.features = 1ull << 32 | 1ull << 28;
	fake.queue_count = FAKE_QUEUES;
	fake.queue_size = 128;
}

/* --- PCI configuration and the link device's BAR ------------------------------------------------------------------ */

static uint8_t *config_at(uint16_t port, unsigned size)
{
	unsigned offset = (fake.address & 0xfc) + (port & 3);

	assert_true((fake.address & 0x80000000u) != 0 && (fake.address >> 16 & 0xff) == 0 &&
		    (fake.address >> 8 & 7) == 0);
	assert_int_equal(offset % size, 0);
	return &fake.config[fake.address >> 11 & 31][offset];
}

static uint64_t bar_read(unsigned offset)
{
	struct fake_queue *q = &fake.queues[fake.queue_select % FAKE_QUEUES];

	switch (offset) {
	case 0x04:
		return (uint32_t)(fake.features >> (fake.feature_select * 32));
	case 0x12:
		return fake.queue_count;
	case 0x14:
		return fake.status;
	case 0x18:
		return fake.queue_size;
	case 0x1a:
		return fake.refuse_vector ? 0xffff : q->vector;
	default:
		fail_msg("read at %x of the BAR", offset);
		return 0;
	}
}

static void status_write(uint8_t value)
{
	if (value == 0)
		memset(fake.queues, 0, sizeof(fake.queues));
	if (fake.refuse_features)
		value &= (uint8_t)~8;
	if (fake.refuse_start && (value & 4) != 0)
		value |= 0x40;
	fake.status = value;
}

static void bar_write(unsigned offset, uint32_t value)
{
	struct fake_queue *q = &fake.queues[fake.queue_select % FAKE_QUEUES];

	if (offset >= 0x20 && offset < 0x38) {
		memcpy((uint8_t *)q->address + (offset - 0x20), &value, 4);
		return;
	}
	switch (offset) {
	case 0x00:
		fake.feature_select = value;
		break;
	case 0x08:
		fake.driver_select = value;
		break;
	case 0x0c:
		fake.driver_features |= (uint64_t)value << (fake.driver_select * 32);
		break;
	case 0x10:
		break;
	case 0x14:
		status_write((uint8_t)value);
		break;
	case 0x16:
		fake.queue_select = (uint16_t)value;
		break;
	case 0x18:
		q->size = (uint16_t)value;
		break;
	case 0x1a:
		q->vector = (uint16_t)value;
		break;
	case 0x1c:
		q->enabled = value == 1;
		break;
	case LZR_VIRTIO_NOTIFY:
		assert_true((fake.status & 4) != 0);
		fake.queues[value].notified++;
		break;
	default:
		fail_msg("write at %x of the BAR", offset);
	}
}

static uint32_t port_in(uint16_t port, unsigned size)
{
	uint32_t value = 0;

	if (port >= 0xcfc && port <= 0xcff)
		memcpy(&value, config_at(port, size), size);
	else if (port >= FAKE_BAR && port < FAKE_BAR + LZR_VIRTIO_BAR_SIZE)
		value = (uint32_t)bar_read(port - FAKE_BAR);
	else
		fail_msg("read of port %x", port);
	return value;
}

static void port_out(uint16_t port, unsigned size, uint32_t value)
{
	if (port == 0xcf8 && size == 4)
		fake.address = value;
	else if (port >= 0xcfc && port <= 0xcff)
		memcpy(config_at(port, size), &value, size);
	else if (port >= FAKE_BAR && port < FAKE_BAR + LZR_VIRTIO_BAR_SIZE)
		bar_write(port - FAKE_BAR, value);
	else
		fail_msg("write of port %x", port);
}

uint8_t io_in8(uint16_t port) { return (uint8_t)port_in(port, 1); }
uint16_t io_in16(uint16_t port) { return (uint16_t)port_in(port, 2); }
uint32_t io_in32(uint16_t port) { return port_in(port, 4); }
void io_out8(uint16_t port, uint8_t value) { port_out(port, 1, value); }
void io_out16(uint16_t port, uint16_t value) { port_out(port, 2, value); }
void io_out32(uint16_t port, uint32_t value) { port_out(port, 4, value); }

/* --- memory-mapped registers -------------------------------------------------------------------------------------- */

static uint32_t *register_at(uint64_t address)
{
	uint64_t offset = address - NIC_BASE;

	if (address >= MSIX_BASE && address < MSIX_BASE + 0x3000) {
		assert_true((address & 0xfff) < 64);
		return &fake.msix_table[(address - MSIX_BASE) >> 12][(address & 0xfff) / 4];
	}
	assert_true(offset < NIC_SIZE * FAKE_NICS && offset % NIC_SIZE < 0x6000);
	return &fake.nics[offset / NIC_SIZE].registers[offset % NIC_SIZE / 4];
}

uint32_t mmio_read32(uint64_t address)
{
	return *register_at(address);
}

void mmio_write32(uint64_t address, uint32_t value)
{
	uint64_t offset = address - NIC_BASE;
	struct fake_nic *nic = &fake.nics[offset / NIC_SIZE % FAKE_NICS];

	*register_at(address) = value;
	if (address < NIC_BASE + FAKE_NICS * NIC_SIZE && offset % NIC_SIZE == 0x3818)
		nic->told++;
	if (address < NIC_BASE + FAKE_NICS * NIC_SIZE && offset % NIC_SIZE == 0 && (value & 1u << 26) != 0) {
		bool stuck = nic->stuck;

		memset(nic, 0, sizeof(*nic));
		nic->stuck = stuck;
		nic->registers[0] = stuck ? 1u << 26 : 0;
	}
}

uint64_t io_address(const void *pointer) { return (uint64_t)(uintptr_t)pointer; }
void io_barrier(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void io_pause(void) {}
uint64_t trap_msi_address(void) { return 0xfee00000; }
uint32_t trap_msi_data(void) { return RT_VECTOR; }

struct rt_result rt_call(enum lzr_call number, uint64_t slot, uint64_t none)
{
	const struct fake_label *label = &fake.labels[(slot - FAKE_NIC_SLOT) % FAKE_NICS];

	assert_int_equal(number, LZR_CALL_DEVICE);
	assert_int_equal(none, 0);
	if (slot < FAKE_NIC_SLOT || slot >= FAKE_NIC_SLOT + FAKE_NICS)
		return (struct rt_result){ .status = LZR_UNKNOWN };
	return (struct rt_result){ .status = LZR_OK, .value = { label->level, label->categories } };
}

uint64_t rt_clock(void)
{
	uint64_t now = fake.clock;

	fake.clock += fake.tick;
	return now;
}

void rt_printf(const char *format, ...)
{
	(void)format;
	fake.lines++;
}

void rt_panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fake.panic, sizeof(fake.panic), format, arguments);
	va_end(arguments);
	longjmp(fake_panic, 1);
}

/* --- the other ends ----------------------------------------------------------------------------------------------- */

struct ring {
	uint16_t flags, index, ids[];
};

static struct virtq_descriptor *next_chain(struct fake_queue *q)
{
	struct ring *available = (struct ring *)q->address[1];

	if (!q->enabled || q->taken == available->index)
		return NULL;
	assert_true(available->ids[q->taken % q->size] < q->size);
	return (struct virtq_descriptor *)q->address[0] + available->ids[q->taken % q->size];
}

static void give_back(struct fake_queue *q, uint32_t length)
{
	struct ring *available = (struct ring *)q->address[1];
	struct virtq_used *used = (struct virtq_used *)q->address[2];
	uint16_t slot = used->index % q->size;

	used->ring[slot].id = available->ids[q->taken % q->size];
	used->ring[slot].length = length;
	used->index++;
	q->taken++;
}

bool fake_put(unsigned queue, const void *data, uint32_t length)
{
	struct fake_queue *q = &fake.queues[queue];
	struct virtq_descriptor *d = next_chain(q);

	if (d == NULL)
		return false;
	assert_true((d->flags & 2) != 0 && d->length >= length);
	memcpy((void *)d->address, data, length);
	give_back(q, length);
	return true;
}

int fake_take(unsigned queue, uint8_t *out, uint32_t capacity)
{
	struct fake_queue *q = &fake.queues[queue];
	struct virtq_descriptor *d = next_chain(q);
	uint32_t length;

	if (d == NULL)
		return -1;
	length = d->length;
	assert_true(d->flags == 0 && length <= capacity);
	memcpy(out, (void *)d->address, length);
	give_back(q, 0);
	return (int)length;
}

static uint64_t ring_of(const struct fake_nic *nic, unsigned reg)
{
	return nic->registers[reg / 4] | (uint64_t)nic->registers[reg / 4 + 1] << 32;
}

bool fake_arrive(unsigned nic, const void *data, uint16_t length, uint8_t status, uint8_t errors)
{
	struct fake_nic *n = &fake.nics[nic];
	struct e1000e_rx *rx = (struct e1000e_rx *)ring_of(n, 0x2800) + n->rx_head;

	if (n->rx_head == n->registers[0x2818 / 4])
		return false;
	memcpy((void *)rx->address, data, length);
	rx->length = length;
	rx->errors = errors;
	rx->status = status;
	n->rx_head = (n->rx_head + 1) % (n->registers[0x2808 / 4] / 16);
	return true;
}

int fake_depart(unsigned nic, uint8_t *out, uint32_t capacity)
{
	struct fake_nic *n = &fake.nics[nic];
	struct e1000e_tx *tx = (struct e1000e_tx *)ring_of(n, 0x3800) + n->tx_head;

	if (n->tx_head == n->registers[0x3818 / 4])
		return -1;
	assert_int_equal(tx->command, 0x0b);
	assert_true(tx->length <= capacity);
	memcpy(out, (void *)tx->address, tx->length);
	tx->status = 1;
	n->tx_head = (n->tx_head + 1) % (n->registers[0x3808 / 4] / 16);
	return (int)tx->length;
}
