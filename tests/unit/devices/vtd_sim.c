/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "plat.h"
#include "vtd_sim.h"

struct vtd_sim vtd_sim[VTD_SIM_MAX];
static uint8_t dmar_table[256];

uint32_t vtd_sim_get32(unsigned unit, unsigned offset)
{
	uint32_t value;

	memcpy(&value, vtd_sim[unit].registers + offset, 4);
	return value;
}

uint64_t vtd_sim_get64(unsigned unit, unsigned offset)
{
	return vtd_sim_get32(unit, offset) | (uint64_t)vtd_sim_get32(unit, offset + 4) << 32;
}

void vtd_sim_put32(unsigned unit, unsigned offset, uint32_t value)
{
	memcpy(vtd_sim[unit].registers + offset, &value, 4);
}

void vtd_sim_put64(unsigned unit, unsigned offset, uint64_t value)
{
	vtd_sim_put32(unit, offset, (uint32_t)value);
	vtd_sim_put32(unit, offset + 4, (uint32_t)(value >> 32));
}

void vtd_sim_clear(void)
{
	memset(vtd_sim, 0, sizeof(vtd_sim));
	memset(vtd_units, 0, sizeof(vtd_units));
	vtd_unit_count = 0;
	for (unsigned i = 0; i < VTD_SIM_MAX; i++) {
		vtd_sim_put32(i, VTD_VER, 0x10);
		vtd_sim_put64(i, VTD_CAP, 0x00d2008c22260206ull);
		vtd_sim_put64(i, VTD_ECAP, 0x0000000000f00f4aull);
	}
}

void vtd_sim_dmar(unsigned units, uint8_t flags)
{
	uint32_t at = DMAR_HEADER;

	memset(dmar_table, 0, sizeof(dmar_table));
	dmar_table[DMAR_WIDTH] = 38;
	dmar_table[DMAR_FLAGS] = flags;
	for (unsigned i = 0; i < units; i++, at += DMAR_DRHD_HEADER) {
		uint64_t base = VTD_SIM_BASE(i);

		dmar_table[at + 2] = DMAR_DRHD_HEADER;
		dmar_table[at + 4] = i + 1 == units ? DMAR_DRHD_ALL : 0;
		memcpy(dmar_table + at + 8, &base, 8);
	}
	sim_acpi("DMAR", dmar_table, at);
}

void vtd_sim_start(unsigned units)
{
	bool irq = false;

	vtd_sim_dmar(units, DMAR_INTR_REMAP);
	assert_int_equal(vtd_setup.probe(), HV_OK);
	assert_int_equal(vtd_setup.block_all(&irq), HV_OK);
	assert_true(irq);
	sim_events[0] = 0;
}

uint32_t vtd_read32(const struct vtd_unit *unit, unsigned offset)
{
	return vtd_sim_get32(unit->number, offset);
}

uint64_t vtd_read64(const struct vtd_unit *unit, unsigned offset)
{
	return vtd_sim_get64(unit->number, offset);
}

static void carry_out(struct vtd_sim *s, unsigned unit, const struct vtd_entry *d)
{
	char word[64];

	switch (d->low & 15) {
	case 5:
		assert_int_equal(d->low & 0xfffffff0, 0x20);
		*(uint32_t *)d->high = (uint32_t)(d->low >> 32);
		return;
	case 1:
	case 2:
	case 4:
		assert_int_equal(d->high, 0);
		s->invalidations++;
		snprintf(word, sizeof(word), "inv%u:%llx", unit, (unsigned long long)d->low);
		sim_log(word);
		return;
	default:
		fail_msg("unknown descriptor %llx", (unsigned long long)d->low);
	}
}

bool vtd_sim_x2apic;

bool apic_is_x2apic(void)
{
	return vtd_sim_x2apic;
}

static void run_queue(unsigned unit)
{
	struct vtd_sim *s = &vtd_sim[unit];
	uint64_t head = vtd_sim_get64(unit, VTD_IQH), tail = vtd_sim_get64(unit, VTD_IQT);
	char *queue = (char *)(vtd_sim_get64(unit, VTD_IQA) & ~0xfffull);

	assert_true(vtd_sim_get32(unit, VTD_GSTS) & VTD_GCMD_QIE);
	if (s->queue_error)
		vtd_sim_put32(unit, VTD_FSTS, VTD_FSTS_IQE);
	if (s->ignores_queue || s->queue_error)
		return;
	for (; head != tail; head = (head + 16) % PAGE_SIZE)
		carry_out(s, unit, (const struct vtd_entry *)(queue + head));
	vtd_sim_put64(unit, VTD_IQH, head);
}

static void global_command(unsigned unit, uint32_t value)
{
	static const struct { uint32_t bit; const char *name; } names[] = {
		{ VTD_GCMD_TE, "te" }, { VTD_GCMD_QIE, "qie" }, { VTD_GCMD_IRE, "ire" }, { VTD_GCMD_CFI, "cfi" },
	};
	uint32_t status = vtd_sim_get32(unit, VTD_GSTS), next = value & ~VTD_GCMD_ONE_SHOT;
	char word[32];

	if (vtd_sim[unit].ignores_commands)
		return;
	for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
		if ((status ^ next) & names[i].bit) {
			snprintf(word, sizeof(word), "%s%c", names[i].name, next & names[i].bit ? '+' : '-');
			sim_log(word);
		}
	}
	if ((status ^ next) & VTD_GCMD_QIE)
		vtd_sim_put64(unit, VTD_IQH, 0);
	if (value & VTD_GCMD_SRTP)
		sim_log("srtp");
	if (value & VTD_GCMD_SIRTP)
		sim_log("sirtp");
	vtd_sim_put32(unit, VTD_GSTS, next | (status & (VTD_GCMD_SRTP | VTD_GCMD_SIRTP)) |
		      (value & (VTD_GCMD_SRTP | VTD_GCMD_SIRTP)));
}

void vtd_write32(struct vtd_unit *unit, unsigned offset, uint32_t value)
{
	unsigned fault = VTD_CAP_FRO(vtd_sim_get64(unit->number, VTD_CAP));

	if (offset == VTD_GCMD) {
		global_command(unit->number, value);
	} else if (offset == VTD_FSTS) {
		vtd_sim_put32(unit->number, VTD_FSTS, vtd_sim_get32(unit->number, VTD_FSTS) & ~value);
	} else if (offset == fault + 12 && (value & 0x80000000)) {
		vtd_sim_put64(unit->number, fault + 8, 0);
		vtd_sim_put32(unit->number, VTD_FSTS, vtd_sim_get32(unit->number, VTD_FSTS) & ~VTD_FSTS_PPF);
	} else {
		vtd_sim_put32(unit->number, offset, value);
	}
}

void vtd_write64(struct vtd_unit *unit, unsigned offset, uint64_t value)
{
	vtd_sim_put64(unit->number, offset, value);
	if (offset == VTD_IQT && (vtd_sim_get32(unit->number, VTD_GSTS) & VTD_GCMD_QIE))
		run_queue(unit->number);
}

void vtd_sim_fault(unsigned unit, uint16_t source, uint8_t reason, bool read, uint64_t info)
{
	unsigned offset = VTD_CAP_FRO(vtd_sim_get64(unit, VTD_CAP));

	vtd_sim_put64(unit, offset, info);
	vtd_sim_put64(unit, offset + 8, VTD_FAULT_F | (read ? VTD_FAULT_READ : 0) | (uint64_t)reason << 32 | source);
	vtd_sim_put32(unit, VTD_FSTS, VTD_FSTS_PPF);
}
