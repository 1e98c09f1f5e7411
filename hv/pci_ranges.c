/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses every PCI function and every bridge answers to.  Gone after the seal.
 *
 * A BAR is a device's own register: it says what the device wants to be at, not that the firmware put it there, nor
 * that nothing else is.  So each function found by the scan is asked for its ranges, assigned or not, with its
 * expansion ROM, and a BAR is believed only where all bridges above forward to it, no other bridge does, and nobody
 * else answers.  PCI Local Bus Specification 3.0, "Address Maps"; PCI-to-PCI Bridge Architecture Specification 1.2,
 * "Memory Base Register", "Prefetchable Memory Base Register".
 */
#include "pci.h"

#define RANGE_MAX 2048u
#define CLASS_HOST_BRIDGE 0x0600u
#define BRIDGE_BARS 2u
#define ROM_BRIDGE 0x38u
#define ROM_ADDRESS 0xfffff800u
#define ROM_INDEX 6u

#define WINDOW_MEMORY 0x20u             /* base, then limit */
#define WINDOW_PREFETCHABLE 0x24u
#define  WINDOW_64 0x1u
#define  WINDOW_BASE_HIGH 0x28u
#define  WINDOW_LIMIT_HIGH 0x2cu
#define WINDOW_BITS 0xfff0u

struct range { uint64_t base, size; uint16_t source; uint8_t index; };
struct window { uint64_t base, last; };         /* base > last: closed */

static struct range ranges[RANGE_MAX];
static unsigned range_count;

uint64_t pci_bar_size(struct pci_address at, unsigned offset, uint32_t address_bits, bool wide)
{
	uint32_t low = pci_get(at, offset, 4), high = wide ? pci_get(at, offset + 4, 4) : 0;
	uint64_t mask;

	pci_set(at, offset, 4, address_bits == ROM_ADDRESS ? ROM_ADDRESS : 0xffffffff);
	if (wide)
		pci_set(at, offset + 4, 4, 0xffffffff);
	mask = pci_get(at, offset, 4) & address_bits;
	mask |= (uint64_t)(wide ? pci_get(at, offset + 4, 4) : 0xffffffff) << 32;
	pci_set(at, offset, 4, low);
	if (wide)
		pci_set(at, offset + 4, 4, high);
	return (uint32_t)mask == 0 && (!wide || mask >> 32 == 0) ? 0 : ~mask + 1;
}

/*
 * Notes one register's range.  What cannot be asked for its size, or answers nonsense, counts as the largest that its
 * alignment allows.
 */
static enum hv_err note(const struct pci_function *f, unsigned offset, uint8_t index, bool wide, bool may_ask)
{
	uint32_t bits = index == ROM_INDEX ? ROM_ADDRESS : ~PCI_BAR_FLAGS;
	uint64_t base = pci_get(f->at, offset, 4) & bits, size = 0;

	if (wide)
		base |= (uint64_t)pci_get(f->at, offset + 4, 4) << 32;
	if (base == 0)
		return HV_OK;   /* not placed: nothing can be assigned there */
	if (range_count == RANGE_MAX) {
		say("pci: more than %u BARs; this build cannot keep track of them", RANGE_MAX);
		return HV_NO_MEMORY;
	}
	if (may_ask)
		size = pci_bar_size(f->at, offset, bits, wide);
	if (size == 0 || size & (size - 1))
		size = base & -base;
	ranges[range_count++] = (struct range){ base, size, pci_source(f->at), index };
	return HV_OK;
}

static enum hv_err note_function(const struct pci_function *f)
{
	unsigned count = f->header == PCI_HEADER_ENDPOINT ? PCI_BAR_COUNT :
			 f->header == PCI_HEADER_BRIDGE ? BRIDGE_BARS : 0;
	uint16_t command = (uint16_t)pci_get(f->at, PCI_COMMAND, 2);
	bool may_ask = pci_get(f->at, PCI_REVISION, 4) >> 16 != CLASS_HOST_BRIDGE;      /* the CPUs' way to memory */
	enum hv_err err = HV_OK;

	if (count == 0)
		return HV_OK;
	if (may_ask) {
		pci_change16(f->at, PCI_COMMAND, PCI_COMMAND_MEMORY, 0);
		may_ask = !(pci_get(f->at, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
	}
	for (unsigned i = 0; !err && i < count; i++) {
		uint32_t low = pci_get(f->at, PCI_BAR0 + 4 * i, 4);
		bool wide = !(low & PCI_BAR_IO) && (low & PCI_BAR_TYPE) == PCI_BAR_64 && i + 1 < count;

		if (!(low & PCI_BAR_IO))
			err = note(f, PCI_BAR0 + 4 * i, (uint8_t)i, wide, may_ask);
		i += wide;
	}
	if (!err)
		err = note(f, count == PCI_BAR_COUNT ? PCI_ROM : ROM_BRIDGE, ROM_INDEX, false, may_ask);
	if (may_ask)
		pci_set(f->at, PCI_COMMAND, 2, command);
	return err;
}

enum hv_err pci_ranges_scan(void)
{
	enum hv_err err = HV_OK;

	range_count = 0;
	for (unsigned i = 0; !err && i < pci_function_count(); i++)
		err = note_function(pci_function(i));
	return err;
}

static struct window window_of(struct pci_address bridge, unsigned offset)
{
	uint32_t both = pci_get(bridge, offset, 4);
	struct window w = {
		.base = (uint64_t)(both & WINDOW_BITS) << 16,
		.last = (both & WINDOW_BITS << 16) | 0xfffffu,
	};

	if (offset == WINDOW_PREFETCHABLE && both & WINDOW_64) {
		w.base |= (uint64_t)pci_get(bridge, WINDOW_BASE_HIGH, 4) << 32;
		w.last |= (uint64_t)pci_get(bridge, WINDOW_LIMIT_HIGH, 4) << 32;
	}
	return w;
}

static bool forwards_all(struct pci_address bridge, uint64_t base, uint64_t last)
{
	struct window memory = window_of(bridge, WINDOW_MEMORY), more = window_of(bridge, WINDOW_PREFETCHABLE);

	return (memory.base <= base && last <= memory.last) || (more.base <= base && last <= more.last);
}

static bool forwards_any(struct pci_address bridge, uint64_t base, uint64_t last)
{
	struct window memory = window_of(bridge, WINDOW_MEMORY), more = window_of(bridge, WINDOW_PREFETCHABLE);

	return (memory.base <= memory.last && memory.base <= last && base <= memory.last) ||
	       (more.base <= more.last && more.base <= last && base <= more.last);
}

static bool is_above(const struct pci_address *bridges, unsigned count, struct pci_address at)
{
	for (unsigned i = 0; i < count; i++)
		if (pci_same(bridges[i], at))
			return true;
	return false;
}

static const char *check_bridges(const struct pci_address *bridges, unsigned count, uint64_t base, uint64_t last)
{
	for (unsigned i = 0; i < count; i++)
		if (!forwards_all(bridges[i], base, last))
			return "a BAR lies outside the windows of the bridges above it";
	for (unsigned i = 0; i < pci_function_count(); i++) {
		const struct pci_function *f = pci_function(i);

		if (f->header == PCI_HEADER_BRIDGE && !is_above(bridges, count, f->at) &&
		    forwards_any(f->at, base, last))
			return "a BAR lies in the window of a bridge that does not lead to it";
	}
	return NULL;
}

const char *pci_range_refusal(struct pci_address at, unsigned index, uint64_t base, uint64_t size,
			      const struct pci_address *bridges, unsigned bridge_count)
{
	uint64_t first = base & ~(PAGE_SIZE - 1), last = base + size - 1, page_last = last | (PAGE_SIZE - 1);
	bool noted = false;

	for (unsigned i = 0; i < range_count; i++) {
		const struct range *r = &ranges[i];

		if (r->source == pci_source(at) && r->index == index) {
			noted = r->base == base && r->size == size;
			continue;
		}
		if (r->base <= last && base - r->base < r->size)
			return "a BAR overlaps another";
		if (r->base <= last && r->base >= base)
			return "a BAR overlaps another";
		if (r->base <= page_last && (r->base >= first || first - r->base < r->size))
			return "a BAR shares its page with another";
	}
	if (!noted)
		return "a BAR answers otherwise than before";
	return check_bridges(bridges, bridge_count, base, last);
}
