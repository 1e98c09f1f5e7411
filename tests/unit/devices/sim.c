/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <arch_x86.h>

#include "sim.h"

struct sim_function sim[SIM_MAX];
char sim_events[4096];
char sim_said[512];
uint64_t sim_time;
bool sim_memory_out;
uint64_t sim_not_owned;
uint64_t sim_firmware;
struct sim_mapping sim_mappings[64];
unsigned sim_mapping_count;
struct sim_claim sim_claims[64];
unsigned sim_claim_count;
__typeof__(sim_msi) sim_msi;
__typeof__(sim_audit) sim_audit;
unsigned sim_cpu;
struct machine_config machine;
struct vm vms[LZR_VM_MAX];

static char said_all[16384];
static void *allocations[256];
static unsigned allocation_count;
static struct { uint64_t base; void *memory; } mmio[32];
static unsigned mmio_count;
static struct { char signature[5]; const void *table; uint32_t length; } tables[8];
static unsigned table_count;
static uint32_t config_address;

static void *allocate(uint64_t length)
{
	void *p = aligned_alloc(PAGE_SIZE, (length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));

	assert_non_null(p);
	assert_true(allocation_count < ARRAY_LENGTH(allocations));
	memset(p, 0, length);
	allocations[allocation_count++] = p;
	return p;
}

void sim_clear(void)
{
	for (unsigned i = 0; i < allocation_count; i++)
		free(allocations[i]);
	allocation_count = 0;
	memset(sim, 0, sizeof(sim));
	memset(&machine, 0, sizeof(machine));
	memset(vms, 0, sizeof(vms));
	memset(&sim_msi, 0, sizeof(sim_msi));
	memset(&sim_audit, 0, sizeof(sim_audit));
	sim_events[0] = sim_said[0] = said_all[0] = 0;
	sim_time = 0;
	sim_memory_out = false;
	sim_not_owned = sim_firmware = 0;
	sim_mapping_count = sim_claim_count = mmio_count = table_count = sim_cpu = 0;
}

/* --- PCI -------------------------------------------------------------------------------------------------------- */

struct sim_function *sim_add(unsigned bus, unsigned device, unsigned function)
{
	for (unsigned i = 0; i < SIM_MAX; i++) {
		struct sim_function *f = &sim[i];

		if (f->present)
			continue;
		f->present = f->resets = true;
		f->at = (struct pci_address){ (uint8_t)bus, (uint8_t)device, (uint8_t)function };
		f->writable[PCI_COMMAND] = 0x07;
		f->writable[PCI_COMMAND + 1] = 0x05;
		f->writable[PCI_INTERRUPT_LINE] = f->writable[PCI_CACHE_LINE] = 0xff;
		sim_put(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		return f;
	}
	fail_msg("too many simulated functions");
	return NULL;
}

void sim_put(struct sim_function *f, unsigned offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++)
		f->config[offset + i] = (uint8_t)(value >> 8 * i);
}

uint32_t sim_get(const struct sim_function *f, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)f->config[offset + i] << 8 * i;
	return value;
}

struct sim_function *sim_endpoint(unsigned bus, unsigned device, unsigned function, uint32_t id, uint32_t class_code)
{
	struct sim_function *f = sim_add(bus, device, function);

	sim_put(f, PCI_VENDOR, 4, id);
	sim_put(f, PCI_REVISION, 4, class_code << 8 | 3);
	sim_put(f, PCI_SUBSYSTEM, 4, 0x11001af4);
	return f;
}

struct sim_function *sim_root_port(unsigned bus, unsigned device, unsigned secondary, unsigned subordinate)
{
	struct sim_function *f = sim_endpoint(bus, device, 0, 0x000c1b36, 0x060400);

	f->config[PCI_HEADER] = PCI_HEADER_BRIDGE;
	f->config[0x18] = (uint8_t)bus;
	f->config[PCI_BRIDGE_SECONDARY] = (uint8_t)secondary;
	f->config[PCI_BRIDGE_SUBORDINATE] = (uint8_t)subordinate;
	f->writable[PCI_BRIDGE_CONTROL] = 0xff;
	sim_capability(f, 0x54, PCI_CAP_EXPRESS);
	sim_put(f, 0x54 + PCI_EXPRESS_FLAGS, 2, 0x42);
	sim_put(f, 0x100, 4, PCI_EXTENDED_ACS | 1u << 16);
	sim_put(f, 0x100 + PCI_ACS_CAP, 2, 0x1f);
	return f;
}

void sim_capability(struct sim_function *f, unsigned offset, uint8_t id)
{
	unsigned at = PCI_CAPABILITIES;

	f->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	while (f->config[at])
		at = f->config[at] + 1u;
	f->config[at] = (uint8_t)offset;
	f->config[offset] = id;
}

void sim_bar(struct sim_function *f, unsigned index, uint64_t base, uint64_t size, uint32_t flags)
{
	f->bar_mask[index] = (uint32_t)~(size - 1);
	sim_put(f, PCI_BAR0 + 4 * index, 4, (uint32_t)base | flags);
	if ((flags & 7) == PCI_BAR_64) {
		f->bar_mask[index + 1] = (uint32_t)(~(size - 1) >> 32);
		sim_put(f, PCI_BAR0 + 4 * index + 4, 4, (uint32_t)(base >> 32));
	}
}

static struct sim_function *find(unsigned bus, unsigned device, unsigned function)
{
	for (unsigned i = 0; i < SIM_MAX; i++) {
		if (sim[i].present && sim[i].at.bus == bus && sim[i].at.device == device &&
		    sim[i].at.function == function)
			return &sim[i];
	}
	return NULL;
}

static void reset_function(struct sim_function *f)
{
	if (!f->resets)
		return;
	for (unsigned i = 0; i < 256; i++)
		f->config[i] &= (uint8_t)~f->writable[i];
	for (unsigned i = 0; i < 6; i++)
		sim_put(f, PCI_BAR0 + 4 * i, 4, sim_get(f, PCI_BAR0 + 4 * i, 4) & ~f->bar_mask[i]);
	if (f->ids_gone)
		f->present = false;
}

static unsigned capability(const struct sim_function *f, uint8_t id)
{
	unsigned at = f->config[PCI_CAPABILITIES];

	for (unsigned i = 0; at && f->config[at] != id; i++)
		at = i < 64 ? f->config[at + 1] : 0;    /* a test may have bent the list into a circle */
	return at;
}

static void note_command(const struct sim_function *f, uint32_t before)
{
	uint32_t after = sim_get(f, PCI_COMMAND, 2);
	char word[32];

	if ((before ^ after) & PCI_COMMAND_MASTER) {
		snprintf(word, sizeof(word), "master%c%02x", after & PCI_COMMAND_MASTER ? '+' : '-',
			 pci_source(f->at));
		sim_log(word);
	}
}

static void write_bytes(struct sim_function *f, unsigned offset, unsigned size, uint32_t value)
{
	uint32_t command = sim_get(f, PCI_COMMAND, 2);

	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = f->writable[offset + i];

		f->config[offset + i] = (uint8_t)((f->config[offset + i] & ~mask) | (value >> 8 * i & mask));
	}
	note_command(f, command);
}

static void write_config(struct sim_function *f, unsigned offset, unsigned size, uint32_t value)
{
	unsigned express = capability(f, PCI_CAP_EXPRESS), af = capability(f, PCI_CAP_AF);
	unsigned bar = (offset - PCI_BAR0) / 4;
	bool bridge = f->config[PCI_HEADER] == PCI_HEADER_BRIDGE;

	if (!bridge && offset >= PCI_BAR0 && bar < 6) {
		uint32_t keep = sim_get(f, PCI_BAR0 + 4 * bar, 4) & 0xf & ~f->bar_mask[bar];

		assert_int_equal(size, 4);
		assert_false(sim_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY && value == 0xffffffff);
		sim_put(f, offset, 4, (value & f->bar_mask[bar]) | keep);
	} else if (!bridge && offset == PCI_ROM) {
		sim_put(f, offset, 4, value & f->rom_mask);
	} else if (express && !bridge && offset == express + PCI_EXPRESS_DEVCTL && (value & PCI_EXPRESS_DEVCTL_FLR)) {
		sim_log("flr");
		reset_function(f);
	} else if (af && offset == af + PCI_AF_CONTROL && (value & 1)) {
		sim_log("aflr");
		reset_function(f);
	} else if (bridge && offset == PCI_BRIDGE_CONTROL) {
		bool was = sim_get(f, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_RESET;

		write_bytes(f, offset, size, value);
		if (was || !(value & PCI_BRIDGE_RESET))
			return;
		sim_log("busreset");
		for (unsigned i = 0; i < SIM_MAX; i++) {
			if (sim[i].present && sim[i].at.bus == f->config[PCI_BRIDGE_SECONDARY])
				reset_function(&sim[i]);
		}
	} else {
		write_bytes(f, offset, size, value);
	}
}

static uint32_t port_read(uint16_t port, unsigned size)
{
	struct sim_function *f = find(config_address >> 16 & 0xff, config_address >> 11 & 31, config_address >> 8 & 7);

	assert_in_range(port, 0xcfc, 0xcff);
	assert_true(config_address & 0x80000000);
	sim_time += 100;
	return f ? sim_get(f, (config_address & 0xfc) + (port & 3u), size) : 0xffffffff >> (32 - 8 * size);
}

static void port_write(uint16_t port, unsigned size, uint32_t value)
{
	struct sim_function *f;

	if (port == 0xcf8) {
		assert_int_equal(size, 4);
		config_address = value;
		return;
	}
	assert_in_range(port, 0xcfc, 0xcff);
	f = find(config_address >> 16 & 0xff, config_address >> 11 & 31, config_address >> 8 & 7);
	if (f)
		write_config(f, (config_address & 0xfc) + (port & 3u), size, value);
}

uint8_t arch_in8(uint16_t port) { return (uint8_t)port_read(port, 1); }
uint16_t arch_in16(uint16_t port) { return (uint16_t)port_read(port, 2); }
uint32_t arch_in32(uint16_t port) { return port_read(port, 4); }
void arch_out8(uint16_t port, uint8_t value) { port_write(port, 1, value); }
void arch_out16(uint16_t port, uint16_t value) { port_write(port, 2, value); }
void arch_out32(uint16_t port, uint32_t value) { port_write(port, 4, value); }

/* --- the platform ----------------------------------------------------------------------------------------------- */

void sim_log(const char *word)
{
	size_t used = strlen(sim_events);

	snprintf(sim_events + used, sizeof(sim_events) - used, "%s%s", used ? " " : "", word);
}

void say(const char *format, ...)
{
	size_t used = strlen(said_all);
	va_list args;

	va_start(args, format);
	vsnprintf(sim_said, sizeof(sim_said), format, args);
	va_end(args);
	snprintf(said_all + used, sizeof(said_all) - used, "%s\n", sim_said);
}

bool sim_heard(const char *part)
{
	return strstr(said_all, part) != NULL;
}

void panic(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "panic: %s\n", text);
	abort();
}

void *hpa_ptr(hpa_t address) { return (void *)address.a; }
hpa_t ptr_hpa(const void *pointer) { return hpa((uint64_t)pointer); }
unsigned cpu_count(void) { return 2; }
unsigned cpu_current(void) { return sim_cpu; }
uint32_t cpu_apic_id(unsigned cpu) { return cpu * 4 + 1; }
uint64_t time_ns(void) { return sim_time += 1000; }
void spin_lock(struct spinlock *lock) { assert_int_equal(lock->next, lock->owner); lock->next++; }
void spin_unlock(struct spinlock *lock) { lock->owner++; assert_int_equal(lock->next, lock->owner); }

void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	assert_int_equal(align, PAGE_SIZE);
	return sim_memory_out ? NULL : allocate(length);
}

enum hv_err mem_alloc(uint64_t length, uint64_t align, unsigned owner, hpa_t *out)
{
	(void)owner;
	if (sim_memory_out)
		return HV_NO_MEMORY;
	*out = ptr_hpa(mem_alloc_hv(length, align));
	return HV_OK;
}

enum hv_err mem_claim_mmio(hpa_t base, uint64_t length, unsigned owner)
{
	if (sim_not_owned >= base.a && sim_not_owned < base.a + length)
		return HV_CONFLICT;
	sim_claims[sim_claim_count++] = (struct sim_claim){ base.a, length, owner };
	return HV_OK;
}

enum hv_err mem_claim_bar(hpa_t base, uint64_t length, unsigned owner)
{
	if (sim_firmware >= base.a && sim_firmware < base.a + length)
		return HV_CONFLICT;
	for (unsigned i = 0; i < sim_claim_count; i++)
		if (sim_claims[i].base < base.a + length && base.a < sim_claims[i].base + sim_claims[i].length)
			return HV_CONFLICT;
	return mem_claim_mmio(base, length, owner);
}

enum hv_err mem_check_owner(hpa_t base, uint64_t length, unsigned owner)
{
	(void)owner;
	return sim_not_owned >= base.a && sim_not_owned < base.a + length ? HV_NOT_OWNED : HV_OK;
}

volatile void *mmio_map(hpa_t base, uint64_t length)
{
	for (unsigned i = 0; i < SIM_MAX; i++) {
		uint64_t ecam = 0xb0000000ull + ((uint64_t)pci_source(sim[i].at) << 12);

		if (sim[i].present && base.a == ecam)
			return sim[i].config;
	}
	if (sim_memory_out)
		return NULL;
	mmio[mmio_count].base = base.a;
	mmio[mmio_count].memory = allocate(length);
	return mmio[mmio_count++].memory;
}

void *sim_mmio(uint64_t base)
{
	for (unsigned i = 0; i < mmio_count; i++) {
		if (mmio[i].base == base)
			return mmio[i].memory;
	}
	return NULL;
}

void sim_acpi(const char *signature, const void *table, uint32_t length)
{
	memcpy(tables[table_count].signature, signature, 5);
	tables[table_count].table = table;
	tables[table_count++].length = length;
}

const void *acpi_table(const char signature[4], uint32_t *length)
{
	for (unsigned i = table_count; i-- > 0;) {              /* the last one of a name counts */
		if (memcmp(tables[i].signature, signature, 4) == 0) {
			if (length)
				*length = tables[i].length;
			return tables[i].table;
		}
	}
	return NULL;
}

enum hv_err vm_map(struct vm *vm, gpa_t at, hpa_t from, uint64_t length, unsigned flags)
{
	sim_mappings[sim_mapping_count++] = (struct sim_mapping){ at.a, from.a, length, vm->number, flags };
	return HV_OK;
}

enum hv_err vm_map_registers(struct vm *vm, gpa_t at, uint64_t length, void **out)
{
	hpa_t page;
	enum hv_err err = mem_alloc(length, PAGE_SIZE, OWNER_VM0 + vm->number, &page);

	if (err != HV_OK)
		return err;
	*out = hpa_ptr(page);
	return vm_map(vm, at, page, length, MAP_READ | MAP_WRITE | MAP_UNCACHED);
}

void vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	(void)vm;
	sim_msi.address = address;
	sim_msi.data = data;
	sim_msi.count++;
}

void audit(uint32_t vm, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1)
{
	assert_int_equal(event, LZR_AUDIT_DMA_FAULT);
	sim_audit.vm = vm;
	sim_audit.arg0 = arg0;
	sim_audit.arg1 = arg1;
	sim_audit.count++;
}
