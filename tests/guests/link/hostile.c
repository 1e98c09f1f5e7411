/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that breaks its transmit ring in every way it knows, then talks properly, asks, and floods.  Each attack must
 * end in DEVICE_NEEDS_RESET and nothing else; a reset must make the device good again.
 */
#include <string.h>

#include <lazaret/link.h>
#include <lazaret/manifest.h>

#include "io.h"
#include "pci.h"
#include "rt.h"
#include "vdev.h"

#define STATUS_PORT 0x14u
#define STATUS_GOOD 0x0fu
#define STATUS_NEEDS_RESET 0x40u
#define FLOOD_END_NS 70000000000ull     /* on the hypervisor's clock: long enough to meet the Linux guests at work */
#define STORM_NS 1000000000ull
#define RAM_END 0x4000000ull            /* 64 MiB */
#define MSIX_PAGE (LZR_VDEV_MSIX_BASE + 2 * 4096)

static struct vdev device;
static struct virtq rx, tx;
static uint8_t buffer[8192];
static char inbox[64];

static void start(void)
{
	const char *wrong = vdev_open(&device, LZR_VIRTIO_PCI_NET);

	if (!wrong)
		wrong = vdev_queue(&device, 0, &rx);
	if (!wrong)
		wrong = vdev_queue(&device, 1, &tx);
	if (!wrong)
		wrong = vdev_start(&device);
	if (wrong)
		rt_panic("hostile: %s", wrong);
}

static void describe(unsigned index, uint64_t address, uint32_t length, uint16_t flags, uint16_t next)
{
	tx.descriptors[index].address = address;
	tx.descriptors[index].length = length;
	tx.descriptors[index].flags = flags;
	tx.descriptors[index].next = next;
}

static void publish(uint16_t head)
{
	tx.available.ring[tx.available.index % tx.size] = head;
	io_barrier();
	tx.available.index++;
	io_barrier();
	io_out16((uint16_t)(device.io + LZR_VIRTIO_NOTIFY), 1);
}

static uint8_t status(void)
{
	return io_in8((uint16_t)(device.io + STATUS_PORT));
}

static const struct attack {
	const char *name;
	uint64_t address;
	uint32_t length;
	uint16_t flags, next, head, jump;
} attacks[] = {
	{ "behind RAM", RAM_END, 64, 0, 0, 0, 0 },
	{ "across the end of RAM", RAM_END - 32, 64, 0, 0, 0, 0 },
	{ "wrapping round", 0xffffffffffffffe0, 64, 0, 0, 0, 0 },
	{ "the interrupt page", MSIX_PAGE, 64, 0, 0, 0, 0 },
	{ "the local APIC", 0xfee00000, 64, 0, 0, 0, 0 },
	{ "the hypervisor", 0xffffffff80000000, 64, 0, 0, 0, 0 },
	{ "no length", 0x100000, 0, 0, 0, 0, 0 },
	{ "4 GiB less one", 0x100000, 0xffffffff, 0, 0, 0, 0 },
	{ "a loop", 0x100000, 64, 1, 0, 0, 0 },
	{ "next beyond the table", 0x100000, 64, 1, 0x7fff, 0, 0 },
	{ "head beyond the table", 0x100000, 64, 0, 0, 0xffff, 0 },
	{ "indirect", 0x100000, 64, 4, 0, 0, 0 },
	{ "unknown flags", 0x100000, 64, 0xff00, 0, 0, 0 },
	{ "index too far ahead", 0x100000, 64, 0, 0, 0, 1000 },
};

static unsigned attack_all(void)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		const struct attack *a = &attacks[i];

		start();
		describe(0, a->address, a->length, a->flags, a->next);
		tx.available.index = (uint16_t)(tx.available.index + a->jump);
		publish(a->head);
		if (status() == (STATUS_GOOD | STATUS_NEEDS_RESET) && tx.used.index == 0)
			refused++;
		else
			rt_printf("HOSTILE-BAD attack=%s status=%u\n", a->name, status());
	}
	return refused;
}

static void bad_queue_places(void)
{
	static const uint64_t places[] = { RAM_END, RAM_END - 16, 0xfffffffffffff000, 0xfe002000, 3 };
	unsigned refused = 0;

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (vdev_open(&device, LZR_VIRTIO_PCI_NET))
			rt_panic("hostile: does not open");
		io_out16((uint16_t)(device.io + 0x16), 1);
		for (unsigned j = 0; j < 3; j++) {
			io_out32((uint16_t)(device.io + 0x20 + 8 * j), (uint32_t)places[i]);
			io_out32((uint16_t)(device.io + 0x24 + 8 * j), (uint32_t)(places[i] >> 32));
		}
		io_out16((uint16_t)(device.io + 0x1c), 1);
		if (status() & STATUS_NEEDS_RESET && io_in16((uint16_t)(device.io + 0x1c)) == 0)
			refused++;
	}
	rt_printf("HOSTILE-PLACES refused=%u of=%u\n", refused, (unsigned)(sizeof(places) / sizeof(places[0])));
}

/* A question with room for the answer: readable, then writable. */
static void ask(void)
{
	uint64_t deadline = rt_clock() + 10000000000ull;

	start();
	memcpy(buffer, "tubular", 7);
	describe(0, io_address(buffer), 7, 1, 1);
	describe(1, io_address(inbox), 16, 2, 0);
	publish(0);
	while (tx.used.index == 0 && rt_clock() < deadline)
		io_pause();
	rt_printf("HOSTILE-ASKED answer=%s length=%u\n", inbox, tx.used.ring[0].length);
}

/* Vectors, destinations, delivery modes and masks that change all the time, half of them well-formed. */
static void rewrite_interrupts(void)
{
	static uint64_t random = 9;
	volatile uint32_t *page = (volatile uint32_t *)(uintptr_t)MSIX_PAGE;

	for (unsigned i = 0; i < 64; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		page[i] = (uint32_t)(random >> 32);
		if (random >> 63 && i % 4 == 0)
			page[i] = 0xfee00000 | ((uint32_t)(random >> 20) & 0xff00c);
		else if (random >> 63)
			page[i] &= i % 4 == 2 ? 0x1ff : 0;
	}
	page[512 + (random >> 40) % 4] = (uint32_t)random;      /* the pending bits */
}

static void flood(void)
{
	uint64_t sent = 0;

	start();
	for (unsigned i = 0; i < tx.size; i++)
		describe(i, io_address(buffer), 4096, 0, 0);
	rt_printf("HOSTILE-FLOOD begins\n");
	while (rt_clock() < FLOOD_END_NS) {
		uint16_t room = (uint16_t)(tx.size - (uint16_t)(tx.available.index - tx.used.index));

		for (unsigned i = 0; i < room; i++)
			tx.available.ring[(tx.available.index + i) % tx.size] =
				(uint16_t)((tx.available.index + i) % tx.size);
		rewrite_interrupts();
		io_barrier();
		tx.available.index = (uint16_t)(tx.available.index + room);
		io_barrier();
		sent += room;
		io_out16((uint16_t)(device.io + LZR_VIRTIO_NOTIFY), 1);
	}
	rt_printf("HOSTILE-FLOOD sent=%lu status=%u\n", sent, status());
}

/* Resets as fast as it can: the service hears of some, in bounded number. */
static void reset_storm(void)
{
	uint64_t deadline = rt_clock() + STORM_NS;
	unsigned resets = 0;

	for (; rt_clock() < deadline; resets++)
		start();
	rt_printf("HOSTILE-RESETS count=%u\n", resets);
}

void rt_main(void)
{
	unsigned count = sizeof(attacks) / sizeof(attacks[0]);

	trap_init();
	rt_printf("HOSTILE-ATTACKS refused=%u of=%u\n", attack_all(), count);
	bad_queue_places();
	ask();
	flood();
	reset_storm();
	ask();
	rt_printf("HOSTILE-DONE\n");
}
